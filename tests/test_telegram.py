"""Telegram: real payloads and what they become; outcomes of sends; polling that loses nothing; downloads."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog
from multidict import CIMultiDict, CIMultiDictProxy

from bench.standin_telegram import Fault, Platform, Rates, serve
from bot.channels.base import (
    Channel,
    Failed,
    FileTrouble,
    Flood,
    Malformed,
    Outcome,
    Received,
    Refused,
    Relocated,
    Sent,
    Unauthorized,
)
from bot.channels.telegram import SECRET_HEADER, Telegram
from bot.channels.telegram_http import ANSWER_LIMIT, AiohttpRequest
from bot.core.events import Address, FileRef
from bot.core.message import Button, Message
from tests.paper import spoken_ogg
from tests.spoiling import spoiled

PAYLOADS = sorted((Path(__file__).parent / "channels" / "telegram").glob("*.json"))
PERSON = Address("telegram", "5501234567")
GROUP = Address("telegram", "-1001987654321", group=True)
LIMIT = 1 << 20
SECRET = "s3cret-phrase"  # the words that no log may hold


class Heard(Platform):
    """Remembers every call as it was understood."""

    def __init__(self) -> None:
        super().__init__(None, Rates())
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.news = asyncio.Event()

    def note(self, method: str, arguments: dict[str, Any], *how: Any) -> None:
        self.calls.append((method, arguments))
        self.news.set()

    async def get_updates(self, arguments: dict[str, Any]) -> bytes:
        self.news.set()
        return await super().get_updates(arguments)

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not seen():
                self.news.clear()
                await self.news.wait()


class Stage:
    """A stand-in platform, the channel that talks to it, and the pauses the channel asked for."""

    def __init__(self, platform: Heard, url: str) -> None:
        self.platform = platform
        self.url = url
        self.pauses: list[float] = []
        self.now = 0.0
        self.channel = self.another()

    def another(self, **settings: Any) -> Telegram:
        http = AiohttpRequest(connect_timeout=1, read_timeout=0.3, upload_timeout=1)
        usual = {"token": "1:A", "api_url": self.url, "http": http, "rest": self.rest, "poll_seconds": 20}
        return Telegram(**{**usual, "clock": lambda: self.now, **settings})

    async def rest(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def fault(self, **fault: Any) -> None:
        self.platform.faults.append(Fault(**fault))

    def refuse(self, code: int, description: str, *, status: int | None = None, **parameters: Any) -> None:
        body = {"ok": False, "error_code": code, "description": description, "parameters": parameters}
        self.fault(status=status or code, body=body)

    async def send(self, text: str = "Xin chào", to: Address = PERSON, **more: Any) -> Outcome:
        return await self.channel.send(to, Message(text, **more), None, 1)

    def last(self) -> dict[str, Any]:
        return self.platform.calls[-1][1]


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    platform = Heard()
    server = await serve(platform, 0)
    stage = Stage(platform, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    yield stage
    await stage.channel.stop()
    server.close()


def channel(**settings: Any) -> Telegram:
    made = Telegram(**{"token": "1:A", **settings})
    made.username = "AnPhuXanhBot"
    return made


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


# --- payloads


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


def test_is_a_channel() -> None:
    made: Channel = channel()
    assert made.name == "telegram"
    assert made.pace.group_minute == 20


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


@pytest.mark.parametrize(
    "settings",
    [
        {"token": "1:A/../x"},
        {"api_url": "api.telegram.org"},
        {"webhook_url": "https://x.example/t"},
        {"webhook_url": "https://x.example/t", "webhook_secret": "has space"},
    ],
)
def test_wrong_settings_stop_the_start(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Telegram .*\.$"):
        channel(**settings)


# --- sends


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


# --- polling


def word(identity: int, text: str = "x") -> dict[str, Any]:
    sender = {"id": 5, "is_bot": False, "first_name": "A"}
    post = {"message_id": 1, "from": sender, "chat": {"id": 5, "type": "private"}, "date": 1, "text": text}
    return {"update_id": identity, "message": post}


class Shelf:
    """Keeps what polling stores; `done` when `expected` updates are there."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.events: list[str] = []
        self.malformed: list[bytes] = []
        self.done = asyncio.Event()

    async def store(self, events: list[Received], malformed: list[bytes]) -> None:
        self.events += [event.event for event in events]
        self.malformed += malformed
        if len(self.events) + len(self.malformed) >= self.expected:
            self.done.set()


Store = Callable[[list[Received], list[bytes]], Awaitable[None]]


async def polled(stage: Stage, shelf: Shelf, confirmed: int, store: Store | None = None) -> None:
    """Poll until everything is stored, and its confirmation has reached the platform."""
    polling = asyncio.create_task(stage.channel.poll(store or shelf.store))
    await asyncio.wait_for(shelf.done.wait(), 5)
    await stage.platform.until(lambda: stage.platform.offsets[-1:] == [confirmed])
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)


async def test_polling_confirms_after_storing(stage: Stage) -> None:
    stage.platform.inject([word(11), word(12)])
    shelf = Shelf(2)
    await polled(stage, shelf, 13)
    assert shelf.events == ["11", "12"]
    assert stage.platform.offsets == [0, 13]


async def test_killed_between_answer_and_store(stage: Stage) -> None:
    stage.platform.inject([word(11)])
    reached = asyncio.Event()

    async def never(events: list[Received], malformed: list[bytes]) -> None:
        reached.set()
        await asyncio.Event().wait()

    killed = asyncio.create_task(stage.channel.poll(never))
    await asyncio.wait_for(reached.wait(), 5)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    assert stage.platform.offsets == [0]
    shelf = Shelf(1)
    await polled(stage, shelf, 12)
    assert shelf.events == ["11"]


async def test_storage_that_fails_confirms_nothing(stage: Stage) -> None:
    stage.platform.inject([word(11)])
    shelf = Shelf(1)
    full = [True, True]

    async def store(events: list[Received], malformed: list[bytes]) -> None:
        if full:
            full.pop()
            raise OSError("disk full")
        await shelf.store(events, malformed)

    await polled(stage, shelf, 12, store)
    assert stage.platform.offsets == [0, 0, 0, 12]
    assert len(stage.pauses) == 2
    assert 0.5 <= stage.pauses[0] <= 1 <= stage.pauses[1] <= 2


async def test_one_bad_update_blocks_nothing(stage: Stage) -> None:
    stage.platform.inject([word(11), word(12, "\ud800"), {"update_id": 13, "message": 5}, word(14)])
    shelf = Shelf(4)
    await polled(stage, shelf, 15)
    assert shelf.events == ["11", "13", "14"]
    assert len(shelf.malformed) == 1
    assert b"\\ud800" in shelf.malformed[0]
    assert stage.platform.offsets[-1] == 15


@pytest.mark.parametrize("poison", ["[" * 50_000 + "]" * 50_000, "9" * 5000])
async def test_an_unreadable_batch_is_walked_around(stage: Stage, poison: str) -> None:
    def body(*updates: str) -> str:
        return '{"ok":true,"result":[' + ",".join(updates) + "]}"

    bad = '{"update_id":12,"message":' + poison + "}"
    good = json.dumps(word(11))
    for answer in (body(good, bad), body(good), body(good, bad), body(bad)):
        stage.fault(method="getupdates", count=1, body=answer)
    stage.fault(method="getupdates", count=1, body=body(bad))
    shelf = Shelf(2)
    polling = asyncio.create_task(stage.channel.poll(shelf.store))
    await asyncio.wait_for(shelf.done.wait(), 5)
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    assert shelf.events == ["11"]
    assert shelf.malformed == [body(bad).encode()]


async def test_troubles_wait_and_are_told_once_a_minute(stage: Stage) -> None:
    conflict = {"ok": False, "error_code": 409, "description": "Conflict: terminated by other getUpdates"}
    flood = {"ok": False, "error_code": 429, "parameters": {"retry_after": 35}}
    stage.fault(method="getupdates", count=5, status=409, body=conflict)
    stage.fault(method="getupdates", count=1, status=401, body={"ok": False, "error_code": 401})
    stage.fault(method="getupdates", count=1, status=429, body=flood)
    stage.fault(method="getupdates", count=1, reset="before")
    stage.fault(method="getupdates", count=1, status=502, body="<html>")
    stage.fault(method="getupdates", count=1, body='{"ok":true,"result":[{"update_id":11,"mess')
    stage.fault(method="getupdates", count=1, body={"ok": True, "result": [{"no": "id"}]})
    stage.fault(method="getupdates", count=1, body={"ok": True, "result": 5})
    stage.platform.inject([word(11)])
    shelf = Shelf(1)
    with structlog.testing.capture_logs() as logs:
        await polled(stage, shelf, 12)
    assert shelf.events == ["11"]
    assert not shelf.malformed
    assert stage.pauses[:7] == [20, 20, 20, 20, 20, 60, 35]
    assert all(0.5 <= pause <= 30 for pause in stage.pauses[7:])
    problems = [log["problem"] for log in logs]
    assert problems.count("Conflict") == 2
    assert all(log["channel"] == "telegram" and log["action"] == "poll" for log in logs)


async def test_press_is_answered_in_the_background(stage: Stage) -> None:
    sender = {"id": 5, "is_bot": False, "first_name": "A"}
    stage.platform.inject([{"update_id": 11, "callback_query": {"id": "77", "from": sender, "data": "x"}}])
    shelf = Shelf(1)
    await polled(stage, shelf, 12)
    await stage.platform.until(lambda: stage.platform.counts["answercallbackquery"] == 1)


# --- start


async def test_start_polling(stage: Stage) -> None:
    await stage.channel.start()
    assert stage.channel.username == "StandinBot"
    assert [method for method, _ in stage.platform.calls] == ["getme", "deletewebhook"]


async def test_start_webhook(stage: Stage) -> None:
    stage.channel = stage.another(webhook_url="https://x.example/t", webhook_secret="abc")
    await stage.channel.start()
    webhook = stage.platform.webhook
    assert webhook["url"] == "https://x.example/t"
    assert webhook["max_connections"] == 40
    assert webhook["allowed_updates"] == ["message", "edited_message", "callback_query", "my_chat_member"]


async def test_start_without_the_platform(stage: Stage) -> None:
    stage.fault(method="getme", count=1, status=401, body={"ok": False, "error_code": 401})
    stage.fault(method="getme", count=1, reset="before")
    stage.fault(method="getme", count=1, body={"ok": True, "result": 5})
    await stage.channel.start()
    assert stage.channel.username == "StandinBot"
    assert stage.pauses[0] == 60
    assert len(stage.pauses) == 3


# --- files


async def test_download(stage: Stage) -> None:
    stage.platform.files["f"] = ("photos/file_1.jpg", b"jpeg" * 1000, 4000)
    assert await stage.channel.download(FileRef("f"), LIMIT) == b"jpeg" * 1000


@pytest.mark.parametrize(
    ("size", "path", "content", "told", "problem", "final"),
    [
        (LIMIT + 1, "a.jpg", b"x", 1, "too_big", True),
        (None, "a.jpg", b"x", LIMIT + 1, "too_big", True),
        (None, "a.jpg", b"x", 21 << 20, "too_big", True),
        (None, "a.jpg", b"x" * (LIMIT + 1), 1, "too_big", True),
        (None, "/var/lib/bots/1:A/photos/a.jpg", b"x", 1, "missing", True),
        (None, "../../bot1:A/logOut", b"x", 1, "missing", True),
        (None, "http://169.254.169.254/", b"x", 1, "missing", True),
        (None, "", b"x", 1, "missing", True),
    ],
)
async def test_download_refused(
    stage: Stage, size: int | None, path: str, content: bytes, told: int, problem: str, final: bool
) -> None:
    stage.platform.files["f"] = (path, content, told)
    with pytest.raises(FileTrouble) as trouble:
        await stage.channel.download(FileRef("f", size), LIMIT)
    assert (trouble.value.problem, trouble.value.final) == (problem, final)


@pytest.mark.parametrize(
    ("fault", "final"),
    [
        ({"status": 400, "body": {"ok": False, "error_code": 400, "description": "invalid file_id"}}, True),
        ({"status": 401, "body": {"ok": False, "error_code": 401, "description": "Unauthorized"}}, False),
        ({"status": 429, "body": {"ok": False, "error_code": 429}}, False),
        ({"status": 500, "body": "<html>"}, False),
        ({"body": "<html>"}, False),
        ({"reset": "before"}, False),
        ({"silent": True}, False),
        ({"body": {"ok": True, "result": {"file_id": "f", "file_path": "photos/gone.jpg"}}}, True),
        ({"body": {"ok": True, "result": 5}}, True),
    ],
)
async def test_download_trouble(stage: Stage, fault: dict[str, Any], final: bool) -> None:
    stage.fault(method="getfile", **fault)
    with pytest.raises(FileTrouble) as trouble:
        await stage.channel.download(FileRef("f"), LIMIT)
    assert (trouble.value.problem, trouble.value.final) == ("missing", final)


async def test_unknown_file_may_come_back(stage: Stage) -> None:
    with pytest.raises(FileTrouble) as trouble:
        await stage.channel.download(FileRef("f"), LIMIT)
    assert not trouble.value.final


@pytest.mark.parametrize(
    ("answer", "problem", "final"),
    [
        (b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n", "missing", False),
        (b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", "missing", True),
        (b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nshort", "missing", False),
        (b"HTTP/1.1 200 X\r\n\r\n" + b"x" * (LIMIT + 1), "too_big", True),
    ],
)
async def test_file_server_misbehaves(stage: Stage, answer: bytes, problem: str, final: bool) -> None:
    told = b'{"ok":true,"result":{"file_id":"f","file_path":"a.jpg"}}'

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        known = b"HTTP/1.1 200 X\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told)
        writer.write(answer if head.startswith(b"GET") else known)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    other = stage.another(api_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(FileTrouble) as trouble:
        await other.download(FileRef("f"), LIMIT)
    await other.stop()
    server.close()
    assert (trouble.value.problem, trouble.value.final) == (problem, final)


# --- what no log may hold


async def test_logs_hold_no_words_and_no_token(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    telegram = stage.another(token="123:SECRETTOKEN")
    stage.platform.inject([word(11, SECRET), word(12, SECRET + "\ud800")])
    stage.fault(method="getupdates", count=1, body=f"<html>{SECRET}")
    stage.fault(method="sendmessage", count=1, body=f"<html>{SECRET}")
    stage.fault(method="sendmessage", count=1, status=502, body=f"<html>{SECRET}")
    shelf = Shelf(2)
    with structlog.testing.capture_logs() as logs:
        outcomes = [await telegram.send(PERSON, Message(SECRET), None, 1) for _ in range(2)]
        await telegram.start()
        polling = asyncio.create_task(telegram.poll(shelf.store))
        await asyncio.wait_for(shelf.done.wait(), 5)
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await telegram.stop()
    written = caplog.text + repr(logs) + repr(outcomes)
    assert SECRET not in written
    assert "SECRETTOKEN" not in written
