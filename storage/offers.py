"""The choices each chat was offered last: what "1" or a typed label answers."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert
from storage.tables import offers

_LOAD = sa.select(offers.c.chat, offers.c.buttons).where(
    offers.c.chat.in_(sa.bindparam("chats", expanding=True))
)


async def load(conn: AsyncConnection, chats: Collection[str]) -> dict[str, str]:
    rows = await conn.execute(_LOAD, {"chats": list(chats)})
    return {row.chat: row.buttons for row in rows}


async def save(conn: AsyncConnection, buttons: Mapping[str, str]) -> None:
    """The newest list of each chat, as the outbox keeps it."""
    # In one order everywhere, so that two writers never wait for each other in a ring.
    rows = [{"chat": chat, "buttons": buttons[chat]} for chat in sorted(buttons)]
    statement = insert(conn, offers)
    newest = {"buttons": statement.excluded.buttons}
    await conn.execute(statement.on_conflict_do_update(index_elements=["chat"], set_=newest), rows)
