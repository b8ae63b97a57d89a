"""What can arrive from a chat, in the project's own words."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message goes: one chat of one channel; `group` when several people read it."""

    channel: str
    chat: str
    group: bool = False

    @property
    def key(self) -> str:
        return f"{self.channel}:{self.chat}"


@dataclass(frozen=True, slots=True)
class FileRef:
    """The platform's handle of a file. `size` in bytes, when the platform told it."""

    id: str
    size: int | None = None
    as_file: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    text: str


@dataclass(frozen=True, slots=True)
class Edited:
    """An earlier message, as it reads now."""

    text: str


@dataclass(frozen=True, slots=True)
class Pressed:
    action: str


@dataclass(frozen=True, slots=True)
class PhotoSent:
    """A photo; `album` names the parts that were sent together."""

    file: FileRef
    caption: str = ""
    album: str | None = None


@dataclass(frozen=True, slots=True)
class VoiceSent:
    """A voice message, or a recording sent as a file; `seconds` as the platform tells, 0 when it does not."""

    file: FileRef
    seconds: int
    caption: str = ""


@dataclass(frozen=True, slots=True)
class PlaceSent:
    """A point on the map, WGS 84 degrees, exactly as the platform gave it (perhaps out of range)."""

    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Something the talk cannot use: kind is video, sticker, contact, document, too_long, other."""

    kind: str


@dataclass(frozen=True, slots=True)
class Entered:
    """The bot was added to a group, or a person unblocked it."""


@dataclass(frozen=True, slots=True)
class Left:
    """The bot was removed from a group, or a person blocked it."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The person asks, by the platform's own means, that all we hold of them goes."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Somebody of the authority answered by hand, on the platform's own page."""

    text: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A group got a new identity."""

    chat: str


@dataclass(frozen=True, slots=True)
class PhotoReady:
    """A photo that was fetched and cleaned, or could not be: problem says why (see photos.PROBLEMS).

    A voice message comes back in the same way (see voices.PROBLEMS): it has its row beside the photos.
    """

    photo: int
    problem: str | None = None
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True, slots=True)
class LinkReady:
    """Where a shortened map link led; no point when it led nowhere useful."""

    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A message that the platform refused for good: outbox row id, and why (blocked, gone, rejected)."""

    outbox: int
    why: str


@dataclass(frozen=True, slots=True)
class DraftDue:
    """The draft of this chat lay untouched long enough for a nudge, or for its end."""


@dataclass(frozen=True, slots=True)
class Overlooked:
    """A report that nobody could be told of, by its code; somebody can be told now."""

    code: str


@dataclass(frozen=True, slots=True)
class ReportDue:
    """A moment (ms) that a report waited for has come: see core.deadlines."""

    code: str
    step: str
    moment: int


@dataclass(frozen=True, slots=True)
class MorningDue:
    """It is seven in the morning: what is open is told to this unit, on this day (ISO date)."""

    unit: str
    day: str


@dataclass(frozen=True, slots=True)
class FloodOver:
    """The alerts that this chat waits for may be told in one digest now."""


@dataclass(frozen=True, slots=True)
class CampaignDue:
    """The next step of a clean-up day is due; a campaign at another version has been dealt with."""

    campaign: str
    version: int


@dataclass(frozen=True, slots=True)
class NoticeDue:
    """A notice of the office has gone further: to so many recipients (`done`)."""

    notice: int
    done: int


@dataclass(frozen=True, slots=True)
class TaskDue:
    """The next step of a task is due; one at another version has been dealt with."""

    number: int
    version: int


@dataclass(frozen=True, slots=True)
class CutOff:
    """A platform refuses our credentials, or lets us do nothing: `problem` in its own words or number."""

    channel: str
    problem: str


Event = (
    Words
    | Edited
    | Pressed
    | PhotoSent
    | VoiceSent
    | PlaceSent
    | Unsupported
    | Entered
    | Left
    | Withdrawn
    | Answered
    | Moved
    | PhotoReady
    | LinkReady
    | Undelivered
    | DraftDue
    | Overlooked
    | ReportDue
    | MorningDue
    | FloodOver
    | CutOff
    | CampaignDue
    | NoticeDue
    | TaskDue
)


# What a person does in a chat: from it on, platforms count how long they may be written to.
DONE_BY_PEOPLE = (Words, Edited, Pressed, PhotoSent, VoiceSent, PlaceSent, Unsupported, Entered)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event with where and whom it came from.

    `id` is its inbox row; `account` the sender on the platform; `name` what the platform calls them;
    `at` when we received it; `replied` the platform id of the message it answers.
    """

    id: int
    at: datetime
    address: Address
    account: str
    event: Event
    name: str = ""
    replied: str | None = None
