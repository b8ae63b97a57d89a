"""The whole program on a Zalo Official Account: webhooks in, and what the strict stand-in was sent."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.standin_zalo import Sent, Served, User, webhook, webhook_more
from bench.standin_zalo.shapes import Json
from bench.standin_zalo.webhook import Origin
from bot import app
from bot.channels.base import Pace
from bot.config import load_commune
from bot.core.commune import Point
from storage import people
from storage.database import Database
from storage.files import Files
from storage.tables import InboxState, history, inbox, reports
from tests.paper import ROOT, PaperPainter, PaperStudio
from tests.zalo_stage import ROOM, OaStage, opened

COMMUNE = load_commune(ROOT / "commune.toml")
CODE = "AP-26-00001"


class Village:
    """People are known by their names here, by numbers there."""

    def __init__(self, oa: OaStage, parts: app.Parts, *names: str) -> None:
        self.oa, self.parts = oa, parts
        self.ids = {name: str(8_400_000_000_000_000_001 + n) for n, name in enumerate(names)}
        self.told = 0
        for name, user in self.ids.items():
            oa.zalo.add(User(user, name=name, last_interaction=oa.clock.monotonic()))

    # What people do

    def origin(self, who: str) -> Origin:
        self.told += 1
        self.oa.clock.move(timedelta(seconds=1))
        return Origin(self.ids[who], self.oa.clock.ms(), message=f"m{self.told}")

    async def happens(self, *events: Json) -> None:
        for event in events:
            self.oa.zalo.heard(event)
            for received in self.oa.channel.arrivals(webhook.raw(event)):
                await self.parts.inbox.take("zalo_oa", received)
        await self.oa.channel.people.settle()
        await self.settle()

    async def says(self, who: str, *texts: str) -> None:
        for text in texts:
            await self.happens(webhook.user_text(self.origin(who), text))

    async def says_in_room(self, who: str, text: str) -> None:
        await self.happens(webhook_more.group_said(self.origin(who), ROOM, "text", text))

    async def presses(self, who: str, action: str) -> None:
        await self.says(who, f"#apx:{action}")

    async def shows(self, who: str, caption: str = "") -> None:
        path = self.oa.zalo.files.put(f"/p{self.told}.jpg", Served(b"{}"))
        await self.happens(webhook.user_image(self.origin(who), f"{self.oa.url}{path}", caption=caption))

    async def by_hand(self, to: str, text: str) -> None:
        await self.happens(webhook_more.oa_sent(self.origin(to), "text", text, "admin-1"))

    async def reports(self, who: str) -> None:
        await self.says(who, "rac do o cong cho thon 3", "khong", "gui")

    # What comes of it

    def news(self, who: str) -> list[Sent]:
        """What they were sent since it was last asked."""
        user = self.ids.get(who, who)
        mine = [sent for sent in self.oa.zalo.sent if sent.to == user]
        self.oa.zalo.ledger.sent = [sent for sent in self.oa.zalo.sent if sent.to != user]
        return mine

    def texts(self, who: str) -> list[str]:
        return [sent.text for sent in self.news(who)]

    async def settle(self) -> None:
        for _ in range(8):
            await self.parts.conversation.step()
            await self.parts.fetching.step()
            for delivery in self.parts.deliveries.values():
                await delivery.step()
                await delivery.settle()

    async def later(self, by: timedelta) -> None:
        self.oa.clock.move(by)
        await self.parts.reminders.look()
        await self.settle()

    async def rows(self, query: sa.Select[Any]) -> Sequence[Any]:
        async with self.oa.db.read() as conn:
            return list(await conn.execute(query))

    async def status(self, code: str = CODE) -> tuple[str, str]:
        query = sa.select(reports.c.status, reports.c.taken_name).where(reports.c.code == code)
        (row,) = await self.rows(query)
        return row.status, row.taken_name

    async def notes(self, action: str) -> list[str]:
        found = await self.rows(sa.select(history.c.note).where(history.c.action == action))
        return [row.note for row in found]

    async def nothing_aside(self) -> None:
        aside = await self.rows(sa.select(inbox.c.problem).where(inbox.c.state == InboxState.QUARANTINED))
        assert aside == []

    async def member(self, who: str, unit: str = "thon-03", role: str = "monitor") -> None:
        now, user = self.oa.clock.ms(), self.ids[who]

        async def work(conn: Any) -> None:
            await people.meet(conn, [("zalo_oa", user, user)], now)
            await people.wrote(conn, [("zalo_oa", user, now)])
            await people.join(conn, f"zalo_oa:{user}", unit, role, who, now)

        await self.oa.db.write(work)

    async def bind(self, unit: str = "thon-03") -> None:
        now = self.oa.clock.ms()
        await self.oa.db.write(lambda conn: people.bind(conn, "zalo_oa", ROOM, unit, "", now))


@asynccontextmanager
async def village(db: Database, folder: Path, *names: str) -> AsyncIterator[Village]:
    async def follow(_: str) -> Point | None:
        return None

    async with opened(db) as oa:
        # How fast the bot may speak is tested elsewhere.
        oa.channel.pace = Pace(1e6, 1e6, 10**6, 1e6)
        parts = app.build(
            db,
            COMMUNE,
            [oa.channel],
            files=Files(str(folder / "photos")),
            studio=PaperStudio(),
            painter=PaperPainter(),
            follow=follow,
            clock=oa.clock,
            draw_invite=lambda: "M5T8-QXD7",
        )
        yield Village(oa, parts, *names)
