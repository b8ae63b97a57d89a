"""The first loop: stored events, chat by chat: needs → facts → decide → write all, in one transaction."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Flag
from functools import partial, reduce
from operator import or_

import structlog
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import facts, perform
from bot.channels.base import Channel, Malformed, Parsed
from bot.clock import Clock
from bot.core import form
from bot.core import session as talk
from bot.core.effects import (
    Broadcast,
    Effect,
    Erase,
    FileReport,
    FollowLink,
    KeepActivity,
    KeepPhoto,
    Lane,
    MakeInvite,
    MakePairing,
    Picture,
    Say,
    ShowEvidence,
    ShowPhotos,
    StopBroadcast,
)
from bot.core.events import Incoming
from bot.core.message import Button, Message
from bot.core.session import Session
from bot.handlers import Decision, World, decide, needs, read_press
from bot.inbox import parse_own
from bot.messages import Messages
from bot.perform import Done, Spoken
from bot.rows import Drawing, as_buttons, drawing
from storage import inbox, offers, sessions
from storage.database import Conflict, Database
from storage.inbox import INTERNAL, Stored

log = structlog.get_logger()

# Events in one transaction: enough to share a commit, few enough to keep the writer's turn short.
BATCH = 64
TRIES = 3
CONFLICTS = 8
IDLE_LOOK_S = 5.0


class Chore(Flag):
    """What another loop than delivery has to do about a decision."""

    NONE = 0
    FETCH = 1
    SPREAD = 2
    DRAW = 4
    ALL = 7


# What rings within a few milliseconds shares one transaction.
GATHER_S = 0.004
# A full disk or a database that is away is not the event's fault: it waits, and is not counted against it.
SURROUNDINGS = (OperationalError, InterfaceError, InternalError, OSError)


@dataclass(slots=True)
class _Chat:
    """One chat's waiting events, the state they are decided from, and the choices it was offered last."""

    session: Session
    choices: tuple[Button, ...] = ()
    waiting: deque[Incoming] = field(default_factory=deque)
    erased: bool = False


class Conversation:
    """`woken` is called after each commit with what others than who delivers have to do about it.

    `draw_invite` draws the code of an invite.
    """

    def __init__(
        self,
        db: Database,
        world: World,
        messages: Messages,
        channels: Mapping[str, Channel],
        clock: Clock,
        woken: Callable[[Chore], None],
        draw_invite: Callable[[], str] = perform.draw_invite,
    ) -> None:
        self._db, self._world, self._messages = db, world, messages
        self._channels, self._clock, self._woken = channels, clock, woken
        self._draw_invite = draw_invite
        self._abilities = {name: channel.abilities for name, channel in channels.items()}
        self._bell = asyncio.Event()
        self.handled = 0
        self.quarantined = 0

    def wake(self) -> None:
        self._bell.set()

    async def run(self) -> None:
        while True:
            self._bell.clear()
            try:
                while await self.step():
                    pass
            except Exception:
                # The database is away or full: what is stored waits, and is looked at again soon.
                log.exception("conversation rests", action="rest")
                await asyncio.sleep(1)
                continue
            await self._rest()

    async def _rest(self) -> None:
        """Until the bell; a look now and then finds what another process left behind."""
        try:
            async with asyncio.timeout(IDLE_LOOK_S):
                await self._bell.wait()
                await asyncio.sleep(GATHER_S)
        except TimeoutError:
            return

    async def step(self) -> int:
        """Decide one batch; returns how many events are off the table. What breaks it is then tried alone."""
        try:
            count, chores = await self._db.write(self._batch)
        except Exception as error:
            log.warning("a batch failed", action="batch_failed", kind=type(error).__name__)
            count, chores = await self._one_by_one(), Chore.ALL
        if count:
            self.handled += count
            self._woken(chores)
        return count

    async def _batch(self, conn: AsyncConnection) -> tuple[int, Chore]:
        rows = await inbox.waiting(conn, BATCH)
        return await self._decide_rows(conn, rows) if rows else (0, Chore.NONE)

    async def _one_by_one(self) -> int:
        """The batch again, each event in a transaction of its own: only the one at fault is set aside."""
        rows = await self._db.write(lambda conn: inbox.waiting(conn, BATCH))
        blocked: set[str] = set()
        for row in rows:
            if row.chat not in blocked and not await self._alone(row):
                blocked.add(row.chat)
        return len(rows)

    async def _alone(self, row: Stored) -> bool:
        for _ in range(CONFLICTS):
            try:
                await self._db.write(lambda conn: self._decide_one(conn, row))
            except Conflict:
                continue
            except SURROUNDINGS:
                raise
            except Exception as error:
                await self._failed(row, error)
                return False
            return True
        # Always somebody else first: its turn comes again with the next look.
        return False

    async def _decide_one(self, conn: AsyncConnection, row: Stored) -> None:
        waiting = await inbox.one(conn, row)
        if waiting is not None:
            await self._decide_rows(conn, [waiting])

    async def _failed(self, row: Stored, error: Exception) -> None:
        # The kind only: an error's words may repeat what a person wrote.
        problem = type(error).__name__
        log.error("an event failed", action="event_failed", channel=row.channel, row=row.id, kind=problem)
        if row.tries + 1 < TRIES:
            await self._db.write(lambda conn: inbox.tried(conn, row.id, problem))
            return
        self.quarantined += 1
        await self._db.write(lambda conn: inbox.quarantine(conn, row.id, problem))

    async def _decide_rows(self, conn: AsyncConnection, rows: Sequence[Stored]) -> tuple[int, Chore]:
        now = self._clock.now()
        read = [(row, self._read(row)) for row in rows]
        for row, parsed in read:
            if isinstance(parsed, Malformed):
                self.quarantined += 1
                await inbox.quarantine(conn, row.id, f"malformed: {parsed}")
        chats = await self._chats(conn, [(r, p) for r, p in read if isinstance(p, Parsed)])
        chores = Chore.NONE
        while turn := {key: chat for key, chat in chats.items() if chat.waiting}:
            chores |= await self._round(conn, turn, now)
        states = [
            (key, talk.dump(chat.session), chat.session.wake_at)
            for key, chat in chats.items()
            if not chat.erased
        ]
        if states:
            await sessions.save(conn, states)
        done = [row.id for row, parsed in read if not isinstance(parsed, Malformed)]
        if done:
            await inbox.done(conn, done)
        return len(rows), chores

    def _read(self, row: Stored) -> Parsed | Malformed | None:
        try:
            if row.channel == INTERNAL:
                return parse_own(row.raw)
            return self._channels[row.channel].parse(row.raw)
        except Malformed as error:
            return error
        except Exception as error:
            log.error("unreadable event", action="unreadable", row=row.id, kind=type(error).__name__)
            return Malformed(type(error).__name__)

    async def _chats(self, conn: AsyncConnection, read: Sequence[tuple[Stored, Parsed]]) -> dict[str, _Chat]:
        keys = {parsed.address.key for _, parsed in read}
        states, choices = await sessions.load(conn, keys), await offers.load(conn, keys)
        chats: dict[str, _Chat] = {}
        for row, parsed in read:
            key = parsed.address.key
            if key not in chats:
                offered = as_buttons(choices.get(key, "[]"))
                session = form.fitted(talk.load(states.get(key, "{}")), self._world.commune)
                chats[key] = _Chat(session, offered)
            chats[key].waiting.append(_incoming(row, parsed))
        return chats

    async def _round(self, conn: AsyncConnection, turn: Mapping[str, _Chat], now: datetime) -> Chore:
        """The next event of each chat. Two that concern one report do not share a round: one comes first."""
        asked = [read_press(chat.waiting[0], chat.session, chat.choices) for chat in turn.values()]
        need = [needs(i, c.session, self._world) for i, c in zip(asked, turn.values(), strict=True)]
        found = await facts.gather(
            conn, list(zip(asked, need, strict=True)), self._world.commune.office, self._abilities, now
        )
        concerned: set[int] = set()
        decided: list[tuple[_Chat, Incoming, str, Decision]] = []
        for incoming, chat, known in zip(asked, turn.values(), found, strict=True):
            several = (known.report, *known.open_here, *known.unheard, *known.closable)
            reports = {r.id for r in several if r is not None}
            if concerned & reports:
                continue
            concerned |= reports
            chat.waiting.popleft()
            decision = decide(incoming, chat.session, known, self._world)
            decided.append((chat, incoming, known.me.person, decision))
        await self._write(conn, decided, int(now.timestamp() * 1000))
        return reduce(or_, (_chore(effect) for *_, d in decided for effect in d.effects), Chore.NONE)

    async def _write(
        self, conn: AsyncConnection, decided: Sequence[tuple[_Chat, Incoming, str, Decision]], now: int
    ) -> None:
        filing = sum(isinstance(e, FileReport) for *_, d in decided for e in d.effects)
        codes = iter(await perform.draw_codes(conn, self._world.commune.prefix, filing, now))
        told = sum(isinstance(e, KeepActivity) for *_, d in decided for e in d.effects)
        numbers = iter(await perform.draw_numbers(conn, told))
        done: list[Done] = []
        for chat, incoming, person, decision in decided:
            code = next(codes) if any(isinstance(e, FileReport) for e in decision.effects) else None
            activity = next(numbers) if any(isinstance(e, KeepActivity) for e in decision.effects) else None
            one = self._spoken(incoming, person, decision, code, activity)
            chat.session = decision.session if code is None else replace(decision.session, last=code)
            chat.choices = _offered(one, incoming) or chat.choices
            # Of whom nothing is to be kept, not even that there was a talk.
            chat.erased = any(isinstance(effect, Erase) for effect in decision.effects)
            done.append(one)
        flood = self._world.commune.rules.alerts_minute
        await perform.write(conn, done, now, flood, self._abilities)

    def _spoken(
        self, incoming: Incoming, person: str, decision: Decision, code: str | None, activity: int | None
    ) -> Done:
        spoken, captions, told = [], {}, {}
        invited = any(isinstance(effect, MakeInvite | MakePairing) for effect in decision.effects)
        invite = self._draw_invite() if invited else None
        # One alert for fifty officers is rendered once: the same name with the same data object.
        rendered: dict[tuple[str, int], Message] = {}
        asked = decision.session.asks_number(self._clock.ms())
        for effect in decision.effects:
            if isinstance(effect, Say):
                key = (effect.message, id(effect.data))
                if key not in rendered:
                    number = {"code": code or invite or activity} if effect.fresh else {}
                    rendered[key] = self._messages.render(effect.message, {**effect.data, **number})
                # There a bare number means a village, or how many.
                elsewhere = effect.to != incoming.address or not asked
                numbered = effect.lane != Lane.ALERT and elsewhere
                drawn = self._drawing(effect.picture)
                spoken.append(Spoken(effect, replace(rendered[key], numbered=numbered), drawn))
            elif isinstance(effect, ShowPhotos):
                shown = effect.code or code
                data = {**effect.data, "code": shown}
                captions[effect.message, effect.code] = self._messages.render(effect.message, data)
            elif isinstance(effect, ShowEvidence):
                captions[effect.message, effect.purpose] = self._messages.render(effect.message, effect.data)
            elif isinstance(effect, Broadcast):
                render = partial(self._messages.render, effect.message)
                told[effect.key] = {village: render(data) for village, data in effect.data.items()}
        return Done(incoming, person, decision.effects, tuple(spoken), captions, code, invite, told, activity)

    def _drawing(self, picture: Picture | None) -> Drawing | None:
        if picture is None:
            return None
        return drawing(picture, self._messages.render(picture.words, picture.figures).text)


def _chore(effect: Effect) -> Chore:
    match effect:
        case KeepPhoto() | FollowLink():
            return Chore.FETCH
        case Broadcast() | StopBroadcast():
            return Chore.SPREAD
        case Say(picture=Picture()):
            return Chore.DRAW
    return Chore.NONE


def _incoming(row: Stored, parsed: Parsed) -> Incoming:
    at = datetime.fromtimestamp(row.received_at / 1000, UTC)
    return Incoming(row.id, at, parsed.address, parsed.account, parsed.event, parsed.name, parsed.replied)


def _offered(one: Done, incoming: Incoming) -> tuple[Button, ...]:
    """The last list of choices that this event's answer shows in its own chat."""
    lists = [s.message.buttons for s in one.spoken if s.say.to == incoming.address and s.message.buttons]
    return lists[-1] if lists else ()
