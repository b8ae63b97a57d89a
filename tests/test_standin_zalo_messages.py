"""What the stand-in for Zalo lets an OA send, to whom and when."""

from typing import Any

import pytest

from bench.standin_zalo import Group, Template, User, Zalo
from bench.standin_zalo.webhook import Origin, follow, user_text
from bench.standin_zalo.world import DAY, HOUR
from tests.zalo_calls import (
    DETAIL,
    GROUP,
    NOW,
    ROOM,
    TEMPLATE,
    WHO,
    Clock,
    Json,
    button,
    card,
    commune,
    get,
    media,
    opening,
    post,
    say,
    with_buttons,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def zalo(clock: Clock) -> Zalo:
    return commune(clock)


URL = "https://a.vn/1.jpg"
ALL_BUTTONS = (
    button(),
    button(type="oa.query.hide", payload="x" * 1000, title="t" * 20),
    opening("url", url="https://a.vn"),
    opening("phone", phone_code="1022"),
    opening("sms", content="a", phone_code="0901"),
)
MESSAGES: list[tuple[object, int]] = [
    ({"text": "Xin chào"}, 0),
    ({"text": "ộ" * 2000}, 0),
    ({"text": "ộ" * 2001}, -210),
    ({"text": "😀" * 1001}, -210),
    ({"text": "o\u0323\u0302"}, -210),
    ({"text": ""}, -201),
    ({"text": " \n"}, -201),
    ({"text": 5}, -201),
    ({}, -201),
    ("Xin chào", -201),
    ({"text": "a", "parse_mode": "html"}, -201),
    ({"text": "a", "quote_message_id": "never said"}, -201),
    (with_buttons(*ALL_BUTTONS), 0),
    (with_buttons(*ALL_BUTTONS, button()), -201),
    (with_buttons(), -201),
    (with_buttons(button(), text=""), -201),
    (with_buttons(button(title="t" * 21)), -201),
    (with_buttons(button(title="")), -201),
    (with_buttons(button(payload="x" * 1001)), -201),
    (with_buttons(button(payload={"url": URL})), -201),
    (with_buttons(button(type="oa.query")), -201),
    (with_buttons(button(image_icon="")), -201),
    (with_buttons(opening("url", url="a.vn")), -201),
    (with_buttons(button(type="oa.open.url", payload="https://a.vn")), -201),
    (with_buttons(opening("phone", phone="1022")), -201),
    (with_buttons(opening("sms", phone_code="0901")), -201),
    (with_buttons(button(), template_type="button"), -201),
    (with_buttons(button(), template_type="list"), -201),
    (media(url=URL), 0),
    (media(url=URL) | {"text": "a" * 2001}, -210),
    (media(url="file:///etc/passwd"), -201),
    (media(url=URL, attachment_id="asset"), -201),
    (media(), -201),
    (media(attachment_id="unknown"), -201),
    (media(url=URL, media_type="video"), -201),
    (media(url=URL, media_type="gif"), -201),
    (media(url=URL, media_type="gif", width=9, height=9), 0),
    (media({"buttons": [button()]}, url=URL), -201),
    (media({"elements": [{"media_type": "image", "url": URL}] * 2}), -201),
    ({"attachment": {"type": "file", "payload": {"token": "unknown"}}}, -201),
    ({"attachment": {"type": "image", "payload": {"url": URL}}}, -201),
    ({"attachment": {"type": "template", "payload": {"template_type": "list", "elements": []}}}, -233),
    (card(), 0),
    (card(title="t" * 101), -201),
    (card(subtitle=""), -201),
    (card(image_url="http://localhost/1.jpg"), -201),
]


@pytest.mark.parametrize(("message", "code"), MESSAGES)
def test_a_message_is_taken_as_documented_only(zalo: Zalo, message: object, code: int) -> None:
    assert say(zalo, message)["error"] == code
    assert len(zalo.sent) == (code == 0)


def test_what_was_sent_can_be_read(zalo: Zalo) -> None:
    answer = say(zalo, with_buttons(*ALL_BUTTONS))["data"]
    (sent,) = zalo.sent
    assert answer["message_id"] == sent.message_id
    assert answer["sent_time"] == str(int(NOW * 1000))
    assert (sent.kind, sent.to, sent.text) == ("buttons", WHO, "Chọn:")
    assert sent.actions == ["#cat:waste", "x" * 1000]


@pytest.mark.parametrize("to", ["", "abc", 2512523625412515, None])
def test_ids_are_decimal_strings(zalo: Zalo, to: object) -> None:
    assert say(zalo, {"text": "a"}, to)["error"] == -201


WINDOWS: list[tuple[float | None, bool, int, bool]] = [
    (0, True, 0, True),
    (48 * HOUR, False, 0, True),
    (48 * HOUR + 1, True, 0, False),
    (7 * DAY, True, 0, False),
    (7 * DAY + 1, True, -230, False),
    (None, True, -232, False),
    (None, False, -213, False),
]


@pytest.mark.parametrize(("ago", "follower", "code", "free"), WINDOWS)
def test_the_window_closes(zalo: Zalo, ago: float | None, follower: bool, code: int, free: bool) -> None:
    zalo.add(User("5", last_interaction=None if ago is None else NOW - ago, follower=follower))
    answer = say(zalo, {"text": "a"}, "5")
    assert answer["error"] == code
    assert ("quota" in answer.get("data", {})) == free
    assert [sent.billed for sent in zalo.sent] == ([not free] if code == 0 else [])


def test_what_people_do_opens_the_window(zalo: Zalo, clock: Clock) -> None:
    clock.now += 8 * DAY
    zalo.token()
    ms = int(clock.now * 1000)
    for event in (user_text(Origin(WHO, ms), "a"), follow(Origin("6", ms))):
        zalo.heard(event)
    assert [say(zalo, {"text": "a"}, to)["error"] for to in (WHO, "6", "8")] == [0, 0, -213]


@pytest.mark.parametrize("code", [-217, -218, -227, -244])
def test_who_refuses_gets_nothing(zalo: Zalo, code: int) -> None:
    zalo.users[WHO].refuses = code
    data = {"code": "PA-1", "status": "Xong"}
    by_template = {"user_id": WHO, "template_id": "T1", "template_data": data}
    assert say(zalo, {"text": "a"})["error"] == code
    assert post(zalo, TEMPLATE, by_template)["error"] == code


@pytest.mark.parametrize(
    ("tier", "text", "buttons"), [("free", -224, -224), ("text", 0, -224), ("full", 0, 0)]
)
def test_the_package_is_a_gate(zalo: Zalo, tier: Any, text: int, buttons: int) -> None:
    zalo.oa.tier = tier
    assert say(zalo, {"text": "a"})["error"] == text
    assert say(zalo, with_buttons(button()))["error"] == buttons
    assert get(zalo, DETAIL, {"user_id": WHO})["error"] == (-224 if tier == "free" else 0)
    assert get(zalo, "/v2.0/oa/getoa")["data"]["package_name"] == tier


def template(who: object = WHO, name: object = "T1", **data: object) -> Json:
    return {"user_id": who, "template_id": name, "template_data": data}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (template(code="PA-1", status="Xong"), 0),
        (template(), -111),
        (template(code="PA-1"), -1121),
        (template(code="PA-1", status="Xong", more="?"), -112),
        (template(code=1, status="Xong"), -1122),
        (template(code="PA-1", status="x" * 11), -1124),
        (template("9", code="PA-1", status="Xong"), -118),
        (template(WHO, "T2", code="PA-1", status="Xong"), -109),
        (template(WHO, "old", code="PA-1"), -249),
        ({**template(code="PA-1", status="Xong"), "tracking_id": "1"}, -201),
    ],
)
def test_a_template_needs_no_window(zalo: Zalo, clock: Clock, body: Json, code: int) -> None:
    zalo.add(Template("old", refuses=-249))
    clock.now += 20 * HOUR
    zalo.users[WHO].last_interaction = None
    assert post(zalo, TEMPLATE, body)["error"] == code
    assert [sent.data for sent in zalo.sent] == ([body["template_data"]] if code == 0 else [])


@pytest.mark.parametrize(("zca", "money", "code"), [("", True, -320), ("zca-1", False, -321)])
def test_a_template_costs_money(zalo: Zalo, zca: str, money: bool, code: int) -> None:
    zalo.oa.zca, zalo.oa.money = zca, money
    assert post(zalo, TEMPLATE, template(code="PA-1", status="Xong"))["error"] == code


@pytest.mark.parametrize(
    ("room", "message", "code"),
    [
        (ROOM, {"text": "a" * 2000}, 0),
        (ROOM, {"text": "a" * 2001}, -210),
        (ROOM, {"text": ""}, -201),
        (ROOM, with_buttons(button()), -233),
        (ROOM, card(), -233),
        ("1", {"text": "a"}, -403),
        ("2", {"text": "a"}, -403),
        ("3", {"text": "a"}, -237),
    ],
)
def test_a_group_hears_text_only(zalo: Zalo, room: str, message: Json, code: int) -> None:
    zalo.add(Group("2", joined=False), Group("3", disabled=True))
    assert post(zalo, GROUP, {"recipient": {"group_id": room}, "message": message})["error"] == code
