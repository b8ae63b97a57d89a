"""The local chat's routes: the page, what was said, live news, and what people do."""

import asyncio
import json
import tomllib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import BodyPartReader, web

from bot import pages, voices
from bot.channels.base import Malformed, Received
from bot.channels.webchat import KEY, MAX_TEXT, Seat, Webchat, envelope, is_voice
from bot.core.commune import Commune
from storage.bubbles import Bubble

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Take = Callable[[Received], Awaitable[None]]

HERE = Path(__file__).parent
SENTENCES: Mapping[str, str] = tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))
STATIC = pages.FILES | {name: (HERE / name).read_bytes() for name in ("page.css", "page.js")}

MAX_PHOTO = 20 * 1024 * 1024
ROOM_FOR_FIELDS = 1024 * 1024
HISTORY = 200
PIECE = 64 * 1024
HEARTBEAT_SECONDS = 15.0
# Another process on the same database rings no bell here, so everybody also looks by themselves.
LOOK_SECONDS = 2.0
MAX_ID = 2**63 - 1

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Refusal(Exception):
    """What was asked is not done: an HTTP status and the name of the sentence that says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def add_routes(
    app: web.Application, *, channel: Webchat, take: Take, commune: Commune, any_host: bool
) -> None:
    """Mount the page on `/` and `/chat/…`. `take` stores what arrived; `any_host` lets other computers in."""
    page = _Page(channel, take, commune)

    def get(path: str, handler: Handler) -> None:
        app.router.add_get(path, _guarded(handler, any_host), allow_head=False)

    def post(path: str, handler: Handler) -> None:
        app.router.add_post(path, _guarded(handler, any_host))

    get("/", page.index)
    get("/chat/static/{name}", page.static)
    get("/chat/people", page.people)
    get("/chat/map", page.map)
    get("/chat/bubbles", page.bubbles)
    get("/chat/live", page.live)
    get("/chat/photo/{bubble}", page.photo)
    post("/chat/{seat}/say", page.say)
    post("/chat/{seat}/press", page.press)
    post("/chat/{seat}/place", page.place)
    post("/chat/{seat}/photo", page.send_photo)

    async def let_go(_: web.Application) -> None:
        await channel.stop()

    # Open pages would otherwise hold the server up for its whole shutdown time.
    app.on_shutdown.append(let_go)


class _Page:
    def __init__(self, channel: Webchat, take: Take, commune: Commune) -> None:
        self._channel = channel
        self._take = take
        self._commune = commune
        self._html = (HERE / "page.html").read_bytes()

    async def index(self, _: web.Request) -> web.Response:
        return web.Response(body=self._html, content_type="text/html", charset="utf-8")

    async def static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in STATIC:
            raise Refusal(404, "missing")
        return pages.file_response(name, STATIC[name])

    async def people(self, _: web.Request) -> web.Response:
        shown = ("id", "name", "role_line", "kind", "group")
        seats = [{name: asdict(seat)[name] for name in shown} for seat in self._channel.seats.values()]
        return web.json_response({"commune": self._commune.name, "seats": seats})

    async def map(self, _: web.Request) -> web.Response:
        return web.json_response({"villages": pages.villages_of(self._commune)})

    async def bubbles(self, request: web.Request) -> web.Response:
        """Without a question the newest of every seat; `after` goes forward, `seat` and `before` go back."""
        if "before" in request.query:
            seat = self._seat(request.query.get("seat", ""))
            found = await self._channel.before(seat.id, _number(request.query["before"]), HISTORY)
        elif "after" in request.query:
            found = await self._channel.since(_number(request.query["after"]), HISTORY)
        else:
            found = await self._channel.last(HISTORY)
        last = max((bubble.id for bubble in found), default=0)
        seen = [_dressed(bubble) for bubble in found if bubble.seat in self._channel.seats]
        return web.json_response({"bubbles": seen, "last": last, "page": HISTORY})

    async def live(self, request: web.Request) -> web.StreamResponse:
        after = _number(request.headers.get("Last-Event-ID") or request.query.get("after", "0"))
        response = web.StreamResponse(headers={"X-Accel-Buffering": "no"})
        pages.careful(response)
        response.content_type = "text/event-stream"
        await response.prepare(request)
        try:
            await response.write(b"retry: 1000\n\n")
            await self._tell(request, response, after)
        except ConnectionError:
            pass  # the page was closed; it asks again from where it was
        return response

    async def _tell(self, request: web.Request, response: web.StreamResponse, after: int) -> None:
        clock = asyncio.get_running_loop().time
        spoke = clock()
        with self._channel.listening() as ring:
            while self._channel.open and not _gone(request):
                ring.clear()
                for bubble in await self._channel.since(after, HISTORY):
                    after = bubble.id
                    if bubble.seat in self._channel.seats:
                        data = json.dumps(_dressed(bubble))
                        await response.write(f"id: {bubble.id}\ndata: {data}\n\n".encode())
                        spoke = clock()
                if clock() - spoke >= HEARTBEAT_SECONDS:
                    await response.write(b": still here\n\n")
                    spoke = clock()
                await _rung(ring, LOOK_SECONDS)

    async def photo(self, request: web.Request) -> web.Response:
        found = await self._channel.picture(_number(request.match_info["bubble"]))
        if found is None:
            raise Refusal(404, "missing")
        bubble, data = found
        if is_voice(bubble.photo):
            return _played(request, data)
        kind = image_kind(data)
        if kind is None or (kind not in OURS and not bubble.mine):
            return web.Response(body=PLACEHOLDER, content_type="image/svg+xml")
        name = f"anh-{bubble.id}.{kind.removeprefix('image/')}"
        headers = {
            # Never opened as a page of ours: only <img> on the page shows it.
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, max-age=3600",
        }
        return web.Response(body=data, content_type=kind, headers=headers)

    async def say(self, request: web.Request) -> web.Response:
        fields = await _json(request)
        text = fields.get("text")
        if not isinstance(text, str) or not (text := _storable(text)).strip():
            raise Refusal(400, "unreadable")
        if len(text) > MAX_TEXT:
            raise Refusal(413, "too_long")
        return await self._took(request, "say", fields, text=text, reply=fields.get("reply"))

    async def press(self, request: web.Request) -> web.Response:
        fields = await _json(request)
        return await self._took(request, "press", fields, action=fields.get("action"), of=fields.get("of"))

    async def place(self, request: web.Request) -> web.Response:
        fields = await _json(request)
        place = {name: fields.get(name) for name in ("lat", "lon", "reply")}
        return await self._took(request, "place", fields, **place)

    async def send_photo(self, request: web.Request) -> web.Response:
        """A photo; or a recording, by its type or its bytes: both are picked in the same way."""
        seat = self._seat(request.match_info["seat"])
        fields, data = await _form(request)
        key = _key(fields)
        if data is None:
            raise Refusal(400, "no_photo")
        voice = fields.pop(TYPE, "").startswith("audio/") or voices.kind_of(data) is not None
        # Sent again after a lost answer: the first copy stays as it was looked at.
        if not await self._channel.knows(seat.id, key):
            await self._channel.upload(seat.id, key, data, voice=voice)
        file: dict[str, object] = {
            "file": self._channel.upload_key(seat.id, key, voice=voice),
            "size": len(data),
            "caption": _storable(fields.get("caption", "")),
            "reply": _number(fields["reply"]) if fields.get("reply") else None,
        }
        if voice:
            return await self._took(request, "voice", fields, **file, seconds=voices.seconds_of(data))
        return await self._took(request, "photo", fields, **file, album=fields.get("album") or None)

    async def _took(
        self, request: web.Request, kind: str, posted: Mapping[str, Any], **fields: object
    ) -> web.Response:
        """Show it, then hand it on. Both know the key, so doing it again repairs and never doubles."""
        seat = self._seat(request.match_info["seat"])
        received = self._channel.receive(envelope(seat.id, kind, _key(posted), **fields))
        bubble = await self._channel.show(received)
        await self._take(received)
        return web.json_response({"id": bubble})

    def _seat(self, seat: str) -> Seat:
        if seat not in self._channel.seats:
            raise Refusal(404, "no_seat")
        return self._channel.seats[seat]


def _guarded(handler: Handler, any_host: bool) -> Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            _check(request, any_host)
            response = await handler(request)
        except Malformed:
            response = _refused(Refusal(400, "unreadable"))
        except web.HTTPRequestEntityTooLarge:
            response = _refused(Refusal(413, "too_long"))
        except Refusal as refusal:
            response = _refused(refusal)
        if not response.prepared:
            pages.careful(response)
        return response

    return guarded


def _refused(refusal: Refusal) -> web.Response:
    said = {"problem": refusal.why, "sentence": SENTENCES[refusal.why]}
    return web.json_response(said, status=refusal.status)


def _check(request: web.Request, any_host: bool) -> None:
    """Keep foreign pages out: by a name pointed at this computer, or by posting from another site."""
    host = request.headers.get("Host", "")
    if not any_host and _name(host) not in LOOPBACK:
        raise Refusal(403, "forbidden")
    if request.method != "POST":
        return
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        raise Refusal(403, "foreign")
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Refusal(403, "foreign")


def _name(host: str) -> str | None:
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname if parts.netloc == host and not parts.username else None
    except ValueError:
        return None


async def _json(request: web.Request) -> dict[str, Any]:
    # A form on another site can post text, but not this type without asking first.
    if request.content_type != "application/json":
        raise Refusal(415, "unreadable")
    try:
        fields = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise Refusal(400, "unreadable") from None
    if not isinstance(fields, dict):
        raise Refusal(400, "unreadable")
    return fields


async def _form(request: web.Request) -> tuple[dict[str, str], bytes | None]:
    """A form's short fields and its one file, read piece by piece and never past the limit."""
    if request.content_type != "multipart/form-data":
        raise Refusal(415, "unreadable")
    if (request.content_length or 0) > MAX_PHOTO + ROOM_FOR_FIELDS:
        raise Refusal(413, "too_big")
    fields: dict[str, str] = {}
    data: bytes | None = None
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader) or len(fields) > len(FORM_FIELDS):
                raise Refusal(400, "unreadable")
            if part.name == "photo":
                data = await _capped(part, MAX_PHOTO, "too_big")
                fields[TYPE] = part.headers.get("Content-Type", "")
            elif part.name in FORM_FIELDS:
                fields[part.name] = (await _capped(part, ROOM_FOR_FIELDS, "too_long")).decode()
    except (ValueError, AssertionError):
        raise Refusal(400, "unreadable") from None
    if len(fields.get("caption", "")) > MAX_TEXT:
        raise Refusal(413, "too_long")
    return fields, data or None


FORM_FIELDS = ("key", "album", "caption", "reply")
# What the page says that the file is; no field can have this name.
TYPE = "photo"
# What the bot itself shows: photos that were cleaned, pictures that were drawn.
OURS = ("image/jpeg", "image/png")


async def _capped(part: BodyPartReader, limit: int, why: str) -> bytes:
    held = bytearray()
    while piece := await part.read_chunk(PIECE):
        held += piece
        if len(held) > limit:
            raise Refusal(413, why)
    return bytes(held)


def _key(fields: Mapping[str, Any]) -> str:
    key = fields.get("key")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise Refusal(400, "unreadable")
    return key


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or int(text) > MAX_ID:
        raise Refusal(400, "unreadable")
    return int(text)


def _storable(text: str) -> str:
    """Without what no database keeps: zeros and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _dressed(bubble: Bubble) -> dict[str, Any]:
    """A bubble as the page draws it."""
    entries: list[dict[str, Any]] = json.loads(bubble.buttons)
    pressed = [{"of": entry["of"], "action": entry["pressed"]} for entry in entries if "pressed" in entry]
    replies = [entry["reply"] for entry in entries if "reply" in entry]
    return {
        "id": bubble.id,
        "seat": bubble.seat,
        "mine": bool(bubble.mine),
        "author": bubble.author,
        "text": bubble.text,
        "buttons": [entry for entry in entries if "action" in entry],
        "wants_place": any("place" in entry for entry in entries),
        "pressed": pressed[0] if pressed else None,
        "reply": replies[0] if replies else None,
        "photo": bubble.photo is not None and not is_voice(bubble.photo),
        "voice": is_voice(bubble.photo),
        "lat": bubble.lat,
        "lon": bubble.lon,
        "key": bubble.key.rpartition(":")[2] if bubble.mine else None,
        "at": bubble.at,
    }


def _played(request: web.Request, data: bytes) -> web.Response:
    ending = voices.kind_of(data)
    if ending is None:
        raise Refusal(404, "missing")
    response = pages.played(request, data, ending, "attachment")
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


def image_kind(data: bytes) -> str | None:
    """The type of a picture that browsers can show, by its first bytes."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return None


PLACEHOLDER = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 90">'
    b'<rect width="120" height="90" fill="#e6ece2"/>'
    b'<path d="M30 66l20-26 14 17 9-10 17 19z" fill="#a9bda6"/>'
    b'<circle cx="80" cy="30" r="8" fill="#a9bda6"/></svg>'
)


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


async def _rung(ring: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await ring.wait()
    except TimeoutError:
        return
