"""What one chat is in the middle of: the open draft, an unfinished closing."""

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from bot.core.notice import Composing
from bot.core.task import TaskDraft

DRAFT_LIFE_MS = 24 * 3600 * 1000
NUDGE_AFTER_MS = 30 * 60 * 1000
# "Có thêm ảnh, lời, cứ gửi": for so long a photo or a line without a new matter belongs to the last report.
ADD_FOR_MS = 30 * 60 * 1000
PHOTOS_MAX = 10
FORWARDED_MAX = 5
VOICES_MAX = 3
WORDS_MAX = 2000
LANDMARK_MAX = 120
LATER_MAX = 5
WRONG_CODES_AN_HOUR = 10
# After so long an after photo or a decision's number is asked for again: a birthday picture closes nothing.
OWED_FOR_MS = 60 * 60 * 1000
OWED_STEPS = ("photo", "number", "later", "help", "review")
ALBUM_FOR_MS = 5 * 60 * 1000
URGENT_FOR_MS = 30 * 60 * 1000
COMPLAINT_FOR_MS = 24 * 3600 * 1000
CHOOSING_FOR_MS = 10 * 60 * 1000
PAUSED_FOR_MS = 60 * 60 * 1000
RESULT_FOR_MS = 6 * 60 * 60 * 1000
TELLING_FOR_MS = 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Draft:
    """A report being told: slots fill in any order. `id` is the inbox row that opened it (buttons carry it).

    `callback` is a number to call back; `suspect`: the words speak of an official, and `official`: they are a
    complaint about one; `same` is the code of the open report that it may be the same as;
    `behalf`: it is told for somebody else, who called or came by;
    `guesses` are categories to offer first; `units` villages that the words may mean;
    `asked` is the question that stands open, `stuck` the one that an answer did not help;
    `skipped` the optional slots the person let go.
    """

    id: int
    started_at: int
    touched_at: int
    category: str | None = None
    guesses: tuple[str, ...] = ()
    unit: str | None = None
    units: tuple[str, ...] = ()
    landmark: str = ""
    lat: float | None = None
    lon: float | None = None
    outside: bool = False
    photos: tuple[int, ...] = ()
    voices: tuple[int, ...] = ()
    words: str = ""
    hours: str = ""
    private: bool = False
    behalf: bool = False
    skipped: frozenset[str] = frozenset()
    callback: str = ""
    suspect: bool = False
    official: bool = False
    same: str = ""
    asked: str | None = None
    stuck: str | None = None
    nudged: bool = False

    @property
    def bare(self) -> bool:
        """Nothing but photos yet."""
        return self.wordless and not self.voices

    @property
    def wordless(self) -> bool:
        """Nothing yet but photos and voice messages."""
        return self.category is None and not self.placed and not (self.words or self.landmark)

    @property
    def bare_of_place(self) -> bool:
        return not self.placed and not self.landmark

    @property
    def placed(self) -> bool:
        return self.unit is not None or self.lat is not None


@dataclass(frozen=True, slots=True)
class Closing:
    """An officer said "done" and owes the rest.

    `step`: photo, number (of the decision), checking (the photo is being looked at), closed (by a photo, so
    that the rest of its album finds its way); or what a date or a reason is owed for: later, help, review.
    `outcome` is what is known of it so far; `at` in ms.
    """

    code: str
    account: str
    step: str
    outcome: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class Telling:
    """An activity being told, or put right: `id` is the inbox row that opened it, `activity` its number.

    `step` is what is asked for: unit, kind, amount, photo, partner, fix, why_fix, why_strike; or told.
    """

    id: int
    at: int
    step: str
    unit: str = ""
    kind: str = ""
    number: float | None = None
    of: float | None = None
    measure: str = ""
    name: str = ""
    words: str = ""
    photos: int = 0
    activity: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """One chat's state.

    `later` are reports told before the first was sent; `last` is the code of the report filed here last,
    `last_at` when; `complaint` the code of a report whose reporter said "not yet" and owes a word;
    `wrong_codes` the moments of mistyped invite codes in the last hour; `urgent_at` when an emergency was
    told here, `alarm` the words that may have been one; `choosing` what a unit was asked for (members, or the
    role to invite), and when; until `paused_until` somebody of the authority answers here by hand;
    `result_for` is the campaign, or the task, and the unit (a/b) whose result is being told, since
    `result_at`; `spots` are the codes of the open reports that were listed with it, `cleaned` those of them
    that were dealt with, `spots_asked` what is asked of them: "which", or the "photo" that ends it;
    `task` is one that is being written for units; `telling` an activity outside campaigns; `notice` is a
    notice of the office that is being written.
    """

    draft: Draft | None = None
    later: tuple[Draft, ...] = ()
    closings: tuple[Closing, ...] = ()
    last: str | None = None
    last_at: int = 0
    complaint: str | None = None
    complaint_at: int = 0
    wrong_codes: tuple[int, ...] = ()
    urgent_at: int = 0
    alarm: str = ""
    choosing: str = ""
    choosing_at: int = 0
    paused_until: int = 0
    result_for: str = ""
    result_at: int = 0
    telling: Telling | None = None
    notice: Composing | None = None
    spots: tuple[str, ...] = ()
    cleaned: tuple[str, ...] = ()
    spots_asked: str = ""
    task: TaskDraft | None = None

    def owed(self, account: str, now: int) -> Closing | None:
        """What this person still owes here: the newest photo or number asked of them within the hour."""
        return self._newest(account, OWED_STEPS, now - OWED_FOR_MS)

    def photographed(self, account: str, now: int) -> Closing | None:
        """What this person just sent an after photo for: more of them belong to it."""
        return self._newest(account, ("checking", "closed"), now - ALBUM_FOR_MS)

    def chooses(self, now: int) -> str:
        """What a unit is asked for at this moment, if nothing newer is being told."""
        open_ = now - self.choosing_at <= CHOOSING_FOR_MS
        newer = self.draft is not None and self.draft.touched_at >= self.choosing_at
        return self.choosing if open_ and not newer else ""

    def asks_village(self, now: int) -> bool:
        """Whether a bare number would be a village's: the villages are numbered."""
        chosen, _, group = self.chooses(now).partition(":")
        placing = self.draft is not None and self.draft.asked == "place"
        noticed = self.composes(now)
        naming = noticed is not None and noticed.asked == "villages"
        return placing or naming or (bool(chosen) and group in ("", "village"))

    def composes(self, now: int) -> Composing | None:
        """The notice that is being written here, if it was not left lying."""
        return self.notice if self.notice is not None and self.notice.open_at(now) else None

    def tells_result(self, now: int) -> tuple[str, str] | None:
        """The campaign and the unit whose result is being told here."""
        campaign, _, unit = self.result_for.partition("/")
        return (campaign, unit) if unit and now - self.result_at <= RESULT_FOR_MS else None

    def tells(self, now: int) -> Telling | None:
        """The activity that is being told or put right here, if nothing newer is being told."""
        telling = self.telling
        if telling is None or now - telling.at > TELLING_FOR_MS:
            return None
        newer = max(self.draft.touched_at if self.draft is not None else 0, self.result_at)
        return telling if telling.at >= newer else None

    def asks_number(self, now: int) -> bool:
        """Whether a bare number is an answer by itself, and no choice of a list."""
        telling = self.tells(now)
        asked = telling is not None and telling.step in ("amount", "fix", "partner")
        return asked or self.asks_village(now)

    def _newest(self, account: str, steps: tuple[str, ...], since: int) -> Closing | None:
        mine = [c for c in self.closings if c.account == account and c.step in steps and c.at >= since]
        return mine[-1] if mine else None

    def owing(self, closing: Closing) -> tuple[Closing, ...]:
        """The closings with this one as the newest of its report and person."""
        same = (closing.code, closing.account)
        others = [
            c for c in self.closings if (c.code, c.account) != same and c.at >= closing.at - OWED_FOR_MS
        ]
        return (*others, closing)

    def settled(self, code: str) -> tuple[Closing, ...]:
        return tuple(c for c in self.closings if c.code != code)

    @property
    def wake_at(self) -> int | None:
        """When the draft wants a nudge or ends, in ms."""
        if self.draft is None:
            return None
        usual = self.draft.touched_at + (DRAFT_LIFE_MS if self.draft.nudged else NUDGE_AFTER_MS)
        return max(usual, self.paused_until)


_ADAPTER = TypeAdapter(Session)
EMPTY = Session()


def dump(session: Session) -> str:
    return _ADAPTER.dump_json(session, exclude_defaults=True).decode()


def load(text: str) -> Session:
    """A stored state. One that this program cannot read any more is let go: the chat must not fall silent."""
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError:
        return EMPTY
