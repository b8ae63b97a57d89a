"""What counts for the plan, as it is recorded: deeds, clean-ups, closed reports, households."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class Deed:
    """An activity as it counts; what was struck out is none."""

    kind: str
    unit: str
    day: date
    number: float | None = None
    of: float | None = None
    measure: str = ""
    name: str = ""
    partners: tuple[str, ...] = ()
    confirmed: bool = True

    @property
    def units(self) -> tuple[str, ...]:
        return (self.unit, *self.partners)


@dataclass(frozen=True, slots=True)
class Part:
    """What a unit said it did on a clean-up day."""

    campaign: str
    unit: str
    households: int | None = None
    of_households: int | None = None
    trees: int | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """A clean-up day of the plan; `feast` names it."""

    campaign: str
    feast: str
    day: date


@dataclass(frozen=True, slots=True)
class Closed:
    """A report of road and pavement order that was dealt with, and where."""

    day: date
    unit: str | None
    landmark: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that is recorded; `totals` are the households of each unit, as the office locked them this year."""

    deeds: tuple[Deed, ...] = ()
    parts: tuple[Part, ...] = ()
    days: tuple[Day, ...] = ()
    closed: tuple[Closed, ...] = ()
    totals: Mapping[str, int] = field(default_factory=dict)
