"""A paper channel: it plays transcripts through the real loops, and nothing but the network is missing."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from bot.app import Parts, build
from bot.channels.base import (
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
    Words,
)
from bot.core.message import Message
from bot.photos import Clean, PhotoTrouble
from storage.database import Database
from storage.files import Files

ROOT = Path(__file__).parent.parent
KINDS: dict[str, type[Any]] = {
    cls.__name__: cls for cls in (Words, Edited, Pressed, PlaceSent, Unsupported, Entered, Left, Moved)
}


@dataclass(slots=True)
class Said:
    """What the bot sent: to whom, and the outbox row it came from."""

    to: Address
    message: Message
    photo: bool
    key: int


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
    """The channel of the stories: keeps what was sent; `down` sends nothing, `deaf` chats blocked the bot."""

    name = "paper"
    pace = Pace(1e6, 1e6, 10**6, 1e6)

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
        self.said.append(Said(to, message, photo is not None, key))
        return Sent(f"m{key}")

    async def download(self, file: FileRef, limit: int) -> bytes:
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
    if kind not in KINDS:
        raise Malformed(kind)
    event: Event = KINDS[kind](**values)
    return event


class PaperStudio:
    """Stands where the photo worker stands: stories carry what the photo would have told."""

    async def clean(self, data: bytes) -> Clean:
        told = json.loads(data)
        if "problem" in told:
            raise PhotoTrouble(told["problem"])
        return Clean(small_jpeg(), 8, 8, "0" * 64, told.get("lat"), told.get("lon"))

    async def stop(self) -> None:
        return


def small_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (90, 140, 90)).save(buffer, "JPEG")
    return buffer.getvalue()


@dataclass(slots=True)
class Stage:
    """A running bot made of real parts, with a paper channel and a paper clock."""

    db: Database
    files: Files
    clock: PaperClock
    commune: Commune
    paper: Paper = field(default_factory=Paper)
    parts: Parts | None = None
    links: dict[str, Point] = field(default_factory=dict)
    count: int = 0

    def start(self) -> None:
        """(Re)start the program on the same database."""

        async def follow(url: str) -> Point | None:
            return self.links.get(url)

        self.parts = build(
            self.db,
            self.commune,
            [self.paper],
            files=self.files,
            studio=PaperStudio(),
            follow=follow,
            clock=self.clock,
        )

    @property
    def running(self) -> Parts:
        if self.parts is None:
            raise AssertionError("the program is off")
        return self.parts

    async def arrive(
        self,
        chat: str,
        account: str,
        event: Event,
        *,
        group: bool = False,
        name: str = "",
        replied: str | None = None,
        key: str | None = None,
    ) -> str:
        """Something arrives; returns the event's id, so that it can arrive again."""
        self.count += 1
        event_id = key or f"e{self.count}"
        values = _values(event)
        body = {
            "id": event_id,
            "chat": chat,
            "group": group,
            "account": account,
            "name": name,
            "event": {"kind": type(event).__name__, "values": values},
            "replied": replied,
        }
        await self.running.inbox.take("paper", self.paper.receive(json.dumps(body).encode()))
        return event_id

    async def settle(self) -> None:
        """Let every loop do what there is to do, until nothing moves."""
        parts = self.running
        for _ in range(50):
            moved = await parts.conversation.step()
            moved += await parts.fetching.step()
            before = len(self.paper.said)
            for delivery in parts.deliveries.values():
                await delivery.step()
                await delivery.settle()
            if not moved and before == len(self.paper.said):
                return
        raise AssertionError("the program does not come to rest")

    async def look(self) -> None:
        await self.running.reminders.look()


def _values(event: Event) -> dict[str, Any]:
    if isinstance(event, PhotoSent):
        file = {"id": event.file.id, "size": event.file.size, "as_file": event.file.as_file}
        return {"file": file, "caption": event.caption, "album": event.album}
    return {name: getattr(event, name) for name in type(event).__dataclass_fields__}


def stage(db: Database, folder: Path, start: datetime | None = None) -> Stage:
    clock = PaperClock(start or datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    made = Stage(db, Files(str(folder / "photos")), clock, load_commune(ROOT / "commune.toml"))
    made.start()
    return made


def texts(said: Sequence[Said]) -> list[str]:
    return [one.message.text for one in said]
