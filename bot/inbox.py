"""What arrived is stored before it is acknowledged; many arrivals at once share one commit."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from bot.channels.base import Malformed, Parsed, Received
from bot.clock import Clock
from bot.core.events import (
    Address,
    CampaignDue,
    CutOff,
    DraftDue,
    FloodOver,
    LinkReady,
    MorningDue,
    Moved,
    NoticeDue,
    Overlooked,
    PhotoReady,
    ReportDue,
    TaskDue,
    Undelivered,
)
from storage import inbox
from storage.database import Database
from storage.inbox import INTERNAL, Arrival

# What the program tells itself comes through the same door, so that it is decided in order and never lost.
_OWN = {
    "photo": PhotoReady,
    "link": LinkReady,
    "undelivered": Undelivered,
    "draft": DraftDue,
    "moved": Moved,
    "overlooked": Overlooked,
    "report": ReportDue,
    "morning": MorningDue,
    "flood": FloodOver,
    "cutoff": CutOff,
    "campaign": CampaignDue,
    "notice": NoticeDue,
    "task": TaskDue,
}
# Of a payload that cannot be read, the beginning is enough to see what it was.
KEPT_BYTES = 64 * 1024
OwnEvent = (
    PhotoReady
    | LinkReady
    | Undelivered
    | DraftDue
    | Moved
    | Overlooked
    | ReportDue
    | MorningDue
    | FloodOver
    | CutOff
    | CampaignDue
    | NoticeDue
    | TaskDue
)


class Inbox:
    """`take` returns once everything given is on disk (or was already there)."""

    def __init__(self, db: Database, clock: Clock, wake: Callable[[], None]) -> None:
        self._db, self._clock, self._wake = db, clock, wake
        self._waiting: list[tuple[Arrival, asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self.received = 0
        self.repeated = 0
        self.malformed = 0

    async def take(self, channel: str, received: Received) -> None:
        await self._store(
            Arrival(channel, received.event, f"{channel}:{received.chat}", received.raw, self._clock.ms())
        )

    async def set_aside_body(self, channel: str, body: bytes, problem: str) -> None:
        """Keep a payload nobody can read, where somebody sees it; the same one twice is kept once."""
        self.malformed += 1
        kept = body[:KEPT_BYTES]
        raw = kept.decode("utf-8", "backslashreplace").replace("\0", "\\0")
        event = f"malformed/{hashlib.sha256(body).hexdigest()}"
        await self._store(Arrival(channel, event, f"{channel}:?", raw, self._clock.ms(), problem))

    async def _store(self, arrival: Arrival) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, done))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        await done

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            arrivals = [arrival for arrival, _ in batch]
            try:
                new = await tell_self(self._db, arrivals)
            except Exception as error:
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
                continue
            self.received += new
            self.repeated += len(batch) - new
            for _, done in batch:
                if not done.done():
                    done.set_result(None)
            self._wake()


def own_arrival(address: Address, account: str, event: OwnEvent, key: str, now: int) -> Arrival:
    """The program's own event as an arrival; `key` makes it unique for ever."""
    kind = next(name for name, cls in _OWN.items() if isinstance(event, cls))
    raw = {"kind": kind, "address": asdict(address), "account": account, "event": asdict(event)}
    return Arrival(INTERNAL, key, address.key, json.dumps(raw), now)


def parse_own(raw: str) -> Parsed:
    """Raises Malformed for anything this program did not write."""
    try:
        found: dict[str, Any] = json.loads(raw)
        event = _OWN[found["kind"]](**found["event"])
        return Parsed(Address(**found["address"]), found["account"], event)
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed("own event") from error


async def tell_self(db: Database, arrivals: Sequence[Arrival]) -> int:
    """Store arrivals in a transaction; returns how many were new."""
    return await db.write(lambda conn: inbox.store(conn, arrivals))
