"""The third loop: APScheduler says when to look; storage says what is due; what is due becomes an event."""

import asyncio
from collections.abc import Callable, Container

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import Clock
from bot.core.events import Address, DraftDue, Overlooked
from bot.inbox import own_arrival
from storage import inbox, outbox, people, reports, sessions
from storage.database import Database

log = structlog.get_logger()

LOOK_S = 5
# After the clock jumps back an interval job is silent for that long: this look goes by monotonic time.
FALLBACK_LOOK_S = 60.0
AT_ONCE = 500
# An alert that is lost again is looked for again after so long.
AGAIN_MS = 10 * 60 * 1000


class Reminders:
    """Looks for drafts that lie open and for leases that ran out. `told` wakes whoever acts on it."""

    def __init__(
        self,
        db: Database,
        office: str,
        channels: Container[str],
        clock: Clock,
        told: Callable[[], None],
    ) -> None:
        self._db, self._office, self._channels = db, office, channels
        self._clock, self._told = clock, told
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._looking = asyncio.Lock()
        self._looked_at = clock.monotonic()

    async def run(self) -> None:
        # Late looks are made, not skipped; many missed ones are one.
        self._scheduler.add_job(
            self.look, "interval", seconds=LOOK_S, misfire_grace_time=None, coalesce=True, max_instances=1
        )
        self._scheduler.start()
        try:
            while True:
                await asyncio.sleep(FALLBACK_LOOK_S)
                if self._clock.monotonic() - self._looked_at >= FALLBACK_LOOK_S:
                    await self.look()
        finally:
            self._scheduler.shutdown(wait=False)

    async def look(self) -> int:
        """Turn what is due into events; returns how many."""
        async with self._looking:
            self._looked_at = self._clock.monotonic()
            try:
                count = await self._db.write(self._promise)
            except Exception:
                log.exception("a look failed", action="look_failed")
                return 0
        self._told()
        return count

    async def _promise(self, conn: AsyncConnection) -> int:
        now = self._clock.ms()
        await outbox.release(conn, now)
        return await self._drafts(conn, now) + await self._overlooked(conn, now)

    async def _overlooked(self, conn: AsyncConnection, now: int) -> int:
        """Reports nobody could be told of, when there is somebody now at their desk or at the office."""
        waiting = await reports.unheard(conn, AT_ONCE)
        if not waiting:
            return 0
        desks = {row.desk for row in waiting} | {self._office}
        ears = [*await people.rooms_of(conn, desks), *await people.ears_of(conn, desks)]
        heard = {unit for unit, channel, _ in ears if channel in self._channels}
        address, slot = Address("internal", "overlooked"), now // AGAIN_MS
        arrivals = [
            own_arrival(address, "", Overlooked(row.code), f"overlooked/{row.code}/{slot}", now)
            for row in waiting
            if heard & {row.desk, self._office}
        ]
        return await inbox.store(conn, arrivals) if arrivals else 0

    async def _drafts(self, conn: AsyncConnection, now: int) -> int:
        due = await sessions.to_wake(conn, now, AT_ONCE)
        if not due:
            return 0
        arrivals = []
        for chat, wake in due:
            channel, _, address = chat.partition(":")
            # Keyed by the moment it was due: the same nudge cannot be promised twice.
            key = f"draft/{chat}/{wake}"
            arrivals.append(own_arrival(Address(channel, address), "", DraftDue(), key, now))
        await inbox.store(conn, arrivals)
        await sessions.sleep(conn, [chat for chat, _ in due])
        return len(arrivals)
