"""Work done together: one record with the units that worked along."""

from dataclasses import replace

from bot.core.activity import STRUCK, Activity
from bot.core.effects import JoinActivity, Lane, Say
from bot.core.session import Telling
from bot.handlers import activity_words, members
from bot.handlers.activity_fix import opened
from bot.handlers.talk import Decision, Talk, unit_words

PARTNERS_SHOWN = 4


def ask(talk: Talk, found: Activity, text: str) -> Decision:
    named = talk.world.lexicon.units.named(text) if text else ()
    if named:
        return join(talk, found, named)
    return talk.go(_which(talk, found), telling=_asked(talk, found))


def _asked(talk: Talk, found: Activity) -> Telling:
    """Photos that come now still belong to what was just recorded."""
    before, telling = talk.session.tells(talk.now), opened(talk, found, "partner")
    return replace(telling, id=before.id) if before is not None else telling


def _which(talk: Talk, found: Activity, *, again: bool = False) -> Say:
    others = [unit for unit in _likely(talk) if unit not in (found.unit, *found.partners)]
    units = [talk.commune.unit(unit) for unit in others[:PARTNERS_SHOWN]]
    offered = [{"id": unit.id, "label": activity_words.label_of(unit)} for unit in units]
    return activity_words.about(talk, "activity/ask_partner", found, offered=offered, again=again)


def _likely(talk: Talk) -> list[str]:
    """Associations first: they work along with everybody."""
    kinds = ("association", "school", "department", "village")
    return [u.id for kind in kinds for u in talk.commune.units.values() if u.kind == kind]


def join(talk: Talk, found: Activity, units: tuple[str, ...]) -> Decision:
    """One more unit worked along; its members are told, and see it in their list."""
    unit = units[0] if len(units) == 1 and units[0] in talk.commune.units else ""
    if found.state == STRUCK or (not talk.facts.me.of(found.unit) and not members.is_office(talk)):
        why = STRUCK if found.state == STRUCK else "other"
        return talk.stay(activity_words.about(talk, "activity/refused", found, why=why))
    if not unit or unit in (found.unit, *found.partners):
        return talk.go(_which(talk, found, again=True), telling=_asked(talk, found))
    after = replace(found, partners=(*found.partners, unit))
    data = activity_words.of_activity(talk, after) | {"partner": unit_words(talk.commune, unit)}
    told = talk.answer("activity/partnered", **data, mine=True)
    ears = [ear for ear in talk.desk(unit).all if ear != talk.here]
    others = [Say(ear, "activity/partnered", data | {"mine": False}, Lane.UPDATE) for ear in ears]
    before = talk.session.tells(talk.now)
    after_it = replace(before, step="told", activity=0) if before is not None else None
    return talk.go(JoinActivity(found.id, unit), told, *others, telling=after_it)
