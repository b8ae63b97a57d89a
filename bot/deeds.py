"""What decisions about activities and indicators need to know, read in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import date, datetime, time
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core import when
from bot.core.activity import CONFIRMED, Activity
from bot.core.ledger import Closed, Day, Deed, Ledger, Part
from bot.core.plan import Plan
from storage import activities
from storage.activities import Row

LISTED: Final = 40
# The field whose closed reports are work of road and pavement order.
ORDER: Final = "order"
_COLUMNS: Final = [f.name for f in fields(Activity) if f.name not in ("partners", "photos")]


async def one(conn: AsyncConnection, number: int) -> Activity | None:
    row = await activities.find(conn, number)
    return None if row is None else (await _read(conn, [row]))[0]


async def of_units(conn: AsyncConnection, units: set[str], year: int) -> tuple[Activity, ...]:
    """What these units did in a reporting year, the newest first."""
    return await _read(conn, await activities.of_units(conn, units, year, LISTED)) if units else ()


async def _read(conn: AsyncConnection, rows: Sequence[Row]) -> tuple[Activity, ...]:
    if not rows:
        return ()
    partners = await activities.partners_of(conn, [row.id for row in rows])
    photos = await activities.photos_of(conn, [row.evidence for row in rows])
    return tuple(
        Activity(
            **{name: found[name] for name in _COLUMNS},
            partners=partners.get(found["id"], ()),
            photos=photos.get(found["evidence"], 0),
        )
        for found in (row._mapping for row in rows)
    )


async def ledger(conn: AsyncConnection, plan: Plan, now: datetime) -> Ledger:
    """All that counts for the plan, up to the end of this reporting year."""
    year = plan.year_of(now.astimezone(when.ZONE).date())
    days = await activities.campaign_days(conn, plan.launch.isoformat(), plan.ends(year).isoformat())
    parts = await activities.parts(conn, [day.id for day in days]) if days else []
    launched = when.ms(datetime.combine(plan.launch, time(), when.ZONE))
    closed = await activities.dealt_with(conn, ORDER, launched)
    return Ledger(
        await _deeds(conn),
        tuple(Part(p.campaign, p.unit, p.households, p.of_households, p.trees) for p in parts),
        tuple(Day(day.id, day.feast, date.fromisoformat(day.day)) for day in days),
        tuple(Closed(when.local(row.closed_at).date(), row.unit, row.landmark) for row in closed),
        await activities.totals(conn, year),
    )


async def _deeds(conn: AsyncConnection) -> tuple[Deed, ...]:
    rows = await activities.every(conn)
    partners = await activities.partners_of(conn)
    return tuple(
        Deed(
            row.kind,
            row.unit,
            when.local(row.at).date(),
            row.number,
            row.of,
            row.measure,
            row.name,
            partners.get(row.id, ()),
            row.state == CONFIRMED,
        )
        for row in rows
    )
