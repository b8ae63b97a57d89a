"""The plan in commune.toml: its years, what units report, its indicators; and what may be wrong with them."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated

from pydantic import BaseModel, StringConstraints
from pydantic import Field as Limit

from bot.core.campaign import FEASTS
from bot.core.plan import Asks, Indicator, Kind, Plan, Way
from bot.core.text import fold
from bot.tomltypes import STRICT, Id, Label, Text, UnitKind, repeated

USUAL = Plan()
# Ways that count activities: without a kind there would be nothing to count.
_OF_ACTIVITIES = ("sum", "times", "names", "state", "places")
# Ways that ask how many of those who should did: somebody has to.
_OF_UNITS = ("campaigns", "units", "households")
# What an activity must hold, so that it can be counted in this way.
_HOLDING: Mapping[str, str] = {"sum": "number", "state": "share", "names": "name", "places": "name"}
# It has no 29 February.
USUAL_YEAR = 2026

DayMonth = Annotated[str, StringConstraints(pattern=r"^\d{1,2}/\d{1,2}$")]


class _Table(BaseModel):
    model_config = STRICT


class RawPlan(_Table):
    launch: date = USUAL.launch
    first: Annotated[int, Limit(ge=2000, le=2100)] = USUAL.first
    last: Annotated[int, Limit(ge=2000, le=2100)] = USUAL.last
    year_from: DayMonth = "15/12"
    exempt: dict[UnitKind, list[Id]] = {}


class RawKind(_Table):
    id: Id
    label: Label
    name: Text
    asks: Asks
    by: list[Id]
    words: list[Text]
    measures: list[Label] = []
    example: str = ""


class RawIndicator(_Table):
    id: Id
    name: Text
    way: Way
    measure: Label
    kinds: list[Id] = []
    target: Annotated[float, Limit(gt=0)] | None = None
    each: Annotated[int, Limit(ge=0, le=100)] = 0
    owed_by: list[UnitKind] = []
    yearly: bool = False
    campaigns: bool = False
    closed: bool = False
    of: Annotated[int, Limit(gt=0)] | None = None
    places: list[Text] = []


def problems(
    plan: RawPlan, kinds: list[RawKind], indicators: list[RawIndicator], units: Mapping[str, str]
) -> Iterator[str]:
    """What is wrong, each with its place in the file; `units` are all of them, with their kinds."""
    yield from _plan_problems(plan)
    yield from _kind_problems(kinds, {*units, *units.values()})
    yield from repeated("indicators", (one.id for one in indicators))
    known = {kind.id: kind for kind in kinds}
    for indicator in indicators:
        yield from _indicator_problems(indicator, known)


def _plan_problems(plan: RawPlan) -> Iterator[str]:
    if plan.first > plan.last:
        yield "plan.first: must not be after plan.last"
    if _turn(plan.year_from) is None:
        yield f"plan.year_from: {plan.year_from!r} is no day that every year has"
    for kind, feasts in plan.exempt.items():
        for feast in feasts:
            if feast not in FEASTS:
                yield f"plan.exempt.{kind}: there is no clean-up day {feast!r}"


def _turn(text: str) -> tuple[int, int] | None:
    day, _, month = text.partition("/")
    try:
        found = date(USUAL_YEAR, int(month), int(day))
    except ValueError:
        return None
    return found.month, found.day


def _kind_problems(kinds: list[RawKind], reporters: set[str]) -> Iterator[str]:
    yield from repeated("activities", (kind.id for kind in kinds))
    labels: dict[str, str] = {}
    for kind in kinds:
        where = f"activities[{kind.id}]"
        if labels.setdefault(fold(kind.label), kind.id) != kind.id:
            yield f"{where}.label: {kind.label!r} is also that of another activity"
        for unit in kind.by:
            if unit not in reporters:
                yield f"{where}.by: there is no unit or kind of units {unit!r}"
        if not kind.by:
            yield f"{where}.by: somebody must report it"
        if kind.asks in ("number", "share") and not kind.measures:
            yield f"{where}.measures: say what its number is counted in"


def _indicator_problems(indicator: RawIndicator, kinds: Mapping[str, RawKind]) -> Iterator[str]:
    where = f"indicators[{indicator.id}]"
    for kind in indicator.kinds:
        if kind not in kinds:
            yield f"{where}.kinds: there is no activity {kind!r}"
        elif (held := _HOLDING.get(indicator.way)) not in (None, kinds[kind].asks):
            yield f"{where}.kinds: {kind!r} asks for no {held}, which this way counts"
    if indicator.way in _OF_ACTIVITIES and not indicator.kinds:
        yield f"{where}.kinds: say which activities count"
    if (indicator.way in _OF_UNITS or indicator.each) and not indicator.owed_by:
        yield f"{where}.owed_by: say which units owe it"
    if indicator.each and indicator.target is not None:
        yield f"{where}.target: is given by each, when each is given"
    if indicator.each and indicator.way not in ("times", "names"):
        yield f"{where}.each: only times and names are owed by each unit"
    if indicator.places and indicator.way != "places":
        yield f"{where}.places: only the way places has places"


def plan_of(raw: RawPlan, kinds: list[RawKind], indicators: list[RawIndicator]) -> Plan:
    return Plan(
        launch=raw.launch,
        first=raw.first,
        last=raw.last,
        turns=_turn(raw.year_from) or USUAL.turns,
        exempt={kind: frozenset(feasts) for kind, feasts in raw.exempt.items()},
        kinds={kind.id: _kind(kind) for kind in kinds},
        indicators={one.id: _indicator(one) for one in indicators},
    )


def _kind(raw: RawKind) -> Kind:
    lists = {name: tuple(getattr(raw, name)) for name in ("by", "words", "measures")}
    return Kind(raw.id, raw.label, raw.name, raw.asks, example=raw.example, **lists)


def _indicator(raw: RawIndicator) -> Indicator:
    values = raw.model_dump()
    values |= {name: tuple(values[name]) for name in ("kinds", "owed_by", "places")}
    return Indicator(**values)
