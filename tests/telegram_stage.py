"""The channel of Telegram in front of a stand-in that remembers, with nothing behind it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bench.standin_telegram import Fault, Platform, Rates, serve
from bot.channels.base import Outcome, Received
from bot.channels.telegram import Telegram
from bot.channels.telegram_http import AiohttpRequest
from bot.core.events import Address
from bot.core.message import Message

PERSON = Address("telegram", "5501234567")
GROUP = Address("telegram", "-1001987654321", group=True)


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


@asynccontextmanager
async def opened() -> AsyncIterator[Stage]:
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
