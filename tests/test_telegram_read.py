"""Telegram, what arrives: real payloads and what they become, nonsense, and whose webhook it is."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from bot.channels.base import Malformed
from bot.channels.telegram import SECRET_HEADER, Telegram
from tests.spoiling import spoiled
from tests.telegram_stage import channel

PAYLOADS = sorted((Path(__file__).parent / "channels" / "telegram").glob("*.json"))


def become(payload: object) -> dict[str, Any] | None:
    """What a payload becomes, through the text that is stored."""
    telegram = channel()
    try:
        received = telegram.receive(json.dumps(payload).encode())
    except Malformed:
        return {"malformed": "receive"}
    try:
        parsed = telegram.parse(received.raw)
    except Malformed:
        return {"malformed": "parse"}
    if parsed is None:
        return None
    return {
        "chat": parsed.address.chat,
        "group": parsed.address.group,
        "account": parsed.account,
        "name": parsed.name,
        "replied": parsed.replied,
        "event": {type(parsed.event).__name__: asdict(parsed.event)},
    }


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
def test_payload(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    assert become(case["payload"]) == case["expect"], case["note"]


@pytest.mark.parametrize(
    "name", ["photo_album", "document_jpeg", "press_group", "group_reply", "group_kicked"]
)
def test_nothing_worse_than_malformed(name: str) -> None:
    case = json.loads((PAYLOADS[0].parent / f"{name}.json").read_text(encoding="utf-8"))
    for payload in spoiled(case["payload"]):
        become(payload)


def test_received_identity() -> None:
    telegram = channel()
    for path in PAYLOADS:
        case = json.loads(path.read_text(encoding="utf-8"))
        if case["expect"] and "chat" in case["expect"]:
            received = telegram.receive(json.dumps(case["payload"]).encode())
            assert received.event == str(case["payload"]["update_id"])
            assert received.chat == case["expect"]["chat"], path.stem


@pytest.mark.parametrize(
    ("update", "chat"),
    [
        ({"inline_query": {"id": "1", "from": {"id": 7}, "query": ""}}, "7"),
        ({"poll_answer": {"poll_id": "1", "user": {"id": 8}}}, "8"),
        ({"hologram": 5}, "0"),
        ({"message": {"chat": {"id": "x"}}}, "0"),
        ({"callback_query": {"from": {"id": 7}, "message": {"chat": {"id": -5}}}}, "-5"),
    ],
)
def test_chat_key(update: dict[str, Any], chat: str) -> None:
    assert channel().receive(json.dumps({"update_id": 1, **update}).encode()).chat == chat


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"<html>",
        b"\xff\xfe",
        b'{"update_id":1,"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"update_id":' + b"9" * 5000 + b"}",
        b'{"update_id":99999999999999999999}',
        b'{"update_id":-1}',
        b'{"update_id":1.5}',
        b'{"update_id":"1"}',
        b'{"update_id":1,"message":{"text":"\\ud800"}}',
        b'{"update_id":1,"message":{"text":NaN}}',
        b'{"update_id":1,"message":{"x":1e999}}',
        b'{"update_id":1',
    ],
)
def test_refused_body(body: bytes) -> None:
    with pytest.raises(Malformed):
        channel().receive(body)


def test_raw_can_be_stored_anywhere() -> None:
    body = b'{"update_id":1,"a\\u0000":["\\u0000x",{"b":"y\\u0000"}],"e":"\\ud83d\\ude00","l":"\\\\u0000"}'
    raw = channel().receive(body).raw
    assert raw.encode()
    assert json.loads(raw) == {"update_id": 1, "a": ["x", {"b": "y"}], "e": "😀", "l": "\\u0000"}


def test_parse_refuses_what_was_never_received() -> None:
    for raw in ("", "[]", "{", '"x"', "[" * 100_000):
        with pytest.raises(Malformed):
            channel().parse(raw)


def test_long_text_is_passed_whole() -> None:
    payload = json.loads((PAYLOADS[0].parent / "text.json").read_text(encoding="utf-8"))["payload"]
    payload["message"]["text"] = "ộ" * 100_000
    become_long = become(payload)
    assert become_long is not None
    assert become_long["event"] == {"Words": {"text": "ộ" * 100_000}}


def test_our_name_unknown_yet() -> None:
    case = json.loads((PAYLOADS[0].parent / "command_ours_in_group.json").read_text(encoding="utf-8"))
    telegram = Telegram(token="1:A")
    parsed = telegram.parse(json.dumps(case["payload"]))
    assert parsed is not None
    assert asdict(parsed.event) == {"text": "/ketnoi K7Q2"}


def headers(*told: str) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict((SECRET_HEADER, each) for each in told))


def test_press_is_answered_in_the_webhook_answer() -> None:
    raw = '{"update_id":1,"callback_query":{"id":"77"}}'
    assert channel().answer(raw) == {"method": "answerCallbackQuery", "callback_query_id": "77"}
    for nothing in ('{"update_id":1}', '{"message":{"text":"\\"callback_query\\""}}', '{"callback_query":5}'):
        assert channel().answer(nothing) is None


def test_secret() -> None:
    telegram = channel(webhook_url="https://x.example/t", webhook_secret="abc_-9")
    assert telegram.verify(headers("abc_-9"), b"")
    for wrong in ("", "abc", "abc_-9\udcff", "ộ"):
        assert not telegram.verify(headers(wrong), b"")
    assert not telegram.verify(headers(), b"")
    assert not telegram.verify(headers("abc_-9", "abc_-9"), b"")
    assert not channel().verify(headers(""), b"")
