"""One person on two platforms, a window that is closed, a platform that refuses us."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio
import sqlalchemy as sa

from bot import app
from bot.channels.base import Abilities, Outcome, Parsed, Received, Sent, Unauthorized
from bot.config import load_commune
from bot.core.commune import Point
from bot.core.events import Address, Words
from bot.core.message import Message
from bot.core.window import Way, Window
from storage import outbox, people
from storage.database import Database
from storage.files import Files
from storage.tables import OutboxState, accounts, reports
from storage.tables import outbox as outbox_table
from tests.paper import ROOT, Paper, PaperClock, PaperPainter, PaperStudio

HOUR_MS = 3600 * 1000
DAY = timedelta(days=1)
COMMUNE = load_commune(ROOT / "commune.toml")
CODE = "M5T8-QXD7"


class Platform(Paper):
    """A channel that notes what was said, and how."""

    def __init__(self, name: str, abilities: Abilities | None = None) -> None:
        super().__init__()
        self.name, self.abilities = name, abilities or Abilities()
        self.out: list[tuple[str, str, Way]] = []
        self.outcome: Outcome | None = None

    def parse(self, raw: str) -> Parsed:
        found = json.loads(raw)
        return Parsed(Address(self.name, found["who"]), found["who"], Words(found["text"]), found["who"])

    async def send(self, to: Address, message: Message, photo: bytes | None, key: int) -> Outcome:
        if self.outcome is not None:
            return self.outcome
        self.out.append((to.chat, message.text, message.way))
        return Sent(f"{self.name}{key}")

    def texts(self, chat: str) -> list[str]:
        return [text for to, text, _ in self.out if to == chat]


@dataclass
class Village:
    """The program with Telegram, which always may write, and Zalo, which may for a while."""

    db: Database
    clock: PaperClock
    parts: app.Parts
    telegram: Platform
    zalo: Platform
    told: int = 0

    async def tell(self, channel: Platform, who: str, text: str) -> None:
        self.told += 1
        raw = json.dumps({"who": who, "text": text})
        await self.parts.inbox.take(channel.name, Received(f"e{self.told}", who, raw))
        await self.settle()

    async def settle(self) -> None:
        for _ in range(6):
            await self.parts.conversation.step()
            for delivery in self.parts.deliveries.values():
                await delivery.step()
                await delivery.settle()

    async def promise(self, channel: str, chat: str, text: str, **more: Any) -> None:
        now = self.clock.ms()
        row = {"lane": 2, "channel": channel, "chat": chat, "message": "resident/taken", "text": text}
        await self.db.write(lambda c: outbox.promise(c, [row | {"made_at": now, "due_at": now} | more]))
        await self.settle()

    async def states(self, text: str) -> list[int]:
        query = sa.select(outbox_table.c.state).where(outbox_table.c.text == text).order_by(outbox_table.c.id)
        async with self.db.read() as conn:
            return list((await conn.execute(query)).scalars())


@pytest_asyncio.fixture
async def village(database: Database, tmp_path: Path) -> AsyncIterator[Village]:
    clock = PaperClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    window = Window(48 * HOUR_MS, 7 * 24 * HOUR_MS, daily=1, templates=frozenset({"resident/resolved"}))
    telegram, zalo = Platform("telegram"), Platform("zalo", Abilities(window=window))

    async def follow(_: str) -> Point | None:
        return None

    parts = app.build(
        database,
        COMMUNE,
        [telegram, zalo],
        files=Files(str(tmp_path / "photos")),
        studio=PaperStudio(),
        painter=PaperPainter(),
        follow=follow,
        clock=clock,
        draw_invite=lambda: CODE,
    )
    yield Village(database, clock, parts, telegram, zalo)


async def test_two_accounts_become_one_person(village: Village) -> None:
    await village.tell(village.zalo, "tam", "rac do o cong cho thon 3")
    await village.tell(village.zalo, "tam", "khong")
    await village.tell(village.zalo, "tam", "gui")
    await village.tell(village.telegram, "tam-tele", "den hong o nga ba thon 5")
    await village.tell(village.telegram, "tam-tele", "lien ket zalo")
    assert CODE in village.telegram.texts("tam-tele")[-1]
    await village.tell(village.zalo, "tam", CODE)
    assert "thành một" in village.zalo.texts("tam")[-1]
    async with village.db.read() as conn:
        persons = set((await conn.execute(sa.select(accounts.c.person))).scalars())
        owners = set((await conn.execute(sa.select(reports.c.person))).scalars())
    assert persons == owners == {"telegram:tam-tele"}
    # The code is used up, and was never kept as it reads.
    await village.tell(village.zalo, "an", CODE)
    assert "thành một" not in village.zalo.texts("an")[-1]


async def test_news_follow_where_the_person_wrote_last(village: Village) -> None:
    await village.tell(village.zalo, "tam", "rac do o cong cho thon 3")
    await village.tell(village.zalo, "tam", "khong")
    await village.tell(village.zalo, "tam", "gui")
    await village.tell(village.telegram, "tam-tele", "lien ket zalo")
    await village.tell(village.zalo, "tam", CODE)
    village.clock.move(timedelta(minutes=5))
    await village.tell(village.telegram, "tam-tele", "tra cuu")
    assert "AP-26-00001" in village.telegram.texts("tam-tele")[-1]
    async with village.db.read() as conn:
        where = (await conn.execute(sa.select(reports.c.channel, reports.c.chat))).one()
    assert tuple(where) == ("telegram", "tam-tele")


async def test_a_closed_window_leads_to_the_other_chat(village: Village) -> None:
    await village.tell(village.telegram, "tam-tele", "lien ket zalo")
    await village.tell(village.zalo, "tam", CODE)
    village.clock.move(8 * DAY)
    await village.promise("zalo", "tam", "đã nhận")
    assert village.telegram.texts("tam-tele")[-1] == "đã nhận"
    assert "đã nhận" not in village.zalo.texts("tam")
    assert await village.states("đã nhận") == [OutboxState.SUPERSEDED, OutboxState.SENT]


async def test_the_window_free_then_billed_then_a_template_then_nobody(village: Village) -> None:
    await village.tell(village.zalo, "tam", "xin chao")
    village.clock.move(timedelta(hours=47))
    await village.promise("zalo", "tam", "miễn phí")
    village.clock.move(timedelta(hours=2))
    await village.promise("zalo", "tam", "trả tiền")
    await village.promise("zalo", "tam", "quá tiền trong ngày")
    await village.promise("zalo", "tam", "đã xong", message="resident/resolved")
    assert [(text, way) for _, text, way in village.zalo.out[-3:]] == [
        ("miễn phí", Way.FREE),
        ("trả tiền", Way.BILLED),
        ("đã xong", Way.TEMPLATE),
    ]
    assert await village.states("quá tiền trong ngày") == [OutboxState.UNREACHABLE]
    # The next day has money of its own; after seven days there is none to be had.
    village.clock.move(DAY)
    await village.promise("zalo", "tam", "hôm sau")
    village.clock.move(5 * DAY)
    await village.promise("zalo", "tam", "quá bảy ngày")
    assert await village.states("hôm sau") == [OutboxState.SENT]
    assert await village.states("quá bảy ngày") == [OutboxState.UNREACHABLE]
    async with village.db.read() as conn:
        assert await outbox.unreachable(conn, 0) == [("zalo", 1)]
    await village.tell(village.zalo, "tam", "xin chao")
    await village.promise("zalo", "tam", "lại được")
    assert await village.states("lại được") == [OutboxState.SENT]


async def test_an_alert_that_a_window_shuts_out_reaches_the_office(village: Village) -> None:
    await member(village, "zalo", "tu", "thon-03", "monitor")
    await member(village, "telegram", "hanh", "ubnd", "office")
    await village.tell(village.telegram, "dan", "rac do o cong cho thon 3")
    await village.tell(village.telegram, "dan", "khong")
    await village.tell(village.telegram, "dan", "gui")
    assert village.zalo.texts("tu") == []
    assert any("🔔 AP-26-00001" in text for text in village.telegram.texts("hanh"))


async def test_a_platform_that_refuses_us_is_told_to_the_office_once_on_another(village: Village) -> None:
    await member(village, "telegram", "hanh", "ubnd", "office")
    village.zalo.outcome = Unauthorized("-224", 900.0)
    await village.tell(village.zalo, "tam", "xin chao")
    await village.tell(village.zalo, "an", "xin chao")
    told = [text for text in village.telegram.texts("hanh") if "-224" in text]
    assert len(told) == 1
    calls = len(village.zalo.out)
    village.clock.move(timedelta(minutes=10))
    await village.settle()
    assert len(village.zalo.out) == calls
    village.zalo.outcome = None
    village.clock.move(timedelta(minutes=6))
    await village.settle()
    assert len(village.zalo.texts("tam")) == 1


async def filed(village: Village, who: str, *, callback: str = "", **values: Any) -> str:
    """One report of somebody on Zalo, dealt with and done."""
    before = len(await codes(village))
    for text in ("rac do o cong cho thon 3", "khong", *([callback] if callback else []), "gui"):
        await village.tell(village.zalo, who, text)
    found = await codes(village)
    assert len(found) == before + 1, village.zalo.texts(who)[-1]
    done = {"status": "confirmed", "closed_at": village.clock.ms(), "due_at": None} | values
    query = sa.update(reports).where(reports.c.code == found[-1]).values(**done)
    await village.db.write(lambda conn: conn.execute(query))
    return found[-1]


async def codes(village: Village) -> list[str]:
    async with village.db.read() as conn:
        return list((await conn.execute(sa.select(reports.c.code).order_by(reports.c.id))).scalars())


async def morning(village: Village) -> list[str]:
    """What the office hears at seven on the next day."""
    before = len(village.telegram.texts("hanh"))
    here = village.clock.now() + timedelta(hours=7)
    seven = here.replace(hour=7, minute=0) + (DAY if here.hour >= 7 else timedelta())
    village.clock.move(seven - here + timedelta(seconds=1))
    await village.parts.reminders.look()
    await village.settle()
    return [text for text in village.telegram.texts("hanh")[before:] if text.startswith("☎")]


async def test_the_office_hears_in_the_morning_whom_it_could_not_tell(village: Village) -> None:
    await member(village, "telegram", "hanh", "ubnd", "office")
    await member(village, "telegram", "sau", "phong-kinh-te", "staff")
    await member(village, "zalo", "tu", "thon-05", "monitor")
    first = await filed(village, "tam")
    second = await filed(village, "an", callback="0912345678")
    secret = await filed(village, "binh", desk="lead")
    # Nobody could not be told: nothing is said of it.
    assert await morning(village) == []
    village.clock.move(8 * DAY)
    untold = [("tam", "một", 1), ("tam", "hai", 1), ("an", "ba", 2), ("binh", "bốn", 3), ("tu", "năm", 1)]
    for who, text, report in untold:
        await village.promise("zalo", who, text, report=report)
        assert await village.states(text) == [OutboxState.UNREACHABLE]
    (told,) = await morning(village)
    assert "4 người lâu không nhắn" in told
    # Whoever left a number can be called at once; what is about an official is nobody's but its desk's.
    assert f"{second} (có số máy), {first}" in told
    assert secret not in told
    assert "Thôn 5" in told
    assert "0912345678" not in told
    assert village.telegram.texts("sau") == []
    # Told once, and not again on the next day.
    await village.parts.reminders.look()
    await village.settle()
    assert len([text for text in village.telegram.texts("hanh") if text.startswith("☎")]) == 1
    assert await morning(village) == []
    # By the code the number is one press away.
    await village.tell(village.telegram, "hanh", second)
    assert second in village.telegram.texts("hanh")[-1]


async def test_a_clean_up_and_a_task_find_zalos_window_closed(village: Village) -> None:
    """Who wrote lately is told; who has Telegram, too, is told there; who is out of reach is told of."""
    village.clock.at = datetime(2026, 5, 21, 2, 0, tzinfo=UTC)
    await member(village, "telegram", "hanh", "ubnd", "office")
    for who, unit in (("tu", "thon-05"), ("nam", "thon-03"), ("sau", "thon-04")):
        await member(village, "zalo", who, unit, "head")
        await village.tell(village.zalo, who, "tro giup")
    await village.tell(village.telegram, "nam-tele", "lien ket zalo")
    await village.tell(village.zalo, "nam", CODE)
    await village.parts.reminders.look()
    # Eight days on only one of them has written again.
    village.clock.move(7 * DAY)
    await village.tell(village.zalo, "sau", "tro giup")
    village.clock.at = datetime(2026, 5, 29, 1, 1, tzinfo=UTC)
    await looked(village)
    assert [text for text in village.zalo.texts("tu") if "🧹" in text] == []
    assert sum("🧹 Thôn 3 chuẩn bị" in text for text in village.telegram.texts("nam-tele")) == 1
    assert sum("🧹 Thôn 4 chuẩn bị" in text for text in village.zalo.texts("sau")) == 1
    # A task meets the same window; whoever opens it hears what comes next.
    for text in ("giao viec treo bang ron cho thon 3, 4, 5 truoc 5/6", "giao"):
        await village.tell(village.telegram, "hanh", text)
    assert [text for text in village.zalo.texts("tu") if "📋" in text] == []
    assert sum("📋" in text for text in village.telegram.texts("nam-tele")) == 1
    assert sum("📋" in text for text in village.zalo.texts("sau")) == 1
    (reached,) = await morning(village)
    assert "Thôn 5" in reached
    village.clock.at = datetime(2026, 6, 3, 2, 0, tzinfo=UTC)
    await village.tell(village.zalo, "tu", "viec duoc giao")
    assert "treo bang ron" in village.zalo.texts("tu")[-1]
    village.clock.at = datetime(2026, 6, 4, 1, 1, tzinfo=UTC)
    await looked(village)
    assert sum("Ngày mai là hạn việc 1" in text for text in village.zalo.texts("tu")) == 1


async def looked(village: Village) -> None:
    """The program looks at each morning until now, as it does while it runs."""
    for _ in range(3):
        await village.parts.reminders.look()
        await village.settle()


async def member(village: Village, channel: str, account: str, unit: str, role: str) -> None:
    now = village.clock.ms()

    async def work(conn: Any) -> None:
        await people.meet(conn, [(channel, account, account)], now)
        await people.join(conn, f"{channel}:{account}", unit, role, account, now)

    await village.db.write(work)
