"""The loop that brings in what a message pointed to: photos, voice messages and short map links."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import voices
from bot.channels.base import Channel, FileTrouble
from bot.clock import Clock
from bot.core.commune import Point
from bot.core.effects import VOICE
from bot.core.events import Address, FileRef, LinkReady, PhotoReady
from bot.inbox import own_arrival
from bot.photos import Clean, PhotoTrouble
from bot.voices import VoiceTrouble
from storage import inbox, photos
from storage.database import Database
from storage.files import Files
from storage.photos import Waiting
from storage.tables import PhotoState

log = structlog.get_logger()

SIZE_MAX = 20 * 1024 * 1024
# Each may hold a file of SIZE_MAX in memory.
AT_ONCE = 8
LEASE_MS = 120_000
BACKOFF_FIRST_MS, BACKOFF_MAX_MS = 5_000, 10 * 60 * 1000
# The platform may be away for a day; a file that is gone says so at once.
GIVE_UP_MS = 24 * 3600 * 1000
IDLE_LOOK_S = 10.0


class Cleaner(Protocol):
    """What makes a clean picture of bytes, or raises PhotoTrouble."""

    async def clean(self, data: bytes) -> Clean: ...

    async def stop(self) -> None: ...


Follow = Callable[[str], Awaitable[Point | None]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is worth storing: the bytes, their file's ending, and what a photo told about itself."""

    ending: str
    data: bytes
    told: dict[str, Any] = field(default_factory=dict)


class Fetching:
    """`told` is called when a photo or a link became an event of our own."""

    def __init__(
        self,
        db: Database,
        channels: Mapping[str, Channel],
        files: Files,
        studio: Cleaner,
        follow: Follow,
        clock: Clock,
        told: Callable[[], None],
    ) -> None:
        self._db, self._channels, self._files, self._studio = db, channels, files, studio
        self._follow, self._clock, self._told = follow, clock, told
        self._bell = asyncio.Event()
        self._jobs: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        self._bell.set()

    async def run(self) -> None:
        """A file that drips holds up none behind it: as soon as one is done, the next is begun."""
        try:
            while True:
                self._bell.clear()
                try:
                    await self._begin()
                    wait = await self._next_look()
                except Exception:
                    log.exception("fetching rests", action="rest")
                    wait = 1.0
                try:
                    async with asyncio.timeout(wait):
                        await self._bell.wait()
                except TimeoutError:
                    continue
        finally:
            for job in self._jobs:
                job.cancel()
            await asyncio.gather(*self._jobs, return_exceptions=True)

    async def step(self) -> int:
        """Fetch what waits, to its end; returns how many were begun."""
        begun = await self._begin()
        await asyncio.gather(*self._jobs)
        return begun

    async def _begin(self) -> int:
        """Begin as many as may run at once; returns how many."""
        now, room = self._clock.ms(), AT_ONCE - len(self._jobs)
        if room <= 0:
            return 0
        async with self._db.read() as conn:
            due = await photos.next_due(conn)
        if due is None or due > now:
            await self._erase()
            return 0
        lease = now + LEASE_MS

        async def claim(conn: AsyncConnection) -> tuple[list[Waiting], list[Any]]:
            found = await photos.waiting(conn, now, lease, room)
            left = room - len(found)
            return found, await photos.links_waiting(conn, now, lease, left) if left else []

        waiting, links = await self._db.write(claim)
        await self._erase()
        jobs = [*map(self._photo, waiting), *map(self._link, links)]
        for job in jobs:
            task = asyncio.create_task(self._guarded(job))
            self._jobs.add(task)
            task.add_done_callback(self._ended)
        return len(jobs)

    async def _guarded(self, job: Awaitable[None]) -> None:
        try:
            await job
        except Exception:
            # Whatever it was comes up again when its lease is over.
            log.exception("fetching rests", action="rest")

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._jobs.discard(task)
        self.wake()

    async def _erase(self) -> None:
        """Files of people who were erased; the rows go last, so that none is forgotten."""
        async with self._db.read() as conn:
            found = await photos.erased(conn, AT_ONCE)
        for _, stored in found:
            if stored is not None:
                await self._files.delete(stored)
        if found:
            await self._db.write(lambda conn: photos.gone(conn, [photo for photo, _ in found]))

    async def _next_look(self) -> float:
        if len(self._jobs) >= AT_ONCE:
            return IDLE_LOOK_S
        async with self._db.read() as conn:
            due = await photos.next_due(conn)
        return IDLE_LOOK_S if due is None else min(IDLE_LOOK_S, max(0.05, (due - self._clock.ms()) / 1000))

    async def _photo(self, photo: Waiting) -> None:
        try:
            kept = await self._fetch(photo)
        except FileTrouble as trouble:
            if not trouble.final and self._clock.ms() - photo.received_at < GIVE_UP_MS:
                wait = min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** min(photo.tries - 1, 12))
                await self._db.write(lambda c: photos.retry_at(c, photo.id, self._clock.ms() + wait))
                return
            await self._finish(photo, PhotoReady(photo.id, trouble.problem), {"state": PhotoState.BAD})
        except OSError as error:
            # The store or the worker is away, which is not the photo's fault.
            log.error("photo not kept", action="photo_later", row=photo.id, kind=type(error).__name__)
            await self._db.write(lambda c: photos.retry_at(c, photo.id, self._clock.ms() + BACKOFF_FIRST_MS))
        except (PhotoTrouble, VoiceTrouble) as trouble:
            await self._finish(photo, PhotoReady(photo.id, trouble.problem), {"state": PhotoState.BAD})
        else:
            await self._keep(photo, kept)

    async def _fetch(self, photo: Waiting) -> _Kept:
        voice = photo.kind == VOICE
        limit = voices.MAX_BYTES if voice else SIZE_MAX
        if photo.size is not None and photo.size > limit:
            raise FileTrouble("too_big", final=True)
        ref = FileRef(photo.file, photo.size, photo.as_file)
        data = await self._channels[photo.channel].download(ref, limit)
        if voice:
            return _Kept(voices.checked(data), data)
        clean = await self._studio.clean(data)
        told = {"fingerprint": clean.fingerprint, "lat": clean.lat, "lon": clean.lon}
        return _Kept("jpg", clean.jpeg, told)

    async def _keep(self, photo: Waiting, kept: _Kept) -> None:
        stored = f"reports/{photo.id}.{kept.ending}"
        await self._files.put(stored, kept.data)
        values = {"state": PhotoState.READY, "stored": stored} | kept.told
        event = PhotoReady(photo.id, None, kept.told.get("lat"), kept.told.get("lon"))
        await self._finish(photo, event, values)

    async def _finish(self, photo: Waiting, event: PhotoReady, values: dict[str, Any]) -> None:
        """What became of the photo, and the event that says so, in one transaction."""
        address = Address(photo.channel, photo.chat, photo.grouped)
        arrival = own_arrival(address, photo.account, event, f"photo/{photo.id}", self._clock.ms())

        async def work(conn: AsyncConnection) -> None:
            if await photos.finish(conn, photo.id, values | {"problem": event.problem}):
                await inbox.store(conn, [arrival])

        await self._db.write(work)
        self._told()

    async def _link(self, link: Any) -> None:
        point = await self._follow(link.url)
        event = LinkReady(*((point.lat, point.lon) if point is not None else (None, None)))
        address = Address(link.channel, link.chat)
        arrival = own_arrival(address, link.account, event, f"link/{link.id}", self._clock.ms())

        async def work(conn: AsyncConnection) -> None:
            if await photos.followed(conn, link.id):
                await inbox.store(conn, [arrival])

        await self._db.write(work)
        self._told()
