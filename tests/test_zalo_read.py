"""Zalo, what arrives: real payloads and what they become, hostile ones that become nothing, signatures."""

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.channels import zalo_bot_read, zalo_oa_read
from bot.channels.base import Malformed, Parsed, Received
from bot.channels.zalo_oa_read import verify
from bot.core.events import PhotoSent
from tests.spoiling import spoiled

HERE = Path(__file__).parent / "channels"
CASES = sorted((HERE / "zalo_oa").glob("*.json")) + sorted((HERE / "zalo_bot").glob("*.json"))
PAYLOADS = {f"{path.parent.name}/{path.stem}": json.loads(path.read_text(encoding="utf-8")) for path in CASES}
# The shortest body that each channel stores, to hang something hostile on.
STORED: dict[str, dict[str, Any]] = {
    "zalo_oa": {"event_name": "user_send_text", "message": {"msg_id": "1"}},
    "zalo_bot": {"event_name": "message.text.received", "message": {"message_id": "1"}},
}


def received(channel: str, body: bytes) -> list[Received]:
    return zalo_oa_read.receive_all(body) if channel == "zalo_oa" else [zalo_bot_read.receive(body)]


def parsed(channel: str, raw: str, names: Mapping[str, str]) -> Parsed | None:
    return zalo_oa_read.parse(raw, names) if channel == "zalo_oa" else zalo_bot_read.parse(raw)


def meaning(channel: str, raw: str, names: Mapping[str, str]) -> dict[str, Any] | None:
    try:
        found = parsed(channel, raw, names)
    except Malformed:
        return {"malformed": "parse"}
    if found is None:
        return None
    assert found.address.channel == channel
    return {
        "chat": found.address.chat,
        "group": found.address.group,
        "account": found.account,
        "name": found.name,
        "replied": found.replied,
        "event": {type(found.event).__name__: asdict(found.event)},
    }


def become(channel: str, payload: object, names: Mapping[str, str] = {}) -> Any:
    """What a payload becomes, through the text that is stored; a list when it is stored in parts."""
    try:
        rows = received(channel, json.dumps(payload).encode())
    except Malformed:
        return {"malformed": "receive"}
    meanings = [meaning(channel, row.raw, names) for row in rows]
    return meanings[0] if len(meanings) == 1 else meanings


# --- payloads


@pytest.mark.parametrize("name", PAYLOADS)
def test_payload(name: str) -> None:
    case = PAYLOADS[name]
    channel = name.partition("/")[0]
    assert become(channel, case["payload"], case.get("names", {})) == case["expect"], case["note"]


@pytest.mark.parametrize("name", PAYLOADS)
def test_stored_under_the_chat_that_is_answered(name: str) -> None:
    """The chat that orders the talk, and locks it, is the one that the event turns out to belong to."""
    channel = name.partition("/")[0]
    expected = PAYLOADS[name]["expect"]
    for number, told in enumerate(expected if isinstance(expected, list) else [expected]):
        if told and "chat" in told:
            rows = received(channel, json.dumps(PAYLOADS[name]["payload"]).encode())
            assert rows[number].chat == told["chat"]


@pytest.mark.parametrize("name", ["photos", "file_photo", "location", "text_quoting", "group_we_are_out"])
def test_nothing_worse_than_malformed(name: str) -> None:
    for payload in spoiled(PAYLOADS[f"zalo_oa/{name}"]["payload"]):
        become("zalo_oa", payload)


@pytest.mark.parametrize("name", ["photo", "text_wrapped", "voice"])
def test_nothing_worse_than_malformed_from_a_bot(name: str) -> None:
    for payload in spoiled(PAYLOADS[f"zalo_bot/{name}"]["payload"]):
        become("zalo_bot", payload)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
PARTS_OF_ONE = st.fixed_dictionaries(
    {"event_name": st.sampled_from([*zalo_oa_read.EVENTS, *zalo_bot_read.EVENTS])},
    optional={
        **dict.fromkeys(("timestamp", "users", "oa_id", "group_id", "result", "apx_parts"), ANYTHING),
        "sender": ANYTHING | st.fixed_dictionaries({"id": ANYTHING}),
        "message": st.dictionaries(
            st.sampled_from(["text", "msg_id", "message_id", "attachments", "from", "chat", "photo_url"]),
            ANYTHING | st.lists(st.fixed_dictionaries({"payload": ANYTHING})),
        ),
    },
)


@given(st.sampled_from(["zalo_oa", "zalo_bot"]), ANYTHING | PARTS_OF_ONE)
@example("zalo_oa", {"event_name": "user_send_image", "message": {"msg_id": "1", "attachments": [{}] * 3}})
def test_any_json(channel: str, payload: object) -> None:
    become(channel, payload)


@given(st.sampled_from(["zalo_oa", "zalo_bot"]), st.binary() | st.text().map(str.encode))
def test_any_bytes(channel: str, body: bytes) -> None:
    try:
        rows = received(channel, body)
    except Malformed:
        return
    assert rows


@pytest.mark.parametrize("channel", STORED)
@pytest.mark.parametrize(
    "value",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b"9" * 5000,
        b'"\\ud800"',
        b"NaN",
        b"-Infinity",
        b"1e999",
        b'"\xff"',
        b'"',
        b'"\x00"',
    ],
)
def test_refused_body(channel: str, value: bytes) -> None:
    body = json.dumps(STORED[channel]).encode()
    assert received(channel, body)
    with pytest.raises(Malformed):
        received(channel, body[:-1] + b',"x":' + value + b"}")


@pytest.mark.parametrize("channel", STORED)
@pytest.mark.parametrize("body", [b"", b" \n", b"null", b"{}", b"<html>", b"\xff\xfe"])
def test_no_event_at_all(channel: str, body: bytes) -> None:
    """An empty body is how the Bot Platform tries an address: set aside once, answered 200."""
    with pytest.raises(Malformed):
        received(channel, body)


@pytest.mark.parametrize("channel", STORED)
def test_raw_can_be_stored_anywhere(channel: str) -> None:
    hostile = b',"a\\u0000":["\\u0000x",7,{"b":"y\\u0000"}],"e":"\\ud83d\\ude00","l":"\\\\u0000"}'
    [row] = received(channel, json.dumps(STORED[channel]).encode()[:-1] + hostile)
    assert row.raw.encode()
    stored = {"a": ["x", 7, {"b": "y"}], "e": "😀", "l": "\\u0000"}
    assert json.loads(row.raw) == STORED[channel] | stored


def test_keys_hold_no_nul() -> None:
    body = b'{"event_name":"user_send_text","sender":{"id":"7\\u0000"},"message":{"msg_id":"\\u0000m"}}'
    [row] = received("zalo_oa", body)
    assert (row.event, row.chat) == ("m", "7")


@pytest.mark.parametrize("channel", STORED)
@pytest.mark.parametrize("raw", ["", "[]", "{", '"x"', "null", "{}", "[" * 100_000])
def test_parse_refuses_what_was_never_received(channel: str, raw: str) -> None:
    with pytest.raises(Malformed):
        parsed(channel, raw, {})


@pytest.mark.parametrize("degrees", ["NaN", "Infinity", "1e999"])
def test_nowhere_is_no_place(degrees: str) -> None:
    """Even if it had been stored: no comparison with it is ever true."""
    raw = json.dumps(PAYLOADS["zalo_oa/location"]["payload"]).replace('"106.7820651"', degrees)
    with pytest.raises(Malformed):
        parsed("zalo_oa", raw, {})


def test_long_text_is_passed_whole() -> None:
    payload = json.loads(json.dumps(PAYLOADS["zalo_oa/text"]["payload"]))
    payload["message"]["text"] = "ộ" * 100_000
    assert become("zalo_oa", payload)["event"] == {"Words": {"text": "ộ" * 100_000}}


# --- identities


def identities(name: str) -> list[str]:
    channel = name.partition("/")[0]
    return [row.event for row in received(channel, json.dumps(PAYLOADS[name]["payload"]).encode())]


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("zalo_oa/text", ["96d3cdf3af150460909"]),
        ("zalo_oa/photo", ["b8de7d84fa1b3043690c"]),
        ("zalo_oa/photos", [f"b8de7d84fa1b3043690c{part}" for part in ("", "/1", "/2")]),
        ("zalo_oa/echo_of_ours", ["b8de7d84fa1b3043690c"]),
        ("zalo_oa/answered_with_a_photo", ["b8de7d84fa1b3043690c"]),
        ("zalo_oa/follow", ["follow/24684588352919792/154397978274"]),
        ("zalo_oa/chatnow", ["user_click_chatnow/246845883529197922/1751100041636"]),
        ("zalo_oa/group_created", ["create_group/f414c8f76fa586fbdfb4/1751100041636"]),
        ("zalo_oa/tag", ["add_user_to_tag/0/1751100041636"]),
        # A receipt that overtakes its message must not pass for it.
        ("zalo_oa/received", ["user_received_message/246845883529197922/1751100041636"]),
        ("zalo_oa/reacted", ["user_reacted_message/246845883529197922/1751100041636"]),
        # The recipient of a paid notice is a telephone number, which is no key.
        ("zalo_oa/zbs_received", ["user_received_message/388613280878808645/1751100041636"]),
        ("zalo_bot/text", ["2d758cb5e222177a4e35"]),
        ("zalo_bot/text_wrapped", ["2d758cb5e222177a4e35"]),
        ("zalo_bot/unknown_event", ["message.video.received/6ede9afa66b88fe6d6a9/1789033572455"]),
    ],
)
def test_identity(name: str, events: list[str]) -> None:
    assert identities(name) == events


def test_parts_say_which_they_are() -> None:
    rows = received("zalo_oa", json.dumps(PAYLOADS["zalo_oa/photos"]["payload"]).encode())
    assert [json.loads(row.raw)["apx_part"] for row in rows] == [0, 1, 2]
    assert [len(json.loads(row.raw)["message"]["attachments"]) for row in rows] == [1, 1, 1]
    first = zalo_oa_read.receive(json.dumps(PAYLOADS["zalo_oa/photos"]["payload"]).encode())
    assert first == rows[0]


def test_nobody_picks_so_many() -> None:
    payload = json.loads(json.dumps(PAYLOADS["zalo_oa/photo"]["payload"]))
    payload["message"]["attachments"] *= zalo_oa_read.PARTS_MOST
    assert len(received("zalo_oa", json.dumps(payload).encode())) == zalo_oa_read.PARTS_MOST
    payload["message"]["attachments"] *= 2
    assert become("zalo_oa", payload) == {"malformed": "receive"}


def test_parts_are_not_what_a_body_claims() -> None:
    payload = PAYLOADS["zalo_oa/photo"]["payload"] | {"apx_part": 5, "apx_parts": 9}
    found = zalo_oa_read.parse(received("zalo_oa", json.dumps(payload).encode())[0].raw)
    assert found is not None
    assert isinstance(found.event, PhotoSent)
    assert (found.event.caption, found.event.album) == ("rác ở cổng chợ", None)


# --- the table


# The sheet of facts on Zalo (reference/zalo.md, 7.3 and 7.4), to the letter.
KINDS = ("text", "image", "gif", "link", "audio", "video", "sticker", "business_card", "file")
OF_THE_SHEET = [
    *(f"user_send_{kind}" for kind in (*KINDS, "location")),
    *(f"user_send_group_{kind}" for kind in KINDS),
    *(f"oa_send_{kind}" for kind in ("text", "image", "gif", "list", "file", "sticker")),
    *(f"oa_send_group_{kind}" for kind in KINDS),
    *(f"anonymous_send_{kind}" for kind in ("text", "image", "file", "sticker")),
    *(f"oa_send_anonymous_{kind}" for kind in ("text", "image", "file", "sticker")),
    *("follow", "unfollow", "user_submit_info", "user_click_chatnow", "update_user_info", "user_withdraw"),
    *("user_received_message", "user_seen_message", "user_reacted_message", "oa_reacted_message"),
    *("add_user_to_tag", "remove_user_from_tag", "remove_tag", "extension_purchased"),
    *("widget_interaction_accepted", "widget_failed_to_sync_user_external_id"),
    *("oa_send_consent", "user_reply_consent", "user_call_oa", "oa_call_user"),
    *("create_group", "user_join_group", "user_request_join_group", "update_group_info", "delete_group"),
    *("accept_request_join_group", "reject_request_join_group"),
    *("react_request_join_group_accept", "react_request_join_group_reject"),
    *("add_group_admin", "remove_group_admin", "user_out_group", "user_leave_group"),
    *("change_template_status", "change_oa_daily_quota"),
]


@pytest.mark.parametrize("name", OF_THE_SHEET)
def test_every_event_of_the_sheet_is_in_the_table(name: str) -> None:
    assert name in zalo_oa_read.EVENTS


@pytest.mark.parametrize("name", zalo_oa_read.EVENTS)
def test_known_events_are_stored(name: str) -> None:
    payload = {"event_name": name, "sender": {"id": "7"}, "recipient": {"id": "8"}, "timestamp": "9"}
    [row] = received("zalo_oa", json.dumps(payload).encode())
    assert json.loads(row.raw) == payload


# --- signatures

APP, SECRET = "1234567890", "oa-secret-for-tests"
SIGNED = (
    '{"event_name":"user_send_text","app_id":"1234567890","sender":{"id":"111"},"recipient":{"id":"222"},'
    '"message":{"text":"Xin chào","msg_id":"abc"},"timestamp":"1717061839659"}'
).encode()
SIGNATURE = "a6e49326b722032628bcf1b4aca07446766fc363cb43fd0215fc92874ed9348b"


def signature(body: bytes, moment: str, app: str = APP, secret: str = SECRET) -> str:
    return hashlib.sha256(app.encode() + body + moment.encode() + secret.encode()).hexdigest()


@pytest.mark.parametrize("shape", ["mac={}", "{}", " mac={} ", "mac= {}"])
def test_signature(shape: str) -> None:
    assert verify(SIGNED, shape.format(SIGNATURE), APP, SECRET)
    assert verify(SIGNED, shape.format(SIGNATURE.upper()), APP, SECRET)


@pytest.mark.parametrize(
    ("body", "header", "app", "secret"),
    [
        (SIGNED + b" ", SIGNATURE, APP, SECRET),
        (SIGNED.replace(b"111", b"112"), SIGNATURE, APP, SECRET),
        (SIGNED, SIGNATURE, "1234567891", SECRET),
        (SIGNED, SIGNATURE, APP, "another"),
        (SIGNED, signature(SIGNED, "1717061839659", secret=""), APP, ""),
        (SIGNED, "", APP, SECRET),
        (SIGNED, "mac=", APP, SECRET),
        (SIGNED, f"mac=mac={SIGNATURE}", APP, SECRET),
        (SIGNED, SIGNATURE[:-1], APP, SECRET),
        (SIGNED, SIGNATURE + "0", APP, SECRET),
        (SIGNED, "ộ" * 64, APP, SECRET),
        (SIGNED, "\udcff" * 64, APP, SECRET),
    ],
)
def test_forged(body: bytes, header: str, app: str, secret: str) -> None:
    assert not verify(body, header, app, secret)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b'{"timestamp":1717061839659}',
        b'{"timestamp":null}',
        b'{"timestamp":"\\ud800"}',
        b'{"timestamp":"1","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"timestamp":"1","x":' + b"9" * 5000 + b"}",
    ],
)
def test_what_cannot_be_read_is_signed_by_nobody(body: bytes) -> None:
    for moment in ("", "1", "null", "1717061839659"):
        assert not verify(body, signature(body, moment), APP, SECRET)


def test_a_thousand_forgeries() -> None:
    chance = random.Random(7)
    for _ in range(1000):
        secret = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz-0123456789", k=chance.randint(0, 40)))
        headers = (signature(SIGNED, "1717061839659", secret=secret), f"{chance.getrandbits(256):064x}")
        assert not any(verify(SIGNED, f"mac={header}", APP, SECRET) for header in headers)
    for place in range(len(SIGNATURE)):
        wrong = "0" if SIGNATURE[place] != "0" else "1"
        assert not verify(SIGNED, SIGNATURE[:place] + wrong + SIGNATURE[place + 1 :], APP, SECRET)


@given(st.binary(), st.text())
def test_no_header_hurts(body: bytes, header: str) -> None:
    assert not verify(body, header, APP, SECRET)
