"""Several units in one message: "cac thon", "thon 1, 3, 5", "truong 2 va 4", "tat ca tru thon 7"."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from bot.core.commune import Commune
from bot.core.text import bare, compose, tokens

# The kinds of units that one word names.
KINDS: Final[dict[str, tuple[str, ...]]] = {
    "thon": ("village",),
    "truong": ("school",),
    "phong": ("department",),
    "ban nganh": ("department",),
    "doan the": ("association",),
    "hoi": ("association",),
    "phong hoi doan the": ("department", "association"),
    "phong doan the": ("department", "association"),
    "don vi": ("village", "school", "department", "association"),
    "xa": ("village", "school", "department", "association"),
    "": ("village", "school", "department", "association"),
}
_EVERY: Final = re.compile(r"(?:(?:tat ca|toan bo|toan|moi|ca|cac|\d{1,2}(?= [a-z]))(?: |$))+")
_NUMBERED: Final = re.compile(r"(?:(?P<kind>thon|truong) )?(?:so )?(?P<numbers>\d{1,2}(?: (?:va )?\d{1,2})*)")
_RANGE: Final = re.compile(r"(\d{1,2})\s*(?:-|–|den|toi)\s*(\d{1,2})")
_PIECES: Final = re.compile(r"[,;\n]|\sva\s(?=\D)")
_LEADS: Final = re.compile(r"(?:(?:giao|cho|gom|la|gui|toi) )+")
_WITHOUT: Final = re.compile(r"\s(?:ngoai\s)?tru\s")


@dataclass(frozen=True, slots=True)
class UnitList:
    """The units that a message names, in the commune's order, and the pieces that name none."""

    units: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def units_in(text: str, commune: Commune, named: Callable[[str], tuple[str, ...]]) -> UnitList:
    """`named` finds the units of one name, in any of its spellings."""
    whole, *rest = _split(_WITHOUT, f" {compose(text)} ", most=1)
    found, unknown = _of_pieces(whole, commune, named)
    without, odd = _of_pieces(rest[0], commune, named) if rest else (set(), [])
    units = tuple(unit for unit in commune.units if unit in found - without)
    return UnitList(units, (*unknown, *odd))


def _of_pieces(
    text: str, commune: Commune, named: Callable[[str], tuple[str, ...]]
) -> tuple[set[str], list[str]]:
    found: set[str] = set()
    unknown: list[str] = []
    kind, every = "", False
    for piece in filter(None, map(str.strip, _split(_PIECES, text))):
        plain = _LEADS.sub("", _spread(piece) + " ").strip()
        numbered = _NUMBERED.fullmatch(plain)
        kind = (numbered and numbered["kind"]) or kind
        # "Các phòng, hội, đoàn thể": every one of each.
        every = every and plain in KINDS
        if numbered and kind:
            units = _by_number(commune, kind, numbered["numbers"])
        else:
            units = _every(commune, plain, more=every) or set(named(plain if plain.isdecimal() else piece))
        every = every or _EVERY.match(plain) is not None
        found |= units
        unknown += [] if units else [piece]
    return found, unknown


def _split(at: re.Pattern[str], text: str, most: int = 99) -> list[str]:
    """The text itself, split where its bare letters say so."""
    ends = [found.span() for found in at.finditer(bare(text))][:most]
    starts = [0, *(end for _, end in ends)]
    return [text[start:end] for start, end in zip(starts, [*(s for s, _ in ends), len(text)], strict=True)]


def _spread(piece: str) -> str:
    """Folded, with "1 den 5" written out."""

    def numbers(found: re.Match[str]) -> str:
        return " ".join(map(str, range(int(found[1]), int(found[2]) + 1)))

    return " ".join(token.plain for token in tokens(_RANGE.sub(numbers, bare(piece))))


def _by_number(commune: Commune, kind: str, numbers: str) -> set[str]:
    wanted = {int(word) for word in numbers.split() if word.isdecimal()}
    return {unit for unit, number in _numbered(commune, KINDS[kind]) if number in wanted}


def _numbered(commune: Commune, kinds: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Villages by their number, other units by the number at the end of their name."""
    for unit in commune.units.values():
        last = unit.name.split()[-1]
        number = unit.number if unit.number is not None else int(last) if last.isdecimal() else None
        if unit.kind in kinds and number is not None:
            yield unit.id, number


def _every(commune: Commune, plain: str, *, more: bool) -> set[str]:
    marked = _EVERY.match(plain)
    kind = plain[marked.end() :].strip() if marked else plain
    if kind not in KINDS or not (marked or more):
        return set()
    return {unit.id for unit in commune.units.values() if unit.kind in KINDS[kind]}
