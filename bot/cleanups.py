"""What decisions about clean-up days need to know, read in the caller's transaction."""

from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core import when
from bot.core.campaign import Campaign
from bot.core.facts import Cleanup
from bot.core.schedule import kept
from bot.results import result_of
from storage import campaigns
from storage.campaigns import Row

COMING_SHOWN = 5
RECENT, SOON = timedelta(days=14), timedelta(days=7)


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
        {one.unit: result_of(one) for one in told},
        await campaigns.counted(conn, campaign),
    )


async def current(conn: AsyncConnection, now: datetime) -> Cleanup | None:
    """The clean-up that units are busy with: of the last two weeks, else of the next."""
    today = now.astimezone(when.ZONE).date()
    first, last = (today - RECENT).isoformat(), (today + SOON).isoformat()
    found = await campaigns.between(conn, first, today.isoformat())
    ahead = await campaigns.between(conn, today.isoformat(), last)
    ids = [row.id for row in (*found[::-1], *ahead)]
    return await cleanup(conn, ids[0]) if ids else None


async def coming(conn: AsyncConnection, now: datetime) -> tuple[Campaign, ...]:
    """The next clean-up days, as the office has set them."""
    today = now.astimezone(when.ZONE).date().isoformat()
    return tuple(map(campaign_of, await campaigns.coming(conn, today, COMING_SHOWN)))
