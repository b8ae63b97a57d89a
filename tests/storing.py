"""What tests of the tables say in a word: rows of each kind as they are put in, and what is there."""

from typing import Any

import sqlalchemy as sa

from bot.core.effects import Lane
from storage import inbox, outbox, people, reports
from storage.database import Database
from storage.inbox import Arrival, Stored


def arrival(event: str, chat: str = "a", channel: str = "t", problem: str | None = None) -> Arrival:
    return Arrival(channel, event, f"{channel}:{chat}", f"raw {event}", 1000, problem)


async def stored(db: Database, *arrivals: Arrival) -> int:
    return await db.write(lambda conn: inbox.store(conn, arrivals))


async def waiting(db: Database, limit: int = 100) -> list[Stored]:
    return await db.write(lambda conn: inbox.waiting(conn, limit))


def events(rows: list[Stored]) -> list[str]:
    return [row.raw.removeprefix("raw ") for row in rows]


async def rows_of(db: Database, table: sa.Table) -> list[sa.Row[Any]]:
    async with db.read() as conn:
        return list(await conn.execute(sa.select(table).order_by(*table.primary_key)))


def promised(
    text: str, chat: str = "a", lane: Lane = Lane.ANSWER, due: int = 0, **more: Any
) -> dict[str, Any]:
    row = {"lane": int(lane), "channel": "t", "chat": chat, "message": "m", "text": text}
    return row | {"made_at": 0, "due_at": due} | more


async def promise(db: Database, *rows: dict[str, Any]) -> None:
    await db.write(lambda conn: outbox.promise(conn, rows))


async def met(db: Database, *accounts: str, chat: str | None = "private") -> None:
    await db.write(lambda conn: people.meet(conn, [("t", one, chat) for one in accounts], 1))


async def join(db: Database, person: str, unit: str, role: str, name: str = "Tư") -> None:
    await db.write(lambda conn: people.join(conn, person, unit, role, name, 1))


def report(code: str, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"code": code, "category": "litter", "field": "sanitation", "status": "sent"}
    row |= {"desk": "thon-03", "unit": "thon-03", "landmark": "", "lat": None, "lon": None, "words": ""}
    row |= {"hours": "", "private": False, "person": None, "channel": "t", "chat": "a", "filed_at": 1}
    row |= {"ack_by": 2, "fix_by": 3, "taken_name": "", "outcome": "", "reopened": 0, "alerted_at": 1}
    return row | {"version": 0} | more


async def file(db: Database, *rows: dict[str, Any]) -> dict[str, int]:
    return await db.write(lambda conn: reports.add(conn, rows))
