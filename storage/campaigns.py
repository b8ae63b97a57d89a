"""Clean-up days: the campaigns themselves, where people meet, what units did, who is coming."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import results as told_results
from storage.database import Conflict, insert
from storage.tables import (
    answers,
    campaigns,
    meeting_places,
    participation_history,
    participations,
    people,
)

Row = sa.Row[Any]


async def seed(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Campaigns that are not there yet; those that are stay as the office set them."""
    await conn.execute(insert(conn, campaigns).on_conflict_do_nothing(), [dict(row) for row in rows])


async def latest_year(conn: AsyncConnection) -> int:
    """The last year that has campaigns; 0 before the first."""
    return int((await conn.execute(sa.select(sa.func.max(campaigns.c.year)))).scalar() or 0)


async def due(conn: AsyncConnection, now: int, limit: int) -> list[tuple[str, int]]:
    """(id, version) of campaigns whose next step is due."""
    query = sa.select(campaigns.c.id, campaigns.c.version).where(campaigns.c.due_at <= now)
    found = await conn.execute(query.order_by(campaigns.c.due_at).limit(limit))
    return [(row.id, row.version) for row in found]


async def find(conn: AsyncConnection, campaign: str) -> Row | None:
    return (await conn.execute(sa.select(campaigns).where(campaigns.c.id == campaign))).first()


async def coming(conn: AsyncConnection, day: str, limit: int) -> list[Row]:
    """Those whose working day is this day (ISO) or later, the nearest first."""
    query = sa.select(campaigns).where(campaigns.c.day >= day).order_by(campaigns.c.day).limit(limit)
    return list(await conn.execute(query))


async def of_year(conn: AsyncConnection, year: int) -> list[Row]:
    """All of a year, in the order of their working days."""
    query = sa.select(campaigns).where(campaigns.c.year == year).order_by(campaigns.c.day)
    return list(await conn.execute(query))


async def between(conn: AsyncConnection, first: str, last: str) -> list[Row]:
    """Those whose working day is one of these (ISO), in order."""
    query = sa.select(campaigns).where(campaigns.c.day.between(first, last))
    return list(await conn.execute(query.order_by(campaigns.c.day)))


async def change(conn: AsyncConnection, campaign: str, version: int, values: Mapping[str, Any]) -> None:
    """Raises Conflict when it was changed meanwhile."""
    same = sa.and_(campaigns.c.id == campaign, campaigns.c.version == version)
    done = await conn.execute(sa.update(campaigns).where(same).values(**values, version=version + 1))
    if done.rowcount != 1:
        raise Conflict("campaign")


async def places(conn: AsyncConnection, campaign: str) -> dict[str, str]:
    """Where each unit meets."""
    query = sa.select(meeting_places.c.unit, meeting_places.c.place)
    found = await conn.execute(query.where(meeting_places.c.campaign == campaign))
    return {row.unit: row.place for row in found}


async def set_place(conn: AsyncConnection, campaign: str, unit: str, place: str) -> None:
    statement = insert(conn, meeting_places).values(campaign=campaign, unit=unit, place=place)
    again = statement.on_conflict_do_update(index_elements=["campaign", "unit"], set_={"place": place})
    await conn.execute(again)


async def results(conn: AsyncConnection, campaign: str) -> list[Row]:
    """What units said."""
    query = sa.select(participations).where(participations.c.campaign == campaign)
    return list(await conn.execute(query.order_by(participations.c.unit)))


async def tell(
    conn: AsyncConnection, campaign: str, unit: str, values: Mapping[str, Any], told: Mapping[str, Any]
) -> None:
    """What a unit says now, and a line of its history: `told` has at, person, action and what was given."""
    key = {"campaign": campaign, "unit": unit}
    await told_results.tell(conn, participations, participation_history, key, values, told)


async def answer(conn: AsyncConnection, campaign: str, person: str, village: str, *, coming: bool) -> None:
    """A resident comes, or not; the newest answer counts."""
    values = {"coming": coming, "village": village}
    statement = insert(conn, answers).values(campaign=campaign, person=person, **values)
    again = statement.on_conflict_do_update(index_elements=["campaign", "person"], set_=values)
    await conn.execute(again)


async def counted(conn: AsyncConnection, campaign: str) -> dict[str, int]:
    """How many said that they come, by village."""
    query = (
        sa.select(answers.c.village, sa.func.count())
        .where(answers.c.campaign == campaign, answers.c.coming)
        .group_by(answers.c.village)
    )
    return {row[0]: row[1] for row in await conn.execute(query)}


async def remind(conn: AsyncConnection, person: str, village: str, now: int) -> None:
    """This person hears of the clean-up days of that village, or of any; broadcasts.unsubscribe ends it."""
    values = {"reminded": village, "reminded_at": now, "stopped_at": None}
    await conn.execute(sa.update(people).where(people.c.id == person).values(**values))


async def reminded(conn: AsyncConnection, person: str) -> str | None:
    return (await conn.execute(sa.select(people.c.reminded).where(people.c.id == person))).scalar()
