"""Bench `picture`: figures of a million reports, and the pictures that are drawn of figures."""

import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from bench import seed
from bench.photo import Watch
from bench.result import Row, percentile
from bench.servers import rss
from bot import figures
from bot.core.figures import NOW, VILLAGES, WEEK
from bot.handlers import stats
from bot.painting import LARGEST, Easel
from storage import statistics
from storage.database import Database
from tests import samples
from tests.drawing import WORLD

REPORTS, REPORTS_QUICK = 1_000_000, 200_000
FIGURES_MS, FIRST_S, DRAWN_S, WORKER_MB, GROWTH_MB = 200.0, 5.0, 2.0, 256.0, 5.0
# One every ten minutes, 144 a day: a million are nineteen years of a busy commune.
EVERY_MS = 600_000
OFFICE = (("ubnd", "office"),)
Look = Callable[[AsyncConnection], Awaitable[object]]


async def run(folder: Path, *, quick: bool) -> list[Row]:
    count = REPORTS_QUICK if quick else REPORTS
    await seed.seed(folder / "data", count, EVERY_MS)
    counted = await _counted(folder / "data", count, looks=10 if quick else 30)
    return [*counted, *await _drawn(folder / "drawing", rounds=2 if quick else 5)]


async def _counted(data: Path, count: int, looks: int) -> list[Row]:
    db, now, rows = Database.in_folder(data), datetime.fromtimestamp(seed.NOW_MS / 1000, UTC), []
    try:
        for view in (NOW, WEEK, VILLAGES):
            asked = stats.asked_view(WORLD, view)
            gather = partial(figures.gather, asked=asked, roles=OFFICE, now=now)
            rows.append(_figures_row(view, count, [await _timed(db, gather) for _ in range(looks)]))
        took = percentile([await _timed(db, _a_year) for _ in range(5)], 0.5)
        rows.append(Row("picture: waits of a year by village", f"p50 {took:.0f} ms"))
    finally:
        await db.close()
    return rows


async def _a_year(conn: AsyncConnection) -> object:
    whole = statistics.Within(all=True, without="lead")
    return await statistics.by_village(conn, whole, seed.NOW_MS - 365 * seed.DAY_MS, seed.NOW_MS)


def _figures_row(view: str, count: int, took: list[float]) -> Row:
    middle, late = percentile(took, 0.5), percentile(took, 0.9)
    told = f"p50 {middle:.0f}, p90 {late:.0f} ms"
    return Row(
        f"picture: figures “{view}” of {count:,}", told, "", f"≤ {FIGURES_MS:.0f} ms", late <= FIGURES_MS
    )


async def _timed(db: Database, work: Look) -> float:
    async with db.read() as conn:
        began = time.perf_counter()
        await work(conn)
        return (time.perf_counter() - began) * 1000


async def _drawn(folder: Path, rounds: int) -> list[Row]:
    specs, before = samples.pictures(), rss(os.getpid())
    easel = Easel(folder)
    try:
        first = await _seconds(easel, specs["now"].spec)
        pid = easel.pid
        assert pid is not None
        took: list[float] = []
        with Watch(pid) as worker:
            for _ in range(rounds):
                took += [await _seconds(easel, one.spec) for one in specs.values()]
        sizes = [len(await easel.draw(one.spec)) for one in specs.values()]
    finally:
        await easel.stop()
    return _rows(first, took, sizes, worker.most, max(0.0, rss(os.getpid()) - before))


async def _seconds(easel: Easel, spec: str) -> float:
    began = time.perf_counter()
    await easel.draw(spec)
    return time.perf_counter() - began


def _rows(first: float, took: list[float], sizes: list[int], held: float, grew: float) -> list[Row]:
    late, largest = max(took), max(sizes)
    drawn = f"median {percentile(took, 0.5):.2f}, slowest {late:.2f} s"
    kilo = LARGEST // 1000
    return [
        Row("picture: the first, and a worker", f"{first:.1f} s", "", f"≤ {FIRST_S:.0f} s", first <= FIRST_S),
        Row("picture: each after it", drawn, "", f"≤ {DRAWN_S:.0f} s", late <= DRAWN_S),
        Row("picture: the largest", f"{largest / 1000:.0f} kB", "", f"< {kilo} kB", largest < LARGEST),
        Row("picture: worker's memory", f"{held:.0f} MB", "", f"≤ {WORKER_MB:.0f} MB", held <= WORKER_MB),
        Row("picture: growth of the bot", f"{grew:.0f} MB", "", f"≤ {GROWTH_MB:.0f} MB", grew <= GROWTH_MB),
    ]
