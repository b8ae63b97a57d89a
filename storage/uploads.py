"""Copies of our files that a platform holds for some days: they need not be uploaded again."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert
from storage.tables import uploads


async def find(conn: AsyncConnection, channel: str, stored: str, now: int) -> str | None:
    query = sa.select(uploads.c.handle).where(
        uploads.c.channel == channel, uploads.c.stored == stored, uploads.c.until > now
    )
    return (await conn.execute(query)).scalar()


async def keep(conn: AsyncConnection, channel: str, stored: str, handle: str, until: int) -> None:
    values = {"handle": handle, "until": until}
    statement = insert(conn, uploads).values(channel=channel, stored=stored, **values)
    await conn.execute(statement.on_conflict_do_update(index_elements=["channel", "stored"], set_=values))


async def forget(conn: AsyncConnection, channel: str, stored: str) -> None:
    gone = sa.and_(uploads.c.channel == channel, uploads.c.stored == stored)
    await conn.execute(sa.delete(uploads).where(gone))
