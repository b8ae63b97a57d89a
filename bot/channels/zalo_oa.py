"""Zalo's Official Account: its events in, one message of its OpenAPI out; tokens, files, windows.

https://docs.zaloplatforms.com/docs/OA
"""

import asyncio
import contextlib
import re
import time
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from bot.channels import zalo_oa_read
from bot.channels.base import (
    Abilities,
    FileTrouble,
    Headers,
    Links,
    Malformed,
    Outcome,
    Pace,
    Parsed,
    Received,
    Refused,
    Unauthorized,
)
from bot.channels.choices import Words, written
from bot.channels.media import Media
from bot.channels.payloads import identity
from bot.channels.zalo_http import Answer, ApiError, Ok, OpenApi
from bot.channels.zalo_oa_groups import GroupList
from bot.channels.zalo_oa_history import History, Store, Watch
from bot.channels.zalo_oa_names import Acquaintance
from bot.channels.zalo_oa_outcomes import MONEY, UPLOAD_EXPIRED, Outcomes
from bot.channels.zalo_oa_pictures import IMAGE_LARGEST, Pictures
from bot.channels.zalo_oa_read import NAME, PREFIX
from bot.channels.zalo_oauth import NoToken
from bot.core.events import Address, Entered, FileRef, Left, Withdrawn
from bot.core.message import Message
from bot.core.split import clipped
from bot.core.window import Way, Window
from storage import inbox, outbox
from storage.database import Database

SIGNATURE = "X-ZEvent-Signature"
TEXT_LONGEST = 2000
BUTTONS_MOST = 5
TITLE_LONGEST = 20
HOUR_MS = 3600 * 1000
FREE_MS, HARD_MS = 48 * HOUR_MS, 7 * 24 * HOUR_MS
# 4,000 calls a minute for the app, uploads included; nothing is told of a single chat.
PACE = Pace(overall=65.0, chat=5.0, burst=10, group_minute=600.0)

CS, GROUP, TEMPLATE, ABOUT = (
    "/v3.0/oa/message/cs",
    "/v3.0/oa/group/message",
    "/v3.0/oa/message/template",
    "/v2.0/oa/getoa",
)
# Which approved text may stand for which message, when the window is closed.
KINDS: Mapping[str, str] = {
    "resident/receipt": "received",
    "resident/taken": "received",
    "resident/resolved": "resolved",
    "resident/rejected": "resolved",
    "duty/alert": "alert",
    "duty/urgent": "alert",
    "duty/reminder": "reminder",
    "office/overdue": "reminder",
}
NOTE_LONGEST = 100
# A shape that is not taken, or not in this package: words alone may pass.
BAD_BUTTONS = frozenset({-201, -224, -233})
# Plus, then "place", then "send": Zalo lets nobody ask for a place by a button.
PLACE_PICTURE = "vi-tri.jpg"

_CODE = re.compile(r"[A-Z]{2,4}-\d\d-\d{5}")
_MENTION = re.compile(r"\[@[^\]]*\]")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Labels:
    """The channel's own words, rendered: choices, the map's button or its link, where to hear a voice."""

    choices: Words
    map_button: str
    map_link: Words
    listen: Words


class ZaloOa:
    """`templates`: kind of message → approved template; `clock` gives ms."""

    name = NAME
    forged = 401
    tried = True
    pace = PACE

    def __init__(
        self,
        *,
        api: OpenApi,
        db: Database,
        media: Media,
        app_id: str,
        secret_key: str,
        labels: Labels,
        links: Links,
        clock: Callable[[], int],
        daily: int = 0,
        templates: Mapping[str, str] = {},
        wall: Callable[[], float] = time.time,
        rest: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if not secret_key:
            raise ValueError("a webhook without the OA's secret key would believe anybody")
        self._api, self._db, self._media = api, db, media
        self._app_id, self._secret = app_id, secret_key
        self._labels, self._links, self._clock, self._rest = labels, links, clock, rest
        self._templates = templates
        ready = frozenset(name for name, kind in KINDS.items() if kind in templates)
        self.abilities = Abilities(
            text_max=TEXT_LONGEST,
            numbered=True,
            rooms_act=False,
            window=Window(FREE_MS, HARD_MS, daily, ready),
            place_picture=PLACE_PICTURE,
        )
        self._outcomes = Outcomes(wall)
        self._pictures = Pictures(api, db, clock)
        self.people = Acquaintance(api)
        self._groups = GroupList(api, db, clock)
        self._buttons = True
        # Which account we are; until it was told, all are heard.
        self._ours = ""
        self._heard_at = clock()
        self._greeting: asyncio.Task[None] | None = None

    # --- what arrives

    def verify(self, headers: Headers, body: bytes) -> bool:
        told = headers.getall(SIGNATURE, ())
        return len(told) == 1 and zalo_oa_read.verify(body, told[0], self._app_id, self._secret)

    def receive(self, body: bytes) -> Received:
        return zalo_oa_read.receive(body)

    def arrivals(self, body: bytes) -> list[Received]:
        """Nothing of what belongs to another account of the same app."""
        self._heard_at = self._clock()
        received = zalo_oa_read.receive_all(body, self._ours)
        for one in received[:1]:
            self._meet(one)
        return received

    def _meet(self, received: Received) -> None:
        """Webhooks do not tell what people are called."""
        try:
            parsed = zalo_oa_read.parse(received.raw)
        except Malformed:
            return
        if parsed is None or parsed.address.group or not parsed.account:
            return
        if isinstance(parsed.event, Left | Withdrawn):
            self.people.forget(parsed.account)
        else:
            self.people.meet(parsed.account)

    def parse(self, raw: str) -> Parsed | None:
        parsed = zalo_oa_read.parse(raw, self.people.names)
        if parsed is not None and parsed.address.group and isinstance(parsed.event, Entered | Left):
            self._groups.changed()
        return parsed

    def answer(self, raw: str) -> None:
        """Nothing is said in a webhook's answer."""
        return

    async def download(self, file: FileRef, limit: int) -> bytes:
        if file.size is not None and file.size > limit:
            raise FileTrouble("too_big", final=True)
        return await self._media.fetch(file.id, limit)

    # --- what goes out

    async def send(self, to: Address, message: Message, photo: bytes | None, key: int) -> Outcome:
        """`key` tells a second failure of the same row: Zalo has no idempotency key."""
        try:
            return await self._send(to, message, photo, key)
        except NoToken as error:
            return Unauthorized(error.problem)

    async def _send(self, to: Address, message: Message, photo: bytes | None, key: int) -> Outcome:
        if message.way == Way.TEMPLATE:
            told = self._template(to, message)
            return self._outcomes.of(await self._api.call("POST", TEMPLATE, json=told), key, message.way)
        if to.group:
            # There a bare number is said by people to each other.
            words = {"text": self._text(replace(message, numbered=False))}
            told = {"recipient": {"group_id": to.chat}, "message": words}
            return self._outcomes.of(await self._api.call("POST", GROUP, json=told), key)
        if photo is not None and not message.voice:
            return await self._picture(to, message, photo, key)
        return self._outcomes.of(await self._told(to, message), key, message.way)

    async def _told(self, to: Address, message: Message) -> Answer:
        """Words say the same as the buttons below them: which shape an account may use is written nowhere."""
        buttons = self._choices(to, message)
        if not buttons or not self._buttons:
            return await self._consult(to, {"text": self._in_words(to, message)})
        shown = {"attachment": {"type": "template", "payload": {"buttons": buttons}}}
        answer = await self._consult(to, {"text": self._text(message), **shown})
        if not isinstance(answer, ApiError) or answer.code not in BAD_BUTTONS:
            return answer
        plain = await self._consult(to, {"text": self._in_words(to, message)})
        if isinstance(plain, Ok):
            # It was the buttons, then, not the person or the words.
            self._buttons = False
            log.warning("buttons are refused", action="no_buttons", channel=NAME, code=answer.code)
        return plain

    async def _consult(self, to: Address, message: Mapping[str, Any]) -> Answer:
        told = {"recipient": {"user_id": to.chat}, "message": message}
        return await self._api.call("POST", CS, json=told)

    def _in_words(self, to: Address, message: Message) -> str:
        """Where there is no button, the map is a link to tap."""
        if not message.place_wanted:
            return self._text(message)
        link = self._labels.map_link(link=self._links.place(to))
        return self._text(replace(message, text=f"{message.text}\n{link}"))

    def _text(self, message: Message) -> str:
        """NFC, as lengths are counted; nobody's words may mention people of a group."""
        text = message.text
        if message.voice and message.photo is not None:
            text = f"{text}\n{self._labels.listen(link=self._links.voice(message.photo))}".strip()
        whole = written(replace(message, text=text), self._labels.choices)
        return unicodedata.normalize("NFC", _without_mentions(whole))

    def _choices(self, to: Address, message: Message) -> list[dict[str, Any]]:
        """A press comes back as words: they say by their beginning that they are ours. zalo.md 3.4."""
        buttons: list[dict[str, Any]] = [
            {
                "title": clipped(unicodedata.normalize("NFC", button.label), TITLE_LONGEST),
                "type": "oa.query.hide",
                "payload": f"{PREFIX}{button.action}",
            }
            for button in message.buttons[:BUTTONS_MOST]
        ]
        if message.place_wanted and len(buttons) < BUTTONS_MOST:
            link = {"url": self._links.place(to)}
            buttons.append({"title": self._labels.map_button, "type": "oa.open.url", "payload": link})
        return buttons

    def _template(self, to: Address, message: Message) -> dict[str, Any]:
        """An approved text has two gaps: the report's code, and what there is to say."""
        found = _CODE.search(message.text)
        first = " ".join(message.text.split())
        note = first if len(first) <= NOTE_LONGEST else f"{first[: NOTE_LONGEST - 1]}…"
        data = {"ma": found[0] if found else "", "noi_dung": unicodedata.normalize("NFC", note)}
        return {
            "user_id": to.chat,
            "template_id": self._templates[KINDS[message.name]],
            "template_data": data,
        }

    async def _picture(self, to: Address, message: Message, photo: bytes, key: int) -> Outcome:
        if len(photo) > IMAGE_LARGEST:
            return Refused("rejected", "the picture is too large for Zalo")
        stored = message.photo or ""
        handle = await self._pictures.handle(stored, photo)
        answer = await self._shown(to, message, handle)
        if isinstance(answer, ApiError) and answer.code == UPLOAD_EXPIRED and isinstance(handle, str):
            handle = await self._pictures.handle(stored, photo, expired=handle)
            answer = await self._shown(to, message, handle)
        return self._outcomes.of(answer, key, message.way, picture=True)

    async def _shown(self, to: Address, message: Message, handle: str | Answer) -> Answer:
        if not isinstance(handle, str):
            return handle
        media = {"template_type": "media", "elements": [{"media_type": "image", "attachment_id": handle}]}
        told: dict[str, Any] = {"attachment": {"type": "template", "payload": media}}
        text = self._text(message)
        return await self._consult(to, {"text": text, **told} if text else told)

    # --- what was missed

    async def catch_up(self, store: Store) -> None:
        """For ever: what people wrote while nobody heard it is handed to `store`, as polling would do."""

        async def known_since() -> int | None:
            async with self._db.read() as conn:
                return await inbox.first_at(conn, NAME)

        history = History(self._api, lambda body: zalo_oa_read.receive_all(body, self._ours), self._rest)
        await Watch(history, self._clock, lambda: self._heard_at, known_since).run(store)

    # --- start and stop

    async def trouble(self) -> str:
        """What an operator must see though messages still go; empty when nothing is wrong."""
        if problem := await self._api.trouble():
            return f"token not renewed ({problem})"
        async with self._db.read() as conn:
            closed = await outbox.closed_by(conn, NAME, self._clock() - HOUR_MS)
        unpaid = sorted({str(code) for code in MONEY} & set(closed))
        return f"approved texts refused ({unpaid[0]})" if unpaid else ""

    async def start(self) -> None:
        self._greeting = asyncio.create_task(self._greet())
        self._groups.start()

    async def _greet(self) -> None:
        """What the account is: who looks for why nothing goes out finds it in the log."""
        try:
            answer = await self._api.call("GET", ABOUT)
        except NoToken as error:
            log.error("no token for Zalo", action="zalo_no_token", channel=NAME, code=error.problem)
            return
        if isinstance(answer, Ok) and isinstance(answer.data, dict):
            self._ours = identity(answer.data.get("oaid")) or identity(answer.data.get("oa_id")) or ""
            wanted = ("oa_type", "is_verified", "package_name", "linked_zca", "linked_ZCA")
            told = {name: answer.data[name] for name in wanted if name in answer.data}
            log.info("the official account", action="zalo_oa", channel=NAME, **told)
        else:
            code = answer.code if isinstance(answer, ApiError) else 0
            log.error("Zalo does not say who we are", action="zalo_oa_unknown", channel=NAME, code=code)

    async def stop(self) -> None:
        if self._greeting is not None:
            self._greeting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._greeting
        await self.people.stop()
        await self._groups.stop()
        await self._api.stop()
        await self._media.stop()


def _without_mentions(text: str) -> str:
    """One inside another must not leave a third behind."""
    while (plain := _MENTION.sub("", text)) != text:
        text = plain
    return text
