"""The commune's plan: what units report besides clean-ups, what it counts for, and when its years begin."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, get_args

# What is asked for, and so what one activity holds: so many; so many of how many; how many came; a name.
Asks = Literal["number", "share", "people", "name"]
# How an indicator is reckoned: see core.indicators.
Way = Literal["sum", "times", "names", "state", "campaigns", "units", "households", "places"]
WAYS: tuple[str, ...] = get_args(Way)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of activity. `by`: the kinds of units, or units, that report it; `words`: how people name it.

    `measures` are what its number is counted in, the usual one first; `example` is an answer, as typed.
    """

    id: str
    label: str
    name: str
    asks: Asks
    by: tuple[str, ...]
    words: tuple[str, ...]
    measures: tuple[str, ...] = ()
    example: str = ""

    @property
    def measure(self) -> str:
        return self.measures[0] if self.measures else ""


@dataclass(frozen=True, slots=True)
class Indicator:
    """A target of the plan, and what counts for it.

    `each`: what every unit of the kinds `owed_by` owes of it. `yearly`: it begins anew each year.
    `campaigns`: what units said of clean-ups counts, too; `closed`: reports of order that were dealt with.
    `of`: how many there are in all, where the target asks for fewer. `places` are to be inspected, beside the
    units of the kinds `owed_by`.
    """

    id: str
    name: str
    way: Way
    measure: str
    kinds: tuple[str, ...] = ()
    target: float | None = None
    each: int = 0
    owed_by: tuple[str, ...] = ()
    yearly: bool = False
    campaigns: bool = False
    closed: bool = False
    of: int | None = None
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """`launch` begins the `first` reporting year; each later one begins on `turns` (month, day) before it.

    `exempt`: the feasts whose clean-ups units of a kind need not take part in, as schools are on holiday.
    """

    launch: date = date(2026, 1, 1)
    first: int = 2026
    last: int = 2030
    turns: tuple[int, int] = (12, 15)
    exempt: Mapping[str, frozenset[str]] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    indicators: Mapping[str, Indicator] = field(default_factory=dict)

    def year_of(self, day: date) -> int:
        """The reporting year that a day belongs to."""
        return day.year + 1 if (day.month, day.day) >= self.turns else day.year

    def begins(self, year: int) -> date:
        return self.launch if year <= self.first else date(year - 1, *self.turns)

    def ends(self, year: int) -> date:
        """The last day of a reporting year."""
        return date(year, *self.turns) - timedelta(days=1)

    def reported_by(self, unit: str, kind: str) -> tuple[Kind, ...]:
        """What a unit of that kind reports."""
        return tuple(one for one in self.kinds.values() if {unit, kind} & set(one.by))
