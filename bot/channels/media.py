"""Files that a platform names by address: fetched from its own hosts only, capped, no redirect followed."""

import re
from collections.abc import Callable, Collection
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from bot.channels.base import FileTrouble
from bot.channels.zalo_wire import open_session

SECONDS = 20.0
CONNECT_SECONDS = 5.0
CHUNK = 64 * 1024
# A name that two readers of addresses could understand differently is none.
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")


def allowed(url: str, hosts: Collection[str]) -> bool:
    """Whether an address stands on one of these hosts or below; `host:port` names exactly that one."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        return False
    if not _HOST.fullmatch(host):
        return False
    if f"{host}:{port}" in hosts:
        return True
    return port in (None, 80, 443) and any(host == name or host.endswith(f".{name}") for name in hosts)


class Media:
    """`hosts` may be asked; `session` opens connections when first needed."""

    def __init__(
        self, hosts: Collection[str], session: Callable[[], aiohttp.ClientSession] = open_session
    ) -> None:
        self._hosts = hosts
        self._new = session
        self._open: aiohttp.ClientSession | None = None

    async def fetch(self, url: str, limit: int) -> bytes:
        """At most `limit` bytes. Raises FileTrouble."""
        if not allowed(url, self._hosts):
            raise FileTrouble("missing", final=True)
        secure = _secure(url, self._hosts)
        try:
            return await self._get(secure, limit)
        except aiohttp.ClientConnectionError:
            if secure == url:
                raise FileTrouble("missing", final=False) from None
        except (aiohttp.ClientError, TimeoutError):
            raise FileTrouble("missing", final=False) from None
        try:
            # Zalo's own addresses are plain http, and not all of its hosts answer on the other port.
            return await self._get(url, limit)
        except (aiohttp.ClientError, TimeoutError):
            raise FileTrouble("missing", final=False) from None

    async def stop(self) -> None:
        session, self._open = self._open, None
        if session is not None:
            await session.close()

    async def _get(self, url: str, limit: int) -> bytes:
        if self._open is None:
            self._open = self._new()
        timeout = aiohttp.ClientTimeout(total=SECONDS, sock_connect=CONNECT_SECONDS)
        async with self._open.get(url, allow_redirects=False, timeout=timeout) as answer:
            if answer.status >= 500 or answer.status == 429:
                raise FileTrouble("missing", final=False)
            if answer.status != 200:
                raise FileTrouble("missing", final=True)
            if (answer.content_length or 0) > limit:
                raise FileTrouble("too_big", final=True)
            return await _read(answer, limit)


async def _read(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    parts, got = [], 0
    async for part in answer.content.iter_chunked(CHUNK):
        got += len(part)
        if got > limit:
            raise FileTrouble("too_big", final=True)
        parts.append(part)
    return b"".join(parts)


def _secure(url: str, hosts: Collection[str]) -> str:
    """The same address over https, unless it names a port of its own."""
    parts = urlsplit(url)
    own = f"{parts.hostname}:{parts.port}" in hosts
    return url if own else urlunsplit(("https", parts.hostname or "", parts.path, parts.query, ""))
