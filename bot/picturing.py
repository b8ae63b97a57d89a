"""The loop that has promised pictures drawn: then what waits for them goes out, or is let go."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import Clock
from bot.painting import Undrawable
from storage import outbox, pictures
from storage.database import Database
from storage.files import Files
from storage.pictures import Waiting

log = structlog.get_logger()

AT_ONCE = 4
LEASE_MS = 120_000
# A worker that does not start, or a store that is away: somebody's question is not answered by a picture
# of yesterday.
TRIES, AGAIN_MS = 5, 10_000
IDLE_LOOK_S = 10.0
# So long the worker waits for another picture: whoever looks at one looks at the next.
REST_S = 90.0
KEPT_MS = 30 * 24 * 3600 * 1000


class Painter(Protocol):
    """What draws a picture (PNG) as its spec says, or raises Undrawable."""

    async def draw(self, spec: str) -> bytes: ...

    async def stop(self) -> None: ...


class Picturing:
    """`told` is called when something may go out."""

    def __init__(
        self, db: Database, files: Files, painter: Painter, clock: Clock, told: Callable[[], None]
    ) -> None:
        self._db, self._files, self._painter, self._clock, self._told = db, files, painter, clock, told
        self._bell = asyncio.Event()
        # When the worker last drew; None: it was sent away since.
        self._drew: float | None = None
        self.failed = 0

    def wake(self) -> None:
        self._bell.set()

    async def run(self) -> None:
        while True:
            self._bell.clear()
            try:
                while await self.step():
                    pass
                await self.rest()
                wait = await self._next_look()
            except Exception:
                log.exception("drawing rests", action="rest")
                wait = 1.0
            try:
                async with asyncio.timeout(wait):
                    await self._bell.wait()
            except TimeoutError:
                continue

    async def step(self) -> int:
        """Draw what waits, one after the other; returns how many were looked at."""
        now = self._clock.ms()
        claim = partial(pictures.waiting, now=now, lease=now + LEASE_MS, limit=AT_ONCE)
        async with self._db.read() as conn:
            due = await pictures.next_due(conn)
        if due is None or due > now:
            return 0
        waiting = await self._db.write(claim)
        for one in waiting:
            await self._draw(one)
        return len(waiting)

    async def rest(self) -> None:
        """When nothing was drawn for a while the worker goes, and pictures that nobody is shown any more."""
        if self._drew is None or self._clock.monotonic() - self._drew < REST_S:
            return
        self._drew = None
        await self._painter.stop()
        await self._tidy()

    async def _draw(self, one: Waiting) -> None:
        self._drew = self._clock.monotonic()
        try:
            await self._files.put(one.key, await self._painter.draw(one.spec))
        except Undrawable as error:
            await self._let_go(one, str(error))
        except OSError as error:
            await self._later(one, type(error).__name__)
        else:
            await self._db.write(partial(_ready, key=one.key))
            self._told()
        self._drew = self._clock.monotonic()

    async def _later(self, one: Waiting, problem: str) -> None:
        if one.tries >= TRIES:
            await self._let_go(one, problem)
            return
        log.error("picture not drawn yet", action="picture_later", key=one.key, kind=problem)
        await self._db.write(lambda conn: pictures.retry_at(conn, one.key, self._clock.ms() + AGAIN_MS))

    async def _let_go(self, one: Waiting, problem: str) -> None:
        self.failed += 1
        log.error("picture not drawn", action="no_picture", key=one.key, kind=problem)
        await self._db.write(partial(_undrawable, key=one.key, why=f"not drawn: {problem}"))

    async def _tidy(self) -> None:
        """The files first: a row without its file would promise what is not there."""
        async with self._db.read() as conn:
            old = await pictures.old(conn, self._clock.ms() - KEPT_MS, 100)
        if old:
            await self._db.write(lambda conn: pictures.forget(conn, old))
        for key in old:
            await self._files.delete(key)

    async def _next_look(self) -> float:
        async with self._db.read() as conn:
            due = await pictures.next_due(conn)
        return IDLE_LOOK_S if due is None else min(IDLE_LOOK_S, max(0.05, (due - self._clock.ms()) / 1000))


async def _ready(conn: AsyncConnection, key: str) -> None:
    await pictures.ready(conn, key)
    await outbox.drawn(conn, key)


async def _undrawable(conn: AsyncConnection, key: str, why: str) -> None:
    await pictures.forget(conn, [key])
    await outbox.undrawable(conn, key, why)
