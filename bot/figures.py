"""The figures that decisions ask for, read in the caller's transaction, within what the asker may see."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.cleanups import campaign_of
from bot.core import when
from bot.core.commune import LEAD
from bot.core.figures import (
    BOARD,
    NOW,
    TARGETS,
    VILLAGES,
    VILLAGES_MS,
    WEEK,
    WEEK_MS,
    WEEKS_SHOWN,
    Asked,
    Figures,
    Open,
    Scope,
    Tally,
    Waits,
    scope_of,
)
from storage import campaigns, statistics
from storage.statistics import Within


async def gather(
    conn: AsyncConnection, asked: Asked, roles: Iterable[tuple[str, str]], now: datetime
) -> Figures:
    scope = scope_of(roles, asked)
    if asked.view == BOARD:
        return await _board(conn, scope, now)
    if asked.view == TARGETS:
        return Figures(TARGETS, scope)
    return await _counted(conn, asked.view, scope, now)


def within(scope: Scope) -> Within:
    """What is about an official is in nobody's figures but theirs who deal with it."""
    return Within(
        all=scope.all,
        villages=scope.villages,
        desks=scope.desks,
        fields=scope.fields,
        place=scope.place,
        without=None if scope.leads else LEAD,
        private=not scope.public,
    )


async def _counted(conn: AsyncConnection, view: str, scope: Scope, now: datetime) -> Figures:
    some, end = within(scope), when.ms(now) + 1
    today, monday = _midnight(now), _monday(now)
    times = [(today, end), (monday, end), (monday - WEEK_MS, monday)]
    counted = [Tally(one.filed, one.closed) for one in await statistics.tallies(conn, some, times)]
    standings = await statistics.standings(conn, some, when.ms(now))
    open_ = tuple(Open(one.unit, one.open, one.late) for one in standings)
    figures = Figures(view, scope, counted[0], counted[1], counted[2], open_)
    if scope.public:
        return figures
    return await _with_rows(conn, figures, some, monday, end)


async def _with_rows(conn: AsyncConnection, figures: Figures, some: Within, monday: int, end: int) -> Figures:
    view, scope = figures.view, figures.scope
    fields: tuple[tuple[str, int], ...] = ()
    weeks: tuple[tuple[int, Waits], ...] = ()
    villages: dict[str | None, Waits] = {}
    if view == WEEK:
        fields = tuple(await statistics.fields(conn, some, monday, end))
    if view in (NOW, WEEK):
        first = monday - (WEEKS_SHOWN - 1) * WEEK_MS
        found = await statistics.by_period(conn, some, first, end, WEEK_MS)
        weeks = tuple((first + n * WEEK_MS, _waits(found.get(n))) for n in range(WEEKS_SHOWN))
    if view in (WEEK, VILLAGES):
        since = monday if view == WEEK else end - VILLAGES_MS
        rows = await statistics.by_village(conn, some, since, end)
        villages = {unit: _waits(one) for unit, one in rows.items()}
    return Figures(
        view, scope, figures.today, figures.week, figures.before, figures.open, fields, weeks, villages
    )


def _waits(found: statistics.Waited | None) -> Waits:
    if found is None:
        return Waits()
    return Waits(found.filed, found.answered, found.answer, found.solved, found.solve)


async def _board(conn: AsyncConnection, scope: Scope, now: datetime) -> Figures:
    """The clean-ups of the year, and what every unit said of each."""
    rows = await campaigns.of_year(conn, now.astimezone(when.ZONE).year)
    found = tuple(map(campaign_of, rows))
    said = await statistics.participation(conn, [campaign.id for campaign in found])
    told = {
        (campaign, unit): "reported" if reported else "accepted"
        for campaign, unit, accepted, reported in said
        if accepted or reported
    }
    return Figures(BOARD, scope, campaigns=found, told=told)


def _midnight(now: datetime) -> int:
    return when.ms(datetime.combine(now.astimezone(when.ZONE).date(), time(), when.ZONE))


def _monday(now: datetime) -> int:
    today = now.astimezone(when.ZONE).date()
    return when.ms(datetime.combine(today - timedelta(days=today.weekday()), time(), when.ZONE))
