"""The third loop: APScheduler says when to look; storage says what is due; what is due becomes an event."""

import asyncio
from collections.abc import Callable, Container
from datetime import datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import cleanups, notices
from bot.clock import Clock
from bot.core import when
from bot.core.campaign import of_years
from bot.core.commune import LEAD, Commune
from bot.core.events import (
    Address,
    CampaignDue,
    DraftDue,
    FloodOver,
    MorningDue,
    NoticeDue,
    Overlooked,
    ReportDue,
    TaskDue,
)
from bot.inbox import own_arrival
from storage import campaigns, inbox, outbox, people, reports, sessions, tasks
from storage.database import Database

log = structlog.get_logger()

LOOK_S = 5
# After the clock jumps back an interval job is silent for that long: this look goes by monotonic time.
FALLBACK_LOOK_S = 60.0
AT_ONCE = 500
# An alert that is lost again is looked for again after so long.
AGAIN_MS = 10 * 60 * 1000
# A morning's digest that comes later than this is of no use any more.
LATE_MORNING = timedelta(hours=5)
MONDAY = 0
YEARS_AHEAD = 3
FLOOD_MS = 60_000


class Reminders:
    """Looks for what is due: drafts that lie open, deadlines, the morning's digest, leases that ran out.

    What is found becomes an event with a key that cannot be stored twice; `told` wakes whoever acts on it.
    """

    def __init__(
        self,
        db: Database,
        commune: Commune,
        channels: Container[str],
        clock: Clock,
        told: Callable[[], None],
    ) -> None:
        self._db, self._commune, self._channels = db, commune, channels
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
        looks = (
            self._drafts,
            self._overlooked,
            self._due,
            self._mornings,
            self._floods,
            self._campaigns,
            self._notices,
            self._tasks,
        )
        return sum([await look(conn, now) for look in looks])

    async def _due(self, conn: AsyncConnection, now: int) -> int:
        """Moments that reports waited for; deciding one sets the next."""
        due = await reports.due(conn, now, AT_ONCE)
        address = Address("internal", "deadlines")
        arrivals = [
            own_arrival(address, "", ReportDue(code, step, moment), f"due/{code}/{step}/{moment}", now)
            for code, step, moment in due
        ]
        return await inbox.store(conn, arrivals) if arrivals else 0

    async def _mornings(self, conn: AsyncConnection, now: int) -> int:
        """Once a day, to every unit that has something open; on Mondays to those who lead the commune."""
        here, rules = when.local(now), self._commune.rules
        day = here.date()
        late = here - datetime.combine(day, rules.digest_at, when.ZONE)
        address, first = Address("internal", "mornings"), f"morning/{self._commune.office}/{day}"
        if not timedelta(0) <= late < LATE_MORNING or await inbox.known(conn, first):
            return 0
        units = await reports.desks_with_open(conn)
        units |= {self._commune.office}
        units |= {unit for field in self._commune.fields.values() for unit in field.digest}
        units |= {LEAD} if here.weekday() == MONDAY else set()
        arrivals = [
            own_arrival(address, "", MorningDue(unit, day.isoformat()), f"morning/{unit}/{day}", now)
            for unit in sorted(units)
        ]
        return await inbox.store(conn, arrivals)

    async def _campaigns(self, conn: AsyncConnection, now: int) -> int:
        """Clean-up days are there years ahead; those with a step that is due become an event."""
        year = when.local(now).year
        latest = await campaigns.latest_year(conn)
        if latest < year + YEARS_AHEAD:
            # What was over before the program was first started is not made up for.
            known, today = of_years(max(year, latest + 1), year + YEARS_AHEAD), when.local(now).date()
            await campaigns.seed(conn, [cleanups.row_of(one) for one in known if one.day >= today])
        address = Address("internal", "campaigns")
        arrivals = [
            own_arrival(address, "", CampaignDue(campaign, version), f"clean/{campaign}/{version}", now)
            for campaign, version in await campaigns.due(conn, now, AT_ONCE)
        ]
        return await inbox.store(conn, arrivals) if arrivals else 0

    async def _notices(self, conn: AsyncConnection, now: int) -> int:
        """Notices that are on their way and have got further since the last look, or are through."""
        address = Address("internal", "notices")
        arrivals = [
            own_arrival(address, "", NoticeDue(one.id, one.done), f"{one.key}/{one.done}/{one.finished}", now)
            for one in await notices.running(conn, now)
            if one.done or one.finished
        ]
        return await inbox.store(conn, arrivals) if arrivals else 0

    async def _tasks(self, conn: AsyncConnection, now: int) -> int:
        """Tasks of the office with a step that is due."""
        address = Address("internal", "tasks")
        arrivals = [
            own_arrival(address, "", TaskDue(number, version), f"job/{number}/{version}", now)
            for number, version in await tasks.due(conn, now, AT_ONCE)
        ]
        return await inbox.store(conn, arrivals) if arrivals else 0

    async def _floods(self, conn: AsyncConnection, now: int) -> int:
        """Chats whose alerts have waited a minute: they are told in one digest."""
        arrivals = [
            own_arrival(
                Address(channel, chat, group), "", FloodOver(), f"flood/{channel}:{chat}/{newest}", now
            )
            for channel, chat, group, newest in await outbox.held_chats(conn, now - FLOOD_MS)
            if channel in self._channels
        ]
        return await inbox.store(conn, arrivals) if arrivals else 0

    async def _overlooked(self, conn: AsyncConnection, now: int) -> int:
        """Reports nobody could be told of, when there is somebody now at their desk or at the office."""
        waiting = await reports.unheard(conn, AT_ONCE)
        if not waiting:
            return 0
        office = self._commune.office
        desks = {row.desk for row in waiting} | {office}
        ears = [(unit, channel) for unit, channel, _ in await people.rooms_of(conn, desks)]
        for ear in await people.ears_of(conn, desks, [LEAD] if LEAD in desks else []):
            ears += [(LEAD if ear.role == LEAD else ear.unit, ear.channel), (ear.unit, ear.channel)]
        heard = {unit for unit, channel in ears if channel in self._channels}
        address, slot = Address("internal", "overlooked"), now // AGAIN_MS
        arrivals = [
            own_arrival(address, "", Overlooked(row.code), f"overlooked/{row.code}/{slot}", now)
            for row in waiting
            if row.desk in heard or (row.desk != LEAD and office in heard)
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
