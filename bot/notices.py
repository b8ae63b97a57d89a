"""What decisions about the office's notices need to know, read in the caller's transaction."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.channels.base import Abilities
from bot.core.events import Address, Incoming, NoticeDue
from bot.core.facts import Me
from bot.core.notice import (
    EXPIRED,
    RUNNING,
    WAITING,
    WAITS_FOR_MS,
    Decider,
    Notice,
    NoticeNeed,
    Notices,
    Reach,
    Reached,
    audience,
)
from bot.ways import billed_counter
from storage import announcements, audiences, broadcasts, counters
from storage.announcements import Row
from storage.audiences import BILLED, CLOSED, Windows
from storage.tables import BroadcastState

LAST_SHOWN = 3
KNOWING = ("office", "lead")


def may_know(me: Me, incoming: Incoming, office: str) -> bool:
    """Notices are nobody's but the office's and of those who lead; and of the program's own events."""
    own = isinstance(incoming.event, NoticeDue)
    return own or any(role.role in KNOWING for role in me.roles)


async def found(
    conn: AsyncConnection,
    need: NoticeNeed,
    office: str,
    channels: Mapping[str, Abilities],
    now: datetime,
) -> Notices:
    moment = int(now.timestamp() * 1000)
    one = None if need.id is None else await announcements.find(conn, need.id)
    recent = await announcements.recent(conn, LAST_SHOWN) if need.recent else []
    return Notices(
        one=None if one is None else await _notice(conn, one, moment),
        reach=None if need.reach is None else await _reach(conn, need.reach, channels, moment),
        recent=tuple([await _notice(conn, row, moment) for row in recent]),
        deciders=await _deciders(conn, office, channels),
    )


async def running(conn: AsyncConnection, now: int) -> list[Notice]:
    """Those that are on their way."""
    rows = [await announcements.find(conn, notice) for notice in await announcements.running(conn)]
    return [await _notice(conn, row, now) for row in rows if row is not None]


async def _notice(conn: AsyncConnection, row: Row, now: int) -> Notice:
    told: dict[str, Any] = {}
    if row.state == RUNNING:
        told = await _progress(conn, f"notice/{row.id}", now)
    elif row.result:
        told = {"counts": json.loads(row.result)}
    return Notice(
        row.id,
        row.text,
        audience(row.audience),
        EXPIRED if row.state == WAITING and now - row.made_at > WAITS_FOR_MS else row.state,
        row.made_at,
        row.author,
        row.author_name,
        _ear(row.author_ear),
        row.decided_at,
        row.decider,
        row.decider_name,
        _ear(row.decider_ear),
        row.stopped_name,
        **told,
    )


async def _progress(conn: AsyncConnection, key: str, now: int) -> dict[str, Any]:
    sent = await announcements.started(conn, key)
    if sent is None:
        return {}
    return {
        "counts": asdict(await broadcasts.ledger(conn, sent.id)),
        "flying": await announcements.flying(conn, sent.id, now),
        "going": sent.state == BroadcastState.GOING,
        "starts_at": sent.starts_at,
    }


def ear_json(ear: Address) -> str:
    return json.dumps(asdict(ear))


def _ear(text: str | None) -> Address | None:
    return None if text is None else Address(**json.loads(text))


async def _reach(conn: AsyncConnection, audience: str, channels: Mapping[str, Abilities], now: int) -> Reach:
    windows = {
        name: None if able.window is None else Windows(now - able.window.free, now - able.window.hard)
        for name, able in channels.items()
    }
    told: dict[str, dict[str, int]] = {}
    for one in await audiences.reach(conn, audience, windows):
        kind = "elsewhere" if one.elsewhere else {BILLED: "billed", CLOSED: "closed"}.get(one.way, "free")
        counted = told.setdefault(one.channel, {})
        counted[kind] = counted.get(kind, 0) + one.count
    reached = [
        Reached(name, **told[name], left=await _left(conn, name, channels[name], now))
        for name in sorted(told)
    ]
    return Reach(await audiences.count(conn, audience), tuple(reached))


async def _left(conn: AsyncConnection, channel: str, able: Abilities, now: int) -> int | None:
    """How many paid messages today's budget still has."""
    if able.window is None:
        return None
    return max(0, able.window.daily - await counters.drawn(conn, billed_counter(channel, now)))


async def _deciders(
    conn: AsyncConnection, office: str, channels: Mapping[str, Abilities]
) -> tuple[Decider, ...]:
    """Each once, an office member before a leader, with the chat of a running channel they wrote in last."""
    people: dict[str, Decider] = {}
    for row in await announcements.deciders(conn, office):
        chat = Address(row.channel, row.chat) if row.channel in channels else None
        known = people.get(row.person)
        if known is None:
            people[row.person] = Decider(row.person, row.name, row.role, chat)
            continue
        role = "office" if "office" in (known.role, row.role) else known.role
        people[row.person] = Decider(row.person, known.name, role, known.chat or chat)
    return tuple(people.values())
