"""What units did outside clean-up days, with its history and partners, and how many households they have."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Conflict
from storage.tables import (
    PhotoState,
    activities,
    activity_history,
    activity_partners,
    campaigns,
    households,
    participations,
    photos,
    reports,
)

Row = sa.Row[Any]
# What is dealt with in the end, whatever the reporter thought of it.
DEALT_WITH = ("resolved", "confirmed")
# History says whose doing a line is in one place only, which erasing a person empties.
_NAMING = ("told_by", "told_name", "checked_by", "checked_name")


async def add(conn: AsyncConnection, activity: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    """A new one, and the first line of its history: `told` has at, person and action."""
    await conn.execute(sa.insert(activities), dict(activity))
    await _note(conn, activity["id"], told, activity)


async def change(
    conn: AsyncConnection,
    activity: int,
    version: int,
    values: Mapping[str, Any],
    told: Mapping[str, Any],
) -> None:
    """Raises Conflict when it was changed meanwhile."""
    same = sa.and_(activities.c.id == activity, activities.c.version == version)
    done = await conn.execute(sa.update(activities).where(same).values(**values, version=version + 1))
    if done.rowcount != 1:
        raise Conflict("activity")
    await _note(conn, activity, told, values)


async def _note(
    conn: AsyncConnection, activity: int, told: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    nameless = {name: value for name, value in values.items() if name not in _NAMING}
    line = {"activity": activity, "told": json.dumps(nameless, ensure_ascii=False), "note": ""}
    await conn.execute(sa.insert(activity_history), line | dict(told))


async def join(conn: AsyncConnection, activity: int, unit: str, told: Mapping[str, Any]) -> None:
    """One more unit worked along; Conflict when it was there already."""
    here = sa.and_(activity_partners.c.activity == activity, activity_partners.c.unit == unit)
    if (await conn.execute(sa.select(activity_partners.c.unit).where(here))).first() is not None:
        raise Conflict("partner")
    await conn.execute(sa.insert(activity_partners), {"activity": activity, "unit": unit})
    await _note(conn, activity, told, {"partner": unit})


async def find(conn: AsyncConnection, activity: int) -> Row | None:
    return (await conn.execute(sa.select(activities).where(activities.c.id == activity))).first()


async def of_units(conn: AsyncConnection, units: Collection[str], year: int, limit: int) -> list[Row]:
    """What these units did in a year, alone or along with others; the newest first."""
    along = sa.select(activity_partners.c.activity).where(activity_partners.c.unit.in_(units))
    theirs = sa.or_(activities.c.unit.in_(units), activities.c.id.in_(along))
    query = sa.select(activities).where(theirs, activities.c.year == year)
    return list(await conn.execute(query.order_by(activities.c.id.desc()).limit(limit)))


async def every(conn: AsyncConnection) -> list[Row]:
    """Whatever counts: all but what was struck out."""
    return list(await conn.execute(sa.select(activities).where(activities.c.state != "struck")))


async def partners_of(
    conn: AsyncConnection, ids: Collection[int] | None = None
) -> dict[int, tuple[str, ...]]:
    """The units that worked along, of these activities or of all."""
    query = sa.select(activity_partners)
    if ids is not None:
        query = query.where(activity_partners.c.activity.in_(ids))
    found: dict[int, tuple[str, ...]] = {}
    for row in await conn.execute(query.order_by(activity_partners.c.unit)):
        found[row.activity] = (*found.get(row.activity, ()), row.unit)
    return found


async def photos_of(conn: AsyncConnection, evidence: Collection[str]) -> dict[str, int]:
    """How many photos there are of each, those that could not be opened left out."""
    good = sa.and_(photos.c.report.is_(None), photos.c.state.in_((PhotoState.WAITING, PhotoState.READY)))
    query = sa.select(photos.c.purpose, sa.func.count()).where(good, photos.c.purpose.in_(evidence))
    return {row[0]: row[1] for row in await conn.execute(query.group_by(photos.c.purpose))}


async def history_of(conn: AsyncConnection, activity: int) -> list[Row]:
    query = sa.select(activity_history).where(activity_history.c.activity == activity)
    return list(await conn.execute(query.order_by(activity_history.c.id)))


# Households ----------------------------------------------------------------------------------------


async def lock(
    conn: AsyncConnection, year: int, totals: Mapping[str, int], person: str | None, now: int
) -> None:
    """How many households units have in a reporting year; what was locked before stays as history."""
    rows = [
        {"unit": unit, "year": year, "total": total, "at": now, "person": person}
        for unit, total in totals.items()
    ]
    await conn.execute(sa.insert(households), rows)


async def totals(conn: AsyncConnection, year: int) -> dict[str, int]:
    """The newest of each unit."""
    newest = sa.select(sa.func.max(households.c.id)).where(households.c.year == year)
    query = sa.select(households.c.unit, households.c.total).where(
        households.c.id.in_(newest.group_by(households.c.unit))
    )
    return {row.unit: row.total for row in await conn.execute(query)}


# What counts besides -------------------------------------------------------------------------------


async def campaign_days(conn: AsyncConnection, first: str, last: str) -> list[Row]:
    """Clean-ups whose working day (ISO) is between these, both included."""
    query = sa.select(campaigns.c.id, campaigns.c.feast, campaigns.c.day)
    between = sa.and_(campaigns.c.day >= first, campaigns.c.day <= last)
    return list(await conn.execute(query.where(between).order_by(campaigns.c.day)))


async def parts(conn: AsyncConnection, ids: Sequence[str]) -> list[Row]:
    """What units said of these clean-ups."""
    told = sa.and_(participations.c.campaign.in_(ids), participations.c.reported_at.is_not(None))
    return list(await conn.execute(sa.select(participations).where(told)))


async def dealt_with(conn: AsyncConnection, field: str, since: int) -> list[Row]:
    """Reports of a field that were dealt with since a moment: when, and where."""
    query = sa.select(reports.c.closed_at, reports.c.unit, reports.c.landmark)
    done = sa.and_(reports.c.status.in_(DEALT_WITH), reports.c.closed_at >= since)
    return list(await conn.execute(query.where(reports.c.field == field, done)))
