"""What decisions need to know, read in the caller's transaction; many at once where it is asked often."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from math import inf
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import assignments, cleanups, deeds, figures, notices
from bot.channels.base import Abilities
from bot.core.commune import LEAD, Point
from bot.core.effects import VOICE
from bot.core.events import DONE_BY_PEOPLE, Address, Incoming, Left
from bot.core.facts import (
    NOW,
    Count,
    Desk,
    Facts,
    Filed,
    Group,
    Invite,
    Me,
    Member,
    Near,
    Needs,
    Pairing,
    Past,
    PhotoFact,
    Refusal,
    Role,
    Search,
    Spot,
    Unreached,
)
from bot.core.places import metres, valid
from bot.core.report import Report
from storage import activities, campaigns, groups, outbox, pairings, people, photos, reports, tasks
from storage.tables import PhotoState

OPEN_SHOWN = 6
# What is open in all villages together, the oldest first.
SPOTS_READ = 500
# So many of the newest are looked through for what else was said.
SEARCHED = 200
# A result names those of them that its village has.
CLOSABLE_READ = 20
MINE_SHOWN = 5
UNHEARD_SHOWN = 20
HELD_SHOWN = 40
OPEN_AT_SHOWN = 15
HOUR_MS, DAY_MS = 3_600_000, 24 * 3_600_000
NEAR_METRES = 60.0
NEAR_SHOWN = 20
# A place closed within so long, and reported again, has come back.
RECURS_MS = 90 * DAY_MS
# Of 256 bits: copies of one picture, saved again or smaller, differ in fewer.
ALIKE_BITS = 20
_COLUMNS = [f.name for f in fields(Report) if f.name not in ("photos", "voices", "followers")]


async def gather(
    conn: AsyncConnection,
    asked: Sequence[tuple[Incoming, Needs]],
    office: str,
    channels: Mapping[str, Abilities],
    now: datetime,
) -> list[Facts]:
    """The facts of each event, in order. Somebody never seen before is met on the way.

    Only who is on one of the running `channels` can hear: others would be told by nobody.
    """
    who = await _meet(conn, [incoming for incoming, _ in asked], int(now.timestamp() * 1000))
    groups = {i.address.key for i, _ in asked if i.address.group}
    rooms = await people.unit_of_rooms(conn, groups) if groups else {}
    found = [await _one(conn, incoming, need, who, rooms, office, channels, now) for incoming, need in asked]
    for values, (incoming, _) in zip(found, asked, strict=True):
        values["introduce"] = _is_first(incoming, who) and channels[incoming.address.channel].introduces
        if incoming.address.channel in channels:
            values["acts"] = channels[incoming.address.channel].rooms_act
    units = {unit for values in found for unit in values["units"]}
    desks = await _desks(conn, units, channels, int(now.timestamp() * 1000)) if units else {}
    return [Facts(now=now, desks={u: desks[u] for u in values.pop("units")}, **values) for values in found]


async def _meet(
    conn: AsyncConnection, incomings: Sequence[Incoming], now: int
) -> dict[tuple[str, str], people.Known]:
    senders = {(i.address.channel, i.account): i for i in incomings if i.account}
    known = await people.known(conn, senders)
    new = [
        (channel, account, None if incoming.address.group else incoming.address.chat)
        for (channel, account), incoming in senders.items()
        if _is_news(known.get((channel, account)), incoming)
    ]
    if new:
        await people.meet(conn, new, now)
        known |= await people.known(conn, [(channel, account) for channel, account, _ in new])
    wrote = [
        (*who, at)
        for who, incoming in senders.items()
        if isinstance(incoming.event, DONE_BY_PEOPLE) and not incoming.address.group
        for at in [int(incoming.at.timestamp() * 1000)]
        if (known[who].wrote_at or 0) < at - people.WROTE_STEP_MS
    ]
    if wrote:
        await people.wrote(conn, wrote)
    for channel, account, _ in wrote:
        # Whoever is on several platforms hears where they wrote last.
        one = known[channel, account]
        if one.paired and one.chat is not None:
            await pairings.write_to(conn, one.person, channel, one.chat)
    return known


def _is_first(incoming: Incoming, who: Mapping[tuple[str, str], people.Known]) -> bool:
    """Whether somebody does something in their private chat who never did before."""
    known = who.get((incoming.address.channel, incoming.account))
    by_person = isinstance(incoming.event, DONE_BY_PEOPLE) and not incoming.address.group
    return by_person and known is not None and known.wrote_at is None


def _is_news(known: people.Known | None, incoming: Incoming) -> bool:
    """Somebody new, or somebody we thought out of reach who now writes in private."""
    if known is None:
        return True
    private = not incoming.address.group and not isinstance(incoming.event, Left)
    return private and (known.chat is None or not known.reachable)


async def _one(
    conn: AsyncConnection,
    incoming: Incoming,
    need: Needs,
    who: dict[tuple[str, str], people.Known],
    rooms: dict[str, str],
    office: str,
    channels: Mapping[str, Abilities],
    now: datetime,
) -> dict[str, Any]:
    me = _me(who.get((incoming.address.channel, incoming.account)))
    room = rooms.get(incoming.address.key)
    values: dict[str, Any] = {"me": me, "room": room, "units": set(need.units)}
    if need.photo is not None:
        values["photo"] = await _photo(conn, need.photo)
    if need.outbox is not None:
        values["refusal"] = await _refusal(conn, need.outbox)
    if need.answered is not None:
        here = incoming.address
        values["answered"] = await outbox.name_of(conn, here.channel, here.chat, need.answered)
    report = await _report(conn, incoming, need, values)
    if report is not None:
        values["report"] = report
    if need.mine:
        rows = await reports.of_person(conn, me.person, MINE_SHOWN)
        values["mine"] = await _as_reports(conn, rows)
    if need.followed:
        rows = await reports.followed_by(conn, me.person, MINE_SHOWN)
        values["followed"] = await _as_reports(conn, rows)
    if need.open_here:
        desks = {room} if room is not None else {role.unit for role in me.roles}
        rows = await reports.open_at(conn, desks, OPEN_SHOWN) if desks else []
        values["open_here"] = await _as_reports(conn, rows)
    if need.near is not None:
        values["near"] = await _near(conn, need.near, int(now.timestamp() * 1000))
    if need.filed:
        moment = int(now.timestamp() * 1000)
        filed = await reports.filed_since(conn, me.person, moment - HOUR_MS, moment - DAY_MS)
        values["filed"] = Filed(*filed)
    if need.held:
        rows = await reports.held_for(conn, incoming.address.channel, incoming.address.chat, HELD_SHOWN)
        values["held"] = await _as_reports(conn, rows)
    if need.open_at is not None:
        rows, count = await reports.open_for(
            conn, need.open_at, need.open_fields, need.open_before, OPEN_AT_SHOWN
        )
        values["open_at"] = await _as_reports(conn, rows)
        values["open_count"] = count
    if need.counts:
        moment = int(now.timestamp() * 1000)
        rows_ = await reports.counts(conn, moment, moment - 7 * DAY_MS)
        values["counts"] = tuple(Count(*row) for row in rows_)
    if need.unreached is not None:
        values["unreached"] = await _unreached(conn, *need.unreached)
    if need.unheard:
        rows = await reports.unheard(conn, UNHEARD_SHOWN)
        values["unheard"] = await _as_reports(conn, rows)
    if need.activity is not None:
        values["activity"] = found_one = await deeds.one(conn, need.activity)
        if found_one is not None:
            need = replace(need, members_of=need.members_of | {found_one.unit})
    if need.activities is not None:
        units = {role.unit for role in me.roles} | need.activities_of
        values["activities"] = await deeds.of_units(conn, units, need.activities)
    if need.households is not None:
        values["households"] = await activities.totals(conn, need.households)
    if need.ledger is not None:
        values["ledger"] = await deeds.ledger(conn, need.ledger, now)
    if need.members_of or need.my_members or need.fellows or need.member is not None:
        values["members"] = await _members(conn, need, me, channels)
    if need.groups:
        values["groups"] = await _groups(conn, channels)
    if need.invite is not None:
        values["invite"] = await _invite(conn, need.invite, incoming)
        found = await pairings.find(conn, need.invite)
        if found is not None and incoming.at.timestamp() * 1000 < found[1]:
            values["pairing"] = Pairing(need.invite, found[0])
    if need.campaign is not None:
        own = need.campaign == NOW
        values["campaign"] = await (
            cleanups.current(conn, now) if own else cleanups.cleanup(conn, need.campaign)
        )
    if need.campaigns:
        values["campaigns"] = await cleanups.coming(conn, now)
    if need.task is not None:
        values["task"] = await assignments.assigned(conn, need.task)
    if need.tasks:
        values["tasks"] = await assignments.open_tasks(conn)
        values["tasks_made"] = await tasks.latest(conn)
    if need.reminded:
        values["reminded"] = await campaigns.reminded(conn, me.person)
    if need.spots:
        values["spots"] = await _as_reports(conn, await reports.open_in_villages(conn, SPOTS_READ))
    if need.notice is not None and notices.may_know(me, incoming, office):
        values["notices"] = await notices.found(conn, need.notice, office, channels, now)
    if need.figures is not None:
        roles = [(role.unit, role.role) for role in me.roles]
        if incoming.address.group:
            # In a room everybody reads along: it hears of its own unit.
            roles = [(unit, role) for unit, role in roles if unit == room and role != LEAD]
        values["figures"] = await figures.gather(conn, need.figures, roles, now)
    if need.past and report is not None:
        values["past"] = tuple(Past(*line) for line in await reports.past_of(conn, report.id))
    if need.search is not None:
        values["found"] = await _found(conn, need.search, me, office)
    if need.closable is not None:
        rows = await reports.open_in_village(conn, need.closable, CLOSABLE_READ)
        values["closable"] = await _as_reports(conn, rows)
    if need.shown_for:
        values["shown"] = tuple(map(_photo_fact, await photos.of_result(conn, need.shown_for)))
    if need.my_desks:
        values["units"] |= {role.unit for role in me.roles} | {office}
    if need.desk_of_report:
        several = (*values.get("open_here", ()), *values.get("mine", ()))
        concerned = [r for r in (report, *several) if r is not None]
        if concerned:
            values["units"] |= {r.desk for r in concerned} | {office}
    return values


async def _found(conn: AsyncConnection, search: Search, me: Me, office: str) -> tuple[Report, ...]:
    """Those at the sender's desks; who may look anywhere is decided report by report."""
    units = {role.unit for role in me.roles}
    anywhere = office in units or any(role.role in (LEAD, "police") for role in me.roles)
    rows = await reports.search(
        conn, search.categories, search.units, None if anywhere else units, SEARCHED if me.roles else 0
    )
    return await _as_reports(conn, rows)


def _me(known: people.Known | None) -> Me:
    """An account without a name (an anonymous group admin) is nobody: it has no rights."""
    if known is None:
        return Me("")
    return Me(known.person, known.consent, tuple(Role(*role) for role in known.roles))


async def _report(
    conn: AsyncConnection, incoming: Incoming, need: Needs, values: dict[str, Any]
) -> Report | None:
    row = None
    photo, refusal = values.get("photo"), values.get("refusal")
    if need.answered is not None:
        address = incoming.address
        row = await reports.by_message(conn, address.channel, address.chat, need.answered)
    if row is None and need.code is not None:
        row = await reports.by_code(conn, need.code)
    if row is None and photo is not None and photo.report is not None:
        row = await reports.by_id(conn, photo.report)
    if row is None and refusal is not None and refusal.report is not None:
        row = await reports.by_id(conn, refusal.report)
    if row is None:
        return None
    return (await _as_reports(conn, [row]))[0]


async def _as_reports(conn: AsyncConnection, rows: Sequence[sa.Row[Any]]) -> tuple[Report, ...]:
    if not rows:
        return ()
    ids = [row.id for row in rows]
    counts, following = await photos.counts_of(conn, ids), await reports.followers_of(conn, ids)
    return tuple(
        Report(
            **{name: found[name] for name in _COLUMNS},
            photos=counts.get((found["id"], "before"), 0),
            voices=counts.get((found["id"], VOICE), 0),
            followers=tuple(following.get(found["id"], ())),
        )
        for found in (row._mapping for row in rows)
    )


async def _near(conn: AsyncConnection, spot: Spot, now: int) -> tuple[Near, ...]:
    """Reports of the same field close by; of the same village, those whose photo is nearly the same."""
    since = now - RECURS_MS
    point = valid(spot.lat, spot.lon) if spot.lat is not None and spot.lon is not None else None
    pair = (point.lat, point.lon) if point is not None else None
    rows = await reports.same_place(
        conn, spot.field, spot.unit, spot.mark, pair, NEAR_METRES, since, NEAR_SHOWN
    )
    found = {row.id: row for row in rows}
    prints = await photos.prints_of(conn, spot.photos) if spot.photos else []
    if prints and spot.unit is not None:
        rows = await reports.open_in(conn, spot.field, spot.unit, since, NEAR_SHOWN)
        found |= {row.id: row for row in rows}
    theirs = await photos.prints_of_reports(conn, list(found)) if prints and found else {}
    alike = {
        report
        for report, known in theirs.items()
        if any(_bits_apart(one, other) <= ALIKE_BITS for one in prints for other in known)
    }
    # Measured before the rest of each is read: a box has corners.
    away = {row.id: _away(point, row) for row in found.values()}
    kept = [
        row
        for _, row in sorted(found.items(), reverse=True)
        if away[row.id] <= NEAR_METRES
        or (bool(spot.mark) and (row.unit, row.mark) == (spot.unit, spot.mark))
        or row.id in alike
    ]
    return tuple(
        Near(report, away[report.id] if away[report.id] < inf else None, report.id in alike)
        for report in await _as_reports(conn, kept)
    )


def _away(point: Point | None, row: sa.Row[Any]) -> float:
    """Metres between them; infinitely many when one of them has no place."""
    if point is None or row.lat is None or row.lon is None:
        return inf
    return metres(point, Point(row.lat, row.lon))


def _bits_apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


async def _photo(conn: AsyncConnection, photo: int) -> PhotoFact | None:
    found = await photos.find(conn, photo)
    return None if found is None else _photo_fact(found)


def _photo_fact(photo: photos.Photo) -> PhotoFact:
    ready = photo.state == PhotoState.READY
    return PhotoFact(photo.id, photo.purpose, photo.report, ready, photo.received_at)


async def _refusal(conn: AsyncConnection, row: int) -> Refusal | None:
    found = await outbox.find(conn, row)
    if found is None:
        return None
    address = Address(found.channel, found.chat, found.grouped)
    return Refusal(found.message, address, found.lane, found.report)


async def _invite(conn: AsyncConnection, digest: str, incoming: Incoming) -> Invite | None:
    found = await people.find_invite(conn, digest)
    if found is None:
        return None
    unit, role, expires, used = found
    return Invite(digest, unit, role, not used and incoming.at.timestamp() * 1000 < expires)


async def _members(
    conn: AsyncConnection, need: Needs, me: Me, channels: Container[str]
) -> tuple[Member, ...]:
    """Everybody of the units that were asked for, and where they can be told."""
    units = set(need.members_of)
    if need.my_members:
        units |= {role.unit for role in me.roles if role.role == "head"}
    if need.fellows:
        units |= {role.unit for role in me.roles}
    if need.member is not None:
        units |= {unit for unit in [await people.unit_of_member(conn, need.member)] if unit is not None}
    rows = [row for unit in sorted(units) for row in await people.all_members(conn, unit)]
    chats = await people.chats_of(conn, {row.person for row in rows}) if rows else {}
    return tuple(
        Member(
            row.id,
            row.person,
            row.unit,
            row.role,
            row.name,
            row.joined_at,
            row.shift_until,
            tuple(chat for chat in chats.get(row.person, ()) if chat[0] in channels),
        )
        for row in rows
    )


async def _unreached(conn: AsyncConnection, since: int, before: int) -> Unreached | None:
    """What is about an official is not the office's to know: of it nothing is told."""
    found = await outbox.unreachable(conn, since, before)
    if not found:
        return None
    theirs = await outbox.unreachable_reports(conn, since, before, without=LEAD)
    units = await outbox.unreachable_units(conn, since, before)
    return Unreached(tuple(found), tuple(theirs), tuple(units))


async def _groups(conn: AsyncConnection, channels: Mapping[str, Abilities]) -> tuple[Group, ...]:
    return tuple(
        Group(Address(one.channel, one.chat, group=True), one.name, one.unit, channels[one.channel].rooms_act)
        for one in await groups.known(conn)
        if one.channel in channels
    )


async def _desks(
    conn: AsyncConnection, units: set[str], channels: Mapping[str, Abilities], now: int
) -> dict[str, Desk]:
    rooms: dict[str, list[Address]] = {unit: [] for unit in units}
    reading: dict[str, list[Address]] = {unit: [] for unit in units}
    for unit, channel, chat in await people.rooms_of(conn, units):
        if channel in channels:
            kind = rooms if channels[channel].rooms_act else reading
            kind[unit].append(Address(channel, chat, group=True))
    ears = await people.ears_of(conn, units, [LEAD] if LEAD in units else [])
    ears = [ear for ear in ears if ear.channel in channels]
    silent = [unit for unit in units if reading[unit] and not any(ear.unit == unit for ear in ears)]
    manned = await people.units_with_members(conn, silent) if silent else set()
    return {
        unit: replace(
            _desk(unit, tuple(rooms[unit]), ears, now),
            reading=tuple(reading[unit]),
            manned=unit in manned,
        )
        for unit in units
    }


def _desk(unit: str, rooms: tuple[Address, ...], ears: Sequence[people.Ear], now: int) -> Desk:
    """The members of a unit; of the desk of what is about officials, those who lead the commune."""
    own = [ear for ear in ears if (ear.role == LEAD if unit == LEAD else ear.unit == unit)]

    def chats(some: Iterable[people.Ear]) -> tuple[Address, ...]:
        return tuple(dict.fromkeys(Address(ear.channel, ear.chat) for ear in some))

    return Desk(
        unit,
        rooms,
        # The office's daily work is not for those who lead the commune, as long as somebody else is there.
        chats(ear for ear in own if ear.role != LEAD or unit == LEAD) or chats(own),
        chats(ear for ear in own if ear.role == "head"),
        chats(ear for ear in own if ear.shift_until is not None and ear.shift_until > now),
    )
