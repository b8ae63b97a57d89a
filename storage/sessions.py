"""The state of each chat's talk, as text; what it means is `bot.core.session`'s business."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert
from storage.tables import sessions

_LOAD = sa.select(sessions.c.chat, sessions.c.state).where(
    sessions.c.chat.in_(sa.bindparam("chats", expanding=True))
)


async def load(conn: AsyncConnection, chats: Collection[str]) -> dict[str, str]:
    rows = await conn.execute(_LOAD, {"chats": list(chats)})
    return {row.chat: row.state for row in rows}


async def save(conn: AsyncConnection, states: Sequence[tuple[str, str, int | None]]) -> None:
    """Each state is (chat, text, when it wants to be woken in ms or None)."""
    rows = [
        {"chat": chat, "channel": chat.partition(":")[0], "state": state, "wake_at": wake}
        for chat, state, wake in states
    ]
    statement = insert(conn, sessions)
    update = {"state": statement.excluded.state, "wake_at": statement.excluded.wake_at}
    await conn.execute(statement.on_conflict_do_update(index_elements=["chat"], set_=update), rows)


async def to_wake(conn: AsyncConnection, now: int, limit: int) -> list[tuple[str, int]]:
    """Chats whose draft wants a nudge or an end, with the moment it was due."""
    query = sa.select(sessions.c.chat, sessions.c.wake_at).where(sessions.c.wake_at <= now)
    rows = await conn.execute(query.order_by(sessions.c.wake_at).limit(limit))
    return [(row.chat, row.wake_at) for row in rows]


async def sleep(conn: AsyncConnection, chats: Collection[str]) -> None:
    await conn.execute(sa.update(sessions).where(sessions.c.chat.in_(chats)).values(wake_at=None))


async def move(conn: AsyncConnection, old: str, new: str) -> None:
    """The chat has a new identity; a state already there is newer and stays."""
    known = await load(conn, [new])
    if new not in known:
        await conn.execute(sa.update(sessions).where(sessions.c.chat == old).values(chat=new))
