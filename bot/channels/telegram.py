"""Telegram: updates into events, messages into one Bot API call each, files, webhook and long polling."""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import structlog
from telegram import Bot
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    RetryAfter,
    TelegramError,
)

from bot.channels import telegram_read
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
    Relocated,
    Sent,
    Unauthorized,
    picture_type,
)
from bot.channels.payloads import NONSENSE
from bot.channels.secret_header import carries_secret
from bot.channels.telegram_http import ANSWER_LIMIT, AiohttpRequest, NotFound, NotSent, TooBig
from bot.channels.telegram_read import ID_LIMIT, NAME
from bot.core.events import (
    Address,
    FileRef,
)
from bot.core.message import Button, Message

PUBLIC_API = "https://api.telegram.org"

# https://core.telegram.org/bots/api#sendmessage and #sendphoto, in UTF-16 units
TEXT_LONGEST = 4096
CAPTION_LONGEST = 1024
# Longer labels are cut on small phones when two share a row.
LABEL_SHORT = 14

# https://core.telegram.org/bots/api#setwebhook
WANTED = ("message", "edited_message", "callback_query", "my_chat_member")
CONNECTIONS = 40
# The header of a webhook's post: https://core.telegram.org/bots/api#setwebhook
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")

# https://core.telegram.org/bots/api#getupdates; an update is under 64 KiB (telegram-bot-api, Client.cpp)
POLL_SECONDS = 50
BATCH = 100
BATCH_LIMIT = 16 << 20
BACKOFF_LONGEST = 30.0
CONFLICT_PAUSE = 20.0
PROBE_PAUSE = 60.0
# A platform that is out of reach must not delay the start: the greeting goes on in the background.
START_PATIENCE = 1.0

_TOKEN = re.compile(r"[A-Za-z0-9:_-]+")
_FILE_PATH = re.compile(r"[\w.=+~@-]+(/[\w.=+~@-]+)*")
_UPDATE_ID = re.compile(rb'"update_id"\s*:\s*(\d{1,18})\b')
# How the platform words it when a chat cannot be used, whatever is sent:
# https://github.com/tdlib/telegram-bot-api/blob/master/telegram-bot-api/Client.cpp
_GONE = ("chat not found", "user not found", "deactivated", "deleted", "peer_id_invalid", "upgraded")
_BLOCKED = ("kicked", "blocked", "not a member", "rights", "write_forbidden", "restricted", "topic_closed")

Store = Callable[[list[Received], list[bytes]], Awaitable[None]]

log = structlog.get_logger()


@dataclasses.dataclass
class _Cursor:
    """Where polling stands; `limit` shrinks to 1 to find the update that spoils a batch."""

    offset: int = 0
    limit: int = BATCH
    failures: int = 0
    said: dict[str, float] = dataclasses.field(default_factory=dict)


class Telegram:
    """The Bot API, official or self-hosted (without --local, whose files are paths on another disk)."""

    name = NAME
    forged = 403
    tried = False
    abilities = Abilities(text_max=TEXT_LONGEST, edits=True)

    def __init__(
        self,
        *,
        token: str,
        api_url: str = PUBLIC_API,
        proxy: str | None = None,
        webhook_url: str | None = None,
        webhook_secret: str = "",
        overall: float = 30,
        chat: float = 1,
        burst: int = 3,
        group_minute: float = 20,
        place_label: str = "📍",
        http: AiohttpRequest | None = None,
        rest: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        poll_seconds: int = POLL_SECONDS,
    ) -> None:
        _check(token, api_url, webhook_url, webhook_secret)
        # The library writes URLs (with the token) and messages at DEBUG.
        logging.getLogger("telegram").setLevel(logging.INFO)
        self.pace = Pace(overall, chat, burst, group_minute)
        self.username: str | None = None
        api = api_url.rstrip("/")
        self._methods = f"{api}/bot{token}"
        self._files = f"{api}/file/bot{token}"
        self._http = http or AiohttpRequest(proxy=proxy)
        self._bot = Bot(token, f"{api}/bot", f"{api}/file/bot", self._http, self._http)
        self._webhook_url = webhook_url
        self._secret = webhook_secret
        self._place_label = place_label
        self._rest = rest
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._jitter = random.SystemRandom().uniform
        self._tasks: set[asyncio.Task[None]] = set()

    # --- what arrives

    def verify(self, headers: Headers, body: bytes) -> bool:
        return carries_secret(headers, SECRET_HEADER, self._secret)

    def receive(self, body: bytes) -> Received:
        return telegram_read.receive(body)

    def arrivals(self, body: bytes) -> list[Received]:
        return [self.receive(body)]

    def parse(self, raw: str) -> Parsed | None:
        return telegram_read.parse(raw, self.username)

    def answer(self, raw: str) -> dict[str, str] | None:
        return telegram_read.answer(raw)

    # --- what goes out

    async def send(self, to: Address, message: Message, photo: bytes | None, key: int) -> Outcome:
        """`key` has no use: https://github.com/tdlib/telegram-bot-api/issues/482"""
        if _units(message.text) > (TEXT_LONGEST if photo is None else CAPTION_LONGEST):
            return Refused("rejected", "text too long")
        try:
            return Sent(str(await self._send(to, message, photo)))
        except TelegramError as error:
            return _outcome(error)
        except NONSENSE as error:
            return Failed(f"nonsense answer: {type(error).__name__}", delivered_maybe=True)

    async def edit(self, to: Address, sent: str, message: Message) -> Outcome:
        """https://core.telegram.org/bots/api#editmessagetext; without its buttons they go from there, too."""
        told: dict[str, Any] = {"chat_id": to.chat, "message_id": int(sent), "text": message.text}
        told["link_preview_options"] = {"is_disabled": True}
        if message.buttons:
            told["reply_markup"] = self._markup(to, message)
        try:
            body = await self._http.call(f"{self._methods}/editMessageText", told, limit=ANSWER_LIMIT)
            self._http.parse_json_payload(body)
        except BadRequest as error:
            # It reads like this already: the answer to an earlier try was lost.
            return Sent() if _says(error, ("not modified",)) else _outcome(error)
        except TelegramError as error:
            return _outcome(error)
        except NONSENSE as error:
            return Failed(f"nonsense answer: {type(error).__name__}", delivered_maybe=True)
        return Sent()

    async def _send(self, to: Address, message: Message, photo: bytes | None) -> int:
        """One call; returns the platform's message id.

        Markup goes as plain mappings, and a text past the library's wrapping of arguments and receipt: that
        was a third of all the work a message makes (docs/0006).
        """
        more: dict[str, Any] = {}
        markup = self._markup(to, message)
        if markup is not None:
            more["reply_markup"] = markup
        if photo is not None:
            return await self._send_file(to, message, photo, more)
        told = {"chat_id": to.chat, "text": message.text, "link_preview_options": {"is_disabled": True}}
        body = await self._http.call(f"{self._methods}/sendMessage", told | more, limit=ANSWER_LIMIT)
        return int(self._http.parse_json_payload(body)["result"]["message_id"])

    async def _send_file(self, to: Address, message: Message, data: bytes, more: dict[str, Any]) -> int:
        """OGG plays as a voice message, any other recording as a piece of music.

        https://core.telegram.org/bots/api#sendvoice and #sendaudio
        """
        caption = message.text or None
        if not message.voice:
            name = "picture.png" if picture_type(data) == "image/png" else "photo.jpg"
            sent = await self._bot.send_photo(to.chat, data, caption, filename=name, api_kwargs=more)
            return sent.message_id
        name = f"voice.{(message.photo or '').rpartition('.')[2]}"
        if name.endswith(".ogg"):
            sent = await self._bot.send_voice(to.chat, data, caption=caption, filename=name, api_kwargs=more)
        else:
            sent = await self._bot.send_audio(to.chat, data, caption=caption, filename=name, api_kwargs=more)
        return sent.message_id

    def _markup(self, to: Address, message: Message) -> dict[str, Any] | None:
        """A message carries one keyboard only, so its choices push the place button out; groups have none.

        https://core.telegram.org/bots/api#keyboardbutton
        """
        if message.buttons:
            return {"inline_keyboard": _rows(message.buttons)}
        if message.place_wanted and not to.group:
            button = {"text": self._place_label, "request_location": True}
            return {"keyboard": [[button]], "resize_keyboard": True, "one_time_keyboard": True}
        return None

    async def download(self, file: FileRef, limit: int) -> bytes:
        if file.size is not None and file.size > limit:
            raise FileTrouble("too_big", final=True)
        try:
            body = await self._http.call(f"{self._methods}/getFile", {"file_id": file.id}, limit=ANSWER_LIMIT)
            return await self._fetch(self._http.parse_json_payload(body)["result"], limit)
        except BadRequest as error:
            raise _file_trouble(error) from None
        except TelegramError:
            raise FileTrouble("missing", final=False) from None

    async def _fetch(self, told: object, limit: int) -> bytes:
        known = told if isinstance(told, dict) else {}
        size, path = known.get("file_size"), known.get("file_path")
        if isinstance(size, int) and size > limit:
            raise FileTrouble("too_big", final=True)
        # Absolute paths are what a --local server answers; dots would leave the folder of files.
        if not isinstance(path, str) or not _FILE_PATH.fullmatch(path) or ".." in path:
            raise FileTrouble("missing", final=True)
        try:
            return await self._http.fetch(f"{self._files}/{path}", limit)
        except TooBig:
            raise FileTrouble("too_big", final=True) from None
        except (InvalidToken, NotFound):
            # The token was good for getFile a moment ago: this 404 means the file.
            raise FileTrouble("missing", final=True) from None

    # --- standing by

    async def start(self) -> None:
        """Greet the platform, and go on in the background when it does not answer."""
        greeting = self._spawn(self._greet())
        await asyncio.wait({greeting}, timeout=START_PATIENCE)

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.shutdown()

    async def whoami(self) -> str | None:
        """The bot's user name, or None when the platform does not say; changes nothing there."""
        try:
            return (await self._bot.get_me()).username
        except (TelegramError, *NONSENSE):
            return None

    async def _greet(self) -> None:
        for failures in itertools.count():
            try:
                await self._introduce()
                return
            except (TelegramError, *NONSENSE) as error:
                log.warning("Greeting failed", action="start", channel=NAME, problem=type(error).__name__)
                pause = PROBE_PAUSE if isinstance(error, InvalidToken) else self._backoff(failures)
            await self._rest(pause)

    async def _introduce(self) -> None:
        self.username = (await self._bot.get_me()).username
        if self._webhook_url is None:
            await self._bot.delete_webhook()
            return
        await self._bot.set_webhook(
            self._webhook_url,
            secret_token=self._secret,
            allowed_updates=WANTED,
            max_connections=CONNECTIONS,
        )

    async def poll(self, store: Store) -> None:
        """Ask for updates for ever. An update is confirmed only by the request after it was stored.

        https://core.telegram.org/bots/api#getupdates
        """
        cursor = _Cursor()
        while True:
            try:
                await self._round(cursor, store)
                cursor.failures = 0
            except Exception as error:
                # Whatever it was, storage included: nothing is confirmed, and the same updates come again.
                self._complain(cursor, error)
                pause = self._pause(cursor, error)
                cursor.failures += 1
                await self._rest(pause)

    async def _round(self, cursor: _Cursor, store: Store) -> None:
        body = await self._http.call(
            f"{self._methods}/getUpdates",
            {
                "offset": cursor.offset,
                "limit": cursor.limit,
                "timeout": self._poll_seconds,
                "allowed_updates": WANTED,
            },
            wait=self._poll_seconds,
            limit=BATCH_LIMIT,
        )
        try:
            updates = self._http.parse_json_payload(body)["result"]
        except NotSent:
            raise
        except TelegramError:
            await self._around(cursor, body, store)
            return
        await self._keep(cursor, updates, store)

    async def _keep(self, cursor: _Cursor, updates: list[object], store: Store) -> None:
        """Each update stands for itself: an unreadable one is kept aside and confirmed with the rest."""
        events: list[Received] = []
        malformed: list[bytes] = []
        seen = cursor.offset
        for update, raw in _each(updates):
            seen = max(seen, _confirmed(update))
            try:
                events.append(self.receive(raw))
            except Malformed:
                malformed.append(raw)
        if seen == cursor.offset and malformed:
            raise Malformed("no update_id")
        if events or malformed:
            await store(events, malformed)
        cursor.offset, cursor.limit = seen, BATCH
        for event in events:
            self._acknowledge(event.raw)

    async def _around(self, cursor: _Cursor, body: bytes, store: Store) -> None:
        """The batch is no JSON that Python reads (too deep, a number too long): find the culprit."""
        found = _UPDATE_ID.search(body)
        if found is None or not body.rstrip().endswith(b"}"):
            raise Malformed("nonsense answer")
        if cursor.limit > 1:
            cursor.limit = 1
            return
        await store([], [body])
        cursor.offset, cursor.limit = max(cursor.offset, int(found[1]) + 1), BATCH

    def _acknowledge(self, raw: str) -> None:
        answer = self.answer(raw)
        if answer is not None:
            self._spawn(self._end_spinner(answer["callback_query_id"]))

    async def _end_spinner(self, query: str) -> None:
        try:
            await self._bot.answer_callback_query(query)
        except TelegramError as error:
            log.info("Press not answered", action="answer", channel=NAME, problem=type(error).__name__)

    def _pause(self, cursor: _Cursor, error: Exception) -> float:
        match error:
            case RetryAfter():
                return _seconds(error)
            case Conflict():
                return CONFLICT_PAUSE
            case InvalidToken():
                return PROBE_PAUSE
        return self._backoff(cursor.failures)

    def _backoff(self, failures: int) -> float:
        longest = min(BACKOFF_LONGEST, 2.0 ** min(failures, 5))
        return self._jitter(longest / 2, longest)

    def _complain(self, cursor: _Cursor, error: Exception) -> None:
        """Once a minute each."""
        problem = type(error).__name__
        now = self._clock()
        if now - cursor.said.get(problem, -PROBE_PAUSE) >= PROBE_PAUSE:
            cursor.said[problem] = now
            log.warning("Polling waits", action="poll", channel=NAME, problem=problem)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _check(token: str, api_url: str, webhook_url: str | None, secret: str) -> None:
    """Wrong settings stop the start; the sentence holds no secret."""
    if not _TOKEN.fullmatch(token):
        raise ValueError("The Telegram token is not a token.")
    if not api_url.startswith(("https://", "http://")):
        raise ValueError("The Telegram API address must begin with https:// or http://.")
    if webhook_url is not None and not _SECRET.fullmatch(secret):
        raise ValueError("A Telegram webhook needs a secret of 1 to 256 characters of A-Z a-z 0-9 _ -.")


def _each(updates: object) -> Iterator[tuple[object, bytes]]:
    if not isinstance(updates, list):
        raise Malformed("updates")
    for update in updates:
        raw = b"{}"
        with contextlib.suppress(RecursionError):
            raw = json.dumps(update).encode()
        yield update, raw


def _confirmed(update: object) -> int:
    """The offset that confirms this update, 0 when it has no identity."""
    identity = update.get("update_id") if isinstance(update, dict) else None
    if not isinstance(identity, int) or isinstance(identity, bool) or not 0 <= identity < ID_LIMIT - 1:
        return 0
    return identity + 1


# --- dressing


def _units(text: str) -> int:
    """Telegram counts UTF-16: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _rows(buttons: tuple[Button, ...]) -> list[list[dict[str, str]]]:
    keys = [{"text": button.label, "callback_data": button.action} for button in buttons]
    width = 1 if any(len(button.label) > LABEL_SHORT for button in buttons) else 2
    return [keys[start : start + width] for start in range(0, len(keys), width)]


# --- errors into outcomes


def _outcome(error: TelegramError) -> Outcome:
    match error:
        case RetryAfter():
            return Flood(_seconds(error))
        case ChatMigrated():
            return Relocated(str(error.new_chat_id))
        case Forbidden():
            return Refused("gone" if _says(error, _GONE) else "blocked", str(error))
        case BadRequest():
            return Refused(_why(error), str(error))
        case InvalidToken():
            return Unauthorized(str(error))
        case Conflict() | NotSent():
            return Failed(str(error), delivered_maybe=False)
    return Failed(str(error), delivered_maybe=True)


def _why(error: BadRequest) -> str:
    if _says(error, _GONE):
        return "gone"
    return "blocked" if _says(error, _BLOCKED) else "rejected"


def _says(error: TelegramError, words: tuple[str, ...]) -> bool:
    text = str(error).lower()
    return any(word in text for word in words)


def _seconds(error: RetryAfter) -> float:
    wait = error.retry_after
    return float(wait) if isinstance(wait, int) else wait.total_seconds()


def _file_trouble(error: BadRequest) -> FileTrouble:
    """The answer "wrong file_id or the file is temporarily unavailable" may be either: asked again."""
    if _says(error, ("too big",)):
        return FileTrouble("too_big", final=True)
    return FileTrouble("missing", final=not _says(error, ("temporarily",)))
