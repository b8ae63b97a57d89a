"""A paper channel and a paper clock: stories run through the real loops, only the network is missing."""

import hashlib
import io
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import sqlalchemy as sa
from PIL import Image

from bot import app
from bot.app import Parts
from bot.channels.base import (
    Abilities,
    Channel,
    Failed,
    FileTrouble,
    Malformed,
    Outcome,
    Pace,
    Parsed,
    Received,
    Refused,
    Sent,
)
from bot.config import load_commune
from bot.core.commune import Commune, Point
from bot.core.events import (
    Address,
    Edited,
    Entered,
    Event,
    FileRef,
    Left,
    Moved,
    PhotoSent,
    PlaceSent,
    Pressed,
    Unsupported,
    VoiceSent,
    Words,
)
from bot.core.invite import SYMBOLS, spell
from bot.core.message import Message
from bot.core.words import Lexicon
from bot.messages import Messages
from bot.painting import Undrawable
from bot.photos import Clean, PhotoTrouble
from storage.database import Database
from storage.files import Files
from storage.tables import (
    BroadcastState,
    InboxState,
    OutboxState,
    PhotoState,
    PictureState,
    broadcasts,
    campaigns,
    inbox,
    links,
    outbox,
    photos,
    pictures,
    reports,
    sessions,
    tasks,
)
from tests.platforms import Deed, Platform, Said, Take, World

ROOT = Path(__file__).parent.parent
KINDS: dict[str, type[Any]] = {
    cls.__name__: cls for cls in (Words, Edited, Pressed, PlaceSent, Unsupported, Entered, Left, Moved)
}


class PaperClock:
    """Time that moves when the story says so."""

    def __init__(self, start: datetime) -> None:
        self.at = start

    def now(self) -> datetime:
        return self.at

    def ms(self) -> int:
        return int(self.at.timestamp() * 1000)

    def monotonic(self) -> float:
        return self.at.timestamp()

    def move(self, by: timedelta) -> None:
        self.at += by


class Paper:
    """The channel that dresses nothing: what it sends is the message as the core means it."""

    name = "paper"
    pace = Pace(1e6, 1e6, 10**6, 1e6)
    abilities = Abilities()

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.down = False
        self.deaf: set[str] = set()
        self.files: dict[str, bytes] = {}

    def receive(self, body: bytes) -> Received:
        found = json.loads(body)
        return Received(found["id"], found["chat"], body.decode())

    def parse(self, raw: str) -> Parsed | None:
        found = json.loads(raw)
        address = Address("paper", found["chat"], found["group"])
        return Parsed(address, found["account"], _event(found["event"]), found["name"], found.get("replied"))

    async def send(self, to: Address, message: Message, photo: bytes | None, key: int) -> Outcome:
        if self.down:
            return Failed("down", delivered_maybe=False)
        if to.chat in self.deaf:
            return Refused("blocked")
        seen = photo is not None and not message.voice
        self.said.append(Said(to.chat, message.text, message.buttons, seen, f"m{key}", message.voice))
        return Sent(f"m{key}")

    async def download(self, file: FileRef, limit: int) -> bytes:
        if self.down:
            raise FileTrouble("missing", final=False)
        if file.id not in self.files:
            raise FileTrouble("missing", final=True)
        return self.files[file.id]

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        return


def _event(found: dict[str, Any]) -> Event:
    kind, values = found["kind"], found["values"]
    if kind == "PhotoSent":
        return PhotoSent(FileRef(**values["file"]), values["caption"], values["album"])
    if kind == "VoiceSent":
        return VoiceSent(FileRef(**values["file"]), values["seconds"], values["caption"])
    if kind not in KINDS:
        raise Malformed(kind)
    event: Event = KINDS[kind](**values)
    return event


def _values(event: Event) -> dict[str, Any]:
    if isinstance(event, PhotoSent | VoiceSent):
        file = {"id": event.file.id, "size": event.file.size, "as_file": event.file.as_file}
        if isinstance(event, VoiceSent):
            return {"file": file, "seconds": event.seconds, "caption": event.caption}
        return {"file": file, "caption": event.caption, "album": event.album}
    return {name: getattr(event, name) for name in type(event).__dataclass_fields__}


class OnPaper:
    """Everything can happen on paper, and everybody is called by their name."""

    lacks: ClassVar[Mapping[str, str]] = {}

    def __init__(self, world: World) -> None:
        self._paper = Paper()
        self._last = b""
        self._count = 0

    async def start(self) -> Channel:
        return self._paper

    async def stop(self) -> None:
        return

    async def close(self) -> None:
        return

    def account(self, who: str) -> str:
        return who

    def chat(self, where: str) -> str:
        return where

    async def arrive(self, deed: Deed, take: Take) -> None:
        self._count += 1
        if isinstance(deed.what, PhotoSent | VoiceSent):
            self._paper.files[deed.what.file.id] = deed.data
        body = {
            "id": f"e{self._count}",
            "chat": deed.where,
            "group": deed.group,
            "account": deed.who,
            "name": deed.who,
            "event": {"kind": type(deed.what).__name__, "values": _values(deed.what)},
            "replied": None if isinstance(deed.what, Pressed) else deed.on,
        }
        self._last = json.dumps(body).encode()
        await self.again(take)

    async def again(self, take: Take) -> None:
        await take(self._paper.receive(self._last))

    async def news(self) -> list[Said]:
        said, self._paper.said = self._paper.said, []
        return said

    def breaks(self, broken: bool) -> None:
        self._paper.down = broken

    def blocks(self, where: str) -> None:
        self._paper.deaf.add(where)


class PaperStudio:
    """Stands where the photo worker stands: stories carry what the photo would have told."""

    def __init__(self) -> None:
        self._seen = 0

    async def clean(self, data: bytes) -> Clean:
        told = json.loads(data)
        self._seen += 1
        if "problem" in told:
            raise PhotoTrouble(told["problem"])
        return Clean(
            small_jpeg(), 8, 8, told.get("looks") or _print(self._seen), told.get("lat"), told.get("lon")
        )

    async def stop(self) -> None:
        return


class PaperPainter:
    """Stands where the drawing worker stands: every word that a real drawing needs must be there."""

    async def draw(self, spec: str) -> bytes:
        found = json.loads(spec)
        if found["kind"] not in KINDS_DRAWN or not {"title", "whose", "upto", "commune"} <= set(
            found["words"]
        ):
            raise Undrawable("broken")
        return small_png()

    async def stop(self) -> None:
        return


def _print(seen: int) -> str:
    """No two photos of a story are alike, unless it says so."""
    return hashlib.sha256(str(seen).encode()).hexdigest()


KINDS_DRAWN = ("board", "targets", "weeks", "villages")


@cache
def small_png() -> bytes:
    buffer = io.BytesIO()
    Image.new("P", (8, 8)).save(buffer, "PNG")
    return buffer.getvalue()


@cache
def small_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (90, 140, 90)).save(buffer, "JPEG")
    return buffer.getvalue()


def spoken_ogg(seconds: int) -> bytes:
    """An Ogg file with Opus in it, as phones record: a head, and a last page that says how long it plays."""
    head = b"OpusHead\x01\x01" + (0).to_bytes(2, "little") + (48_000).to_bytes(4, "little") + bytes(3)
    return _page(0, 2, 0, head) + _page(1, 4, seconds * 48_000, bytes(40))


def _page(number: int, kind: int, granule: int, packet: bytes) -> bytes:
    fields = struct.pack("<4sBBqIIIBB", b"OggS", 0, kind, granule, 7, number, 0, 1, len(packet))
    return fields + packet


@cache
def _words() -> tuple[Commune, Lexicon, Messages]:
    """Nothing changes them, and they take longer to read than a story to play: once a process."""
    commune = load_commune(ROOT / "commune.toml")
    return commune, Lexicon(commune), Messages()


def _owed(channel: str, now: int) -> sa.Select[Any]:
    """What the loops could do now: decide, send, fetch or promise; and a number that grows with arrivals."""

    def count(table: sa.Table, *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
        return sa.select(sa.func.count()).select_from(table).where(*where).scalar_subquery()

    due = (outbox.c.channel == channel, outbox.c.state == OutboxState.DUE, outbox.c.due_at <= now)
    photo = count(photos, photos.c.state == PhotoState.WAITING, photos.c.due_at <= now)
    begun = sa.func.coalesce(broadcasts.c.starts_at, 0) <= now
    going = count(broadcasts, broadcasts.c.state == BroadcastState.GOING, begun)
    stopped = count(broadcasts, broadcasts.c.state == BroadcastState.STOPPED)
    undrawn = count(pictures, pictures.c.state == PictureState.WAITING, pictures.c.due_at <= now)
    return sa.select(
        count(inbox, inbox.c.state == InboxState.NEW),
        count(outbox, *due),
        photo + going + stopped + undrawn + count(links, links.c.due_at <= now),
        sa.select(sa.func.max(inbox.c.id)).scalar_subquery(),
    )


def _moments(now: int) -> sa.Select[Any]:
    """The first moment after `now` that a row waits for."""
    waits: tuple[tuple[sa.Column[Any], tuple[sa.ColumnElement[bool], ...]], ...] = (
        (sessions.c.wake_at, ()),
        # Another try to send is no moment of the story: when it comes is chance.
        (outbox.c.due_at, (outbox.c.state == OutboxState.DUE, outbox.c.tries == 0)),
        (photos.c.due_at, (photos.c.state == PhotoState.WAITING,)),
        (pictures.c.due_at, (pictures.c.state == PictureState.WAITING,)),
        (links.c.due_at, ()),
        (campaigns.c.due_at, ()),
        (broadcasts.c.starts_at, (broadcasts.c.state == BroadcastState.GOING,)),
        (tasks.c.due_at, ()),
        (reports.c.ack_by, (reports.c.closed_at.is_(None),)),
        (reports.c.fix_by, (reports.c.closed_at.is_(None),)),
    )
    each = [sa.select(moment.label("at")).where(moment > now, *where) for moment, where in waits]
    return sa.select(sa.func.min(sa.union_all(*each).subquery().c.at))


@dataclass(slots=True)
class Stage:
    """A running bot made of real parts, on one platform, with a paper clock."""

    platform: Platform
    db: Database
    files: Files
    clock: PaperClock
    channel: Channel | None = None
    parts: Parts | None = None
    links: dict[str, Point] = field(default_factory=dict)
    invites: int = 0

    def _draw_invite(self) -> str:
        """A story knows which code comes next."""
        self.invites += 1
        return spell(f"M5T8QXD{SYMBOLS[self.invites]}")

    async def start(self) -> None:
        """(Re)start the program on the same database."""
        commune, lexicon, messages = _words()
        self.channel = channel = await self.platform.start()
        await app.hang_pictures(self.db, self.files, [channel])

        async def follow(url: str) -> Point | None:
            return self.links.get(url)

        with patch.multiple(app, Lexicon=lambda _: lexicon, Messages=lambda: messages):
            self.parts = app.build(
                self.db,
                commune,
                [channel],
                files=self.files,
                studio=PaperStudio(),
                painter=PaperPainter(),
                follow=follow,
                clock=self.clock,
                draw_invite=self._draw_invite,
            )

    async def stop(self) -> None:
        self.parts = None
        await self.platform.stop()

    @property
    def running(self) -> Parts:
        if self.parts is None:
            raise AssertionError("the program is off")
        return self.parts

    @property
    def name(self) -> str:
        if self.channel is None:
            raise AssertionError("the program was never on")
        return self.channel.name

    async def take(self, received: Received) -> None:
        await self.running.inbox.take(self.name, received)

    async def settle(self) -> None:
        """Let the loops do what there is to do, until nothing moves: what was promised goes out first."""
        parts = self.running
        before: tuple[int, ...] = ()
        for _ in range(200):
            async with self.db.read() as conn:
                now = tuple((await conn.execute(_owed(self.name, self.clock.ms()))).one())
            inbox_now, outbox_now, fetch_now, _ = now
            if not any((inbox_now, outbox_now, fetch_now)) or now == before:
                return
            before = now
            if inbox_now:
                await parts.conversation.step()
            elif not outbox_now:
                await parts.fetching.step()
                await parts.broadcasting.step()
                await parts.picturing.step()
            for delivery in parts.deliveries.values():
                await delivery.step()
                await delivery.settle()
        raise AssertionError("the program does not come to rest")

    async def news(self) -> list[Said]:
        """What was said since the last call, in the order in which it was promised.

        How fast each chat was served is not the story's matter. The outbox knows each by the platform's
        own id, as it must: by it people answer.
        """
        said = await self.platform.news()
        if not said:
            return []
        found = sa.select(outbox.c.chat, outbox.c.platform_id, outbox.c.id).where(
            outbox.c.channel == self.name, outbox.c.platform_id.in_([one.id for one in said])
        )
        async with self.db.read() as conn:
            promised = {(chat, message): row for chat, message, row in await conn.execute(found)}
        return sorted(said, key=lambda one: promised[self.platform.chat(one.where), one.id])

    async def look(self) -> int:
        return await self.running.reminders.look()

    async def next_due(self) -> datetime | None:
        """The next moment at which something is to happen by itself."""
        async with self.db.read() as conn:
            due: int | None = (await conn.execute(_moments(self.clock.ms()))).scalar()
        # Not a moment too early: milliseconds do not survive a datetime whole.
        return None if due is None else datetime.fromtimestamp(due / 1000, UTC) + timedelta(milliseconds=1)
