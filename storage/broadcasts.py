"""One message for many people: written once, promised to them chunk by chunk, counted to the last one."""

import json
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audiences import AS_MEMBERS, REMINDED, meant
from storage.database import insert
from storage.outbox import DUE, SENDING
from storage.tables import BroadcastState, OutboxState, accounts, broadcasts, outbox, people

# What was claimed when the time was up may still come back as due, once.
GRACE_MS = 60_000
# Why something was taken back, as its row keeps it.
STOPPED, LATE, UNWANTED = "stopped", "late", "unwanted"


@dataclass(frozen=True, slots=True)
class Text:
    """What one village is told; `buttons` as the outbox keeps them."""

    text: str
    buttons: str
    wants_place: bool = False


@dataclass(frozen=True, slots=True)
class Going:
    """A broadcast that is being promised; `texts` by village, "" for all others; `cursor` how far it got."""

    id: int
    message: str
    texts: Mapping[str, Text]
    cursor: str
    audience: str = REMINDED


@dataclass(frozen=True, slots=True)
class Stale:
    """A broadcast of which nothing more may go out; `why` is what its rows will say."""

    id: int
    why: str
    over: bool


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody who is meant, the village they follow (empty: any, or none), the chat they wrote in last."""

    person: str
    village: str
    channel: str
    chat: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of each recipient. `unknown` was perhaps sent (we died meanwhile), or is being sent now.

    `stopped` was taken back, `skipped` too late to go out, `unwanted` waited when the person let it be.
    """

    waiting: int = 0
    sent: int = 0
    refused: int = 0
    unreachable: int = 0
    unknown: int = 0
    stopped: int = 0
    skipped: int = 0
    unwanted: int = 0

    @property
    def total(self) -> int:
        return sum(asdict(self).values())


async def make(
    conn: AsyncConnection,
    key: str,
    message: str,
    texts: Mapping[str, Text],
    now: int,
    until: int,
    *,
    audience: str = REMINDED,
    starts: int | None = None,
) -> None:
    """A broadcast, once for each key, ever; nothing of it is promised before `starts`."""
    told = json.dumps({village: asdict(text) for village, text in texts.items()}, ensure_ascii=False)
    row = {"key": key, "message": message, "texts": told, "made_at": now, "until": until}
    row |= {"audience": audience, "starts_at": starts}
    await conn.execute(insert(conn, broadcasts).on_conflict_do_nothing(index_elements=["key"]), row)


async def find(conn: AsyncConnection, key: str) -> int | None:
    """The id of a broadcast by its key."""
    found: int | None = (
        await conn.execute(sa.select(broadcasts.c.id).where(broadcasts.c.key == key))
    ).scalar()
    return found


# Written into the statement, as the partial index has it.
_GOING = broadcasts.c.state == sa.literal_column(str(BroadcastState.GOING))


def _begun(now: int) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(broadcasts.c.starts_at, 0) <= now


async def is_going(conn: AsyncConnection, now: int) -> bool:
    query = sa.select(broadcasts.c.id).where(_GOING, _begun(now)).limit(1)
    return (await conn.execute(query)).first() is not None


async def going(conn: AsyncConnection, now: int) -> Going | None:
    """The oldest broadcast that is being promised, locked: each chunk is promised by one process."""
    table = broadcasts.c
    columns = (table.id, table.message, table.texts, table.cursor, table.audience)
    query = sa.select(*columns).where(_GOING, table.until > now, _begun(now)).order_by(table.id).limit(1)
    row = (await conn.execute(query.with_for_update(skip_locked=True))).first()
    if row is None:
        return None
    texts = {village: Text(**told) for village, told in json.loads(row.texts).items()}
    return Going(row.id, row.message, texts, row.cursor, row.audience)


_CHATS = (
    sa.select(accounts.c.person, accounts.c.channel, accounts.c.chat)
    .where(accounts.c.person.in_(sa.bindparam("persons", expanding=True)))
    .where(accounts.c.reachable, accounts.c.chat.is_not(None))
    # The last one of each person counts.
    .order_by(sa.func.coalesce(accounts.c.wrote_at, 0), accounts.c.channel, accounts.c.account)
)


async def listeners(
    conn: AsyncConnection, cursor: str, most: int, channels: Container[str], audience: str = REMINDED
) -> tuple[list[Listener], str | None]:
    """The next `most` of an audience, and where to go on; None when these were the last."""
    village = sa.func.coalesce(people.c.reminded, "").label("reminded")
    query = sa.select(people.c.id, village).where(people.c.id > cursor, meant(audience))
    found = (await conn.execute(query.order_by(people.c.id).limit(most))).all()
    rows = await conn.execute(_CHATS, {"persons": [row.id for row in found]})
    # Chosen here: a channel in the statement would lead past the index of persons.
    chats = {row.person: (row.channel, row.chat) for row in rows if row.channel in channels}
    heard = [Listener(row.id, row.reminded, *chats[row.id]) for row in found if row.id in chats]
    return heard, found[-1].id if len(found) == most else None


async def advance(conn: AsyncConnection, broadcast: int, cursor: str | None, count: int) -> None:
    """So many more were promised; None: they were the last."""
    values = {"promised": broadcasts.c.promised + count}
    further = {"state": BroadcastState.PROMISED} if cursor is None else {"cursor": cursor}
    await conn.execute(sa.update(broadcasts).where(broadcasts.c.id == broadcast).values(**values, **further))


async def stop(conn: AsyncConnection, broadcast: int) -> None:
    """Nothing more is promised; what waits is taken back, chunk by chunk, by whoever promises."""
    running = broadcasts.c.state.in_((BroadcastState.GOING, BroadcastState.PROMISED))
    own = sa.update(broadcasts).where(broadcasts.c.id == broadcast, running)
    await conn.execute(own.values(state=BroadcastState.STOPPED))


async def stale(conn: AsyncConnection, now: int) -> list[Stale]:
    """Broadcasts that were stopped or whose time is past, until nothing of them can come back."""
    columns = (broadcasts.c.id, broadcasts.c.state, broadcasts.c.until)
    query = sa.select(*columns).where(
        broadcasts.c.state != BroadcastState.OVER,
        sa.or_(broadcasts.c.state == BroadcastState.STOPPED, broadcasts.c.until <= now),
    )
    return [
        Stale(row.id, STOPPED if row.state == BroadcastState.STOPPED else LATE, row.until + GRACE_MS <= now)
        for row in await conn.execute(query.order_by(broadcasts.c.id))
    ]


async def take_back(conn: AsyncConnection, broadcast: Stale, most: int) -> int:
    """Up to so many rows that still wait go no more; returns how many. The last in the queue come first."""
    if broadcast.why == LATE:
        own = sa.update(broadcasts).where(broadcasts.c.id == broadcast.id, _GOING)
        await conn.execute(own.values(state=BroadcastState.PROMISED))
    waiting = (
        sa.select(outbox.c.id)
        .where(outbox.c.broadcast.in_((broadcast.id, early(broadcast.id))), outbox.c.state == DUE)
        .order_by(outbox.c.id.desc())
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    taken = sa.update(outbox).where(outbox.c.id.in_(waiting.scalar_subquery()), outbox.c.state == DUE)
    gone = {"state": OutboxState.SUPERSEDED, "problem": broadcast.why}
    count = (await conn.execute(taken.values(**gone))).rowcount
    if not count and broadcast.over:
        own = sa.update(broadcasts).where(broadcasts.c.id == broadcast.id)
        await conn.execute(own.values(state=BroadcastState.OVER))
    return count


def early(broadcast: int) -> int:
    """How the first parts of a text that takes several messages are marked: the last one is what counts."""
    return -broadcast


async def unsubscribe(conn: AsyncConnection, channel: str, chat: str) -> None:
    """Whoever has this private chat follows nothing any more; what waits for them, anywhere, is let be."""
    person = sa.select(accounts.c.person).where(accounts.c.channel == channel, accounts.c.chat == chat)
    following = sa.and_(people.c.id.in_(person.scalar_subquery()), people.c.reminded.is_not(None))
    await conn.execute(sa.update(people).where(following).values(reminded=None, reminded_at=None))
    theirs = sa.select(accounts.c.channel, accounts.c.chat).where(
        accounts.c.person.in_(person.scalar_subquery()), accounts.c.chat.is_not(None)
    )
    # What is told to members as members is no matter of wanting.
    to_members = sa.select(broadcasts.c.id).where(broadcasts.c.audience.startswith(AS_MEMBERS))
    for place in (await conn.execute(theirs)).all():
        here = sa.and_(outbox.c.channel == place.channel, outbox.c.chat == place.chat)
        waiting = sa.and_(
            outbox.c.state <= SENDING,
            outbox.c.state == DUE,
            outbox.c.broadcast.is_not(None),
            sa.func.abs(outbox.c.broadcast).not_in(to_members.scalar_subquery()),
        )
        gone = {"state": OutboxState.SUPERSEDED, "problem": UNWANTED}
        await conn.execute(sa.update(outbox).where(here, waiting).values(**gone))


async def refuse_all(conn: AsyncConnection, person: str, now: int) -> None:
    """This person wants no notices to all either, until campaigns.remind."""
    await conn.execute(sa.update(people).where(people.c.id == person).values(stopped_at=now))


_STATES = {
    OutboxState.DUE: "waiting",
    OutboxState.SENDING: "waiting",
    OutboxState.SENT: "sent",
    OutboxState.REFUSED: "refused",
    OutboxState.UNREACHABLE: "unreachable",
    OutboxState.UNKNOWN: "unknown",
}
_TAKEN_BACK = {LATE: "skipped", UNWANTED: "unwanted"}


async def ledger(conn: AsyncConnection, broadcast: int) -> Ledger:
    """How many of those to whom it was promised are where."""
    own = outbox.c.broadcast == broadcast
    by_state = sa.select(outbox.c.state, sa.func.count()).where(own).group_by(outbox.c.state)
    by_reason = sa.select(outbox.c.problem, sa.func.count()).group_by(outbox.c.problem)
    taken = by_reason.where(own, outbox.c.state == OutboxState.SUPERSEDED)
    counts: dict[str, int] = {}
    for state, count in await conn.execute(by_state):
        if state in _STATES:
            counts[_STATES[state]] = counts.get(_STATES[state], 0) + count
    for problem, count in await conn.execute(taken):
        name = _TAKEN_BACK.get(problem, STOPPED)
        counts[name] = counts.get(name, 0) + count
    return Ledger(**counts)
