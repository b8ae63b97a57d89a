"""Reports and their history: filed once, changed only from the version that was read."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import grid
from storage.database import Conflict, insert
from storage.tables import OPEN, OutboxState, followers, history, members, outbox, reports

Row = sa.Row[Any]
_ONE = sa.select(reports)
# Written into the statement: a bound value would keep the database from using the partial index.
HELD: sa.ColumnElement[int] = sa.literal_column(str(OutboxState.HELD))
# Whoever brings a report there has taken it on.
TAKEN_ON = ("acknowledged", "in_progress", "resolved")
# More than anybody may file in a day.
FILED_LOOK = 64


async def add(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """File reports; returns their ids by code."""
    await conn.execute(sa.insert(reports), [_on_grid(row) for row in rows])
    codes = [row["code"] for row in rows]
    found = await conn.execute(sa.select(reports.c.code, reports.c.id).where(reports.c.code.in_(codes)))
    return {row.code: row.id for row in found}


async def note(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append to the history; nothing there is ever changed."""
    filled = [{"before": "", "after": "", "note": "", "person": None} | dict(row) for row in rows]
    await conn.execute(sa.insert(history), filled)


async def change(
    conn: AsyncConnection, report: int, version: int, values: Mapping[str, Any], now: int | None = None
) -> None:
    """Raises Conflict when the report is not at that version any more.

    `now` is when it was first taken on, if this takes it on.
    """
    where = sa.and_(reports.c.id == report, reports.c.version == version)
    statement = sa.update(reports).where(where).values(version=version + 1, **_on_grid(values))
    if now is not None and values.get("status") in TAKEN_ON:
        statement = statement.values(taken_at=sa.func.coalesce(reports.c.taken_at, now))
    if (await conn.execute(statement)).rowcount != 1:
        raise Conflict("report")


def _on_grid(values: Mapping[str, Any]) -> dict[str, Any]:
    """Whoever writes a point writes its cell: by that it is found."""
    if "lat" not in values:
        return dict(values)
    return {**values, "cell": grid.cell(values["lat"], values["lon"])}


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


async def due(conn: AsyncConnection, now: int, limit: int) -> list[tuple[str, str, int]]:
    """(code, step, moment) of what wants attention by now, the longest overdue first."""
    query = sa.select(reports.c.code, reports.c.due_step, reports.c.due_at)
    query = query.where(reports.c.due_at.is_not(None), reports.c.due_at <= now)
    return [
        (row[0], row[1], row[2]) for row in await conn.execute(query.order_by(reports.c.due_at).limit(limit))
    ]


async def filed_since(conn: AsyncConnection, person: str, hour: int, day: int) -> tuple[int, int]:
    """How many a person filed since each of two moments; emergencies and those for others do not count."""
    own = sa.and_(reports.c.person == person, sa.not_(reports.c.emergency), sa.not_(reports.c.behalf))
    recent = sa.select(reports.c.filed_at).where(own).order_by(reports.c.id.desc()).limit(FILED_LOOK)
    filed = [row.filed_at for row in await conn.execute(recent)]
    return sum(at > hour for at in filed), sum(at > day for at in filed)


_FOLLOWERS = (
    sa.select(followers.c.report, followers.c.channel, followers.c.chat)
    .where(followers.c.report.in_(sa.bindparam("ids", expanding=True)))
    .order_by(followers.c.report, followers.c.at)
)


async def followers_of(conn: AsyncConnection, ids: Collection[int]) -> dict[int, list[tuple[str, str]]]:
    """(channel, chat) of everybody who follows, by report."""
    found: dict[int, list[tuple[str, str]]] = {}
    for row in await conn.execute(_FOLLOWERS, {"ids": list(ids)}):
        found.setdefault(row.report, []).append((row.channel, row.chat))
    return found


async def follow(conn: AsyncConnection, report: int, person: str, channel: str, chat: str, now: int) -> None:
    row = {"report": report, "person": person, "channel": channel, "chat": chat, "at": now}
    await conn.execute(insert(conn, followers).on_conflict_do_nothing(), row)


async def followed_by(conn: AsyncConnection, person: str, limit: int) -> list[Row]:
    """The reports that a person follows, newest first."""
    query = _ONE.join(followers, followers.c.report == reports.c.id).where(followers.c.person == person)
    return list(await conn.execute(query.order_by(reports.c.id.desc()).limit(limit)))


async def held_for(conn: AsyncConnection, channel: str, chat: str, limit: int) -> list[Row]:
    """The reports whose alerts this chat waits for."""
    waiting = sa.select(outbox.c.report).where(
        outbox.c.channel == channel, outbox.c.chat == chat, outbox.c.state == HELD, outbox.c.lane == 0
    )
    query = _ONE.where(reports.c.id.in_(waiting.distinct()))
    return list(await conn.execute(query.order_by(reports.c.id).limit(limit)))


async def open_for(
    conn: AsyncConnection, desk: str, fields: Collection[str], before: int, limit: int
) -> tuple[list[Row], int]:
    """What was filed before then and is open, at a desk and of some fields: the oldest, and how many."""
    theirs = sa.or_(reports.c.desk == desk, reports.c.field.in_(fields)) if fields else reports.c.desk == desk
    open_then = sa.and_(reports.c.closed_at.is_(None), reports.c.filed_at < before)
    where = sa.and_(theirs, open_then, reports.c.status.in_(OPEN))
    rows = await conn.execute(_ONE.where(where).order_by(reports.c.id).limit(limit))
    count = await conn.execute(sa.select(sa.func.count()).select_from(reports).where(where))
    return list(rows), int(count.scalar_one())


async def desks_with_open(conn: AsyncConnection) -> set[str]:
    query = sa.select(reports.c.desk).where(reports.c.closed_at.is_(None), reports.c.status.in_(OPEN))
    return {row.desk for row in await conn.execute(query.distinct())}


async def counts(conn: AsyncConnection, now: int, since: int) -> list[tuple[str, int, int, int]]:
    """(desk, open, of these overdue, closed since then) of each unit that has any."""
    is_open = sa.and_(reports.c.closed_at.is_(None), reports.c.status.in_(OPEN))
    late = sa.or_(
        reports.c.fix_by < now,
        sa.and_(reports.c.ack_by < now, reports.c.status.in_(("sent", "reopened", "forwarded"))),
    )
    one: sa.ColumnElement[int] = sa.literal_column("1")
    query = (
        sa.select(reports.c.desk, sa.func.count(), sa.func.sum(sa.case((late, one), else_=0)))
        .where(is_open)
        .group_by(reports.c.desk)
    )
    found = {row[0]: [row[1], int(row[2] or 0), 0] for row in await conn.execute(query)}
    closed = sa.select(reports.c.desk, sa.func.count()).where(reports.c.closed_at >= since)
    for desk, count in await conn.execute(closed.group_by(reports.c.desk)):
        found.setdefault(desk, [0, 0, 0])[2] = count
    return [(desk, total, overdue, done) for desk, (total, overdue, done) in sorted(found.items())]


# Built once: to build a statement takes longer than to look around in it.
_NEWEST = sa.select(reports.c.id).order_by(reports.c.id.desc()).limit(sa.bindparam("limit", type_=sa.Integer))
_RECENT = sa.and_(reports.c.field == sa.bindparam("field"), reports.c.filed_at >= sa.bindparam("since"))
_BOX = sa.and_(
    reports.c.cell.in_(sa.bindparam("cells", expanding=True)),
    reports.c.lat.between(sa.bindparam("south"), sa.bindparam("north")),
    reports.c.lon.between(sa.bindparam("west"), sa.bindparam("east")),
)
# The empty mark is written out: only then may the partial index be used.
_AT_MARK = sa.and_(
    reports.c.unit == sa.bindparam("unit"),
    reports.c.mark == sa.bindparam("mark"),
    reports.c.mark != sa.literal_column("''"),
)


def _newest_of(*wheres: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The indexes tell which are the newest; only those are read."""
    each = [_NEWEST.where(where).subquery() for where in wheres]
    ids = sa.union(*(sa.select(one.c.id) for one in each))
    return _ONE.where(reports.c.id.in_(ids)).order_by(reports.c.id.desc())


_NEAR = _newest_of(_BOX)
_SAME_POINT, _SAME_MARK = sa.and_(_BOX, _RECENT), sa.and_(_AT_MARK, _RECENT)
# By whether there is a point, and a mark.
_SAME_PLACE = {
    (True, False): _newest_of(_SAME_POINT),
    (False, True): _newest_of(_SAME_MARK),
    (True, True): _newest_of(_SAME_POINT, _SAME_MARK),
}


async def same_place(
    conn: AsyncConnection,
    field: str,
    unit: str | None,
    mark: str,
    point: tuple[float, float] | None,
    metres: float,
    since: int,
    limit: int,
) -> list[Row]:
    """Reports of a field since then in the box around a point, or in the same village at the same mark."""
    marked = unit is not None and bool(mark)
    query = _SAME_PLACE.get((point is not None, marked))
    if query is None:
        return []
    asked: dict[str, Any] = {"field": field, "since": since, "limit": limit}
    if marked:
        asked |= {"unit": unit, "mark": mark}
    if point is not None:
        asked |= _around(*point, metres)
    return list(await conn.execute(query, asked))


async def open_in(conn: AsyncConnection, field: str, unit: str, since: int, limit: int) -> list[Row]:
    """What is open in a village, of a field, since then."""
    query = _ONE.where(reports.c.closed_at.is_(None), reports.c.unit == unit)
    query = query.where(reports.c.field == field, reports.c.filed_at >= since)
    return list(await conn.execute(query.order_by(reports.c.id.desc()).limit(limit)))


async def open_in_villages(conn: AsyncConnection, limit: int) -> list[Row]:
    """What is open at the villages' own desks, the oldest first."""
    query = _ONE.where(reports.c.closed_at.is_(None), reports.c.unit == reports.c.desk)
    return list(await conn.execute(query.order_by(reports.c.id).limit(limit)))


async def open_in_village(conn: AsyncConnection, village: str, limit: int) -> list[Row]:
    """What is open in a village and at its own desk, the oldest first."""
    query = _ONE.where(reports.c.closed_at.is_(None), reports.c.unit == village)
    query = query.where(reports.c.desk == village, reports.c.status.in_(OPEN))
    return list(await conn.execute(query.order_by(reports.c.id).limit(limit)))


async def past_of(conn: AsyncConnection, report: int) -> list[tuple[int, str, str, str]]:
    """(at, action, note, member's name) of all that happened to it, in order."""
    name = sa.select(sa.func.min(members.c.name)).where(members.c.person == history.c.person)
    query = sa.select(history.c.at, history.c.action, history.c.note, name.scalar_subquery())
    rows = await conn.execute(query.where(history.c.report == report).order_by(history.c.id))
    return [(row[0], row[1], row[2], row[3] or "") for row in rows]


async def search(
    conn: AsyncConnection,
    categories: Collection[str],
    units: Collection[str],
    desks: Collection[str] | None,
    limit: int,
) -> list[Row]:
    """The newest of these categories, of these units, at these desks; where none is given, of any."""
    query = _ONE
    if categories:
        query = query.where(reports.c.category.in_(categories))
    if units:
        query = query.where(reports.c.unit.in_(units))
    if desks is not None:
        query = query.where(reports.c.desk.in_(desks))
    return list(await conn.execute(query.order_by(reports.c.id.desc()).limit(limit)))


# A degree of latitude is 111 km everywhere; of longitude 104 km at Hải Phòng: the box is a little too wide.
METRES_A_DEGREE = 100_000.0


async def near(conn: AsyncConnection, lat: float, lon: float, metres: float, limit: int) -> list[Row]:
    """Reports in the box around a point, newest first; the caller measures the true distance."""
    return list(await conn.execute(_NEAR, _around(lat, lon, metres) | {"limit": limit}))


def _around(lat: float, lon: float, metres: float) -> dict[str, Any]:
    """What `_BOX` asks for; its cells grow with the square of the metres, so these should be few hundred."""
    reach = metres / METRES_A_DEGREE
    sides = {"south": lat - reach, "north": lat + reach, "west": lon - reach, "east": lon + reach}
    return {"cells": grid.cells_around(lat, lon, reach), **sides}
