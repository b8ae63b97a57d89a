"""What people wrote to a Zalo Official Account while nobody heard it: read back, and told as if it came now.

https://docs.zaloplatforms.com/docs/OA (conversation, listrecentchat): pages of ten lines, the newest first.
Each line becomes the event that the webhook would have brought, with the same id: what is stored, stays once.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import structlog

from bot.channels.base import Malformed, Received
from bot.channels.payloads import identity
from bot.channels.zalo_http import ApiError, Ok, OpenApi
from bot.channels.zalo_oa_read import NAME
from bot.channels.zalo_oauth import NoToken
from bot.channels.zalo_wire import whole
from bot.core import when

RECENT, TALK = "/v2.0/oa/listrecentchat", "/v2.0/oa/conversation"
PAGE = 10
# The bounds of one round: two hundred people, a hundred lines each, four questions a second.
RECENT_PAGES, TALK_PAGES = 20, 10
PAUSE_S = 0.25
HOUR_MS = 3600 * 1000
# Zalo gives up on a webhook after two hours, and somebody has to switch it on again in its console.
BACK_MS = 3 * 24 * HOUR_MS
SILENT_MS = 2 * HOUR_MS
LOOK_S = 600.0
DAY_BEGINS, DAY_ENDS = 7, 21

# The kinds of a line, as the webhook calls them; of others, the words are told.
KINDS: Mapping[str, str] = {
    "photo": "image",
    "image": "image",
    "gif": "gif",
    "voice": "audio",
    "audio": "audio",
    "video": "video",
    "link": "link",
    "links": "link",
    "sticker": "sticker",
    "file": "file",
    "location": "location",
}

Line = Mapping[str, Any]
Store = Callable[[list[Received], list[bytes]], Awaitable[None]]
Read = Callable[[bytes], list[Received]]

log = structlog.get_logger()


class NotTold(Exception):
    """Zalo does not tell now: the next look tries again."""


# --- a line of a talk as the webhook's event


def retold(lines: Sequence[Line]) -> bytes | None:
    """One message, which is a line for each of its files; None for what the account itself wrote."""
    first = lines[0]
    if whole(first.get("src")) != 1:
        return None
    attachments = _unique([found for line in lines if (found := _attachment(line)) is not None])
    kind = attachments[0]["type"] if attachments else "text"
    message: dict[str, Any] = {"msg_id": first.get("message_id")}
    words = next((line["message"] for line in lines if isinstance(line.get("message"), str)), "")
    if words:
        message["text"] = words
    if attachments:
        message["attachments"] = attachments
    event = {
        "event_name": f"user_send_{kind}",
        "sender": {"id": first.get("from_id")},
        "recipient": {"id": first.get("to_id")},
        "message": message,
        "timestamp": str(first.get("time")),
    }
    return json.dumps(event, ensure_ascii=False).encode()


def _unique(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """While pages are read something new moves the lines on, and one is read twice."""
    return [one for at, one in enumerate(found) if one not in found[:at]]


def _attachment(line: Line) -> dict[str, Any] | None:
    kind = KINDS.get(str(line.get("type")).lower())
    if kind is None:
        return None
    payload: dict[str, Any] = {
        name: line[name] for name in ("url", "description", "name", "size") if line.get(name)
    }
    if kind == "location":
        payload["coordinates"] = _place(line.get("location"))
    elif kind == "link" and isinstance(line.get("links"), list) and line["links"]:
        payload |= line["links"][0] if isinstance(line["links"][0], dict) else {}
    return {"type": kind, "payload": payload}


def _place(told: Any) -> Any:
    """Only a text is shown in the sheet: a place as an object or as JSON in a string."""
    if not isinstance(told, str):
        return told
    try:
        return json.loads(told)
    except ValueError:
        return None


# --- reading back


@dataclass(frozen=True, slots=True)
class History:
    """`read` is the webhook's own reader; `rest` waits for seconds."""

    api: OpenApi
    read: Read
    rest: Callable[[float], Awaitable[object]] = asyncio.sleep

    async def since(self, moment: int, store: Store) -> int:
        """Hand over what people wrote after that moment (ms), each talk in its order; how many events.

        Raises NotTold.
        """
        count = 0
        async for user in self._writers(moment):
            received, malformed = self._events(await self._talk(user, moment))
            if received or malformed:
                await store(received, malformed)
            count += len(received)
        return count

    async def _writers(self, moment: int) -> AsyncIterator[str]:
        told: set[str] = set()
        async for line in self._lines(RECENT, {}, RECENT_PAGES, moment):
            user = identity(line.get("from_id" if whole(line.get("src")) == 1 else "to_id"))
            if user is not None and user not in told:
                told.add(user)
                yield user

    async def _talk(self, user: str, moment: int) -> list[Line]:
        """Oldest first."""
        return [line async for line in self._lines(TALK, {"user_id": user}, TALK_PAGES, moment)][::-1]

    async def _lines(
        self, path: str, about: Mapping[str, str], most: int, moment: int
    ) -> AsyncIterator[Line]:
        """Newest first, back to that moment."""
        for page in range(most):
            lines = await self._page(path, {**about, "offset": page * PAGE, "count": PAGE})
            for line in lines:
                if (whole(line.get("time")) or 0) < moment:
                    return
                yield line
            if len(lines) < PAGE:
                return

    async def _page(self, path: str, asked: Mapping[str, Any]) -> list[Line]:
        await self.rest(PAUSE_S)
        try:
            answer = await self.api.call("GET", path, data=asked)
        except NoToken as error:
            raise NotTold(error.problem) from None
        if not isinstance(answer, Ok) or not isinstance(answer.data, list):
            raise NotTold(str(answer.code) if isinstance(answer, ApiError) else "nonsense answer")
        return [line for line in answer.data if isinstance(line, Mapping)]

    def _events(self, lines: Sequence[Line]) -> tuple[list[Received], list[bytes]]:
        received: list[Received] = []
        malformed: list[bytes] = []
        for _, same in groupby(lines, lambda line: (line.get("message_id"), line.get("time"))):
            body = retold(list(same))
            if body is None:
                continue
            try:
                received += self.read(body)
            except Malformed:
                malformed.append(body)
        return received, malformed


@dataclass(frozen=True, slots=True)
class Watch:
    """When to read back: at the start, and when the webhook brought nothing for two hours of the day.

    `clock` gives ms; `heard_at` when the webhook last brought something; `known_since` when the first event
    of all was stored, None when none ever was: what was said before we came is not ours to answer.
    """

    history: History
    clock: Callable[[], int]
    heard_at: Callable[[], int]
    known_since: Callable[[], Awaitable[int | None]]

    async def run(self, store: Store) -> None:
        """For ever."""
        done_at: int | None = None
        while True:
            if self._wanted(done_at):
                with contextlib.suppress(NotTold):
                    now = self.clock()
                    await self._look(now, store)
                    done_at = now
            await self.history.rest(LOOK_S)

    def _wanted(self, done_at: int | None) -> bool:
        if done_at is None:
            return True
        now = self.clock()
        day = DAY_BEGINS <= when.local(now).hour < DAY_ENDS
        return day and now - max(done_at, self.heard_at()) >= SILENT_MS

    async def _look(self, now: int, store: Store) -> None:
        try:
            first = await self.known_since()
            if first is None:
                return
            count = await self.history.since(max(first, now - BACK_MS), store)
        except NotTold as error:
            log.warning("no history from Zalo", action="no_history", channel=NAME, code=str(error))
            raise
        except Exception as error:
            log.error("could not read back", action="no_history", channel=NAME, kind=type(error).__name__)
            raise NotTold(type(error).__name__) from None
        log.info("read back what was said", action="history", channel=NAME, count=count)
