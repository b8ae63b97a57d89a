"""Erasing a person: what they reported stays, nothing says any more whose it was."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import (
    OutboxState,
    PhotoState,
    accounts,
    followers,
    history,
    inbox,
    invites,
    links,
    members,
    offers,
    outbox,
    pairings,
    people,
    photos,
    reports,
    sessions,
)

NOTHING = "{}"


async def erase(conn: AsyncConnection, person: str) -> None:
    """Their accounts, talks, roles and what they sent but never filed; reports lose their reporter."""
    found = await conn.execute(
        sa.select(accounts.c.channel, accounts.c.account, accounts.c.chat).where(accounts.c.person == person)
    )
    for channel, account, chat in found.all():
        await _unsent(conn, channel, account)
        if chat is not None:
            await _talk(conn, channel, chat)
    await _reports(conn, person)
    for table in (followers, pairings, members, accounts):
        await conn.execute(sa.delete(table).where(table.c.person == person))
    await conn.execute(sa.update(invites).where(invites.c.used_by == person).values(used_by=None))
    await conn.execute(sa.delete(people).where(people.c.id == person))


async def _reports(conn: AsyncConnection, person: str) -> None:
    theirs = {"person": None, "channel": None, "chat": None, "callback": ""}
    await conn.execute(sa.update(reports).where(reports.c.person == person).values(**theirs))
    taken = {"taken_by": None, "taken_name": ""}
    await conn.execute(sa.update(reports).where(reports.c.taken_by == person).values(**taken))
    await conn.execute(sa.update(history).where(history.c.person == person).values(person=None))


async def _unsent(conn: AsyncConnection, channel: str, account: str) -> None:
    """Files of a draft are to go from the store, too; those of reports forget who sent them."""
    own = sa.and_(photos.c.channel == channel, photos.c.account == account)
    erased = {"state": PhotoState.ERASED, "chat": "", "account": ""}
    await conn.execute(sa.update(photos).where(own, photos.c.report.is_(None)).values(**erased))
    await conn.execute(sa.update(photos).where(own).values(chat="", account=""))
    await conn.execute(sa.delete(links).where(links.c.channel == channel, links.c.account == account))


async def _talk(conn: AsyncConnection, channel: str, chat: str) -> None:
    key = f"{channel}:{chat}"
    await conn.execute(sa.delete(sessions).where(sessions.c.chat == key))
    await conn.execute(sa.delete(offers).where(offers.c.chat == key))
    await conn.execute(sa.update(inbox).where(inbox.c.chat == key).values(raw=NOTHING))
    said = sa.and_(outbox.c.channel == channel, outbox.c.chat == chat)
    waiting = outbox.c.state.in_((OutboxState.DUE, OutboxState.HELD))
    await conn.execute(sa.update(outbox).where(said, waiting).values(state=OutboxState.SUPERSEDED))
    await conn.execute(sa.update(outbox).where(said).values(text="", buttons="[]"))
