"""The tables keep their promises on both databases: stored, claimed, changed once; found by an index."""

import asyncio
import os
import random
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.effects import Lane
from storage import (
    broadcasts,
    counters,
    inbox,
    migrate,
    outbox,
    people,
    photos,
    pictures,
    reports,
    sessions,
    statistics,
)
from storage.database import WRITES_PER_COMMIT, Conflict, Database
from storage.inbox import Arrival, Stored
from storage.tables import InboxState, OutboxState, metadata
from storage.tables import inbox as inbox_table
from storage.tables import outbox as outbox_table
from storage.tables import people as people_table
from storage.tables import reports as reports_table
from tests.conftest import sqlite_url
from tests.postgres import Server, create_database, drop_database

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 10
T = TypeVar("T")
_numbers = count(1)


def arrival(event: str, chat: str = "a", channel: str = "t", problem: str | None = None) -> Arrival:
    return Arrival(channel, event, f"{channel}:{chat}", f"raw {event}", 1000, problem)


async def stored(db: Database, *arrivals: Arrival) -> int:
    return await db.write(lambda conn: inbox.store(conn, arrivals))


async def waiting(db: Database, limit: int = 100) -> list[Stored]:
    return await db.write(lambda conn: inbox.waiting(conn, limit))


def events(rows: list[Stored]) -> list[str]:
    return [row.raw.removeprefix("raw ") for row in rows]


async def rows_of(db: Database, table: sa.Table) -> list[sa.Row[Any]]:
    async with db.read() as conn:
        return list(await conn.execute(sa.select(table).order_by(*table.primary_key)))


@pytest.fixture(scope="module")
def shared_postgres(postgres_server: Server, postgres_template: str) -> Iterator[str]:
    """One for all tests here that leave its schema alone: to make one takes longer than a test."""
    name = f"anphuxanh_shared_{os.getpid()}"
    yield run(create_database(postgres_server.url, name, postgres_template))
    run(drop_database(postgres_server.url, name))


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        db = Database(request.getfixturevalue("sqlite_database_url"))
    else:
        db = await emptied(request.getfixturevalue("shared_postgres"))
    yield db
    await db.close()


@pytest.fixture
async def postgres(shared_postgres: str) -> AsyncIterator[Database]:
    db = await emptied(shared_postgres)
    yield db
    await db.close()


@pytest.fixture
async def spoilt(database_url: str) -> AsyncIterator[Database]:
    """A database of its own, for what does not leave the schema alone."""
    db = Database(database_url)
    yield db
    await db.close()


async def emptied(url: str) -> Database:
    db = Database(url)
    async with db.engine.begin() as conn:
        names = ", ".join(metadata.tables)
        await conn.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY"))
    return db


def run(work: Coroutine[object, object, T]) -> T:
    """In a thread of its own, whether or not a loop is running here."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.fixture
async def second(database: Database) -> AsyncIterator[Database]:
    """Another process's view of the same database."""
    db = Database(database.url.render_as_string(hide_password=False))
    yield db
    await db.close()


# The inbox -----------------------------------------------------------------------------------------


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


# The outbox ----------------------------------------------------------------------------------------


def promised(
    text: str, chat: str = "a", lane: Lane = Lane.ANSWER, due: int = 0, **more: Any
) -> dict[str, Any]:
    row = {"lane": int(lane), "channel": "t", "chat": chat, "message": "m", "text": text}
    return row | {"made_at": 0, "due_at": due} | more


async def promise(db: Database, *rows: dict[str, Any]) -> None:
    await db.write(lambda conn: outbox.promise(conn, rows))


async def claim(db: Database, limit: int = 100, now: int = 10, lease: int = 50, **more: Any) -> list[str]:
    rows = await db.write(lambda conn: outbox.claim(conn, "t", now, lease, limit, **more))
    return [row.text for row in rows]


async def claim_all(db: Database, **more: Any) -> list[str]:
    """As one sender after the other would: what was claimed is marked sent before the next claim."""
    said: list[str] = []
    while rows := await db.write(lambda conn: outbox.claim(conn, "t", 10, 50, 100, **more)):
        said += [row.text for row in rows]
        marks = [{"row": row.id, "to_state": OutboxState.SENT} for row in rows]
        await db.write(partial(outbox.mark, marks=marks))
    return said


async def test_lanes_then_order(database: Database) -> None:
    await promise(
        database,
        promised("1 reminder", "a", Lane.REMINDER),
        promised("2 update", "b", Lane.UPDATE),
        promised("3 alert", "c", Lane.ALERT),
        promised("4 answer", "d", Lane.ANSWER),
        promised("5 alert", "e", Lane.ALERT),
    )
    assert await claim(database, 2) == ["3 alert", "5 alert"]
    assert await claim(database) == ["4 answer", "2 update", "1 reminder"]
    assert await claim(database) == []


async def test_a_chats_messages_come_in_order(database: Database) -> None:
    await promise(database, *(promised(f"{n}", "a") for n in range(5)), promised("x", "b"))
    assert await claim_all(database) == ["0", "x", "1", "2", "3", "4"]


async def test_two_claimers_never_get_one_message(database: Database, second: Database) -> None:
    """Nor one chat at the same time: its order would be a race."""
    await promise(database, *(promised(f"{n}", f"c{n % 20}") for n in range(60)))
    claimed = await asyncio.gather(*(claim(db, 7) for db in (database, second) * 5))
    flat = [text for texts in claimed for text in texts]
    assert sorted(flat, key=int) == [str(n) for n in range(20)]


async def test_a_clock_set_back_holds_nothing_up(database: Database) -> None:
    """What was made in what is now the future was due then."""
    hour = 3_600_000
    await promise(database, promised("alert", due=hour) | {"made_at": hour})
    assert await claim(database, now=1) == ["alert"]


async def test_a_group_that_moves_is_followed_once(database: Database) -> None:
    """The platform and a refused send both tell of it."""
    await met(database, "1")
    await database.write(lambda conn: people.bind(conn, "t", "old", "thon-03", "t:1", 1))
    for _ in range(2):
        await database.write(lambda conn: people.move_room(conn, "t", "old", "new"))
    async with database.read() as conn:
        assert await people.rooms_of(conn, ["thon-03"]) == [("thon-03", "t", "new")]


async def test_who_writes_again_can_be_written_to_again(database: Database) -> None:
    await met(database, "1")
    await join(database, "t:1", "thon-03", "monitor")
    await database.write(lambda conn: people.reach(conn, "t", "private", False))
    await met(database, "1", chat=None)
    async with database.read() as conn:
        assert await people.ears_of(conn, ["thon-03"]) == []
    await met(database, "1")
    async with database.read() as conn:
        assert await people.ears_of(conn, ["thon-03"]) == [
            people.Ear("thon-03", "monitor", "t", "private", None)
        ]


async def test_not_before_it_is_due(database: Database) -> None:
    await promise(database, promised("later", due=11), promised("now", due=10))
    assert await claim(database, now=10) == ["now"]
    async with database.read() as conn:
        assert await outbox.next_due(conn, "t", 0) == 11
        assert await outbox.next_due(conn, "z", 0) is None


async def test_resting_chats_and_other_channels_are_passed_over(database: Database) -> None:
    await promise(database, promised("1", "a"), promised("2", "b"), promised("3", "c", channel="z"))
    assert await claim(database, resting={"a"}) == ["2"]


async def test_a_lease_that_ran_out_is_due_again(database: Database) -> None:
    await promise(database, promised("1"))
    assert await claim(database, lease=50) == ["1"]
    assert await database.write(lambda conn: outbox.release(conn, 50)) == 0
    assert await claim(database) == []
    assert await database.write(lambda conn: outbox.release(conn, 51)) == 1
    assert await claim(database) == ["1"]
    (row,) = await rows_of(database, outbox_table)
    assert row.tries == 2


async def test_once_lanes_are_unknown_until_answered(database: Database) -> None:
    await promise(database, promised("r", "a", Lane.REMINDER), promised("a", "b"))
    assert await claim(database, once_lanes=(int(Lane.REMINDER),)) == ["a", "r"]
    assert {row.text: row.state for row in await rows_of(database, outbox_table)} == {
        "r": OutboxState.UNKNOWN,
        "a": OutboxState.SENDING,
    }
    assert await database.write(lambda conn: outbox.release(conn, 2**62)) == 1
    assert await claim(database) == ["a"]
    async with database.read() as conn:
        assert await outbox.count_unknown(conn) == 1


async def test_a_key_is_promised_once_for_ever(database: Database, second: Database) -> None:
    await promise(database, promised("1", key="deadline/AP-26-00001/1"))
    assert await claim_all(database) == ["1"]
    both = (
        promise(db, promised("2", key="deadline/AP-26-00001/1"), promised("3")) for db in (database, second)
    )
    await asyncio.gather(*both)
    assert await claim_all(database) == ["3", "3"]


async def test_a_newer_question_replaces_an_unsent_one(database: Database) -> None:
    await promise(
        database,
        promised("old question", question=True),
        promised("a fact"),
        promised("another chat", "b", question=True),
    )
    await database.write(lambda conn: outbox.supersede(conn, [("t", "a")]))
    await promise(database, promised("new question", question=True))
    assert await claim_all(database) == ["a fact", "another chat", "new question"]
    # One that is being sent is beyond recall.
    await promise(database, promised("asked", "c", question=True))
    assert await claim(database) == ["asked"]
    await database.write(lambda conn: outbox.supersede(conn, [("t", "c")]))
    assert (await rows_of(database, outbox_table))[-1].state == OutboxState.SENDING


async def test_marks_change_what_they_name(database: Database) -> None:
    await promise(database, promised("1", "a"), promised("2", "b"), promised("3", "c"))
    await claim(database)
    await database.write(
        lambda conn: outbox.mark(
            conn,
            [
                {"row": 1, "to_state": OutboxState.SENT, "sent": 12, "platform": "m1"},
                {"row": 2, "to_state": OutboxState.DUE, "due": 99, "why": "down"},
                {"row": 3, "to_state": OutboxState.DUE, "untried": 1},
            ],
        )
    )
    one, two, three = await rows_of(database, outbox_table)
    assert (one.state, one.sent_at, one.platform_id, one.tries) == (OutboxState.SENT, 12, "m1", 1)
    assert (two.state, two.due_at, two.problem, two.lease_until) == (OutboxState.DUE, 99, "down", None)
    assert (three.state, three.due_at, three.tries) == (OutboxState.DUE, 0, 0)


async def test_what_waits_moves_with_its_chat(database: Database) -> None:
    await promise(database, promised("1", "old"), promised("2", "other"))
    await database.write(lambda conn: outbox.move_chat(conn, "t", "old", "new"))
    assert [(row.text, row.chat) for row in await rows_of(database, outbox_table)] == [
        ("1", "new"),
        ("2", "other"),
    ]


async def test_depth_counts_what_waits_by_lane(database: Database) -> None:
    await promise(
        database,
        promised("1", "a", Lane.ALERT, due=5),
        promised("2", "b", Lane.ALERT, due=3),
        promised("3", "c", Lane.REMINDER, due=7),
    )
    async with database.read() as conn:
        assert sorted(await outbox.depth(conn)) == [(0, 2, 3), (4, 1, 7)]


# People, rooms, invites ----------------------------------------------------------------------------


async def met(db: Database, *accounts: str, chat: str | None = "private") -> None:
    await db.write(lambda conn: people.meet(conn, [("t", one, chat) for one in accounts], 1))


async def known(db: Database, account: str) -> people.Known | None:
    async with db.read() as conn:
        return (await people.known(conn, [("t", account)])).get(("t", account))


async def join(db: Database, person: str, unit: str, role: str, name: str = "Tư") -> None:
    await db.write(lambda conn: people.join(conn, person, unit, role, name, 1))


async def test_somebody_is_met_once(database: Database, second: Database) -> None:
    assert await known(database, "1") is None
    await asyncio.gather(*(met(db, "1", "2") for db in (database, second) * 3))
    found = await known(database, "1")
    assert found == people.Known("t:1", "private", True, None, ())
    assert len(await rows_of(database, people_table)) == 2


async def test_a_first_private_message_makes_reachable(database: Database) -> None:
    await met(database, "1", chat=None)
    await join(database, "t:1", "thon-03", "monitor")
    async with database.read() as conn:
        assert await people.ears_of(conn, ["thon-03"]) == []
    await met(database, "1", chat="77")
    await met(database, "1", chat=None)
    async with database.read() as conn:
        assert await people.ears_of(conn, ["thon-03"]) == [people.Ear("thon-03", "monitor", "t", "77", None)]
    await database.write(lambda conn: people.reach(conn, "t", "77", False))
    async with database.read() as conn:
        assert await people.ears_of(conn, ["thon-03"]) == []


async def test_the_same_role_twice_is_one_until_removed(database: Database) -> None:
    await met(database, "1")
    for _ in range(2):
        await join(database, "t:1", "thon-03", "monitor")
    await join(database, "t:1", "cong-an", "police")
    async with database.read() as conn:
        everybody = await people.all_members(conn)
        (monitor,) = await people.all_members(conn, "thon-03")
    assert [member.unit for member in everybody] == ["cong-an", "thon-03"]
    assert await database.write(lambda conn: people.remove(conn, monitor.id, 2))
    assert not await database.write(lambda conn: people.remove(conn, monitor.id, 3))
    found = await known(database, "1")
    assert found is not None
    assert found.roles == (("cong-an", "police", "Tư"),)
    await join(database, "t:1", "thon-03", "head")
    found = await known(database, "1")
    assert found is not None
    assert found.roles == (("cong-an", "police", "Tư"), ("thon-03", "head", "Tư"))


async def test_a_unit_has_one_room_and_a_room_one_unit(database: Database) -> None:
    async def bind(chat: str, unit: str) -> None:
        await database.write(lambda conn: people.bind(conn, "t", chat, unit, "t:1", 1))

    async def rooms(*units: str) -> list[tuple[str, str, str]]:
        async with database.read() as conn:
            return await people.rooms_of(conn, units)

    await bind("-1", "thon-03")
    await bind("-2", "thon-03")
    assert await rooms("thon-03") == [("thon-03", "t", "-2")]
    await bind("-2", "thon-04")
    assert await rooms("thon-03", "thon-04") == [("thon-04", "t", "-2")]
    await bind("-2", "thon-04")
    await database.write(lambda conn: people.move_room(conn, "t", "-2", "-100"))
    assert await rooms("thon-04") == [("thon-04", "t", "-100")]
    async with database.read() as conn:
        assert await people.unit_of_rooms(conn, ["t:-2", "t:-100"]) == {"t:-100": "thon-04"}
    await database.write(lambda conn: people.unbind(conn, "t:-100"))
    assert await rooms("thon-04") == []


async def test_an_invite_is_used_once(database: Database, second: Database) -> None:
    await met(database, *(str(n) for n in range(6)))
    await database.write(lambda conn: people.make_invite(conn, "hash", "thon-03", "monitor", 1, 99))
    async with database.read() as conn:
        assert await people.find_invite(conn, "hash") == ("thon-03", "monitor", 99, False)
        assert await people.find_invite(conn, "other") is None

    async def use(db: Database, person: str) -> bool:
        try:
            await db.write(lambda conn: people.use_invite(conn, "hash", person, 5))
        except Conflict:
            return False
        return True

    tries = [use(db, f"t:{n}") for n, db in enumerate((database, second) * 3)]
    assert sum(await asyncio.gather(*tries)) == 1
    async with database.read() as conn:
        assert await people.find_invite(conn, "hash") == ("thon-03", "monitor", 99, True)


async def test_who_is_let_go_has_no_role_in_that_unit(database: Database) -> None:
    await met(database, "1", "2")
    for unit, role in (("thon-03", "head"), ("thon-03", "monitor"), ("cong-an", "police")):
        await join(database, "t:1", unit, role)
    await join(database, "t:2", "thon-03", "monitor")
    async with database.read() as conn:
        rows = await people.all_members(conn, "thon-03")
        assert await people.unit_of_member(conn, rows[0].id) == "thon-03"
        assert await people.unit_of_member(conn, 10**9) is None
        chats = await people.chats_of(conn, ["t:1", "t:2", "t:3"])
    assert chats == {"t:1": [("t", "private")], "t:2": [("t", "private")]}
    await database.write(lambda conn: people.dismiss(conn, "t:1", "thon-03", 5))
    with pytest.raises(Conflict):
        await database.write(lambda conn: people.dismiss(conn, "t:1", "thon-03", 6))
    found = await known(database, "1")
    assert found is not None
    assert found.roles == (("cong-an", "police", "Tư"),)
    async with database.read() as conn:
        assert await people.unit_of_member(conn, rows[0].id) is None
        assert [one.person for one in await people.all_members(conn, "thon-03")] == ["t:2"]


async def test_consent_is_written_down(database: Database) -> None:
    await met(database, "1")
    await database.write(lambda conn: people.consent(conn, "t:1", "3", 7))
    found = await known(database, "1")
    assert found is not None
    assert found.consent == "3"


# Reports -------------------------------------------------------------------------------------------


def report(code: str, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"code": code, "category": "litter", "field": "sanitation", "status": "sent"}
    row |= {"desk": "thon-03", "unit": "thon-03", "landmark": "", "lat": None, "lon": None, "words": ""}
    row |= {"hours": "", "private": False, "person": None, "channel": "t", "chat": "a", "filed_at": 1}
    row |= {"ack_by": 2, "fix_by": 3, "taken_name": "", "outcome": "", "reopened": 0, "alerted_at": 1}
    return row | {"version": 0} | more


async def file(db: Database, *rows: dict[str, Any]) -> dict[str, int]:
    return await db.write(lambda conn: reports.add(conn, rows))


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


async def same_place(conn: AsyncConnection, mark: str, point: tuple[float, float] | None) -> Any:
    return await reports.same_place(conn, "order", "thon-03", mark, point, 60, 1, 20)


FILED = "COVERING INDEX ix_reports_filed (filed_at>? AND filed_at<?)"
EVERYTHING = statistics.Within(all=True, without="lead")
OF_A_VILLAGE = statistics.Within(villages=frozenset({"thon-03"}), place="thon-03", without="lead")
STALE = broadcasts.Stale(1, broadcasts.STOPPED, over=False)
BY_POINT = "COVERING INDEX ix_reports_place (cell=? AND field=? AND filed_at>?)"
INDEXED: dict[str, tuple[str, Callable[[AsyncConnection], Awaitable[Any]]]] = {
    "waiting": ("ix_inbox_waiting", lambda c: inbox.waiting(c, 64)),
    "count_waiting": ("ix_inbox_waiting", inbox.count_waiting),
    "count_quarantined": ("ix_inbox_quarantined", inbox.count_quarantined),
    "claim": ("ix_outbox_due", lambda c: outbox.claim(c, "t", 1, 2, 64)),
    "claim, resting": ("ix_outbox_due", lambda c: outbox.claim(c, "t", 1, 2, 64, resting=["a", "b"])),
    "claim, earlier": ("ix_outbox_chat_open", lambda c: outbox.claim(c, "t", 1, 2, 64)),
    "supersede": ("ix_outbox_chat_open", lambda c: outbox.supersede(c, [("t", "a")])),
    "release": ("ix_outbox_sending", lambda c: outbox.release(c, 9)),
    "next_due": ("ix_outbox_due", lambda c: outbox.next_due(c, "t", 0)),
    "depth": ("ix_outbox_", outbox.depth),
    "count_unknown": ("ix_outbox_unknown", outbox.count_unknown),
    "by_message": ("ix_outbox_answered", lambda c: reports.by_message(c, "t", "a", "m")),
    "name_of": ("ix_outbox_answered", lambda c: outbox.name_of(c, "t", "a", "m")),
    "move_chat": ("ix_outbox_", lambda c: outbox.move_chat(c, "t", "a", "b")),
    "broadcasts that go on": ("ix_broadcasts_open", broadcasts.is_going),
    "the next to tell": ("sqlite_autoindex_people_1 (id>?)", lambda c: broadcasts.listeners(c, "t", 9, "t")),
    "their chats": ("ix_accounts_person", lambda c: broadcasts.listeners(c, "t", 9, "t")),
    "to take back": ("ix_outbox_broadcast", lambda c: broadcasts.take_back(c, STALE, 9)),
    "what became of them": ("COVERING INDEX ix_outbox_broadcast", lambda c: broadcasts.ledger(c, 1)),
    "unsubscribe": ("ix_accounts_chat", lambda c: broadcasts.unsubscribe(c, "t", "a")),
    "open_at": ("ix_reports_open", lambda c: reports.open_at(c, ["thon-03"], 6)),
    "unheard": ("ix_reports_unheard", lambda c: reports.unheard(c, 20)),
    "of_person": ("ix_reports_person", lambda c: reports.of_person(c, "t:1", 5)),
    "near": ("COVERING INDEX ix_reports_place (cell=?)", lambda c: reports.near(c, 20.9, 106.3, 60, 9)),
    "due": ("ix_reports_due", lambda c: reports.due(c, 9, 500)),
    "same place, by mark": ("ix_reports_mark", lambda c: same_place(c, "cong cho", None)),
    "same place, by point": (BY_POINT, lambda c: same_place(c, "", (20.9, 106.3))),
    "same place, by both": (BY_POINT, lambda c: same_place(c, "cong cho", (20.9, 106.3))),
    "open in a village": ("ix_reports_open_unit", lambda c: reports.open_in(c, "order", "thon-03", 1, 20)),
    "open for a digest": ("ix_reports_open", lambda c: reports.open_for(c, "thon-03", (), 9, 15)),
    "desks with open": ("ix_reports_open", reports.desks_with_open),
    "figures": ("ix_reports_closed", lambda c: reports.counts(c, 9, 1)),
    "figures of a time": (FILED, lambda c: statistics.by_period(c, OF_A_VILLAGE, 1, 9, 3)),
    "figures of villages": (FILED, lambda c: statistics.by_village(c, EVERYTHING, 1, 9)),
    "how many were filed": (FILED, lambda c: statistics.tallies(c, EVERYTHING, [(1, 9), (5, 9)])),
    "how many were closed": ("ix_reports_closed", lambda c: statistics.tallies(c, EVERYTHING, [(1, 9)])),
    "what is open by village": ("ix_reports_open", lambda c: statistics.standings(c, EVERYTHING, 9)),
    "pictures to draw": ("ix_pictures_waiting", lambda c: pictures.waiting(c, 1, 2, 4)),
    "pictures of old": ("ix_pictures_asked", lambda c: pictures.old(c, 1, 4)),
    "what waits for a picture": ("ix_outbox_undrawn", lambda c: outbox.drawn(c, "pictures/a.png")),
    "filed since": ("ix_reports_person", lambda c: reports.filed_since(c, "t:1", 1, 2)),
    "held chats": ("ix_outbox_held", lambda c: outbox.held_chats(c, 9)),
    "held for": ("ix_outbox_held", lambda c: reports.held_for(c, "t", "a", 40)),
    "recent": ("ix_outbox_flood", lambda c: outbox.recent(c, [("t", "a"), ("t", "b")], 1)),
    "followers": ("followers", lambda c: reports.followers_of(c, [1, 2])),
    "followed by": ("ix_followers_person", lambda c: reports.followed_by(c, "t:1", 5)),
    "to_wake": ("ix_sessions_wake_at", lambda c: sessions.to_wake(c, 1, 9)),
    "photos to fetch": ("ix_photos_waiting", lambda c: photos.waiting(c, 1, 2, 4)),
    "photos next": ("ix_photos_waiting", photos.next_due),
    "photos of a report": ("ix_photos_report", lambda c: photos.of_report(c, 1, "before")),
    "files of reports": ("ix_photos_report", lambda c: photos.counts_of(c, [1, 2])),
    "ears": ("ix_members_unit", lambda c: people.ears_of(c, ["thon-03"])),
    "rooms": ("ix_rooms_unit", lambda c: people.rooms_of(c, ["thon-03"])),
    "known": ("ix_members_person", lambda c: people.known(c, [("t", "1")])),
}


@pytest.mark.parametrize("name", INDEXED)
async def test_what_runs_often_goes_by_its_index(sqlite_database: Database, name: str) -> None:
    """F14: two million reports change nothing, as long as no table is walked through."""
    index, query = INDEXED[name]
    statements: list[tuple[str, Any]] = []

    def note(_1: Any, _2: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    engine = sqlite_database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        await sqlite_database.write(query)
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    plans = [plan for one in statements for plan in _plan(sqlite_database, *one)]
    assert any(index in plan for plan in plans), plans
    scans = [plan.split() for plan in plans if plan.startswith("SCAN") and "INDEX" not in plan]
    # `links` holds only what is being followed now.
    assert [words[1] for words in scans if words[1] in {*metadata.tables, "earlier"} - {"links"}] == []


def _plan(db: Database, statement: str, parameters: Any) -> list[str]:
    if statement.startswith(("BEGIN", "PRAGMA")):
        return []
    given = parameters[0] if isinstance(parameters, list) else parameters
    conn = sqlite3.connect(str(db.url.database))
    try:
        return [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {statement}", given)]
    finally:
        conn.close()


# Migrations ----------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a single table."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path)
        return
    server: Server = request.getfixturevalue("postgres_server")
    name = f"anphuxanh_empty_{next(_numbers)}"
    yield run(create_database(server.url, name))
    run(drop_database(server.url, name))


async def test_migrated_is_what_the_tables_say(database: Database) -> None:
    async with database.engine.connect() as conn:
        found = await conn.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
    assert found == []
    assert await migrate.check(database)


async def test_the_partial_indexes_are_partial(spoilt: Database) -> None:
    """Autogenerate does not compare the WHERE of an index: both ways to make them are compared here."""
    async with spoilt.engine.connect() as conn:
        migrated = await conn.run_sync(_indexes)
    async with spoilt.engine.begin() as conn:
        await conn.run_sync(metadata.drop_all)
        await conn.run_sync(metadata.create_all)
    async with spoilt.engine.connect() as conn:
        declared = await conn.run_sync(_indexes)
    assert migrated == declared
    partial = [name for name, (_, where) in declared.items() if where]
    assert len(partial) >= 10


def _indexes(connection: sa.Connection) -> dict[str, tuple[tuple[str | None, ...], str]]:
    found = {}
    inspector = sa.inspect(connection)
    for table in metadata.tables:
        for index in inspector.get_indexes(table):
            where = index.get("dialect_options", {})
            text = where.get("sqlite_where", where.get("postgresql_where", ""))
            found[str(index["name"])] = (tuple(index["column_names"]), "".join(str(text).split()).strip("()"))
    return found


async def test_upgrading_twice_changes_nothing(database: Database) -> None:
    await stored(database, arrival("1"))
    await migrate.upgrade(database)
    await migrate.upgrade(database)
    assert events(await waiting(database)) == ["1"]


async def test_the_grid_is_laid_over_what_is_there(spoilt: Database) -> None:
    rng = random.Random(5)
    points = [(rng.uniform(-90, 90), rng.uniform(-180, 180)) for _ in range(300)]
    points += [(n / 1000, 106 + n / 1000) for n in range(20_900, 21_000)] + [(90, 180), (-90, -180), (0, 0)]
    filed = [report(f"AP-26-{n:05}", lat=lat, lon=lon) for n, (lat, lon) in enumerate(points)]
    await file(spoilt, *filed, report("AP-26-00999"))
    before = await rows_of(spoilt, reports_table)
    async with spoilt.engine.begin() as conn:
        await conn.run_sync(lambda c: command.downgrade(migrate._config(c), "0003"))
    await migrate.upgrade(spoilt)
    assert await rows_of(spoilt, reports_table) == before
    assert [row.cell is None for row in before] == [False] * len(points) + [True]


async def test_a_newer_schema_is_refused(spoilt: Database) -> None:
    """F13: an old program must not touch what a newer one made."""
    async with spoilt.engine.begin() as conn:
        await conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(migrate.NewerSchema):
        await migrate.upgrade(spoilt)
    assert not await migrate.check(spoilt)
    async with spoilt.engine.connect() as conn:
        assert (await conn.exec_driver_sql("SELECT version_num FROM alembic_version")).scalar() == "9999"


UPGRADE = """
import asyncio, sys
from storage import migrate
from storage.database import Database

async def main():
    db = Database(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    await migrate.upgrade(db)
    print(await migrate.check(db))
    await db.close()

asyncio.run(main())
"""


def test_processes_that_upgrade_at_once(empty_url: str) -> None:
    asyncio.run(_upgrade_at_once(empty_url))


async def _upgrade_at_once(url: str) -> None:
    command = (sys.executable, "-c", UPGRADE, url)
    pipe = asyncio.subprocess.PIPE
    started = [
        await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe) for _ in range(3)
    ]
    for process in started:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    said = await asyncio.gather(*(process.communicate(b"go\n") for process in started))
    assert [out for out, _ in said] == [b"True\n"] * 3
    assert [process.returncode for process in started] == [0] * 3
