"""Reports, on both databases: numbered and filed once, changed by one at a time, found by what and where."""

import asyncio
import random
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import counters, outbox, reports
from storage.database import Conflict, Database
from storage.tables import OutboxState
from storage.tables import reports as reports_table
from tests.storing import file, met, promise, promised, report, rows_of


@pytest.fixture
def database(emptied_database: Database) -> Database:
    return emptied_database


async def test_numbers_are_never_given_twice(database: Database, second: Database) -> None:
    """P2: many file at once, in two processes, some several in one transaction, some fail."""

    async def draw(db: Database, many: int) -> list[int]:
        return list(await db.write(lambda conn: counters.draw(conn, "report/26", many)))

    async def fail(db: Database) -> list[int]:
        async def work(conn: AsyncConnection) -> None:
            await counters.draw(conn, "report/26", 5)
            raise LookupError

        with pytest.raises(LookupError):
            await db.write(work)
        return []

    draws = [draw(db, n % 3 + 1) for n in range(20) for db in (database, second)]
    draws += [fail(db) for _ in range(5) for db in (database, second)]
    found = await asyncio.gather(*draws)
    flat = sorted(number for numbers in found for number in numbers)
    assert flat == list(range(1, len(flat) + 1))
    # Another year counts from one again.
    assert await draw(database, 1) == [len(flat) + 1]
    assert list(await database.write(lambda conn: counters.draw(conn, "report/27", 2))) == [1, 2]


async def test_a_code_is_filed_once(database: Database) -> None:
    await file(database, report("AP-26-00001"))
    with pytest.raises(IntegrityError):
        await file(database, report("AP-26-00001"))
    assert len(await rows_of(database, reports_table)) == 1


async def test_a_change_from_an_old_version_conflicts(database: Database, second: Database) -> None:
    """L10: two officers at once; one wins, the other hears of it."""
    number = (await file(database, report("AP-26-00001")))["AP-26-00001"]

    async def take(db: Database, who: str) -> bool:
        try:
            await db.write(lambda conn: reports.change(conn, number, 0, {"taken_name": who}))
        except Conflict:
            return False
        return True

    won = await asyncio.gather(take(database, "A"), take(second, "B"), take(database, "C"))
    assert sum(won) == 1
    async with database.read() as conn:
        row = await reports.by_code(conn, "AP-26-00001")
    assert row is not None
    assert (row.version, row.taken_name) == (1, "ABC"[won.index(True)])


async def test_reports_are_found_by_what_they_are(database: Database) -> None:
    await met(database, "1")
    ids = await file(
        database,
        report("AP-26-00001", person="t:1"),
        report("AP-26-00002", desk="cong-an", person="t:1", alerted_at=None),
        report("AP-26-00003", status="resolved", closed_at=9),
        report("AP-26-00004"),
    )
    await promise(database, promised("alert", chat="-1", report=ids["AP-26-00004"]))
    await database.write(
        lambda conn: outbox.mark(conn, [{"row": 1, "to_state": OutboxState.SENT, "platform": "m7"}])
    )

    def codes(rows: list[sa.Row[Any]]) -> list[str]:
        return [row.code for row in rows]

    async with database.read() as conn:
        assert codes(await reports.of_person(conn, "t:1", 9)) == ["AP-26-00002", "AP-26-00001"]
        assert codes(await reports.open_at(conn, ["thon-03"], 9)) == ["AP-26-00001", "AP-26-00004"]
        assert codes(await reports.open_at(conn, ["thon-03", "cong-an"], 2)) == ["AP-26-00001", "AP-26-00002"]
        assert codes(await reports.unheard(conn, 9)) == ["AP-26-00002"]
        answered = await reports.by_message(conn, "t", "-1", "m7")
        assert answered is not None
        assert answered.code == "AP-26-00004"
        assert await reports.by_message(conn, "t", "-2", "m7") is None
        assert await reports.by_code(conn, "AP-26-00009") is None
    await database.write(lambda conn: reports.heard(conn, [ids["AP-26-00002"]], 5))
    async with database.read() as conn:
        assert await reports.unheard(conn, 9) == []


async def test_near_finds_at_least_what_is_within_reach(database: Database) -> None:
    """A degree of latitude is 111 km: 60 m are 0.00054 of it; of longitude here 0.00058."""
    await file(
        database,
        report("AP-26-00001", lat=20.98, lon=106.39),
        report("AP-26-00002", lat=20.98 + 0.00053, lon=106.39),
        report("AP-26-00003", lat=20.98, lon=106.39 - 0.00057),
        report("AP-26-00004", lat=20.98 + 0.002, lon=106.39),
        report("AP-26-00005", lat=20.98, lon=106.39 + 0.002),
        report("AP-26-00006"),
    )
    async with database.read() as conn:
        found = await reports.near(conn, 20.98, 106.39, 60, 9)
        assert [row.code for row in found] == ["AP-26-00003", "AP-26-00002", "AP-26-00001"]
        assert len(await reports.near(conn, 20.98, 106.39, 60, 1)) == 1


async def test_same_place_is_what_a_walk_through_all_finds(database: Database) -> None:
    """On every cell's border, in every quarter of the Earth: the grid leaves nothing out."""
    rng = random.Random(3)
    middles = [(20.982, 106.386), (-0.0005, 0.0005), (-33.1, -70.9), (89.9995, -179.9995)]
    rows = [
        report(f"AP-26-{n:05}", lat=round(lat + rng.uniform(-0.002, 0.002), 4), lon=lon + rng.choice(STEPS))
        | {"field": rng.choice(("order", "sanitation")), "filed_at": rng.randrange(9), "unit": None}
        | {"mark": rng.choice(("", "cong cho")), "alerted_at": n}
        for n, (lat, lon) in enumerate(middles * 60)
    ]
    rows += [row | {"code": row["code"] + "x", "unit": "thon-03", "lat": None, "lon": None} for row in rows]
    await file(database, *rows)
    every = await rows_of(database, reports_table)
    async with database.read() as conn:
        for lat, lon in middles:
            reach = 60 / reports.METRES_A_DEGREE
            box = [
                row.id
                for row in every
                if row.lat is not None
                and lat - reach <= row.lat <= lat + reach
                and lon - reach <= row.lon <= lon + reach
            ]
            near = await reports.near(conn, lat, lon, 60, 1000)
            assert [row.id for row in near] == box[::-1]
            assert box
            alike = [row for row in every if row.field == "order" and row.filed_at >= 4]
            at_point = [row.id for row in alike if row.id in box][-5:]
            at_mark = [row.id for row in alike if (row.unit, row.mark) == ("thon-03", "cong cho")][-5:]
            for mark, expected in (("", at_point), ("cong cho", at_point + at_mark)):
                found = await reports.same_place(conn, "order", "thon-03", mark, (lat, lon), 60, 4, 5)
                assert [row.id for row in found] == sorted(set(expected))[::-1]


# Some of them exactly as far as the box reaches, or on a border of the grid.
STEPS = (-0.0011, -0.001, -0.0006, -0.0005, -0.0001, 0.0, 0.0004, 0.0005, 0.0006, 0.001, 0.0015)


async def test_a_report_is_found_where_it_was_moved_to(database: Database) -> None:
    """An emergency is filed at once; its point comes later, and may be put right."""

    async def seen(lat: float) -> list[str]:
        async with database.read() as conn:
            return [row.code for row in await reports.near(conn, lat, 106.39, 60, 9)]

    ids = await file(database, report("AP-26-00001"))
    for version, lat in enumerate((20.98, 20.99)):
        values = {"lat": lat, "lon": 106.39}
        await database.write(
            partial(reports.change, report=ids["AP-26-00001"], version=version, values=values)
        )
        assert await seen(lat) == ["AP-26-00001"]
    assert await seen(20.98) == []
    await database.write(partial(reports.change, report=ids["AP-26-00001"], version=2, values={"words": "x"}))
    assert await seen(20.99) == ["AP-26-00001"]
