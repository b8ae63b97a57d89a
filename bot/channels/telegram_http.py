"""HTTP to Telegram over aiohttp: python-telegram-bot's request backend, and the raw calls it lacks."""

import json
import math
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aiohttp
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.request import BaseRequest, RequestData

# Without this every RetryAfter warns, and warnings are errors here:
# https://docs.python-telegram-bot.org/en/stable/telegram.error.html#telegram.error.RetryAfter
os.environ.setdefault("PTB_TIMEDELTA", "true")

ANSWER_LIMIT = 1 << 20
POOL = 100
CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 15.0
UPLOAD_TIMEOUT = 30.0
# What to wait when a 429 does not say: https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
FLOOD_DEFAULT = 5.0
FLOOD_LONGEST = 86_400.0

_WAIT_TEXT = re.compile(r"(?:retry after|retry in) (\d+(?:\.\d+)?)", re.IGNORECASE)
_JSON = {"Content-Type": "application/json"}


class NotSent(NetworkError):
    """The request surely did not take effect: it never left, or the platform said that it failed."""


class NotFound(NotSent):
    """There is no such file."""


class TooBig(NetworkError):
    """The answer is longer than the caller allows."""


class AiohttpRequest(BaseRequest):
    """One pool of connections. Errors carry no URL and no body: those hold the token and people's words."""

    def __init__(
        self,
        *,
        proxy: str | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
        upload_timeout: float = UPLOAD_TIMEOUT,
    ) -> None:
        self._proxy = proxy
        self._connect = connect_timeout
        self._read = read_timeout
        self._upload = upload_timeout
        self._patience = self._limits(read_timeout, 0.0)
        self._open: aiohttp.ClientSession | None = None
        self._stopped = False

    @property
    def read_timeout(self) -> float | None:
        return self._read

    async def initialize(self) -> None:
        self._stopped = False

    async def shutdown(self) -> None:
        self._stopped = True
        session, self._open = self._open, None
        if session is not None:
            await session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Return 2xx answers; raise everything else, as the library's own reading puts bodies into errors."""
        patience = self._patience
        if isinstance(read_timeout, int | float):
            patience = self._limits(float(read_timeout), 0.0)
        data: Any = None
        headers: Mapping[str, str] | None = None
        if request_data is not None and request_data.contains_files:
            data = _form(request_data)
            patience = self._limits(self._read, self._upload)
        elif request_data is not None:
            data, headers = json.dumps(request_data.parameters).encode(), _JSON
        return await self._exchange(method, url, data, headers, patience, ANSWER_LIMIT)

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Read a 2xx answer, which may still be a refusal, or not be Telegram's at all."""
        answer = _decoded(payload)
        if answer is None or (answer.get("ok") is True and "result" not in answer):
            raise NetworkError("nonsense answer")
        if answer.get("ok") is not True:
            raise _refusal(200, answer, None)
        answer["result"] = _receipt(answer["result"])
        return answer

    async def call(self, url: str, arguments: Mapping[str, Any], *, wait: float = 0.0, limit: int) -> bytes:
        """POST JSON, return the body of a 2xx answer unread; the platform may think for `wait` seconds."""
        patience = self._limits(self._read + wait, 0.0)
        body = json.dumps(arguments).encode()
        return (await self._exchange("POST", url, body, _JSON, patience, limit))[1]

    async def fetch(self, url: str, limit: int) -> bytes:
        """GET a file, at most `limit` bytes of it. Raises TooBig, NotFound, NetworkError."""
        patience = self._limits(self._read, self._upload)
        return (await self._exchange("GET", url, None, None, patience, limit))[1]

    async def _exchange(
        self,
        method: str,
        url: str,
        data: Any,
        headers: Mapping[str, str] | None,
        patience: aiohttp.ClientTimeout,
        limit: int,
    ) -> tuple[int, bytes]:
        try:
            async with self._session().request(
                method, url, data=data, headers=headers, timeout=patience, allow_redirects=False
            ) as response:
                status = response.status
                if 200 <= status <= 299:
                    return status, await _body(response, limit)
                answer = _decoded(await _body(response, ANSWER_LIMIT))
                raise _refusal(status, answer, response.headers.get("Retry-After"))
        except aiohttp.ConnectionTimeoutError:
            raise NotSent("connect timeout") from None
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.InvalidURL) as error:
            raise NotSent(type(error).__name__) from None
        except TimeoutError:
            raise TimedOut() from None
        except (aiohttp.ClientError, OSError) as error:
            raise NetworkError(type(error).__name__) from None

    def _session(self) -> aiohttp.ClientSession:
        """Opened on first use: a session belongs to the loop that runs it.

        Redirects, cookies, compressed bodies (bombs) and proxies of the environment are all refused.
        """
        if self._stopped:
            raise NotSent("stopped")
        if self._open is None:
            self._open = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=POOL),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self.USER_AGENT, "Accept-Encoding": "identity"},
                auto_decompress=False,
                proxy=self._proxy,
            )
        return self._open

    def _limits(self, read: float, write: float) -> aiohttp.ClientTimeout:
        """`connect` counts waiting for a free connection too; the total stops an answer that drips."""
        total = self._connect + write + read
        return aiohttp.ClientTimeout(total=total, connect=self._connect, sock_read=read)


def _form(request_data: RequestData) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, value in request_data.json_parameters.items():
        form.add_field(name, value)
    for name, (filename, content, mime) in request_data.multipart_data.items():
        form.add_field(name, content, filename=filename, content_type=mime)
    return form


def _receipt(result: object) -> object:
    """Of a message that was sent, only what tells it apart.

    The rest is our own words coming back: reading them takes time, and a field that the library
    does not like would turn a delivered message into a failed one.
    """
    if isinstance(result, dict) and "message_id" in result:
        return {name: result[name] for name in ("message_id", "date", "chat") if name in result}
    return result


async def _body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    if response.content_length is not None and response.content_length > limit:
        response.close()
        raise TooBig("answer too long")
    if response.content_length is not None:
        return await response.read()
    chunks = bytearray()
    async for chunk in response.content.iter_any():
        chunks += chunk
        if len(chunks) > limit:
            response.close()
            raise TooBig("answer too long")
    return bytes(chunks)


def _decoded(payload: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _refusal(status: int, answer: dict[str, Any] | None, header: str | None) -> TelegramError:
    """The error for an answer that is not a success.

    Only a refusal in the API's own form may end a message for good: a 403 or 404 page of a gateway
    says nothing about the chat. https://core.telegram.org/bots/api#making-requests
    """
    if answer is None or answer.get("ok") is not False:
        return _foreign(status, header)
    code = answer.get("error_code")
    code = code if isinstance(code, int) and not isinstance(code, bool) else status
    text = answer.get("description")
    text = text if isinstance(text, str) else f"error {code}"
    parameters = answer.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    moved = parameters.get("migrate_to_chat_id")
    if isinstance(moved, int) and not isinstance(moved, bool) and moved:
        return ChatMigrated(moved)
    if code == 429 or "retry_after" in parameters:
        return RetryAfter(_delay(parameters.get("retry_after"), text, header))
    return _by_code(code, text)


def _by_code(code: int, text: str) -> TelegramError:
    match code:
        case 400 | 413:
            return BadRequest(text)
        case 401 | 404:
            return InvalidToken(text)
        case 403:
            return Forbidden(text)
        case 409:
            return Conflict(text)
        case 504:
            return NetworkError("error 504")
    # A server that is closing answers so to requests that may be on their way to Telegram:
    # https://github.com/tdlib/telegram-bot-api/blob/master/telegram-bot-api/Client.cpp (get_closing_error)
    if "restart" in text:
        return NetworkError("server restarts")
    return NotSent(f"error {code}")


def _foreign(status: int, header: str | None) -> TelegramError:
    """Not the API's form. What a gateway took in and lost may have been delivered; the rest was not."""
    if status == 429:
        return RetryAfter(_delay(None, "", header))
    if status == 413:
        return BadRequest("too large")
    if status == 404:
        return NotFound("not found")
    if 300 <= status <= 499 or status == 503:
        return NotSent(f"status {status}")
    return NetworkError(f"status {status}")


def _delay(told: object, text: str, header: str | None) -> timedelta:
    """How long to wait, from wherever the answer says so; a safe default where it does not."""
    found = _WAIT_TEXT.search(text)
    for candidate in (told, found and found[1], header):
        seconds = _seconds(candidate)
        if seconds is not None:
            return timedelta(seconds=min(seconds, FLOOD_LONGEST))
    return timedelta(seconds=FLOOD_DEFAULT)


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None
