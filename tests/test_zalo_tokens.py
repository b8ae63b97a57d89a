"""The tokens of a Zalo Official Account: renewed once, in time, by one of several, and written before use."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.channels.zalo_oauth import UNTOLD_S
from bot.channels.zalo_tokens import LEASE_MS
from storage import tokens as stored
from storage.database import Database
from tests.zalo_door import APP_ID, Door, opened
from tests.zalo_pair import HOUR, NAME, Stage, ms, put, staged
from tests.zalo_racer import CALLS, TASKS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with opened() as door:
        yield door


@pytest.fixture
async def stage(sqlite_database: Database) -> AsyncIterator[Stage]:
    async with staged(sqlite_database) as made:
        yield made


# A pair in order -----------------------------------------------------------------------------------


async def test_a_fresh_token_is_asked_of_nobody(stage: Stage) -> None:
    await stage.has(made=12 * HOUR)
    assert await stage.tokens.access() == "MARKER-access-0"
    await stage.db.close()
    assert await stage.tokens.access() == "MARKER-access-0"
    assert stage.door.posts == []


async def test_at_half_life_it_is_renewed_and_kept(stage: Stage) -> None:
    await stage.has(made=12.5 * HOUR)
    assert await stage.tokens.access() == "MARKER-access-1"
    form = {"app_id": APP_ID, "grant_type": "refresh_token", "refresh_token": "MARKER-refresh-0"}
    assert stage.door.posts == [form]
    row = await stage.row()
    assert (row.made_at, row.problem) == (stage.clock.ms(), "")
    assert (row.renews_at - row.made_at, row.ends_at - row.made_at) == (ms(12.5 * HOUR), ms(25 * HOUR))
    assert await stage.another().access() == "MARKER-access-1"


async def test_while_one_renews_others_go_on(stage: Stage) -> None:
    await stage.has(made=13 * HOUR)
    stage.door.gate = asyncio.Event()
    first = asyncio.create_task(stage.tokens.access())
    await stage.door.asked.wait()
    assert await stage.tokens.access() == "MARKER-access-0"
    stage.door.gate.set()
    assert await first == "MARKER-access-1"
    assert await stage.tokens.access() == "MARKER-access-1"


async def test_whoever_meets_the_dead_token_meanwhile_waits_for_the_new_one(stage: Stage) -> None:
    await stage.has(made=13 * HOUR)
    stage.door.gate = asyncio.Event()
    first = asyncio.create_task(stage.tokens.access())
    await stage.door.asked.wait()
    others = [asyncio.create_task(stage.tokens.renewed("MARKER-access-0")) for _ in range(20)]
    stage.door.gate.set()
    assert set(await asyncio.gather(first, *others)) == {"MARKER-access-1"}
    assert len(stage.door.posts) == 1


async def test_another_process_renewed_it(stage: Stage) -> None:
    await stage.has()
    other = stage.another()
    assert await other.access() == await stage.tokens.access() == "MARKER-access-0"
    assert await stage.tokens.renewed("MARKER-access-0") == "MARKER-access-1"
    assert await other.renewed("MARKER-access-0") == "MARKER-access-1"
    assert len(stage.door.posts) == 1


async def test_a_slow_call_with_a_token_before_the_last_renews_nothing(stage: Stage) -> None:
    await stage.has()
    assert await stage.tokens.access() == "MARKER-access-0"
    assert await stage.tokens.renewed("MARKER-access-0") == "MARKER-access-1"
    assert await stage.tokens.renewed("MARKER-access-0") == "MARKER-access-1"
    assert len(stage.door.posts) == 1


async def test_two_renewals_in_one_millisecond_are_two(stage: Stage) -> None:
    await stage.has()
    for number in range(3):
        assert await stage.tokens.renewed(f"MARKER-access-{number}") == f"MARKER-access-{number + 1}"
    assert await stage.another().access() == "MARKER-access-3"


@pytest.mark.parametrize(
    ("told", "life"),
    [("90000", 90_000), (3600, 3_600), (None, UNTOLD_S), ("soon", UNTOLD_S), ("-5", UNTOLD_S)],
)
async def test_how_long_it_lasts_is_what_zalo_says(stage: Stage, told: object, life: int) -> None:
    stage.door.expires_in = told
    await stage.has(made=26 * HOUR)
    await stage.tokens.access()
    row = await stage.row()
    assert row.ends_at - row.made_at == life * 1000


async def test_a_clock_that_was_wrong_holds_nobody_up(stage: Stage) -> None:
    """Years ahead when it was claimed, and put right since."""
    await stage.has(made=26 * HOUR)
    row, far = await stage.row(), stage.clock.ms() + ms(20_000 * HOUR)
    assert await stage.db.write(lambda conn: stored.claim(conn, NAME, row.made_at, far, far + LEASE_MS))
    assert await stage.tokens.access() == "MARKER-access-1"
    assert stage.rests == []


# Several at once -----------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [13, 26], ids=["half over", "over"])
async def test_two_processes_renew_once(database_url: str, door: Door, age: int) -> None:
    """One POST for each refresh token, every call answered; then the token dies of itself, and once more."""
    db = Database(database_url)
    now = int(datetime.now(UTC).timestamp() * 1000)
    await put(db, door, now - ms(age * HOUR), ms(25 * HOUR))
    await db.close()
    await _race(database_url, door, rounds=3)
    assert door.refreshes == {"MARKER-refresh-0": 1, "MARKER-refresh-1": 1, "MARKER-refresh-2": 1}


async def test_two_processes_use_the_first_token_once(database_url: str, door: Door) -> None:
    await _race(database_url, door, "MARKER-refresh-0")
    assert door.refreshes == {"MARKER-refresh-0": 1}


async def _race(database_url: str, door: Door, *more: str, rounds: int = 1) -> None:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "tests.zalo_racer", database_url, door.url, *more)
    racers = [
        await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe) for _ in range(2)
    ]
    try:
        said = [await racer.stdout.readline() for racer in racers if racer.stdout]
        assert said == [b"ready\n"] * 2
        for _ in range(rounds):
            for racer in racers:
                assert racer.stdin is not None
                racer.stdin.write(b"go\n")
            said = [await racer.stdout.readline() for racer in racers if racer.stdout]
            assert said == [b"%d\n" % (TASKS * CALLS)] * 2
            door.kill()
    finally:
        # Their input ends, and so do they.
        await asyncio.gather(*(racer.communicate(b"") for racer in racers))
    assert [racer.returncode for racer in racers] == [0, 0]


async def test_who_cannot_claim_waits_for_the_new_pair(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    stage.door.gate = asyncio.Event()
    first = asyncio.create_task(stage.tokens.access())
    await stage.door.asked.wait()

    async def rest(seconds: float) -> None:
        assert stage.door.gate is not None
        stage.door.gate.set()
        await first

    assert await stage.another(rest=rest).access() == "MARKER-access-1"
    assert len(stage.door.posts) == 1


async def test_one_that_died_is_waited_for_a_minute_at_most(stage: Stage) -> None:
    """Killed before it asked: the next one asks."""
    await stage.has(made=26 * HOUR)
    row, now = await stage.row(), stage.clock.ms()
    assert await stage.db.write(lambda conn: stored.claim(conn, NAME, row.made_at, now, now + LEASE_MS))
    assert await stage.tokens.access() == "MARKER-access-1"
    assert sum(stage.rests) == LEASE_MS / 1000
