"""The one shape of a channel: payload in, events out; message in, outcome out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from multidict import CIMultiDictProxy

from bot.core.events import Address, Event, FileRef
from bot.core.message import Message
from bot.core.window import Window


@dataclass(frozen=True, slots=True)
class Received:
    """A platform's payload, read just far enough to store it: `event` never repeats, `chat` orders it."""

    event: str
    chat: str
    raw: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a stored payload means. None instead of it: nothing for us (known and ignored)."""

    address: Address
    account: str
    event: Event
    name: str = ""
    replied: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Flood:
    """The platform says wait: nothing at all goes out on this channel for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Not now: try again later. `delivered_maybe` when the request may have reached the platform."""

    problem: str
    delivered_maybe: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: why is blocked (the person or group left us), gone (no such chat), rejected (the message) or
    window (the person has not written for too long).
    """

    why: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Relocated:
    """The chat lives at another id now; the message was not sent."""

    chat: str


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """The platform no longer knows our credentials, or lets us do nothing: until somebody acts.

    It is tried again after `rest` seconds, with one message.
    """

    problem: str
    rest: float = 60.0


Outcome = Sent | Flood | Failed | Refused | Relocated | Unauthorized


class FileTrouble(Exception):
    """A file could not be fetched; `final` when trying again cannot help; `problem` as photos.PROBLEMS."""

    def __init__(self, problem: str, *, final: bool) -> None:
        super().__init__(problem)
        self.problem = problem
        self.final = final


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the platform lets us speak: `overall` a second; each chat one per `1/chat` s after `burst`."""

    overall: float
    chat: float
    burst: int
    group_minute: float


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a platform can show; what it cannot is made up for in words.

    `text_max` in characters; `numbered`: choices are written in the text, too, each with its number, which
    people answer with. `rooms_act`: groups have buttons and pictures. `introduces`: whoever
    writes for the first time is told that no person answers. `window`: when a person may be written
    to; None: always. `place_picture` names the picture that shows how a place is sent, where no button asks.
    `edits`: a sent message can be changed (the channel is one of `Edits`).
    """

    text_max: int = 4096
    numbered: bool = False
    rooms_act: bool = True
    introduces: bool = False
    window: Window | None = None
    place_picture: str | None = None
    edits: bool = False

    @property
    def place_picture_key(self) -> str | None:
        """Its key in the photo store."""
        return None if self.place_picture is None else f"static/{self.place_picture}"


@dataclass(frozen=True, slots=True)
class Links:
    """Our own pages, for one chat or one stored file; they are signed and do not last."""

    place: Callable[[Address], str]
    voice: Callable[[str], str]
    photo: Callable[[str], str]


def picture_type(data: bytes) -> str:
    """What a picture of ours is: people's photos are JPEG, what we draw is PNG."""
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"


class Malformed(ValueError):
    """The payload is not one of the platform's: it is kept aside and answered 200."""


Headers = CIMultiDictProxy[str]


@runtime_checkable
class Edits(Protocol):
    """A channel that can change what it sent; its abilities say so, too."""

    async def edit(self, to: Address, sent: str, message: Message) -> Outcome:
        """Put the message in the place of the one with the platform's id `sent`, in one call."""


class Channel(Protocol):
    """A platform. Everything outside this shape stays inside its file."""

    name: str
    pace: Pace
    abilities: Abilities

    def receive(self, body: bytes) -> Received:
        """Read a payload's identity. Raises Malformed."""

    def parse(self, raw: str) -> Parsed | None:
        """Read a stored payload. Raises Malformed."""

    async def send(self, to: Address, message: Message, photo: bytes | None, key: int) -> Outcome:
        """One platform call. `photo` is JPEG or PNG, or a recording when `message.voice`.

        `key` is the outbox row, for platforms that can deduplicate.
        """

    async def download(self, file: FileRef, limit: int) -> bytes:
        """The file's bytes, at most `limit`. Raises FileTrouble."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def field(payload: Mapping[str, Any], *names: str) -> Any:
    """Walk into nested mappings; Malformed where the path breaks."""
    here: Any = payload
    for name in names:
        if not isinstance(here, Mapping) or name not in here:
            raise Malformed(".".join(names))
        here = here[name]
    return here
