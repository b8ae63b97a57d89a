"""The second loop: claim → send → mark; paced as the platform asks, alerts before everything else."""

import asyncio
import json
import random
from collections import deque
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from bot.channels.base import (
    Channel,
    Edits,
    Failed,
    Flood,
    Outcome,
    Pace,
    Refused,
    Relocated,
    Sent,
    Unauthorized,
)
from bot.clock import Clock
from bot.core.effects import Lane
from bot.core.events import Address, CutOff, Moved, Undelivered
from bot.core.message import Button, Message
from bot.core.window import Way
from bot.inbox import own_arrival, tell_self
from bot.ways import ways_of
from storage import outbox, people
from storage.database import Database
from storage.files import Files
from storage.inbox import INTERNAL
from storage.outbox import Row
from storage.tables import OutboxState

log = structlog.get_logger()

IN_FLIGHT = 64
LEASE_MS = 15_000
# Lanes whose messages must not double: marked before they are sent.
ONCE = (int(Lane.REMINDER),)
BACKOFF_FIRST_S, BACKOFF_MAX_S = 1.0, 300.0
# When the platform is back, an alert must not sit out a long pause.
ALERT_BACKOFF_MAX_S = 10.0
PHOTO_TRIES = 20
# So much of the permitted rate may be left over from a moment when we had no turn.
CATCH_UP_S = 0.5
IDLE_LOOK_S = 5.0
TIDY_S = 300.0
# What rings within a few milliseconds shares one look at the database.
GATHER_S = 0.004
# Refused without a code.
UNTOLD = "?"


@dataclass(slots=True)
class Bucket:
    """Tokens that refill at `rate` a second up to `size`."""

    rate: float
    size: float
    tokens: float
    at: float

    def wait(self, now: float) -> float:
        """Seconds until a token is there."""
        self.tokens = min(self.size, self.tokens + max(0.0, now - self.at) * self.rate)
        self.at = now
        return 0.0 if self.tokens >= 1 else (1 - self.tokens) / self.rate

    def take(self) -> None:
        self.tokens -= 1

    def start_over(self, now: float) -> None:
        """What refilled since it was asked last does not count."""
        self.at = now


class Window:
    """At most `most` in any `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = max(1, most), seconds
        self._times: deque[float] = deque()

    def room(self, now: float) -> int:
        while self._times and self._times[0] + self._seconds <= now:
            self._times.popleft()
        return self._most - len(self._times)

    def wait(self, now: float) -> float:
        return 0.0 if self.room(now) > 0 else self._times[0] + self._seconds - now

    def take(self, now: float) -> None:
        self._times.append(now)

    def retake(self, now: float) -> None:
        """The last one counts from now on."""
        if self._times:
            self._times[-1] = now

    def idle(self, now: float) -> bool:
        return self.room(now) == self._most


class Pacing:
    """When the next message may go: overall, to each chat, to each group; and the platform's own "wait"."""

    def __init__(self, pace: Pace, now: float) -> None:
        self._pace = pace
        # What a moment without a turn leaves over is made up for; no second sees more than a tenth too much.
        start, size = max(1.0, pace.overall / 10), max(1.0, pace.overall * CATCH_UP_S)
        self._overall = Bucket(pace.overall, size, start, now)
        self._second = Window(int(pace.overall * 1.1), 1.0)
        self._chats: dict[str, Bucket] = {}
        self._groups: dict[str, Window] = {}
        self.silent_until = 0.0

    def wait(self, chat: str, group: bool, now: float) -> float:
        """Seconds until this chat may be written to."""
        if chat not in self._chats:
            self._chats[chat] = Bucket(self._pace.chat, self._pace.burst, self._pace.burst, now)
        wait = self._chats[chat].wait(now)
        if group:
            minute = self._groups.setdefault(chat, Window(int(self._pace.group_minute), 60.0))
            wait = max(wait, minute.wait(now))
        return wait

    def wait_overall(self, now: float) -> float:
        return max(self._overall.wait(now), self._second.wait(now), self.silent_until - now)

    def allowed(self, now: float) -> int:
        """How many messages may go at once now."""
        return 0 if self.wait_overall(now) > 0 else min(int(self._overall.tokens), self._second.room(now))

    def take(self, chat: str, now: float) -> None:
        self._overall.take()
        self._second.take(now)
        self._chats[chat].take()
        if chat in self._groups:
            self._groups[chat].take(now)

    def answered(self, chat: str, now: float) -> None:
        """The platform counted a message when it came there, at the latest now: its chat rests from now on.

        Counted from when it left, the next one could overtake the rest that the platform sees.
        """
        if chat in self._chats:
            self._chats[chat].start_over(now)
        if chat in self._groups:
            self._groups[chat].retake(now)

    def forget_idle(self, now: float) -> None:
        """Chats that are back at their full burst need no memory."""
        for chat, bucket in list(self._chats.items()):
            minute = self._groups.get(chat)
            if bucket.wait(now) == 0 and bucket.tokens >= bucket.size and (not minute or minute.idle(now)):
                del self._chats[chat]
                self._groups.pop(chat, None)


@dataclass(slots=True)
class _State:
    """One channel's sending: who is being written to, who has to rest until when (monotonic seconds)."""

    pacing: Pacing
    busy: set[str] = field(default_factory=set)
    resting: dict[str, float] = field(default_factory=dict)
    marks: list[dict[str, Any]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    ways: dict[int, Way] = field(default_factory=dict)
    # What the platform said when it last refused us; empty while it does not.
    refused_us: str = ""
    tidy_at: float = 0.0


class Delivery:
    """Sends what one channel owes. `told` is called when there is something new for others to do.

    `others` are the names of all running channels: by one of them a person may be reached whom this cannot.
    """

    def __init__(
        self,
        db: Database,
        channel: Channel,
        files: Files,
        clock: Clock,
        told: Callable[[], None],
        others: Container[str] = (),
    ) -> None:
        self._db, self._channel, self._files, self._clock, self._told = db, channel, files, clock, told
        self._others = others
        self._bell = asyncio.Event()
        self._state = _State(Pacing(channel.pace, clock.monotonic()))
        self.floods = 0
        self.sent = 0

    @property
    def unauthorized(self) -> str:
        """The code with which the platform refuses us; empty while it takes what we send."""
        return self._state.refused_us

    def wake(self) -> None:
        self._bell.set()

    async def run(self) -> None:
        try:
            while True:
                self._bell.clear()
                try:
                    wait = await self.step()
                except Exception:
                    log.exception("delivery rests", action="rest", channel=self._channel.name)
                    wait = 1.0
                await self._rest(wait)
        finally:
            await self.settle()

    async def _rest(self, seconds: float) -> None:
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
                await asyncio.sleep(GATHER_S)
        except TimeoutError:
            return

    async def settle(self) -> None:
        """Wait for what is in the air and write down what became of it."""
        if self._state.tasks:
            await asyncio.gather(*self._state.tasks, return_exceptions=True)
        await self._write_marks()

    async def step(self) -> float:
        """Claim what may go now, start sending it; returns the seconds until there is something to do."""
        state, now = self._state, self._clock.monotonic()
        overall = state.pacing.wait_overall(now)
        # Never more than may go at once: what is marked before it is sent must then be sent.
        room = min(IN_FLIGHT - len(state.tasks), state.pacing.allowed(now))
        if room <= 0:
            await self._write_marks()
            return overall if overall > 0 else IDLE_LOOK_S
        if now >= state.tidy_at:
            state.tidy_at = now + TIDY_S
            state.pacing.forget_idle(now)
        rows = await self._claim(now, room)
        back = [row for row in rows if not self._start(row, now)]
        if back:
            await self._put_back(back)
        if rows and not back:
            return 0.0 if len(rows) == room else min(self._next_wait(now), IDLE_LOOK_S)
        return min(self._next_wait(now), await self._next_due())

    async def _claim(self, now: float, limit: int) -> list[Row]:
        state = self._state
        state.resting = {chat: until for chat, until in state.resting.items() if until > now}
        passed_over = state.busy | state.resting.keys()
        marks, state.marks = state.marks, []
        ms = self._clock.ms()

        async def work(conn: Any) -> tuple[list[Row], Mapping[int, Way]]:
            if marks:
                await outbox.mark(conn, marks)
            rows = await outbox.claim(
                conn,
                self._channel.name,
                ms,
                ms + LEASE_MS,
                limit,
                resting=passed_over,
                once_lanes=ONCE,
            )
            return rows, await ways_of(conn, self._channel, rows, ms)

        try:
            rows, ways = await self._db.write(work)
        except BaseException:
            state.marks = marks + state.marks
            raise
        state.ways.update(ways)
        return rows

    def _start(self, row: Row, now: float) -> bool:
        """Begin sending, unless the chat is being written to already or must rest."""
        state = self._state
        if row.chat in state.busy or row.chat in state.resting:
            return False
        wait = max(state.pacing.wait(row.chat, row.grouped, now), 0.0)
        if wait > 0:
            state.resting[row.chat] = now + wait
            return False
        if state.pacing.wait_overall(now) > 0:
            return False
        state.pacing.take(row.chat, now)
        state.busy.add(row.chat)
        task = asyncio.create_task(self._send(row))
        state.tasks.add(task)
        task.add_done_callback(state.tasks.discard)
        return True

    async def _put_back(self, rows: list[Row]) -> None:
        marks = [{"row": row.id, "to_state": OutboxState.DUE, "untried": 1} for row in rows]
        await self._db.write(lambda conn: outbox.mark(conn, marks))

    def _next_wait(self, now: float) -> float:
        state = self._state
        waits = [until - now for until in state.resting.values()]
        waits.append(state.pacing.wait_overall(now) or IDLE_LOOK_S)
        return max(0.001, min(waits))

    async def _next_due(self) -> float:
        now = self._clock.ms()
        async with self._db.read() as conn:
            due = await outbox.next_due(conn, self._channel.name, now)
        return IDLE_LOOK_S if due is None else (due - now) / 1000

    async def _write_marks(self) -> None:
        marks, self._state.marks = self._state.marks, []
        if not marks:
            return
        try:
            await self._db.write(lambda conn: outbox.mark(conn, marks))
        except BaseException:
            self._state.marks = marks + self._state.marks
            raise

    # One message ---------------------------------------------------------------------------------

    async def _send(self, row: Row) -> None:
        try:
            outcome = await self._call(row)
            await self._settle_one(row, outcome)
        except Exception as error:
            log.error("sending failed", action="send_failed", row=row.id, kind=type(error).__name__)
            await self._settle_one(row, Failed(type(error).__name__, delivered_maybe=True))
        finally:
            self._free(row)
            self.wake()

    def _free(self, row: Row) -> None:
        state, now = self._state, self._clock.monotonic()
        state.busy.discard(row.chat)
        state.pacing.answered(row.chat, now)
        wait = state.pacing.wait(row.chat, row.grouped, now)
        if wait > 0:
            # Known now: the next claim passes this chat over until it may be written to again.
            state.resting[row.chat] = max(state.resting.get(row.chat, 0.0), now + wait)

    async def _call(self, row: Row) -> Outcome:
        buttons = tuple(Button(label, action) for label, action in json.loads(row.buttons))
        way = self._state.ways.pop(row.id, Way.FREE)
        if way == Way.CLOSED:
            return Refused("window")
        if row.edits is not None:
            return await self._change(row, Message(row.text, buttons, name=row.message))
        message = Message(
            row.text,
            buttons,
            row.photo,
            row.wants_place,
            name=row.message,
            numbered=row.numbered,
            way=way,
        )
        try:
            photo = await self._files.get(row.photo) if row.photo is not None else None
        except FileNotFoundError:
            return Refused("rejected", "the file is not in the store")
        except OSError as error:
            return Failed(type(error).__name__, delivered_maybe=False)
        return await self._channel.send(Address(row.channel, row.chat, row.grouped), message, photo, row.id)

    async def _change(self, row: Row, message: Message) -> Outcome:
        """What was sent before reads like this now; what never arrived cannot be changed."""
        async with self._db.read() as conn:
            sent = await outbox.find(conn, row.edits)
        channel = self._channel
        if sent is None or sent.platform_id is None or not isinstance(channel, Edits):
            return Refused("rejected", "nothing to change")
        return await channel.edit(Address(row.channel, row.chat, row.grouped), sent.platform_id, message)

    async def _settle_one(self, row: Row, outcome: Outcome) -> None:
        state = self._state
        match outcome:
            case Sent(message):
                state.refused_us = ""
                self.sent += 1
                self._mark(row, OutboxState.SENT, sent=self._clock.ms(), platform=message)
            case Flood(seconds):
                self.floods += 1
                state.pacing.silent_until = self._clock.monotonic() + seconds
                self._mark(row, OutboxState.DUE, untried=1, why="flood")
                log.warning("platform says wait", action="flood", channel=row.channel, seconds=seconds)
            case Failed(problem, delivered_maybe):
                self._try_later(row, problem, delivered_maybe)
            case Refused("window", problem):
                await self._elsewhere(row, problem)
            case Refused(why, problem):
                self._mark(row, OutboxState.REFUSED, why=f"{why}: {problem}")
                await self._tell_refusal(row, why)
            case Relocated(chat):
                await self._follow(row, chat)
            case Unauthorized(problem, rest):
                state.pacing.silent_until = self._clock.monotonic() + rest
                self._mark(row, OutboxState.DUE, untried=1, why=problem)
                await self._cut_off(problem)

    def _mark(self, row: Row, state: int, **more: Any) -> None:
        self._state.marks.append({"row": row.id, "to_state": state} | more)

    def _try_later(self, row: Row, problem: str, delivered_maybe: bool) -> None:
        """Back off with jitter; a message that must not double stays unknown if it may have arrived."""
        if row.lane in ONCE and delivered_maybe:
            self._mark(row, OutboxState.UNKNOWN, why=problem)
            return
        if row.lane == Lane.PHOTO and row.tries >= PHOTO_TRIES:
            self._mark(row, OutboxState.REFUSED, why=problem)
            return
        # What was promised to the chat later waits behind it (outbox.claim), but for higher lanes.
        longest = BACKOFF_MAX_S if row.lane in (Lane.PHOTO, Lane.REMINDER) else ALERT_BACKOFF_MAX_S
        seconds = min(longest, BACKOFF_FIRST_S * 2 ** min(row.tries - 1, 10))
        seconds *= random.uniform(0.5, 1.0)  # noqa: S311
        self._mark(row, OutboxState.DUE, due=self._clock.ms() + int(seconds * 1000), why=problem)
        log.warning("not sent", action="retry", channel=row.channel, row=row.id, problem=problem)

    async def _tell_refusal(self, row: Row, why: str) -> None:
        log.warning("refused", action="refused", channel=row.channel, row=row.id, why=why)
        if (row.lane in ONCE or row.edits is not None) and why not in ("blocked", "gone"):
            # It is counted in its broadcast: nobody does anything else about it, and there may be thousands.
            return
        address = Address(row.channel, row.chat, row.grouped)
        event = Undelivered(row.id, why)
        key = f"undelivered/{row.id}"
        await tell_self(self._db, [own_arrival(address, "", event, key, self._clock.ms())])
        self._told()

    async def _elsewhere(self, row: Row, problem: str) -> None:
        """The window is closed: the person's other chat gets it, else somebody sees that none did."""

        async def work(conn: Any) -> bool:
            chats = await people.other_chats(conn, row.channel, row.chat)
            for channel, chat in chats:
                if channel in self._others:
                    await outbox.redirect(conn, row.id, channel, chat, self._clock.ms())
                    return True
            return False

        if not row.grouped and await self._db.write(work):
            self._mark(row, OutboxState.SUPERSEDED, why="window: told elsewhere")
            self._told()
            return
        self._mark(row, OutboxState.UNREACHABLE, why=f"{outbox.CLOSED}{problem}")
        await self._tell_refusal(row, "window")

    async def _cut_off(self, problem: str) -> None:
        """The first refusal of us becomes an event: the office hears of it on another channel."""
        log.error("platform refuses us", action="unauthorized", channel=self._channel.name, code=problem)
        first, self._state.refused_us = not self._state.refused_us, problem or UNTOLD
        if not first:
            return
        event = CutOff(self._channel.name, problem)
        key = f"cutoff/{self._channel.name}/{self._clock.ms()}"
        address = Address(INTERNAL, "channels")
        await tell_self(self._db, [own_arrival(address, "", event, key, self._clock.ms())])
        self._told()

    async def _follow(self, row: Row, chat: str) -> None:
        """The group has a new id: everything waiting goes there, this message included."""
        address = Address(row.channel, row.chat, row.grouped)
        self._mark(row, OutboxState.DUE, untried=1, why="moved")
        await self._write_marks()
        # One event a message: also what is promised to the old id after the move finds its way.
        key = f"moved/{row.id}/{chat}"
        await tell_self(self._db, [own_arrival(address, "", Moved(chat), key, self._clock.ms())])
        self._state.resting[row.chat] = self._clock.monotonic() + 1.0
        self._told()
