"""What was said on the local chat page, by people and by the bot, in order."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import bubbles

# Any number will do, as long as nothing else locks it.
ORDER_LOCK = 7_205_759_403


@dataclass(frozen=True, slots=True)
class Bubble:
    """One row. `buttons` is JSON that only the channel reads; `at` is milliseconds since 1970 UTC."""

    id: int
    seat: str
    mine: bool
    author: str
    text: str
    buttons: str
    photo: str | None
    lat: float | None
    lon: float | None
    key: str
    at: int


COLUMNS = tuple(bubbles.c[name] for name in Bubble.__dataclass_fields__)


async def add(
    conn: AsyncConnection,
    *,
    seat: str,
    mine: bool,
    author: str,
    text: str,
    key: str,
    at: int,
    buttons: str = "[]",
    photo: str | None = None,
    lat: float | None = None,
    lon: float | None = None,
) -> int | None:
    """The new row's id; None, and nothing changed, when `key` was there already."""
    postgres = conn.dialect.name == "postgresql"
    if postgres:
        # Ids must become visible in order: who reads "after 7" would never see a 6 that committed later.
        await conn.execute(sa.select(sa.func.pg_advisory_xact_lock(ORDER_LOCK)))
    row = {
        "seat": seat,
        "mine": mine,
        "author": author,
        "text": text,
        "buttons": buttons,
        "photo": photo,
        "lat": lat,
        "lon": lon,
        "key": key,
        "at": at,
    }
    # Looked for first: a refused insert would still use up a number on PostgreSQL.
    if await by_key(conn, key) is not None:
        return None
    added: int | None = (await conn.execute(_insert(row, postgres=postgres))).scalar_one_or_none()
    return added


async def since(conn: AsyncConnection, after: int, limit: int) -> list[Bubble]:
    """The first `limit` that came after the one with the id `after`, oldest first."""
    query = sa.select(*COLUMNS).where(bubbles.c.id > after).order_by(bubbles.c.id).limit(limit)
    return await _rows(conn, query)


async def last(conn: AsyncConnection, per_seat: int) -> list[Bubble]:
    """The newest `per_seat` of every seat, oldest first."""
    newest = sa.func.row_number().over(partition_by=bubbles.c.seat, order_by=bubbles.c.id.desc())
    ranked = sa.select(*COLUMNS, newest.label("rank")).subquery()
    columns = [ranked.c[column.name] for column in COLUMNS]
    query = sa.select(*columns).where(ranked.c.rank <= per_seat).order_by(ranked.c.id)
    return await _rows(conn, query)


async def before(conn: AsyncConnection, seat: str, first: int, limit: int) -> list[Bubble]:
    """The last `limit` of a seat that came before the one with the id `first`, oldest first."""
    query = (
        sa.select(*COLUMNS)
        .where(bubbles.c.seat == seat, bubbles.c.id < first)
        .order_by(bubbles.c.id.desc())
        .limit(limit)
    )
    return (await _rows(conn, query))[::-1]


async def one(conn: AsyncConnection, bubble: int) -> Bubble | None:
    found = await _rows(conn, sa.select(*COLUMNS).where(bubbles.c.id == bubble))
    return found[0] if found else None


async def by_key(conn: AsyncConnection, key: str) -> Bubble | None:
    found = await _rows(conn, sa.select(*COLUMNS).where(bubbles.c.key == key))
    return found[0] if found else None


async def _rows(conn: AsyncConnection, query: sa.Select[Any]) -> list[Bubble]:
    return [Bubble(**row) for row in (await conn.execute(query)).mappings()]


def _insert(row: dict[str, object], *, postgres: bool) -> sa.Executable:
    """The same sentence in two dialects, each with its own class."""
    if postgres:
        on_postgres = postgresql.insert(bubbles).values(row)
        return on_postgres.on_conflict_do_nothing(index_elements=["key"]).returning(bubbles.c.id)
    on_sqlite = sqlite.insert(bubbles).values(row)
    return on_sqlite.on_conflict_do_nothing(index_elements=["key"]).returning(bubbles.c.id)
