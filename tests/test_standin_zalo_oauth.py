"""The stand-in for Zalo gives tokens that rotate, end and can be used once."""

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from bench.standin_zalo import Zalo, oauth
from bench.standin_zalo.calls import Answer, Call
from tests.zalo_calls import Clock, Json, commune, say

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CALLBACK = "https://bot.vn/zalo"
# The sheet's own pair: the verifier is 43 times "A".
CHALLENGE = "DwBzhbb51LfusnSGBa_hqYSgo7-j8BTQnip4TOnlzRo"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def zalo(clock: Clock) -> Zalo:
    return commune(clock)


def token(zalo: Zalo, grant: str, secret: str = "app-secret", **form: str) -> Json:
    asked = {"app_id": zalo.app.id, "grant_type": grant, **form}
    headers = FORM | {"secret_key": secret}
    return oauth.answer(zalo, Call("POST", oauth.ACCESS_TOKEN, "", headers, urlencode(asked).encode())).body


def consent(zalo: Zalo, **query: str) -> Answer:
    asked = {"app_id": zalo.app.id, "redirect_uri": CALLBACK, "state": "s1", **query}
    return oauth.answer(zalo, Call("GET", oauth.PERMISSION, urlencode(asked)))


def code_of(answer: Answer) -> str:
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["code"]


def test_consent_comes_back_with_a_code(zalo: Zalo) -> None:
    answer = consent(zalo)
    found = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    assert answer.status == 302
    assert (found["oa_id"], found["state"]) == (zalo.oa.id, "s1")
    assert token(zalo, "authorization_code", code=found["code"])["expires_in"] == "90000"
    assert token(zalo, "authorization_code", code=found["code"])["error"] == oauth.USED


def test_a_code_lives_ten_minutes(zalo: Zalo, clock: Clock) -> None:
    code = code_of(consent(zalo))
    clock.now += 600
    assert token(zalo, "authorization_code", code=code)["error"] == oauth.USED


@pytest.mark.parametrize(
    ("verifier", "fits"), [("A" * 43, True), ("A" * 42, False), ("B" * 43, False), ("", False)]
)
def test_a_challenge_is_checked(zalo: Zalo, verifier: str, fits: bool) -> None:
    code = code_of(consent(zalo, code_challenge=CHALLENGE))
    answer = token(zalo, "authorization_code", code=code, code_verifier=verifier)
    assert ("access_token" in answer) == fits


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"redirect_uri": "https://other.vn"}, oauth.REDIRECT),
        ({"code_challenge": CHALLENGE}, oauth.REDIRECT),
        ({"app_id": "1"}, oauth.OTHER),
    ],
)
def test_consent_is_refused(zalo: Zalo, query: dict[str, str], code: int) -> None:
    zalo.app.callback, zalo.app.challenge = CALLBACK, "another"
    assert consent(zalo, **query).code == code


def test_an_app_that_is_off_gets_no_consent(zalo: Zalo) -> None:
    zalo.app.active = False
    assert consent(zalo).code == oauth.INACTIVE


def test_refreshing_rotates_both_tokens(zalo: Zalo) -> None:
    fresh = token(zalo, "refresh_token", refresh_token="refresh-1")
    assert say(zalo, {"text": "a"})["error"] == -220
    again = token(zalo, "refresh_token", refresh_token="refresh-1")
    assert again["error"] == -14020
    assert again.keys() >= {"error_name", "error_reason", "error_description"}
    assert "access_token" not in again
    assert token(zalo, "refresh_token", refresh_token=fresh["refresh_token"])["access_token"]
    assert zalo.tokens.refreshes == {"refresh-1": 2, fresh["refresh_token"]: 1}


@pytest.mark.parametrize(
    "wrong", [{"secret": "oa-secret"}, {"grant": "password"}, {"refresh_token": "unknown"}, {"app_id": "1"}]
)
def test_no_token_for_a_wrong_request(zalo: Zalo, wrong: dict[str, str]) -> None:
    answer = token(zalo, **{"grant": "refresh_token", "refresh_token": "refresh-1", **wrong})
    assert answer["error"] == oauth.OTHER
