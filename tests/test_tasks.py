"""Tasks of the office: their moments, two programs on one database, restarts and clocks that jump."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import app
from bot.channels.base import Received
from bot.config import load_commune
from bot.core.commune import Point
from bot.core.task import OPEN, Task, TaskStep, following, moments, number_of, past, too_late
from bot.core.when import ZONE
from storage import campaigns, erasure, people, tasks
from storage.database import Conflict, Database
from storage.files import Files
from storage.tables import answers, outbox, task_history
from storage.tables import tasks as tasks_table
from tests.paper import ROOT, Paper, PaperClock, PaperPainter, PaperStudio

COMMUNE = load_commune(ROOT / "commune.toml")
# A Friday.
DAY = date(2026, 6, 12)
START = datetime(2026, 6, 8, 9, 0, tzinfo=ZONE)
VILLAGES = tuple(unit.id for unit in COMMUNE.villages)


def local(day: int, hour: int) -> datetime:
    return datetime(2026, 6, day, hour, 0, tzinfo=ZONE)


# When ---------------------------------------------------------------------------------------------


def test_reminders_keep_to_working_days() -> None:
    found = moments(Task(1, "x", DAY, VILLAGES), COMMUNE)
    assert found == {
        TaskStep.EVE: local(11, 8),
        TaskStep.TODAY: local(12, 8),
        TaskStep.NUDGE: local(15, 8),
        TaskStep.NUDGE_AGAIN: local(17, 8),
        TaskStep.LISTED: local(18, 8),
    }


def test_the_day_before_a_monday_is_friday() -> None:
    assert moments(Task(1, "x", date(2026, 6, 15), VILLAGES), COMMUNE)[TaskStep.EVE] == local(12, 8)


def test_what_follows_and_what_is_too_late() -> None:
    task = Task(1, "x", DAY, VILLAGES)
    assert following(task, COMMUNE) == (TaskStep.EVE, local(11, 8))
    assert too_late(task, COMMUNE, local(15, 9)) == {TaskStep.EVE, TaskStep.TODAY}
    assert past(task, COMMUNE, local(11, 9)) == {TaskStep.EVE}
    assert following(replace(task, done=frozenset(TaskStep)), COMMUNE) is None
    assert following(replace(task, state="closed"), COMMUNE) is None


@pytest.mark.parametrize(("id", "number"), [("nv-4", 4), ("tet-2027", None), ("nv-", None), ("nv-x", None)])
def test_the_id_of_a_task(id: str, number: int | None) -> None:
    assert number_of(id) == number


# Two programs --------------------------------------------------------------------------------------


class Stage:
    """Two programs on one database, and everybody who is told."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.folder, self.clock = db, folder, PaperClock(START)
        self.programs = [self.program(), self.program()]
        self.told = 0

    def program(self) -> app.Parts:
        async def follow(_: str) -> Point | None:
            return None

        files = Files(str(self.folder / "photos"))
        return app.build(
            self.db,
            COMMUNE,
            [Paper()],
            files=files,
            studio=PaperStudio(),
            painter=PaperPainter(),
            follow=follow,
            clock=self.clock,
        )

    async def members(self) -> None:
        async def work(conn: AsyncConnection) -> None:
            for unit in (*VILLAGES, COMMUNE.office):
                role = "office" if unit == COMMUNE.office else "head"
                for name in (unit, f"{unit}-2") if unit == COMMUNE.office else (unit,):
                    await people.meet(conn, [("paper", name, name)], self.clock.ms())
                    await people.join(conn, f"paper:{name}", unit, role, name, self.clock.ms())

        await self.db.write(work)

    async def say(self, who: str, text: str, program: int = 0) -> None:
        self.told += 1
        body = {
            "id": f"e{self.told}",
            "chat": who,
            "group": False,
            "account": who,
            "name": who,
            "event": {"kind": "Words", "values": {"text": text}},
        }
        await self.programs[program].inbox.take("paper", Received(f"e{self.told}", who, json.dumps(body)))

    async def step(self, *which: int) -> None:
        """These programs look and decide, side by side."""

        async def turn(program: app.Parts) -> None:
            await program.reminders.look()
            while await program.conversation.step():
                pass

        await asyncio.gather(*(turn(self.programs[one]) for one in which))

    async def keys(self) -> Counter[str]:
        async with self.db.read() as conn:
            found = await conn.execute(sa.select(outbox.c.key).where(outbox.c.key.like("job/%")))
            return Counter(found.scalars())


@pytest_asyncio.fixture
async def stage(database: Database, tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(database, tmp_path)
    await stage.members()
    yield stage


async def test_two_give_a_task_at_once(stage: Stage) -> None:
    """Two officers, two programs: two tasks, two numbers, each unit hears of both once."""
    officers = (COMMUNE.office, f"{COMMUNE.office}-2")
    for number, who in enumerate(officers):
        await stage.say(who, f"giao viec viec thu {number} cho cac thon truoc 12/6", number)
    await stage.step(0, 1)
    for number, who in enumerate(officers):
        await stage.say(who, "giao", number)
    await stage.step(0, 1)
    await stage.step(0, 1)
    async with stage.db.read() as conn:
        rows = await tasks.open_ones(conn)
    assert sorted(row.number for row in rows) == [1, 2]
    assert {row.made_by for row in rows} == set(officers)
    expected = {f"job/{n}/given/{v}/paper:{v}" for n in (1, 2) for v in VILLAGES}
    assert await stage.keys() == Counter(dict.fromkeys(expected, 1))


async def test_every_reminder_once_whatever_happens(stage: Stage) -> None:
    """Both look, one is restarted, the clock jumps back; one village reports and hears no more."""
    chance = random.Random(7)
    await stage.say(COMMUNE.office, "giao viec khoi ranh cho cac thon truoc 12/6")
    await stage.step(0)
    await stage.say(COMMUNE.office, "giao")
    await stage.step(0)
    await stage.say(VILLAGES[0], "ket qua viec 1")
    await stage.step(1)
    await stage.say(VILLAGES[0], "khoi xong 400 m")
    await stage.step(1)
    for at in moments(Task(1, "x", DAY, VILLAGES), COMMUNE).values():
        stage.clock.at = at + timedelta(seconds=chance.randint(0, 4))
        await stage.step(0, 1)
        stage.programs[chance.randrange(2)] = stage.program()
        stage.clock.at -= timedelta(hours=3)
        await stage.step(0, 1)
        stage.clock.at += timedelta(hours=4)
        await stage.step(*chance.sample((0, 1), 2))
    silent = VILLAGES[1:]
    expected = {f"job/1/given/{v}/paper:{v}" for v in VILLAGES}
    expected |= {f"job/1/{s}/{v}/paper:{v}" for s in ("eve", "today", "nudge", "nudge_again") for v in silent}
    expected |= {f"job/1/listed/paper:{who}" for who in (COMMUNE.office, f"{COMMUNE.office}-2")}
    assert await stage.keys() == Counter(dict.fromkeys(expected, 1))


async def test_a_day_switched_off_is_not_made_up_for(stage: Stage) -> None:
    await stage.say(COMMUNE.office, "giao viec khoi ranh cho thon 3 truoc 12/6")
    await stage.step(0)
    await stage.say(COMMUNE.office, "giao")
    await stage.step(0)
    stage.clock.at = local(16, 9)
    for _ in range(3):
        await stage.step(0, 1)
    steps = {key.split("/")[2] for key in await stage.keys()}
    assert steps == {"given", "nudge"}


async def test_a_number_is_given_once(database: Database) -> None:
    row = {"number": 1, "text": "x", "day": "2026-06-12", "units": "thon-03", "made_at": 0}
    row |= {"made_by": "Hà", "state": OPEN}
    await database.write(lambda conn: tasks.make(conn, row))
    with pytest.raises(Conflict):
        await database.write(lambda conn: tasks.make(conn, row))
    async with database.read() as conn:
        count = await conn.execute(sa.select(sa.func.count()).select_from(tasks_table))
        assert count.scalar() == 1
        assert await tasks.latest(conn) == 1


async def test_who_is_erased_leaves_what_the_unit_did(stage: Stage) -> None:
    """And an answer to a clean-up day goes with the person."""
    village, office = VILLAGES[0], COMMUNE.office
    for who, text in (
        (office, "giao viec khoi ranh cho thon 1 truoc 12/6"),
        (office, "giao"),
        (village, "ket qua viec 1"),
        (village, "khoi xong 400 m"),
    ):
        await stage.say(who, text)
        await stage.step(0)

    async def erased(conn: AsyncConnection) -> None:
        await campaigns.answer(conn, "2-9-2026", f"paper:{village}", village, coming=True)
        for who in (village, office):
            await erasure.erase(conn, f"paper:{who}", 10**9)

    await stage.db.write(erased)
    async with stage.db.read() as conn:
        (task,) = await tasks.open_ones(conn)
        (result,) = await tasks.results(conn, [1])
        lines = (await conn.execute(sa.select(task_history.c.person))).scalars().all()
        answered = (await conn.execute(sa.select(sa.func.count()).select_from(answers))).scalar()
    assert (task.person, task.made_by) == (None, "")
    assert (result.reported_by, result.note) == ("", "khoi xong 400 m")
    assert set(lines) == {None}
    assert answered == 0
