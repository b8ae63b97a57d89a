"""What a story needs of a platform: people do things there, and see what the bot sent."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from bot.channels.base import Channel, Received
from bot.clock import Clock
from bot.core.events import Event
from bot.core.message import Button
from storage.database import Database
from storage.files import Files

Take = Callable[[Received], Awaitable[None]]


class Strange(AssertionError):
    """The bot sent something that no reader of the story could have seen so."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who appears, and in each room whoever speaks there first (nobody, in a room that only listens)."""

    people: tuple[str, ...]
    rooms: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person does in a chat: `on` is the bot's message that they answer, or whose button they press.

    A photo's file is named by the story; `data` is what a download of it brings.
    """

    who: str
    where: str
    group: bool
    what: Event
    on: str | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Said:
    """What one reader saw: `where` in the story's names, `id` the platform's name of the message."""

    where: str
    text: str
    buttons: tuple[Button, ...]
    photo: bool
    id: str
    voice: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """What surrounds a platform in a story."""

    cast: Cast
    db: Database
    files: Files
    clock: Clock


class Platform(Protocol):
    """One channel with everything that lies behind it. It outlives the program: `start` is a new process."""

    # The kinds of line (script.kinds) that this platform cannot have, each with the reason.
    lacks: ClassVar[Mapping[str, str]]

    def __init__(self, world: World) -> None: ...

    async def start(self) -> Channel: ...

    async def stop(self) -> None: ...

    async def close(self) -> None: ...

    def account(self, who: str) -> str:
        """What the platform calls a person."""

    def chat(self, where: str) -> str:
        """What the platform calls a room, or a person's private chat."""

    async def arrive(self, deed: Deed, take: Take) -> None:
        """The platform's own payload goes to the channel's `receive`, and on to `take`."""

    async def again(self, take: Take) -> None:
        """The last payload is delivered a second time."""

    async def news(self) -> list[Said]:
        """What was delivered since the last call."""

    def breaks(self, broken: bool) -> None:
        """Nothing can be sent, until it is mended."""

    def blocks(self, where: str) -> None:
        """A chat takes no more messages."""
