"""The fixtures themselves: each test gets an empty database, and nothing outlives the tests."""

import socket
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.database import Database
from storage.tables import counters
from tests.postgres import Server, create_database, drop_database, find_programs


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_starts_empty(database: Database, turn: int) -> None:
    async with database.read() as conn:
        before = (await conn.execute(sa.select(sa.func.count()).select_from(counters))).scalar_one()
    await database.write(lambda conn: conn.execute(sa.insert(counters).values(name="n", value=turn)))
    async with database.read() as conn:
        row = (await conn.execute(sa.select(counters))).one()
    assert (before, tuple(row)) == (0, ("n", turn))


async def test_a_database_is_named_and_dropped(postgres_server: Server) -> None:
    url = await create_database(postgres_server.url, "by_hand")
    assert sa.make_url(url).database == "by_hand"
    await drop_database(postgres_server.url, "by_hand")
    again = await create_database(postgres_server.url, "by_hand")
    await drop_database(postgres_server.url, "by_hand")
    assert again == url


def test_the_server_is_gone_after_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)
    server = Server()
    server.start()
    folder = Path(str(sa.make_url(server.url).query["host"]))
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(10)
        caller.connect(str(folder / ".s.PGSQL.5432"))
        server.stop()
        # The end of the line, not silence: nobody is left to answer.
        assert caller.recv(1) == b""
    assert not folder.exists()


def test_a_given_server_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", "postgresql://me:secret@db.example/tests")
    server = Server()
    server.start()
    server.stop()
    assert server.url == "postgresql+asyncpg://me:secret@db.example/tests"


def test_the_programs_found_run() -> None:
    said = subprocess.run(
        [find_programs() / "initdb", "--version"], capture_output=True, text=True, check=True
    )
    assert "PostgreSQL" in said.stdout
