"""Figures of reports by SQL: how many, how many are open or late, and how long people waited."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import OPEN, participations, reports

# Nobody has answered these yet.
UNANSWERED = ("sent", "reopened", "forwarded")
# Dealt with; what was rejected or is a double was closed without anybody's work.
SOLVED = ("resolved", "confirmed")
_ONE: sa.ColumnElement[int] = sa.literal_column("1")
_ZERO: sa.ColumnElement[int] = sa.literal_column("0")


@dataclass(frozen=True, slots=True)
class Within:
    """Which reports are counted: those of any of these, or `all`; of them only those at `place`.

    `villages` see nothing that is kept from villages, and `fields` nothing that is kept from anybody but its
    desk. What lies with the desk `without` is not counted at all.
    """

    all: bool = False
    villages: frozenset[str] = frozenset()
    desks: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    place: str | None = None
    without: str | None = None
    private: bool = True

    def where(self) -> sa.ColumnElement[bool]:
        open_ = sa.not_(reports.c.private)
        any_of = [
            sa.and_(reports.c.unit.in_(sorted(self.villages)), open_),
            reports.c.desk.in_(sorted(self.desks)),
            sa.and_(reports.c.field.in_(sorted(self.fields)), open_),
        ]
        parts: list[sa.ColumnElement[bool]] = [sa.true() if self.all else sa.or_(*any_of)]
        if self.place is not None:
            parts.append(reports.c.unit == self.place)
        if self.without is not None:
            parts.append(reports.c.desk != self.without)
        if not self.private:
            parts.append(open_)
        return sa.and_(*parts)


@dataclass(frozen=True, slots=True)
class Tally:
    """Since a moment: `filed`, and `closed` whenever they were filed."""

    filed: int = 0
    closed: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What is open now, and of it late, in one village (None: the place is not known)."""

    unit: str | None
    open: int
    late: int


@dataclass(frozen=True, slots=True)
class Waited:
    """Of one group: how many were filed, answered and solved; the median and the 90th percentile, in ms."""

    filed: int = 0
    answered: int = 0
    answer: tuple[int, int] | None = None
    solved: int = 0
    solve: tuple[int, int] | None = None


async def tallies(conn: AsyncConnection, within: Within, since: Sequence[tuple[int, int]]) -> list[Tally]:
    """Of each of these times (from a moment, before another): how many were filed and how many closed."""
    first, last = min(start for start, _ in since), max(end for _, end in since)
    found = []
    for moment in (reports.c.filed_at, reports.c.closed_at):
        inside = (sa.and_(moment >= start, moment < end) for start, end in since)
        sums = [sa.func.sum(sa.case((one, _ONE), else_=_ZERO)) for one in inside]
        query = sa.select(*sums).where(moment >= first, moment < last, within.where())
        found.append([int(one or 0) for one in (await conn.execute(query)).one()])
    return [Tally(filed, closed) for filed, closed in zip(*found, strict=True)]


async def standings(conn: AsyncConnection, within: Within, now: int) -> list[Standing]:
    """By village, those with the most open reports first."""
    late = sa.or_(reports.c.fix_by < now, sa.and_(reports.c.ack_by < now, reports.c.status.in_(UNANSWERED)))
    count = sa.func.count()
    query = (
        sa.select(reports.c.unit, count, sa.func.sum(sa.case((late, _ONE), else_=_ZERO)))
        .where(reports.c.closed_at.is_(None), reports.c.status.in_(OPEN), within.where())
        .group_by(reports.c.unit)
        .order_by(count.desc(), reports.c.unit)
    )
    return [Standing(row[0], row[1], int(row[2])) for row in await conn.execute(query)]


async def fields(conn: AsyncConnection, within: Within, since: int, before: int) -> list[tuple[str, int]]:
    """How many of each field were filed in that time, the most first."""
    count = sa.func.count()
    query = (
        sa.select(reports.c.field, count)
        .where(reports.c.filed_at >= since, reports.c.filed_at < before, within.where())
        .group_by(reports.c.field)
        .order_by(count.desc(), reports.c.field)
    )
    return [(row[0], row[1]) for row in await conn.execute(query)]


async def by_period(
    conn: AsyncConnection, within: Within, since: int, before: int, length: int
) -> dict[int, Waited]:
    """What was filed in each period of that length (ms), by its number from the first; none: not in it."""
    return await _grouped(conn, within, since, before, (reports.c.filed_at - since) // length)


async def by_village(conn: AsyncConnection, within: Within, since: int, before: int) -> dict[Any, Waited]:
    return await _grouped(conn, within, since, before, reports.c.unit)


async def _grouped(
    conn: AsyncConnection, within: Within, since: int, before: int, by: sa.ColumnElement[Any]
) -> dict[Any, Waited]:
    inside = sa.and_(reports.c.filed_at >= since, reports.c.filed_at < before, within.where())
    taken = reports.c.taken_at.is_not(None)
    solved = sa.and_(reports.c.closed_at.is_not(None), reports.c.status.in_(SOLVED))
    key = by.label("key")
    counts = [sa.func.sum(sa.case((one, _ONE), else_=_ZERO)) for one in (taken, solved)]
    found = await conn.execute(sa.select(key, sa.func.count(), *counts).where(inside).group_by(key))
    groups = {row[0]: (row[1], int(row[2]), int(row[3])) for row in found}
    answered, closed = ({group: row[at] for group, row in groups.items()} for at in (1, 2))
    answers = await _ranked(conn, key, reports.c.taken_at, [inside, taken], answered)
    solves = await _ranked(conn, key, reports.c.closed_at, [inside, solved], closed)
    return {
        group: Waited(filed, answered[group], answers.get(group), closed[group], solves.get(group))
        for group, (filed, _, _) in groups.items()
    }


async def _ranked(
    conn: AsyncConnection,
    key: sa.Label[Any],
    moment: sa.ColumnElement[int],
    where: Sequence[sa.ColumnElement[bool]],
    counts: Mapping[Any, int],
) -> dict[Any, tuple[int, int]]:
    """Of each group the median and the 90th percentile by the nearest rank: SQLite has no function for it."""
    wanted = {group: ((count + 1) // 2, (count * 9 + 9) // 10) for group, count in counts.items() if count}
    if not wanted:
        return {}
    took = moment - reports.c.filed_at
    rank = sa.func.row_number().over(partition_by=key.element, order_by=took)
    each = sa.select(key, took.label("took"), rank.label("rank")).where(*where).subquery()
    # A few ranks of all groups: those that are another group's are passed over here.
    ranks = sorted({rank for pair in wanted.values() for rank in pair})
    query = sa.select(each.c.key, each.c.rank, each.c.took).where(each.c.rank.in_(ranks))
    at = {(row.key, row.rank): int(row.took) for row in await conn.execute(query)}
    return {group: (at[group, median], at[group, late]) for group, (median, late) in wanted.items()}


async def participation(conn: AsyncConnection, campaigns: Sequence[str]) -> list[tuple[str, str, bool, bool]]:
    """(campaign, unit, accepted, reported) of whoever said anything of these clean-ups."""
    query = sa.select(
        participations.c.campaign,
        participations.c.unit,
        participations.c.accepted_at.is_not(None),
        participations.c.reported_at.is_not(None),
    ).where(participations.c.campaign.in_(campaigns))
    return [(row[0], row[1], bool(row[2]), bool(row[3])) for row in await conn.execute(query)]
