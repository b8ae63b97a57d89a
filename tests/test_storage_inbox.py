"""The inbox, on both databases: each event is stored once, waits in its order, and is decided by one."""

import asyncio

import pytest

from storage import inbox, sessions
from storage.database import Database
from storage.tables import InboxState
from storage.tables import inbox as inbox_table
from tests.storing import arrival, events, rows_of, stored, waiting

PATIENCE = 10


@pytest.fixture
def database(emptied_database: Database) -> Database:
    return emptied_database


@pytest.fixture
def postgres(emptied_postgres: Database) -> Database:
    return emptied_postgres


async def test_an_event_is_stored_once(database: Database) -> None:
    assert await stored(database, arrival("1"), arrival("2")) == 2
    assert await stored(database, arrival("2"), arrival("3")) == 1
    assert await stored(database, arrival("1")) == 0
    # The same number on another platform is another event.
    assert await stored(database, arrival("1", channel="z")) == 1
    assert events(await waiting(database)) == ["1", "2", "3", "1"]


async def test_one_of_many_parallel_deliveries_is_new(database: Database, second: Database) -> None:
    """E1: five times at once, to two processes."""
    news = await asyncio.gather(*(stored(db, arrival("1")) for db in (database, second) * 5))
    assert sum(news) == 1
    assert len(await rows_of(database, inbox_table)) == 1


async def test_a_late_repeat_is_still_a_repeat(database: Database) -> None:
    """E4: uniqueness, not a window, and no high-water mark: 5 before 4 loses neither."""
    assert await stored(database, arrival("5")) == 1
    assert await stored(database, arrival("4")) == 1
    await database.write(lambda conn: inbox.done(conn, [1, 2]))
    assert await stored(database, arrival("4"), arrival("5")) == 0
    assert await waiting(database) == []


async def test_events_wait_in_the_order_they_came(database: Database) -> None:
    for number in range(12):
        await stored(database, arrival(str(number), chat=f"c{number % 3}"))
    assert events(await waiting(database)) == [str(n) for n in range(12)]
    assert events(await waiting(database, 5)) == [str(n) for n in range(5)]


async def test_what_is_malformed_is_aside_at_once(database: Database) -> None:
    await stored(database, arrival("1", problem="nonsense"), arrival("2"))
    assert events(await waiting(database)) == ["2"]
    async with database.read() as conn:
        assert await inbox.count_quarantined(conn) == 1
        assert await inbox.count_waiting(conn) == 1


async def test_tried_then_set_aside(database: Database) -> None:
    await stored(database, arrival("1"))
    for tries in (1, 2):
        await database.write(lambda conn: inbox.tried(conn, 1, "Boom"))
        (row,) = await waiting(database)
        assert row.tries == tries
    await database.write(lambda conn: inbox.quarantine(conn, 1, "Boom"))
    assert await waiting(database) == []
    (kept,) = await rows_of(database, inbox_table)
    assert (kept.state, kept.problem, kept.raw) == (InboxState.QUARANTINED, "Boom", "raw 1")


async def test_two_workers_never_get_one_chat(postgres: Database) -> None:
    """H5: while one decides a chat's event, another gets the other chats, at once, and never that one."""
    first, second = postgres, Database(postgres.url.render_as_string(hide_password=False))
    chats = [arrival(f"{chat}{n}", chat=chat) for n in range(3) for chat in "abcd"]
    await stored(first, *chats)
    # Known chats: their session rows are there.
    await first.write(lambda conn: sessions.save(conn, [(f"t:{chat}", "{}", None) for chat in "abcd"]))
    async with first.engine.begin() as one:
        mine = await inbox.waiting(one, 2)
        assert events(mine) == ["a0", "b0"]
        async with asyncio.timeout(PATIENCE), second.engine.begin() as two:
            theirs = await inbox.waiting(two, 12)
            assert {row.chat for row in theirs} == {"t:c", "t:d"}
            assert events(theirs) == [f"{c}{n}" for n in range(3) for c in "cd"]
        await inbox.done(one, [row.id for row in mine])
    assert events(await waiting(second, 2)) == ["c0", "d0"]
    await second.close()


async def test_two_workers_and_a_chat_nobody_knew(postgres: Database) -> None:
    """Its first event is decided by one; the other neither gets it nor fails."""
    first, second = postgres, Database(postgres.url.render_as_string(hide_password=False))
    await stored(first, arrival("1", chat="new"), arrival("2", chat="new"))
    async with first.engine.begin() as one:
        mine = await inbox.waiting(one, 10)
        assert events(mine) == ["1", "2"]
        other = asyncio.create_task(waiting(second, 10))
        await inbox.done(one, [row.id for row in mine])
    async with asyncio.timeout(PATIENCE):
        assert await other == []
    await second.close()
