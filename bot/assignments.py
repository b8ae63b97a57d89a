"""What decisions about the office's tasks need to know, read in the caller's transaction."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.facts import Assigned
from bot.core.task import Task
from bot.results import result_of
from storage import tasks
from storage.tasks import Row


def task_of(row: Row) -> Task:
    return Task(
        row.number,
        row.text,
        date.fromisoformat(row.day),
        tuple(row.units.split()),
        row.made_by,
        row.state,
        frozenset(row.done.split()),
        row.version,
    )


async def assigned(conn: AsyncConnection, number: int) -> Assigned | None:
    row = await tasks.find(conn, number)
    return None if row is None else (await _with_results(conn, [row]))[0]


async def open_tasks(conn: AsyncConnection) -> tuple[Assigned, ...]:
    """What is open, the first due first."""
    rows = await tasks.open_ones(conn)
    return await _with_results(conn, rows) if rows else ()


async def _with_results(conn: AsyncConnection, rows: Sequence[Row]) -> tuple[Assigned, ...]:
    told: dict[int, dict[str, Any]] = {row.number: {} for row in rows}
    for one in await tasks.results(conn, list(told)):
        told[one.task][one.unit] = result_of(one)
    return tuple(Assigned(task_of(row), told[row.number]) for row in rows)
