"""One database, SQLite or PostgreSQL: writes that share commits, reads that never wait for them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Insert as PgInsert
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

# Beyond this a commit holds others up longer than it saves.
WRITES_PER_COMMIT = 64
# A platform waits two seconds for its answer: who cannot write by then says so.
BUSY_MS = 1_200
PG_TRIES = 5


class Conflict(Exception):
    """Somebody changed the row in the meantime: decide again."""


class Database:
    """`write` runs work in a transaction and returns after the commit; `read` never blocks a writer.

    Work handed to `write` may run twice (alone, after the shared transaction failed), so it must not
    change anything but the database.
    """

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._writer, self._reader = self._sqlite_engines() if self.sqlite else self._postgres_engine()
        self._queue: asyncio.Queue[tuple[Work[Any], asyncio.Future[Any]]] = asyncio.Queue()
        self._committer: asyncio.Task[None] | None = None

    @classmethod
    def in_folder(cls, folder: Path) -> "Database":
        folder.mkdir(parents=True, exist_ok=True)
        return cls(f"sqlite+aiosqlite:///{folder / 'anphuxanh.db'}")

    def _sqlite_engines(self) -> tuple[AsyncEngine, AsyncEngine]:
        writer = create_async_engine(self.url, poolclass=StaticPool, hide_parameters=True)
        reader = create_async_engine(self.url, pool_size=4, max_overflow=4, hide_parameters=True)
        # FULL: with NORMAL a 200 is answered before anything is on disk.
        pragmas = f"PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA busy_timeout={BUSY_MS};"
        pragmas += "PRAGMA foreign_keys=ON;PRAGMA cache_size=-16384;PRAGMA temp_store=MEMORY;"
        _on_connect(writer, pragmas)
        _on_connect(reader, f"PRAGMA busy_timeout={BUSY_MS};PRAGMA query_only=ON;PRAGMA cache_size=-8192;")
        # The driver's deferred begin fails at once with SQLITE_BUSY_SNAPSHOT, whatever the timeout.
        _on_begin(writer, "BEGIN IMMEDIATE")
        _on_begin(reader, "BEGIN DEFERRED")
        return writer, reader

    def _postgres_engine(self) -> tuple[AsyncEngine, AsyncEngine]:
        # A worker that froze in the middle of a transaction must not hold the others for ever.
        limits = {"lock_timeout": "5s", "idle_in_transaction_session_timeout": "15s"}
        engine = create_async_engine(
            self.url,
            pool_size=8,
            max_overflow=8,
            pool_pre_ping=True,
            # What people wrote must not appear in a log because a statement failed.
            hide_parameters=True,
            connect_args={"server_settings": limits},
        )
        return engine, engine

    @property
    def engine(self) -> AsyncEngine:
        return self._writer

    async def write(self, work: Work[T]) -> T:
        if not self.sqlite:
            return await self._write_postgres(work)
        if self._committer is None:
            self._committer = asyncio.create_task(self._commit_forever())
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((work, done))
        return await done

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        async with self._reader.connect() as conn:
            yield conn

    async def close(self) -> None:
        if self._committer is not None:
            self._committer.cancel()
            await asyncio.gather(self._committer, return_exceptions=True)
            self._committer = None
        while not self._queue.empty():
            self._queue.get_nowait()[1].cancel()
        await self._writer.dispose()
        await self._reader.dispose()

    async def _write_postgres(self, work: Work[T]) -> T:
        for attempt in range(PG_TRIES):
            try:
                async with self._writer.begin() as conn:
                    return await work(conn)
            except DBAPIError as error:
                if attempt + 1 == PG_TRIES or not _worth_another_try(error):
                    raise
        raise AssertionError("unreachable")

    async def _commit_forever(self) -> None:
        while True:
            jobs = [await self._queue.get()]
            while len(jobs) < WRITES_PER_COMMIT and not self._queue.empty():
                jobs.append(self._queue.get_nowait())
            try:
                await self._commit_together(jobs)
            except asyncio.CancelledError:
                for _, done in jobs:
                    done.cancel()
                raise

    async def _commit_together(self, jobs: list[tuple[Work[Any], asyncio.Future[Any]]]) -> None:
        begun = False
        try:
            async with self._writer.begin() as conn:
                begun = True
                results = [await work(conn) for work, _ in jobs]
        except Exception as error:
            if len(jobs) == 1 or not begun:
                # A database that cannot even begin is nobody's own fault, and trying alone only waits longer.
                for _, done in jobs:
                    _fail(done, error)
                return
            # One of them spoilt the shared transaction: nothing was kept, so each tries alone.
            for job in jobs:
                await self._commit_together([job])
            return
        for (_, done), result in zip(jobs, results, strict=True):
            if not done.done():
                done.set_result(result)


def _fail(done: "asyncio.Future[Any]", error: Exception) -> None:
    if not done.done():
        done.set_exception(error)


def _worth_another_try(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    return code in {"40001", "40P01", "55P03"} or (isinstance(error, IntegrityError) and code == "23505")


def _on_connect(engine: AsyncEngine, pragmas: str) -> None:
    @sa.event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in filter(None, pragmas.split(";")):
            cursor.execute(pragma)
        cursor.close()


def _on_begin(engine: AsyncEngine, statement: str) -> None:
    @sa.event.listens_for(engine.sync_engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(statement)


def insert(conn: AsyncConnection, table: sa.Table) -> SqliteInsert | PgInsert:
    """An INSERT that can say ON CONFLICT, in the dialect at hand."""
    return sqlite_insert(table) if conn.dialect.name == "sqlite" else pg_insert(table)
