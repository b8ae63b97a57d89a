"""Reports and their history: filed once, changed only from the version that was read."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Conflict, insert
from storage.tables import OPEN, counters, history, outbox, reports

Row = sa.Row[Any]
_ONE = sa.select(reports)


async def draw_numbers(conn: AsyncConnection, counter: str, count: int) -> range:
    """The next `count` numbers of a counter, never given twice."""
    statement = insert(conn, counters).values(name=counter, value=count)
    grown = statement.on_conflict_do_update(
        index_elements=["name"], set_={"value": counters.c.value + statement.excluded.value}
    )
    last = int((await conn.execute(grown.returning(counters.c.value))).scalar_one())
    return range(last - count + 1, last + 1)


async def add(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """File reports; returns their ids by code."""
    await conn.execute(sa.insert(reports), [dict(row) for row in rows])
    codes = [row["code"] for row in rows]
    found = await conn.execute(sa.select(reports.c.code, reports.c.id).where(reports.c.code.in_(codes)))
    return {row.code: row.id for row in found}


async def note(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append to the history; nothing there is ever changed."""
    filled = [{"before": "", "after": "", "note": "", "person": None} | dict(row) for row in rows]
    await conn.execute(sa.insert(history), filled)


async def change(conn: AsyncConnection, report: int, version: int, values: Mapping[str, Any]) -> None:
    """Raises Conflict when the report is not at that version any more."""
    where = sa.and_(reports.c.id == report, reports.c.version == version)
    statement = sa.update(reports).where(where).values(version=version + 1, **values)
    if (await conn.execute(statement)).rowcount != 1:
        raise Conflict("report")


async def by_code(conn: AsyncConnection, code: str) -> Row | None:
    return (await conn.execute(_ONE.where(reports.c.code == code))).first()


async def by_id(conn: AsyncConnection, report: int) -> Row | None:
    return (await conn.execute(_ONE.where(reports.c.id == report))).first()


async def by_message(conn: AsyncConnection, channel: str, chat: str, platform_id: str) -> Row | None:
    """The report that the bot's message in this chat was about."""
    said = sa.and_(
        outbox.c.channel == channel,
        outbox.c.chat == chat,
        outbox.c.platform_id == platform_id,
        outbox.c.report.is_not(None),
    )
    query = _ONE.join(outbox, outbox.c.report == reports.c.id).where(said)
    return (await conn.execute(query.limit(1))).first()


async def of_person(conn: AsyncConnection, person: str, limit: int) -> list[Row]:
    query = _ONE.where(reports.c.person == person).order_by(reports.c.id.desc()).limit(limit)
    return list(await conn.execute(query))


async def open_at(conn: AsyncConnection, desks: Collection[str], limit: int) -> list[Row]:
    """What is open at these desks, oldest first."""
    query = _ONE.where(reports.c.desk.in_(desks), reports.c.closed_at.is_(None))
    query = query.where(reports.c.status.in_(OPEN))
    return list(await conn.execute(query.order_by(reports.c.id).limit(limit)))


async def unheard(conn: AsyncConnection, limit: int) -> list[Row]:
    """Reports of which nobody could be told yet."""
    query = _ONE.where(reports.c.alerted_at.is_(None)).order_by(reports.c.id).limit(limit)
    return list(await conn.execute(query))


async def heard(conn: AsyncConnection, ids: Collection[int], now: int | None) -> None:
    """When somebody was told of them; None: nobody was."""
    await conn.execute(sa.update(reports).where(reports.c.id.in_(ids)).values(alerted_at=now))


# A degree of latitude is 111 km everywhere; of longitude 104 km at Hải Phòng: the box is a little too wide.
METRES_A_DEGREE = 100_000.0


async def near(conn: AsyncConnection, lat: float, lon: float, metres: float, limit: int) -> list[Row]:
    """Reports in the box around a point, newest first; the caller measures the true distance."""
    reach = metres / METRES_A_DEGREE
    box = sa.and_(
        reports.c.lat.between(lat - reach, lat + reach), reports.c.lon.between(lon - reach, lon + reach)
    )
    return list(await conn.execute(_ONE.where(box).order_by(reports.c.id.desc()).limit(limit)))
