"""What arrived: stored once, taken chat by chat, done or set aside."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert
from storage.tables import InboxState, counters, inbox, sessions

# The channel name of what the program tells itself (a photo is ready, a message was refused).
INTERNAL = "internal"
PIECE = 500
# Written into the statement: a bound value would keep the database from using the partial index.
NEW: sa.ColumnElement[int] = sa.literal_column(str(InboxState.NEW))
QUARANTINED: sa.ColumnElement[int] = sa.literal_column(str(InboxState.QUARANTINED))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A payload to store. `event` is unique within `channel`; `chat` is "channel:chat"."""

    channel: str
    event: str
    chat: str
    raw: str
    received_at: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    id: int
    channel: str
    chat: str
    raw: str
    received_at: int
    tries: int


async def store(conn: AsyncConnection, arrivals: Sequence[Arrival]) -> int:
    """Store what is new; returns how many were. A malformed payload (with a problem) goes aside at once."""
    rows = [
        {
            "channel": a.channel,
            "event": a.event,
            "chat": a.chat,
            "raw": a.raw,
            "received_at": a.received_at,
            "state": InboxState.NEW if a.problem is None else InboxState.QUARANTINED,
            "tries": 0,
            "problem": a.problem,
        }
        for a in arrivals
    ]
    if conn.dialect.name == "sqlite":
        return (await conn.execute(insert(conn, inbox).on_conflict_do_nothing(), rows)).rowcount
    # PostgreSQL's driver does not count the rows of many statements: one statement, in pieces that fit it.
    new = 0
    for start in range(0, len(rows), PIECE):
        statement = insert(conn, inbox).values(rows[start : start + PIECE])
        new += (await conn.execute(statement.on_conflict_do_nothing())).rowcount
    return new


_COLUMNS = (inbox.c.id, inbox.c.channel, inbox.c.chat, inbox.c.raw, inbox.c.received_at, inbox.c.tries)
_WAITING = sa.select(*_COLUMNS).where(inbox.c.state == NEW).order_by(inbox.c.id)
_MARK = sa.update(inbox).where(inbox.c.id == sa.bindparam("row"))


async def waiting(conn: AsyncConnection, limit: int) -> list[Stored]:
    """The oldest events of chats that nobody else is working on (PostgreSQL locks their session rows)."""
    if conn.dialect.name == "sqlite":
        return [Stored(*row) for row in await conn.execute(_WAITING.limit(limit))]
    candidates = sa.select(inbox.c.chat).where(inbox.c.state == NEW).order_by(inbox.c.id)
    chats = {row.chat for row in await conn.execute(candidates.limit(limit))}
    if not chats:
        return []
    # An existing row is locked, never a missing one: two first messages at once would collide.
    empty = [{"chat": chat, "channel": chat.partition(":")[0], "state": "{}"} for chat in sorted(chats)]
    await conn.execute(insert(conn, sessions).on_conflict_do_nothing(), empty)
    locking = sa.select(sessions.c.chat).where(sessions.c.chat.in_(chats)).order_by(sessions.c.chat)
    mine = [row.chat for row in await conn.execute(locking.with_for_update(skip_locked=True))]
    rows = await conn.execute(_WAITING.where(inbox.c.chat.in_(mine)).limit(limit))
    return [Stored(*row) for row in rows]


async def known(conn: AsyncConnection, event: str) -> bool:
    """Whether the program told itself this before."""
    query = sa.select(inbox.c.id).where(inbox.c.channel == INTERNAL, inbox.c.event == event)
    return (await conn.execute(query)).first() is not None


async def first_at(conn: AsyncConnection, channel: str) -> int | None:
    """When the channel's oldest event was stored; None when there is none."""
    query = sa.select(inbox.c.received_at).where(inbox.c.channel == channel).order_by(inbox.c.id).limit(1)
    return (await conn.execute(query)).scalar_one_or_none()


async def raw_of(conn: AsyncConnection, channel: str, event: str) -> str | None:
    """What was stored under that id, whatever became of it; None when nothing was."""
    query = sa.select(inbox.c.raw).where(inbox.c.channel == channel, inbox.c.event == event)
    return (await conn.execute(query)).scalar_one_or_none()


async def one(conn: AsyncConnection, row: Stored) -> Stored | None:
    """That event, if it still waits; its chat is locked against other processes first."""
    if conn.dialect.name != "sqlite":
        locking = sa.select(sessions.c.chat).where(sessions.c.chat == row.chat)
        await conn.execute(locking.with_for_update())
    query = sa.select(*_COLUMNS).where(inbox.c.id == row.id, inbox.c.state == NEW)
    found = (await conn.execute(query)).first()
    return None if found is None else Stored(*found)


async def done(conn: AsyncConnection, ids: Sequence[int]) -> None:
    statement = sa.update(inbox).where(inbox.c.id.in_(ids)).values(state=InboxState.DONE)
    await conn.execute(statement)


async def tried(conn: AsyncConnection, row: int, problem: str) -> None:
    await conn.execute(_MARK.values(tries=inbox.c.tries + 1, problem=problem), {"row": row})


async def quarantine(conn: AsyncConnection, row: int, problem: str) -> None:
    await conn.execute(_MARK.values(state=InboxState.QUARANTINED, problem=problem), {"row": row})


async def count_waiting(conn: AsyncConnection) -> int:
    query = sa.select(sa.func.count()).select_from(inbox).where(inbox.c.state == NEW)
    return int((await conn.execute(query)).scalar_one())


async def count_quarantined(conn: AsyncConnection) -> int:
    query = sa.select(sa.func.count()).select_from(inbox).where(inbox.c.state == QUARANTINED)
    return int((await conn.execute(query)).scalar_one())


async def prove_writable(conn: AsyncConnection) -> None:
    """Write and commit something that changes nothing: a full or read-only disk raises here."""
    row = {"name": "alive", "value": 1}
    statement = insert(conn, counters).values(**row)
    await conn.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": 1}))
