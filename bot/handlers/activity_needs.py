"""What must be known to decide what is said or pressed about activities and indicators."""

from dataclasses import replace

from bot.core import when
from bot.core.events import Incoming
from bot.core.facts import Needs
from bot.core.session import Session, Telling
from bot.handlers import activity, activity_check, standings
from bot.handlers.talk import World

VERBS = (*activity.VERBS, *activity_check.VERBS, *standings.VERBS)


def of_press(verb: str, rest: str, incoming: Incoming, world: World) -> Needs:
    year = _year(incoming, world)
    need = Needs(units=frozenset({world.commune.office}))
    if verb in activity_check.VERBS:
        number, _, unit = rest.partition(":")
        known = number.isdecimal() and number.isascii() and len(number) < 10
        return replace(need, activity=int(number) if known else None, units=need.units | _unit(unit, world))
    if verb == "acts":
        return replace(need, activities=year, activities_of=_unit(rest.partition(":")[2], world))
    if verb == "acti":
        return replace(need, ledger=world.commune.plan)
    return replace(need, fellows=True, households=year, activities=year)


def of_words(need: Needs, incoming: Incoming, text: str, session: Session, world: World) -> Needs:
    """What the rest of the talk needs, and what these words may ask of activities."""
    if incoming.address.group:
        return need
    lexicon, year = world.lexicon, _year(incoming, world)
    meanings = lexicon.meanings(text)
    telling = session.tells(int(incoming.at.timestamp() * 1000))
    asked = lexicon.activities.asked(text)
    if asked is not None:
        return _of_one(need, asked.number, asked.rest, world)
    if telling is not None and telling.activity:
        return _of_one(need, telling.activity, text, world)
    unit = lexicon.activities.listed(text)
    if "indicators" in meanings:
        return replace(need, ledger=world.commune.plan)
    if unit or "activity_list" in meanings:
        return replace(need, activities=year, activities_of=frozenset({unit}) if unit else frozenset())
    households = lexicon.activities.households(text) is not None
    if households or tells(telling, text, world):
        return of_telling(need, incoming, world)
    return need


def of_telling(need: Needs, incoming: Incoming, world: World) -> Needs:
    """Who is to confirm what is being told, and of how many households it is."""
    office = frozenset({world.commune.office})
    year = _year(incoming, world)
    return replace(need, fellows=True, households=year, activities=year, units=need.units | office)


def tells(telling: Telling | None, text: str, world: World) -> bool:
    """Whether words may be part of an activity, or all of one."""
    words = world.lexicon.activities
    named = words.told(text) is not None or bool(words.kinds(text, world.commune.plan.kinds.values()))
    return telling is not None or named


def _of_one(need: Needs, number: int, text: str, world: World) -> Needs:
    units = world.lexicon.units.named(text) if text else ()
    return replace(need, activity=number, units=need.units | {world.commune.office, *units})


def _unit(unit: str, world: World) -> frozenset[str]:
    return frozenset({unit} if unit in world.commune.units else ())


def _year(incoming: Incoming, world: World) -> int:
    return world.commune.plan.year_of(incoming.at.astimezone(when.ZONE).date())
