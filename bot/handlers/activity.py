"""A member tells what their unit did outside clean-up days: step by step, or all in one line."""

from dataclasses import replace

from bot.core.activity import EVIDENCE, evidence
from bot.core.effects import Effect, KeepPhoto, Say
from bot.core.events import DONE_BY_PEOPLE, PhotoReady, PhotoSent
from bot.core.plan import Kind
from bot.core.quantity import Quantity, quantity_in
from bot.core.session import Telling
from bot.core.text import clip
from bot.handlers import activity_record, activity_words
from bot.handlers.talk import Decision, Talk, unit_words

VERBS = ("act", "actu", "actk", "actn", "actq")
PAGE = 4
NAME_MAX, WORDS_MAX, LABEL_MAX = 80, 300, 20
# So long after it was recorded, a photo without a word still belongs to it.
MORE_PHOTOS_MS = 5 * 60 * 1000
# What a photo may come before.
ASKING = ("unit", "kind", "amount", "photo")


# What means something else, whatever is being asked here.
OTHER_MATTERS = frozenset(
    {"thanks", "greeting", "report", "lookup", "help", "calendar", "stop", "on", "start"}
)


# What is pressed ---------------------------------------------------------------------------------


def press(talk: Talk, verb: str, rest: str) -> Decision:
    if not activity_words.units_of(talk):
        return talk.stay(talk.answer("activity/not_yours"))
    telling = talk.session.tells(talk.now)
    match verb:
        case "act":
            return begin(talk, "")
        case "actk" if rest.isdecimal() and len(rest) < 4:
            return _ask_kind(talk, telling or _new(talk), int(rest))
    if telling is None or telling.step not in ASKING:
        return talk.stay(talk.answer("activity/stale"))
    match verb:
        case "actu" if rest in activity_words.units_of(talk):
            return _next(talk, replace(telling, unit=rest))
        case "actk" if rest in {kind.id for kind in activity_words.kinds_of(talk, telling.unit)}:
            return _next(talk, replace(telling, kind=rest))
        case "actn" if telling.step == "photo":
            return activity_record.record(talk, telling)
        case "actq":
            return talk.go(talk.answer("activity/let_go"), telling=None)
    return talk.stay(talk.answer("activity/stale"))


def begin(talk: Talk, text: str, *photos: Effect) -> Decision:
    """ "Báo hoạt động", with as much behind it as somebody cares to say."""
    if not activity_words.units_of(talk):
        return talk.stay(talk.answer("activity/not_yours"))
    return _more(talk, replace(_new(talk), photos=len(photos)), text, *photos)


def _new(talk: Talk) -> Telling:
    units = activity_words.units_of(talk)
    return Telling(talk.incoming.id, talk.now, "kind", units[0] if len(units) == 1 else "")


def let_be(talk: Talk, decision: Decision) -> Decision:
    """Whoever goes on with a report lets what was being told of activities be."""
    before, after = talk.session, decision.session
    by_person = isinstance(talk.incoming.event, DONE_BY_PEOPLE)
    newer = after.draft is not None and after.draft != before.draft and after.telling == before.telling
    return replace(decision, session=replace(after, telling=None)) if by_person and newer else decision


# What is said ------------------------------------------------------------------------------------


def said(talk: Talk, text: str) -> Decision | None:
    """Words that begin an activity, or go on with one; None when they are about something else."""
    lexicon, telling = talk.world.lexicon, talk.session.tells(talk.now)
    told = lexicon.activities.told(text) if talk.facts.me.roles else None
    if told is not None:
        return begin(talk, told)
    if telling is not None and telling.step in ASKING and activity_words.units_of(talk) and comes_first(talk):
        return None if elsewhere(talk, telling, text) else _answered(talk, telling, text)
    return begin(talk, text) if in_one_line(talk, text) else None


def comes_first(talk: Talk) -> bool:
    """Whether what comes now is about the activity, and not what a report still owes."""
    telling, owed = talk.session.tells(talk.now), talk.session.owed(talk.incoming.account, talk.now)
    answers = talk.incoming.replied is not None and talk.facts.report is not None
    return telling is not None and not answers and (owed is None or owed.at <= telling.at)


def elsewhere(talk: Talk, telling: Telling, text: str) -> bool:
    """A command, a word of duty, a report: what is being told here waits."""
    lexicon = talk.world.lexicon
    command = lexicon.command(text) not in (None, "huy") or lexicon.report_code(text) is not None
    duty = lexicon.duty_verb(text) is not None and telling.step != "photo"
    if command or duty or lexicon.meanings(text) & OTHER_MATTERS:
        return True
    named = telling.step in ("unit", "kind", "photo") and lexicon.sure(lexicon.categories(text)) is not None
    return named and not _kind_in(talk, telling.unit, text)


def in_one_line(talk: Talk, text: str) -> bool:
    """ "Trong duoc 50 cay o duong lang": a kind and how many, of a unit that reports it, and no complaint."""
    session, lexicon = talk.session, talk.world.lexicon
    owed = session.owed(talk.incoming.account, talk.now)
    busy = session.draft is not None or session.tells_result(talk.now) is not None or owed is not None
    if busy or lexicon.categories(text) or lexicon.mentions(text, "question"):
        return False
    return any(_reads(talk, unit, text) for unit in activity_words.units_of(talk))


def _reads(talk: Talk, unit: str, text: str) -> bool:
    kinds = activity_words.kinds_of(talk, unit)
    found = talk.world.lexicon.activities.kinds(text, kinds)
    counted = [talk.commune.plan.kinds[kind] for kind in found if talk.commune.plan.kinds[kind].measures]
    return any(_quantity(kind, text)[0] is not None for kind in counted)


def _answered(talk: Talk, telling: Telling, text: str) -> Decision:
    meanings = talk.world.lexicon.meanings(text)
    if "cancel" in meanings:
        return talk.go(talk.answer("activity/let_go"), telling=None)
    if telling.step == "photo":
        skips = meanings & {"skip_photo", "done", "enough", "no", "send"}
        if skips:
            return activity_record.record(talk, telling)
        more = replace(telling, words=_joined(telling.words, text), at=talk.now)
        return talk.go(_asked(talk, more, "activity/ask_photo"), telling=more)
    return _more(talk, telling, text)


def _more(talk: Talk, telling: Telling, text: str, *kept: Effect) -> Decision:
    """Take from the words what is still missing, and go on with the first thing that is."""
    if not telling.unit:
        named = [
            unit for unit in talk.world.lexicon.units.named(text) if unit in activity_words.units_of(talk)
        ]
        telling = replace(telling, unit=named[0]) if len(named) == 1 else telling
        text = "" if named else text
    if telling.unit and not telling.kind:
        kind = _kind_in(talk, telling.unit, text)
        telling = replace(telling, kind=kind)
        if kind and not _says_more(talk, telling, text):
            return _next(talk, telling, *kept)
    if telling.kind:
        return _amount(talk, telling, text, *kept)
    return _next(talk, telling, *kept, again=telling.step == "kind" and bool(text))


def _kind_in(talk: Talk, unit: str, text: str) -> str:
    """The kind that is named; of several, the first that the number fits."""
    kinds, words = activity_words.kinds_of(talk, unit), talk.world.lexicon.activities
    exactly = words.only_kind(text, kinds)
    if exactly is not None:
        return exactly
    found = [talk.commune.plan.kinds[kind] for kind in words.kinds(text, kinds)]
    fitting = [kind for kind in found if kind.measures and _quantity(kind, text)[0] is not None]
    return next((kind.id for kind in (*fitting, *found)), "")


def _says_more(talk: Talk, telling: Telling, text: str) -> bool:
    """Whether anything but the kind's own words is there."""
    kind = talk.commune.plan.kinds[telling.kind]
    return bool(talk.world.lexicon.activities.without(text, kind))


def _amount(talk: Talk, telling: Telling, text: str, *kept: Effect) -> Decision:
    kind = talk.commune.plan.kinds[telling.kind]
    if not text:
        return _next(talk, telling, *kept)
    if kind.asks == "name":
        name = talk.world.lexicon.activities.without(text, kind) if telling.step == "kind" else text
        return _next(talk, replace(telling, name=clip(" ".join(name.split()), NAME_MAX)), *kept)
    quantity, rest = _quantity(kind, talk.world.lexicon.activities.without(text, kind))
    if quantity is None:
        again = telling.step == "amount"
        return _next(talk, telling, *kept, again=again)
    if _gives_whole(kind, telling, quantity):
        return _next(talk, replace(telling, of=quantity.number), *kept)
    told = replace(telling, number=quantity.number, of=quantity.of, measure=quantity.measure)
    return _next(talk, replace(told, words=_joined(telling.words, _note(talk, kind, rest))), *kept)


def _gives_whole(kind: Kind, telling: Telling, quantity: Quantity) -> bool:
    """ "120", then "150" when it was asked of how many."""
    asked = telling.step == "amount" and kind.asks == "share" and telling.number is not None
    return asked and quantity.of is None and quantity.number >= (telling.number or 0)


def _quantity(kind: Kind, text: str) -> tuple[Quantity | None, str]:
    return quantity_in(text, kind.measures, share=kind.asks == "share")


def _note(talk: Talk, kind: Kind, rest: str) -> str:
    """What was said besides; the kind's own words say nothing new."""
    return rest if talk.world.lexicon.activities.without(rest, kind) else ""


def _joined(before: str, more: str) -> str:
    return clip(" ".join(part for part in (before, " ".join(more.split())) if part), WORDS_MAX)


# What is asked next ------------------------------------------------------------------------------


def _next(talk: Talk, telling: Telling, *kept: Effect, again: bool = False) -> Decision:
    """The first thing that is missing; nothing is, but a photo, which may be let go."""
    telling = replace(telling, at=talk.now)
    if not telling.unit:
        telling = replace(telling, step="unit")
        units = [talk.commune.unit(unit) for unit in activity_words.units_of(talk)]
        offered = [{"id": unit.id, "label": activity_words.label_of(unit)} for unit in units[: PAGE + 1]]
        return talk.go(*kept, talk.answer("activity/ask_unit", offered=offered), telling=telling)
    if not telling.kind:
        return _ask_kind(talk, telling, 0, *kept, again=again)
    if not _enough(talk, telling):
        told = replace(telling, step="amount")
        return talk.go(*kept, _asked(talk, told, "activity/ask_amount", again=again), telling=told)
    if telling.photos:
        return activity_record.record(talk, telling, *kept)
    told = replace(telling, step="photo")
    return talk.go(*kept, _asked(talk, told, "activity/ask_photo"), telling=told)


def _enough(talk: Talk, telling: Telling) -> bool:
    kind = talk.commune.plan.kinds[telling.kind]
    if kind.asks == "name":
        return bool(telling.name)
    whole = telling.of is not None or activity_words.total_of(talk, telling) is not None
    return telling.number is not None and (kind.asks != "share" or whole)


def _ask_kind(talk: Talk, telling: Telling, start: int, *kept: Effect, again: bool = False) -> Decision:
    """The kinds that the unit reports, a page at a time; any may be typed."""
    kinds = activity_words.kinds_of(talk, telling.unit) if telling.unit else ()
    if not kinds:
        return (
            _next(talk, replace(telling, kind=""), *kept)
            if not telling.unit
            else activity_record.nothing(talk)
        )
    start = start if start < len(kinds) else 0
    whole = len(kinds) <= PAGE + 1
    shown = kinds if whole else kinds[start : start + PAGE]
    after = start + PAGE if not whole and start + PAGE < len(kinds) else 0
    data = {"unit": unit_words(talk.commune, telling.unit), "paged": not whole, "after": after}
    offered = [{"id": kind.id, "label": kind.label} for kind in shown]
    asked = talk.answer("activity/ask_kind", **data, offered=offered, again=again, photos=telling.photos)
    return talk.go(*kept, asked, telling=replace(telling, step="kind", at=talk.now))


def _asked(talk: Talk, telling: Telling, message: str, *, again: bool = False) -> Say:
    return talk.answer(message, **activity_words.of_telling(talk, telling), again=again)


# Photos ------------------------------------------------------------------------------------------


def photo(talk: Talk, sent: PhotoSent) -> Decision | None:
    """Evidence of what is being told, or was just recorded; its caption may tell all of it."""
    telling, lexicon = talk.session.tells(talk.now), talk.world.lexicon
    told = lexicon.activities.told(sent.caption) if talk.facts.me.roles else None
    if telling is not None and telling.step in ASKING and activity_words.units_of(talk):
        kept = KeepPhoto(sent.file, evidence(telling.id))
        more = replace(telling, photos=telling.photos + 1)
        return _patient(_more(talk, more, told or sent.caption, kept), sent)
    fresh = KeepPhoto(sent.file, evidence(talk.incoming.id))
    if told is not None and activity_words.units_of(talk):
        return _patient(begin(talk, told, fresh), sent)
    if sent.caption and in_one_line(talk, sent.caption):
        return _patient(begin(talk, sent.caption, fresh), sent)
    just = telling is not None and talk.now - telling.at <= MORE_PHOTOS_MS
    if telling is None or not just or telling.step not in ("told", "partner") or sent.caption:
        return None
    kept = KeepPhoto(sent.file, evidence(telling.id))
    wait = 1000 if sent.album else 0
    asked = Say(talk.here, "activity/photo_kept", {}, question=True, wait_ms=wait)
    return talk.go(kept, asked, telling=replace(telling, photos=telling.photos + 1))


def _patient(decision: Decision, sent: PhotoSent) -> Decision:
    """What is asked about an album is asked once, when all of it is here."""
    wait = 1000 if sent.album else 0
    effects = tuple(
        replace(effect, question=True, wait_ms=wait)
        if isinstance(effect, Say) and effect.message.startswith("activity/ask_")
        else effect
        for effect in decision.effects
    )
    return Decision(decision.session, effects)


def photo_ready(talk: Talk, ready: PhotoReady) -> Decision:
    """Kept; one that cannot be opened is told."""
    if ready.problem is None:
        return talk.stay()
    return talk.stay(talk.answer("activity/bad_photo", problem=ready.problem))


def is_evidence(purpose: str) -> bool:
    return purpose.startswith(EVIDENCE)
