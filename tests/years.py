"""Five years of clean-up days: a commune where everybody is a member, machines that stop, clocks that jump.

`python -m tests.years` prints the table.
"""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot import app
from bot.config import load_commune
from bot.core.campaign import of_years
from bot.core.commune import Point
from bot.core.schedule import UNITS, Step, moments
from bot.core.when import ZONE
from bot.handlers.campaign import TAKING_PART
from storage import migrate, people
from storage.database import Database
from storage.files import Files
from storage.tables import broadcasts, outbox
from storage.tables import campaigns as campaigns_table
from tests.paper import ROOT, Paper, PaperClock, PaperPainter, PaperStudio

FIRST, LAST = 2026, 2030
START = datetime(2026, 1, 1, 9, 0, tzinfo=ZONE)
COMMUNE = load_commune(ROOT / "commune.toml")
PARTNERS = tuple(unit.id for unit in COMMUNE.units.values() if unit.kind in TAKING_PART)
OFF = timedelta(hours=30)


@dataclass
class Years:
    """What was promised, by campaign, step and unit; `off` are steps that fell into a switched-off day."""

    told: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    summaries: Counter[str] = field(default_factory=Counter)
    broadcasts: Counter[str] = field(default_factory=Counter)
    done: dict[str, set[str]] = field(default_factory=dict)
    off: set[tuple[str, str]] = field(default_factory=set)
    looks: int = 0
    restarts: int = 0
    jumps: int = 0


async def simulate(db: Database, folder: Path, seed: int = 5) -> Years:
    """Two programs on one database look by turns; one of them is often restarted."""
    chance, years = random.Random(seed), Years()
    clock = PaperClock(START)
    programs = [_program(db, folder, clock), _program(db, folder, clock)]
    await db.write(_everybody(clock.ms()))
    await _look(programs[0], years)
    due = sorted(
        (moment.at, campaign.id, str(moment.step))
        for campaign in of_years(FIRST, LAST)
        for moment in moments(campaign)
        if campaign.day >= START.date()
    )
    until = START
    for at, campaign, step in due:
        if at < until:
            years.off.add((campaign, step))
            continue
        if until > clock.at:
            # Switched on again: the first look comes at once.
            clock.at = until
            await _look(programs[0], years)
        if chance.random() < 0.08:
            # The machine is off for more than a day.
            until = at + OFF
            years.off.add((campaign, step))
            continue
        clock.at = max(at, until) + timedelta(seconds=chance.randint(0, 4))
        for program in chance.sample(programs, chance.randint(1, 2)):
            await _look(program, years)
        if chance.random() < 0.2:
            programs[chance.randrange(2)] = _program(db, folder, clock)
            years.restarts += 1
        if chance.random() < 0.1:
            clock.at -= timedelta(hours=3)
            years.jumps += 1
            await _look(programs[0], years)
    clock.at = max(clock.at, until) + timedelta(days=30)
    for _ in range(3):
        await _look(programs[0], years)
    await _read(db, years)
    return years


def _program(db: Database, folder: Path, clock: PaperClock) -> app.Parts:
    async def follow(_: str) -> Point | None:
        return None

    return app.build(
        db,
        COMMUNE,
        [Paper()],
        files=Files(str(folder / "photos")),
        studio=PaperStudio(),
        painter=PaperPainter(),
        follow=follow,
        clock=clock,
    )


def _everybody(now: int) -> Any:
    async def work(conn: Any) -> None:
        for unit in (*PARTNERS, COMMUNE.office):
            await people.meet(conn, [("paper", unit, unit)], now)
            await people.join(conn, f"paper:{unit}", unit, "staff", unit, now)

    return work


async def _look(program: app.Parts, years: Years) -> None:
    years.looks += 1
    for _ in range(8):
        await program.reminders.look()
        if not await program.conversation.step():
            return


async def _read(db: Database, years: Years) -> None:
    steps = {str(step) for step in UNITS}
    async with db.read() as conn:
        keys = (await conn.execute(sa.select(outbox.c.key).where(outbox.c.key.like("clean/%")))).scalars()
        for key in keys:
            _, campaign, step, *rest = key.split("/")
            if step in steps:
                years.told[campaign, step, rest[0]] += 1
            elif step == Step.SUMMARY:
                years.summaries[campaign] += 1
        for row in await conn.execute(sa.select(broadcasts.c.key)):
            years.broadcasts[row.key] += 1
        for row in await conn.execute(sa.select(campaigns_table.c.id, campaigns_table.c.done)):
            years.done[row.id] = set(row.done.split())


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Database, Path]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = Database.in_folder(folder)
        try:
            await migrate.upgrade(db)
            yield db, folder
        finally:
            await db.close()


async def main() -> None:
    async with opened() as (db, folder):
        years = await simulate(db, folder)
    print(f"looks {years.looks}, restarts {years.restarts}, jumps {years.jumps}, off {len(years.off)}")
    for campaign in of_years(FIRST, LAST):
        if campaign.day < START.date():
            continue
        row = [f"{campaign.id:<12} {campaign.day}"]
        for step in Step:
            if step == Step.INVITE:
                row.append(f"{step} {years.broadcasts[f'clean/{campaign.id}/{step}']}")
            elif step == Step.SUMMARY:
                row.append(f"{step} {years.summaries[campaign.id]}")
            else:
                row.append(f"{step} {sum(years.told[campaign.id, step, unit] for unit in PARTNERS)}")
        print("  ".join(row))


if __name__ == "__main__":
    asyncio.run(main())
