"""Tasks that the office gives to units: what they are, when they are spoken of, what units said."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import results as told_results
from storage.database import Conflict, insert
from storage.tables import task_history, task_results, tasks

Row = sa.Row[Any]
# Written into the statement, as the partial index has it.
_OPEN = tasks.c.state == sa.literal_column("'open'")


async def latest(conn: AsyncConnection) -> int:
    """The last number that was given out; 0 before the first."""
    return int((await conn.execute(sa.select(sa.func.max(tasks.c.number)))).scalar() or 0)


async def make(conn: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Raises Conflict when another task got that number meanwhile."""
    statement = insert(conn, tasks).on_conflict_do_nothing(index_elements=["number"])
    if (await conn.execute(statement.returning(tasks.c.number), dict(row))).first() is None:
        raise Conflict("task")


async def find(conn: AsyncConnection, number: int) -> Row | None:
    return (await conn.execute(sa.select(tasks).where(tasks.c.number == number))).first()


async def open_ones(conn: AsyncConnection) -> list[Row]:
    """What is open, the first due first."""
    return list(await conn.execute(sa.select(tasks).where(_OPEN).order_by(tasks.c.day, tasks.c.number)))


async def due(conn: AsyncConnection, now: int, limit: int) -> list[tuple[int, int]]:
    """(number, version) of tasks whose next step is due."""
    query = sa.select(tasks.c.number, tasks.c.version).where(tasks.c.due_at <= now)
    found = await conn.execute(query.order_by(tasks.c.due_at).limit(limit))
    return [(row.number, row.version) for row in found]


async def change(conn: AsyncConnection, number: int, version: int, values: Mapping[str, Any]) -> None:
    """Raises Conflict when it was changed meanwhile."""
    same = sa.and_(tasks.c.number == number, tasks.c.version == version)
    done = await conn.execute(sa.update(tasks).where(same).values(**values, version=version + 1))
    if done.rowcount != 1:
        raise Conflict("task")


async def results(conn: AsyncConnection, numbers: Sequence[int]) -> list[Row]:
    """What units said of these tasks."""
    query = sa.select(task_results).where(task_results.c.task.in_(numbers))
    return list(await conn.execute(query.order_by(task_results.c.task, task_results.c.unit)))


async def tell(
    conn: AsyncConnection, number: int, unit: str, values: Mapping[str, Any], told: Mapping[str, Any]
) -> None:
    """What a unit says now, and a line of its history."""
    key = {"task": number, "unit": unit}
    await told_results.tell(conn, task_results, task_history, key, values, told)
