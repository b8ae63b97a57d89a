"""A notice of the office: nobody lets go their own, one of two approvals counts, the books are whole."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.broadcast import killed
from bot import broadcasting
from bot.channels.base import Abilities, Outcome, Refused, Sent
from bot.config import load_commune
from bot.core.events import Address, Pressed, Words
from bot.core.message import Message
from bot.core.notice import OVER, RUNNING, WAITING, Audience
from bot.core.noticewords import audience_in
from bot.core.when import ZONE
from bot.core.words import Lexicon
from storage import announcements, audiences, broadcasts, outbox, pairings, people
from storage.audiences import Windows
from storage.broadcasts import Ledger
from storage.database import Database
from storage.tables import OutboxState, accounts, inbox
from storage.tables import announcements as announcements_table
from storage.tables import outbox as outbox_table
from storage.tables import people as people_table
from tests.paper import ROOT, Paper, Stage
from tests.platforms import Deed
from tests.test_conversation import staged

COMMUNE = load_commune(ROOT / "commune.toml")
LEXICON = Lexicon(COMMUNE)
TEXT = "Mai mất nước <b>cả ngày</b> {{ x }} **gọi** 0225 000 111"
HOUR = timedelta(hours=1)


class Editing(Paper):
    """Paper that can be written over; keeps how each message reads now."""

    abilities = Abilities(edits=True)

    def __init__(self) -> None:
        super().__init__()
        self.reads: dict[str, str] = {}
        self.edits: list[str] = []
        self.refuses: set[str] = set()

    async def send(self, to: Address, message: Message, photo: bytes | None, key: int) -> Outcome:
        self.reads[f"m{key}"] = message.text
        return await super().send(to, message, photo, key)

    async def edit(self, to: Address, sent: str, message: Message) -> Outcome:
        if to.chat in self.refuses:
            return Refused("rejected", "too old")
        assert sent in self.reads
        self.reads[sent] = message.text
        self.edits.append(message.text)
        return Sent()


class Office:
    """A running program with Hà and Minh of the office, and people who chatted before."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.db = stage, stage.db

    async def member(self, name: str, role: str, unit: str = "ubnd") -> None:
        now = self.stage.clock.ms()

        async def work(conn: AsyncConnection) -> None:
            await people.meet(conn, [("paper", name, name)], now)
            await people.join(conn, f"paper:{name}", unit, role, name, now)

        await self.db.write(work)

    async def crowd(self, count: int) -> None:
        rows = [("paper", f"dân{number:03d}", f"dân{number:03d}") for number in range(count)]
        await self.db.write(lambda conn: people.meet(conn, rows, 1))

    async def says(self, who: str, words: str, where: str = "", on: str | None = None) -> None:
        deed = Deed(who, where or who, bool(where), Words(words), on)
        await self.stage.platform.arrive(deed, self.stage.take)
        await self.decide()

    async def presses(self, who: str, action: str, where: str = "") -> None:
        await self.arrives(who, action, where)
        await self.decide()

    async def arrives(self, who: str, action: str, where: str = "") -> None:
        deed = Deed(who, where or who, bool(where), Pressed(action), "m1")
        await self.stage.platform.arrive(deed, self.stage.take)

    async def decide(self) -> None:
        while await self.stage.running.conversation.step():
            pass

    async def asked(self, whom: str = "tất cả", by: str = "Hà", text: str = TEXT) -> int:
        """A notice that waits for approval."""
        for words in ("thong bao", text, whom, "xin duyet"):
            await self.says(by, words)
        return int((await self.rows())[-1].id)

    async def rows(self) -> list[sa.Row[Any]]:
        query = sa.select(announcements_table).order_by(announcements_table.c.id)
        async with self.db.read() as conn:
            return list(await conn.execute(query))

    async def state(self) -> str:
        return str((await self.rows())[-1].state)

    async def messages(self, name: str) -> list[str]:
        """The texts promised under a template, in order."""
        query = sa.select(outbox_table.c.text).where(outbox_table.c.message == name)
        async with self.db.read() as conn:
            return list((await conn.execute(query.order_by(outbox_table.c.id))).scalars())

    async def promised(self) -> list[str]:
        """The chats to which a notice itself was promised by its broadcast."""
        query = sa.select(outbox_table.c.chat).where(outbox_table.c.broadcast.is_not(None))
        async with self.db.read() as conn:
            return sorted((await conn.execute(query)).scalars())

    async def ledger(self, notice: int) -> Ledger:
        async with self.db.read() as conn:
            found = await broadcasts.find(conn, f"notice/{notice}")
            assert found is not None
            return await broadcasts.ledger(conn, found)

    async def promise(self) -> None:
        while await self.stage.running.broadcasting.step():
            pass

    async def deliver(self, times: int = 200) -> None:
        """So many looks of delivery, or until nothing moves."""
        for delivery in self.stage.running.deliveries.values():
            for _ in range(times):
                before = delivery.sent
                await delivery.step()
                await delivery.settle()
                if delivery.sent == before:
                    break

    async def look(self) -> None:
        await self.stage.look()
        await self.decide()


@pytest.fixture
async def office(database: Database, tmp_path: Path) -> Office:
    found = Office(await staged(database, tmp_path))
    await found.member("Hà", "office")
    await found.member("Minh", "office")
    return found


# Who lets it go -------------------------------------------------------------------------------------


async def test_what_is_written_goes_out_as_it_stands(office: Office) -> None:
    notice = await office.asked()
    await office.presses("Minh", f"nd:ok:{notice}")
    await office.promise()
    await office.deliver()
    told = set(await office.messages("resident/notice"))
    # The preview, what the second one saw, and what everybody got are the same.
    assert len(told) == 1
    assert TEXT in told.pop()
    row = (await office.rows())[-1]
    assert (row.author, row.author_name, row.decider, row.decider_name) == (
        "paper:Hà",
        "Hà",
        "paper:Minh",
        "Minh",
    )
    assert (row.made_at, row.decided_at) == (office.stage.clock.ms(), office.stage.clock.ms())


@pytest.mark.parametrize("words", ["duyet", "Duyệt và gửi", "duyệt đi ạ"])
async def test_the_author_never_lets_it_go(office: Office, words: str) -> None:
    notice = await office.asked()
    await office.presses("Hà", f"nd:ok:{notice}")
    await office.says("Hà", words)
    assert await office.state() == WAITING
    assert await office.promised() == []


async def test_nor_by_another_account_of_theirs(office: Office) -> None:
    """Linked before or after it was asked for; the roles of both accounts do not help."""
    await office.member("Hà hai", "office")
    notice = await office.asked()
    now = office.stage.clock.ms()
    await office.db.write(lambda conn: pairings.make(conn, "hash", "paper:Hà hai", now + 1000))
    # Hà types the code that her other account drew: from now on both are that one.
    await office.db.write(lambda conn: pairings.pair(conn, "hash", "paper:Hà"))
    for who in ("Hà", "Hà hai"):
        await office.presses(who, f"nd:ok:{notice}")
        await office.says(who, "duyet")
        assert await office.state() == WAITING
    await office.presses("Minh", f"nd:ok:{notice}")
    assert await office.state() == RUNNING


@pytest.mark.parametrize("role", ["monitor", "staff", "head", "police", "lead"])
async def test_nobody_else_lets_it_go_while_the_office_has_two(office: Office, role: str) -> None:
    await office.member("Ai", role, "ubnd" if role == "lead" else "thon-03")
    notice = await office.asked()
    await office.presses("Ai", f"nd:ok:{notice}")
    await office.says("Ai", "duyet")
    await office.presses("dân", f"nd:ok:{notice}")
    assert await office.state() == WAITING


async def test_who_was_removed_meanwhile_does_not(office: Office) -> None:
    notice = await office.asked()
    await office.db.write(lambda conn: people.dismiss(conn, "paper:Minh", "ubnd", 1))
    await office.presses("Minh", f"nd:ok:{notice}")
    assert await office.state() == WAITING


async def test_an_old_one_is_not_let_go(office: Office) -> None:
    notice = await office.asked()
    office.stage.clock.move(49 * HOUR)
    await office.presses("Minh", f"nd:ok:{notice}")
    await office.says("Minh", "duyet")
    assert await office.state() == WAITING
    assert "hai ngày không ai duyệt" in (await office.messages("office/notice_past"))[0]


async def test_of_an_older_preview_nothing_is_asked(office: Office) -> None:
    for words in ("thong bao", "lời thứ nhất", "tất cả"):
        await office.says("Hà", words)
    await office.presses("Hà", "nt:text")
    await office.says("Hà", "lời thứ hai")
    # The button under the first preview.
    await office.presses("Hà", "nt:send:2")
    assert await office.rows() == []
    await office.says("Hà", "xin duyệt")
    assert [row.text for row in await office.rows()] == ["lời thứ hai"]


async def test_two_programs_let_it_go_once(office: Office, database_url: str) -> None:
    """Two officers press at the same moment, each heard by a process of its own."""
    await office.member("Tâm", "office")
    await office.crowd(5)
    notice = await office.asked()
    at = str(office.stage.clock.ms())
    racers = [await _racer(database_url, at) for _ in range(2)]
    for number, who in enumerate(("Minh", "Tâm", "Minh", "Tâm")):
        await office.arrives(who, f"nd:ok:{notice}" if number < 3 else f"nd:no:{notice}")
    await asyncio.gather(*(_go(racer) for racer in racers))
    assert await office.state() == RUNNING
    assert len(await office.messages("office/notice_approved")) == 2
    assert len(await office.messages("office/notice_past")) == 3
    await office.promise()
    assert len(await office.promised()) == len(set(await office.promised())) == 8


async def _racer(database_url: str, at: str) -> Process:
    command = (sys.executable, "-m", "tests.notice_racer", database_url, at)
    racer = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=ROOT)
    assert racer.stdout is not None
    assert await racer.stdout.readline() == b"ready\n"
    return racer


async def _go(racer: Process) -> None:
    told, _ = await racer.communicate(b"go\n")
    assert told.endswith(b"done\n")


# Where ------------------------------------------------------------------------------------------------


async def test_in_the_room_of_the_office(office: Office) -> None:
    """Words that answer the bot are meant for it; all others are the room's own talk."""
    room, now = "Văn phòng", office.stage.clock.ms()
    await office.db.write(lambda conn: people.bind(conn, "paper", room, "ubnd", "x", now))
    await office.says("Hà", "/thongbao", room)
    await office.says("Hà", "trưa nay ăn gì", room)
    await office.says("Minh", "không phải tôi soạn", room, on="m1")
    await office.says("Hà", "Mai họp", room, on="m1")
    await office.says("Hà", "3", room)
    await office.presses("Hà", "nt:all", room)
    await office.presses("Minh", "nt:send:2", room)
    assert await office.rows() == []
    await office.presses("Hà", "nt:send:2", room)
    (row,) = await office.rows()
    assert row.text == "Mai họp"
    await office.presses("Hà", f"nd:ok:{row.id}", room)
    assert await office.state() == WAITING
    await office.presses("Minh", f"nd:ok:{row.id}", room)
    assert await office.state() == RUNNING


async def test_not_in_any_other_room(office: Office) -> None:
    now = office.stage.clock.ms()
    await office.db.write(lambda conn: people.bind(conn, "paper", "Thôn 3", "thon-03", "x", now))
    notice = await office.asked()
    await office.says("Hà", "/thongbao", "Thôn 3")
    await office.presses("Minh", f"nd:ok:{notice}", "Thôn 3")
    assert await office.state() == WAITING
    assert await office.messages("join/in_private") != []


# Whom ------------------------------------------------------------------------------------------------


AUDIENCES: dict[str, str | None] = {
    "tat ca": "all",
    "cả xã": "all",
    "3": "villages:thon-03",
    "thôn 3, 5, 7-9": "villages:thon-03,thon-05,thon-07,thon-08,thon-09",
    "thon 3 den thon 5 va thon 12": "villages:thon-03,thon-04,thon-05,thon-12",
    "5 3 3": "villages:thon-03,thon-05",
    "9-7": None,
    "3, 70": None,
    "0": None,
    "thôn ba": "villages:thon-03",
    "trưởng thôn": "roles:head",
    "cong an, truong thon": "roles:head,police",
    "giám sát và lãnh đạo xã": "roles:monitor,lead",
    "tất cả thành viên": "roles:head,monitor,police,staff,office,lead",
    "trưởng thôn, thôn 3": None,
    "ai cũng được": None,
    "": None,
}


@pytest.mark.parametrize("text", AUDIENCES)
def test_an_audience_in_words(text: str) -> None:
    found = audience_in(text, LEXICON, COMMUNE)
    assert (found and found.key) == AUDIENCES[text]


async def _town(db: Database) -> None:
    """Who follows a village, who follows none, who said stop; members of both kinds."""

    async def work(conn: AsyncConnection) -> None:
        for name in ("an", "ba", "chi", "dung", "em", "gia"):
            await people.meet(conn, [("paper", name, name)], 1)
        values: Mapping[str, dict[str, Any]] = {
            "an": {"reminded": "thon-03"},
            "ba": {"reminded": ""},
            "chi": {"stopped_at": 5},
            "dung": {"stopped_at": 5},
        }
        for name, value in values.items():
            own = people_table.c.id == f"paper:{name}"
            await conn.execute(sa.update(people_table).where(own).values(**value))
        await people.join(conn, "paper:dung", "thon-05", "head", "Dũng", 1)
        await people.join(conn, "paper:em", "thon-03", "monitor", "Em", 1)
        await people.join(conn, "paper:em", "thon-03", "head", "Em", 1)
        await people.reach(conn, "paper", "gia", False)

    await db.write(work)


@pytest.mark.parametrize(
    ("audience", "told", "all_of_them"),
    [
        ("reminded", ["an", "ba"], 2),
        ("all", ["an", "ba", "em"], 4),
        ("villages:thon-03,thon-05", ["an", "em"], 2),
        ("roles:head", ["dung", "em"], 2),
        ("roles:monitor,police", ["em"], 1),
        ("roles:lead", [], 0),
    ],
)
async def test_who_is_meant(database: Database, audience: str, told: list[str], all_of_them: int) -> None:
    await _town(database)
    async with database.read() as conn:
        heard, rest = await broadcasts.listeners(conn, "", 100, {"paper"}, audience)
        reached = await audiences.reach(conn, audience, {"paper": None})
        count = await audiences.count(conn, audience)
    assert (sorted(one.chat for one in heard), rest) == (told, None)
    assert sum(one.count for one in reached) == len(told)
    assert count == all_of_them


async def test_whom_a_closed_window_keeps_out(database: Database) -> None:
    """As delivery will do it: by the chat written in last, else by an open one on another platform."""
    wrote = {"free": 900, "paid": 500, "closed": 100, "never": None, "both": 100}

    async def work(conn: AsyncConnection) -> None:
        for name, at in wrote.items():
            await people.meet(conn, [("zalo", name, name)], 1)
            await conn.execute(sa.update(accounts).where(accounts.c.account == name).values(wrote_at=at))
        row = {"channel": "tele", "account": "b", "person": "zalo:both", "chat": "b", "reachable": True}
        await conn.execute(sa.insert(accounts), row | {"wrote_at": 50})
        gone = {"channel": "off", "account": "c", "person": "zalo:closed", "chat": "c", "reachable": True}
        await conn.execute(sa.insert(accounts), gone | {"wrote_at": 999})

    await database.write(work)
    async with database.read() as conn:
        found = await audiences.reach(conn, "all", {"zalo": Windows(800, 400), "tele": None})
    told = {(one.channel, one.way, one.elsewhere): one.count for one in found}
    assert told == {
        ("zalo", audiences.FREE, False): 1,
        ("zalo", audiences.BILLED, False): 1,
        ("zalo", audiences.CLOSED, False): 2,
        ("zalo", audiences.CLOSED, True): 1,
    }


async def test_stop_takes_back_what_waits_but_for_members(office: Office) -> None:
    await office.member("Năm", "head", "thon-03")
    first, second = await office.asked(), await office.asked("truong thon")
    await office.presses("Minh", f"nd:ok:{first}")
    await office.presses("Minh", f"nd:ok:{second}")
    await office.promise()
    await office.says("Năm", "dừng")
    await office.deliver()
    assert (await office.ledger(first)).unwanted == 1
    assert await office.ledger(second) == Ledger(sent=1)


# On its way ------------------------------------------------------------------------------------------


async def test_broken_off_in_the_middle(office: Office) -> None:
    await office.crowd(20)
    notice = await office.asked()
    paper = office.stage.channel
    assert isinstance(paper, Paper)
    with patch.object(broadcasting, "CHUNK", 5):
        await office.presses("Minh", f"nd:ok:{notice}")
        await office.stage.running.broadcasting.step()
        await office.stage.running.broadcasting.step()
        delivery = office.stage.running.deliveries["paper"]
        await delivery.step()
        await delivery.settle()
        await office.presses("Hà", f"nd:stop:{notice}")
        before = len(paper.said)
        await office.presses("Hà", f"nd:stopyes:{notice}")
        await office.presses("Minh", f"nd:stopyes:{notice}")
        await office.promise()
    await office.deliver()
    ledger = await office.ledger(notice)
    assert ledger.total == len(await office.promised()) == 10
    assert ledger.waiting == ledger.unknown == 0
    assert ledger.sent + ledger.stopped == 10
    assert ledger.stopped > 0
    # After that only the office heard something.
    assert {one.where for one in paper.said[before:]} <= {"Hà", "Minh"}
    await office.look()
    (row,) = await office.rows()
    assert (row.state, row.stopped_name) == (OVER, "Hà")
    assert sum(json.loads(row.result).values()) == 10
    results = await office.messages("office/notice_result")
    assert len(results) == 2
    assert "10 người" in results[0]


async def test_every_recipient_ends_in_the_result(office: Office) -> None:
    await office.crowd(9)
    notice = await office.asked()
    paper = office.stage.channel
    assert isinstance(paper, Paper)
    paper.deaf = {"dân001", "dân004"}
    await office.presses("Minh", f"nd:ok:{notice}")
    await office.promise()
    await office.deliver()
    await office.look()
    (row,) = await office.rows()
    assert json.loads(row.result) == asdict(Ledger(sent=9, refused=2))
    assert "11 người nhận: đã gửi 9, đã chặn kênh 2." in (await office.messages("office/notice_result"))[0]
    # Told once, however often it is looked.
    await office.look()
    assert len(await office.messages("office/notice_result")) == 2


async def test_what_is_being_sent_is_not_the_result_yet(office: Office) -> None:
    """We died in the middle: it is unknown once the sender had time to answer, and the books close then."""
    notice = await office.asked()
    await office.presses("Minh", f"nd:ok:{notice}")
    await office.promise()
    now = office.stage.clock.ms()
    claim = partial(outbox.claim, channel="paper", now=now, lease=now + 15_000, limit=9, once_lanes=(4,))
    while await office.db.write(claim):
        pass
    await office.db.write(lambda conn: conn.execute(_answered()))
    while await office.db.write(claim):
        pass
    await office.look()
    assert await office.state() == RUNNING
    office.stage.clock.move(timedelta(seconds=16))
    await office.look()
    assert await office.state() == OVER
    assert json.loads((await office.rows())[-1].result)["unknown"] == 2


def _answered() -> sa.Update:
    """What the office was told has arrived, so that the notice's own rows have their turn."""
    own = outbox_table.c.broadcast.is_(None)
    return sa.update(outbox_table).where(own).values(state=OutboxState.SENT)


@pytest.mark.parametrize(
    ("clock", "starts"),
    [("20:29", None), ("20:31", "05:30"), ("23:00", "05:30"), ("05:29", "05:30"), ("05:30", None)],
)
async def test_nothing_goes_out_at_night(office: Office, clock: str, starts: str | None) -> None:
    day = datetime(2026, 3, 2, tzinfo=ZONE)
    office.stage.clock.at = datetime.combine(day, time.fromisoformat(clock), ZONE)
    notice = await office.asked()
    await office.presses("Minh", f"nd:ok:{notice}")
    await office.promise()
    async with office.db.read() as conn:
        sent = await announcements.started(conn, f"notice/{notice}")
    assert sent is not None
    if starts is None:
        assert sent.starts_at is None
        assert len(await office.promised()) == 2
        return
    begins = datetime.fromtimestamp(sent.starts_at / 1000, ZONE)
    assert begins.strftime("%H:%M") == starts
    assert await office.promised() == []
    office.stage.clock.at = begins + timedelta(seconds=1)
    await office.promise()
    assert len(await office.promised()) == 2


# The message that changes ----------------------------------------------------------------------------


@pytest.fixture
async def editing(database: Database, tmp_path: Path) -> tuple[Office, Editing]:
    paper = Editing()
    found = Office(await staged(database, tmp_path, paper))
    await found.member("Hà", "office")
    await found.member("Minh", "office")
    return found, paper


async def test_one_message_tells_how_far_it_got(editing: tuple[Office, Editing]) -> None:
    office, paper = editing
    await office.crowd(8)
    notice = await office.asked()
    await office.presses("Minh", f"nd:ok:{notice}")
    await office.deliver()
    sent = len(paper.reads)
    with patch.object(broadcasting, "CHUNK", 5):
        await office.stage.running.broadcasting.step()
        await office.deliver()
        await office.look()
        await office.look()
        await office.deliver()
    assert len(paper.edits) == 2
    assert all("5/5 người" in text for text in paper.edits)
    await office.promise()
    await office.deliver()
    await office.look()
    await office.deliver()
    # Ten notices and two results were new messages; the rest took the place of the first.
    assert len(paper.reads) == sent + 12
    assert len(paper.edits) == 4
    assert sum("đã xong" in text for text in paper.reads.values()) == 2


async def test_a_newer_change_takes_the_place_of_one_that_waits(editing: tuple[Office, Editing]) -> None:
    office, paper = editing
    await office.crowd(8)
    notice = await office.asked()
    await office.presses("Minh", f"nd:ok:{notice}")
    await office.deliver()
    with patch.object(broadcasting, "CHUNK", 5):
        await office.stage.running.broadcasting.step()
        await office.deliver()
        await office.look()
        await office.promise()
    await office.look()
    waiting = [row for row in await _edits(office) if row.state == OutboxState.DUE]
    assert len({row.edits for row in waiting}) == len(waiting)
    await office.deliver()
    assert len(paper.edits) <= 4


async def test_a_change_that_is_refused_is_nobodys_matter(editing: tuple[Office, Editing]) -> None:
    office, paper = editing
    paper.refuses = {"Hà", "Minh"}
    notice = await office.asked()
    await office.presses("Minh", f"nd:ok:{notice}")
    await office.deliver()
    await office.promise()
    await office.deliver()
    await office.look()
    await office.deliver()
    assert {row.state for row in await _edits(office)} == {OutboxState.REFUSED}
    async with office.db.read() as conn:
        count = sa.select(sa.func.count()).select_from(inbox).where(inbox.c.event.startswith("undelivered"))
        assert (await conn.execute(count)).scalar() == 0
    assert len(await office.messages("office/notice_result")) == 2


async def _edits(office: Office) -> list[sa.Row[Any]]:
    query = sa.select(outbox_table).where(outbox_table.c.edits.is_not(None))
    async with office.db.read() as conn:
        return list(await conn.execute(query))


# Forgotten, and killed -------------------------------------------------------------------------------


async def test_who_is_erased_leaves_the_notice(office: Office) -> None:
    notice = await office.asked()
    await office.presses("Minh", f"nd:ok:{notice}")
    for person in ("paper:Hà", "paper:Minh"):
        await office.db.write(partial(announcements.forget, person=person))
    (row,) = await office.rows()
    assert row.text == TEXT
    assert (row.author, row.author_name, row.author_ear) == (None, "", None)
    assert (row.decider, row.decider_name, row.decider_ear) == (None, "", None)
    await office.promise()
    await office.deliver()
    await office.look()
    assert await office.state() == OVER
    assert Audience("all").key == row.audience


async def test_killed_while_everybody_is_told(tmp_path: Path) -> None:
    verdict = await killed(tmp_path, people=600, kills=6, seed=20260301, audience="all")
    assert verdict.ledger.total == 600
    assert (verdict.ledger.waiting, verdict.doubled) == (0, 0)
    assert (verdict.not_taken, verdict.not_booked, verdict.floods) == (0, 0, 0)


async def test_what_is_said_long_after_is_another_matter(office: Office) -> None:
    """Who only wanted to see the last ones tells of rubbish a while later."""
    await office.says("Hà", "thong bao")
    office.stage.clock.move(timedelta(minutes=16))
    await office.says("Hà", "rác ở cổng chợ thôn 3")
    assert await office.messages("office/notice_whom") == []
    await office.says("Minh", "thong bao")
    await office.says("Minh", "Mai mất nước")
    office.stage.clock.move(timedelta(minutes=110))
    await office.says("Minh", "tat ca")
    assert len(await office.messages("office/notice_preview")) == 1
