"""Calls of Zalo's OpenAPI: the token in its header, renewed once when it died, errors told apart."""

import io
import json as jsons
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from bot.channels.zalo_tokens import Tokens
from bot.channels.zalo_wire import (
    TIMEOUT,
    UPLOAD_TIMEOUT,
    MaybeSent,
    NotSent,
    OpenSession,
    Reply,
    error_code,
    exchange,
    open_session,
    seconds,
    whole,
)

# zalo.md 8: "Access token is invalid", "access_token is expired or removed"; a 401 means the same.
DEAD = (-216, -220, 401)
TEXT_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Ok:
    """`data` is what stands under that name, in whatever shape."""

    data: Any


@dataclass(frozen=True, slots=True)
class ApiError:
    """Zalo understood, and says no: zalo.md 8. `text` is theirs, for branching on, not for people."""

    code: int
    text: str


Answer = Ok | ApiError | NotSent | MaybeSent


@dataclass(frozen=True, slots=True)
class Upload:
    """A file, as the multipart field `file`."""

    name: str
    content: bytes
    mime: str

    def form(self) -> aiohttp.FormData:
        """A form can be sent once only: a repeated call needs another one."""
        form = aiohttp.FormData()
        form.add_field("file", io.BytesIO(self.content), filename=self.name, content_type=self.mime)
        return form


@dataclass(frozen=True, slots=True)
class Rate:
    """Calls a minute that the app may make, and how many are left. zalo.md 1."""

    limit: int
    remain: int


class OpenApi:
    """`rate` is what the last answer said, None until one said so."""

    def __init__(self, api_url: str, tokens: Tokens, open_session: OpenSession = open_session) -> None:
        self._url = api_url
        self._tokens = tokens
        self._open_session = open_session
        self._session: aiohttp.ClientSession | None = None
        self._stopped = False
        self.rate: Rate | None = None

    async def call(
        self,
        method: str,
        path: str,
        *,
        data: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        form: Upload | None = None,
    ) -> Answer:
        """`data` for GET (one parameter of that name), `json` or `form` for POST. Raises NoToken."""
        request: dict[str, Any] = {}
        if data is not None:
            request["params"] = {"data": _compact(data)}
        if json is not None:
            request |= {"data": _compact(json).encode(), "headers": {"Content-Type": "application/json"}}
        token = await self._tokens.access()
        answer = await self._once(token, method, path, form, request)
        if isinstance(answer, ApiError) and answer.code in DEAD:
            token = await self._tokens.renewed(token)
            answer = await self._once(token, method, path, form, request)
        return answer

    async def trouble(self) -> str:
        return await self._tokens.trouble()

    async def stop(self) -> None:
        self._stopped = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _once(
        self, token: str, method: str, path: str, form: Upload | None, request: Mapping[str, Any]
    ) -> Answer:
        if self._stopped:
            return NotSent("stopped")
        if self._session is None:
            # Opened on first use: a session belongs to the loop that runs it.
            self._session = self._open_session()
        whole_request = {**request, "headers": {**request.get("headers", {}), "access_token": token}}
        if form is not None:
            whole_request["data"] = form.form()
        total = TIMEOUT if form is None else UPLOAD_TIMEOUT
        reply = await exchange(self._session, method, self._url + path, total, **whole_request)
        return self._understood(reply, token) if isinstance(reply, Reply) else reply

    def _understood(self, reply: Reply, token: str) -> Answer:
        self.rate = _rate(reply.headers) or self.rate
        answer = reply.answer or {}
        code = error_code(answer)
        if code == 0 and reply.status <= 299:
            return Ok(answer.get("data"))
        if code:
            text = str(answer.get("message") or "").replace(token, "…")
            return ApiError(code, text[:TEXT_LONGEST])
        return _foreign(reply)


def _compact(values: Mapping[str, Any]) -> str:
    return jsons.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _rate(headers: Mapping[str, str]) -> Rate | None:
    limit, remain = whole(headers.get("X-RateLimit-Limit")), whole(headers.get("X-RateLimit-Remain"))
    return None if limit is None or remain is None else Rate(limit, remain)


def _foreign(reply: Reply) -> Answer:
    """Not the API's form. What a gateway took in and lost may have been delivered; the rest was not."""
    problem = f"status {reply.status}"
    if reply.status == 401:
        return ApiError(401, "")
    if 300 <= reply.status <= 499 or reply.status == 503:
        return NotSent(problem, seconds(reply.headers.get("Retry-After")))
    return MaybeSent(problem)
