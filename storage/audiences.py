"""Who is meant by an audience, and whom of them each platform reaches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import accounts, members, people

# Told as members, whether or not they want to hear of clean-up days.
AS_MEMBERS = "roles:"
REMINDED = "reminded"
FREE, BILLED, CLOSED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Windows:
    """From when on (ms) a person must have written for a message to be free, and to be possible at all."""

    free_since: int
    open_since: int


@dataclass(frozen=True, slots=True)
class Reached:
    """So many people hear by this channel in this way; `elsewhere`: closed here, open in another chat."""

    channel: str
    way: int
    elsewhere: bool
    count: int


def meant(audience: str) -> sa.ColumnElement[bool]:
    """Of the people: "reminded", "all", "villages:a,b" or "roles:x,y".

    Whoever said stop is told as a member only.
    """
    kind, _, rest = audience.partition(":")
    names = rest.split(",")
    wants = people.c.stopped_at.is_(None)
    match kind:
        case "all":
            return wants
        case "villages":
            belong = people.c.id.in_(_members(members.c.unit.in_(names)))
            return sa.and_(wants, sa.or_(people.c.reminded.in_(names), belong))
        case "roles":
            return people.c.id.in_(_members(members.c.role.in_(names)))
    return people.c.reminded.is_not(None)


def _members(which: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    return sa.select(members.c.person).where(which, members.c.removed_at.is_(None)).scalar_subquery()


async def count(conn: AsyncConnection, audience: str) -> int:
    query = sa.select(sa.func.count()).select_from(people).where(meant(audience))
    return int((await conn.execute(query)).scalar_one())


async def reach(
    conn: AsyncConnection, audience: str, channels: Mapping[str, Windows | None]
) -> list[Reached]:
    """By the chat that each wrote in last, as a broadcast chooses it; `channels` are those that run."""
    way = _way(channels)
    latest = (sa.func.coalesce(accounts.c.wrote_at, 0).desc(), accounts.c.channel.desc())
    whose = accounts.c.person
    chats = (
        sa.select(
            accounts.c.channel,
            way.label("way"),
            sa.func.min(way).over(partition_by=whose).label("best"),
            sa.func.row_number()
            .over(partition_by=whose, order_by=(*latest, accounts.c.account.desc()))
            .label("turn"),
        )
        .join(people, people.c.id == whose)
        .where(meant(audience), accounts.c.reachable, accounts.c.chat.is_not(None))
        .where(accounts.c.channel.in_(list(channels)))
        .subquery()
    )
    elsewhere = sa.and_(chats.c.way == CLOSED, chats.c.best < CLOSED)
    columns = (chats.c.channel, chats.c.way, elsewhere)
    query = sa.select(*columns, sa.func.count()).where(chats.c.turn == 1).group_by(*columns)
    return [Reached(row[0], row[1], bool(row[2]), row[3]) for row in await conn.execute(query)]


def _way(channels: Mapping[str, Windows | None]) -> sa.ColumnElement[int]:
    wrote, free = sa.func.coalesce(accounts.c.wrote_at, 0), sa.literal_column(str(FREE), sa.Integer)
    cases = [
        (sa.and_(accounts.c.channel == channel, wrote < since), sa.literal_column(str(way), sa.Integer))
        for channel, window in channels.items()
        if window is not None
        for since, way in ((window.open_since, CLOSED), (window.free_since, BILLED))
    ]
    return sa.case(*cases, else_=free) if cases else free
