"""The channel of a Zalo Official Account in front of the strict stand-in, with nothing behind it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

from bench.standin_zalo import App, Fault, Group, OfficialAccount, Sent, Serving, Template, User, Zalo, serve
from bot.channels.base import Links, Outcome
from bot.channels.media import Media
from bot.channels.vault import Vault
from bot.channels.zalo_http import OpenApi
from bot.channels.zalo_oa import Labels, ZaloOa
from bot.channels.zalo_tokens import Tokens
from bot.channels.zalo_wire import open_session
from bot.core.events import Address
from bot.core.message import Message
from bot.messages import Messages
from storage.database import Database
from tests.paper import PaperClock

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
LAN, MINH, ROOM = "8101000000000000001", "8101000000000000002", "7770000000000000001"
TO, IN = Address("zalo_oa", LAN), Address("zalo_oa", ROOM, group=True)
KEY = "a key of the tests, long enough to be one"
PLACE, VOICE = "https://anphu.example/cho/1", "https://anphu.example/nghe/"
MESSAGES = Messages()


class OaStage:
    """`pauses` are what the channel asked to wait for; nobody waits."""

    def __init__(self, zalo: Zalo, serving: Serving, db: Database, clock: PaperClock) -> None:
        self.zalo, self.url, self.db, self.clock = zalo, serving.url, db, clock
        self.pauses: list[float] = []
        self.wall = 20.0
        self.channel = self.another()

    def another(self, url: str | None = None, **settings: Any) -> ZaloOa:
        url = url or self.url
        tokens = Tokens(
            self.db,
            Vault(KEY),
            app_id=App.id,
            app_secret=App.secret,
            oauth_url=self.url,
            clock=self.clock,
            first="refresh-1",
        )
        usual: dict[str, Any] = {
            "api": OpenApi(url, tokens, open_session),
            "db": self.db,
            "media": Media({url.removeprefix("http://")}),
            "app_id": App.id,
            "secret_key": OfficialAccount.secret,
            "labels": labels(),
            "links": Links(lambda _: PLACE, lambda stored: f"{VOICE}{stored}", lambda stored: stored),
            "clock": self.clock.ms,
            "daily": 5,
            "wall": lambda: self.wall,
            "rest": self.rest,
        }
        return ZaloOa(**{**usual, **settings})

    async def rest(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    async def send(self, text: str = "Xin chào", to: Address = TO, key: int = 1, **more: Any) -> Outcome:
        photo = more.pop("photo_bytes", None)
        return await self.channel.send(to, Message(text, **more), photo, key)

    def fault(self, **fault: Any) -> None:
        self.zalo.faults.append(Fault(**fault))

    @property
    def last(self) -> Sent:
        return self.zalo.sent[-1]

    def calls(self, path: str) -> int:
        return sum(count for name, count in self.zalo.counts.items() if name.endswith(path))


def labels() -> Labels:
    return Labels(
        lambda **told: MESSAGES.render("channel/choices", told).text,
        MESSAGES.render("channel/map_button", {}).text,
        lambda **told: MESSAGES.render("channel/map_link", told).text,
        lambda **told: MESSAGES.render("channel/listen", told).text,
    )


@asynccontextmanager
async def opened(db: Database) -> AsyncIterator[OaStage]:
    clock = PaperClock(NOW)
    zalo = Zalo(now=clock.monotonic)
    zalo.tokens.add("access-1", "refresh-1", clock.monotonic())
    zalo.add(*(User(each, last_interaction=clock.monotonic()) for each in (LAN, MINH)))
    zalo.add(Group(ROOM, members=[LAN, MINH]), Template("T1", {"ma": 30, "noi_dung": 100}))
    serving = await serve(zalo, 0)
    stage = OaStage(zalo, serving, db, clock)
    try:
        yield stage
    finally:
        await stage.channel.stop()
        await serving.close()


def multi(headers: Mapping[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(headers))
