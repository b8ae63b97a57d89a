"""What a decision wants done; `bot.perform` writes it, in one transaction."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from bot.core.events import Address, FileRef
from bot.core.session import Draft
from bot.core.task import Task

# The purposes of photos: what the reporter saw; what a follower saw, too, which the desk alone is shown.
BEFORE, ALSO = "before", "also"
# The purpose of what is heard and not seen.
VOICE = "voice"


class Lane(IntEnum):
    """Highest first. What was sent but not marked when we died is sent again, but for REMINDER."""

    ALERT = 0
    ANSWER = 1
    UPDATE = 2
    PHOTO = 3
    REMINDER = 4


class Night(IntEnum):
    """What becomes of a message in the night, unless it answers somebody who is just writing."""

    WAIT = 0
    SILENT = 1
    LOUD = 2


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to be drawn: `words` names the template of its words, the last part how it is drawn.

    `figures` are what it shows; they must be the same as JSON: by them it is known, and drawn once.
    """

    words: str
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Say:
    """Promise one message. `message` names a template, `data` fills it.

    A `question` replaces an unsent earlier one in its chat; `wait_ms` holds it back (the rest of an album).
    `fresh` gives the template the code that this same decision draws: of the report that it files, to which
    the row is tied, of the invite that it makes, or the number of the activity that it records.
    `key` can be promised only once, ever; `silent` makes no sound where the platform can.
    `edits` is the key of an earlier message that this one takes the place of; where a platform cannot change
    what was sent, it is not said.
    A `picture` is drawn before it goes out; if it cannot be, the message is let go: words before it say all.
    """

    to: Address
    message: str
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    lane: Lane = Lane.ANSWER
    question: bool = False
    wait_ms: int = 0
    report: int | None = None
    fresh: bool = False
    key: str | None = None
    night: Night = Night.WAIT
    silent: bool = False
    edits: str | None = None
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Promise one message to everybody of an audience (storage/audiences.py): by its `key` once, ever.

    `data` fills the template village by village; that of "" is for people of any village and of those that
    are not listed, who without it are not told. What has not gone out by `until` (ms) does not go out, and
    nothing before `starts`.
    """

    key: str
    message: str
    data: Mapping[str, Mapping[str, Any]]
    until: int
    audience: str = "reminded"
    starts: int | None = None


@dataclass(frozen=True, slots=True)
class StopBroadcast:
    """What has not gone out of it does not."""

    key: str


@dataclass(frozen=True, slots=True)
class Announce:
    """Ask for the approval of a notice; its id is that of the event. `name` is who wrote it."""

    text: str
    audience: str
    name: str


@dataclass(frozen=True, slots=True)
class SetNotice:
    """Move a notice on, if it is still there; `values` are columns."""

    notice: int
    before: str
    after: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stop:
    """The sender wants no notices to all any more, those that wait included, until `Remind`."""


@dataclass(frozen=True, slots=True)
class ShowPhotos:
    """Promise the clean photos of a report (None: the one filed by this decision), one row each.

    At most `limit`; `only` that one, if it is among the first `limit` that are clean. The same photo goes to
    the same place once a `round`: reopened reports show theirs again. `data` fills the caption.
    With the purpose VOICE it is the voice messages that are promised: only `handlers.hearing` may do that.
    """

    to: Address
    message: str
    code: str
    report: int | None
    purpose: str
    limit: int
    only: int | None = None
    round: int = 0
    night: Night = Night.WAIT
    wait_ms: int = 0
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShowEvidence:
    """Promise the clean photos of what a unit did, those with this purpose, one row each, at most `limit`."""

    to: Address
    message: str
    purpose: str
    limit: int
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileReport:
    """Turn the draft into a report; its code is drawn now and never before. `values` are more columns."""

    draft: Draft
    field: str
    desk: str
    ack_by: int
    fix_by: int
    alerted: bool
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """Move a report on, if it is still at `version`; `values` are columns. Leaves a line of history."""

    report: int
    version: int
    action: str
    before: str
    after: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class KeepPhoto:
    """Fetch a photo or a voice message; it belongs to the draft that lists its id, or to `report` at once."""

    file: FileRef
    purpose: str = BEFORE
    report: int | None = None

    @property
    def kind(self) -> str:
        return VOICE if self.purpose == VOICE else "photo"


@dataclass(frozen=True, slots=True)
class AttachPhotos:
    """Give waiting or ready photos, or voice messages, to a report."""

    photos: tuple[int, ...]
    report: int
    purpose: str = BEFORE


@dataclass(frozen=True, slots=True)
class Prove:
    """These photos of a result show that a report is dealt with: its after photos, and the result's still."""

    photos: tuple[int, ...]
    report: int


@dataclass(frozen=True, slots=True)
class FollowLink:
    """Find out where a shortened map link leads; the answer comes back as LinkReady."""

    url: str


@dataclass(frozen=True, slots=True)
class Consent:
    version: str


@dataclass(frozen=True, slots=True)
class Join:
    """Use up an invite: the sender becomes a member. Fails as a conflict when somebody was faster."""

    invite: str
    unit: str
    role: str
    name: str


@dataclass(frozen=True, slots=True)
class MakeInvite:
    """Draw a code that makes one person a member; only its hash is kept, `fresh` messages say it."""

    unit: str
    role: str


@dataclass(frozen=True, slots=True)
class MakePairing:
    """Draw a code that makes another account the sender's; only its hash is kept, `fresh` messages say it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Use up such a code: the sender is whoever drew it. Fails as a conflict when it was used meanwhile."""

    code: str


@dataclass(frozen=True, slots=True)
class Dismiss:
    """This person has no role in the unit any more. Fails as a conflict when somebody was faster."""

    person: str
    unit: str


@dataclass(frozen=True, slots=True)
class Burn:
    """An invite whose code was shown in a group is nobody's any more."""

    invite: str


@dataclass(frozen=True, slots=True)
class Bind:
    """A group is the unit's room from now on: `room`, or else this one; an earlier one is let go."""

    unit: str
    room: Address | None = None


@dataclass(frozen=True, slots=True)
class Unbind:
    """This group is nobody's room any more."""


@dataclass(frozen=True, slots=True)
class Relocate:
    """This chat lives at another id: its room, session and waiting messages go there."""

    chat: str


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether the sender's private chat can be written to."""

    reachable: bool


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Whoever has this private chat is sent no more reminders, those that wait included."""


@dataclass(frozen=True, slots=True)
class Heard:
    """These reports were told to somebody at last."""

    reports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """A line of a report's history that changes nothing."""

    report: int
    action: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Follow:
    """The sender hears of this report, too, where they write from."""

    report: int


@dataclass(frozen=True, slots=True)
class Shift:
    """The sender is on duty for the unit until then (ms), alone or beside others; None: not any more."""

    unit: str
    until: int | None


@dataclass(frozen=True, slots=True)
class Unhold:
    """The alerts that a flooded chat waited for were said in one digest; their photos may follow."""

    to: Address


@dataclass(frozen=True, slots=True)
class SetCampaign:
    """Move a clean-up day on, or elsewhere, if it is still at that version; `values` are columns."""

    campaign: str
    version: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SetPlace:
    """Where a unit meets for a clean-up."""

    campaign: str
    unit: str
    place: str


@dataclass(frozen=True, slots=True)
class MakeTask:
    """Give a task to its units. Fails as a conflict when another got its number meanwhile."""

    task: Task
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SetTask:
    """Move a task on, if it is still at that version; `values` are columns."""

    number: int
    version: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Participate:
    """What a unit says of a clean-up, or of a task: `values` are columns; leaves a line of history."""

    campaign: str
    unit: str
    action: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeepActivity:
    """Record what a unit did: its number is drawn now and never before. `values` are columns."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChangeActivity:
    """Correct, confirm, doubt or strike out an activity, if it is still at that version."""

    activity: int
    version: int
    action: str
    values: Mapping[str, Any]
    note: str = ""


@dataclass(frozen=True, slots=True)
class JoinActivity:
    """One more unit worked along. Fails as a conflict when it was there already."""

    activity: int
    unit: str


@dataclass(frozen=True, slots=True)
class LockHouseholds:
    """How many households units have in a reporting year, by unit."""

    year: int
    totals: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Come:
    """The sender says whether they come to a clean-up; counted for the village, shown to nobody by name."""

    campaign: str
    village: str
    coming: bool


@dataclass(frozen=True, slots=True)
class Remind:
    """From now on the sender hears of clean-up days: of a village, or of any (empty)."""

    village: str


@dataclass(frozen=True, slots=True)
class Erase:
    """Everything that says who the sender is goes; what they reported stays."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """Nobody could be told of this report after all: the first who joins will be."""

    report: int


Effect = (
    Say
    | Broadcast
    | ShowPhotos
    | ShowEvidence
    | FileReport
    | Change
    | KeepPhoto
    | AttachPhotos
    | Prove
    | FollowLink
    | Consent
    | Join
    | MakeInvite
    | MakePairing
    | Pair
    | Dismiss
    | Burn
    | Bind
    | Unbind
    | Relocate
    | Reach
    | Unsubscribe
    | Heard
    | Unheard
    | Note
    | Follow
    | Shift
    | Unhold
    | Erase
    | SetCampaign
    | SetPlace
    | MakeTask
    | SetTask
    | Participate
    | KeepActivity
    | ChangeActivity
    | JoinActivity
    | LockHouseholds
    | Come
    | Remind
    | StopBroadcast
    | Announce
    | SetNotice
    | Stop
)
