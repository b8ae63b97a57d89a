"""Reads tests/utterances and says of each utterance how the bot took it: right, asked, missed or wrong."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache

from bot.config import load_commune
from bot.core.commune import Commune
from bot.core.effects import Change, FileReport, Say
from bot.core.events import Address, Incoming, Words
from bot.core.facts import Facts, Me
from bot.core.report import RESOLVED, SENT, Report
from bot.core.session import EMPTY, Draft, Session
from bot.core.text import fold
from bot.core.when import ZONE
from bot.core.words import Lexicon
from bot.handlers import Decision, World, decide, needs
from tests.paper import ROOT

COMMUNE = load_commune(ROOT / "commune.toml")
NOW = datetime(2026, 3, 4, 9, 0, tzinfo=ZONE)
HERE = Address("paper", "dan")
PERSON = "paper:dan"
CODE = "AP-26-00001"
VERDICTS = RIGHT, ASKED, MISSED, WRONG = ("right", "asked", "missed", "wrong")
HALVES = ("work", "more", "voices", "blind", "held")
WORKED_WITH = ("work", "more", "voices")
_VOICES = 160
REPORT, OFFICIAL = "báo", "cán bộ"


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of the corpus: what stood open, what was typed, and what it means."""

    context: str
    text: str
    kind: str
    categories: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    landmark: str = ""


def read(half: str) -> tuple[Utterance, ...]:
    """Half is `work`, `more` or `voices` (worked with), `held` or `blind` (of voices, only scored)."""
    name = "voices" if half == "blind" else half
    lines = (ROOT / "tests" / "utterances" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    said = tuple(_utterance(line) for line in lines if line.strip() and not line.startswith("#"))
    return {"voices": said[:_VOICES], "blind": said[_VOICES:]}.get(half, said)


def _utterance(line: str) -> Utterance:
    said, _, meaning = line.rpartition("|")
    context, text = (part.strip() for part in said.split("|", 1))
    pieces = re.split(r"(?:^|\s)(việc|thôn|chỗ)=", meaning.strip())
    slots = dict(zip(pieces[1::2], (piece.strip() for piece in pieces[2::2]), strict=True))
    units = tuple(f"thon-{int(number):02}" for number in slots.get("thôn", "").split("/") if number)
    categories = tuple(part for part in slots.get("việc", "").split("/") if part)
    return Utterance(context, text, pieces[0].strip(), categories, units, slots.get("chỗ", ""))


# What stood open ---------------------------------------------------------------------------------

_MS = int(NOW.timestamp() * 1000)
_DAY_MS = 24 * 3600 * 1000
_BARE = Draft(id=7, started_at=_MS - 60_000, touched_at=_MS - 60_000)
_LITTER = replace(_BARE, category="litter", words="rác")
_PLACED = replace(_LITTER, unit="thon-03", landmark="cổng chợ")
_FILED = Session(last=CODE, last_at=_MS - 2 * _DAY_MS)
_OPENED: Mapping[str, Session] = {
    "-": EMPTY,
    "việc": Session(draft=replace(_BARE, photos=(5,), asked="category")),
    "chỗ": Session(draft=replace(_LITTER, asked="place")),
    "mốc": Session(draft=replace(_LITTER, unit="thon-03", asked="landmark")),
    "ảnh": Session(draft=replace(_PLACED, asked="photo")),
    "giờ": Session(
        draft=replace(_PLACED, category="parking", unit="thon-05", photos=(5,), words="xe đỗ", asked="hours")
    ),
    "xem": Session(draft=replace(_PLACED, photos=(5,), asked="summary")),
    "xong": _FILED,
    "mở": _FILED,
}


def _filed(context: str) -> Report | None:
    """The person's own report: closed a minute ago, or still open."""
    if context not in ("xong", "mở"):
        return None
    at, closed = _MS - 2 * _DAY_MS, context == "xong"
    return Report(
        id=1,
        code=CODE,
        category="litter",
        field="sanitation",
        status=RESOLVED if closed else SENT,
        desk="thon-03",
        unit="thon-03",
        landmark="cổng chợ",
        lat=None,
        lon=None,
        words="rác ở cổng chợ thôn 3",
        hours="",
        private=False,
        person=PERSON,
        channel=HERE.channel,
        chat=HERE.chat,
        filed_at=at,
        ack_by=at + _DAY_MS,
        fix_by=at + 3 * _DAY_MS,
        taken_by=None,
        taken_name="",
        closed_at=_MS - 60_000 if closed else None,
        outcome="photo" if closed else "",
        reopened=0,
        alerted_at=at,
        version=3,
    )


# What the bot made of it -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """One decision, as far as it shows how the words were taken."""

    before: Draft | None
    draft: Draft | None
    said: Mapping[str, Mapping[str, object]]
    filed: bool
    steps: tuple[str, ...]
    apart: bool
    official: bool
    phone: bool
    got: Mapping[str, object] = field(default_factory=dict)

    def says(self, *messages: str) -> bool:
        return any(f"resident/{message}" in self.said for message in messages)

    @property
    def emergency(self) -> bool:
        return any(message.startswith("resident/emergency") for message in self.said)

    @property
    def begun(self) -> bool:
        return self.before is None and self.draft is not None

    @property
    def dropped(self) -> bool:
        """The draft is gone and was not sent."""
        return self.before is not None and self.draft is None and not self.filed

    def changed(self, slot: str) -> bool:
        now, was = getattr(self.draft or _BARE, slot), getattr(self.before or _BARE, slot)
        return bool(now != was)


@cache
def world() -> World:
    return World(COMMUNE, Lexicon(COMMUNE))


@cache
def forgetful(share: float, seed: int) -> World:
    """A commune that never thought of some of its words: what people say is then new to it.

    Each word is drawn for itself, so that words which come later change nothing for the others.
    """

    def kept(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(text for text in texts if random.Random(f"{seed}/{text}").random() >= share)

    categories = {
        id: replace(one, words=kept(one.words), pairs=kept(one.pairs), hints=kept(one.hints))
        for id, one in COMMUNE.categories.items()
    }
    words = {kind: kept(texts) for kind, texts in COMMUNE.words.items()}
    commune: Commune = replace(COMMUNE, categories=categories, words=words)
    return World(commune, Lexicon(commune))


def hear(utterance: Utterance, known: World) -> Heard:
    """Plays an utterance through the real decisions, with the look-ups that they ask for."""
    session, report = _OPENED[utterance.context], _filed(utterance.context)
    incoming = Incoming(id=9, address=HERE, account="dan", at=NOW, event=Words(utterance.text))
    wanted = needs(incoming, session, known)
    facts = Facts(
        now=NOW,
        me=Me(PERSON),
        report=report if report is not None and wanted.code == report.code else None,
        mine=(report,) if report is not None and wanted.mine else (),
    )
    decision = decide(incoming, session, facts, known)
    return _heard(session, decision)


def _heard(session: Session, decision: Decision) -> Heard:
    said = {say.message: say.data for say in decision.effects if isinstance(say, Say) and say.to == HERE}
    draft = decision.session.draft
    got: object = next((data["got"] for data in said.values() if "got" in data), {})
    return Heard(
        before=session.draft,
        draft=draft,
        said=said,
        filed=any(isinstance(effect, FileReport) for effect in decision.effects),
        steps=tuple(effect.action for effect in decision.effects if isinstance(effect, Change)),
        apart=len(decision.session.later) > len(session.later),
        official=draft is not None and draft.suspect,
        phone="resident/number_alone" in said or "resident/number_kept" in said or _called_back(got),
        got=got if isinstance(got, Mapping) else {},
    )


def _called_back(got: object) -> bool:
    """A number that was left beside an open report is said back with it."""
    return isinstance(got, Mapping) and bool(got.get("callback"))


# Verdicts ----------------------------------------------------------------------------------------


def judge(utterance: Utterance, heard: Heard) -> str:
    """How well it was taken; whatever was done and not meant is wrong before all else."""
    if _harm(utterance, heard):
        return WRONG
    verdict = _ANSWERS[utterance.kind](utterance, heard)
    if verdict == RIGHT and _needless(utterance, heard):
        return ASKED
    emergency = heard.emergency and utterance.kind != "nguy cấp"
    return MISSED if emergency else verdict


def _needless(utterance: Utterance, heard: Heard) -> bool:
    """A question about an emergency or an official where nobody spoke of one."""
    alarmed = heard.says("maybe_emergency") and utterance.kind != "nguy cấp"
    return alarmed or (heard.official and heard.draft is not None and utterance.kind != OFFICIAL)


def _harm(utterance: Utterance, heard: Heard) -> bool:
    """Something sent, dropped, stopped, judged, hidden or filled in that was not meant."""
    kind = utterance.kind
    done = {
        "gửi": heard.filed and not (kind == "nguy cấp" and heard.emergency),
        "huỷ": heard.dropped,
        "dừng": heard.says("stop"),
        "tốt": "confirm" in heard.steps,
        "chưa tốt": "reopen" in heard.steps,
        "không cho thôn": heard.changed("private"),
    }
    if any(happened for meant, happened in done.items() if meant != kind):
        return True
    if heard.filed or heard.dropped:
        return False
    return _filled_wrongly(utterance, heard)


def _filled_wrongly(utterance: Utterance, heard: Heard) -> bool:
    draft = heard.draft
    if draft is None or (utterance.kind == "nguy cấp" and (heard.emergency or heard.says("maybe_emergency"))):
        # What else was filled in stands behind the numbers to call.
        return False
    if heard.changed("category") and draft.category not in utterance.categories:
        return True
    # A draft that was begun from chatter and asks what it is about keeps the village that was really said.
    chatter = heard.begun and utterance.kind not in (REPORT, OFFICIAL) and draft.category is None
    if heard.changed("unit") and draft.unit not in utterance.units and not chatter:
        return True
    answers = utterance.kind not in (REPORT, OFFICIAL)
    return answers and not heard.begun and heard.changed("landmark")


def _report(utterance: Utterance, heard: Heard) -> str:
    """The worst of the slots; what is empty will be asked."""
    if heard.draft is None:
        return MISSED
    if heard.apart:
        # Taken for another report beside the open one: said so, with a button that puts it right.
        return MISSED
    slots = [
        _category(utterance, heard.draft, heard),
        _unit(utterance, heard.draft, heard),
        _landmark(utterance, heard.draft, heard),
    ]
    return max(slots, key=VERDICTS.index)


def _category(utterance: Utterance, draft: Draft, heard: Heard) -> str:
    if not utterance.categories or draft.category in utterance.categories:
        return RIGHT
    if draft.category is not None:
        return MISSED
    offered = not draft.guesses or set(draft.guesses[:2]) & set(utterance.categories)
    return ASKED if offered and _asks(heard) else MISSED


def _unit(utterance: Utterance, draft: Draft, heard: Heard) -> str:
    meant = set(utterance.units)
    if not meant or draft.unit in meant or (len(meant) > 1 and set(draft.units) == meant):
        return RIGHT
    return ASKED if draft.unit is None and _asks(heard) else MISSED


def _landmark(utterance: Utterance, draft: Draft, heard: Heard) -> str:
    if not utterance.landmark:
        return MISSED if heard.changed("landmark") and draft.landmark else RIGHT
    if heard.changed("landmark") and draft.landmark:
        return RIGHT if alike(draft.landmark, utterance.landmark) else MISSED
    return ASKED if not draft.landmark and _asks(heard) else MISSED


def alike(one: str, other: str) -> bool:
    """Whether one landmark has the other in it, with a word that says something."""
    first, second = fold(one), fold(other)
    shared = set(first.split()) & set(second.split()) - _TRIVIAL
    return bool(shared) and (f" {first} " in f" {second} " or f" {second} " in f" {first} ")


_TRIVIAL = frozenset(("o", "tai", "sau", "truoc", "canh", "gan", "ben", "dau", "cuoi", "giua", "nha", "cua"))


def _asks(heard: Heard) -> bool:
    return any(message.startswith("resident/ask_") for message in heard.said) or heard.says("summary")


def _official(utterance: Utterance, heard: Heard) -> str:
    if not heard.official:
        return MISSED
    if heard.draft is None:
        return MISSED
    return RIGHT if heard.draft.category in (None, *utterance.categories) else MISSED


def _emergency(_: Utterance, heard: Heard) -> str:
    if heard.emergency:
        return RIGHT
    return ASKED if heard.says("maybe_emergency") else MISSED


Answer = Callable[[Utterance, Heard], str]


def _saying(*messages: str, asking: tuple[str, ...] = ()) -> Answer:
    """The message that this meaning is answered with, without a report begun over it."""

    def verdict(_: Utterance, heard: Heard) -> str:
        if heard.begun or heard.apart:
            return MISSED
        if heard.says(*messages):
            return RIGHT
        return ASKED if heard.says(*asking) else MISSED

    return verdict


def _when(right: Callable[[Heard], bool], asked: Callable[[Heard], bool] = lambda heard: False) -> Answer:
    def verdict(_: Utterance, heard: Heard) -> str:
        return RIGHT if right(heard) else ASKED if asked(heard) else MISSED

    return verdict


def _procedure(heard: Heard) -> bool:
    return bool(heard.said.get("resident/off_topic", {}).get("procedure")) and not heard.begun


def _thanked(heard: Heard) -> bool:
    nod = heard.said.get("resident/nod", {})
    return bool(nod.get("thanks") or heard.got.get("thanks")) or heard.says("thanks_again", "confirmed")


def _skipped(heard: Heard) -> bool:
    """The open question was let go and another one, or the summary, follows."""
    before, draft = heard.before, heard.draft
    return before is not None and draft is not None and before.asked in draft.skipped


def _goes_on_asking(heard: Heard) -> bool:
    before, draft = heard.before, heard.draft
    same = before is not None and draft is not None and draft.asked == before.asked
    return same and not heard.changed("landmark") and _asks(heard)


def _will_send_photo(heard: Heard) -> bool:
    return heard.draft is not None and heard.draft.asked == "photo" and not _skipped(heard)


_ANSWERS: Mapping[str, Answer] = {
    REPORT: _report,
    OFFICIAL: _official,
    "nguy cấp": _emergency,
    "thủ tục": _when(_procedure),
    "lịch": _saying("calendar"),
    "chào": _saying("greeting"),
    "cảm ơn": _when(_thanked),
    "trợ giúp": _saying("help"),
    "tra cứu": _saying("my_reports", "no_reports", "one_report"),
    "giục": _saying("my_reports", "one_report"),
    "báo mới": _when(lambda heard: heard.begun and heard.says("ask_category")),
    # Of a report that is sent it is said how to take it back.
    "huỷ": _saying("cancelled", "nothing_to_cancel", asking=("ask_cancel",)),
    "dừng": _saying("stop"),
    "bật": _saying("on", "ask_reminders"),
    "riêng tư": _when(lambda heard: heard.says("privacy") or bool(heard.got.get("secret"))),
    "mắng": _saying("insulted"),
    "lạc đề": _saying("off_topic", "help", "greeting"),
    "số máy": _when(lambda heard: heard.phone and not heard.begun),
    "gửi": _when(lambda heard: heard.filed, lambda heard: heard.says("summary")),
    "sửa": _saying("edit"),
    "có": _when(_will_send_photo),
    "không": _when(_skipped, _goes_on_asking),
    "bỏ qua": _when(_skipped, _goes_on_asking),
    # Of an open report: whoever deals with it hears it.
    "tốt": _when(lambda heard: "confirm" in heard.steps or heard.says("words_added")),
    "chưa tốt": _when(lambda heard: "reopen" in heard.steps or heard.says("ask_complaint")),
    "giờ": _when(lambda heard: heard.draft is not None and bool(heard.draft.hours)),
    "không cho thôn": _when(lambda heard: heard.draft is not None and heard.draft.private),
}


# Scores ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Score:
    """How many of a half came out how."""

    right: int
    asked: int
    missed: int
    wrong: int

    @property
    def all(self) -> int:
        return self.right + self.asked + self.missed + self.wrong

    @property
    def good(self) -> float:
        """Percent that were understood or asked about."""
        return 100 * (self.right + self.asked) / self.all


def score(utterances: Iterable[Utterance], known: World | None = None) -> Score:
    counted = Counter(judge(one, hear(one, known or world())) for one in utterances)
    return Score(*(counted[verdict] for verdict in VERDICTS))


def shown(one: Utterance, heard: Heard) -> str:
    """What was said, and what became of it, for whoever works on the words."""
    draft = heard.draft or _BARE
    slots = f"{draft.category} {draft.guesses} {draft.unit} {draft.units[:3]} “{draft.landmark}”"
    return f"{one}\n    → {' '.join(heard.said)} {slots} {' '.join(heard.steps)}"


def main() -> None:
    """All scores; what went amiss is shown of what is worked with, never of the held half."""
    for one in (one for half in WORKED_WITH for one in read(half)):
        heard = hear(one, world())
        if (verdict := judge(one, heard)) in (MISSED, WRONG):
            print(verdict, shown(one, heard))
    for half in HALVES:
        reached = score(read(half))
        print(half, reached, f"{reached.good:.1f} %")


if __name__ == "__main__":
    main()
