"""Writing and reading: commits that are shared, works that fail alone, a file that is synced first."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import inbox
from storage.database import WRITES_PER_COMMIT, Database
from storage.tables import inbox as inbox_table
from storage.tables import reports as reports_table
from tests.storing import arrival, report, rows_of, stored

PATIENCE = 10


@pytest.fixture
def database(emptied_database: Database) -> Database:
    return emptied_database


# Commits that are shared ---------------------------------------------------------------------------


def put(name: str) -> Callable[[AsyncConnection], Awaitable[str]]:
    async def work(conn: AsyncConnection) -> str:
        await inbox.store(conn, [arrival(name)])
        return name

    return work


async def test_one_failing_work_does_not_spoil_the_others(database: Database) -> None:
    async def fail(conn: AsyncConnection) -> str:
        await put("half done")(conn)
        raise LookupError("mine")

    works: list[Callable[[AsyncConnection], Awaitable[str]]] = []
    for n in range(9):
        works.append(fail if n % 3 == 1 else put(f"w{n}"))
    results = await asyncio.gather(*(database.write(work) for work in works), return_exceptions=True)
    assert [r if isinstance(r, str) else type(r) for r in results] == [
        LookupError if n % 3 == 1 else f"w{n}" for n in range(9)
    ]
    found = {row.event for row in await rows_of(database, inbox_table)}
    assert found == {f"w{n}" for n in range(9) if n % 3 != 1}


async def test_a_refused_statement_spoils_only_its_own(database: Database) -> None:
    """On PostgreSQL it aborts its transaction, on SQLite it may leave half a job: neither is shared."""

    async def twice(conn: AsyncConnection) -> None:
        await put("never")(conn)
        for _ in range(2):
            await conn.execute(sa.insert(reports_table), [report("AP-26-00001")])

    bad = database.write(twice)
    good = [database.write(put(f"g{n}")) for n in range(5)]
    first, *rest = await asyncio.gather(bad, *good, return_exceptions=True)
    assert isinstance(first, IntegrityError)
    assert rest == [f"g{n}" for n in range(5)]
    assert {row.event for row in await rows_of(database, inbox_table)} == set(rest)
    assert await rows_of(database, reports_table) == []


async def test_more_works_than_one_commit_holds(database: Database) -> None:
    many = 3 * WRITES_PER_COMMIT + 1
    works = (database.write(put(f"{n}")) for n in range(many))
    assert await asyncio.gather(*works) == [str(n) for n in range(many)]
    assert len(await rows_of(database, inbox_table)) == many


async def test_a_writer_that_gives_up_leaves_the_others_alone(database: Database) -> None:
    writing = [asyncio.create_task(database.write(put(f"{n}"))) for n in range(6)]
    await asyncio.sleep(0)
    writing[2].cancel()
    results = await asyncio.gather(*writing, return_exceptions=True)
    assert isinstance(results[2], asyncio.CancelledError)
    assert [r for r in results if isinstance(r, str)] == ["0", "1", "3", "4", "5"]
    assert await database.write(put("after")) == "after"


async def test_nobody_waits_for_ever_for_a_closed_database(sqlite_database: Database) -> None:
    many = 3 * WRITES_PER_COMMIT
    writing = [asyncio.create_task(sqlite_database.write(put(f"{n}"))) for n in range(many)]
    await asyncio.sleep(0)
    await sqlite_database.close()
    done, pending = await asyncio.wait(writing, timeout=1)
    assert not pending
    assert len(done) == many


async def test_a_write_is_seen_by_the_next_read(database: Database) -> None:
    """Returned means committed: another connection sees it."""
    for n in range(20):
        await database.write(put(f"{n}"))
        assert len(await rows_of(database, inbox_table)) == n + 1


# The file ------------------------------------------------------------------------------------------


async def test_sqlite_syncs_before_it_says_so(sqlite_database: Database) -> None:
    """P1: with NORMAL a 200 is answered before anything is on disk."""

    async def pragmas(conn: AsyncConnection) -> list[Any]:
        names = ("synchronous", "journal_mode", "foreign_keys", "busy_timeout")
        return [(await conn.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in names]

    synchronous, journal, keys, busy = await sqlite_database.write(pragmas)
    assert (synchronous, journal, keys) == (2, "wal", 1)
    assert busy >= 1000


async def test_readers_of_sqlite_cannot_write(sqlite_database: Database) -> None:
    async with sqlite_database.read() as conn:
        assert (await conn.exec_driver_sql("PRAGMA query_only")).scalar() == 1


async def test_reads_go_on_while_somebody_writes(sqlite_database: Database) -> None:
    await stored(sqlite_database, arrival("1"))
    other = sqlite3.connect(str(sqlite_database.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE inbox SET raw = 'changed'")
    try:
        async with asyncio.timeout(PATIENCE):
            assert [row.raw for row in await rows_of(sqlite_database, inbox_table)] == ["raw 1"]
    finally:
        other.execute("ROLLBACK")
        other.close()
