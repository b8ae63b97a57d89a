"""Numbers that only grow: report codes of a year, what a day of messages has cost."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert
from storage.tables import counters


async def draw(conn: AsyncConnection, counter: str, count: int) -> range:
    """The next `count` numbers of a counter, never given twice."""
    statement = insert(conn, counters).values(name=counter, value=count)
    grown = statement.on_conflict_do_update(
        index_elements=["name"], set_={"value": counters.c.value + statement.excluded.value}
    )
    last = int((await conn.execute(grown.returning(counters.c.value))).scalar_one())
    return range(last - count + 1, last + 1)


async def drawn(conn: AsyncConnection, counter: str) -> int:
    """How many numbers of a counter were given."""
    found = await conn.execute(sa.select(counters.c.value).where(counters.c.name == counter))
    return int(found.scalar() or 0)
