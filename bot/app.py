"""The composition root: builds the parts, starts the loops, stops them in order."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from bot.channels.base import Channel
from bot.clock import Clock
from bot.conversation import Conversation
from bot.core.commune import Commune, Point
from bot.core.words import Lexicon
from bot.delivery import Delivery
from bot.fetching import Fetching
from bot.handlers import World
from bot.inbox import Inbox
from bot.messages import Messages
from bot.photos import Clean
from bot.reminders import Reminders
from storage.database import Database
from storage.files import Files


class Cleaner(Protocol):
    async def clean(self, data: bytes) -> Clean: ...

    async def stop(self) -> None: ...


@dataclass(slots=True)
class Parts:
    inbox: Inbox
    conversation: Conversation
    deliveries: dict[str, Delivery]
    fetching: Fetching
    reminders: Reminders


def build(
    db: Database,
    commune: Commune,
    channels: Iterable[Channel],
    *,
    files: Files,
    studio: Cleaner,
    follow: Callable[[str], Awaitable[Point | None]],
    clock: Clock,
) -> Parts:
    """Put the parts together. They never call each other: each gets only a bell to ring."""
    by_name = {channel.name: channel for channel in channels}
    deliveries: dict[str, Delivery] = {}
    parts: list[Parts] = []

    def after_commit(fetch: bool) -> None:
        for delivery in deliveries.values():
            delivery.wake()
        if fetch:
            parts[0].fetching.wake()

    world = World(commune, Lexicon(commune))
    conversation = Conversation(db, world, Messages(), by_name, clock, after_commit)
    for name, channel in by_name.items():
        deliveries[name] = Delivery(db, channel, files, clock, conversation.wake)
    made = Parts(
        Inbox(db, clock, conversation.wake),
        conversation,
        deliveries,
        Fetching(db, by_name, files, studio, follow, clock, conversation.wake),
        Reminders(db, clock, conversation.wake),
    )
    parts.append(made)
    return made
