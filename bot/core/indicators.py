"""How far the commune, or one unit, is with each target of the plan: reckoned from what is recorded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from bot.core.campaign import of_years
from bot.core.commune import Commune, Unit
from bot.core.ledger import Closed, Day, Deed, Ledger, Part
from bot.core.plan import Indicator, Plan
from bot.core.text import fold

PERCENT: Final = 100.0
# What may stand before the name of a road, and says nothing of which road it is.
_ROAD: Final = frozenset({"con", "doan", "duong", "tuyen"})


@dataclass(frozen=True, slots=True)
class Standing:
    """One indicator: `done` of `target` (None: counted without one), both in `measure`.

    `done` is what was confirmed; `unconfirmed` what was told besides and nobody has confirmed yet. `of` is
    how many there are in all, where the target asks for fewer.
    """

    id: str
    name: str
    done: float
    target: float | None
    measure: str
    unconfirmed: float = 0
    of: int | None = None

    @property
    def share(self) -> float | None:
        """How much of the target is reached, at most 1; None without a target."""
        return min(1.0, self.done / self.target) if self.target else None


def standings(commune: Commune, ledger: Ledger, today: date, unit: str | None = None) -> tuple[Standing, ...]:
    """Every indicator as it stands on a day: the commune's, or what concerns one unit."""
    told = _Reckoning(commune, ledger, today, unit)
    sure = _Reckoning(commune, _confirmed(ledger), today, unit)
    return tuple(
        _standing(indicator, sure, told)
        for indicator in commune.plan.indicators.values()
        if unit is None or told.concerns(indicator)
    )


def _confirmed(ledger: Ledger) -> Ledger:
    return replace(ledger, deeds=tuple(deed for deed in ledger.deeds if deed.confirmed))


def _standing(indicator: Indicator, sure: "_Reckoning", told: "_Reckoning") -> Standing:
    done = sure.done(indicator)
    more = max(0.0, told.done(indicator) - done)
    return Standing(
        indicator.id,
        indicator.name,
        round(done, 1),
        told.target(indicator),
        indicator.measure,
        round(more, 1),
        indicator.of,
    )


@dataclass(frozen=True, slots=True)
class _Reckoning:
    """One way of counting each, by what is known until today; of one unit, if it is given."""

    commune: Commune
    ledger: Ledger
    today: date
    unit: str | None

    @property
    def plan(self) -> Plan:
        return self.commune.plan

    # whose, and how much ------------------------------------------------------------------------------

    def concerns(self, indicator: Indicator) -> bool:
        """Whether a unit has to do with it: it owes it, or may report what counts."""
        one = self.commune.unit(self.unit or "")
        reported = {kind.id for kind in self.plan.reported_by(one.id, one.kind)}
        # How many units came, or which places were looked at, is no unit's own.
        owed = one.kind in indicator.owed_by and indicator.way not in ("places", "units")
        if indicator.each:
            return owed
        return owed or bool(reported & set(indicator.kinds)) or bool(self._deeds(indicator))

    def target(self, indicator: Indicator) -> float | None:
        if indicator.way == "campaigns":
            return self._campaign_target(indicator)
        if self.unit is None:
            return float(indicator.each * len(self._owing(indicator))) if indicator.each else indicator.target
        if indicator.each:
            return float(indicator.each) if self._owing(indicator) else None
        # What the commune plants together is no single unit's target; a share is everybody's.
        return indicator.target if indicator.way in ("state", "units", "households") else None

    def _owing(self, indicator: Indicator) -> list[Unit]:
        return [
            unit
            for unit in self.commune.units.values()
            if unit.kind in indicator.owed_by and self.unit in (None, unit.id)
        ]

    def _campaign_target(self, indicator: Indicator) -> float | None:
        """As many as the plan asks for, where the year and the unit's holidays have so many."""
        if indicator.target is None:
            return None
        days = self._days(until=self.plan.ends(self._year))
        if self.unit is not None:
            days = [day for day in days if self._expected(self.commune.unit(self.unit), day)]
        return min(indicator.target, float(len(days)))

    # what counts --------------------------------------------------------------------------------------

    @property
    def _year(self) -> int:
        return self.plan.year_of(self.today)

    def _since(self, indicator: Indicator) -> date:
        return self.plan.begins(self._year) if indicator.yearly else self.plan.launch

    def _deeds(self, indicator: Indicator) -> list[Deed]:
        since = self._since(indicator)
        return [
            deed
            for deed in self.ledger.deeds
            if deed.kind in indicator.kinds
            and since <= deed.day <= self.today
            and self.unit in (None, *deed.units)
        ]

    def _days(self, since: date | None = None, until: date | None = None) -> list[Day]:
        """The clean-ups of this reporting year, or since a day."""
        since, until = since or self.plan.begins(self._year), until or self.today
        return [day for day in self._calendar() if since <= day.day <= until]

    def _calendar(self) -> Sequence[Day]:
        """As the office has set them; before the first look at them, as the years have them."""
        usual = of_years(self.plan.first, self.plan.last) if not self.ledger.days else ()
        return self.ledger.days or [Day(one.id, one.feast, one.day) for one in usual]

    def _parts(self, days: Iterable[Day]) -> list[Part]:
        held = {day.campaign for day in days}
        return [p for p in self.ledger.parts if p.campaign in held and self.unit in (None, p.unit)]

    def _expected(self, unit: Unit, day: Day) -> bool:
        return day.feast not in self.plan.exempt.get(unit.kind, frozenset())

    # the ways -----------------------------------------------------------------------------------------

    def done(self, indicator: Indicator) -> float:
        match indicator.way:
            case "sum":
                return self._sum(indicator)
            case "times":
                return self._things(
                    indicator, [(deed, str(at)) for at, deed in enumerate(self._all(indicator))]
                )
            case "names":
                return self._things(indicator, _named(self._all(indicator), self.commune))
            case "state":
                return self._state(indicator)
            case "campaigns":
                return float(len({part.campaign for part in self._parts(self._days())}))
            case "units":
                return self._taking_part(indicator)
            case "households":
                return self._households(indicator)
            case "places":
                return self._places(indicator)

    def _all(self, indicator: Indicator) -> list[Deed]:
        """The deeds, and beside them what the police closed, where that counts."""
        police = self.commune.police
        closed = self._closed(indicator) if self.unit in (None, police) else []
        return [*self._deeds(indicator), *(Deed("", police, one.day, name=one.landmark) for one in closed)]

    def _closed(self, indicator: Indicator) -> list[Closed]:
        since = self._since(indicator)
        return [one for one in self.ledger.closed if indicator.closed and since <= one.day <= self.today]

    def _sum(self, indicator: Indicator) -> float:
        total = sum(deed.number or 0.0 for deed in self._deeds(indicator))
        if not indicator.campaigns:
            return total
        return total + sum(part.trees or 0 for part in self._parts(self._days(self._since(indicator))))

    def _things(self, indicator: Indicator, things: Sequence[tuple[Deed, str]]) -> float:
        """So many different ones; where every unit owes some, what one has beyond that is no other's."""
        if not indicator.each or self.unit is not None:
            return float(len({key for _, key in things}))
        theirs: dict[str, set[str]] = {unit.id: set() for unit in self._owing(indicator)}
        for deed, key in things:
            # Work done together counts once, for the first who owes it.
            owner = next((unit for unit in deed.units if unit in theirs), None)
            if owner is not None:
                theirs[owner].add(key)
        return float(sum(min(indicator.each, len(keys)) for keys in theirs.values()))

    def _state(self, indicator: Indicator) -> float:
        """What is, not what was done: of each unit the newest word, in each measure; a share of all."""
        newest: dict[tuple[str, str], Deed] = {}
        for deed in sorted(self._deeds(indicator), key=lambda deed: deed.day):
            if self.unit in (None, deed.unit):
                newest[deed.measure, deed.unit] = deed
        measures = {measure for measure, _ in newest}
        if indicator.owed_by:
            return self._of_households(indicator, {deed.unit: deed for deed in newest.values()})
        shares = [[d for (m, _), d in newest.items() if m == measure] for measure in sorted(measures)]
        # Lamps and kilometres do not add up: each measure's share weighs as many units as told it.
        weights = [(len(deeds), _share((d.number, d.of) for d in deeds)) for deeds in shares]
        units = sum(count for count, _ in weights)
        return sum(count * share for count, share in weights) / units if units else 0.0

    def _of_households(self, indicator: Indicator, told: Mapping[str, Deed]) -> float:
        """Of all households of the units that owe it: as locked, else as the unit itself said."""
        pairs: list[tuple[float | None, float | None]] = []
        for unit in self._owing(indicator):
            deed = told.get(unit.id)
            total = self.ledger.totals.get(unit.id) or (deed.of if deed is not None else None)
            pairs.append((deed.number if deed is not None else 0.0, total))
        return _share(pairs)

    def _taking_part(self, indicator: Indicator) -> float:
        """Of those who were to take part, on each day that was held: how many said that they did."""
        expected = {
            (day.campaign, unit.id)
            for day in self._days()
            for unit in self._owing(indicator)
            if self._expected(unit, day)
        }
        came = {(part.campaign, part.unit) for part in self._parts(self._days())}
        return PERCENT * len(expected & came) / len(expected) if expected else 0.0

    def _households(self, indicator: Indicator) -> float:
        days = self._days()
        parts = {(part.campaign, part.unit): part for part in self._parts(days)}
        pairs: list[tuple[float | None, float | None]] = []
        for day in days:
            for unit in self._owing(indicator):
                part = parts.get((day.campaign, unit.id))
                total = self.ledger.totals.get(unit.id) or (part.of_households if part is not None else None)
                pairs.append((part.households if part is not None else 0, total))
        return _share(pairs)

    def _places(self, indicator: Indicator) -> float:
        """The places that somebody looked at this year, by their names; a closed report names one, too."""
        schools = [unit.name for unit in self.commune.units.values() if unit.kind in indicator.owed_by]
        places = [fold(name) for name in (*indicator.places, *schools)]
        heard = [f" {fold(deed.name)} " for deed in self._all(indicator)]
        seen = [place for place in places if any(f" {place} " in text for text in heard)]
        return PERCENT * len(seen) / len(places) if places else 0.0


def _share(pairs: Iterable[tuple[float | None, float | None]]) -> float:
    """Percent; whose total is not known cannot be part of it, and nobody does more than all."""
    known = [(min(done or 0.0, total), total) for done, total in pairs if total]
    whole = sum(total for _, total in known)
    return PERCENT * sum(done for done, _ in known) / whole if whole else 0.0


def _named(deeds: Sequence[Deed], commune: Commune) -> list[tuple[Deed, str]]:
    """Each with what it is known by: its village and its name, however it was spelt.

    What a unit without a village told is a village's own, if one of that name is there.
    """
    placed = [(deed, _village(deed, commune), name_key(deed.name)) for deed in deeds]
    villages: dict[str, str] = {}
    for _, village, name in placed:
        if village:
            villages.setdefault(name, village)
    return [(deed, f"{village or villages.get(name, '')}/{name}") for deed, village, name in placed]


def _village(deed: Deed, commune: Commune) -> str:
    return next((unit for unit in deed.units if commune.unit(unit).kind == "village"), "")


def name_key(name: str) -> str:
    """A name as names are compared: folded, without what only says that it is a road."""
    words = fold(name).split()
    while len(words) > 1 and words[0] in _ROAD:
        words = words[1:]
    return " ".join(words)
