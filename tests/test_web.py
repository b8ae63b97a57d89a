"""The whole program at its doors: who may post, what comes in, what goes out, whatever is answered."""

import asyncio
import io
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from PIL import Image
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.standin_telegram import Fault, Json, Platform, Rates, serve
from bot.app import running
from bot.channels.telegram import SECRET_HEADER, Telegram
from bot.config import ConfigError
from bot.core.invite import LIFE_MS, digest
from bot.settings import Settings
from bot.web import BODY_MAX
from storage import people
from storage.database import Database
from storage.tables import InboxState, OutboxState
from tests.bot_process import PASSED_ON, awake_commune
from tests.paper import PaperClock

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "1000:TOKEN-TOKEN-TOKEN-TOKEN-TOKEN-TOKEN"
SECRET = "Webhook-Secret_1"
PATIENCE_S = 20.0
T = TypeVar("T")
_numbers = count(1)


@dataclass(frozen=True)
class Heard:
    """A send that reached the platform; `buttons` by what they do."""

    method: str
    chat: str
    text: str
    buttons: dict[str, str]
    accepted: bool
    at: float


class Standin(Platform):
    """The stand-in in this process: it rings when something was sent."""

    def __init__(self, rates: Rates | None = None) -> None:
        super().__init__(None, rates or Rates(), TOKEN)
        self.heard: list[Heard] = []
        self.news = asyncio.Event()
        self.on_poll: Callable[[int], None] = lambda offset: None

    def note(self, method: str, arguments: Json, answer: int, accepted: bool, delivered: bool | None) -> None:
        super().note(method, arguments, answer, accepted, delivered)
        if method.startswith("send"):
            text = str(arguments.get("text") or arguments.get("caption") or "")
            markup = arguments.get("reply_markup")
            markup = json.loads(markup) if isinstance(markup, str) else markup or {}
            rows = markup.get("inline_keyboard", ())
            buttons = {button["callback_data"]: button["text"] for row in rows for button in row}
            at = asyncio.get_running_loop().time()
            self.heard.append(Heard(method, str(arguments.get("chat_id")), text, buttons, accepted, at))
        self.news.set()

    async def get_updates(self, arguments: Json) -> bytes:
        self.on_poll(int(arguments.get("offset") or 0))
        self.news.set()
        return await super().get_updates(arguments)

    def accepted(self, chat: object) -> list[Heard]:
        return [one for one in self.heard if one.accepted and one.chat == str(chat)]


@dataclass
class Bot:
    """The running program, its platform, and somebody who posts to it."""

    port: int
    folder: Path
    platform: Standin
    http: aiohttp.ClientSession
    clock: PaperClock | None

    async def post(self, body: bytes | Json, headers: Any = None) -> tuple[int, str]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {SECRET_HEADER: SECRET} if headers is None else headers
        async with self.http.post("/telegram", data=data, headers=given) as response:
            return response.status, await response.text()

    async def get(self, path: str) -> tuple[int, str]:
        async with self.http.get(path) as response:
            return response.status, await response.text()

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for what the platform hears."""
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                self.platform.news.clear()
                await self.platform.news.wait()

    async def hears(self, chat: object, many: int) -> list[Heard]:
        await self.until(lambda: len(self.platform.accepted(chat)) >= many)
        return self.platform.accepted(chat)

    async def later(self, done: Callable[[], bool]) -> None:
        """Time passes, a minute at a look, until it is so; an update nobody needs is what wakes the loops."""
        assert self.clock is not None
        for _ in range(500):
            if done():
                return
            self.clock.move(timedelta(minutes=1))
            assert (await self.post({"update_id": number(), "poll": {}}))[0] == 200
        raise AssertionError("it does not happen")

    async def presses(self, chat: int, verb: str) -> str:
        """Press the button they saw last that does this; what the webhook answered."""
        seen = [action for one in self.platform.accepted(chat) for action in one.buttons]
        action = [one for one in seen if one.startswith(verb)][-1]
        status, answer = await self.post(press(chat, action))
        assert status == 200
        return answer

    async def writes(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        db = Database.in_folder(self.folder)
        try:
            return await db.write(work)
        finally:
            await db.close()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        conn = sqlite3.connect(f"file:{self.folder / 'anphuxanh.db'}?mode=ro", uri=True)
        try:
            return list(conn.execute(query, values))
        finally:
            conn.close()

    def stored(self) -> int:
        return int(self.rows("SELECT count(*) FROM inbox")[0][0])

    def aside(self) -> int:
        state = InboxState.QUARANTINED
        return int(self.rows("SELECT count(*) FROM inbox WHERE state = ?", state)[0][0])


def settings_for(folder: Path, api: str, **more: Any) -> Settings:
    given: dict[str, Any] = {"data_dir": folder, "http_port": 0, "commune": awake_commune(folder)}
    given |= {"telegram_bot_token": TOKEN, "telegram_api_url": api, "webchat": "off"}
    given |= {"telegram_webhook_url": "http://127.0.0.1:1/telegram", "telegram_webhook_secret": SECRET}
    given |= {"telegram_rate": 1e6, "telegram_chat_rate": 1e6, "telegram_chat_burst": 10**6}
    given |= {"telegram_group_rate": 1e6}
    return Settings(_env_file=None, **given | more)


@asynccontextmanager
async def started(
    folder: Path,
    template: Path,
    clock: PaperClock | None = None,
    platform: Standin | None = None,
    **more: Any,
) -> AsyncIterator[Bot]:
    platform = platform or Standin()
    data = folder / "data"
    data.mkdir(exist_ok=True)
    if not (data / "anphuxanh.db").exists():
        shutil.copyfile(template, data / "anphuxanh.db")
    async with AsyncExitStack() as stack:
        server = await serve(platform, 0)
        stack.callback(server.close)
        api = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        port = await stack.enter_async_context(running(settings_for(data, api, **more), clock))
        session = aiohttp.ClientSession(f"http://127.0.0.1:{port}")
        yield Bot(port, data, platform, await stack.enter_async_context(session), clock)


@pytest.fixture
async def bot(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Bot]:
    async with started(tmp_path, sqlite_template) as made:
        yield made


@pytest.fixture
async def slow_bot(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Bot]:
    """One whose time passes only when the test says so."""
    clock = PaperClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    async with started(tmp_path, sqlite_template, clock) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


# Updates -------------------------------------------------------------------------------------------


def number() -> int:
    return 500_000_000 + next(_numbers)


def message(chat: int, **content: Any) -> Json:
    update = number()
    kind = {"type": "private", "first_name": "Lan"} if chat > 0 else {"type": "supergroup", "title": "Nhóm"}
    sender = {"id": abs(chat), "is_bot": False, "first_name": "Lan"}
    post = {"message_id": update, "date": 1_772_413_200, "chat": {"id": chat, **kind}, "from": sender}
    return {"update_id": update, "message": post | content}


def words(chat: int, text: str) -> Json:
    return message(chat, text=text)


def photo(chat: int, file: str, **more: Any) -> Json:
    size = {"file_id": file, "file_unique_id": file, "width": 640, "height": 480, "file_size": 9000}
    return message(chat, photo=[size], **more)


def press(chat: int, action: str) -> Json:
    update = number()
    person = {"id": chat, "is_bot": False, "first_name": "Lan"}
    carrier = {"message_id": 1, "date": 1_772_413_200, "chat": {"id": chat, "type": "private"}}
    query = {"id": f"q{update}", "from": person, "chat_instance": "1", "data": action, "message": carrier}
    return {"update_id": update, "callback_query": query}


def picture(colour: tuple[int, int, int] = (120, 160, 90)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(buffer, "JPEG")
    return buffer.getvalue()


# Who may post --------------------------------------------------------------------------------------

REFUSED: dict[str, list[tuple[str, str]]] = {
    "none": [],
    "empty": [(SECRET_HEADER, "")],
    "wrong": [(SECRET_HEADER, "Webhook-Secret_2")],
    "prefix": [(SECRET_HEADER, SECRET[:-1])],
    "suffix": [(SECRET_HEADER, SECRET + "1")],
    "case": [(SECRET_HEADER, SECRET.swapcase())],
    "spaced": [(SECRET_HEADER, f"{SECRET[:4]} {SECRET[4:]}")],
    "doubled": [(SECRET_HEADER, SECRET * 2)],
    "listed": [(SECRET_HEADER, f"{SECRET}, {SECRET}")],
    "non-ASCII": [(SECRET_HEADER, "Bí-mật")],
    "long": [(SECRET_HEADER, "x" * 4000)],
    "elsewhere": [("Authorization", SECRET), ("X-Secret", SECRET)],
    "wrong then right": [(SECRET_HEADER, "wrong"), (SECRET_HEADER, SECRET)],
    "right then wrong": [(SECRET_HEADER, SECRET), (SECRET_HEADER, "wrong")],
    "right twice": [(SECRET_HEADER, SECRET), (SECRET_HEADER, SECRET)],
}


async def test_nobody_posts_without_the_secret(bot: Bot) -> None:
    """I1: 403, nothing stored, whatever the body is."""
    told: dict[str, int] = {}
    for name, headers in REFUSED.items():
        for body in (json.dumps(words(1, "/start")).encode(), b"", b"{", b"x" * 1000):
            status, _ = await bot.post(body, CIMultiDict(headers))
            told[name] = max(told.get(name, 0), status) if status != 403 else told.get(name, 403)
    assert told == dict.fromkeys(REFUSED, 403)
    assert bot.stored() == 0
    # A secret of a megabyte is not even read.
    status, _ = await bot.post(words(1, "/start"), {SECRET_HEADER: "x" * 2**20})
    assert 400 <= status < 500
    assert bot.stored() == 0
    # And with it all is well.
    assert await bot.post(words(1, "/start")) == (200, "")
    assert bot.stored() == 1


async def test_only_what_is_posted_to_the_right_door_comes_in(bot: Bot) -> None:
    for method in ("GET", "PUT", "DELETE", "TRACE"):
        async with bot.http.request(method, "/telegram", headers={SECRET_HEADER: SECRET}) as response:
            assert response.status == 405, method
    for path in ("/", "/telegram/", "/webhook", "/../etc/passwd", f"/{TOKEN}"):
        async with bot.http.post(path, json={}, headers={SECRET_HEADER: SECRET}) as response:
            assert response.status == 404, path
    assert bot.stored() == 0


def test_a_webhook_without_a_secret_is_refused(tmp_path: Path) -> None:
    """I2: fails closed, and names the setting."""
    with pytest.raises(ValidationError, match="TELEGRAM_WEBHOOK_SECRET"):
        settings_for(tmp_path, "http://127.0.0.1:1", telegram_webhook_secret=None)
    with pytest.raises(ValueError, match="secret"):
        Telegram(token="1:A", webhook_url="https://example.org/telegram", webhook_secret="")
    assert not Telegram(token="1:A").verify(CIMultiDictProxy(CIMultiDict({SECRET_HEADER: ""})), b"")
    assert not Telegram(token="1:A").verify(CIMultiDictProxy(CIMultiDict()), b"")


async def test_without_a_webhook_there_is_no_door(tmp_path: Path, sqlite_template: Path) -> None:
    async with started(tmp_path, sqlite_template, telegram_webhook_url=None) as bot:
        assert (await bot.post(words(1, "/start")))[0] == 404
        assert bot.stored() == 0


# What comes in -------------------------------------------------------------------------------------

GOOD = json.dumps(words(7, "/start"), ensure_ascii=False).encode()
CUTS = [len(GOOD) * step // 51 for step in range(1, 51)]


def broken_bodies() -> dict[str, bytes]:
    """Authentic, and not to be understood."""
    bodies = {f"cut at {cut}": GOOD[:cut] for cut in CUTS}
    update = json.dumps(words(7, "TEXT"))
    bodies |= {
        "empty": b"",
        "space": b"  \n",
        "BOM": b"\xef\xbb\xbf" + GOOD,
        "UTF-16": GOOD.decode().encode("utf-16"),
        "latin": GOOD.replace(b"Lan", b"L\xe2n"),
        "NaN": update.replace('"TEXT"', "NaN").encode(),
        "Infinity": update.replace('"TEXT"', "-Infinity").encode(),
        "1e999": update.replace('"TEXT"', "1e999").encode(),
        "deep": b'{"update_id":1,"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "deep objects": b'{"update_id":1,"message":' + b'{"a":' * 40_000 + b"1" + b"}" * 40_001,
        "lone surrogate": update.replace("TEXT", r"r\udce1c").encode(),
        "long number": update.replace('"TEXT"', "9" * 5000).encode(),
        "long id": b'{"update_id":' + b"9" * 5000 + b"}",
        "negative id": b'{"update_id":-5}',
        "text id": b'{"update_id":"5"}',
        "true id": b'{"update_id":true}',
        "no id": b'{"message":{}}',
        "array": b"[" + GOOD + b"]",
        "text": b'"/start"',
        "number": b"5",
        "null": b"null",
        "two": GOOD + GOOD,
        "raw NUL": b"\0",
        "form": b"update_id=5&text=hi",
    }
    return bodies


async def test_a_broken_body_is_set_aside_and_the_next_message_answered(bot: Bot) -> None:
    """J1, J2, P9: 200 for each, kept where somebody sees it, and no queue stands behind it."""
    bodies = broken_bodies()
    for said, (name, body) in enumerate(bodies.items()):
        assert await bot.post(body) == (200, ""), name
        assert await bot.post(words(7, "/start")) == (200, ""), name
        await bot.hears(7, said + 1)
    assert bot.aside() == len(set(bodies.values()))
    _, metrics = await bot.get("/metrics")
    assert figure(metrics, "quarantined_total") == bot.aside()


async def test_the_same_broken_body_is_kept_once(bot: Bot) -> None:
    for _ in range(5):
        assert await bot.post(b"{") == (200, "")
    assert bot.aside() == 1


PARTS = ("chat", "from", "date", "message_id", "text", "photo", "location", "document", "reply_to_message")
STRANGE: list[Any] = [None, True, -1, 2**70, 1.5, "x", "", [], [[]], {}, {"id": {}}]


def wrong_types() -> list[Json]:
    """A message each of whose parts is something else."""
    found: list[Json] = []
    for value in STRANGE:
        for part in PARTS:
            found.append(words(7, "rác"))
            found[-1]["message"][part] = value
        for part in ("from", "message", "data", "id"):
            found.append(press(7, "new"))
            found[-1]["callback_query"][part] = value
        found += [{"update_id": number(), kind: value} for kind in ("message", "callback_query")]
    return found


async def test_wrong_types_stop_nothing(bot: Bot) -> None:
    """Whatever stands where: 200, no exception that stays, and the next message of the chat is answered."""
    for update in wrong_types():
        status, _ = await bot.post(update)
        assert status == 200, update
    await bot.post(words(8, "/quyenriengtu"))
    (privacy,) = await bot.hears(8, 1)
    await bot.post(words(7, "/quyenriengtu"))
    await bot.until(lambda: privacy.text in [one.text for one in bot.platform.accepted(7)])
    waiting = bot.rows("SELECT count(*) FROM inbox WHERE state = ?", InboxState.NEW)
    assert waiting == [(0,)]


async def test_a_text_with_every_strange_letter_is_answered(bot: Bot) -> None:
    """J5: stored true, answered, and nothing set aside."""
    texts = [
        "r\0ác ở thôn 3",
        "👨‍👩‍👧" * 500,
        "\u202eđảo ngược",
        "a\u0301" * 2000,
        "thôn 3",
        "\u200b",
        "x" * 4096,
    ]
    for turn, text in enumerate(texts):
        assert await bot.post(words(100 + turn, text)) == (200, "")
        await bot.hears(100 + turn, 1)
    assert bot.aside() == 0


async def test_a_body_may_not_be_too_long(bot: Bot) -> None:
    """J3: 256 KiB are read, 257 are not."""
    assert (await bot.post(b"x" * BODY_MAX))[0] == 200
    stored = bot.stored()
    status, _ = await bot.post(b"x" * (257 * 1024))
    assert status == 413
    assert bot.stored() == stored
    assert (await bot.get("/healthz"))[0] == 200


async def test_a_body_without_an_end_is_refused(bot: Bot) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bot.port)
    head = f"POST /telegram HTTP/1.1\r\nHost: x\r\n{SECRET_HEADER}: {SECRET}\r\n"
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    answer = asyncio.create_task(reader.readline())
    sent = 0
    while not answer.done() and sent < 64:
        writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        await writer.drain()
        await asyncio.wait({answer}, timeout=0.01)
        sent += 1
    assert (await asyncio.wait_for(answer, PATIENCE_S)).startswith(b"HTTP/1.1 413")
    writer.transport.abort()
    assert sent < 64
    assert bot.stored() == 0


async def test_kinds_of_update_that_nobody_asked_for(bot: Bot) -> None:
    """J4, E8: 200, stored, and nothing is said."""
    kinds: dict[str, Any] = {
        "channel_post": {"message_id": 1, "date": 1, "chat": {"id": -5, "type": "channel"}, "text": "rác"},
        "edited_channel_post": {"message_id": 1, "date": 1, "chat": {"id": -5, "type": "channel"}},
        "inline_query": {"id": "1", "from": {"id": 7, "is_bot": False, "first_name": "L"}, "query": "rác"},
        "message_reaction": {"chat": {"id": 7, "type": "private"}, "message_id": 1, "date": 1},
        "poll": {"id": "1", "question": "?", "options": []},
        "poll_answer": {"poll_id": "1", "option_ids": []},
        "business_message": {"message_id": 1, "date": 1, "chat": {"id": 7, "type": "private"}, "text": "rác"},
        "chat_join_request": {"chat": {"id": -7, "type": "supergroup"}, "from": {"id": 7}, "date": 1},
        "from_the_future": {"chat": {"id": 7}, "what": ["is", {"this": None}]},
    }
    for kind, content in kinds.items():
        assert await bot.post({"update_id": number(), kind: content}) == (200, ""), kind
    assert await bot.post({"update_id": number()}) == (200, "")
    await bot.post(words(7, "/start"))
    await bot.hears(7, 1)
    assert len(bot.platform.heard) == 1
    assert bot.aside() == 0


async def test_the_same_update_at_once_is_answered_once(bot: Bot) -> None:
    """E1."""
    update = words(7, "rác ở cổng chợ thôn 3")
    answers = await asyncio.gather(*(bot.post(update) for _ in range(5)))
    assert answers == [(200, "")] * 5
    await bot.hears(7, 1)
    await bot.post(update)
    await bot.post(words(7, "/huy"))
    assert len(await bot.hears(7, 2)) == 2
    _, metrics = await bot.get("/metrics")
    assert figure(metrics, "updates_total") == 2
    assert figure(metrics, "duplicates_total") == 5


async def test_a_shuffled_crowd_loses_nothing(bot: Bot) -> None:
    """E2: later numbers first; a high-water mark would drop the slower ones."""
    updates = [words(1000 + n % 20, "/start") for n in range(60)]
    for start in (40, 0, 20):
        await asyncio.gather(*(bot.post(one) for one in reversed(updates[start : start + 20])))
    for chat in range(1000, 1020):
        assert len(await bot.hears(chat, 3)) == 3


async def test_a_press_is_answered_in_the_webhooks_own_answer(bot: Bot) -> None:
    update = press(7, "new")
    status, answer = await bot.post(update)
    assert status == 200
    query = update["callback_query"]["id"]
    assert json.loads(answer) == {"method": "answerCallbackQuery", "callback_query_id": query}
    await bot.hears(7, 1)
    assert bot.platform.counts["answercallbackquery"] == 0


async def test_a_hundred_presses_of_send_file_once(bot: Bot) -> None:
    """E6, L11: the button again and again, at once and later, is one report."""
    await tell(bot, 7)
    action = next(a for one in bot.platform.accepted(7) for a in one.buttons if a.startswith("send:"))
    await asyncio.gather(*(bot.post(press(7, action)) for _ in range(10)))
    await bot.until(lambda: any("AP-" in one.text for one in bot.platform.accepted(7)))
    await bot.post(press(7, action))
    many = len(bot.platform.accepted(7))
    await bot.post(words(7, "/tracuu"))
    await bot.until(lambda: len(bot.platform.accepted(7)) > many)
    assert bot.rows("SELECT code FROM reports") == [(code_in(bot, 7),)]


# A report, all the way -----------------------------------------------------------------------------


async def tell(bot: Bot, chat: int) -> None:
    """Up to the summary."""
    bot.platform.files["before"] = ("photos/1.jpg", picture(), len(picture()))
    await bot.post(words(chat, "Rác đổ bừa bãi ở cổng chợ thôn 3"))
    await bot.hears(chat, 1)
    await bot.post(photo(chat, "before"))
    await bot.until(lambda: any(offers(one, "send:") for one in bot.platform.accepted(chat)))


def offers(one: Heard, verb: str) -> bool:
    return any(action.startswith(verb) for action in one.buttons)


def code_in(bot: Bot, chat: int) -> str:
    texts = " ".join(one.text for one in bot.platform.accepted(chat))
    at = texts.index("AP-")
    return texts[at : at + len("AP-26-00001")]


async def invited(bot: Bot, chat: int, unit: str, role: str, code: str) -> None:
    now = int(datetime.now(UTC).timestamp() * 1000)
    await bot.writes(lambda c: people.make_invite(c, digest(code), unit, role, now, now + LIFE_MS))
    await bot.post(words(chat, code))
    await bot.hears(chat, 1)


async def test_a_report_goes_all_the_way(bot: Bot) -> None:
    """Told, photographed, sent, alerted, taken, closed with a photo, judged."""
    resident, officer = 7, 9
    await invited(bot, officer, "thon-03", "monitor", "7K3M-9QXA")
    await tell(bot, resident)
    await bot.presses(resident, "send:")
    await bot.until(lambda: any(offers(one, "take:") for one in bot.platform.accepted(officer)))
    await bot.until(lambda: any(one.method == "sendphoto" for one in bot.platform.accepted(officer)))
    code = code_in(bot, resident)
    alert = next(one for one in bot.platform.accepted(officer) if offers(one, "take:"))
    assert code in alert.text
    assert "Lan" not in alert.text
    await bot.presses(officer, "take:")
    await bot.until(lambda: sum(code in one.text for one in bot.platform.accepted(resident)) >= 2)
    await bot.presses(officer, "done:")
    await bot.until(lambda: any(offers(one, "out:") for one in bot.platform.accepted(officer)))
    bot.platform.files["after"] = ("photos/2.jpg", picture((200, 200, 200)), len(picture()))
    await bot.post(photo(officer, "after"))
    await bot.until(lambda: any(offers(one, "good:") for one in bot.platform.accepted(resident)))
    await bot.until(lambda: sum(one.method == "sendphoto" for one in bot.platform.accepted(resident)) == 2)
    many = len(bot.platform.accepted(resident))
    await bot.presses(resident, "good:")
    await bot.hears(resident, many + 1)
    ((status, outcome),) = bot.rows("SELECT status, outcome FROM reports WHERE code = ?", code)
    assert (status, outcome) == ("confirmed", "photo")
    actions = [row[0] for row in bot.rows("SELECT action FROM history ORDER BY id")]
    assert actions == ["file", "take", "close", "confirm"]
    assert bot.aside() == 0
    # What went out of the store is a picture of ours: not the bytes that came in.
    assert len(list((bot.folder / "photos").rglob("*.jpg"))) == 2


async def test_a_restart_in_the_middle_forgets_nothing(tmp_path: Path, sqlite_template: Path) -> None:
    """A1 in small: the draft goes on, an update delivered before and after the restart is one."""
    platform = Standin()
    update = words(7, "Rác đổ bừa bãi ở cổng chợ thôn 3")
    async with started(tmp_path, sqlite_template, platform=platform) as bot:
        await bot.post(update)
        await bot.hears(7, 1)
    async with started(tmp_path, sqlite_template, platform=platform) as bot:
        await bot.post(update)
        await bot.presses(7, "no:")
        await bot.until(lambda: any(offers(one, "send:") for one in platform.accepted(7)))
        await bot.presses(7, "send:")
        await bot.until(lambda: any("AP-" in one.text for one in platform.accepted(7)))
        assert len(platform.accepted(7)) == 3
        assert len(bot.rows("SELECT code FROM reports")) == 1


# Health and figures --------------------------------------------------------------------------------


def figure(metrics: str, name: str) -> float:
    return float(next(line for line in metrics.splitlines() if line.startswith(f"{name} ")).split()[-1])


async def test_health_and_figures(slow_bot: Bot) -> None:
    bot = slow_bot
    assert await bot.get("/healthz") == (200, "ok\n")
    status, ready = await bot.get("/readyz")
    assert (status, json.loads(ready)) == (200, {"ready": True, "problems": []})
    wait = {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests",
        "parameters": {"retry_after": 900},
    }
    bot.platform.faults.append(Fault(method="sendmessage", count=1, status=429, body=wait))
    await bot.post(words(7, "/start"))
    await bot.until(lambda: len(bot.platform.heard) == 1)
    await shown(bot, "platform_429_total 1.0")
    await bot.post(b"{")
    await bot.post(update := words(8, "/start"))
    await bot.post(update)
    status, metrics = await shown(bot, 'outbox_depth{lane="answer"} 2.0')
    assert status == 200
    for name, value in (("updates_total", 3), ("duplicates_total", 1), ("quarantined_total", 1)):
        assert figure(metrics, name) == value, name
    assert figure(metrics, "platform_429_total") == 1
    assert figure(metrics, "send_unknown_total") == 0
    assert 'outbox_oldest_seconds{lane="answer"} 0.0' in metrics
    for mark in (TOKEN, SECRET, "/start"):
        assert mark not in metrics
    assert bot.clock is not None
    bot.clock.move(timedelta(minutes=10))
    _, metrics = await bot.get("/metrics")
    assert 'outbox_oldest_seconds{lane="answer"} 600.0' in metrics
    # Answers that wait so long mean that something is stuck: it shows.
    status, ready = await bot.get("/readyz")
    assert status == 503
    assert "answer" in ready
    await bot.later(lambda: bool(bot.platform.accepted(7) and bot.platform.accepted(8)))
    status, _ = await shown(bot, '"ready": true', "/readyz")
    assert status == 200


async def shown(bot: Bot, wanted: str, path: str = "/metrics") -> tuple[int, str]:
    """Look until it is written down: the last answer may still be on its way into the table."""
    for _ in range(200):
        status, text = await bot.get(path)
        if wanted in text:
            break
    assert wanted in text, text
    return status, text


@asynccontextmanager
async def locked(bot: Bot) -> AsyncIterator[None]:
    """Somebody else has the database to themselves, so long."""
    file = bot.folder / "anphuxanh.db"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    # In a thread: the program, which lives in this one, must finish what it is writing.
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_a_database_that_is_locked_is_an_honest_no(bot: Bot) -> None:
    """F1, P3: within two seconds, a 200 that is on disk or a 503; and afterwards all is as before."""
    await bot.post(words(7, "/start"))
    await bot.hears(7, 1)
    async with locked(bot), asyncio.timeout(3):
        posts = (bot.post(words(7, "/start")) for _ in range(3))
        statuses = await asyncio.gather(*posts, bot.post(b"{"), bot.get("/readyz"), bot.get("/metrics"))
    assert [status for status, _ in statuses] == [503] * 6
    assert (await bot.get("/readyz"))[0] == 200
    assert await bot.post(words(8, "/start")) == (200, "")
    await bot.hears(8, 1)


# What the platform answers -------------------------------------------------------------------------


def refusal(code: int, description: str, **parameters: Any) -> Json:
    body = {"ok": False, "error_code": code, "description": description}
    return {"status": code, "body": body | ({"parameters": parameters} if parameters else {})}


HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
PASSING: dict[str, Json] = {
    "409": refusal(409, "Conflict: terminated by other getUpdates request"),
    "429 with a wait": refusal(429, "Too Many Requests: retry after 1", retry_after=1),
    "429 in words": refusal(429, "Too Many Requests: retry after 7"),
    "429 without a wait": refusal(429, "Too Many Requests"),
    "429 in a header": {"status": 429, "body": "", "headers": {"Retry-After": "2"}},
    "429 as a page": {"status": 429, "body": HTML},
    "429 in a 200": {"status": 200, "body": refusal(429, "Too Many Requests", retry_after=1)["body"]},
    "500": refusal(500, "Internal Server Error"),
    "502 as a page": {"status": 502, "body": HTML},
    "503": refusal(503, "Service Unavailable"),
    "504": refusal(504, "Gateway Timeout"),
    "403 as a page": {"status": 403, "body": HTML},
    "404 as a page": {"status": 404, "body": HTML},
    "401": refusal(401, "Unauthorized"),
    "200 as a page": {"status": 200, "body": HTML},
    "200 with nothing": {"status": 200, "body": ""},
    "200 half": {"status": 200, "body": '{"ok":true,"result":{"message_'},
    "200 without a result": {"status": 200, "body": {"ok": True}},
    "200 that says no": {"status": 200, "body": {"ok": False}},
    "reset before": {"reset": "before"},
    "reset after": {"reset": "after"},
}
FINAL: dict[str, Json] = {
    "400": refusal(400, "Bad Request: message text is empty"),
    "400 gone": refusal(400, "Bad Request: chat not found"),
    "403 blocked": refusal(403, "Forbidden: bot was blocked by the user"),
    "403 deleted": refusal(403, "Forbidden: user is deactivated"),
}


async def test_whatever_the_platform_answers_nothing_is_lost(slow_bot: Bot) -> None:
    """D1–D3, C5: twice each; the message arrives in the end, and the chat's next one after it."""
    bot = slow_bot
    for chat, (name, fault) in enumerate(PASSING.items(), start=1000):
        bot.platform.faults.append(Fault(method="sendmessage", chat=str(chat), count=2, **fault))
        await bot.post(words(chat, "/start"))
        await bot.post(words(chat, "/trogiup"))
        await bot.later(partial(has_read, bot, chat, 2))
        greeting, help_ = told(bot, chat)
        assert "Kính chào" in greeting, name
        assert help_ != greeting, name
    await settled(bot)
    assert bot.rows("SELECT count(*) FROM outbox WHERE state <> ?", OutboxState.SENT) == [(0,)]


def has_read(bot: Bot, chat: int, many: int) -> bool:
    return len(told(bot, chat)) >= many


def told(bot: Bot, chat: int) -> list[str]:
    """What the person has read, each once: an answer lost on its way back is said again."""
    return list(dict.fromkeys(one.text for one in bot.platform.accepted(chat)))


async def settled(bot: Bot) -> None:
    await bot.later(
        lambda: bot.rows("SELECT count(*) FROM outbox WHERE state <= ?", OutboxState.SENDING) == [(0,)]
    )


async def test_what_is_refused_for_good_is_accounted_for(slow_bot: Bot) -> None:
    """P7, C3: asked once, kept with its reason; the next message to the same chat still goes."""
    bot = slow_bot
    for chat, (name, fault) in enumerate(FINAL.items(), start=2000):
        bot.platform.faults.append(Fault(method="sendmessage", chat=str(chat), count=1, **fault))
        await bot.post(words(chat, "/start"))
        await bot.post(words(chat, "/trogiup"))
        await bot.later(partial(has_read, bot, chat, 1))
        tries = [one for one in bot.platform.heard if one.chat == str(chat)]
        assert [one.accepted for one in tries] == [False, True], name
    await settled(bot)
    states = bot.rows("SELECT state, problem FROM outbox WHERE state <> ?", OutboxState.SENT)
    assert [state for state, _ in states] == [OutboxState.REFUSED] * len(FINAL)
    assert [str(problem).partition(":")[0] for _, problem in states] == [
        "rejected",
        "gone",
        "blocked",
        "gone",
    ]


async def test_a_group_that_moved_is_answered_at_its_new_home(slow_bot: Bot) -> None:
    bot = slow_bot
    moved = refusal(
        400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-100_5
    )
    bot.platform.faults.append(Fault(method="sendmessage", chat="-5", **moved))
    await bot.post(words(-5, "/trogiup"))
    await bot.later(lambda: len(bot.platform.accepted(-1005)) == 1)
    assert [one.chat for one in bot.platform.heard] == ["-5", "-1005"]


async def test_the_wait_is_obeyed_to_the_second(bot: Bot) -> None:
    """P5, by the real clock: a server that counts sees not one request too early."""
    wait = refusal(429, "Too Many Requests: retry after 1", retry_after=1)
    bot.platform.faults.append(Fault(method="sendmessage", count=1, **wait))
    await bot.post(words(7, "/start"))
    await bot.until(lambda: len(bot.platform.heard) == 1)
    people = range(100, 120)
    await asyncio.gather(*(bot.post(words(chat, "/start")) for chat in people))
    for chat in (7, *people):
        await bot.hears(chat, 1)
    refused, *after = bot.platform.heard
    assert 1.0 <= min(one.at for one in after) - refused.at <= 2.0
    assert len(after) == 21


async def test_an_unreachable_platform_stops_nothing(tmp_path: Path, sqlite_template: Path) -> None:
    """P1: the door opens, what comes is stored, and what is owed waits."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copyfile(sqlite_template, data / "anphuxanh.db")
    async with running(settings_for(data, "http://127.0.0.1:1")) as port, aiohttp.ClientSession() as http:
        headers = {SECRET_HEADER: SECRET}
        url = f"http://127.0.0.1:{port}"
        async with http.post(f"{url}/telegram", json=words(7, "/start"), headers=headers) as response:
            assert response.status == 200
        async with http.get(f"{url}/healthz") as response:
            assert response.status == 200
    async with started(tmp_path, sqlite_template) as bot:
        await bot.hears(7, 1)


# One at a time -------------------------------------------------------------------------------------


async def test_a_second_program_on_the_same_data_is_refused(bot: Bot) -> None:
    """H8: at once, by name; the first does not notice."""
    with pytest.raises(ConfigError, match="DATA_DIR"):
        async with running(settings_for(bot.folder, "http://127.0.0.1:1")):
            pytest.fail("it started")
    process = await spawn(bot.folder, {"DATA_DIR": str(bot.folder)})
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 2
    assert b"DATA_DIR" in err
    assert (out, b"Traceback" in err) == (b"", False)
    await bot.post(words(7, "/start"))
    await bot.hears(7, 1)


async def spawn(folder: Path, settings: dict[str, str]) -> asyncio.subprocess.Process:
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "COMMUNE": str(ROOT / "commune.toml"),
        "HTTP_PORT": "0",
        **settings,
    }
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "bot", "run")
    return await asyncio.create_subprocess_exec(
        *command, env=environment, cwd=folder, stdout=pipe, stderr=pipe
    )


# Polling -------------------------------------------------------------------------------------------


async def test_polling_confirms_only_what_is_stored(tmp_path: Path, sqlite_template: Path) -> None:
    """A3: at each getUpdates, all numbers below its offset are in the table already."""
    platform = Standin()
    seen: list[tuple[int, bool]] = []
    updates = [
        words(7, "/start"),
        press(7, "new"),
        {"update_id": number(), "message": {"chat": "?"}},
        words(8, "rác"),
    ]
    async with started(tmp_path, sqlite_template, platform=platform, telegram_webhook_url=None) as bot:

        def check(offset: int) -> None:
            stored = {row[0] for row in bot.rows("SELECT event FROM inbox WHERE channel = 'telegram'")}
            confirmed = {str(one["update_id"]) for one in updates if one["update_id"] < offset}
            seen.append((offset, confirmed <= stored))

        platform.on_poll = check
        platform.inject(updates[:2])
        assert len(await bot.hears(7, 2)) == 2
        platform.inject(updates[2:])
        await bot.hears(8, 1)
        await bot.until(lambda: bool(seen) and seen[-1][0] == updates[-1]["update_id"] + 1)
        # Nobody is posted to: the spinner is ended by a call.
        await bot.until(lambda: platform.counts["answercallbackquery"] == 1)
    assert all(fine for _, fine in seen)
    assert [offset for offset, _ in seen] == sorted(offset for offset, _ in seen)


async def test_polling_waits_for_the_database(tmp_path: Path, sqlite_template: Path) -> None:
    """What cannot be stored is not confirmed; once it can, nothing was lost and nothing doubled."""
    platform = Standin()
    offsets: list[int] = []
    async with started(tmp_path, sqlite_template, platform=platform, telegram_webhook_url=None) as bot:
        platform.on_poll = offsets.append
        async with locked(bot):
            platform.inject([update := words(7, "/start")])
            for _ in range(50):
                assert (await bot.get("/healthz"))[0] == 200
            assert not [offset for offset in offsets if offset > update["update_id"]]
        await bot.until(lambda: bool(offsets) and offsets[-1] == update["update_id"] + 1)
        assert len(await bot.hears(7, 1)) == 1


# Logs ----------------------------------------------------------------------------------------------

MARKERS = {
    "text": "qwertz-lời-kín",
    "phone": "0912345678",
    "name": "Nguyễn-Thị-Dấu",
    "latitude": "20.98123",
    "longitude": "106.38321",
    "token": TOKEN,
    "secret": SECRET,
    "file": "FILE-HANDLE-77",
}


async def test_logs_tell_nothing_of_anybody(tmp_path: Path) -> None:
    """I7, N10: a whole run at its most talkative, with every kind of trouble, and no mark is found."""
    platform = Standin()
    server = await serve(platform, 0)
    api = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = {"DATA_DIR": str(tmp_path / "data"), "LOG_LEVEL": "debug", "TELEGRAM_BOT_TOKEN": TOKEN}
    settings |= {"TELEGRAM_API_URL": api, "TELEGRAM_WEBHOOK_URL": "http://127.0.0.1:1/telegram"}
    settings |= {"TELEGRAM_WEBHOOK_SECRET": SECRET}
    process = await spawn(tmp_path, settings)
    assert process.stdout is not None
    lines: list[bytes] = []
    async with asyncio.timeout(PATIENCE_S):
        while not lines or b'"ready"' not in lines[-1]:
            lines.append(await process.stdout.readline())
            assert lines[-1], "the program ended"
    port = json.loads(lines[-1])["port"]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        bot = Bot(port, tmp_path / "data", platform, http, None)
        await _talk_with_marks(bot)
    process.terminate()
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    server.close()
    text = (b"".join(lines) + out + err).decode()
    assert [name for name, mark in MARKERS.items() if mark in text] == []
    assert [line for line in text.splitlines() if not line.startswith("{")] == []
    entries = [json.loads(line) for line in text.splitlines()]
    assert {"ready", "refused", "retry", "stop"} <= {entry.get("action") for entry in entries}
    assert all(entry["event"] and entry["level"] for entry in entries)


async def _talk_with_marks(bot: Bot) -> None:
    """Things go well, and wrong in every way that is written down."""
    mark = f"{MARKERS['text']} {MARKERS['phone']}"
    blocked = refusal(403, f"Forbidden: bot was blocked by {mark}")
    bot.platform.faults.append(Fault(method="sendmessage", chat="7", count=1, **refusal(500, mark)))
    bot.platform.faults.append(Fault(method="sendmessage", chat="8", count=1, **blocked))
    bot.platform.faults.append(Fault(method="sendmessage", chat="9", count=1, reset="before"))
    for chat in (7, 8, 9):
        update = words(chat, f"rác ở thôn 3, {mark}")
        update["message"]["from"]["first_name"] = MARKERS["name"]
        await bot.post(update)
    point = {"latitude": float(MARKERS["latitude"]), "longitude": float(MARKERS["longitude"])}
    await bot.post(message(7, location=point))
    await bot.post(photo(7, MARKERS["file"], caption=mark))
    await bot.post(f'{{"update_id": 1, "text": "{mark}'.encode())
    await bot.post({"update_id": number(), "message": {"chat": {"id": 7, "type": "private"}, "text": [mark]}})
    await bot.post(b"x" * 300_000)
    await bot.post(words(7, mark), {SECRET_HEADER: SECRET + mark.encode("ascii", "ignore").decode()})
    await bot.post(press(7, mark))
    await bot.until(lambda: len(bot.platform.accepted(7)) >= 2 and bool(bot.platform.accepted(9)))
    await bot.until(lambda: any(one.chat == "8" for one in bot.platform.heard))
    for path in ("/metrics", "/readyz", f"/{MARKERS['text']}"):
        await bot.get(path)
