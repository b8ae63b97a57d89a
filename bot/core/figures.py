"""Figures of the commune: whose may be seen by whom, and what is known of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from bot.core.campaign import Campaign
from bot.core.commune import LEAD

NOW, WEEK, VILLAGES, BOARD, TARGETS = "now", "week", "villages", "board", "targets"
VIEWS: Final = (NOW, WEEK, VILLAGES, BOARD, TARGETS)
OFFICE: Final = "office"
WEEK_MS: Final = 7 * 24 * 3600 * 1000
WEEKS_SHOWN: Final = 8
# A week is too short for twenty villages: most of them have nothing in it.
VILLAGES_MS: Final = 4 * WEEK_MS


@dataclass(frozen=True, slots=True)
class Asked:
    """Which figures are wanted: a view, of one `place` if it is named.

    `office` is the office's unit, `villages` are all of them; `desks` are the other units that have to do
    with reports, each with the fields that it sees.
    """

    view: str
    place: str | None
    office: str
    villages: frozenset[str]
    desks: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which reports somebody may see counted: those of any of these, or `all`; only those at `place`.

    `leads` sees what is about officials, too. `public` are the figures for everybody: nothing in them that is
    kept from villages. `own`: another place was asked for than the one that is shown.
    """

    all: bool = False
    leads: bool = False
    public: bool = False
    villages: frozenset[str] = frozenset()
    desks: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    place: str | None = None
    own: bool = False

    @property
    def whole(self) -> bool:
        """The whole commune is theirs to see: the office, and those who lead."""
        return self.all and not self.public


def scope_of(roles: Iterable[tuple[str, str]], asked: Asked) -> Scope:
    """What (unit, role) of somebody let them see; whoever has none of it sees what everybody may."""
    roles = tuple(roles)
    if any(role == LEAD for _, role in roles):
        return Scope(all=True, leads=True, place=asked.place)
    if (asked.office, OFFICE) in roles:
        return Scope(all=True, place=asked.place)
    units = {unit for unit, _ in roles}
    desks = frozenset(units & asked.desks.keys())
    fields = frozenset(name for desk in desks for name in asked.desks[desk])
    scope = Scope(villages=frozenset(units & asked.villages), desks=desks, fields=fields)
    if not (scope.villages or desks):
        return Scope(all=True, public=True)
    return _at(scope, asked.place)


def _at(scope: Scope, place: str | None) -> Scope:
    """Whoever has one village sees that one, whichever was asked for."""
    if scope.desks or place in scope.villages:
        return replace(scope, place=place)
    alone = next(iter(scope.villages)) if len(scope.villages) == 1 else None
    return replace(scope, place=alone, own=place is not None)


@dataclass(frozen=True, slots=True)
class Tally:
    """In some time: how many reports were filed, and how many were closed."""

    filed: int = 0
    closed: int = 0


@dataclass(frozen=True, slots=True)
class Open:
    """What is open in a village (None: the place is not known), and of it late."""

    unit: str | None
    open: int
    late: int


@dataclass(frozen=True, slots=True)
class Waits:
    """How many were filed; after how long (ms) half and nine tenths were answered, and were dealt with."""

    filed: int = 0
    answered: int = 0
    answer: tuple[int, int] | None = None
    solved: int = 0
    solve: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known for one view. Weeks begin on Monday; `weeks` are (its first moment, what was filed).

    `told` says what each (campaign, unit) said: "reported" or "accepted".
    """

    view: str
    scope: Scope
    today: Tally = Tally()
    week: Tally = Tally()
    before: Tally = Tally()
    open: tuple[Open, ...] = ()
    fields: tuple[tuple[str, int], ...] = ()
    weeks: tuple[tuple[int, Waits], ...] = ()
    villages: Mapping[str | None, Waits] = field(default_factory=dict)
    campaigns: tuple[Campaign, ...] = ()
    told: Mapping[tuple[str, str], str] = field(default_factory=dict)
