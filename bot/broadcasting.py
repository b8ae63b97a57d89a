"""The loop that promises one message to thousands, in chunks between which everybody else can write."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.channels.base import Abilities
from bot.clock import Clock
from bot.core.effects import Lane
from bot.core.events import Address
from bot.core.message import Message
from bot.rows import as_buttons, outbox_row, parts
from storage import broadcasts, offers, outbox
from storage.broadcasts import Going, Listener, Text
from storage.database import Database

log = structlog.get_logger()

# So many hold the database for some twenty milliseconds; see bench/broadcast.py.
CHUNK = 500
IDLE_LOOK_S = 5.0


class Broadcasting:
    """Promises what is broadcast, and takes back what was stopped or is late. `told`: there is more to send.

    `abilities` are those of each running channel: people elsewhere cannot be told.
    """

    def __init__(
        self, db: Database, abilities: Mapping[str, Abilities], clock: Clock, told: Callable[[], None]
    ) -> None:
        self._db, self._abilities, self._clock, self._told = db, abilities, clock, told
        self._bell = asyncio.Event()

    def wake(self) -> None:
        self._bell.set()

    async def run(self) -> None:
        while True:
            self._bell.clear()
            wait = IDLE_LOOK_S
            try:
                while await self.step():
                    pass
            except Exception:
                log.exception("broadcasting rests", action="rest")
                wait = 1.0
            try:
                async with asyncio.timeout(wait):
                    await self._bell.wait()
            except TimeoutError:
                continue

    async def step(self) -> int:
        """Take back one chunk or promise one; returns how many rows that were, 0 when nothing is to do."""
        taken = await self._take_back()
        if taken:
            return taken
        async with self._db.read() as conn:
            if not await broadcasts.is_going(conn, self._clock.ms()):
                return 0
        promised = await self._db.write(self._promise)
        self._told()
        return promised

    async def take_back(self) -> None:
        """All that is late: at the start, before anything is sent."""
        while await self._take_back():
            pass

    async def _take_back(self) -> int:
        async with self._db.read() as conn:
            stale = await broadcasts.stale(conn, self._clock.ms())
        for one in stale:
            taken = await self._db.write(partial(broadcasts.take_back, broadcast=one, most=CHUNK))
            if taken:
                return taken
        return 0

    async def _promise(self, conn: AsyncConnection) -> int:
        now = self._clock.ms()
        going = await broadcasts.going(conn, now)
        if going is None:
            return 0
        heard, cursor = await broadcasts.listeners(conn, going.cursor, CHUNK, self._abilities, going.audience)
        told = [one for one in heard if one.village in going.texts or "" in going.texts]
        patterns: dict[tuple[str, str], list[dict[str, Any]]] = {}
        rows: list[dict[str, Any]] = []
        for one in told:
            kind = (one.village, one.channel)
            if kind not in patterns:
                patterns[kind] = self._pattern(going, one, now)
            rows += _addressed(patterns[kind], one)
        if rows:
            await outbox.promise(conn, rows)
            await self._offer(conn, rows)
        await broadcasts.advance(conn, going.id, cursor, len(told))
        # A chunk of people whom nobody can reach is work, too.
        return max(1, len(told))

    def _pattern(self, going: Going, one: Listener, now: int) -> list[dict[str, Any]]:
        """What a village is told on a channel: one row, or several where the text is too long for one."""
        text = going.texts.get(one.village) or going.texts[""]
        row = outbox_row(Address(one.channel, ""), going.message, _message(text), now)
        row |= {"lane": int(Lane.REMINDER), "key": f"broadcast/{going.id}/{one.channel}:"}
        *early, last = parts(row, self._abilities[one.channel])
        marked = [part | {"broadcast": broadcasts.early(going.id)} for part in early]
        return [*marked, last | {"broadcast": going.id}]

    async def _offer(self, conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Where choices are written in the text their words answer, behind those of a talk that goes on."""
        written = {
            f"{row['channel']}:{row['chat']}": row["buttons"]
            for row in rows
            if row["buttons"] != "[]" and self._abilities[row["channel"]].numbered
        }
        if not written:
            return
        before = await offers.load(conn, written.keys())
        await offers.save(conn, {chat: _behind(before.get(chat), own) for chat, own in written.items()})


def _message(text: Text) -> Message:
    # A bare number belongs to the talk that may be going on; a reminder is answered by its words.
    buttons = as_buttons(text.buttons)
    return Message(text.text, buttons, place_wanted=text.wants_place, numbered=False)


def _addressed(pattern: Sequence[Mapping[str, Any]], one: Listener) -> list[dict[str, Any]]:
    """Keyed by the chat, so that nothing doubles; the first parts of a long text by their number, too."""
    last = len(pattern) - 1
    return [
        {**part, "chat": one.chat, "key": f"{pattern[last]['key']}{one.chat}" + (f"/{n}" if n < last else "")}
        for n, part in enumerate(pattern)
    ]


def _behind(before: str | None, own: str) -> str:
    added = json.loads(own)
    labels = {label for label, _ in added}
    kept = [choice for choice in json.loads(before or "[]") if choice[0] not in labels]
    return json.dumps(kept + added, ensure_ascii=False)
