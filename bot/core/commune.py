"""A commune: its units, its categories and their words, who gets what, and by when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time

from bot.core.plan import Plan


@dataclass(frozen=True, slots=True)
class Point:
    """WGS 84 degrees."""

    lat: float
    lon: float


LEAD = "lead"
"""The desk of what is about an official: the members with that role, whatever their unit."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of the commune. `kind`: village, school, police, office, department, association.

    `centre` and `polygon` only for villages; `number` counts the villages from 1;
    `stand_in` marks names or coordinates that were made up and wait for the real ones.
    """

    id: str
    kind: str
    name: str
    aliases: tuple[str, ...] = ()
    number: int | None = None
    centre: Point | None = None
    polygon: tuple[Point, ...] = ()
    stand_in: bool = False


@dataclass(frozen=True, slots=True)
class Category:
    """A leaf kind of report. `words`: what people type for it; `label`: a button, at most 20 characters.

    `pairs`: words put together, each with one behind it; `hints`: what may be it, and is asked about;
    `photo`: whether a picture can show it.
    """

    id: str
    field: str
    label: str
    name: str
    words: tuple[str, ...]
    desk: str | None = None
    photo: bool = True
    pairs: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """A family of categories and how it is dealt with.

    `desk` and `told`: a unit id, "village" for the village of the place, or "lead". A `hidden` one is not
    offered as a choice: what people say leads to it. `digest` hear of it in the morning only.
    `ack_hours` runs on the clock, only between `ack_from` and `ack_to` when they are given;
    `fix_days` are working days.
    """

    id: str
    label: str
    name: str
    desk: str
    told: tuple[str, ...]
    ack_hours: float
    fix_days: int
    ack_from: time | None = None
    ack_to: time | None = None
    hidden: bool = False
    digest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Partner:
    """Somebody without a chat whom a report may wait for; `label` a button, `name` in a sentence."""

    id: str
    label: str
    name: str


@dataclass(frozen=True, slots=True)
class Rules:
    """How much and when: the night of messages, the hour of digests, the length of a shift, what is too much.

    `reports_hour` and `reports_day` are what one person may file, `alerts_minute` what one chat is sent;
    for `same_days` an open report of the same place is offered instead of a new one.
    """

    quiet_from: time = time(21, 0)
    quiet_to: time = time(5, 30)
    silent_from: time = time(22, 0)
    silent_to: time = time(6, 0)
    digest_at: time = time(7, 0)
    shift_hours: int = 24
    reports_hour: int = 5
    reports_day: int = 20
    alerts_minute: int = 10
    same_days: int = 14


@dataclass(frozen=True, slots=True)
class Commune:
    """Everything another commune would edit. Built by `bot.config.load_commune`, which refuses nonsense."""

    name: str
    prefix: str
    office: str
    police: str
    phones: Mapping[str, str]
    units: Mapping[str, Unit]
    categories: Mapping[str, Category]
    fields: Mapping[str, Field]
    days_off: frozenset[date] = frozenset()
    days_worked: frozenset[date] = frozenset()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    policy_version: str = "1"
    policy_contact: str = ""
    landmarks: tuple[str, ...] = ()
    lead: str = LEAD
    partners: tuple[Partner, ...] = ()
    rules: Rules = Rules()
    plan: Plan = field(default_factory=Plan)

    @property
    def villages(self) -> tuple[Unit, ...]:
        return tuple(unit for unit in self.units.values() if unit.kind == "village")

    def category(self, name: str) -> Category:
        """A category by its id; one that is gone, but that old reports still have, by its id alone."""
        return self.categories.get(name) or Category(name, "", name, name, ())

    def unit(self, name: str) -> Unit:
        """A unit by its id; one that is gone by its id alone. What `lead` has is nobody else's."""
        if name == LEAD:
            return Unit(LEAD, LEAD, self.lead)
        return self.units.get(name) or Unit(name, "", name)

    def field(self, name: str) -> Field:
        """A field by its id; for one that is gone, the office's own pace."""
        return self.fields.get(name) or Field(name, name, name, self.office, (), ack_hours=24, fix_days=5)

    def desk_of(self, category: Category, village: str | None) -> str:
        """The unit that deals with it; the office when the village is not known."""
        desk = category.desk or self.fields[category.field].desk
        return (village or self.office) if desk == "village" else desk

    def told_of(self, category: Category, village: str | None) -> tuple[str, ...]:
        """The units that only hear of it."""
        told = self.fields[category.field].told
        units = tuple(village if unit == "village" else unit for unit in told)
        return tuple(unit for unit in units if unit is not None)
