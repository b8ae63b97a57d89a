"""Messages promised and not yet delivered: promised with the report, claimed with a lease, marked."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert
from storage.tables import OutboxState, accounts, members, outbox, reports

Row = sa.Row[Any]
# Clocks of several machines differ by less.
FUTURE_MS = 60_000
# How the problem of a row begins that a closed window kept back; the platform's code follows.
CLOSED = "window: "
# After all that ever was promised.
LATER = 2**62
# Written into the statement: a bound value would keep the database from using the partial index.
DUE: sa.ColumnElement[int] = sa.literal_column(str(OutboxState.DUE))
SENDING: sa.ColumnElement[int] = sa.literal_column(str(OutboxState.SENDING))
HELD: sa.ColumnElement[int] = sa.literal_column(str(OutboxState.HELD))
UNDRAWN: sa.ColumnElement[int] = sa.literal_column(str(OutboxState.UNDRAWN))
# The lanes that flood a chat, written as the partial index has them: alerts and photos.
FLOODING: tuple[sa.ColumnElement[int], ...] = (sa.literal_column("0"), sa.literal_column("3"))
_BLANK = {
    "buttons": "[]",
    "photo": None,
    "wants_place": False,
    "report": None,
    "key": None,
    "question": False,
    "grouped": False,
    "silent": False,
    "numbered": True,
    "state": OutboxState.DUE,
    "tries": 0,
    "broadcast": None,
    "edits": None,
}


async def promise(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Promise messages; one whose `key` was promised before is not promised again."""
    filled = [_BLANK | dict(row) for row in rows]
    await conn.execute(insert(conn, outbox).on_conflict_do_nothing(index_elements=["key"]), filled)


_SUPERSEDE = (
    sa.update(outbox)
    .where(outbox.c.channel == sa.bindparam("in_channel"), outbox.c.chat == sa.bindparam("in_chat"))
    .where(outbox.c.state <= SENDING, outbox.c.state == DUE, outbox.c.question)
    .values(state=OutboxState.SUPERSEDED)
)


async def supersede(conn: AsyncConnection, chats: Collection[tuple[str, str]]) -> None:
    """Unsent questions in these (channel, chat) give way to a newer one."""
    await conn.execute(_SUPERSEDE, [{"in_channel": channel, "in_chat": chat} for channel, chat in chats])


_earlier = outbox.alias("earlier")
# One message at a time to a chat, in order: nothing of it is being sent, and nothing due comes before.
_BEFORE = sa.exists().where(
    _earlier.c.channel == outbox.c.channel,
    _earlier.c.chat == outbox.c.chat,
    _earlier.c.state <= SENDING,
    sa.or_(
        _earlier.c.state == SENDING,
        sa.and_(
            # One that was tried and waits to be tried again still comes first.
            sa.or_(
                _earlier.c.due_at <= sa.bindparam("now"),
                _earlier.c.tries > 0,
                _earlier.c.made_at > sa.bindparam("future"),
            ),
            sa.tuple_(_earlier.c.lane, _earlier.c.id) < sa.tuple_(outbox.c.lane, outbox.c.id),
        ),
    ),
)
_FIRST = (
    sa.select(outbox.c.id)
    .where(outbox.c.channel == sa.bindparam("of_channel"), outbox.c.state == DUE)
    # Made in what is now the future: the clock was set back, and what was due then is due now.
    .where(sa.or_(outbox.c.due_at <= sa.bindparam("now"), outbox.c.made_at > sa.bindparam("future")))
    .where(sa.not_(_BEFORE))
    .where(outbox.c.chat.not_in(sa.bindparam("resting", expanding=True)))
    .order_by(outbox.c.lane, outbox.c.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    sa.update(outbox)
    .where(outbox.c.id.in_(_FIRST.scalar_subquery()))
    .values(
        state=sa.case(
            (outbox.c.lane.in_(sa.bindparam("once", expanding=True)), OutboxState.UNKNOWN),
            else_=OutboxState.SENDING,
        ),
        lease_until=sa.bindparam("lease", type_=sa.BigInteger),
        tries=outbox.c.tries + 1,
    )
    .returning(outbox)
)


async def claim(
    conn: AsyncConnection,
    channel: str,
    now: int,
    lease: int,
    limit: int,
    *,
    resting: Collection[str] = (),
    once_lanes: Collection[int] = (),
) -> list[Row]:
    """Lease the first due message of up to `limit` chats, highest lane first, passing over `resting` ones.

    Messages of `once_lanes` are marked before they are sent: as UNKNOWN, until the platform has answered.
    """
    given = {"of_channel": channel, "now": now, "future": now + FUTURE_MS, "lease": lease, "most": limit}
    rows = await conn.execute(_CLAIM, given | {"resting": list(resting), "once": list(once_lanes)})
    return sorted(rows, key=lambda row: (row.lane, row.id))


_MARK = (
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("row"))
    # Superseded while it was in the air: whatever became of it, it is not sent again.
    .where(outbox.c.state != OutboxState.SUPERSEDED)
    .values(
        state=sa.bindparam("to_state"),
        due_at=sa.func.coalesce(sa.bindparam("due", type_=sa.BigInteger), outbox.c.due_at),
        sent_at=sa.bindparam("sent"),
        platform_id=sa.bindparam("platform"),
        problem=sa.bindparam("why"),
        tries=outbox.c.tries - sa.bindparam("untried", type_=sa.SmallInteger),
        lease_until=None,
    )
)


async def mark(conn: AsyncConnection, marks: Sequence[Mapping[str, Any]]) -> None:
    """Each mark: row, to_state, and where they apply due, sent, platform, why, untried."""
    blank = {"due": None, "sent": None, "platform": None, "why": None, "untried": 0}
    await conn.execute(_MARK, [blank | dict(mark) for mark in marks])


async def release(conn: AsyncConnection, before: int) -> int:
    """Leases that ran out: their messages are due again (their sender died in the middle)."""
    over = sa.and_(outbox.c.state == SENDING, outbox.c.lease_until < before)
    statement = sa.update(outbox).where(over).values(state=OutboxState.DUE, lease_until=None)
    return (await conn.execute(statement)).rowcount


async def next_due(conn: AsyncConnection, channel: str, now: int) -> int | None:
    """When the next message comes due; those due already wait for something else."""
    query = sa.select(sa.func.min(outbox.c.due_at)).where(
        outbox.c.channel == channel, outbox.c.state == DUE, outbox.c.due_at > now
    )
    due: int | None = (await conn.execute(query)).scalar()
    return due


_COPIED = ("lane", "message", "text", "buttons", "photo", "wants_place", "silent", "report", "broadcast")


async def redirect(conn: AsyncConnection, row: int, channel: str, chat: str, now: int) -> None:
    """Promise a message again, to the person's chat on another channel; there it counts for its broadcast.

    What that chat was promised under the same key is not said there twice.
    """
    found = await find(conn, row)
    if found is not None:
        copied = (
            "lane",
            "message",
            "text",
            "buttons",
            "photo",
            "wants_place",
            "silent",
            "report",
            "broadcast",
        )
        again = {name: found._mapping[name] for name in copied}
        here, there = f"{found.channel}:{found.chat}", f"{channel}:{chat}"
        keyed = found.key is not None and here in found.key
        key = found.key.replace(here, there) if keyed else f"redirected/{row}"
        await promise(
            conn, [again | {"channel": channel, "chat": chat, "key": key, "made_at": now, "due_at": now}]
        )
        if found.broadcast is not None:
            await conn.execute(sa.update(outbox).where(outbox.c.id == row).values(broadcast=None))


async def by_key(conn: AsyncConnection, key: str) -> int | None:
    found: int | None = (await conn.execute(sa.select(outbox.c.id).where(outbox.c.key == key))).scalar()
    return found


async def give_way(conn: AsyncConnection, row: int) -> None:
    """A change of this message that waits gives way to a newer one."""
    older = sa.update(outbox).where(outbox.c.edits == row, outbox.c.state == DUE)
    await conn.execute(older.values(state=OutboxState.SUPERSEDED))


async def find(conn: AsyncConnection, row: int) -> Row | None:
    return (await conn.execute(sa.select(outbox).where(outbox.c.id == row))).first()


async def name_of(conn: AsyncConnection, channel: str, chat: str, platform_id: str) -> str:
    """The template of a message that was about a report, by the platform's own id; empty when it was not."""
    said = sa.and_(outbox.c.channel == channel, outbox.c.chat == chat, outbox.c.platform_id == platform_id)
    query = sa.select(outbox.c.message).where(said, outbox.c.report.is_not(None)).limit(1)
    return (await conn.execute(query)).scalar() or ""


async def move_chat(conn: AsyncConnection, channel: str, old: str, new: str) -> None:
    here = sa.and_(outbox.c.channel == channel, outbox.c.chat == old)
    # One after the other: each state has an index of its own.
    for state in (DUE, UNDRAWN):
        await conn.execute(sa.update(outbox).where(here, outbox.c.state == state).values(chat=new))


_RECENT = (
    sa.select(outbox.c.channel, outbox.c.chat, sa.func.count())
    .where(outbox.c.channel == sa.bindparam("of_channel"), outbox.c.lane.in_(FLOODING))
    .where(outbox.c.chat.in_(sa.bindparam("chats", expanding=True)), outbox.c.due_at > sa.bindparam("since"))
    .where(outbox.c.state != HELD, outbox.c.state != OutboxState.SUPERSEDED)
    .group_by(outbox.c.channel, outbox.c.chat)
)


async def recent(
    conn: AsyncConnection, chats: Collection[tuple[str, str]], since: int
) -> dict[tuple[str, str], int]:
    """How many alerts and photos were due in each (channel, chat) since then, without what is held."""
    found: dict[tuple[str, str], int] = {}
    for channel in {channel for channel, _ in chats}:
        names = [chat for of, chat in chats if of == channel]
        rows = await conn.execute(_RECENT, {"of_channel": channel, "chats": names, "since": since})
        found |= {(row[0], row[1]): row[2] for row in rows}
    return found


async def held_chats(conn: AsyncConnection, before: int) -> list[tuple[str, str, bool, int]]:
    """(channel, chat, whether it is a group, the newest row held) of chats that waited since before then."""
    query = (
        sa.select(outbox.c.channel, outbox.c.chat, outbox.c.grouped, sa.func.max(outbox.c.id))
        .where(outbox.c.state == HELD)
        .group_by(outbox.c.channel, outbox.c.chat, outbox.c.grouped)
        .having(sa.func.min(outbox.c.due_at) <= before)
    )
    return [(row[0], row[1], row[2], row[3]) for row in await conn.execute(query)]


async def unhold(conn: AsyncConnection, channel: str, chat: str, photos_from: int) -> None:
    """What was held has been said in one digest; the photos behind it go out from then on."""
    here = sa.and_(outbox.c.channel == channel, outbox.c.chat == chat, outbox.c.state == HELD)
    said = sa.update(outbox).where(here, outbox.c.photo.is_(None))
    await conn.execute(said.values(state=OutboxState.SUPERSEDED))
    await conn.execute(sa.update(outbox).where(here).values(state=OutboxState.DUE, due_at=photos_from))


async def drawn(conn: AsyncConnection, photo: str) -> int:
    """The picture is in the store: what waited for it may go out. How many that were."""
    waits = sa.and_(outbox.c.state == UNDRAWN, outbox.c.photo == photo)
    return (await conn.execute(sa.update(outbox).where(waits).values(state=OutboxState.DUE))).rowcount


async def undrawable(conn: AsyncConnection, photo: str, why: str) -> None:
    """The picture cannot be drawn: what it would have shown was said in words before."""
    waits = sa.and_(outbox.c.state == UNDRAWN, outbox.c.photo == photo)
    values = {"state": OutboxState.SUPERSEDED, "problem": why}
    await conn.execute(sa.update(outbox).where(waits).values(**values))


async def depth(conn: AsyncConnection) -> list[tuple[int, int, int]]:
    """(lane, how many wait, since when the oldest is due) of what waits."""
    query = (
        sa.select(outbox.c.lane, sa.func.count(), sa.func.min(outbox.c.due_at))
        .where(outbox.c.state == DUE)
        .group_by(outbox.c.lane)
    )
    return [(row[0], row[1], row[2]) for row in await conn.execute(query)]


async def problems(conn: AsyncConnection, channel: str) -> list[str]:
    """Why what is due there has not gone out, each reason once."""
    query = sa.select(outbox.c.problem).where(
        outbox.c.channel == channel, outbox.c.state == DUE, outbox.c.problem.is_not(None)
    )
    return list((await conn.execute(query.distinct())).scalars())


def _unreached(since: int, before: int) -> sa.ColumnElement[bool]:
    closed = outbox.c.state == sa.literal_column(str(OutboxState.UNREACHABLE))
    return sa.and_(closed, outbox.c.made_at >= since, outbox.c.made_at < before)


async def unreachable(conn: AsyncConnection, since: int, before: int = LATER) -> list[tuple[str, int]]:
    """(channel, how many people) who could not be told something in that time, their window being closed."""
    query = (
        sa.select(outbox.c.channel, sa.func.count(sa.distinct(outbox.c.chat)))
        .where(_unreached(since, before))
        .group_by(outbox.c.channel)
        .order_by(outbox.c.channel)
    )
    return [(row[0], row[1]) for row in await conn.execute(query)]


async def closed_by(conn: AsyncConnection, channel: str, since: int) -> list[str]:
    """What the platform said of those who could not be told something since then, each code once."""
    query = sa.select(outbox.c.problem).where(_unreached(since, LATER), outbox.c.channel == channel)
    found = (await conn.execute(query.distinct())).scalars()
    return [problem.removeprefix(CLOSED) for problem in found if problem]


async def unreachable_reports(
    conn: AsyncConnection, since: int, before: int, without: str
) -> list[tuple[str, bool]]:
    """The reports of these people, as (code, whether a number was left); none that lie with that desk."""
    theirs = sa.and_(
        reports.c.id == outbox.c.report,
        reports.c.channel == outbox.c.channel,
        reports.c.chat == outbox.c.chat,
    )
    query = (
        sa.select(reports.c.id, reports.c.code, reports.c.callback)
        .select_from(outbox.join(reports, theirs))
        .where(_unreached(since, before), reports.c.desk != without)
        .distinct()
        .order_by(reports.c.id)
    )
    return [(row.code, bool(row.callback)) for row in await conn.execute(query)]


async def unreachable_units(conn: AsyncConnection, since: int, before: int) -> list[str]:
    """The units that have members among these people."""
    query = (
        sa.select(members.c.unit)
        .select_from(
            outbox.join(
                accounts, sa.and_(accounts.c.channel == outbox.c.channel, accounts.c.chat == outbox.c.chat)
            ).join(members, members.c.person == accounts.c.person)
        )
        .where(_unreached(since, before), members.c.removed_at.is_(None))
        .distinct()
        .order_by(members.c.unit)
    )
    return list((await conn.execute(query)).scalars())


async def count_unknown(conn: AsyncConnection) -> int:
    query = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.state == OutboxState.UNKNOWN)
    return int((await conn.execute(query)).scalar_one())
