"""The Zalo Bot platform: words with numbered choices, pictures by link, its errors, asking for news."""

import asyncio
import json
import unicodedata
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import structlog

from bench.standin_zalo import Fault, Served, Zalo, serve, webhook_bot
from bench.standin_zalo.shapes import units
from bench.standin_zalo.webhook_bot import Chat
from bot.channels.base import (
    Channel,
    Failed,
    FileTrouble,
    Flood,
    Outcome,
    Received,
    Refused,
    Sent,
    Unauthorized,
)
from bot.channels.media import Media
from bot.channels.zalo_bot import EMPTY_REST_S, POLL_REST_S, ZaloBot
from bot.core.events import Address, FileRef
from bot.core.message import Button, Message
from bot.rows import as_json
from bot.rows import parts as split_rows
from tests.zalo_stage import labels

TED = "6ede9afa66b88fe6d6a9"
TO = Address("zalo_bot", TED)
SECRET = "secret-of-the-tests"
CODE = "AP-26-00001"
AT = 1_772_413_200_000


class Done(Exception):
    """The test has seen enough of a loop that never ends."""


class Stage:
    def __init__(self, zalo: Zalo, url: str) -> None:
        self.zalo, self.url = zalo, url
        self.pauses: list[float] = []
        self.channel = self.another()

    def another(self, **settings: Any) -> ZaloBot:
        usual: dict[str, Any] = {
            "token": self.zalo.bot.token,
            "api_url": self.url,
            "media": Media({self.url.removeprefix("http://")}),
            "choices": labels().choices,
            "secret": SECRET,
            "photo_link": lambda stored: f"https://anphu.example/anh/{stored}",
            "rest": self.rest,
            "poll_seconds": 0,
        }
        return ZaloBot(**{**usual, **settings})

    async def rest(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) >= 5:
            raise Done
        await asyncio.sleep(0)

    def fault(self, **fault: Any) -> None:
        self.zalo.faults.append(Fault(**fault))

    async def send(self, text: str = "Xin chào", to: Address = TO, **more: Any) -> Outcome:
        photo = more.pop("photo_bytes", None)
        return await self.channel.send(to, Message(text, **more), photo, 1)


@pytest_asyncio.fixture
async def bot() -> AsyncIterator[Stage]:
    zalo = Zalo()
    zalo.bot.meet(TED)
    serving = await serve(zalo, 0)
    stage = Stage(zalo, serving.url)
    yield stage
    await stage.channel.stop()
    await serving.close()


def test_is_a_channel(bot: Stage) -> None:
    made: Channel = bot.channel
    able = made.abilities
    assert (made.name, bot.channel.forged, bot.channel.tried) == ("zalo_bot", 403, True)
    assert (able.text_max, able.numbered, able.rooms_act, able.introduces) == (2000, True, False, True)
    assert able.window is None
    with pytest.raises(ValueError, match="secret"):
        bot.another(secret="", webhook_url="https://anphu.example/zalo-bot")


# --- what goes out


@pytest.mark.parametrize("text", ["Xin chào", "<b>Rác & 😀", unicodedata.normalize("NFD", "Đã nhận ở Mỗ")])
async def test_words(bot: Stage, text: str) -> None:
    outcome = await bot.send(text)
    (sent,) = bot.zalo.sent
    assert (sent.to, sent.text) == (TED, unicodedata.normalize("NFC", text))
    assert outcome == Sent(sent.message_id)


async def test_choices_are_numbered_words(bot: Stage) -> None:
    await bot.send("Gửi chứ?", buttons=(Button("Gửi phản ánh", "send:7"), Button("Sửa", "edit:7")))
    alert = (Button("Nhận xử lý", f"take:{CODE}"), Button("Đã xử lý", f"done:{CODE}"))
    await bot.send(f"🔔 {CODE}", buttons=alert, numbered=False)
    assert [sent.text for sent in bot.zalo.sent] == [
        "Gửi chứ?\n1. Gửi phản ánh\n2. Sửa",
        f"🔔 {CODE}\nNhắn lời kèm mã, ví dụ: Nhận xử lý {CODE} (hay: Đã xử lý).",
    ]


@pytest.mark.parametrize("text", ["Rác đổ trộm. " * 400, "ộ" * 4100, "😀" * 2100])
async def test_a_long_text_becomes_several_that_fit_with_their_choices(bot: Stage, text: str) -> None:
    buttons = tuple(Button(f"Lựa chọn thứ {n} dài bằng ngần này chữ", f"{n}:{CODE}") for n in range(5))
    row: dict[str, Any] = {"text": text, "buttons": as_json(buttons), "key": None, "wants_place": False}
    parts = split_rows(row, bot.channel.abilities)
    for part in parts:
        shown = tuple(Button(*each) for each in json.loads(part["buttons"]))
        assert isinstance(await bot.send(part["text"], buttons=shown), Sent)
    assert len(bot.zalo.sent) == len(parts) > 1
    assert all(units(sent.text) <= 2000 for sent in bot.zalo.sent)


async def test_the_map_is_a_link(bot: Stage) -> None:
    channel = bot.another(map_link=lambda to: f"Bản đồ: {to.chat}")
    asked = Message("Chỗ đó ở đâu ạ?", place_wanted=True)
    assert isinstance(await channel.send(TO, asked, None, 1), Sent)
    assert bot.zalo.sent[-1].text == f"Chỗ đó ở đâu ạ?\nBản đồ: {TED}"
    await channel.stop()


async def test_a_picture_is_fetched_from_us(bot: Stage) -> None:
    assert isinstance(await bot.send("Chợ", photo="2026/a.jpg", photo_bytes=b"x"), Sent)
    assert isinstance(await bot.send("", photo="2026/a.jpg", photo_bytes=b"x"), Sent)
    told = [(sent.kind, sent.image, sent.text) for sent in bot.zalo.sent]
    link = "https://anphu.example/anh/2026/a.jpg"
    assert told == [("image", link, "Chợ"), ("image", link, "")]


async def test_what_nobody_could_fetch_or_hear_is_refused(bot: Stage) -> None:
    refused = Refused("rejected", "nothing can be shown there")
    assert await bot.send("", photo="2026/a.ogg", photo_bytes=b"x") == refused
    without = bot.another(photo_link=None)
    assert await without.send(TO, Message("Chợ", photo="2026/a.jpg"), b"x", 1) == refused
    await without.stop()
    assert bot.zalo.sent == []


# --- what becomes of it

OUTCOMES: dict[str, tuple[dict[str, Any], Outcome]] = {
    "400": ({"error": 400}, Refused("rejected", "400")),
    "401": ({"error": 401}, Unauthorized("401")),
    "403": ({"error": 403}, Failed("403", delivered_maybe=True)),
    "404": ({"error": 404}, Refused("rejected", "404")),
    "408": ({"error": 408}, Failed("408", delivered_maybe=True)),
    "429": ({"error": 429}, Flood(60.0)),
    "500": ({"error": 500}, Failed("500", delivered_maybe=True)),
    "401 of a gateway": ({"status": 401, "body": ""}, Unauthorized("401")),
    "429 of a gateway": ({"status": 429, "body": "<html>"}, Flood(60.0)),
    "502 of a gateway": ({"status": 502, "body": "<html>"}, Failed("502", delivered_maybe=True)),
    "code as text": ({"body": {"ok": False, "error_code": "401"}}, Unauthorized("401")),
    "a page": ({"body": "<html>"}, Failed("200", delivered_maybe=True)),
    "a list": ({"body": [1]}, Failed("200", delivered_maybe=True)),
    "no code": ({"body": {"ok": False}}, Failed("200", delivered_maybe=True)),
    "nearly yes": ({"body": {"ok": "true"}}, Failed("200", delivered_maybe=True)),
    "yes, no more": ({"body": {"ok": True}}, Sent(None)),
    "yes, a list": ({"body": {"ok": True, "result": []}}, Sent(None)),
    "yes, a number": ({"body": {"ok": True, "result": {"message_id": 7}}}, Sent("7")),
    "reset before": ({"reset": "before"}, Failed("ServerDisconnectedError", delivered_maybe=True)),
    "reset after": ({"reset": "after"}, Failed("ServerDisconnectedError", delivered_maybe=True)),
    "endless": ({"body": "x" * (2 << 20)}, Failed("answer too long", delivered_maybe=True)),
}


@pytest.mark.parametrize("name", OUTCOMES)
async def test_every_answer(bot: Stage, name: str) -> None:
    fault, outcome = OUTCOMES[name]
    bot.fault(path="/sendMessage", **fault)
    assert await bot.send() == outcome


@pytest.mark.parametrize("code", [400, 401, 404, 429])
async def test_a_failure_may_come_with_its_own_status(bot: Stage, code: int) -> None:
    bot.zalo.bot.http_errors = True
    bot.fault(path="/sendMessage", error=code)
    assert await bot.send() == OUTCOMES[str(code)][1]


async def test_who_never_wrote_is_not_written_to(bot: Stage) -> None:
    assert await bot.send(to=Address("zalo_bot", "6ede")) == Refused("rejected", "404")


async def test_nobody_there_means_not_sent(bot: Stage) -> None:
    nowhere = bot.another(api_url="http://127.0.0.1:1")
    assert await nowhere.send(TO, Message("Rác"), None, 1) == Failed("ClientConnectorError", False)
    await nowhere.stop()


async def test_another_token_is_refused(bot: Stage) -> None:
    other = bot.another(token="1:x")
    assert await other.send(TO, Message("Rác"), None, 1) == Unauthorized("401")
    await other.stop()


# --- asking for news


async def polled(bot: Stage, store: Any = None) -> tuple[list[Received], list[bytes]]:
    got: list[Received] = []
    bad: list[bytes] = []

    async def keep(received: list[Received], malformed: list[bytes]) -> None:
        got.extend(received)
        bad.extend(malformed)

    with pytest.raises(Done):
        await bot.channel.poll(store or keep)
    return got, bad


async def test_news_are_stored_in_their_order_and_an_empty_answer_is_no_race(bot: Stage) -> None:
    for n in range(3):
        bot.zalo.bot.heard(webhook_bot.bot_text(Chat(TED, AT + n, message=f"b{n}"), f"Rác {n}"))
    got, bad = await polled(bot)
    assert ([one.event for one in got], bad) == (["b0", "b1", "b2"], [])
    assert bot.pauses == [EMPTY_REST_S] * 5


async def test_what_was_handed_out_is_kept_till_it_is_stored(bot: Stage) -> None:
    bot.zalo.bot.heard(webhook_bot.bot_text(Chat(TED, AT, message="b1"), "Rác"))
    tries: list[str] = []

    async def store(received: list[Received], malformed: list[bytes]) -> None:
        tries.append(received[0].event)
        if len(tries) < 3:
            raise OSError("no disk")

    await polled(bot, store)
    assert tries == ["b1"] * 3
    assert bot.pauses[:2] == [POLL_REST_S] * 2


async def test_an_unreadable_update_stops_nothing(bot: Stage) -> None:
    bot.fault(path="/getUpdates", body={"ok": True, "result": {"event_name": 7}}, count=1)
    bot.zalo.bot.heard(webhook_bot.bot_text(Chat(TED, AT, message="b1"), "Rác"))
    got, bad = await polled(bot)
    assert [one.event for one in got] == ["b1"]
    assert [json.loads(body) for body in bad] == [{"event_name": 7}]


@pytest.mark.parametrize(
    ("fault", "pause"),
    [
        ({"error": 401}, POLL_REST_S),
        ({"status": 502, "body": "<html>"}, POLL_REST_S),
        ({"reset": "before"}, POLL_REST_S),
        ({"body": {"ok": True, "result": []}}, EMPTY_REST_S),
        ({"error": 408}, EMPTY_REST_S),
    ],
)
async def test_a_platform_that_has_no_news_is_not_hammered(
    bot: Stage, fault: dict[str, Any], pause: float
) -> None:
    bot.fault(path="/getUpdates", **fault)
    assert await polled(bot) == ([], [])
    assert bot.pauses == [pause] * 5


# --- start, files, logs


@pytest.mark.parametrize("url", ["https://anphu.example/zalo-bot", None])
async def test_start(bot: Stage, url: str | None) -> None:
    bot.zalo.bot.webhook = {"url": "https://old.example/"}
    channel = bot.another(webhook_url=url)
    await channel.start()
    assert channel._greeting is not None
    await channel._greeting
    await channel.stop()
    assert bot.zalo.bot.webhook["url"] == (url or "")
    assert bot.zalo.bot.secret == (SECRET if url else "")


async def test_start_without_the_platform_is_told(bot: Stage) -> None:
    bot.fault(path="/deleteWebhook", status=502, body="<html>")
    with structlog.testing.capture_logs() as logs:
        await bot.channel.start()
        assert bot.channel._greeting is not None
        await bot.channel._greeting
    assert [(line["action"], line["code"]) for line in logs] == [("webhook_refused", 502)]


async def test_files(bot: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{bot.url}{bot.zalo.files.put('/a.jpg', Served(b'picture'))}"
    assert await bot.channel.download(FileRef(url), 7) == b"picture"
    for refused, limit in ((url, 6), ("http://127.0.0.1:1/a.jpg", 7), ("http://evil.example/zdn.vn", 7)):
        with pytest.raises(FileTrouble):
            await bot.channel.download(FileRef(refused), limit)


async def test_logs_hold_no_words_no_ids_and_no_token(bot: Stage) -> None:
    bot.zalo.bot.heard(webhook_bot.bot_text(Chat(TED, AT, message="b1"), "s3cret-words"))
    with structlog.testing.capture_logs() as logs:
        for fault in ({"error": 403}, {"reset": "after"}, {"status": 502, "body": ""}):
            bot.fault(path="/sendMessage", count=1, **fault)
            await bot.send("s3cret-words")
        bot.fault(path="/getUpdates", status=502, body="", count=2)

        async def store(*_: Any) -> None:
            raise OSError("s3cret-words")

        await polled(bot, store)
    told = json.dumps(logs)
    assert "poll_rests" in told
    assert not any(mark in told for mark in ("s3cret-words", TED, bot.zalo.bot.token, SECRET))
