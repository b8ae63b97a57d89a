"""The local chat: the page's own posts in, bubbles out; nothing leaves this computer."""

import asyncio
import json
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.channels.base import (
    Abilities,
    Failed,
    FileTrouble,
    Malformed,
    Outcome,
    Pace,
    Parsed,
    Received,
    Refused,
    Sent,
    field,
)
from bot.core.commune import Commune, Unit
from bot.core.events import Address, Event, FileRef, PhotoSent, PlaceSent, Pressed, VoiceSent, Words
from bot.core.message import VOICES, Message
from storage import bubbles
from storage.bubbles import Bubble
from storage.database import Database
from storage.files import Files

Kind = Literal["resident", "room", "member"]

SEATS = Path(__file__).with_name("webchat_seats.toml")
MAX_TEXT = 100_000
MAX_ACTION_BYTES = 64
KEY = re.compile(r"[a-z0-9-]{8,64}", re.ASCII)
UPLOADS = "webchat/in/"
# What a recording is kept as when it comes in: whatever it is, it is to be heard.
UPLOADED_VOICE = ".voice"


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody at the page, with one chat open: `account` speaks there; `unit` and `role` when a member."""

    id: str
    name: str
    role_line: str
    kind: Kind
    account: str
    group: bool
    unit: str | None
    role: str | None


def seats_for(commune: Commune) -> tuple[Seat, ...]:
    """Two residents, a village's room, the police, the office: as far as the commune has them."""
    described = tomllib.loads(SEATS.read_text(encoding="utf-8"))["seats"]
    return tuple(seat for entry in described if (seat := _seat(entry, commune)) is not None)


def _seat(entry: dict[str, str], commune: Commune) -> Seat | None:
    unit = _unit_of(entry, commune)
    if unit is None and "of" in entry:
        return None

    def filled(text: str) -> str:
        return text if unit is None else text.replace("{unit}", unit.id).replace("{name}", unit.name)

    kinds: dict[str, Kind] = {"resident": "resident", "room": "room", "member": "member"}
    return Seat(
        id=filled(entry["id"]),
        name=entry["name"],
        role_line=filled(entry["role_line"]),
        kind=kinds[entry["kind"]],
        account=filled(entry.get("account", entry["id"])),
        group=entry["kind"] == "room",
        unit=None if unit is None else unit.id,
        role=entry.get("role"),
    )


def _unit_of(entry: dict[str, str], commune: Commune) -> Unit | None:
    match entry.get("of"):
        case "police":
            return commune.units.get(commune.police)
        case "office":
            return commune.units.get(commune.office)
        case "villages":
            placed = [unit for unit in commune.villages if unit.polygon or unit.centre]
            preferred = [unit for unit in commune.villages if unit.id == entry.get("prefer")]
            return next(iter([*preferred, *placed, *commune.villages]), None)
    return None


@dataclass(frozen=True, slots=True)
class Post:
    """One thing a person did on the page, as it is stored: `key` was made by the page and never repeats."""

    key: str
    seat: str
    event: Event
    reply: int | None = None
    of: int | None = None


class Webchat:
    """Implements `Channel`. `clock` gives milliseconds since 1970 UTC."""

    name = "webchat"
    pace = Pace(overall=1000.0, chat=100.0, burst=1000, group_minute=60_000.0)
    abilities = Abilities(text_max=MAX_TEXT)

    def __init__(self, db: Database, files: Files, seats: Sequence[Seat], clock: Callable[[], int]) -> None:
        self.seats = {seat.id: seat for seat in seats}
        self.open = True
        self._db = db
        self._files = files
        self._clock = clock
        self._listeners: set[asyncio.Event] = set()

    def receive(self, body: bytes) -> Received:
        try:
            raw = body.decode()
        except UnicodeDecodeError as error:
            raise Malformed("not UTF-8") from error
        post = _read(raw)
        seat = self._seat(post.seat)
        return Received(event=f"{seat.id}:{post.key}", chat=seat.id, raw=raw)

    def parse(self, raw: str) -> Parsed | None:
        post = _read(raw)
        seat = self._seat(post.seat)
        return Parsed(
            address=Address(self.name, seat.id, seat.group),
            account=seat.account,
            event=post.event,
            name=seat.name,
            replied=None if post.reply is None else str(post.reply),
        )

    async def send(self, to: Address, message: Message, photo: bytes | None, key: int) -> Outcome:
        if to.chat not in self.seats:
            return Refused("gone", "no such seat")
        ending = (message.photo or "").rpartition(".")[2] if message.voice else "jpg"
        stored = None if photo is None else f"webchat/out/{key}.{ending}"

        async def work(conn: AsyncConnection) -> int:
            added = await bubbles.add(
                conn,
                seat=to.chat,
                mine=False,
                author="",
                text=message.text,
                buttons=_choices(message),
                photo=stored,
                key=f"bot:{key}",
                at=self._clock(),
            )
            return added or await _known(conn, f"bot:{key}")

        try:
            if stored is not None and photo is not None:
                await self._files.put(stored, photo)
            bubble = await self._db.write(work)
        except Exception as error:
            # The key lets a second try change nothing, so every failure may be tried again.
            return Failed(type(error).__name__, delivered_maybe=False)
        self.wake()
        return Sent(str(bubble))

    async def download(self, file: FileRef, limit: int) -> bytes:
        if not file.id.startswith(UPLOADS):
            raise FileTrouble("missing", final=True)
        try:
            data = await self._files.get(file.id)
        except (FileNotFoundError, ValueError) as error:
            raise FileTrouble("missing", final=True) from error
        if len(data) > limit:
            raise FileTrouble("too_big", final=True)
        return data

    async def start(self) -> None:
        self.open = True

    async def stop(self) -> None:
        """Let the open pages go, so that the server can stop."""
        self.open = False
        self.wake()

    async def knows(self, seat: str, key: str) -> bool:
        """Whether this was posted before."""
        async with self._db.read() as conn:
            return await bubbles.by_key(conn, _own_key(seat, key)) is not None

    def upload_key(self, seat: str, key: str, *, voice: bool = False) -> str:
        """Where a person's file is kept; it goes into the post."""
        return f"{UPLOADS}{seat}/{key}{UPLOADED_VOICE if voice else ''}"

    async def upload(self, seat: str, key: str, data: bytes, *, voice: bool = False) -> None:
        """Keep a person's file as it is."""
        await self._files.put(self.upload_key(seat, key, voice=voice), data)

    async def show(self, received: Received) -> int:
        """Put what a person did on the page, once; the bubble's id."""
        post = _read(received.raw)
        seat = self._seat(post.seat)
        own = _own_key(seat.id, post.key)

        async def work(conn: AsyncConnection) -> int:
            text, photo, lat, lon = await _shown(conn, post)
            added = await bubbles.add(
                conn,
                seat=seat.id,
                mine=True,
                author=seat.name,
                text=text,
                buttons=_traces(post),
                photo=photo,
                lat=lat,
                lon=lon,
                key=own,
                at=self._clock(),
            )
            return added or await _known(conn, own)

        bubble = await self._db.write(work)
        self.wake()
        return bubble

    async def since(self, after: int, limit: int) -> list[Bubble]:
        async with self._db.read() as conn:
            return await bubbles.since(conn, after, limit)

    async def last(self, per_seat: int) -> list[Bubble]:
        async with self._db.read() as conn:
            return await bubbles.last(conn, per_seat)

    async def before(self, seat: str, first: int, limit: int) -> list[Bubble]:
        async with self._db.read() as conn:
            return await bubbles.before(conn, seat, first, limit)

    async def picture(self, bubble: int) -> tuple[Bubble, bytes] | None:
        """A bubble with its picture or recording, empty when the file is gone; None: there never was one."""
        async with self._db.read() as conn:
            found = await bubbles.one(conn, bubble)
        if found is None or found.photo is None:
            return None
        try:
            return found, await self._files.get(found.photo)
        except FileNotFoundError:
            return found, b""

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event, set whenever there may be something new; whoever waits clears it before looking."""
        ring = asyncio.Event()
        self._listeners.add(ring)
        try:
            yield ring
        finally:
            self._listeners.discard(ring)

    def wake(self) -> None:
        for ring in self._listeners:
            ring.set()

    def _seat(self, seat: str) -> Seat:
        if seat not in self.seats:
            raise Malformed("seat")
        return self.seats[seat]


def envelope(seat: str, kind: str, key: str, **fields: object) -> bytes:
    """What the routes hand to `receive`."""
    return json.dumps({"key": key, "seat": seat, "kind": kind, "fields": fields}).encode()


def is_voice(stored: str | None) -> bool:
    """Whether what a bubble carries is to be heard."""
    return stored is not None and stored.endswith((*VOICES, UPLOADED_VOICE))


def _own_key(seat: str, key: str) -> str:
    return f"me:{seat}:{key}"


async def _known(conn: AsyncConnection, key: str) -> int:
    known = await bubbles.by_key(conn, key)
    assert known is not None, "a key that is taken belongs to a bubble"
    return known.id


def _choices(message: Message) -> str:
    entries: list[dict[str, object]] = [{"label": b.label, "action": b.action} for b in message.buttons]
    if message.place_wanted:
        entries.append({"place": True})
    return json.dumps(entries, ensure_ascii=False)


def _traces(post: Post) -> str:
    """What a person's bubble points at, kept where the bot's bubbles keep their buttons."""
    entries: list[dict[str, object]] = []
    if isinstance(post.event, Pressed):
        entries.append({"pressed": post.event.action, "of": post.of})
    if post.reply is not None:
        entries.append({"reply": post.reply})
    return json.dumps(entries)


async def _shown(conn: AsyncConnection, post: Post) -> tuple[str, str | None, float | None, float | None]:
    match post.event:
        case Words(text):
            return text, None, None, None
        case Pressed(action):
            return await _label(conn, post, action), None, None, None
        case PhotoSent(file, caption) | VoiceSent(file, caption=caption):
            return caption, file.id, None, None
        case PlaceSent(lat, lon):
            return "", None, lat, lon
    raise Malformed("kind")


async def _label(conn: AsyncConnection, post: Post, action: str) -> str:
    """What stands on the button; the action itself when that bubble has no such button."""
    bubble = None if post.of is None else await bubbles.one(conn, post.of)
    if bubble is None or bubble.mine or bubble.seat != post.seat:
        return action
    labels = [str(entry["label"]) for entry in json.loads(bubble.buttons) if entry.get("action") == action]
    return labels[0] if labels else action


def _read(raw: str) -> Post:
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Malformed("not JSON") from error
    key = _string(payload, "key")
    if not KEY.fullmatch(key):
        raise Malformed("key")
    return Post(
        key=key,
        seat=_string(payload, "seat"),
        event=_event(_string(payload, "kind"), field(payload, "fields")),
        reply=_bubble(field(payload, "fields"), "reply"),
        of=_bubble(field(payload, "fields"), "of"),
    )


def _event(kind: str, fields: Any) -> Event:
    match kind:
        case "say":
            return Words(_words(fields, "text", at_least=1))
        case "press":
            return Pressed(_action(fields))
        case "place":
            return PlaceSent(_degrees(fields, "lat"), _degrees(fields, "lon"))
        case "photo":
            return _photo(fields)
        case "voice":
            return _voice(fields)
    raise Malformed("kind")


def _voice(fields: Any) -> VoiceSent:
    seconds = field(fields, "seconds")
    if type(seconds) is not int or seconds < 0:
        raise Malformed("seconds")
    return VoiceSent(FileRef(*_file(fields)), seconds, _words(fields, "caption"))


def _file(fields: Any) -> tuple[str, int]:
    file, size = _string(fields, "file"), field(fields, "size")
    if not file.startswith(UPLOADS) or type(size) is not int or size < 0:
        raise Malformed("file")
    return file, size


def _photo(fields: Any) -> PhotoSent:
    file, size = _file(fields)
    album = None if fields.get("album") is None else _string(fields, "album")
    if album is not None and not KEY.fullmatch(album):
        raise Malformed("album")
    # As a file: what the page sends is untouched, so its GPS is still in it.
    return PhotoSent(FileRef(file, size, as_file=True), _words(fields, "caption"), album)


def _string(payload: Any, name: str) -> str:
    value = field(payload, name)
    if not isinstance(value, str):
        raise Malformed(name)
    return value


def _words(fields: Any, name: str, at_least: int = 0) -> str:
    text = _string(fields, name)
    # Halves of a surrogate pair and zeros cannot be stored by either database.
    if not at_least <= len(text) <= MAX_TEXT or "\0" in text or re.search("[\ud800-\udfff]", text):
        raise Malformed(name)
    return text


def _action(fields: Any) -> str:
    action = _words(fields, "action", at_least=1)
    if len(action.encode()) > MAX_ACTION_BYTES:
        raise Malformed("action")
    return action


def _degrees(fields: Any, name: str) -> float:
    value = field(fields, name)
    if type(value) not in (int, float) or abs(value) > 1e9 or not math.isfinite(value):
        raise Malformed(name)
    return float(value)


def _bubble(fields: Any, name: str) -> int | None:
    value = fields.get(name) if isinstance(fields, dict) else None
    if value is None:
        return None
    if type(value) is not int or not 0 < value < 2**63:
        raise Malformed(name)
    return value
