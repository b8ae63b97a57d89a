"""Activities in sentences: whose they are, which kinds a unit reports, of how many in all."""

from typing import Any

from bot.core.activity import Activity
from bot.core.commune import Unit
from bot.core.effects import Say
from bot.core.plan import Kind
from bot.core.session import Telling
from bot.handlers.talk import Talk, unit_words

LABEL_MAX = 20


def units_of(talk: Talk) -> tuple[str, ...]:
    """The sender's units that report activities."""
    units = dict.fromkeys(role.unit for role in talk.facts.me.roles)
    return tuple(unit for unit in units if kinds_of(talk, unit))


def kinds_of(talk: Talk, unit: str) -> tuple[Kind, ...]:
    found = talk.commune.units.get(unit)
    return talk.commune.plan.reported_by(unit, found.kind) if found is not None else ()


def label_of(unit: Unit) -> str:
    """A unit's name as far as a button has room, in whole words."""
    name = unit.name
    return name if len(name) <= LABEL_MAX else name[: LABEL_MAX + 1].rpartition(" ")[0] or name[:LABEL_MAX]


def total_of(talk: Talk, telling: Telling) -> float | None:
    """Of how many, where the office has locked it: only households are."""
    households = telling.kind in talk.commune.plan.kinds and telling.measure == _household_measure(talk)
    locked = talk.facts.households.get(telling.unit) if households else None
    return None if locked is None else float(locked)


def _household_measure(talk: Talk) -> str:
    """The measure of what is reckoned of all households."""
    plan = talk.commune.plan
    owed = [i for i in plan.indicators.values() if i.way == "state" and i.owed_by]
    return next((plan.kinds[kind].measure for one in owed for kind in one.kinds), "")


def of_telling(talk: Talk, telling: Telling) -> dict[str, Any]:
    """What is told so far, for a sentence."""
    kind = talk.commune.plan.kinds[telling.kind]
    return {
        "unit": unit_words(talk.commune, telling.unit),
        "kind": kind.name,
        "asks": kind.asks,
        "measures": list(kind.measures),
        "example": kind.example,
        "number": telling.number,
        "of": telling.of if total_of(talk, telling) is None else total_of(talk, telling),
        "locked": total_of(talk, telling) is not None,
        "measure": telling.measure,
        "name": telling.name,
        "note": telling.words,
        "photos": telling.photos,
    }


def of_activity(talk: Talk, found: Activity) -> dict[str, Any]:
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


def about(talk: Talk, message: str, found: Activity, **more: Any) -> Say:
    """An answer about one activity."""
    return talk.answer(message, **of_activity(talk, found), **more)
