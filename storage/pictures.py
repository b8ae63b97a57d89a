"""Pictures that are drawn from figures before they are sent: each once, however many are shown it."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert
from storage.tables import PictureState, pictures

# Written into the statement: a bound value would keep the database from using the partial index.
WAITING: sa.ColumnElement[int] = sa.literal_column(str(PictureState.WAITING))


@dataclass(frozen=True, slots=True)
class Waiting:
    """`key` is where it belongs in the photo store, `spec` what is to be drawn (JSON)."""

    key: str
    spec: str
    tries: int


async def want(conn: AsyncConnection, key: str, spec: str, now: int) -> bool:
    """A picture is promised; whether it is in the store already.

    The row is locked until the promise is written: whoever draws it meanwhile finds the promise, too.
    """
    row = {"key": key, "spec": spec, "due_at": now, "asked_at": now}
    wanted = insert(conn, pictures).values(**row)
    again = wanted.on_conflict_do_update(index_elements=["key"], set_={"asked_at": now})
    state = (await conn.execute(again.returning(pictures.c.state))).scalar_one()
    return bool(state == PictureState.READY)


async def waiting(conn: AsyncConnection, now: int, lease: int, limit: int) -> list[Waiting]:
    """Claim pictures to draw until `lease` (ms): whoever dies over them lets them come up again then."""
    due = sa.select(pictures.c.key).where(pictures.c.state == WAITING, pictures.c.due_at <= now)
    due = due.order_by(pictures.c.due_at).limit(limit).with_for_update(skip_locked=True)
    claim = sa.update(pictures).where(pictures.c.key.in_(due.scalar_subquery()))
    claim = claim.values(due_at=lease, tries=pictures.c.tries + 1)
    rows = await conn.execute(claim.returning(pictures.c.key, pictures.c.spec, pictures.c.tries))
    return [Waiting(row.key, row.spec, row.tries) for row in rows]


async def ready(conn: AsyncConnection, key: str) -> None:
    await conn.execute(
        sa.update(pictures).where(pictures.c.key == key).values(state=PictureState.READY, spec="")
    )


async def retry_at(conn: AsyncConnection, key: str, due: int) -> None:
    await conn.execute(sa.update(pictures).where(pictures.c.key == key).values(due_at=due))


async def forget(conn: AsyncConnection, keys: Sequence[str]) -> None:
    """They are nowhere any more: who asks again has them drawn again."""
    await conn.execute(sa.delete(pictures).where(pictures.c.key.in_(keys)))


async def old(conn: AsyncConnection, before: int, limit: int) -> list[str]:
    """Drawn, and promised to nobody since then."""
    query = sa.select(pictures.c.key).where(
        pictures.c.asked_at < before, pictures.c.state == PictureState.READY
    )
    return list((await conn.execute(query.order_by(pictures.c.asked_at).limit(limit))).scalars())


async def next_due(conn: AsyncConnection) -> int | None:
    query = sa.select(sa.func.min(pictures.c.due_at)).where(pictures.c.state == WAITING)
    due: int | None = (await conn.execute(query)).scalar()
    return due


async def release(conn: AsyncConnection, now: int) -> None:
    """Whoever drew these is gone: they are due now."""
    await conn.execute(sa.update(pictures).where(pictures.c.state == WAITING).values(due_at=now))
