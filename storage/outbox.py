"""Messages promised and not yet delivered: promised with the report, claimed with a lease, marked."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert
from storage.tables import OutboxState, outbox

Row = sa.Row[Any]
# Written into the statement: a bound value would keep the database from using the partial index.
DUE: sa.ColumnElement[int] = sa.literal_column(str(OutboxState.DUE))
SENDING: sa.ColumnElement[int] = sa.literal_column(str(OutboxState.SENDING))
_BLANK = {
    "buttons": "[]",
    "photo": None,
    "wants_place": False,
    "report": None,
    "key": None,
    "question": False,
    "grouped": False,
    "state": OutboxState.DUE,
    "tries": 0,
}


async def promise(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Promise messages; one whose `key` was promised before is not promised again."""
    filled = [_BLANK | dict(row) for row in rows]
    await conn.execute(insert(conn, outbox).on_conflict_do_nothing(index_elements=["key"]), filled)


_SUPERSEDE = (
    sa.update(outbox)
    .where(outbox.c.channel == sa.bindparam("in_channel"), outbox.c.chat == sa.bindparam("in_chat"))
    .where(outbox.c.state == DUE, outbox.c.question)
    .values(state=OutboxState.SUPERSEDED)
)


async def supersede(conn: AsyncConnection, chats: Collection[tuple[str, str]]) -> None:
    """Unsent questions in these (channel, chat) give way to a newer one."""
    await conn.execute(_SUPERSEDE, [{"in_channel": channel, "in_chat": chat} for channel, chat in chats])


async def claim(
    conn: AsyncConnection,
    channel: str,
    now: int,
    lease: int,
    limit: int,
    *,
    resting: Collection[str] = (),
    once_lanes: Collection[int] = (),
) -> list[Row]:
    """Lease up to `limit` due messages, highest lane first, in order; `resting` chats are passed over.

    Messages of `once_lanes` are marked before they are sent: as UNKNOWN, until the platform has answered.
    """
    due = sa.select(outbox.c.id).where(
        outbox.c.channel == channel, outbox.c.state == DUE, outbox.c.due_at <= now
    )
    if resting:
        due = due.where(outbox.c.chat.not_in(resting))
    due = due.order_by(outbox.c.lane, outbox.c.id).limit(limit).with_for_update(skip_locked=True)
    state = sa.case(
        (outbox.c.lane.in_(once_lanes), OutboxState.UNKNOWN), else_=sa.literal(OutboxState.SENDING)
    )
    claimed = sa.update(outbox).where(outbox.c.id.in_(due.scalar_subquery()))
    claimed = claimed.values(state=state, lease_until=lease, tries=outbox.c.tries + 1)
    rows = await conn.execute(claimed.returning(outbox))
    return sorted(rows, key=lambda row: (row.lane, row.id))


_MARK = (
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("row"))
    .values(
        state=sa.bindparam("to_state"),
        due_at=sa.func.coalesce(sa.bindparam("due", type_=sa.BigInteger), outbox.c.due_at),
        sent_at=sa.bindparam("sent"),
        platform_id=sa.bindparam("platform"),
        problem=sa.bindparam("why"),
        tries=outbox.c.tries - sa.bindparam("untried", type_=sa.SmallInteger),
        lease_until=None,
    )
)


async def mark(conn: AsyncConnection, marks: Sequence[Mapping[str, Any]]) -> None:
    """Each mark: row, to_state, and where they apply due, sent, platform, why, untried."""
    blank = {"due": None, "sent": None, "platform": None, "why": None, "untried": 0}
    await conn.execute(_MARK, [blank | dict(mark) for mark in marks])


async def release(conn: AsyncConnection, before: int) -> int:
    """Leases that ran out: their messages are due again (their sender died in the middle)."""
    over = sa.and_(outbox.c.state == SENDING, outbox.c.lease_until < before)
    statement = sa.update(outbox).where(over).values(state=OutboxState.DUE, lease_until=None)
    return (await conn.execute(statement)).rowcount


async def next_due(conn: AsyncConnection, channel: str) -> int | None:
    query = sa.select(sa.func.min(outbox.c.due_at)).where(outbox.c.channel == channel, outbox.c.state == DUE)
    due: int | None = (await conn.execute(query)).scalar()
    return due


async def find(conn: AsyncConnection, row: int) -> Row | None:
    return (await conn.execute(sa.select(outbox).where(outbox.c.id == row))).first()


async def move_chat(conn: AsyncConnection, channel: str, old: str, new: str) -> None:
    where = sa.and_(outbox.c.channel == channel, outbox.c.chat == old, outbox.c.state == DUE)
    await conn.execute(sa.update(outbox).where(where).values(chat=new))


async def depth(conn: AsyncConnection) -> list[tuple[int, int, int]]:
    """(lane, how many wait, since when the oldest is due) of what waits."""
    query = (
        sa.select(outbox.c.lane, sa.func.count(), sa.func.min(outbox.c.due_at))
        .where(outbox.c.state == DUE)
        .group_by(outbox.c.lane)
    )
    return [(row[0], row[1], row[2]) for row in await conn.execute(query)]


async def count_unknown(conn: AsyncConnection) -> int:
    query = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.state == OutboxState.UNKNOWN)
    return int((await conn.execute(query)).scalar_one())
