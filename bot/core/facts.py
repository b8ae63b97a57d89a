"""What a decision asks to know, and what it then knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.core.events import Address
from bot.core.report import Report


@dataclass(frozen=True, slots=True)
class Needs:
    """The look-ups one event asks for; who the sender is gets looked up always.

    `code`: a report by code · `answered`: the report of the bot's message this one replies to ·
    `photo`: the photo and its report · `units`: who can be told there · `mine`: the sender's own reports ·
    `open_here`: what is open at the sender's desks (or the room's) · `invite`: hash of a typed code ·
    `unheard`: reports nobody could be told of · `my_desks`: who hears for the sender's own units ·
    `outbox`: a refused message.
    """

    code: str | None = None
    answered: str | None = None
    photo: int | None = None
    units: frozenset[str] = frozenset()
    desk_of_report: bool = False
    mine: bool = False
    open_here: bool = False
    invite: str | None = None
    unheard: bool = False
    my_desks: bool = False
    outbox: int | None = None


@dataclass(frozen=True, slots=True)
class Role:
    unit: str
    role: str
    name: str


@dataclass(frozen=True, slots=True)
class Me:
    """The sender: `consent` is the version of the text they agreed to."""

    person: str
    consent: str | None = None
    roles: tuple[Role, ...] = ()

    def of(self, unit: str) -> tuple[Role, ...]:
        return tuple(role for role in self.roles if role.unit == unit)


@dataclass(frozen=True, slots=True)
class Desk:
    """Who hears for a unit: its rooms, and its members' private chats."""

    unit: str
    rooms: tuple[Address, ...] = ()
    members: tuple[Address, ...] = ()

    @property
    def ears(self) -> tuple[Address, ...]:
        return self.rooms or self.members


@dataclass(frozen=True, slots=True)
class Invite:
    hash: str
    unit: str
    role: str
    usable: bool


@dataclass(frozen=True, slots=True)
class PhotoFact:
    """A photo: `report` once it has one, `ready` once it is clean."""

    id: int
    purpose: str
    report: int | None
    ready: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message the platform refused: what it was, where it should have gone, and of which report."""

    message: str
    address: Address
    lane: int
    report: int | None


@dataclass(frozen=True, slots=True)
class Facts:
    now: datetime
    me: Me
    room: str | None = None
    report: Report | None = None
    photo: PhotoFact | None = None
    desks: Mapping[str, Desk] = field(default_factory=dict)
    mine: tuple[Report, ...] = ()
    open_here: tuple[Report, ...] = ()
    invite: Invite | None = None
    unheard: tuple[Report, ...] = ()
    refusal: Refusal | None = None

    @property
    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)
