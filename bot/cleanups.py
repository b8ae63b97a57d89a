"""What decisions about clean-up days need to know, read in the caller's transaction."""

from datetime import date, datetime, time
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core import when
from bot.core.amounts import Amounts
from bot.core.campaign import Campaign
from bot.core.facts import Cleanup, Result
from bot.core.schedule import kept
from storage import campaigns
from storage.campaigns import Row

COMING_SHOWN = 5


def campaign_of(row: Row) -> Campaign:
    return Campaign(
        row.feast,
        row.year,
        date.fromisoformat(row.fixed),
        date.fromisoformat(row.day),
        time.fromisoformat(row.hour),
        frozenset(row.done.split()),
        row.version,
    )


def row_of(campaign: Campaign) -> dict[str, Any]:
    """A campaign as it is kept."""
    return {
        "id": campaign.id,
        "feast": campaign.feast,
        "year": campaign.year,
        "fixed": campaign.fixed.isoformat(),
        "version": campaign.version,
        **kept(campaign),
    }


async def cleanup(conn: AsyncConnection, campaign: str) -> Cleanup | None:
    row = await campaigns.find(conn, campaign)
    if row is None:
        return None
    told = await campaigns.results(conn, campaign)
    return Cleanup(
        campaign_of(row),
        await campaigns.places(conn, campaign),
        {one.unit: _result(one) for one in told},
        await campaigns.counted(conn, campaign),
    )


async def coming(conn: AsyncConnection, now: datetime) -> tuple[Campaign, ...]:
    """The next clean-up days, as the office has set them."""
    today = now.astimezone(when.ZONE).date().isoformat()
    return tuple(map(campaign_of, await campaigns.coming(conn, today, COMING_SHOWN)))


def _result(row: Row) -> Result:
    return Result(
        row.unit,
        row.accepted_at,
        row.accepted_by,
        row.reported_at,
        row.reported_by,
        Amounts(row.households, row.of_households, row.people, row.kg, row.trees),
        row.note,
    )
