"""Where a shortened map link leads: Google's redirects are followed by hand, to its own hosts only."""

from urllib.parse import urljoin, urlsplit

import aiohttp

from bot.core.commune import Point
from bot.core.maplinks import map_point, short_map_link

HOSTS = frozenset(
    {"maps.app.goo.gl", "goo.gl", "maps.google.com", "www.google.com", "google.com", "consent.google.com"}
)
HOPS = 5
SECONDS = 8.0


async def follow(url: str) -> Point | None:
    """The point a link leads to, or None; reads no page and never leaves the list of hosts."""
    if short_map_link(url) is None:
        return None
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http:
            return await _hop(http, url)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None


async def _hop(http: aiohttp.ClientSession, url: str) -> Point | None:
    for _ in range(HOPS):
        if not allowed(url):
            return None
        async with http.get(url, allow_redirects=False) as answer:
            target = answer.headers.get("Location")
        if target is None:
            return None
        url = urljoin(url, target)
        point = map_point(url)
        if point is not None:
            return point
    return None


def allowed(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and parts.hostname in HOSTS and parts.port in (None, 443)
