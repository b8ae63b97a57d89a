"""One person on two platforms: a short code makes the second account the first one's."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import announcements
from storage.database import Conflict
from storage.tables import (
    accounts,
    activities,
    activity_history,
    answers,
    followers,
    history,
    households,
    members,
    pairings,
    participation_history,
    people,
    reports,
    task_history,
    tasks,
)

# Whose doing something was: it becomes the other one's.
THEIRS = (
    *(reports.c.person, reports.c.taken_by, followers.c.person, history.c.person, members.c.person),
    *(accounts.c.person, answers.c.person, participation_history.c.person, activities.c.told_by),
    *(activities.c.checked_by, activity_history.c.person, households.c.person, tasks.c.person),
    task_history.c.person,
)


async def make(conn: AsyncConnection, digest: str, person: str, ends_at: int) -> None:
    """A newer code takes the place of an older one."""
    await conn.execute(sa.delete(pairings).where(pairings.c.person == person))
    await conn.execute(sa.insert(pairings), {"hash": digest, "person": person, "ends_at": ends_at})


async def find(conn: AsyncConnection, digest: str) -> tuple[str, int] | None:
    """(person, end in ms) of a code by its hash."""
    query = sa.select(pairings.c.person, pairings.c.ends_at).where(pairings.c.hash == digest)
    row = (await conn.execute(query)).first()
    return None if row is None else (row.person, row.ends_at)


async def pair(conn: AsyncConnection, digest: str, person: str) -> None:
    """All that is this person's becomes that of whoever drew the code. Raises Conflict when it was used."""
    found = await find(conn, digest)
    used = await conn.execute(sa.delete(pairings).where(pairings.c.hash == digest))
    if found is None or used.rowcount != 1:
        raise Conflict("pairing")
    into = found[0]
    await _follow_once(conn, person, into)
    await _answer_once(conn, person, into)
    for column in THEIRS:
        await conn.execute(sa.update(column.table).where(column == person).values({column.name: into}))
    await announcements.pair(conn, person, into)
    # Who said stop on one platform said it.
    stopped = sa.select(people.c.stopped_at).where(people.c.id == person).scalar_subquery()
    known = sa.func.coalesce(people.c.stopped_at, stopped)
    await conn.execute(sa.update(people).where(people.c.id == into).values(paired=True, stopped_at=known))
    await conn.execute(sa.delete(pairings).where(pairings.c.person == person))
    await conn.execute(sa.delete(people).where(people.c.id == person))


async def _follow_once(conn: AsyncConnection, person: str, into: str) -> None:
    """Where both followed a report, one of them is enough; nobody follows their own."""
    theirs = sa.select(followers.c.report).where(followers.c.person == into)
    own = sa.select(reports.c.id).where(reports.c.person.in_((into, person)))
    twice = sa.or_(followers.c.report.in_(theirs), followers.c.report.in_(own))
    await conn.execute(sa.delete(followers).where(followers.c.person == person, twice))
    await conn.execute(sa.delete(followers).where(followers.c.person == into, followers.c.report.in_(own)))


async def _answer_once(conn: AsyncConnection, person: str, into: str) -> None:
    """Of two answers to one clean-up, that of whoever drew the code stays."""
    theirs = sa.select(answers.c.campaign).where(answers.c.person == into)
    await conn.execute(sa.delete(answers).where(answers.c.person == person, answers.c.campaign.in_(theirs)))


async def write_to(conn: AsyncConnection, person: str, channel: str, chat: str) -> None:
    """What there is to say to this person about reports is said there from now on."""
    there = {"channel": channel, "chat": chat}
    await conn.execute(sa.update(reports).where(reports.c.person == person).values(**there))
    await conn.execute(sa.update(followers).where(followers.c.person == person).values(**there))
