"""A filed report: its statuses, and one table of who may do what from where."""

from dataclasses import dataclass

SENT, ACKNOWLEDGED, IN_PROGRESS = "sent", "acknowledged", "in_progress"
RESOLVED, CONFIRMED, REOPENED = "resolved", "confirmed", "reopened"
REJECTED, FORWARDED, DUPLICATE = "rejected", "forwarded", "duplicate"

WAITING = frozenset({SENT, REOPENED, FORWARDED})
TAKEN = frozenset({ACKNOWLEDGED, IN_PROGRESS})
OPEN = frozenset({SENT, ACKNOWLEDGED, IN_PROGRESS, FORWARDED, REOPENED})
STATUSES = OPEN | {RESOLVED, CONFIRMED, REJECTED, DUPLICATE}

REOPEN_TIMES = 2
REOPEN_MS = 14 * 24 * 3600 * 1000
# Silence for so long means that it is well.
CONFIRM_MS = 14 * 24 * 3600 * 1000
PAUSES_MAX = 2


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the table: who may take it, from where, to where.

    `desk`: members of the unit that has it, and the office; `office`: only the office (and `lead`, of what is
    theirs); `reporter`; `time`: it happens by itself.
    """

    who: str
    before: frozenset[str]
    after: str


STEPS = {
    "take": Step("desk", frozenset({SENT, REOPENED, FORWARDED}), ACKNOWLEDGED),
    "start": Step("desk", WAITING | {ACKNOWLEDGED}, IN_PROGRESS),
    # A date given, or help asked for, is taking it on.
    "postpone": Step("desk", OPEN, ACKNOWLEDGED),
    "ask_help": Step("desk", OPEN, ACKNOWLEDGED),
    "forward": Step("desk", OPEN, FORWARDED),
    "close": Step("desk", OPEN, RESOLVED),
    "reject": Step("office", OPEN, REJECTED),
    "confirm": Step("reporter", frozenset({RESOLVED}), CONFIRMED),
    "settle": Step("time", frozenset({RESOLVED}), CONFIRMED),
    "reopen": Step("reporter", frozenset({RESOLVED, CONFIRMED}), REOPENED),
    "withdraw": Step("reporter", OPEN, REJECTED),
}

# What an officer may write instead of an after photo, and the roles that may.
OUTCOMES = {
    "reminded": frozenset({"monitor", "head", "police", "office"}),
    "fixed": frozenset({"monitor", "head", "office", "staff"}),
    "recorded": frozenset({"police"}),
    "fined": frozenset({"police", "office"}),
    "no_violation": frozenset({"police", "office"}),
}
# A fine is only recorded with the number of its decision.
NUMBERED = frozenset({"fined"})


@dataclass(frozen=True, slots=True)
class Report:
    """A report as decisions see it. Moments in ms; `person` reported, `channel` and `chat` are their ear.

    `recurs` is the report that this place had before; `waits_for` why the deadline was moved, `pauses` how
    often; `review` why somebody thinks that it is none; `due_step` what happens at `due_at`;
    `followers` the other people who saw the same, as (channel, chat).
    """

    id: int
    code: str
    category: str
    field: str
    status: str
    desk: str
    unit: str | None
    landmark: str
    lat: float | None
    lon: float | None
    words: str
    hours: str
    private: bool
    person: str | None
    channel: str | None
    chat: str | None
    filed_at: int
    ack_by: int
    fix_by: int
    taken_by: str | None
    taken_name: str
    closed_at: int | None
    outcome: str
    reopened: int
    alerted_at: int | None
    version: int
    mark: str = ""
    emergency: bool = False
    behalf: bool = False
    callback: str = ""
    recurs: int | None = None
    pauses: int = 0
    waits_for: str = ""
    review: str = ""
    due_at: int | None = None
    due_step: str = ""
    photos: int = 0
    voices: int = 0
    followers: tuple[tuple[str, str], ...] = ()

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


def may_follow(status: str, action: str) -> bool:
    return status in STEPS[action].before
