"""Bring a database to this program's schema, one process at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from storage.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"
# Any number that nobody else on the server uses for a lock.
PG_LOCK = 0x616E7068
# Alembic's own table.
_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))


class NewerSchema(Exception):
    """The database was made by a newer version of this program: update the program."""


def revisions() -> list[str]:
    """Every revision, the oldest first: each one's file begins with it."""
    return sorted(path.name.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py"))


async def upgrade(db: Database) -> None:
    """Idempotent. Raises NewerSchema when the database is ahead of this program."""
    if db.sqlite:
        with _file_lock(Path(str(db.url.database) + ".migrating")):
            async with db.engine.begin() as conn:
                await conn.run_sync(_upgrade)
        return
    async with db.engine.begin() as conn:
        await conn.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": PG_LOCK})
        await conn.run_sync(_upgrade)


def _upgrade(connection: sa.Connection) -> None:
    current, known = _current(connection), revisions()
    if current is not None and current not in known:
        raise NewerSchema(current)
    if current != known[-1]:
        _migrate(connection)


def _current(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(sa.select(_VERSION.c.version_num)).scalar()


# Alembic is loaded only when there is something to do: most starts can spare its memory.


def _migrate(connection: sa.Connection) -> None:
    from alembic import command

    command.upgrade(_config(connection), "head")


def _config(connection: sa.Connection | None = None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


async def check(db: Database) -> bool:
    """Whether the database is at this program's schema."""
    async with db.read() as conn:
        return await conn.run_sync(_current) == revisions()[-1]
