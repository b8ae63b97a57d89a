"""A filed report: its statuses, and one table of who may do what from where."""

from dataclasses import dataclass

SENT, ACKNOWLEDGED, IN_PROGRESS = "sent", "acknowledged", "in_progress"
RESOLVED, CONFIRMED, REOPENED = "resolved", "confirmed", "reopened"
REJECTED, FORWARDED, DUPLICATE = "rejected", "forwarded", "duplicate"

OPEN = frozenset({SENT, ACKNOWLEDGED, IN_PROGRESS, FORWARDED, REOPENED})
STATUSES = OPEN | {RESOLVED, CONFIRMED, REJECTED, DUPLICATE}

REOPEN_TIMES = 2
REOPEN_MS = 14 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the table: who (`desk` members or the `reporter`) may take it, from where, to where."""

    who: str
    before: frozenset[str]
    after: str


STEPS = {
    "take": Step("desk", frozenset({SENT, REOPENED, FORWARDED}), ACKNOWLEDGED),
    "start": Step("desk", frozenset({SENT, REOPENED, FORWARDED, ACKNOWLEDGED}), IN_PROGRESS),
    "close": Step("desk", OPEN, RESOLVED),
    "confirm": Step("reporter", frozenset({RESOLVED}), CONFIRMED),
    "reopen": Step("reporter", frozenset({RESOLVED, CONFIRMED}), REOPENED),
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
    """A report as decisions see it. Moments in ms; `person` reported, `channel` and `chat` are their ear."""

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
    photos: int = 0

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


def may_follow(status: str, action: str) -> bool:
    return status in STEPS[action].before
