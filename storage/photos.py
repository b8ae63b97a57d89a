"""Photos, voice messages and map links that wait to be fetched, and what became of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert
from storage.tables import PhotoState, links, photos, proofs

# Written into the statement: a bound value would keep the database from using the partial index.
WAITING: sa.ColumnElement[int] = sa.literal_column(str(PhotoState.WAITING))
ERASED: sa.ColumnElement[int] = sa.literal_column(str(PhotoState.ERASED))


@dataclass(frozen=True, slots=True)
class Waiting:
    id: int
    channel: str
    chat: str
    account: str
    grouped: bool
    file: str
    as_file: bool
    size: int | None
    kind: str
    tries: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Photo:
    """`chat` and `account` say who sent it; `report` is None while it belongs to a draft."""

    id: int
    purpose: str
    report: int | None
    state: int
    stored: str | None
    received_at: int


_PHOTO = tuple(photos.c[name] for name in Photo.__dataclass_fields__)


async def keep(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    await conn.execute(sa.insert(photos), [dict(row) for row in rows])


async def erased(conn: AsyncConnection, limit: int) -> list[tuple[int, str | None]]:
    """(id, key in the store) of what is to go."""
    query = sa.select(photos.c.id, photos.c.stored).where(photos.c.state == ERASED).limit(limit)
    return [(row.id, row.stored) for row in await conn.execute(query)]


async def gone(conn: AsyncConnection, ids: Collection[int]) -> None:
    await conn.execute(sa.delete(proofs).where(proofs.c.photo.in_(ids)))
    await conn.execute(sa.delete(photos).where(photos.c.id.in_(ids)))


async def attach(conn: AsyncConnection, ids: Collection[int], report: int, purpose: str = "before") -> None:
    values = {"report": report, "purpose": purpose}
    await conn.execute(sa.update(photos).where(photos.c.id.in_(ids)).values(**values))


async def move_chat(conn: AsyncConnection, channel: str, old: str, new: str) -> None:
    """What is still being fetched for a chat comes back under its new identity."""
    where = sa.and_(photos.c.channel == channel, photos.c.chat == old, photos.c.state == WAITING)
    await conn.execute(sa.update(photos).where(where).values(chat=new))


async def waiting(conn: AsyncConnection, now: int, lease: int, limit: int) -> list[Waiting]:
    """Claim photos to fetch until `lease` (ms): whoever dies with them lets them come up again then."""
    due = sa.select(photos.c.id).where(photos.c.state == WAITING, photos.c.due_at <= now)
    due = due.order_by(photos.c.due_at).limit(limit).with_for_update(skip_locked=True)
    claim = sa.update(photos).where(photos.c.id.in_(due.scalar_subquery()))
    claim = claim.values(due_at=lease, tries=photos.c.tries + 1)
    columns = (
        photos.c.id,
        photos.c.channel,
        photos.c.chat,
        photos.c.account,
        photos.c.grouped,
        photos.c.file,
        photos.c.as_file,
        photos.c.size,
        photos.c.kind,
        photos.c.tries,
        photos.c.received_at,
    )
    return [Waiting(*row) for row in await conn.execute(claim.returning(*columns))]


async def finish(conn: AsyncConnection, photo: int, values: Mapping[str, Any]) -> bool:
    """Record what became of it; False when another worker was faster."""
    where = sa.and_(photos.c.id == photo, photos.c.state == WAITING)
    return (await conn.execute(sa.update(photos).where(where).values(**values))).rowcount == 1


async def retry_at(conn: AsyncConnection, photo: int, due: int) -> None:
    await conn.execute(sa.update(photos).where(photos.c.id == photo).values(due_at=due))


async def release(conn: AsyncConnection, now: int) -> None:
    """Whoever fetched these is gone: they are due now."""
    await conn.execute(sa.update(photos).where(photos.c.state == WAITING).values(due_at=now))
    await conn.execute(sa.update(links).values(due_at=now))


async def next_due(conn: AsyncConnection) -> int | None:
    query = sa.select(sa.func.min(photos.c.due_at)).where(photos.c.state == WAITING)
    found = (await conn.execute(query)).scalar()
    link = (await conn.execute(sa.select(sa.func.min(links.c.due_at)))).scalar()
    return min((due for due in (found, link) if due is not None), default=None)


async def find(conn: AsyncConnection, photo: int) -> Photo | None:
    query = sa.select(*_PHOTO)
    row = (await conn.execute(query.where(photos.c.id == photo))).first()
    return None if row is None else Photo(*row)


async def of_report(conn: AsyncConnection, report: int, purpose: str) -> list[Photo]:
    """All photos of a report with that purpose, in the order they came; what proves it done is seen after."""
    query = sa.select(*_PHOTO).where(photos.c.report == report, photos.c.purpose == purpose)
    found = [Photo(*row) for row in await conn.execute(query.order_by(photos.c.id))]
    if purpose == "after":
        shared = sa.select(*_PHOTO).join(proofs, proofs.c.photo == photos.c.id)
        shared = shared.where(proofs.c.report == report, photos.c.state != ERASED)
        found += [Photo(*row) for row in await conn.execute(shared)]
    return sorted(found, key=lambda photo: photo.id)


async def prove(conn: AsyncConnection, ids: Collection[int], report: int) -> None:
    """These photos of a result are after photos of this report, too."""
    rows = [{"report": report, "photo": photo} for photo in ids]
    await conn.execute(insert(conn, proofs).on_conflict_do_nothing(), rows)


async def of_result(conn: AsyncConnection, purposes: Collection[str]) -> list[Photo]:
    """The photos of a result, clean or still expected, in the order they came."""
    usable = photos.c.state.in_((PhotoState.WAITING, PhotoState.READY))
    query = sa.select(*_PHOTO).where(photos.c.report.is_(None), photos.c.purpose.in_(purposes), usable)
    return [Photo(*row) for row in await conn.execute(query.order_by(photos.c.id))]


_COUNTS = (
    sa.select(photos.c.report, photos.c.purpose, sa.func.count())
    .where(photos.c.report.in_(sa.bindparam("reports", expanding=True)), photos.c.state != PhotoState.BAD)
    .group_by(photos.c.report, photos.c.purpose)
)


async def counts_of(conn: AsyncConnection, reports: Collection[int]) -> dict[tuple[int, str], int]:
    """How many usable or still expected files a report has, by report and purpose; none: not in it."""
    rows = await conn.execute(_COUNTS, {"reports": list(reports)})
    return {(row[0], row[1]): row[2] for row in rows}


async def prints_of(conn: AsyncConnection, ids: Collection[int]) -> list[str]:
    """The fingerprints of these photos, as far as they are clean."""
    query = sa.select(photos.c.fingerprint).where(photos.c.id.in_(ids), photos.c.fingerprint.is_not(None))
    return [row.fingerprint for row in await conn.execute(query)]


async def prints_of_reports(conn: AsyncConnection, ids: Collection[int]) -> dict[int, list[str]]:
    """The fingerprints of the photos that reporters gave, by report."""
    query = sa.select(photos.c.report, photos.c.fingerprint).where(
        photos.c.report.in_(ids), photos.c.purpose == "before", photos.c.fingerprint.is_not(None)
    )
    found: dict[int, list[str]] = {}
    for row in await conn.execute(query):
        found.setdefault(row.report, []).append(row.fingerprint)
    return found


async def follow(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    await conn.execute(sa.insert(links), [dict(row) for row in rows])


async def links_waiting(conn: AsyncConnection, now: int, lease: int, limit: int) -> list[sa.Row[Any]]:
    """Claim map links to follow until `lease` (ms)."""
    due = sa.select(links.c.id).where(links.c.due_at <= now).order_by(links.c.due_at).limit(limit)
    claim = sa.update(links).where(links.c.id.in_(due.with_for_update(skip_locked=True).scalar_subquery()))
    return list(await conn.execute(claim.values(due_at=lease).returning(links)))


async def followed(conn: AsyncConnection, link: int) -> bool:
    return (await conn.execute(sa.delete(links).where(links.c.id == link))).rowcount == 1
