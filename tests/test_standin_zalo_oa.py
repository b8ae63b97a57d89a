"""Who may call the stand-in for Zalo's OpenAPI, how often, and what it tells and keeps."""

import hashlib
import hmac
from urllib.parse import urlencode

import pytest

from bench.standin_zalo import Group, Zalo, oa
from bench.standin_zalo.calls import Call
from bench.standin_zalo.messages import REACTIONS_MOST
from bench.standin_zalo.webhook import Origin, user_image, user_location, user_text
from bench.standin_zalo.world import DAY, HOUR
from tests.zalo_calls import (
    CS,
    DETAIL,
    GIF,
    JPEG,
    JSON,
    NOW,
    PAGE,
    PNG,
    QUOTA,
    REACTION,
    ROOM,
    TEMPLATE,
    WHO,
    Clock,
    Json,
    commune,
    get,
    media,
    post,
    say,
    upload,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def zalo(clock: Clock) -> Zalo:
    return commune(clock)


def proof(secret: str) -> str:
    return hmac.new(secret.encode(), b"access-1", hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 0),
        ({"access_token": ""}, -216),
        ({"access_token": "unknown"}, -216),
        ({"appsecret_proof": proof("app-secret")}, 0),
        ({"appsecret_proof": proof("oa-secret")}, -242),
        ({"Content-Type": "text/plain"}, -201),
    ],
)
def test_who_may_call(zalo: Zalo, headers: dict[str, str], code: int) -> None:
    body = {"recipient": {"user_id": WHO}, "message": {"text": "a"}}
    assert post(zalo, CS, body, **headers)["error"] == code


def test_the_app_itself_may_be_off_or_ask_for_proof(zalo: Zalo) -> None:
    zalo.app.proof = True
    assert say(zalo, {"text": "a"})["error"] == -242
    zalo.app.active = False
    assert say(zalo, {"text": "a"})["error"] == -209


def test_tokens_end(zalo: Zalo, clock: Clock) -> None:
    clock.now += 25 * HOUR - 1
    assert get(zalo, "/v2.0/oa/getoa")["error"] == 0
    clock.now += 1
    assert get(zalo, "/v2.0/oa/getoa")["error"] == -220
    zalo.token("access-2")
    zalo.tokens.expire(clock.now)
    assert post(zalo, CS, {}, access_token="access-2")["error"] == -220


def test_calls_are_counted_by_the_minute(zalo: Zalo, clock: Clock) -> None:
    zalo.app.rate = 2
    found = [oa.answer(zalo, Call("GET", "/v2.0/oa/getoa", "", JSON)) for _ in range(3)]
    assert [each.code for each in found] == [0, 0, -32]
    assert [each.headers["X-RateLimit-Remain"] for each in found] == ["1", "0", "0"]
    assert found[0].headers["X-RateLimit-Limit"] == "2"
    assert post(zalo, TEMPLATE, {})["error"] == -201
    clock.now += 60
    assert get(zalo, "/v2.0/oa/getoa")["error"] == 0


def test_groups_and_members_are_listed(zalo: Zalo) -> None:
    zalo.add(Group("2", joined=False))
    found = get(zalo, "/v3.0/oa/group/getgroupsofoa", PAGE)["data"]["groups"]
    assert [group["group_id"] for group in found] == [ROOM]
    members = get(zalo, "/v3.0/oa/group/listmember", {"group_id": ROOM, **PAGE})["data"]["members"]
    assert [member["user_id"] for member in members] == [WHO]
    assert get(zalo, "/v3.0/oa/group/listmember", {"group_id": "2", **PAGE})["error"] == -403


@pytest.mark.parametrize(
    ("kind", "data", "name", "code"),
    [
        ("image", JPEG, "a.jpg", 0),
        ("image", PNG, "a.png", 0),
        ("image", GIF, "a.jpg", -201),
        ("image", JPEG.ljust(1 << 20), "a.jpg", 0),
        ("image", JPEG.ljust((1 << 20) + 1), "a.jpg", -210),
        ("image", JPEG, "", -201),
        ("gif", GIF, "a.gif", 0),
        ("file", b"%PDF-1.7", "a.pdf", 0),
        ("file", b"a,b", "a.csv", 0),
        ("file", JPEG, "a.pdf", -201),
        ("file", b"%PDF-1.7", "a.exe", -201),
        ("file", b"%PDF-".ljust((5 << 20) + 1), "a.pdf", -210),
    ],
)
def test_uploads(zalo: Zalo, kind: str, data: bytes, name: str, code: int) -> None:
    answer = upload(zalo, kind, data, name)
    assert answer["error"] == code
    if code == 0:
        assert zalo.assets[answer["data"]["token" if kind == "file" else "attachment_id"]].data == data


def test_uploads_have_a_field_and_a_number(zalo: Zalo) -> None:
    assert upload(zalo, "image", JPEG, field="image")["error"] == -201
    zalo.oa.uploads_left = 0
    assert upload(zalo, "image", JPEG)["error"] == -211


def test_an_upload_lasts_a_week_and_is_of_one_kind(zalo: Zalo, clock: Clock) -> None:
    image = upload(zalo, "image", JPEG)["data"]["attachment_id"]
    token = upload(zalo, "file", b"%PDF-1.7", "a.pdf")["data"]["token"]
    assert say(zalo, media(attachment_id=image))["error"] == 0
    assert say(zalo, {"attachment": {"type": "file", "payload": {"token": token}}})["error"] == 0
    assert say(zalo, media(attachment_id=token))["error"] == -201
    assert [sent.image for sent in zalo.sent] == [image, token]
    zalo.tokens.lifetime = 30 * DAY
    zalo.token()
    clock.now += 7 * DAY
    assert say(zalo, media(attachment_id=image))["error"] == -100


def test_what_was_said_can_be_caught_up_with(zalo: Zalo) -> None:
    ms = int(NOW * 1000)
    zalo.heard(user_text(Origin(WHO, ms, message="m1"), "rác"))
    zalo.heard(user_image(Origin(WHO, ms + 1, message="m2"), "http://f6.photo.talk.zdn.vn/1.jpg"))
    zalo.heard(user_location(Origin("6", ms + 2, message="m3"), "20.98", "106.39", "Đình làng"))
    say(zalo, {"text": "Đã nhận", "quote_message_id": "m1"})
    talk = get(zalo, "/v2.0/oa/conversation", {"user_id": WHO, **PAGE})["data"]
    assert [(line["src"], line["type"], line["message"]) for line in talk] == [
        (0, "text", "Đã nhận"),
        (1, "photo", ""),
        (1, "text", "rác"),
    ]
    assert (talk[2]["from_id"], talk[2]["time"], talk[2]["sent_time"]) == (WHO, ms, "21:13:20 21/09/2026")
    latest = get(zalo, "/v2.0/oa/listrecentchat", PAGE)["data"]
    assert [line["message"] for line in latest] == ["Đã nhận", "Đình làng"]
    assert latest[1]["location"] == {"latitude": "20.98", "longitude": "106.39"}


@pytest.mark.parametrize(
    ("offset", "count", "code"), [(0, 10, 0), (0, 11, -210), (0, 0, -201), (-1, 1, -201)]
)
def test_pages_are_small(zalo: Zalo, offset: int, count: int, code: int) -> None:
    data = {"offset": offset, "count": count}
    assert get(zalo, "/v2.0/oa/listrecentchat", data)["error"] == code


def test_a_person_and_what_they_may_be_sent(zalo: Zalo) -> None:
    zalo.users[WHO].refuses = -217
    person = get(zalo, DETAIL, {"user_id": WHO})["data"]
    assert person["user_last_interaction_date"] == "21/09/2026"
    assert person["shared_info"]["phone"] == 0
    assert post(zalo, QUOTA, {"user_id": WHO})["data"]["last_interaction"] == str(int(NOW * 1000))
    assert get(zalo, QUOTA, {"user_id": WHO})["error"] == 0
    assert post(zalo, QUOTA, {"quota_owner": "OA", "product_type": "cs", "quota_type": "x"})["data"] == []
    assert get(zalo, DETAIL, {"user_id": "404"})["error"] == -213


def reaction(on: str, icon: str = "/-strong") -> Json:
    return {
        "recipient": {"user_id": WHO},
        "sender_action": {"react_icon": icon, "react_message_id": on},
    }


def test_a_reaction_is_free_and_finite(zalo: Zalo) -> None:
    zalo.heard(user_text(Origin(WHO, int(NOW * 1000), message="m1"), "rác"))
    assert post(zalo, REACTION, reaction("m1", "👍"))["error"] == -201
    assert post(zalo, REACTION, reaction("m2"))["error"] == -201
    codes = [post(zalo, REACTION, reaction("m1"))["error"] for _ in range(REACTIONS_MOST + 1)]
    assert codes == [0] * REACTIONS_MOST + [-210]
    assert {(sent.text, sent.about) for sent in zalo.sent} == {("/-strong", "m1")}


@pytest.mark.parametrize(
    ("method", "path", "query", "code"),
    [
        ("POST", REACTION, "", -240),
        ("POST", "/v3.0/oa/message/transaction", "", -209),
        ("GET", CS, "", -209),
        ("GET", DETAIL, f"user_id={WHO}", -201),
        ("GET", DETAIL, urlencode({"data": "no json"}), -201),
    ],
)
def test_everything_else_has_its_code(zalo: Zalo, method: str, path: str, query: str, code: int) -> None:
    assert oa.answer(zalo, Call(method, path, query, JSON, b"{}")).code == code
