"""The whole program on Telegram, in this process: who posts to it, and what a stand-in platform was sent."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.standin_telegram import Json, Platform, Rates, serve
from bot.app import running
from bot.channels.telegram import SECRET_HEADER
from bot.settings import Settings
from storage.database import Database
from storage.tables import InboxState
from tests.bot_process import awake_commune
from tests.paper import PaperClock

TOKEN = "1000:TOKEN-TOKEN-TOKEN-TOKEN-TOKEN-TOKEN"
SECRET = "Webhook-Secret_1"
MORNING = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
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


# What is posted ------------------------------------------------------------------------------------


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


# What may happen -----------------------------------------------------------------------------------


def refusal(code: int, description: str, **parameters: Any) -> Json:
    body = {"ok": False, "error_code": code, "description": description}
    return {"status": code, "body": body | ({"parameters": parameters} if parameters else {})}


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


# What is seen --------------------------------------------------------------------------------------


def figure(metrics: str, name: str) -> float:
    return float(next(line for line in metrics.splitlines() if line.startswith(f"{name} ")).split()[-1])
