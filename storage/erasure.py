"""Erasing a person: what they reported stays, nothing says any more whose it was."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import announcements
from storage.tables import (
    InboxState,
    OutboxState,
    PhotoState,
    accounts,
    activities,
    activity_history,
    answers,
    followers,
    history,
    households,
    inbox,
    invites,
    links,
    members,
    offers,
    outbox,
    pairings,
    participation_history,
    participations,
    people,
    photos,
    reports,
    rooms,
    sessions,
    task_history,
    task_results,
    tasks,
)

NOTHING = "{}"
GONE = "erased"
# A shorter one could be part of anything: payloads in which it stands would be somebody else's.
ACCOUNT_SHORTEST = 8


async def erase(conn: AsyncConnection, person: str, upto: int) -> None:
    """Their accounts, talks, roles and what they sent but never filed; reports lose their reporter.

    `upto` is the inbox row that asked for it: what they wrote after that is a new beginning.
    """
    found = await conn.execute(
        sa.select(accounts.c.channel, accounts.c.account, accounts.c.chat).where(accounts.c.person == person)
    )
    for channel, account, chat in found.all():
        await _unsent(conn, channel, account)
        await _elsewhere(conn, channel, account, upto)
        if chat is not None:
            await _talk(conn, channel, chat, upto)
    await _reports(conn, person)
    await _activities(conn, person)
    await announcements.forget(conn, person)
    await _units_work(conn, person)
    for table in (answers, followers, pairings, members, accounts):
        await conn.execute(sa.delete(table).where(table.c.person == person))
    await conn.execute(sa.update(invites).where(invites.c.used_by == person).values(used_by=None))
    await conn.execute(sa.delete(people).where(people.c.id == person))


async def _reports(conn: AsyncConnection, person: str) -> None:
    theirs = {"person": None, "channel": None, "chat": None, "callback": ""}
    await conn.execute(sa.update(reports).where(reports.c.person == person).values(**theirs))
    taken = {"taken_by": None, "taken_name": ""}
    await conn.execute(sa.update(reports).where(reports.c.taken_by == person).values(**taken))
    await conn.execute(sa.update(history).where(history.c.person == person).values(person=None))
    await conn.execute(sa.update(rooms).where(rooms.c.bound_by == person).values(bound_by=""))


async def _activities(conn: AsyncConnection, person: str) -> None:
    """A unit's work stays the unit's, without whoever told it."""
    theirs = {"told_by": None, "told_name": ""}
    await conn.execute(sa.update(activities).where(activities.c.told_by == person).values(**theirs))
    checked = {"checked_by": None, "checked_name": ""}
    await conn.execute(sa.update(activities).where(activities.c.checked_by == person).values(**checked))
    for table in (activity_history, households):
        await conn.execute(sa.update(table).where(table.c.person == person).values(person=None))


async def _units_work(conn: AsyncConnection, person: str) -> None:
    """What a unit did stays the unit's; nothing says any more who told it, or who gave the task."""
    for history_ in (participation_history, task_history):
        await conn.execute(sa.update(history_).where(history_.c.person == person).values(person=None))
    given = sa.update(tasks).where(tasks.c.person == person)
    await conn.execute(given.values(person=None, made_by=""))
    own = await conn.execute(sa.select(members.c.unit, members.c.name).where(members.c.person == person))
    for unit, name in own.all():
        for table in (participations, task_results):
            for column in (table.c.accepted_by, table.c.reported_by):
                theirs = sa.and_(table.c.unit == unit, column == name)
                await conn.execute(sa.update(table).where(theirs).values({column.name: ""}))


async def _unsent(conn: AsyncConnection, channel: str, account: str) -> None:
    """Files of a draft are to go from the store, too; all others forget who sent them."""
    own = sa.and_(photos.c.channel == channel, photos.c.account == account)
    erased = {"state": PhotoState.ERASED, "chat": "", "account": ""}
    evidence = photos.c.purpose.in_(sa.select(activities.c.evidence))
    units = sa.or_(photos.c.purpose.startswith("result/"), evidence)
    draft = sa.and_(photos.c.report.is_(None), sa.not_(units))
    await conn.execute(sa.update(photos).where(own, draft).values(**erased))
    await conn.execute(sa.update(photos).where(own).values(chat="", account=""))
    await conn.execute(sa.delete(links).where(links.c.channel == channel, links.c.account == account))


async def _elsewhere(conn: AsyncConnection, channel: str, account: str, upto: int) -> None:
    """In rooms, and in what could not be read, payloads tell who they are from."""
    if len(account) < ACCOUNT_SHORTEST:
        return
    seen = sa.and_(inbox.c.channel == channel, inbox.c.id <= upto, inbox.c.state != InboxState.NEW)
    theirs = inbox.c.raw.contains(account, autoescape=True)
    await conn.execute(sa.update(inbox).where(seen, theirs).values(raw=NOTHING))


async def _talk(conn: AsyncConnection, channel: str, chat: str, upto: int) -> None:
    key = f"{channel}:{chat}"
    await conn.execute(sa.delete(sessions).where(sessions.c.chat == key))
    await conn.execute(sa.delete(offers).where(offers.c.chat == key))
    await _heard(conn, key, chat, upto)
    await _said(conn, channel, chat)
    await _keys(conn, key)


async def _heard(conn: AsyncConnection, key: str, chat: str, upto: int) -> None:
    """The id of a message stays: should it come again, it is known. An id with a person's in it goes."""
    theirs = sa.and_(inbox.c.chat == key, inbox.c.id <= upto)
    nameless = sa.literal("erased/").concat(sa.cast(inbox.c.id, sa.Text))
    named = inbox.c.event.contains(chat, autoescape=True)
    await conn.execute(sa.update(inbox).where(theirs, named).values(event=nameless))
    erased = {"raw": NOTHING, "chat": f"{key.partition(':')[0]}:{GONE}"}
    await conn.execute(sa.update(inbox).where(theirs).values(**erased))


async def _said(conn: AsyncConnection, channel: str, chat: str) -> None:
    theirs = sa.and_(outbox.c.channel == channel, outbox.c.chat == chat)
    waiting = (OutboxState.DUE, OutboxState.SENDING, OutboxState.HELD, OutboxState.UNDRAWN)
    unsent = outbox.c.state.in_(waiting)
    await conn.execute(sa.update(outbox).where(theirs, unsent).values(state=OutboxState.SUPERSEDED))
    empty = {"text": "", "buttons": "[]", "key": None, "chat": GONE, "photo": None, "platform_id": None}
    await conn.execute(sa.update(outbox).where(theirs).values(**empty))


async def _keys(conn: AsyncConnection, key: str) -> None:
    """What others were told instead of them says so in its key."""
    about = outbox.c.key.contains(key, autoescape=True)
    await conn.execute(sa.update(outbox).where(about).values(key=None))
