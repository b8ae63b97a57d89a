"""An activity that was recorded: confirmed by somebody else, put right, struck out, done together."""

from dataclasses import replace
from typing import Any

from bot.core.activity import CONFIRMED, DOUBTED, STRUCK, TOLD, Activity
from bot.core.activitywords import Asked
from bot.core.effects import ChangeActivity, JoinActivity, Lane, Say
from bot.core.events import Address
from bot.core.quantity import Quantity, quantity_in
from bot.core.session import Telling
from bot.core.text import clip
from bot.handlers import activity, members
from bot.handlers.talk import Decision, Talk, unit_words

VERBS = ("actok", "actno", "actfix", "actcut", "actp", "actpu", "actone")
REASON_MAX = 200
PARTNERS_SHOWN = 4
# The press that does the same as a word.
PRESSES = {
    "confirm": "actok",
    "doubt": "actno",
    "fix": "actfix",
    "strike": "actcut",
    "partner": "actp",
    "one": "actone",
}


def press(talk: Talk, verb: str, rest: str) -> Decision:
    number, _, more = rest.partition(":")
    found = talk.facts.activity
    if found is None or str(found.id) != number or not _knows(talk, found):
        return talk.stay(talk.answer("activity/not_yours"))
    match verb:
        case "actok":
            return _confirm(talk, found)
        case "actno":
            return _doubt(talk, found)
        case "actfix":
            return _fix(talk, found, more)
        case "actcut":
            return _strike(talk, found, more)
        case "actpu":
            return _join(talk, found, (more,))
        case "actp":
            return _ask_partner(talk, found, more)
    return talk.stay(talk.answer("activity/one", **words(talk, found), rights=_rights(talk, found)))


def asked(talk: Talk, one: Asked) -> Decision:
    """The same in words: "xac nhan 12", "sua hoat dong 12 con 45", "lam cung 12 truong 2"."""
    return press(talk, PRESSES[one.verb], f"{one.number}:{one.rest}")


# Who may -----------------------------------------------------------------------------------------


def _knows(talk: Talk, found: Activity) -> bool:
    """Members of the units that did it, and the office; to anybody else it does not exist."""
    mine = any(talk.facts.me.of(unit) for unit in (found.unit, *found.partners))
    return mine or members.is_office(talk)


def _may_confirm(talk: Talk, found: Activity) -> str:
    """Empty when the sender may, else why not: nobody confirms what they told themselves."""
    if found.told_by == talk.facts.me.person:
        return "own"
    if talk.facts.me.of(found.unit):
        return ""
    people = {member.person for member in talk.facts.members if member.unit == found.unit}
    alone = not people - {found.told_by}
    return "" if members.is_office(talk) and alone else "other"


def _may_correct(talk: Talk, found: Activity) -> bool:
    """The office always; whoever told it, as long as nobody confirmed it."""
    own = found.told_by == talk.facts.me.person and not found.confirmed
    return members.is_office(talk) or own


def _rights(talk: Talk, found: Activity) -> list[str]:
    if found.state == STRUCK:
        return []
    confirms = not found.confirmed and not _may_confirm(talk, found)
    return [*(["confirm", "doubt"] if confirms else []), *(["correct"] if _may_correct(talk, found) else [])]


# Confirmed or not --------------------------------------------------------------------------------


def _confirm(talk: Talk, found: Activity) -> Decision:
    refused = _not_now(talk, found)
    if refused is not None:
        return refused
    name = _name(talk, found)
    checked = {"state": CONFIRMED, "checked_by": talk.facts.me.person, "checked_name": name}
    change = ChangeActivity(found.id, found.version, "confirm", checked)
    after = replace(found, state=CONFIRMED, checked_name=name)
    told = talk.answer("activity/changed", **words(talk, after), what="confirmed", mine=True, why="")
    return talk.stay(change, told, *_tell_teller(talk, after, "confirmed"))


def _doubt(talk: Talk, found: Activity) -> Decision:
    refused = _not_now(talk, found)
    if refused is not None:
        return refused
    name = _name(talk, found)
    checked = {"state": DOUBTED, "checked_by": talk.facts.me.person, "checked_name": name}
    after = replace(found, state=DOUBTED, checked_name=name)
    told = talk.answer("activity/changed", **words(talk, after), what="doubted", mine=True, why="")
    change = ChangeActivity(found.id, found.version, "doubt", checked)
    return talk.stay(change, told, *_tell_teller(talk, after, "doubted"))


def _not_now(talk: Talk, found: Activity) -> Decision | None:
    """Whoever comes second hears who was first; what was struck out stays so."""
    why = found.state if found.state in (CONFIRMED, STRUCK) else _may_confirm(talk, found)
    if not why:
        return None
    return talk.stay(talk.answer("activity/refused", **words(talk, found), why=why))


def _name(talk: Talk, found: Activity) -> str:
    """The name by which the sender is known in the unit, or in the office."""
    roles = talk.facts.me.of(found.unit) or talk.facts.me.roles
    return roles[0].name


def _tell_teller(talk: Talk, found: Activity, what: str, why: str = "") -> list[Say]:
    data = words(talk, found) | {"what": what, "mine": False, "why": why}
    return [Say(ear, "activity/changed", data, Lane.UPDATE) for ear in _teller(talk, found)]


def _teller(talk: Talk, found: Activity) -> list[Address]:
    """Where whoever told it reads, if they still belong to the unit; else whoever does."""
    own = [member for member in talk.facts.members if member.person == found.told_by]
    rows = own or [member for member in talk.facts.members if member.unit == found.unit]
    ears = dict.fromkeys(Address(*chat) for member in rows for chat in member.chats[:1])
    return [ear for ear in ears if ear != talk.here]


# Put right, struck out ---------------------------------------------------------------------------


def _fix(talk: Talk, found: Activity, text: str) -> Decision:
    return _fixed(talk, _open(talk, found, "fix"), found, text)


def _barred(talk: Talk, found: Activity) -> Decision | None:
    """Looked up anew at every answer: meanwhile it may have been confirmed, or struck out."""
    if found.state != STRUCK and _may_correct(talk, found):
        return None
    why = STRUCK if found.state == STRUCK else "office"
    return talk.go(talk.answer("activity/refused", **words(talk, found), why=why), telling=None)


def _open(talk: Talk, found: Activity, step: str) -> Telling:
    return Telling(talk.incoming.id, talk.now, step, found.unit, found.kind, activity=found.id)


def _fixed(talk: Talk, telling: Telling, found: Activity, text: str) -> Decision:
    """The right number, or name, and why: in one line, or one after the other."""
    barred = _barred(talk, found)
    if barred is not None:
        return barred
    told, why = _without_reason(talk, text)
    if telling.step == "fix" and told:
        telling = _corrected(talk, telling, found, told)
    telling = replace(telling, words=clip(why, REASON_MAX) or telling.words)
    given = telling.number is not None or bool(telling.name)
    if not given:
        data = words(talk, found) | {"again": bool(told)}
        return talk.go(talk.answer("activity/ask_fix", **data), telling=replace(telling, step="fix"))
    if members.is_office(talk) and found.told_by != talk.facts.me.person and not telling.words:
        data = words(talk, found) | {"strike": False}
        return talk.go(talk.answer("activity/ask_why", **data), telling=replace(telling, step="why_fix"))
    return _changed(talk, telling, found)


def _corrected(talk: Talk, telling: Telling, found: Activity, text: str) -> Telling:
    kind = talk.commune.plan.kinds.get(found.kind)
    if kind is None or kind.asks == "name":
        return replace(telling, name=clip(" ".join(text.split()), activity.NAME_MAX))
    quantity, _ = quantity_in(text, kind.measures, share=kind.asks == "share")
    return telling if quantity is None else _with(telling, found, quantity)


def _with(telling: Telling, found: Activity, quantity: Quantity) -> Telling:
    """A new number; the whole and the measure stay, where no others were said."""
    of = quantity.of if quantity.of is not None else found.of
    most = quantity.number if of is None else min(quantity.number, of)
    return replace(telling, number=most, of=of, measure=found.measure or quantity.measure)


def _changed(talk: Talk, telling: Telling, found: Activity) -> Decision:
    """What the office put right is right; what was put right by whoever told it is to be confirmed anew."""
    office = members.is_office(talk) and found.told_by != talk.facts.me.person
    values: dict[str, Any] = {"name": telling.name} if telling.name else {}
    if telling.number is not None:
        values |= {"number": telling.number, "of": telling.of, "measure": telling.measure}
    after = replace(found, **values, state=CONFIRMED if office else TOLD)
    values |= {"state": after.state}
    if office:
        values |= {"checked_by": talk.facts.me.person, "checked_name": _name(talk, found)}
    change = ChangeActivity(found.id, found.version, "correct", values, telling.words)
    told = talk.answer("activity/changed", **words(talk, after), what="fixed", mine=True, why=telling.words)
    others = _tell_teller(talk, after, "fixed", telling.words) if office else _ask_again(talk, after)
    return talk.go(change, told, *others, telling=None)


def _ask_again(talk: Talk, found: Activity) -> list[Say]:
    ears, office = activity.who_confirms(talk, found.unit, talk.facts.me.person)
    data = words(talk, found) | {"office": office, "twin": 0}
    return [Say(ear, "activity/confirm", data, Lane.UPDATE) for ear in ears]


def _strike(talk: Talk, found: Activity, text: str) -> Decision:
    barred = _barred(talk, found)
    if barred is not None:
        return barred
    why = clip(_plain_reason(talk, text), REASON_MAX)
    if not why:
        data = words(talk, found) | {"strike": True}
        asked_ = talk.answer("activity/ask_why", **data)
        return talk.go(asked_, telling=_open(talk, found, "why_strike"))
    after = replace(found, state=STRUCK)
    change = ChangeActivity(found.id, found.version, "strike", {"state": STRUCK}, why)
    told = talk.answer("activity/changed", **words(talk, after), what="struck", mine=True, why=why)
    return talk.go(change, told, *_tell_teller(talk, after, "struck", why), telling=None)


def _without_reason(talk: Talk, text: str) -> tuple[str, str]:
    """ "45 vì đếm lại": what is right, and why."""
    said = text.split()
    lexicon = talk.world.lexicon
    at = next((at for at, word in enumerate(said) if lexicon.means(word, "activity_reason")), None)
    if at is None:
        return text.strip(" .,;:"), ""
    return " ".join(said[:at]).strip(" .,;:"), " ".join(said[at + 1 :])


def _plain_reason(talk: Talk, text: str) -> str:
    before, why = _without_reason(talk, text)
    return why if why and not before else text.strip(" .,;:")


def said(talk: Talk, text: str) -> Decision | None:
    """The answer to what was asked about an activity; None when the words are about something else."""
    telling, found = talk.session.tells(talk.now), talk.facts.activity
    if telling is None or found is None or telling.activity != found.id or not _knows(talk, found):
        return None
    if not activity.comes_first(talk) or activity.elsewhere(talk, telling, text):
        return None
    if talk.world.lexicon.meanings(text) & {"cancel", "enough"}:
        return talk.go(talk.answer("activity/left", **words(talk, found)), telling=None)
    match telling.step:
        case "fix":
            return _fixed(talk, telling, found, text)
        case "why_fix":
            return _fixed(talk, replace(telling, words=clip(text, REASON_MAX)), found, "")
        case "why_strike":
            return _strike(talk, found, text)
        case "partner":
            return _join(talk, found, talk.world.lexicon.units.named(text))
    return None


# Done together -----------------------------------------------------------------------------------


def _ask_partner(talk: Talk, found: Activity, text: str) -> Decision:
    named = talk.world.lexicon.units.named(text) if text else ()
    if named:
        return _join(talk, found, named)
    telling = replace(_open(talk, found, "partner"), id=_kept_id(talk))
    return talk.go(_which(talk, found), telling=telling)


def _kept_id(talk: Talk) -> int:
    """Photos that come now still belong to what was just recorded."""
    before = talk.session.tells(talk.now)
    return before.id if before is not None else talk.incoming.id


def _which(talk: Talk, found: Activity, *, again: bool = False) -> Say:
    others = [unit for unit in _likely(talk) if unit not in (found.unit, *found.partners)]
    offered = [
        {"id": unit, "label": activity.label_of(talk.commune.unit(unit))} for unit in others[:PARTNERS_SHOWN]
    ]
    return talk.answer("activity/ask_partner", **words(talk, found), offered=offered, again=again)


def _likely(talk: Talk) -> list[str]:
    """Associations first: they work along with everybody."""
    kinds = ("association", "school", "department", "village")
    return [u.id for kind in kinds for u in talk.commune.units.values() if u.kind == kind]


def _join(talk: Talk, found: Activity, units: tuple[str, ...]) -> Decision:
    """One more unit worked along; its members are told, and see it in their list."""
    unit = units[0] if len(units) == 1 and units[0] in talk.commune.units else ""
    if found.state == STRUCK or (not talk.facts.me.of(found.unit) and not members.is_office(talk)):
        why = STRUCK if found.state == STRUCK else "other"
        return talk.stay(talk.answer("activity/refused", **words(talk, found), why=why))
    if not unit or unit in (found.unit, *found.partners):
        telling = _open(talk, found, "partner")
        return talk.go(_which(talk, found, again=True), telling=telling)
    after = replace(found, partners=(*found.partners, unit))
    data = words(talk, after) | {"partner": unit_words(talk.commune, unit)}
    told = talk.answer("activity/partnered", **data, mine=True)
    ears = [ear for ear in talk.desk(unit).all if ear != talk.here]
    others = [Say(ear, "activity/partnered", data | {"mine": False}, Lane.UPDATE) for ear in ears]
    return talk.go(JoinActivity(found.id, unit), told, *others, telling=None)


# In words ----------------------------------------------------------------------------------------


def words(talk: Talk, found: Activity) -> dict[str, Any]:
    """An activity for a sentence."""
    kind = talk.commune.plan.kinds.get(found.kind)
    return {
        "code": found.id,
        "unit": unit_words(talk.commune, found.unit),
        "kind": kind.name if kind is not None else found.kind,
        "asks": kind.asks if kind is not None else "name",
        "number": found.number,
        "of": found.of,
        "measure": found.measure,
        "name": found.name,
        "note": found.words,
        "photos": found.photos,
        "state": found.state,
        "who": found.told_name,
        "checked": found.checked_name,
        "partners": [talk.commune.unit(unit).name for unit in found.partners],
    }
