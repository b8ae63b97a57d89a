"""For whom a notice is, as the office types it: everybody, villages by number or name, members by role."""

import re
from dataclasses import dataclass

from bot.core.commune import Commune
from bot.core.notice import ALL, ROLE_ORDER, ROLES, VILLAGES, Audience
from bot.core.text import fold
from bot.core.words import Lexicon

_MARKS = re.compile(r"[,;.+&/\n]")
_AND = frozenset({"va", "voi"})
_RANGE = re.compile(r"(?:thon |tu |xom )*(\d{1,3}) (?:den|toi)(?: thon| xom)* (\d{1,3})")
_NUMBERS = re.compile(r"(?:thon |xom |so |cac )*(\d{1,3}(?: \d{1,3})*)")
_DASH = re.compile(r"\s*[-–—]\s*")


@dataclass(frozen=True, slots=True)
class Named:
    """The villages that a text names, and the first piece of it that names none."""

    villages: tuple[str, ...]
    unknown: str = ""


def audience_in(text: str, lexicon: Lexicon, commune: Commune) -> Audience | None:
    """None: it is not clear. Villages without names: which ones is still to be asked."""
    meant = lexicon.meanings(text)
    if "notice_all" in meant:
        return Audience(ALL)
    if "notice_members" in meant:
        return Audience(ROLES, ROLE_ORDER)
    if "notice_villages" in meant:
        return Audience(VILLAGES)
    roles = roles_in(text, lexicon)
    if roles:
        return Audience(ROLES, roles)
    named = villages_in(text, lexicon, commune)
    return Audience(VILLAGES, named.villages) if named.villages and not named.unknown else None


def roles_in(text: str, lexicon: Lexicon) -> tuple[str, ...]:
    """The roles that it lists, if it lists nothing else."""
    found = [_role(part, lexicon) for part in _parts(text)]
    return tuple(role for role in ROLE_ORDER if role in found) if all(found) else ()


def _parts(text: str) -> list[str]:
    """What stands between commas and every "and"."""
    parts: list[list[str]] = []
    for piece in _MARKS.split(text):
        parts.append([])
        for word in piece.split():
            if fold(word) in _AND:
                parts.append([])
            else:
                parts[-1].append(word)
    return [" ".join(words) for words in parts if words]


def _role(part: str, lexicon: Lexicon) -> str:
    meant = lexicon.meanings(part)
    return next((role for role in ROLE_ORDER if f"notice_role_{role}" in meant), "")


def villages_in(text: str, lexicon: Lexicon, commune: Commune) -> Named:
    """ "3, 5, 7-9", "thôn 3 và thôn Chùa": in the order in which the villages are counted."""
    found: set[str] = set()
    for part in _parts(text):
        named = _numbered(part, commune) or _by_name(part, lexicon)
        if not named:
            return Named((), part)
        found |= set(named)
    return Named(tuple(unit.id for unit in commune.villages if unit.id in found))


def _numbered(part: str, commune: Commune) -> tuple[str, ...]:
    """Villages by their numbers; none if one of them is nobody's."""
    plain = fold(_DASH.sub(" den ", part))
    by_number = {unit.number: unit.id for unit in commune.villages}
    numbers: list[int]
    if span := _RANGE.fullmatch(plain):
        numbers = list(range(int(span[1]), int(span[2]) + 1))
    elif some := _NUMBERS.fullmatch(plain):
        numbers = [int(number) for number in some[1].split()]
    else:
        return ()
    known = [by_number[number] for number in numbers if number in by_number]
    return tuple(known) if len(known) == len(numbers) else ()


def _by_name(part: str, lexicon: Lexicon) -> tuple[str, ...]:
    units = lexicon.place(part).units
    return units if len(units) == 1 else ()
