"""The routes behind signed links: the map and the one place it sends, the player and its recording."""

import json
import tomllib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import structlog
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot import pages, voices
from bot.channels.base import Received, picture_type
from bot.clock import Clock
from bot.core.commune import Commune, Point
from bot.core.places import village_at
from bot.inbox import Inbox
from bot.linkpage.links import PHOTO, PHOTO_PATH, PLACE, PLACE_PATH, VOICE, VOICE_PATH, event_of
from bot.linkpage.pace import Pace
from bot.signed import NotSigned, Signed, Signer
from storage import inbox as arrivals
from storage.database import Database
from storage.files import Files

log = structlog.get_logger()

HERE: Final = Path(__file__).parent
WORDS: Final[Mapping[str, Mapping[str, str]]] = tomllib.loads(
    (HERE / "words.toml").read_text(encoding="utf-8")
)
STATIC: Final = pages.FILES | {name: (HERE / name).read_bytes() for name in ("link.css", "place.js")}
STATIC_PATH: Final = "trang"

BODY_MAX: Final = 1024
# Nobody needs more; a player asks for a recording in many pieces.
POSTS_A_MINUTE: Final = 10
LOOKS_A_MINUTE: Final = 120
# What no browser plays.
UNPLAYABLE: Final = frozenset({"amr"})

PRIVATE: Final = {
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Permissions-Policy": "geolocation=(self), camera=(), microphone=()",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Placed(Protocol):
    """A place as the channel itself would have told it: the page knows no platform."""

    def __call__(self, chat: str, lat: float, lon: float, event: str, ms: int) -> Received: ...


class Sorry(Exception):
    """A page that says what happened and what to do: an HTTP status and the words' name."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


USED: Final = (410, "used")
GONE: Final = (410, "gone")


def add_routes(
    app: web.Application,
    *,
    signer: Signer,
    inbox: Inbox,
    db: Database,
    files: Files,
    commune: Commune,
    placed: Mapping[str, Placed],
    clock: Clock,
) -> None:
    """Mount `/cho/…` and `/nghe/…`. `placed`: for each channel, a place in its own words."""
    gate = _Gate(signer, Pace(clock.monotonic))
    place = _PlacePage(gate, inbox, db, commune, placed, clock)
    voice = _VoicePage(gate, files)
    app.router.add_get(f"/{PLACE_PATH}/{{token}}", _guarded(place.show))
    app.router.add_post(f"/{PLACE_PATH}/{{token}}", _guarded(place.send))
    app.router.add_get(f"/{VOICE_PATH}/{{token}}", _guarded(voice.show))
    app.router.add_get(f"/{VOICE_PATH}/{{token}}/tep", _guarded(voice.play))
    app.router.add_get(f"/{PHOTO_PATH}/{{token}}", _guarded(partial(_photo, gate, files)))
    app.router.add_get(f"/{STATIC_PATH}/{{name}}", _static)


class _Gate:
    """Reads a link's token. Raises Sorry for what is not ours, is over, or is asked for too often."""

    def __init__(self, signer: Signer, pace: Pace) -> None:
        self._signer, self._pace = signer, pace

    def read(self, purpose: str, request: web.Request) -> Signed:
        try:
            signed = self._signer.read(purpose, request.match_info["token"])
        except NotSigned as error:
            if error.why == "expired":
                raise Sorry(410, f"{purpose}_expired") from None
            raise Sorry(404, f"{purpose}_unknown") from None
        most = POSTS_A_MINUTE if request.method == "POST" else LOOKS_A_MINUTE
        if not self._pace.allows(f"{request.method} {signed.nonce}", most):
            raise Sorry(429, "slower")
        return signed


@dataclass(frozen=True, slots=True)
class _Wanted:
    """For whom a place is, and the one event it becomes."""

    channel: str
    chat: str
    event: str


class _PlacePage:
    def __init__(
        self,
        gate: _Gate,
        inbox: Inbox,
        db: Database,
        commune: Commune,
        placed: Mapping[str, Placed],
        clock: Clock,
    ) -> None:
        self._gate, self._inbox, self._db, self._commune = gate, inbox, db, commune
        self._placed, self._clock = placed, clock

    async def show(self, request: web.Request) -> web.Response:
        """Looking uses nothing up: messengers look at every link by themselves."""
        wanted = self._wanted(request)
        if await self._stored(wanted) is not None:
            raise Sorry(*USED)
        ground = pages.villages_of(self._commune)
        return _page(request, "place", commune=self._commune.name, villages=ground)

    async def send(self, request: web.Request) -> web.Response:
        wanted = self._wanted(request)
        point = await _point(request)
        received = self._placed[wanted.channel](
            wanted.chat, point.lat, point.lon, wanted.event, self._clock.ms()
        )
        await self._inbox.take(wanted.channel, received)
        # Whichever came first is the one that counts, in whatever process it arrived.
        if await self._stored(wanted) != received.raw:
            raise Sorry(*USED)
        log.info("a place from the map", action="map_place", channel=wanted.channel)
        where = village_at(point, self._commune)
        outside = where.unit is None and not where.inside
        return _as_json(200, "sent_outside" if outside else "sent", commune=self._commune.name)

    def _wanted(self, request: web.Request) -> _Wanted:
        signed = self._gate.read(PLACE, request)
        channel, _, chat = signed.payload.partition(":")
        if channel not in self._placed:
            raise Sorry(404, "place_unknown")
        return _Wanted(channel, chat, event_of(signed.nonce))

    async def _stored(self, wanted: _Wanted) -> str | None:
        async with self._db.read() as conn:
            return await arrivals.raw_of(conn, wanted.channel, wanted.event)


class _VoicePage:
    def __init__(self, gate: _Gate, files: Files) -> None:
        self._gate, self._files = gate, files

    async def show(self, request: web.Request) -> web.Response:
        _, ending = await self._recording(request)
        return _page(request, "voice", token=request.match_info["token"], plays=ending not in UNPLAYABLE)

    async def play(self, request: web.Request) -> web.Response:
        data, ending = await self._recording(request)
        return pages.played(request, data, ending, "attachment" if ending in UNPLAYABLE else "inline")

    async def _recording(self, request: web.Request) -> tuple[bytes, str]:
        stored = self._gate.read(VOICE, request).payload
        try:
            data = await self._files.get(stored)
        except (FileNotFoundError, ValueError):
            raise Sorry(*GONE) from None
        ending = voices.kind_of(data)
        if ending is None:
            raise Sorry(*GONE)
        return data, ending


async def _photo(gate: _Gate, files: Files, request: web.Request) -> web.Response:
    """A picture for a platform that fetches what it shows; what is stored was cleaned before."""
    try:
        data = await files.get(gate.read(PHOTO, request).payload)
    except (FileNotFoundError, ValueError):
        raise Sorry(*GONE) from None
    return web.Response(body=data, content_type=picture_type(data))


async def _point(request: web.Request) -> Point:
    # A form on another site can post text, but not this type without asking first.
    if request.content_type != "application/json":
        raise Sorry(415, "unreadable")
    try:
        fields: Any = json.loads(await request.clone(client_max_size=BODY_MAX).read())
    except web.HTTPRequestEntityTooLarge:
        raise Sorry(413, "unreadable") from None
    except (ValueError, RecursionError):
        raise Sorry(400, "unreadable") from None
    if not isinstance(fields, dict):
        raise Sorry(400, "unreadable")
    return Point(_degrees(fields.get("lat"), 90), _degrees(fields.get("lon"), 180))


def _degrees(value: object, most: int) -> float:
    """Neither NaN nor a number with a thousand digits lies between."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
        raise Sorry(400, "unreadable")
    return float(value)


# --- what is answered


def _as_json(status: int, words: str, **filled: str) -> web.Response:
    said = {name: text.format(**filled) for name, text in WORDS[words].items()}
    return web.json_response(said, status=status)


def _page(request: web.Request, name: str, status: int = 200, **filled: object) -> web.Response:
    """Addresses in it are relative, so that a proxy may put the program below a path of its own."""
    resource = request.match_info.route.resource
    root = "../" * (resource.canonical.count("/") - 1) if resource is not None else ""
    html = _TEMPLATES.get_template(f"{name}.html").render(filled, root=f"{root}{STATIC_PATH}/")
    return web.Response(text=html, status=status, content_type="text/html")


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(HERE), undefined=StrictUndefined, autoescape=True, trim_blocks=True
)


def _guarded(handler: Handler) -> Handler:
    """What cannot be done is said: to the page's script as JSON, to a person as a page."""

    async def guarded(request: web.Request) -> web.Response:
        try:
            response = await handler(request)
        except Sorry as sorry:
            response = _sorry(request, sorry)
        except Exception as error:
            log.error("a linked page failed", action="link_failed", kind=type(error).__name__)
            response = _sorry(request, Sorry(503, "later"))
        return _private(response)

    return guarded


def _sorry(request: web.Request, sorry: Sorry) -> web.Response:
    if request.method == "POST":
        return _as_json(sorry.status, sorry.words)
    return _page(request, "said", sorry.status, **WORDS[sorry.words])


async def _static(request: web.Request) -> web.Response:
    data = STATIC.get(request.match_info["name"])
    if data is None:
        return _private(web.Response(status=404))
    return _private(pages.file_response(request.match_info["name"], data))


def _private(response: web.Response) -> web.Response:
    response.headers.update(PRIVATE)
    pages.careful(response)
    return response
