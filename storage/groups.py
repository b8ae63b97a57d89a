"""Groups that a platform says are ours to write to; the office makes one of them a unit's room."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert
from storage.tables import groups, rooms


@dataclass(frozen=True, slots=True)
class Group:
    """`unit` is whose room it is, if it is anybody's."""

    channel: str
    chat: str
    name: str
    unit: str | None


async def keep(conn: AsyncConnection, channel: str, found: Sequence[tuple[str, str]], now: int) -> None:
    """All groups of a channel as (chat, name): those that are not among them any more are let go."""
    rows = [{"channel": channel, "chat": chat, "name": name, "seen_at": now} for chat, name in found]
    gone = sa.and_(groups.c.channel == channel, groups.c.chat.not_in([chat for chat, _ in found]))
    await conn.execute(sa.delete(groups).where(gone))
    if rows:
        statement = insert(conn, groups)
        again = {"name": statement.excluded.name, "seen_at": statement.excluded.seen_at}
        await conn.execute(
            statement.on_conflict_do_update(index_elements=["channel", "chat"], set_=again), rows
        )


async def known(conn: AsyncConnection) -> list[Group]:
    whose = sa.and_(rooms.c.channel == groups.c.channel, rooms.c.address == groups.c.chat)
    query = sa.select(groups.c.channel, groups.c.chat, groups.c.name, rooms.c.unit).select_from(
        groups.outerjoin(rooms, whose)
    )
    rows = await conn.execute(query.order_by(groups.c.channel, groups.c.chat))
    return [Group(*row) for row in rows]
