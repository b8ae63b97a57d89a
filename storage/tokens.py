"""Rotating credentials of a platform: one row each, sealed; who renews them holds a short claim."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert
from storage.tables import tokens

# No claim is for longer: one that seems to be was made while the clock was wrong.
LONGEST_CLAIM_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Token:
    """`sealed` is ciphertext, empty while there is no pair; `renews_at` and `ends_at` in ms; `made_at` tells
    one pair from the next; `problem` why it could not be renewed.
    """

    sealed: str
    made_at: int
    renews_at: int
    ends_at: int
    problem: str


async def read(conn: AsyncConnection, name: str) -> Token | None:
    query = sa.select(
        tokens.c.sealed, tokens.c.made_at, tokens.c.renews_at, tokens.c.ends_at, tokens.c.problem
    ).where(tokens.c.name == name)
    row = (await conn.execute(query)).first()
    return None if row is None else Token(*row)


async def begin(conn: AsyncConnection, name: str) -> None:
    """A row without a pair, so that there is something to claim; nothing when there is a row already."""
    empty = {"sealed": "", "made_at": 0, "renews_at": 0, "ends_at": 0, "claimed_until": 0, "problem": ""}
    await conn.execute(insert(conn, tokens).values(name=name, **empty).on_conflict_do_nothing())


async def write(conn: AsyncConnection, name: str, token: Token) -> None:
    """The new pair, before anybody uses it; whatever claim there was is over.

    Somebody may have been frozen between asking for a pair and writing it: an older pair never replaces a
    newer one.
    """
    values = {
        "sealed": token.sealed,
        "made_at": token.made_at,
        "renews_at": token.renews_at,
        "ends_at": token.ends_at,
        "problem": token.problem,
        "claimed_until": 0,
    }
    statement = insert(conn, tokens).values(name=name, **values)
    newer = tokens.c.made_at < token.made_at
    await conn.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values, where=newer))


async def claim(conn: AsyncConnection, name: str, made_at: int, now: int, until: int) -> bool:
    """Whether we may renew the pair that was made at that moment: nobody else does, nobody did."""
    same = sa.and_(tokens.c.name == name, tokens.c.made_at == made_at)
    free = sa.or_(tokens.c.claimed_until <= now, tokens.c.claimed_until > now + LONGEST_CLAIM_MS)
    claimed = await conn.execute(sa.update(tokens).where(same, free).values(claimed_until=until))
    return claimed.rowcount == 1


async def failed(conn: AsyncConnection, name: str, made_at: int, problem: str, rest_until: int) -> None:
    """That pair could not be renewed: nobody tries again before then."""
    values = {"problem": problem, "claimed_until": rest_until}
    same = sa.and_(tokens.c.name == name, tokens.c.made_at == made_at)
    await conn.execute(sa.update(tokens).where(same).values(**values))
