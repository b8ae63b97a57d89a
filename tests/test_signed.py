"""A signed token says what it was made for, until it ends; whatever else is handed in is worth nothing."""

import re
from base64 import urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.signed import LONGEST, NotSigned, Signer

KEY = "k" * 32
NOW = 1_780_000_000_000
HOUR_S = 3600


class Moment:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.ms = NOW

    def __call__(self) -> int:
        return self.ms


def signer(clock: Moment | None = None, key: str = KEY) -> Signer:
    return Signer(key, clock or Moment())


def why(made: Signer, purpose: str, token: str) -> str:
    with pytest.raises(NotSigned) as caught:
        made.read(purpose, token)
    return caught.value.why


@given(st.text(max_size=60), st.text(alphabet="abcxyz", min_size=1, max_size=8))
def test_what_was_signed_is_read_again(payload: str, purpose: str) -> None:
    made = signer()
    read = made.read(purpose, made.sign(purpose, payload, HOUR_S))
    assert read.payload == payload
    assert read.until == NOW + HOUR_S * 1000


def test_it_is_short_and_fits_an_address() -> None:
    token = signer().sign("place", "zalo_oa:1234567890123456789", HOUR_S)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    assert len(token) < 90


def test_two_are_never_the_same() -> None:
    made = signer()
    one, other = (made.sign("place", "zalo_oa:1", HOUR_S) for _ in range(2))
    assert one != other
    assert made.read("place", one).nonce != made.read("place", other).nonce


def test_it_ends_to_the_second() -> None:
    clock = Moment()
    made = signer(clock)
    token = made.sign("place", "zalo_oa:1", HOUR_S)
    clock.ms = NOW + HOUR_S * 1000 - 1
    assert made.read("place", token).payload == "zalo_oa:1"
    clock.ms += 1
    assert why(made, "place", token) == "expired"


def test_it_is_for_one_purpose() -> None:
    made = signer()
    assert why(made, "voice", made.sign("place", "zalo_oa:1", HOUR_S)) == "purpose"
    assert why(made, "plac", made.sign("place", "zalo_oa:1", HOUR_S)) == "purpose"


def test_a_payload_cannot_pretend_a_purpose() -> None:
    made = signer()
    token = made.sign("place", "x\0voice\0reports/1.mp3", HOUR_S)
    assert why(made, "voice", token) == "purpose"
    assert made.read("place", token).payload == "x\0voice\0reports/1.mp3"


def test_another_key_makes_others() -> None:
    assert why(signer(key="q" * 32), "place", signer().sign("place", "zalo_oa:1", HOUR_S)) == "forged"


@given(st.data())
def test_no_letter_can_be_changed(data: st.DataObject) -> None:
    made = Signer(KEY, Moment(), bytes)
    token = made.sign("place", "zalo_oa:1", HOUR_S)
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("AZaz09_-").filter(lambda one: one != token[at]))
    assert why(made, "place", token[:at] + letter + token[at + 1 :]) == "forged"


def test_one_token_has_one_spelling() -> None:
    made = signer()
    token = next(t for n in range(3) if len(t := made.sign("place", "x" * n, HOUR_S)) % 4)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + letters[letters.index(token[-1]) + 1]
    padding = "=" * (-len(token) % 4)
    assert urlsafe_b64decode(twin + padding) == urlsafe_b64decode(token + padding)
    assert why(made, "place", twin) == "forged"


@given(st.text(max_size=200))
def test_whatever_is_handed_in_is_forged(token: str) -> None:
    assert why(signer(), "place", token) == "forged"


@pytest.mark.parametrize("token", ["", "A", "=", "A" * LONGEST, "A" * (LONGEST + 4), "đ" * 40, "AAAA\n"])
def test_nonsense_is_forged(token: str) -> None:
    assert why(signer(), "place", token) == "forged"
