"""What the office tells many people at once: to whom, who let it go, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.core.events import Address

# With who speaks and how to stop, it fits one message of every channel.
TEXT_MAX = 1500
ALL, VILLAGES, ROLES = "all", "villages", "roles"
WAITING, RUNNING, REFUSED, WITHDRAWN, OVER = "waiting", "running", "refused", "withdrawn", "over"
# One that nobody decided in this time is of yesterday: it has to be written again.
EXPIRED, WAITS_FOR_MS = "expired", 48 * 3600 * 1000
# In the order in which they are named; the last two by their words only.
ROLE_ORDER = ("head", "monitor", "police", "staff", "office", "lead")
# An unfinished one is let go after so long; one without a word soon: what is said then is another matter.
COMPOSING_FOR_MS = 2 * 3600 * 1000
WORDLESS_FOR_MS = 15 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Audience:
    """Everybody, the people of some villages, or the members with some roles."""

    kind: str
    names: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """As it is kept; storage/audiences.py reads it."""
        return f"{self.kind}:{','.join(self.names)}" if self.names else self.kind


def audience(key: str) -> Audience:
    kind, _, names = key.partition(":")
    return Audience(kind, tuple(names.split(",")) if names else ())


@dataclass(frozen=True, slots=True)
class Composing:
    """A notice being written by one account; `asked`: text, whom, villages, roles or sure.

    `version` counts the changes, so that an older preview cannot be sent.
    """

    account: str
    at: int
    text: str = ""
    audience: str = ""
    asked: str = "text"
    version: int = 0

    def open_at(self, now: int) -> bool:
        return now - self.at <= (COMPOSING_FOR_MS if self.text else WORDLESS_FOR_MS)


@dataclass(frozen=True, slots=True)
class Decider:
    """Somebody of the office, or who leads the commune, and the chat where they wrote last."""

    person: str
    name: str
    role: str
    chat: Address | None


@dataclass(frozen=True, slots=True)
class Reached:
    """How many can be told now by one channel: `billed` cost something, `closed` wrote too long ago.

    `left` of today's paid messages are left there; None: nothing costs anything.
    """

    channel: str
    free: int = 0
    billed: int = 0
    closed: int = 0
    elsewhere: int = 0
    left: int | None = None

    @property
    def paid(self) -> int:
        return min(self.billed, self.left or 0)

    @property
    def told(self) -> int:
        return self.free + self.paid + self.elsewhere


@dataclass(frozen=True, slots=True)
class Reach:
    """Who an audience is now: `people` all of them, by channel those whom one reaches."""

    people: int
    channels: tuple[Reached, ...] = ()

    @property
    def told(self) -> int:
        return sum(one.told for one in self.channels)

    @property
    def missed(self) -> int:
        return self.people - self.told


@dataclass(frozen=True, slots=True)
class Notice:
    """One that was sent for approval. `counts`: how many recipients are where, `all` those promised so far.

    `going`: more are still being promised; `flying`: what is being sent at this moment.
    """

    id: int
    text: str
    audience: Audience
    state: str
    made_at: int
    author: str | None = None
    author_name: str = ""
    author_ear: Address | None = None
    decided_at: int | None = None
    decider: str | None = None
    decider_name: str = ""
    decider_ear: Address | None = None
    stopped_name: str = ""
    starts_at: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    flying: int = 0
    going: bool = False

    @property
    def key(self) -> str:
        """That of its broadcast."""
        return f"notice/{self.id}"

    @property
    def all(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        return self.all - self.counts.get("waiting", 0) - self.flying

    @property
    def finished(self) -> bool:
        """Nothing of it can go out any more."""
        return not self.going and self.done == self.all

    @property
    def ears(self) -> tuple[Address, ...]:
        """Where it is followed: by who wrote it and who let it go."""
        return tuple(dict.fromkeys(ear for ear in (self.author_ear, self.decider_ear) if ear is not None))


@dataclass(frozen=True, slots=True)
class NoticeNeed:
    """What is to be looked up: one notice by its id, whom an audience reaches, the open and the last ones."""

    id: int | None = None
    reach: str | None = None
    recent: bool = False


@dataclass(frozen=True, slots=True)
class Notices:
    """What was found; `deciders` are all of the office and those who lead the commune."""

    one: Notice | None = None
    reach: Reach | None = None
    recent: tuple[Notice, ...] = ()
    deciders: tuple[Decider, ...] = ()
