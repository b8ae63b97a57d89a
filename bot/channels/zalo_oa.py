"""Zalo's Official Account: its events in, one message of its OpenAPI out; tokens, files, windows.

https://docs.zaloplatforms.com/docs/OA
"""

import asyncio
import contextlib
import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.channels import zalo_oa_read
from bot.channels.base import (
    Abilities,
    Failed,
    FileTrouble,
    Flood,
    Headers,
    Links,
    Outcome,
    Pace,
    Parsed,
    Received,
    Refused,
    Sent,
    Unauthorized,
)
from bot.channels.choices import Words, written
from bot.channels.media import Media
from bot.channels.zalo_http import ApiError, Ok, OpenApi, Upload
from bot.channels.zalo_oa_groups import GroupList
from bot.channels.zalo_oa_read import NAME, PREFIX
from bot.channels.zalo_oauth import NoToken
from bot.channels.zalo_wire import MaybeSent, NotSent
from bot.core.events import Address, Entered, FileRef, Left
from bot.core.message import Message
from bot.core.window import Way, Window
from storage import uploads
from storage.database import Database

SIGNATURE = "X-ZEvent-Signature"
TEXT_LONGEST = 2000
BUTTONS_MOST = 5
TITLE_LONGEST = 20
HOUR_MS = 3600 * 1000
FREE_MS, HARD_MS = 48 * HOUR_MS, 7 * 24 * HOUR_MS
# Uploaded pictures are kept for seven days; a day less, and none dies on the way.
UPLOAD_MS = 6 * 24 * HOUR_MS
IMAGE_LARGEST = 1024 * 1024
# 4,000 calls a minute for the app; nothing is told of a single chat.
PACE = Pace(overall=60.0, chat=5.0, burst=10, group_minute=600.0)

CS, GROUP, TEMPLATE, IMAGE, ABOUT = (
    "/v3.0/oa/message/cs",
    "/v3.0/oa/group/message",
    "/v3.0/oa/message/template",
    "/v2.0/oa/upload/image",
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
# Plus, then "place", then "send": Zalo lets nobody ask for a place by a button.
PLACE_PICTURE = "vi-tri.jpg"

# What Zalo answers, and what becomes of the message. zalo.md 8.
CLOSED = frozenset({-213, -218, -227, -230, -232, -234, -305, -311})
BLOCKED = frozenset({-217, -244})
GROUP_GONE = frozenset({-237, -238, -241, -403})
BAD_BUTTONS = frozenset({-201, -233})
SETUP = frozenset({-204, -205, -209, -211, -212, -219, -221, -223, -224, -235, -240, -242, -248, -320, -321})
FAILED, LIMIT, UPLOAD_EXPIRED = -200, -32, -100
# What is wrong with the account itself is looked at again this often, with one message.
SETUP_REST_S = 900.0

_CODE = re.compile(r"[A-Z]{2,4}-\d\d-\d{5}")
_MENTION = re.compile(r"\[@[^\]]*\]")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Labels:
    """The channel's own words, rendered: choices in the text, the map's button, where to hear a voice."""

    choices: Words
    map_button: str
    listen: Words


class ZaloOa:
    """`templates`: kind of message → approved template; `clock` gives ms."""

    name = NAME
    forged = 401
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
    ) -> None:
        if not secret_key:
            raise ValueError("a webhook without the OA's secret key would believe anybody")
        self._api, self._db, self._media = api, db, media
        self._app_id, self._secret = app_id, secret_key
        self._labels, self._links, self._clock, self._wall = labels, links, clock, wall
        self._templates = templates
        ready = frozenset(name for name, kind in KINDS.items() if kind in templates)
        self.abilities = Abilities(
            text_max=TEXT_LONGEST,
            numbered=True,
            rooms_act=False,
            window=Window(FREE_MS, HARD_MS, daily, ready),
            place_picture=PLACE_PICTURE,
        )
        self.names: dict[str, str] = {}
        self._groups = GroupList(api, db, clock)
        self._buttons = True
        self._failed_once: set[int] = set()
        self._greeting: asyncio.Task[None] | None = None

    # --- what arrives

    def verify(self, headers: Headers, body: bytes) -> bool:
        told = headers.getall(SIGNATURE, ())
        return len(told) == 1 and zalo_oa_read.verify(body, told[0], self._app_id, self._secret)

    def receive(self, body: bytes) -> Received:
        return zalo_oa_read.receive(body)

    def arrivals(self, body: bytes) -> list[Received]:
        return zalo_oa_read.receive_all(body)

    def parse(self, raw: str) -> Parsed | None:
        parsed = zalo_oa_read.parse(raw, self.names)
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
            return await self._posted(TEMPLATE, self._template(to, message), key)
        if to.group:
            told = {"recipient": {"group_id": to.chat}, "message": {"text": self._text(message)}}
            return await self._posted(GROUP, told, key)
        recipient = {"recipient": {"user_id": to.chat}}
        if photo is not None and not message.voice:
            return await self._picture(recipient, message, photo, key)
        text, buttons = self._text(message), self._choices(to, message)
        if not buttons or not self._buttons:
            return await self._posted(CS, recipient | {"message": {"text": text}}, key)
        shown = {"attachment": {"type": "template", "payload": {"buttons": buttons}}}
        answer = await self._api.call("POST", CS, json=recipient | {"message": {"text": text, **shown}})
        if isinstance(answer, ApiError) and answer.code in BAD_BUTTONS:
            # Which shape this account may use is not written anywhere: words say the same.
            self._buttons = False
            log.warning("buttons are refused", action="no_buttons", channel=NAME, code=answer.code)
            return await self._posted(CS, recipient | {"message": {"text": text}}, key)
        return self._outcome(answer, key)

    async def _posted(self, path: str, told: Mapping[str, Any], key: int) -> Outcome:
        return self._outcome(await self._api.call("POST", path, json=told), key)

    def _text(self, message: Message) -> str:
        """NFC, as lengths are counted; nobody's words may mention people of a group."""
        text = message.text
        if message.voice and message.photo is not None:
            text = f"{text}\n{self._labels.listen(link=self._links.voice(message.photo))}".strip()
        plain = _MENTION.sub("", text)
        dressed = written(message, self._labels.choices)
        tail = dressed[len(message.text) :] if message.buttons else ""
        return unicodedata.normalize("NFC", plain + tail)

    def _choices(self, to: Address, message: Message) -> list[dict[str, Any]]:
        """A press comes back as words: they say by their beginning that they are ours. zalo.md 3.4."""
        buttons: list[dict[str, Any]] = [
            {
                "title": unicodedata.normalize("NFC", button.label)[:TITLE_LONGEST],
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

    # --- pictures

    async def _picture(
        self, recipient: Mapping[str, Any], message: Message, photo: bytes, key: int
    ) -> Outcome:
        if len(photo) > IMAGE_LARGEST:
            return Refused("rejected", "the picture is too large for Zalo")
        handle = await self._uploaded(message.photo or "", photo)
        if not isinstance(handle, str):
            return self._outcome(handle, key)
        answer = await self._shown(recipient, message, handle)
        if isinstance(answer, ApiError) and answer.code == UPLOAD_EXPIRED:
            await self._db.write(lambda conn: uploads.forget(conn, NAME, message.photo or ""))
            handle = await self._uploaded(message.photo or "", photo)
            if not isinstance(handle, str):
                return self._outcome(handle, key)
            answer = await self._shown(recipient, message, handle)
        return self._outcome(answer, key)

    async def _shown(self, recipient: Mapping[str, Any], message: Message, handle: str) -> Any:
        media = {"template_type": "media", "elements": [{"media_type": "image", "attachment_id": handle}]}
        told: dict[str, Any] = {"attachment": {"type": "template", "payload": media}}
        text = self._text(message)
        if text:
            told["text"] = text
        return await self._api.call("POST", CS, json={**recipient, "message": told})

    async def _uploaded(self, stored: str, photo: bytes) -> Any:
        """What Zalo calls its copy; an officer's photo goes to many, and is uploaded once."""
        now = self._clock()

        async def known(conn: AsyncConnection) -> str | None:
            return await uploads.find(conn, NAME, stored, now)

        async with self._db.read() as conn:
            handle = await known(conn)
        if handle is not None:
            return handle
        answer = await self._api.call("POST", IMAGE, form=Upload("photo.jpg", photo, "image/jpeg"))
        if not isinstance(answer, Ok):
            return answer
        new = str(answer.data["attachment_id"])
        await self._db.write(lambda conn: uploads.keep(conn, NAME, stored, new, now + UPLOAD_MS))
        return new

    # --- what became of it

    def _outcome(self, answer: Any, key: int) -> Outcome:
        match answer:
            case Ok(data):
                self._failed_once.discard(key)
                message = data.get("message_id") if isinstance(data, dict) else None
                return Sent(None if message is None else str(message))
            case NotSent(problem, seconds):
                return Flood(seconds) if seconds else Failed(problem, delivered_maybe=False)
            case MaybeSent(problem):
                return Failed(problem, delivered_maybe=True)
            case ApiError(code, _):
                return self._refusal(code, key)
        return Failed("nonsense answer", delivered_maybe=True)

    def _refusal(self, code: int, key: int) -> Outcome:
        problem = str(code)
        if code == LIMIT:
            return Flood(61.0 - self._wall() % 60.0)
        if code in CLOSED:
            return Refused("window", problem)
        if code in BLOCKED:
            return Refused("blocked", problem)
        if code in GROUP_GONE:
            return Refused("gone", problem)
        if code in SETUP:
            return Unauthorized(problem, SETUP_REST_S)
        if code == FAILED and key not in self._failed_once:
            self._failed_once.add(key)
            return Failed(problem, delivered_maybe=False)
        self._failed_once.discard(key)
        return Refused("rejected", problem)

    # --- start and stop

    async def trouble(self) -> str:
        """Why the token could not be renewed; empty when nothing is wrong with it."""
        return await self._api.trouble()

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
        await self._groups.stop()
        await self._api.stop()
        await self._media.stop()
