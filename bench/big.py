"""Bench `big`: the same five steps on a database of a million reports, and look-ups around a place in it."""

import random
import time
from contextlib import AsyncExitStack
from pathlib import Path

from bench import seed
from bench.report import OURS, Score, compared, ready_bot, rounds
from bench.result import Row, percentile
from bench.servers import Target, standing_in
from storage import reports
from storage.database import Database

REPORTS, REPORTS_QUICK = 1_000_000, 200_000
SLOWER = 1.5
# What the talk asks: is there an open matter like this one within so many metres?
METRES, SHOWN = 100.0, 5
NEAR_MS = 5.0
LOOKS = 300
# The best of a few at each place: what else the machine does is not ours.
TRIES = 3
BIG = f"{OURS}, big"


async def run(folder: Path, *, quick: bool) -> list[Row]:
    count = REPORTS_QUICK if quick else REPORTS
    await seed.seed(folder / "big" / "data", count)
    looks = await _look_around(folder / "big" / "data")
    async with AsyncExitStack() as stack:
        standin = await stack.enter_async_context(standing_in())
        _, small = await ready_bot(stack, folder / "small", standin)
        _, big = await ready_bot(stack, folder / "big", standin)
        targets = [small, Target(BIG, big.port, big.pid)]
        scores = await rounds(targets, standin, count=2 if quick else 4, seconds=3.0 if quick else 5.0)
    return [*_rows(scores[OURS], scores[BIG], count), _near_row(looks, count)]


def _rows(small: Score, big: Score, count: int) -> list[Row]:
    slower, later = compared(small.rates, big.rates), compared(big.p99s, small.p99s)
    failures = len(big.failures) + big.missing
    return [
        Row(f"big: answered, {count:,} reports", big.said(), f"ours, empty: {small.said()}"),
        Row("big: time for an update", f"{slower:.2f}×", "1×", f"≤ {SLOWER}×", slower <= SLOWER),
        Row("big: p99", f"{later:.2f}×", "1×", f"≤ {SLOWER}×", later <= SLOWER),
        Row("big: lost", str(failures), "", "0", not failures),
    ]


async def _look_around(data: Path) -> list[float]:
    """Milliseconds of each look, at places scattered over the commune as reports are."""
    rng = random.Random(7)
    took = []
    db = Database.in_folder(data)
    try:
        for _ in range(LOOKS):
            lat = seed.LAT + rng.uniform(-seed.REACH, seed.REACH)
            lon = seed.LON + rng.uniform(-seed.REACH, seed.REACH)
            took.append(min([await _look(db, lat, lon) for _ in range(TRIES)]))
    finally:
        await db.close()
    return took


async def _look(db: Database, lat: float, lon: float) -> float:
    async with db.read() as conn:
        began = time.perf_counter()
        await reports.near(conn, lat, lon, METRES, SHOWN)
        return (time.perf_counter() - began) * 1000


def _near_row(looks: list[float], count: int) -> Row:
    middle, late = percentile(looks, 0.5), percentile(looks, 0.99)
    return Row(
        f"big: reports within {METRES:.0f} m, of {count:,}",
        f"p50 {middle:.1f}, p99 {late:.1f} ms",
        required=f"≤ {NEAR_MS:.0f} ms",
        good=middle <= NEAR_MS and late <= NEAR_MS,
    )
