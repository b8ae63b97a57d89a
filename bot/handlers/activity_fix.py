"""An activity is put right, or struck out: by the office with a reason, or by who told it in time."""

from dataclasses import replace
from typing import Any

from bot.core.activity import CONFIRMED, STRUCK, TOLD, Activity
from bot.core.effects import ChangeActivity, Lane, Say
from bot.core.quantity import Quantity, quantity_in
from bot.core.session import Telling
from bot.core.text import clip
from bot.handlers import activity_record, activity_rights, activity_words, members
from bot.handlers.activity import NAME_MAX
from bot.handlers.talk import Decision, Talk

REASON_MAX = 200


def fix(talk: Talk, found: Activity, text: str) -> Decision:
    return fixed(talk, opened(talk, found, "fix"), found, text)


def opened(talk: Talk, found: Activity, step: str) -> Telling:
    return Telling(talk.incoming.id, talk.now, step, found.unit, found.kind, activity=found.id)


def _barred(talk: Talk, found: Activity) -> Decision | None:
    """Looked up anew at every answer: meanwhile it may have been confirmed, or struck out."""
    if found.state != STRUCK and activity_rights.may_correct(talk, found):
        return None
    why = STRUCK if found.state == STRUCK else "office"
    return talk.go(activity_words.about(talk, "activity/refused", found, why=why), telling=None)


def fixed(talk: Talk, telling: Telling, found: Activity, text: str) -> Decision:
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
        data = activity_words.of_activity(talk, found) | {"again": bool(told)}
        return talk.go(talk.answer("activity/ask_fix", **data), telling=replace(telling, step="fix"))
    if members.is_office(talk) and found.told_by != talk.facts.me.person and not telling.words:
        data = activity_words.of_activity(talk, found) | {"strike": False}
        return talk.go(talk.answer("activity/ask_why", **data), telling=replace(telling, step="why_fix"))
    return _changed(talk, telling, found)


def _corrected(talk: Talk, telling: Telling, found: Activity, text: str) -> Telling:
    kind = talk.commune.plan.kinds.get(found.kind)
    if kind is None or kind.asks == "name":
        return replace(telling, name=clip(" ".join(text.split()), NAME_MAX))
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
        values |= {"checked_by": talk.facts.me.person, "checked_name": activity_rights.name_here(talk, found)}
    change = ChangeActivity(found.id, found.version, "correct", values, telling.words)
    told = activity_words.about(
        talk,
        "activity/changed",
        after,
        what="fixed",
        mine=True,
        why=telling.words,
    )
    others = (
        activity_rights.tell_teller(talk, after, "fixed", telling.words)
        if office
        else _ask_again(talk, after)
    )
    return talk.go(change, told, *others, telling=None)


def _ask_again(talk: Talk, found: Activity) -> list[Say]:
    ears, office = activity_record.who_confirms(talk, found.unit, talk.facts.me.person)
    data = activity_words.of_activity(talk, found) | {"office": office, "twin": 0}
    return [Say(ear, "activity/confirm", data, Lane.UPDATE) for ear in ears]


def strike(talk: Talk, found: Activity, text: str) -> Decision:
    barred = _barred(talk, found)
    if barred is not None:
        return barred
    why = clip(_plain_reason(talk, text), REASON_MAX)
    if not why:
        data = activity_words.of_activity(talk, found) | {"strike": True}
        asked_ = talk.answer("activity/ask_why", **data)
        return talk.go(asked_, telling=opened(talk, found, "why_strike"))
    after = replace(found, state=STRUCK)
    change = ChangeActivity(found.id, found.version, "strike", {"state": STRUCK}, why)
    told = activity_words.about(talk, "activity/changed", after, what="struck", mine=True, why=why)
    return talk.go(change, told, *activity_rights.tell_teller(talk, after, "struck", why), telling=None)


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
