"""Notices of the office: who wrote them, who let them go, what became of each."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Conflict
from storage.tables import OutboxState, accounts, announcements, broadcasts, members, outbox

Row = sa.Row[Any]
_OPEN = announcements.c.state.in_((sa.literal_column("'waiting'"), sa.literal_column("'running'")))
RUNNING = "running"


async def add(conn: AsyncConnection, row: Mapping[str, Any]) -> None:
    await conn.execute(sa.insert(announcements), dict(row))


async def find(conn: AsyncConnection, notice: int) -> Row | None:
    return (await conn.execute(sa.select(announcements).where(announcements.c.id == notice))).first()


async def recent(conn: AsyncConnection, limit: int) -> list[Row]:
    """Those that are open, and the last ones that went out, newest first."""
    last = sa.select(announcements.c.id).where(announcements.c.state == "over")
    last = last.order_by(announcements.c.id.desc()).limit(limit)
    query = sa.select(announcements).where(sa.or_(_OPEN, announcements.c.id.in_(last.scalar_subquery())))
    return list(await conn.execute(query.order_by(announcements.c.id.desc())))


async def running(conn: AsyncConnection) -> Sequence[int]:
    query = sa.select(announcements.c.id).where(_OPEN, announcements.c.state == RUNNING)
    return (await conn.execute(query.order_by(announcements.c.id))).scalars().all()


async def move(
    conn: AsyncConnection, notice: int, before: str, after: str, values: Mapping[str, Any]
) -> None:
    """Into the next state, once. Raises Conflict when somebody was faster."""
    own = sa.and_(announcements.c.id == notice, announcements.c.state == before)
    done = await conn.execute(sa.update(announcements).where(own).values(state=after, **values))
    if done.rowcount != 1:
        raise Conflict("announcement")


async def started(conn: AsyncConnection, key: str) -> Row | None:
    """The broadcast of a notice."""
    columns: list[sa.ColumnElement[Any]] = [broadcasts.c.id, broadcasts.c.state, broadcasts.c.starts_at]
    query = sa.select(*columns).where(broadcasts.c.key == key)
    return (await conn.execute(query)).first()


async def flying(conn: AsyncConnection, broadcast: int, now: int) -> int:
    """How many of a broadcast are being sent at this moment: not yet known what becomes of them."""
    own = sa.and_(outbox.c.broadcast == broadcast, outbox.c.state == OutboxState.UNKNOWN)
    query = sa.select(sa.func.count()).select_from(outbox).where(own, outbox.c.lease_until > now)
    return int((await conn.execute(query)).scalar_one())


async def deciders(conn: AsyncConnection, office: str) -> list[Row]:
    """(person, name, role, channel, chat): everybody of the office, and who leads.

    The chat that they wrote in last comes first.
    """
    theirs = sa.or_(sa.and_(members.c.unit == office, members.c.role == "office"), members.c.role == "lead")
    can = sa.and_(accounts.c.person == members.c.person, accounts.c.reachable, accounts.c.chat.is_not(None))
    query = (
        sa.select(members.c.person, members.c.name, members.c.role, accounts.c.channel, accounts.c.chat)
        .select_from(members.outerjoin(accounts, can))
        .where(theirs, members.c.removed_at.is_(None))
        .order_by(members.c.id, sa.func.coalesce(accounts.c.wrote_at, 0).desc(), accounts.c.channel)
    )
    return list(await conn.execute(query))


async def pair(conn: AsyncConnection, person: str, into: str) -> None:
    """What was this person's is that other one's: nobody approves their own notice by being two."""
    for column in (announcements.c.author, announcements.c.decider):
        own = sa.update(announcements).where(column == person)
        await conn.execute(own.values({column.name: into}))


async def forget(conn: AsyncConnection, person: str) -> None:
    """The notice stays, without the person."""
    for role in ("author", "decider"):
        nobody = {role: None, f"{role}_name": "", f"{role}_ear": None}
        await conn.execute(sa.update(announcements).where(announcements.c[role] == person).values(**nobody))
