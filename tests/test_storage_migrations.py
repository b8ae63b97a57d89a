"""Migrations, on both databases: what the tables say comes of them; a newer schema is refused."""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage import migrate
from storage.database import Database
from storage.tables import metadata
from storage.tables import reports as reports_table
from tests.conftest import run, sqlite_url
from tests.postgres import Server, create_database, drop_database
from tests.storing import arrival, events, file, report, rows_of, stored, waiting

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def database(emptied_database: Database) -> Database:
    return emptied_database


@pytest.fixture
async def spoilt(database_url: str) -> AsyncIterator[Database]:
    """A database of its own, for what does not leave the schema alone."""
    db = Database(database_url)
    yield db
    await db.close()


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a single table."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path)
        return
    server: Server = request.getfixturevalue("postgres_server")
    name = f"anphuxanh_empty_{os.getpid()}"
    yield run(create_database(server.url, name))
    run(drop_database(server.url, name))


async def test_migrated_is_what_the_tables_say(database: Database) -> None:
    async with database.engine.connect() as conn:
        found = await conn.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
    assert found == []
    assert await migrate.check(database)


async def test_the_partial_indexes_are_partial(spoilt: Database) -> None:
    """Autogenerate does not compare the WHERE of an index: both ways to make them are compared here."""
    async with spoilt.engine.connect() as conn:
        migrated = await conn.run_sync(_indexes)
    async with spoilt.engine.begin() as conn:
        await conn.run_sync(metadata.drop_all)
        await conn.run_sync(metadata.create_all)
    async with spoilt.engine.connect() as conn:
        declared = await conn.run_sync(_indexes)
    assert migrated == declared
    partial = [name for name, (_, where) in declared.items() if where]
    assert len(partial) >= 10


def _indexes(connection: sa.Connection) -> dict[str, tuple[tuple[str | None, ...], str]]:
    found = {}
    inspector = sa.inspect(connection)
    for table in metadata.tables:
        for index in inspector.get_indexes(table):
            where = index.get("dialect_options", {})
            text = where.get("sqlite_where", where.get("postgresql_where", ""))
            found[str(index["name"])] = (tuple(index["column_names"]), "".join(str(text).split()).strip("()"))
    return found


async def test_upgrading_twice_changes_nothing(database: Database) -> None:
    await stored(database, arrival("1"))
    await migrate.upgrade(database)
    await migrate.upgrade(database)
    assert events(await waiting(database)) == ["1"]


async def test_the_grid_is_laid_over_what_is_there(spoilt: Database) -> None:
    rng = random.Random(5)
    points = [(rng.uniform(-90, 90), rng.uniform(-180, 180)) for _ in range(300)]
    points += [(n / 1000, 106 + n / 1000) for n in range(20_900, 21_000)] + [(90, 180), (-90, -180), (0, 0)]
    filed = [report(f"AP-26-{n:05}", lat=lat, lon=lon) for n, (lat, lon) in enumerate(points)]
    await file(spoilt, *filed, report("AP-26-00999"))
    before = await rows_of(spoilt, reports_table)
    async with spoilt.engine.begin() as conn:
        await conn.run_sync(lambda c: command.downgrade(migrate._config(c), "0003"))
    await migrate.upgrade(spoilt)
    assert await rows_of(spoilt, reports_table) == before
    assert [row.cell is None for row in before] == [False] * len(points) + [True]


async def test_a_newer_schema_is_refused(spoilt: Database) -> None:
    """F13: an old program must not touch what a newer one made."""
    async with spoilt.engine.begin() as conn:
        await conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(migrate.NewerSchema):
        await migrate.upgrade(spoilt)
    assert not await migrate.check(spoilt)
    async with spoilt.engine.connect() as conn:
        assert (await conn.exec_driver_sql("SELECT version_num FROM alembic_version")).scalar() == "9999"


UPGRADE = """
import asyncio, sys
from storage import migrate
from storage.database import Database

async def main():
    db = Database(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    await migrate.upgrade(db)
    print(await migrate.check(db))
    await db.close()

asyncio.run(main())
"""


def test_processes_that_upgrade_at_once(empty_url: str) -> None:
    asyncio.run(_upgrade_at_once(empty_url))


async def _upgrade_at_once(url: str) -> None:
    command = (sys.executable, "-c", UPGRADE, url)
    pipe = asyncio.subprocess.PIPE
    started = [
        await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe) for _ in range(3)
    ]
    for process in started:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    said = await asyncio.gather(*(process.communicate(b"go\n") for process in started))
    assert [out for out, _ in said] == [b"True\n"] * 3
    assert [process.returncode for process in started] == [0] * 3


def test_files_begin_with_their_revision() -> None:
    walked = ScriptDirectory.from_config(migrate._config()).walk_revisions()
    assert migrate.revisions() == [script.revision for script in walked][::-1]


LOOKS = """
import asyncio, sys
from storage import migrate
from storage.database import Database

async def main():
    db = Database(sys.argv[1])
    await migrate.upgrade(db)
    await db.close()

asyncio.run(main())
print("alembic" in sys.modules)
"""


def test_a_start_with_nothing_to_migrate_loads_none(sqlite_database: Database, tmp_path: Path) -> None:
    def loaded(url: str) -> str:
        told = subprocess.run([sys.executable, "-c", LOOKS, url], capture_output=True, text=True, check=True)
        return told.stdout.strip()

    assert loaded(sqlite_database.url.render_as_string(hide_password=False)) == "False"
    assert loaded(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}") == "True"
