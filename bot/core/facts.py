"""What a decision asks to know, and what it then knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.core.activity import Activity
from bot.core.amounts import Amounts
from bot.core.campaign import Campaign
from bot.core.events import Address
from bot.core.figures import Asked, Figures
from bot.core.ledger import Ledger
from bot.core.notice import NoticeNeed, Notices
from bot.core.plan import Plan
from bot.core.report import Report
from bot.core.task import Task

NOTHING = Amounts()
# The clean-up that units are busy with, instead of one by its id.
NOW = "now"


@dataclass(frozen=True, slots=True)
class Needs:
    """The look-ups one event asks for; who the sender is gets looked up always.

    `code`: a report by code · `answered`: the report of the bot's message this one replies to ·
    `photo`: the photo and its report · `units`: who can be told there · `mine`: the sender's own
    reports, `followed`: those they follow ·
    `open_here`: what is open at the sender's desks (or the room's) · `invite`: hash of a typed code ·
    `unheard`: reports nobody could be told of · `my_desks`: who hears for the sender's own units ·
    `outbox`: a refused message · `near`: reports of the same field close to a spot · `filed`: how many the
    sender filed lately · `held`: the reports whose alerts a flooded chat waits for · `open_at`: what is open
    at a unit, `open_fields` and of these fields anywhere, filed `open_before` · `counts`: all units'
    figures · `members_of`: who belongs to these units, `my_members`: to those that the sender heads,
    `member`: to the unit of the member with that number · `groups`: the groups that platforms told us of ·
    `unreached`: who could not be told something, promised from the one moment (ms) to the other ·
    `campaign`: a clean-up by its id, with what units said; `campaigns`: those that come;
    `reminded`: what the sender hears of them; `spots`: what is open in every village ·
    `activity`: one by its number, with the members of its unit; `activities`: what the sender's units, and
    `activities_of`, did in that reporting year; `fellows`: who belongs to the sender's units; `ledger`: all
    that counts for that plan; `households`: how many each unit has in that reporting year ·
    `notice`: of the office's notices · `figures`: those of a view, as far as the sender may see them ·
    `task`: a task by its number; `tasks`: what is open of them ·
    `past`: the history of the report; `search`: reports by what they are about ·
    `closable`: what is open in one village; `shown_for`: the photos with these purposes, of a result.
    """

    code: str | None = None
    answered: str | None = None
    photo: int | None = None
    units: frozenset[str] = frozenset()
    desk_of_report: bool = False
    mine: bool = False
    followed: bool = False
    open_here: bool = False
    invite: str | None = None
    unheard: bool = False
    my_desks: bool = False
    outbox: int | None = None
    near: "Spot | None" = None
    filed: bool = False
    held: bool = False
    open_at: str | None = None
    open_fields: frozenset[str] = frozenset()
    open_before: int = 0
    counts: bool = False
    members_of: frozenset[str] = frozenset()
    my_members: bool = False
    member: int | None = None
    groups: bool = False
    unreached: tuple[int, int] | None = None
    campaign: str | None = None
    campaigns: bool = False
    task: int | None = None
    tasks: bool = False
    reminded: bool = False
    spots: bool = False
    activity: int | None = None
    activities: int | None = None
    activities_of: frozenset[str] = frozenset()
    fellows: bool = False
    ledger: Plan | None = None
    households: int | None = None
    notice: NoticeNeed | None = None
    figures: Asked | None = None
    past: bool = False
    search: "Search | None" = None
    closable: str | None = None
    shown_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What a unit said of a clean-up; `accepted` and `reported` are the moments (ms)."""

    unit: str
    accepted: int | None = None
    accepted_by: str = ""
    reported: int | None = None
    reported_by: str = ""
    amounts: Amounts = NOTHING
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cleanup:
    """A clean-up day: where units meet, what they said, and how many of each village want to come."""

    campaign: Campaign
    places: Mapping[str, str]
    results: Mapping[str, Result]
    coming: Mapping[str, int]

    @property
    def id(self) -> str:
        return self.campaign.id


@dataclass(frozen=True, slots=True)
class Assigned:
    """A task of the office, and what units said of it."""

    task: Task
    results: Mapping[str, Result]

    @property
    def id(self) -> str:
        return self.task.id


@dataclass(frozen=True, slots=True)
class Spot:
    """A place and a field, to find reports of the same: `mark` as places are compared, `photos` as a hint."""

    field: str
    unit: str | None
    mark: str
    lat: float | None = None
    lon: float | None = None
    photos: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """Reports to look for: of one of these categories, in one of these units; empty: of any."""

    categories: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """A line of a report's history: `who` is the member's name, empty for everybody else."""

    at: int
    action: str
    note: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class Near:
    """A report of the same field close by: `metres` away if both have a point, `alike` if a photo is."""

    report: Report
    metres: float | None
    alike: bool = False


@dataclass(frozen=True, slots=True)
class Filed:
    """How many reports the sender filed within the last hour and day."""

    hour: int = 0
    day: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """One unit's figures: `open`, of these `late`, and `closed` within the last week."""

    unit: str
    open: int
    late: int
    closed: int


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
    """Who hears for a unit: its rooms, its members' private chats, of these its heads and who is on duty.

    In a `reading` room there are no buttons and no pictures: its members are told one by one as well.
    `manned`: somebody belongs to the unit and can answer there in words, though no private chat reaches them.
    """

    unit: str
    rooms: tuple[Address, ...] = ()
    members: tuple[Address, ...] = ()
    heads: tuple[Address, ...] = ()
    on_duty: tuple[Address, ...] = ()
    reading: tuple[Address, ...] = ()
    manned: bool = False

    @property
    def ears(self) -> tuple[Address, ...]:
        """Whoever holds the shift, else the room, else everybody one by one."""
        return self.on_duty or self.all

    @property
    def all(self) -> tuple[Address, ...]:
        return (*self.reading, *(self.rooms or self.members))

    @property
    def acts(self) -> bool:
        """Whether anybody here can take a report: a room that only reads cannot by itself."""
        return bool(self.on_duty or self.rooms or self.members or (self.reading and self.manned))


@dataclass(frozen=True, slots=True)
class Member:
    """One role of a person in a unit, and the private chats where they can be told."""

    id: int
    person: str
    unit: str
    role: str
    name: str
    joined_at: int
    shift_until: int | None = None
    chats: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A group that a platform told us of; `unit` is whose room it is, `acts` whether it has buttons."""

    address: Address
    name: str
    unit: str | None = None
    acts: bool = True


@dataclass(frozen=True, slots=True)
class Unreached:
    """Who could not be told something, as they had not written for too long.

    How many `people` on each channel; their reports, each with whether a number was left; the `units` that
    have members among them.
    """

    people: tuple[tuple[str, int], ...]
    reports: tuple[tuple[str, bool], ...] = ()
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Invite:
    hash: str
    unit: str
    role: str
    usable: bool


@dataclass(frozen=True, slots=True)
class Pairing:
    """A code that joins two accounts: its hash, and who drew it."""

    hash: str
    person: str


@dataclass(frozen=True, slots=True)
class PhotoFact:
    """A photo or voice message: `report` once it has one, `ready` once it is clean; it came `at` (ms)."""

    id: int
    purpose: str
    report: int | None
    ready: bool = False
    at: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message the platform refused: what it was, where it should have gone, and of which report."""

    message: str
    address: Address
    lane: int
    report: int | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known; `answered` is the name of the bot's message that this one replies to.

    `acts`: groups have buttons where this was said.
    """

    now: datetime
    me: Me
    room: str | None = None
    report: Report | None = None
    answered: str = ""
    photo: PhotoFact | None = None
    desks: Mapping[str, Desk] = field(default_factory=dict)
    mine: tuple[Report, ...] = ()
    followed: tuple[Report, ...] = ()
    open_here: tuple[Report, ...] = ()
    invite: Invite | None = None
    pairing: Pairing | None = None
    introduce: bool = False
    campaign: "Cleanup | None" = None
    campaigns: tuple[Campaign, ...] = ()
    task: Assigned | None = None
    tasks: tuple[Assigned, ...] = ()
    tasks_made: int = 0
    reminded: str | None = None
    spots: tuple[Report, ...] = ()
    past: tuple[Past, ...] = ()
    found: tuple[Report, ...] = ()
    closable: tuple[Report, ...] = ()
    shown: tuple[PhotoFact, ...] = ()
    unheard: tuple[Report, ...] = ()
    refusal: Refusal | None = None
    near: tuple[Near, ...] = ()
    filed: Filed = Filed()
    held: tuple[Report, ...] = ()
    open_at: tuple[Report, ...] = ()
    open_count: int = 0
    counts: tuple[Count, ...] = ()
    members: tuple[Member, ...] = ()
    shift_until: int | None = None
    groups: tuple[Group, ...] = ()
    acts: bool = True
    unreached: Unreached | None = None
    activity: Activity | None = None
    activities: tuple[Activity, ...] = ()
    ledger: Ledger | None = None
    households: Mapping[str, int] = field(default_factory=dict)
    notices: Notices | None = None
    figures: Figures | None = None

    @property
    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)
