"""What was done and how far it is: a unit's own list, the indicators in words, and how many households."""

from typing import Any

from bot.core.activity import Activity
from bot.core.effects import LockHouseholds
from bot.core.indicators import Standing, standings
from bot.core.ledger import Ledger
from bot.core.text import clip
from bot.handlers import activity_words, members
from bot.handlers.talk import Decision, Talk, unit_words

VERBS = ("acts", "acti")
LISTED = 8
# In a list; whole, it stands in the message about the one.
NAME_SHOWN, ALONG_SHOWN = 40, 2
# More households than this no village has.
HOUSEHOLDS_MOST = 20_000
UNREAD_SHOWN, LINE_SHOWN = 5, 40


def press(talk: Talk, verb: str, rest: str) -> Decision:
    start, _, unit = rest.partition(":")
    if not talk.facts.me.roles or (unit and not members.is_office(talk)):
        return talk.stay(talk.answer("activity/not_yours"))
    if verb == "acti":
        return indicators(talk)
    return listed(talk, unit, int(start) if start.isdecimal() and len(start) < 4 else 0)


def said(talk: Talk, text: str) -> Decision | None:
    """ "Hoạt động", "chỉ tiêu", "số hộ thôn 3 là 412", of somebody who has a role."""
    if not talk.facts.me.roles:
        return None
    lexicon = talk.world.lexicon
    meanings = lexicon.meanings(text)
    if "indicators" in meanings:
        return indicators(talk)
    if "activity_list" in meanings:
        return listed(talk, "")
    unit = lexicon.activities.listed(text)
    if unit and members.is_office(talk):
        return listed(talk, unit)
    lines = lexicon.activities.households(text)
    return households(talk, lines) if lines is not None else None


# Lists -------------------------------------------------------------------------------------------


def listed(talk: Talk, unit: str, start: int = 0) -> Decision:
    """What the sender's units did this year, or the unit that the office names; what is not sure apart."""
    own = (unit,) if unit else tuple(dict.fromkeys(role.unit for role in talk.facts.me.roles))
    theirs = [one for one in talk.facts.activities if set(own) & {one.unit, *one.partners}]
    shown = theirs[start : start + LISTED]
    data = {
        "unit": unit_words(talk.commune, own[0]),
        "year": _year(talk),
        "sure": [_line(talk, one, own) for one in shown if one.confirmed],
        "unsure": [_line(talk, one, own) for one in shown if one.counts and not one.confirmed],
        "struck": [_line(talk, one, own) for one in shown if not one.counts],
        "named": unit,
        "after": start + LISTED if start + LISTED < len(theirs) else 0,
        "rest": max(0, len(theirs) - start - len(shown)),
        "tells": bool(activity_words.units_of(talk)),
    }
    return talk.stay(talk.answer("activity/list", **data))


def _line(talk: Talk, one: Activity, own: tuple[str, ...]) -> dict[str, Any]:
    """An activity in a unit's list, with whom it was done."""
    others = [unit for unit in (one.unit, *one.partners) if unit not in own]
    names = [talk.commune.unit(unit).name for unit in others]
    told = {"along": names[:ALONG_SHOWN], "others": max(0, len(names) - ALONG_SHOWN)}
    return activity_words.of_activity(talk, one) | told | {"name": clip(one.name, NAME_SHOWN)}


def _year(talk: Talk) -> int:
    return talk.commune.plan.year_of(talk.local_time.date())


# Indicators --------------------------------------------------------------------------------------


def of_commune(talk: Talk) -> tuple[Standing, ...]:
    return _found(talk, None)


def _found(talk: Talk, unit: str | None) -> tuple[Standing, ...]:
    return standings(talk.commune, talk.facts.ledger or Ledger(), talk.local_time.date(), unit)


def indicators(talk: Talk, *, drawn: bool = False) -> Decision:
    """All of the commune's for the office and those who lead; a unit's own for its members.

    `drawn`: the commune's picture follows; else it may be asked for.
    """
    leads = any(role.role == "lead" for role in talk.facts.me.roles)
    everything = drawn or leads or members.is_office(talk)
    unit = None if everything else talk.facts.me.roles[0].unit
    found = _found(talk, unit)
    told = [one for one in found if unit is None or one.target is not None or one.done or one.unconfirmed]
    name = unit_words(talk.commune, unit) if unit is not None else None
    data = {"unit": name, "commune": talk.commune.name, "year": _year(talk), "lines": list(map(_words, told))}
    data["drawn"] = drawn
    return talk.stay(talk.answer("activity/indicators", **data, unlocked=_unlocked(talk, unit)))


def _words(one: Standing) -> dict[str, Any]:
    return {
        "name": one.name,
        "done": one.done,
        "target": one.target,
        "measure": one.measure,
        "unconfirmed": one.unconfirmed,
        "of": one.of,
    }


def _unlocked(talk: Talk, unit: str | None) -> int:
    """How many villages have no locked number of households: of what is not known, there is no share."""
    totals = (talk.facts.ledger or Ledger()).totals
    return sum(1 for village in talk.commune.villages if unit is None and village.id not in totals)


# Households --------------------------------------------------------------------------------------


def households(talk: Talk, lines: tuple[tuple[str, int | None], ...]) -> Decision:
    """The office locks how many households there are: one village, or a list of them, line by line."""
    if not members.is_office(talk):
        return talk.stay(talk.answer("activity/not_office"))
    totals: dict[str, int] = {}
    unread: list[str] = []
    for text, number in lines:
        units = talk.world.lexicon.units.named(text)
        village = units[0] if len(units) == 1 and talk.commune.unit(units[0]).kind == "village" else ""
        if village and number is not None and 0 < number <= HOUSEHOLDS_MOST:
            totals[village] = number
        else:
            unread.append(f"{text} {number if number is not None else ''}".strip()[:LINE_SHOWN])
    data = {
        "year": _year(talk),
        "locked": [{"name": talk.commune.unit(unit).name, "total": n} for unit, n in totals.items()],
        "unread": unread[:UNREAD_SHOWN],
        "before": {talk.commune.unit(u).name: n for u, n in talk.facts.households.items() if u in totals},
        "missing": [v.name for v in talk.commune.villages if v.id not in {*totals, *talk.facts.households}],
    }
    effects = [LockHouseholds(_year(talk), totals)] if totals else []
    return talk.stay(*effects, talk.answer("activity/households", **data))
