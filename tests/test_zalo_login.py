"""The first pair of a Zalo Official Account, by a refresh token or by the consent of its administrator."""

from collections.abc import AsyncIterator

import pytest

from bot.channels.zalo_login import Asked, WrongAddress, challenge, code_in, consent_link, draw
from bot.channels.zalo_tokens import LEASE_MS
from storage import tokens as stored
from storage.database import Database
from tests.zalo_pair import HOUR, NAME, Stage, no_token, staged


@pytest.fixture
async def stage(sqlite_database: Database) -> AsyncIterator[Stage]:
    async with staged(sqlite_database) as made:
        yield made


# The first pair ------------------------------------------------------------------------------------


async def test_nobody_logged_in_yet(stage: Stage) -> None:
    assert await no_token(stage.tokens.access()) == "login"
    assert await stage.tokens.standing() is None
    assert stage.door.posts == []


async def test_the_settings_token_is_used_once(stage: Stage) -> None:
    assert await stage.another(first="MARKER-refresh-0").access() == "MARKER-access-1"
    again = stage.another(first="MARKER-refresh-0")
    assert await again.access() == "MARKER-access-1"
    assert await again.renewed("MARKER-access-1") == "MARKER-access-2"
    assert stage.door.refreshes == {"MARKER-refresh-0": 1, "MARKER-refresh-1": 1}


async def test_a_settings_token_that_was_used_up_asks_for_a_login(stage: Stage) -> None:
    tokens = stage.another(first="MARKER-spent")
    assert await no_token(tokens.access()) == await no_token(tokens.access()) == "refused:-14020"
    assert len(stage.door.posts) == 1
    await stage.another().adopt("MARKER-refresh-0")
    assert await tokens.access() == "MARKER-access-1"


async def test_a_code_with_its_verifier(stage: Stage) -> None:
    await stage.another().exchange("MARKER-code", "v" * 43)
    assert stage.door.posts[0]["grant_type"] == "authorization_code"
    assert await stage.tokens.access() == "MARKER-access-1"
    stage.door.code = ("MARKER-other", None)
    await stage.another().exchange("MARKER-other", None)
    assert "code_verifier" not in stage.door.posts[1]
    # The running one holds what Zalo no longer takes, and finds the new pair by itself.
    assert await stage.tokens.renewed("MARKER-access-1") == "MARKER-access-2"


async def test_a_login_that_fails_changes_nothing(stage: Stage) -> None:
    await stage.has()
    before = await stage.row()
    assert await no_token(stage.another().adopt("MARKER-spent")) == "refused:-14020"
    assert await stage.row() == before
    assert await stage.tokens.renewed("MARKER-access-0") == "MARKER-access-1"
    assert stage.rests == []


async def test_a_login_waits_for_a_renewal_under_way(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    row, now = await stage.row(), stage.clock.ms()
    assert await stage.db.write(lambda conn: stored.claim(conn, NAME, row.made_at, now, now + LEASE_MS))
    await stage.another().adopt("MARKER-refresh-0")
    assert sum(stage.rests) == LEASE_MS / 1000


# The consent link ----------------------------------------------------------------------------------


def test_the_challenge_is_the_one_of_the_sheet() -> None:
    assert challenge("A" * 43) == "DwBzhbb51LfusnSGBa_hqYSgo7-j8BTQnip4TOnlzRo"


def test_the_link() -> None:
    asked = Asked("st&te", "A" * 43)
    link = consent_link("https://oauth.zaloapp.com", "12345", "https://a.vn/zalo?x=1", asked)
    assert link == (
        "https://oauth.zaloapp.com/v4/oa/permission?app_id=12345&redirect_uri=https%3A%2F%2Fa.vn%2Fzalo%3Fx%3D1"
        "&code_challenge=DwBzhbb51LfusnSGBa_hqYSgo7-j8BTQnip4TOnlzRo&state=st%26te"
    )
    assert "code_challenge" not in consent_link("https://o", "1", "https://a.vn", Asked("s", None))


def test_a_verifier_has_43_characters_and_is_new_each_time() -> None:
    drawn = {draw() for _ in range(100)}
    assert len(drawn) == 100
    for verifier in drawn:
        assert len(verifier) == 43
        assert set(verifier) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://a.vn/?code=abc&oa_id=1&state=other", "state"),
        ("https://a.vn/?code=abc&oa_id=1", "state"),
        ("https://a.vn/?code=abc&state=ổ", "state"),
        ("https://a.vn/?error=-14002&state=mine", "code"),
        ("https://[a.vn/?code=abc&state=mine", "code"),
        ("", "code"),
    ],
)
def test_an_address_that_does_not_answer_our_link(address: str, why: str) -> None:
    with pytest.raises(WrongAddress) as caught:
        code_in(address, Asked("mine", None))
    assert caught.value.why == why


def test_the_code_in_the_address() -> None:
    assert code_in(" https://a.vn/zalo?code=a%2Bb&oa_id=1&state=mine \n", Asked("mine", None)) == "a+b"
