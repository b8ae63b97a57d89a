"""Telegram, what is sent: the one call that a message becomes, and what each answer means for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bot.channels.base import Failed, Flood, Refused, Relocated, Sent, Unauthorized
from bot.channels.telegram_http import ANSWER_LIMIT, AiohttpRequest
from bot.core.message import Button, Message
from tests.paper import spoken_ogg
from tests.telegram_stage import GROUP, PERSON, Stage, opened


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    async with opened() as made:
        yield made


async def test_sent(stage: Stage) -> None:
    assert await stage.send("<b>Rác & 😀") == Sent("1")
    assert stage.last() == {
        "chat_id": "5501234567",
        "text": "<b>Rác & 😀",
        "link_preview_options": {"is_disabled": True},
    }


async def test_sent_whatever_else_the_answer_says(stage: Stage) -> None:
    chat = {"id": 5, "type": "private"}
    result = {"message_id": 9, "date": 1, "chat": chat, "entities": 5, "poll": {"new": "shape"}, "text": 7}
    stage.fault(body={"ok": True, "result": result})
    assert await stage.send() == Sent("9")


@pytest.mark.parametrize(
    ("labels", "widths"),
    [(["Có", "Không"], [2]), (["A", "B", "C"], [2, 1]), (["Nhận xử lý ngay bây giờ", "B"], [1, 1])],
)
async def test_buttons(stage: Stage, labels: list[str], widths: list[int]) -> None:
    buttons = tuple(Button(label, f"do:{label}") for label in labels)
    assert isinstance(await stage.send(buttons=buttons, place_wanted=True), Sent)
    rows = stage.last()["reply_markup"]["inline_keyboard"]
    assert [len(row) for row in rows] == widths
    assert [key for row in rows for key in row] == [
        {"text": label, "callback_data": f"do:{label}"} for label in labels
    ]


async def test_place_button(stage: Stage) -> None:
    await stage.send(place_wanted=True)
    assert stage.last()["reply_markup"] == {
        "keyboard": [[{"text": "📍", "request_location": True}]],
        "resize_keyboard": True,
        "one_time_keyboard": True,
    }
    await stage.send(place_wanted=True, to=GROUP)
    assert "reply_markup" not in stage.last()


async def test_photo(stage: Stage) -> None:
    message = Message("Chợ An Phú", (Button("Có", "yes"),))
    assert await stage.channel.send(PERSON, message, b"\xff\xd8" + b"\0" * 5000, 1) == Sent("1")
    method, arguments = stage.platform.calls[-1]
    assert method == "sendphoto"
    assert arguments["photo"] == 5002
    assert arguments["caption"] == "Chợ An Phú"
    assert arguments["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == "yes"


@pytest.mark.parametrize(
    ("stored", "method", "part"),
    [
        ("reports/9.ogg", "sendvoice", "voice"),
        ("reports/9.mp3", "sendaudio", "audio"),
        ("reports/9.m4a", "sendaudio", "audio"),
    ],
)
async def test_voice(stage: Stage, stored: str, method: str, part: str) -> None:
    message = Message("AP-26-00001", photo=stored)
    assert await stage.channel.send(PERSON, message, spoken_ogg(7), 1) == Sent("1")
    called, arguments = stage.platform.calls[-1]
    assert called == method
    assert arguments[part] == len(spoken_ogg(7))
    assert arguments["caption"] == "AP-26-00001"


async def test_a_sent_message_is_changed(stage: Stage) -> None:
    sent = await stage.send("đang gửi, 1/9", buttons=(Button("Dừng gửi", "nd:stop:7"),))
    assert isinstance(sent, Sent)
    message = Message("đang gửi, 5/9", (Button("Dừng gửi", "nd:stop:7"),))
    assert await stage.channel.edit(PERSON, str(sent.message), message) == Sent()
    method, told = stage.platform.calls[-1]
    assert method == "editmessagetext"
    assert (str(told["message_id"]), told["text"]) == (sent.message, "đang gửi, 5/9")
    assert told["reply_markup"] == {"inline_keyboard": [[{"text": "Dừng gửi", "callback_data": "nd:stop:7"}]]}
    # The answer was lost and it is tried again: it reads like this already.
    assert await stage.channel.edit(PERSON, str(sent.message), message) == Sent()
    # Without its buttons they go from there, too.
    assert await stage.channel.edit(PERSON, str(sent.message), Message("xong")) == Sent()
    assert "reply_markup" not in stage.last()


async def test_what_was_never_sent_is_not_changed(stage: Stage) -> None:
    outcome = await stage.channel.edit(PERSON, "77", Message("xong"))
    assert isinstance(outcome, Refused)
    assert outcome.why == "rejected"


async def test_a_change_waits_like_all_else(stage: Stage) -> None:
    sent = await stage.send()
    assert isinstance(sent, Sent)
    stage.refuse(429, "Too Many Requests: retry after 7", retry_after=7)
    assert await stage.channel.edit(PERSON, str(sent.message), Message("xong")) == Flood(7)
    stage.platform.faults.clear()
    stage.fault(status=502, body="<html>")
    assert isinstance(await stage.channel.edit(PERSON, str(sent.message), Message("xong")), Failed)


@pytest.mark.parametrize(("text", "photo"), [("😀" * 2049, None), ("ộ" * 4097, None), ("ộ" * 1025, b"x")])
async def test_too_long_is_never_cut(stage: Stage, text: str, photo: bytes | None) -> None:
    outcome = await stage.channel.send(PERSON, Message(text), photo, 1)
    assert outcome == Refused("rejected", "text too long")
    assert not stage.platform.calls


async def test_longest_passes(stage: Stage) -> None:
    assert isinstance(await stage.send("😀" * 2048), Sent)


@pytest.mark.parametrize(
    ("code", "description", "why"),
    [
        (403, "Forbidden: bot was blocked by the user", "blocked"),
        (403, "Forbidden: bot was kicked from the supergroup chat", "blocked"),
        (403, "Forbidden: bot can't initiate conversation with a user", "blocked"),
        (403, "Forbidden: user is deactivated", "gone"),
        (400, "Bad Request: chat not found", "gone"),
        (400, "Bad Request: group chat was deactivated", "gone"),
        (400, "Bad Request: not enough rights to send text messages to the chat", "blocked"),
        (400, "Bad Request: BUTTON_DATA_INVALID", "rejected"),
        (400, "Bad Request: message is too long", "rejected"),
        (413, "Request Entity Too Large", "rejected"),
    ],
)
async def test_refused(stage: Stage, code: int, description: str, why: str) -> None:
    stage.refuse(code, description)
    outcome = await stage.send()
    assert isinstance(outcome, Refused)
    assert outcome.why == why


async def test_relocated(stage: Stage) -> None:
    text = "Bad Request: group chat was upgraded to a supergroup chat"
    stage.refuse(400, text, migrate_to_chat_id=-1001987654321)
    assert await stage.send(to=GROUP) == Relocated("-1001987654321")


@pytest.mark.parametrize(
    ("body", "status", "headers", "seconds"),
    [
        (
            {"ok": False, "error_code": 429, "description": "x", "parameters": {"retry_after": 35}},
            429,
            {},
            35,
        ),
        ({"ok": False, "error_code": 429, "parameters": {"retry_after": 1.5}}, 429, {}, 1.5),
        ({"ok": False, "error_code": 429, "parameters": {"retry_after": "7"}}, 429, {}, 7),
        ({"ok": False, "error_code": 429, "parameters": {"retry_after": 10**400}}, 429, {}, 5),
        ({"ok": False, "error_code": 429, "parameters": {"retry_after": 10**9}}, 429, {}, 86_400),
        ({"ok": False, "error_code": 429, "parameters": {"retry_after": -3}}, 429, {}, 5),
        ({"ok": False, "error_code": 429, "parameters": {"retry_after": True}}, 429, {}, 5),
        ({"ok": False, "error_code": 429, "parameters": [1]}, 429, {}, 5),
        ({"ok": False, "error_code": 429, "description": "Too Many Requests: retry after 7"}, 429, {}, 7),
        ({"ok": False, "error_code": 429, "description": "Too Many Requests"}, 429, {"Retry-After": "9"}, 9),
        ({"ok": False, "error_code": 429, "description": 7}, 200, {}, 5),
        ({"ok": False, "error_code": 429, "parameters": {"retry_after": 3}}, 200, {}, 3),
        ("<html>slow down", 429, {"Retry-After": "11"}, 11),
        ("", 429, {}, 5),
    ],
)
async def test_flood(
    stage: Stage, body: object, status: int, headers: dict[str, str], seconds: float
) -> None:
    stage.fault(status=status, body=body, headers=headers)
    assert await stage.send() == Flood(seconds)


@pytest.mark.parametrize("code", [401, 404])
async def test_unauthorized(stage: Stage, code: int) -> None:
    stage.refuse(code, "Unauthorized")
    assert isinstance(await stage.send(), Unauthorized)


@pytest.mark.parametrize(
    ("fault", "delivered_maybe"),
    [
        ({"status": 409, "body": {"ok": False, "error_code": 409, "description": "Conflict: x"}}, False),
        ({"status": 500, "body": {"ok": False, "error_code": 500, "description": "Internal"}}, False),
        ({"status": 500, "body": {"ok": False, "error_code": 500, "description": "Error: restart"}}, True),
        ({"status": 504, "body": {"ok": False, "error_code": 504, "description": "x"}}, True),
        ({"status": 500, "body": "<html>"}, True),
        ({"status": 502, "body": "<html>"}, True),
        ({"status": 503, "body": "<html>"}, False),
        ({"status": 403, "body": "<html>blocked by the provider"}, False),
        ({"status": 404, "body": "<html>"}, False),
        ({"status": 302, "body": "", "headers": {"Location": "http://127.0.0.1:9/"}}, False),
        ({"body": "<html>"}, True),
        ({"body": ""}, True),
        ({"body": "[1]"}, True),
        ({"body": '{"ok":true,"result":{"message_id":1'}, True),
        ({"body": "[" * 100_000}, True),
        ({"body": {"ok": False}}, False),
        ({"body": {"ok": True}}, True),
        ({"body": {"ok": True, "result": 5}}, True),
        ({"body": {"ok": "yes", "result": {}}}, True),
        ({"body": " " * (ANSWER_LIMIT + 1)}, True),
        ({"reset": "before"}, True),
        ({"reset": "after"}, True),
        ({"silent": True}, True),
    ],
)
async def test_failed(stage: Stage, fault: dict[str, Any], delivered_maybe: bool) -> None:
    stage.fault(**fault)
    outcome = await stage.send()
    assert isinstance(outcome, Failed)
    assert outcome.delivered_maybe is delivered_maybe


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://nowhere.invalid", "https://127.0.0.1:{port}"])
async def test_surely_not_sent(stage: Stage, url: str) -> None:
    port = stage.url.rpartition(":")[2]
    lost = stage.another(api_url=url.format(port=port))
    outcome = await lost.send(PERSON, Message("x"), None, 1)
    await lost.stop()
    assert isinstance(outcome, Failed)
    assert not outcome.delivered_maybe


async def test_no_connection_free_means_not_sent(stage: Stage) -> None:
    stage.channel = stage.another(http=AiohttpRequest(connect_timeout=0.2, read_timeout=0.6))
    stage.fault(silent=True)
    outcomes = await asyncio.gather(*(stage.send() for _ in range(103)))
    maybe = [isinstance(outcome, Failed) and outcome.delivered_maybe for outcome in outcomes]
    assert maybe.count(False) == 3


async def test_answer_that_drips_is_cut(stage: Stage) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
            await writer.drain()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    flooded = stage.another(api_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    outcome = await flooded.send(PERSON, Message("x"), None, 1)
    await flooded.stop()
    server.close()
    assert outcome == Failed("answer too long", delivered_maybe=True)
