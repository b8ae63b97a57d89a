"""Zalo's Bot Platform: for pilots and for villages without a paid account; words and pictures, no buttons.

https://docs.zaloplatforms.com/docs/BOT
"""

import asyncio
import contextlib
import json
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import structlog

from bot.channels import zalo_bot_read
from bot.channels.base import (
    Abilities,
    Failed,
    FileTrouble,
    Flood,
    Headers,
    Malformed,
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
from bot.channels.secret_header import carries_secret
from bot.channels.zalo_bot_read import NAME
from bot.channels.zalo_wire import MaybeSent, NotSent, OpenSession, Reply, exchange, open_session, whole
from bot.core.events import Address, FileRef
from bot.core.message import Message

SECRET_HEADER = "X-Bot-Api-Secret-Token"  # noqa: S105
TEXT_LONGEST = 2000
# No numbers are published; an account of one person is no place for speed.
PACE = Pace(overall=10.0, chat=1.0, burst=3, group_minute=20.0)
POLL_SECONDS = 30
POLL_REST_S = 5.0
# An empty answer that did not wait must not become a thousand a second.
EMPTY_REST_S = 0.5
QUOTA_REST_S = 60.0
# zalo.md 9.4; an empty poll ends with the third.
BAD_NAME, UNAUTHORIZED, TIMEOUT, QUOTA = 400, 401, 408, 429
BAD_REQUEST = 404

log = structlog.get_logger()
Store = Callable[[list[Received], list[bytes]], Awaitable[None]]


class ZaloBot:
    """`photo_link` makes an address under which Zalo fetches a stored picture: None where we have none."""

    name = NAME
    forged = 403
    tried = True
    pace = PACE
    abilities = Abilities(text_max=TEXT_LONGEST, numbered=True, rooms_act=False, introduces=True)

    def __init__(
        self,
        *,
        token: str,
        api_url: str,
        media: Media,
        choices: Words,
        secret: str = "",
        webhook_url: str | None = None,
        photo_link: Callable[[str], str] | None = None,
        map_link: Callable[[Address], str] | None = None,
        open_session: OpenSession = open_session,
        rest: Callable[[float], Awaitable[object]] = asyncio.sleep,
        poll_seconds: int = POLL_SECONDS,
    ) -> None:
        if webhook_url is not None and not secret:
            raise ValueError("a webhook without its secret would believe anybody")
        self._methods = f"{api_url}/bot{token}"
        self._media, self._choices = media, choices
        self._photo_link, self._map_link = photo_link, map_link
        self._secret, self._webhook_url = secret, webhook_url
        self._open_session, self._rest, self._poll_seconds = open_session, rest, poll_seconds
        self._session: aiohttp.ClientSession | None = None
        self._greeting: asyncio.Task[None] | None = None

    # --- what arrives

    def verify(self, headers: Headers, body: bytes) -> bool:
        return carries_secret(headers, SECRET_HEADER, self._secret)

    def receive(self, body: bytes) -> Received:
        return zalo_bot_read.receive(body)

    def arrivals(self, body: bytes) -> list[Received]:
        return [self.receive(body)]

    def parse(self, raw: str) -> Parsed | None:
        return zalo_bot_read.parse(raw)

    def answer(self, raw: str) -> None:
        """Nothing is said in a webhook's answer."""
        return

    async def download(self, file: FileRef, limit: int) -> bytes:
        if file.size is not None and file.size > limit:
            raise FileTrouble("too_big", final=True)
        return await self._media.fetch(file.id, limit)

    # --- what goes out

    async def send(self, to: Address, message: Message, photo: bytes | None, key: int) -> Outcome:
        """`key` has no use: the platform cannot tell a repeated message."""
        text = unicodedata.normalize("NFC", written(self._with_map(to, message), self._choices))
        if photo is None:
            return await self._told("sendMessage", {"chat_id": to.chat, "text": text})
        if message.voice or self._photo_link is None or message.photo is None:
            return Refused("rejected", "nothing can be shown there")
        shown = {"chat_id": to.chat, "photo": self._photo_link(message.photo)}
        return await self._told("sendPhoto", shown | ({"caption": text} if text else {}))

    def _with_map(self, to: Address, message: Message) -> Message:
        """Places cannot be sent there, but pointed out on our own page, by a link of whoever is asked."""
        if self._map_link is None or not message.place_wanted or to.group:
            return message
        return replace(message, text=f"{message.text}\n{self._map_link(to)}")

    async def _told(self, method: str, arguments: Mapping[str, Any]) -> Outcome:
        reply = await self._call(method, arguments)
        match reply:
            case NotSent(problem, _):
                return Failed(problem, delivered_maybe=False)
            case MaybeSent(problem):
                return Failed(problem, delivered_maybe=True)
        result = _result(reply)
        if result is not None:
            return Sent(str(result.get("message_id") or "") or None)
        return _refusal(_code(reply))

    async def _call(
        self, method: str, arguments: Mapping[str, Any], wait: float = 0.0
    ) -> Reply | NotSent | MaybeSent:
        if self._session is None:
            self._session = self._open_session()
        body = json.dumps(arguments, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"}
        url = f"{self._methods}/{method}"
        return await exchange(self._session, "POST", url, 15.0 + wait, data=body, headers=headers)

    # --- asking for news, where nobody can post to us

    async def poll(self, store: Store) -> None:
        """For ever. There is no offset: what was handed out never comes again, so it is kept till stored."""
        while True:
            reply = await self._call("getUpdates", {"timeout": self._poll_seconds}, wait=self._poll_seconds)
            if not isinstance(reply, Reply) or (_result(reply) is None and _code(reply) != TIMEOUT):
                log.warning("no news from Zalo", action="poll_rests", channel=NAME)
                await self._rest(POLL_REST_S)
                continue
            update = _result(reply)
            if not update:
                await self._rest(EMPTY_REST_S)
            else:
                await self._keep(json.dumps(update, ensure_ascii=False).encode(), store)

    async def _keep(self, body: bytes, store: Store) -> None:
        try:
            received, malformed = [self.receive(body)], []
        except Malformed:
            received, malformed = [], [body]
        while True:
            try:
                return await store(received, malformed)
            except Exception as error:
                log.error("could not store", action="store_failed", channel=NAME, kind=type(error).__name__)
                await self._rest(POLL_REST_S)

    # --- start and stop

    async def start(self) -> None:
        self._greeting = asyncio.create_task(self._greet())

    async def whoami(self) -> str | int:
        """The bot's name; or the code that came instead, 0 when nothing did. Changes nothing there."""
        reply = await self._call("getMe", {})
        if not isinstance(reply, Reply):
            return 0
        result = _result(reply)
        return _code(reply) if result is None else str(result.get("account_name") or "Bot")

    async def _greet(self) -> None:
        """A webhook and polling shut each other out."""
        if self._webhook_url is None:
            reply = await self._call("deleteWebhook", {})
        else:
            told = {"url": self._webhook_url, "secret_token": self._secret}
            reply = await self._call("setWebhook", told)
        if not isinstance(reply, Reply) or _result(reply) is None:
            code = _code(reply) if isinstance(reply, Reply) else 0
            log.error("Zalo does not take our address", action="webhook_refused", channel=NAME, code=code)

    async def stop(self) -> None:
        if self._greeting is not None:
            self._greeting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._greeting
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        await self._media.stop()


def _result(reply: Reply) -> dict[str, Any] | None:
    answer = reply.answer or {}
    if answer.get("ok") is not True:
        return None
    result = answer.get("result")
    return result if isinstance(result, dict) else {}


def _code(reply: Reply) -> int:
    return whole((reply.answer or {}).get("error_code")) or reply.status


def _refusal(code: int) -> Outcome:
    if code == UNAUTHORIZED:
        return Unauthorized(str(code))
    if code == QUOTA:
        return Flood(QUOTA_REST_S)
    if code in (BAD_NAME, BAD_REQUEST):
        return Refused("rejected", str(code))
    return Failed(str(code), delivered_maybe=True)
