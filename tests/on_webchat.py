"""A story in the local chat: what its page posts in, and the bubbles that the page would draw."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from bot import voices
from bot.channels.base import Channel
from bot.channels.webchat import Seat, Webchat, envelope, is_voice
from bot.core.events import PhotoSent, PlaceSent, Pressed, VoiceSent, Words
from bot.core.message import Button
from storage.bubbles import Bubble
from storage.database import Database, Work
from tests.platforms import Cast, Deed, Said, Strange, Take, World

T = TypeVar("T")

LOOK = 500


class Stubborn(Database):
    """The story's own database, as the channel sees it: it refuses to write when told to."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.refuses = False

    async def write(self, work: Work[T]) -> T:
        if self.refuses:
            raise OSError("the disk is full")
        return await self._db.write(work)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        async with self._db.read() as conn:
            yield conn


class OnWebchat:
    """Everybody has a seat of their own; a room is a seat too, taken by whoever speaks there first."""

    lacks: ClassVar[Mapping[str, str]] = {
        "edited": "what was said on the page cannot be changed",
        "unsupported": "the page posts words, photos and places only",
        "membership": "seats are there from the start; nobody adds the bot, removes it or lets it back in",
        "second speaker": "a seat has one person, and so a room has one voice",
    }

    def __init__(self, world: World) -> None:
        self._chats, self._accounts, seats = _seated(world.cast)
        self._names = {seat: name for name, seat in self._chats.items()}
        self._world = world
        self._db = Stubborn(world.db)
        self._channel = Webchat(self._db, world.files, seats, world.clock.ms)
        self._last = b""
        self._keys = 0
        self._seen = 0
        self._broken = False

    async def start(self) -> Channel:
        self._channel = Webchat(
            self._db, self._world.files, list(self._channel.seats.values()), self._world.clock.ms
        )
        await self._channel.start()
        return self._channel

    async def stop(self) -> None:
        await self._channel.stop()

    async def close(self) -> None:
        await self._channel.stop()

    def account(self, who: str) -> str:
        return self._accounts[who]

    def chat(self, where: str) -> str:
        return self._chats[where]

    async def arrive(self, deed: Deed, take: Take) -> None:
        self._keys += 1
        key = f"key-{self._keys:08d}"
        seat = self.chat(deed.where)
        if self._channel.seats[seat].account != self.account(deed.who):
            raise Strange(f"{deed.who} does not sit at {deed.where}")
        if isinstance(deed.what, PhotoSent):
            await self._channel.upload(seat, key, deed.data)
        if isinstance(deed.what, VoiceSent):
            await self._channel.upload(seat, key, deed.data, voice=True)
        kind, fields = self._posted(deed, seat, key)
        self._last = envelope(seat, kind, key, **fields)
        await self.again(take)

    async def again(self, take: Take) -> None:
        """As the page's routes do it: shown, then handed on."""
        received = self._channel.receive(self._last)
        # A page whose own words could not be shown would keep them; only the bot's fail in a story.
        self._db.refuses = False
        await self._channel.show(received)
        self._db.refuses = self._broken
        await take(received)

    async def news(self) -> list[Said]:
        found = await self._channel.since(self._seen, LOOK)
        self._seen = max([self._seen, *(bubble.id for bubble in found)])
        return [await self._drawn(bubble) for bubble in found if not bubble.mine]

    def breaks(self, broken: bool) -> None:
        self._db.refuses = self._broken = broken

    def blocks(self, where: str) -> None:
        """The nearest thing: its seat is no longer at the page."""
        del self._channel.seats[self.chat(where)]

    async def _drawn(self, bubble: Bubble) -> Said:
        if bubble.seat not in self._channel.seats:
            raise Strange(f"no such seat: {bubble.seat}")
        voice = is_voice(bubble.photo)
        if bubble.photo is not None:
            found = await self._channel.picture(bubble.id)
            if found is None or (voice and voices.kind_of(found[1]) is None):
                raise Strange("a voice message that cannot be played")
            if not voice and not found[1].startswith((b"\xff\xd8\xff", b"\x89PNG")):
                raise Strange("a photo that cannot be drawn")
        entries: list[dict[str, Any]] = json.loads(bubble.buttons)
        buttons = [Button(entry["label"], entry["action"]) for entry in entries if "action" in entry]
        where = self._names[bubble.seat]
        seen = bubble.photo is not None and not voice
        return Said(where, bubble.text, tuple(buttons), seen, str(bubble.id), voice)

    def _posted(self, deed: Deed, seat: str, key: str) -> tuple[str, dict[str, object]]:
        on = None if deed.on is None else int(deed.on)
        match deed.what:
            case Words(text):
                return "say", {"text": text, "reply": on}
            case Pressed(action):
                return "press", {"action": action, "of": on}
            case PlaceSent(lat, lon):
                return "place", {"lat": lat, "lon": lon, "reply": on}
            case PhotoSent(_, caption, album):
                together = None if album is None else f"album-{album}"
                photo = {"file": self._channel.upload_key(seat, key), "size": len(deed.data)}
                return "photo", {**photo, "caption": caption, "album": together, "reply": on}
            case VoiceSent(caption=caption):
                # As the page's route does it: how long a recording is, its bytes say.
                told = {"size": len(deed.data), "seconds": voices.seconds_of(deed.data)}
                file = self._channel.upload_key(seat, key, voice=True)
                return "voice", {"file": file, **told, "caption": caption, "reply": on}
        raise Strange(type(deed.what).__name__)


def _seated(cast: Cast) -> tuple[dict[str, str], dict[str, str], list[Seat]]:
    """Chats and accounts by name, and the seats. An account is never its seat: a mix-up must show."""
    accounts = {name: f"nguoi-{n}" for n, name in enumerate(cast.people, 1)}
    chats: dict[str, str] = {}
    seats: list[Seat] = []
    for number, name in enumerate(cast.people, 1):
        chats[name] = f"ghe-{number}"
        seats.append(Seat(chats[name], name, "", "resident", accounts[name], False, None, None))
    for number, (name, speaker) in enumerate(cast.rooms.items(), 1):
        chats[name] = f"phong-{number}"
        account = "khong-ai" if speaker is None else accounts[speaker]
        seats.append(Seat(chats[name], speaker or name, "", "room", account, True, None, None))
    return chats, accounts, seats
