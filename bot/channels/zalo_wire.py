"""One HTTP exchange with Zalo: what came back, or whether the request may have arrived."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

CONNECT_TIMEOUT = 5.0
TIMEOUT = 15.0
UPLOAD_TIMEOUT = 45.0
ANSWER_LIMIT = 1 << 20
POOL = 32
# A connection that Zalo closed while we wrote leaves us not knowing: old ones are not used again.
KEEP_ALIVE = 10.0

OpenSession = Callable[[], aiohttp.ClientSession]


@dataclass(frozen=True, slots=True)
class Reply:
    """`answer` is the JSON object that came, None when it was something else."""

    status: int
    answer: dict[str, Any] | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request surely did not take effect. `seconds`: the platform says to wait that long."""

    problem: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class MaybeSent:
    """The request left, and what became of it is unknown."""

    problem: str


def open_session() -> aiohttp.ClientSession:
    """Belongs to the loop that runs. Cookies, compressed bodies (bombs) and proxies of the environment are
    refused.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=POOL, keepalive_timeout=KEEP_ALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    )


async def exchange(
    session: aiohttp.ClientSession, method: str, url: str, total: float = TIMEOUT, **request: Any
) -> Reply | NotSent | MaybeSent:
    """Never follows a redirect; problems name no address, no header and no body."""
    patience = aiohttp.ClientTimeout(total=total, connect=CONNECT_TIMEOUT)
    if session.closed:
        return NotSent("stopped")
    try:
        async with session.request(
            method, url, timeout=patience, allow_redirects=False, **request
        ) as response:
            return await _read(response)
    except aiohttp.ConnectionTimeoutError:
        return NotSent("connect timeout")
    except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
        return NotSent(type(error).__name__)
    except TimeoutError:
        return MaybeSent("timeout")
    except (aiohttp.ClientError, OSError) as error:
        return MaybeSent(type(error).__name__)


async def _read(response: aiohttp.ClientResponse) -> Reply | MaybeSent:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > ANSWER_LIMIT:
            response.close()
            return MaybeSent("answer too long")
    return Reply(response.status, _decoded(bytes(body)), response.headers)


def _decoded(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def error_code(answer: Mapping[str, Any]) -> int | None:
    """0 is success; None: it does not say, so it is not Zalo that speaks."""
    return whole(answer.get("error"))


def whole(value: object) -> int | None:
    """Zalo writes numbers as strings, now and then."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None


def seconds(header: str | None) -> float | None:
    """Retry-After in seconds; its other form, a date, is not worth reading."""
    try:
        told = float(header or "")
    except ValueError:
        return None
    return told if math.isfinite(told) and told > 0 else None
