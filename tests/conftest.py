"""What many tests share: an open, migrated, empty database of each kind."""

import asyncio
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sa
import structlog

from bot.settings import Settings
from storage.database import Database
from storage.migrate import upgrade
from storage.tables import metadata
from tests.postgres import Server, create_database, drop_database

T = TypeVar("T")

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command run in this process sets what is logged there: the next test must not inherit it."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but those of the test."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy: the migrations run once, not once a test."""
    folder = tmp_path_factory.mktemp("template")
    run(_migrate(sqlite_url(folder)))
    return _sqlite_file(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One server for each pytest process; tests that want their own databases create them on it."""
    server = Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> Iterator[str]:
    """The name of a migrated, empty PostgreSQL database to copy."""
    name = _database_name("template")
    run(_migrate(run(create_database(postgres_server.url, name))))
    yield name
    run(drop_database(postgres_server.url, name))


@pytest.fixture
def sqlite_database_url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copyfile(sqlite_template, _sqlite_file(tmp_path))
    return sqlite_url(tmp_path)


@pytest.fixture
def postgres_database_url(postgres_server: Server, postgres_template: str) -> Iterator[str]:
    name = _database_name("test")
    yield run(create_database(postgres_server.url, name, postgres_template))
    run(drop_database(postgres_server.url, name))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """For tests that open the database themselves: several processes, a restart."""
    url: str = request.getfixturevalue(f"{request.param}_database_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    db = Database(database_url)
    yield db
    await db.close()


@pytest.fixture
async def sqlite_database(sqlite_database_url: str) -> AsyncIterator[Database]:
    """For what does not touch SQL itself: the quick one."""
    db = Database(sqlite_database_url)
    yield db
    await db.close()


@pytest.fixture(scope="session")
def shared_postgres(postgres_server: Server, postgres_template: str) -> Iterator[str]:
    """One for all tests that leave its schema alone: to make one takes longer than a test."""
    name = _database_name("shared")
    yield run(create_database(postgres_server.url, name, postgres_template))
    run(drop_database(postgres_server.url, name))


@pytest.fixture
async def emptied_postgres(shared_postgres: str) -> AsyncIterator[Database]:
    db = Database(shared_postgres)
    async with db.engine.begin() as conn:
        names = ", ".join(metadata.tables)
        await conn.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY"))
    yield db
    await db.close()


@pytest.fixture(params=["sqlite_database", "emptied_postgres"], ids=["sqlite", "postgres"])
def emptied_database(request: pytest.FixtureRequest) -> Database:
    """For tests of the tables, which are many, and leave the schema alone."""
    db: Database = request.getfixturevalue(request.param)
    return db


@pytest.fixture
async def second(database: Database) -> AsyncIterator[Database]:
    """Another process's view of the same database."""
    db = Database(database.url.render_as_string(hide_password=False))
    yield db
    await db.close()


def sqlite_url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{_sqlite_file(folder)}"


def _sqlite_file(folder: Path) -> Path:
    return folder / "anphuxanh.db"


def _database_name(kind: str) -> str:
    # The process id: several pytest processes may share the server of TEST_DATABASE_URL.
    return f"anphuxanh_{kind}_{os.getpid()}_{next(_numbers)}"


async def _migrate(url: str) -> None:
    db = Database(url)
    try:
        await upgrade(db)
    finally:
        await db.close()


def run(work: Coroutine[object, object, T]) -> T:
    """In a thread of its own: the test's event loop may be running already, and is left as it is."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()
