"""The outbox, on both databases: claimed by one, in order, once due; what was said is not promised again."""

import asyncio
from functools import partial
from typing import Any

import pytest

from bot.core.effects import Lane
from storage import outbox
from storage.database import Database
from storage.tables import OutboxState
from storage.tables import outbox as outbox_table
from tests.storing import promise, promised, rows_of


@pytest.fixture
def database(emptied_database: Database) -> Database:
    return emptied_database


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
