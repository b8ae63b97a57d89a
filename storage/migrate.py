"""Bring a database to this program's schema, one process at a time."""

import asyncio
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage.database import Database

FOLDER = Path(__file__).parent / "migrations"
# Any number that nobody else on the server uses for a lock.
PG_LOCK = 0x616E7068


class NewerSchema(Exception):
    """The database was made by a newer version of this program: update the program."""


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    found = ScriptDirectory.from_config(_config()).get_current_head()
    if found is None:
        raise RuntimeError("no migrations")
    return found


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
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise NewerSchema(current)
    if current != head():
        command.upgrade(_config(connection), "head")


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


async def check(db: Database) -> bool:
    """Whether the database is at this program's schema."""
    async with db.read() as conn:
        current = await conn.run_sync(lambda c: MigrationContext.configure(c).get_current_revision())
    return current == await asyncio.to_thread(head)
