"""What messages pointed to is brought in: a slow file holds up none behind it, and none is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.channels.base import FileTrouble
from bot.core.commune import Point
from bot.core.events import FileRef
from bot.fetching import AT_ONCE, BACKOFF_FIRST_MS, Fetching
from storage import photos
from storage.database import Database
from storage.files import Files
from storage.tables import PhotoState
from storage.tables import inbox as inbox_table
from storage.tables import photos as table
from tests.paper import Paper, PaperClock, PaperStudio

SLOW, AWAY, GONE = "slow", "away", "gone"


class Hosts(Paper):
    """Files that come at once, when the gate opens, not now, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.busy = asyncio.Event(), asyncio.Event()
        self.at_once = self.most = 0

    async def download(self, file: FileRef, limit: int) -> bytes:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        if self.at_once > 1:
            self.busy.set()
        try:
            if file.id == SLOW:
                await self.gate.wait()
        finally:
            self.at_once -= 1
        if file.id in (AWAY, GONE):
            raise FileTrouble("missing", final=file.id == GONE)
        return b"{}"


class Bench:
    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.hosts = db, Hosts()
        self.clock = PaperClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
        self.told = asyncio.Event()
        files = Files(str(folder / "photos"))
        channels = {"paper": self.hosts}
        self.fetching = Fetching(db, channels, files, PaperStudio(), self._follow, self.clock, self.told.set)

    async def _follow(self, url: str) -> Point | None:
        raise AssertionError(url)

    async def waits(self, *files: str) -> None:
        now = self.clock.ms()
        usual = {"channel": "paper", "chat": "c", "account": "a", "grouped": False, "as_file": False}
        usual |= {"kind": "photo", "purpose": "before", "state": PhotoState.WAITING, "tries": 0}
        rows = [
            usual
            | {"id": n, "file": file, "size": None, "report": None, "received_at": now, "due_at": now + n}
            for n, file in enumerate(files, 1)
        ]
        self.clock.move(timedelta(milliseconds=len(files)))
        await self.db.write(lambda conn: photos.keep(conn, rows))

    async def states(self) -> list[int]:
        async with self.db.read() as conn:
            return [row.state for row in await conn.execute(sa.select(table.c.state).order_by(table.c.id))]

    async def until(self, reached: Callable[[list[int]], bool]) -> list[int]:
        async with asyncio.timeout(10):
            while not reached(found := await self.states()):
                self.told.clear()
                await self.told.wait()
        return found


@pytest.fixture
async def bench(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(sqlite_database, tmp_path)
    yield made
    made.hosts.gate.set()


async def test_a_slow_file_holds_up_none_behind_it(bench: Bench) -> None:
    files = [SLOW] * (AT_ONCE - 1) + ["quick"] * 20
    await bench.waits(*files)
    running = asyncio.create_task(bench.fetching.run())
    quick = await bench.until(lambda states: states.count(PhotoState.READY) == 20)
    assert quick[: AT_ONCE - 1] == [PhotoState.WAITING] * (AT_ONCE - 1)
    bench.hosts.gate.set()
    await bench.until(lambda states: states == [PhotoState.READY] * len(files))
    assert bench.hosts.most == AT_ONCE
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_end_leaves_nothing_running_and_loses_nothing(bench: Bench) -> None:
    await bench.waits(SLOW, SLOW)
    running = asyncio.create_task(bench.fetching.run())
    async with asyncio.timeout(10):
        await bench.hosts.busy.wait()
    assert bench.hosts.at_once == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert bench.hosts.at_once == 0
    # The next program on this machine takes them up at once.
    await bench.db.write(lambda conn: photos.release(conn, bench.clock.ms()))
    bench.hosts.gate.set()
    assert await bench.fetching.step() == 2
    assert await bench.states() == [PhotoState.READY] * 2


async def test_what_is_away_is_tried_again_and_what_is_gone_is_told(bench: Bench) -> None:
    await bench.waits(AWAY, GONE, "quick")
    assert await bench.fetching.step() == 3
    assert await bench.states() == [PhotoState.WAITING, PhotoState.BAD, PhotoState.READY]
    assert await bench.fetching.step() == 0
    bench.clock.move(timedelta(milliseconds=BACKOFF_FIRST_MS))
    assert await bench.fetching.step() == 1
    async with bench.db.read() as conn:
        told = (await conn.execute(sa.select(inbox_table.c.event).order_by(inbox_table.c.event))).scalars()
        assert list(told) == ["photo/2", "photo/3"]
