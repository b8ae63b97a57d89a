"""Activities in messages: which kind is named, and what is asked about one that has a number."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from bot.core.commune import Commune
from bot.core.phrases import Match, Phrases
from bot.core.plan import Kind
from bot.core.text import fold, tokens
from bot.core.unitwords import UnitWords

# The lists of `[words]` that may stand before an activity's number, and what they ask.
VERBS: Final = {
    "activity_fix": "fix",
    "activity_strike": "strike",
    "activity_confirm": "confirm",
    "activity_doubt": "doubt",
    "activity_partner": "partner",
    "activity_one": "one",
    "activity_photos": "photos",
}
_LONGEST: Final = 400
_HEAD_WORDS: Final = 5
_LONGEST_NUMBER: Final = 6
_SHORT: Final = 60
_MOST_LINES: Final = 60
_LINES: Final = re.compile(r"[\n;]|,\s")
_LAST_NUMBER: Final = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{3})+|\d{1,7})[^\d]*$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about the activity of that number, and the words behind the number."""

    verb: str
    number: int
    rest: str


class ActivityWords:
    """`meanings` are the lists that a whole text is in."""

    def __init__(self, commune: Commune, meanings: Callable[[str], frozenset[str]], units: UnitWords) -> None:
        self._meanings, self._units = meanings, units
        kinds = commune.plan.kinds.values()
        self._kinds = Phrases((word, kind.id) for kind in kinds for word in (kind.label, *kind.words))
        self._starts = {
            kind: Phrases((word, "") for word in commune.words.get(kind, ()))
            for kind in ("activity_tell", "activity_list", "households_total")
        }

    def asked(self, text: str) -> Asked | None:
        """ "sua hoat dong 12 con 45": a verb, a number, and the rest."""
        words = text[:_LONGEST].split()
        at = next((at for at, word in enumerate(words[: _HEAD_WORDS + 1]) if _is_number(word)), None)
        if at is None or at == 0:
            return None
        meant = self._meanings(" ".join(words[:at]))
        verb = next((verb for kind, verb in VERBS.items() if kind in meant), None)
        rest = " ".join(words[at + 1 :])
        return None if verb is None else Asked(verb, int(words[at].strip("#.,:;")), rest)

    def told(self, text: str) -> str | None:
        """What follows "báo hoạt động" in a message that begins with it; None when it does not."""
        return self._behind("activity_tell", text[:_LONGEST])

    def listed(self, text: str) -> str:
        """The unit whose activities are asked for: "hoat dong thon 3"; empty when it is not just that."""
        rest = self._behind("activity_list", text) if len(text) <= _SHORT else None
        units = self._units.named(rest) if rest else ()
        return units[0] if len(units) == 1 else ""

    def households(self, text: str) -> tuple[tuple[str, int | None], ...] | None:
        """ "Số hộ" and then, line by line, whose and how many; None when it is not about that."""
        rest = self._behind("households_total", text)
        if rest is None:
            return None
        return tuple(_total(line) for line in _LINES.split(rest)[:_MOST_LINES] if line.strip())

    def _behind(self, kind: str, text: str) -> str | None:
        """What follows the longest phrase of a list at the beginning; None without one."""
        said = tokens(text)
        end = max((m.end for m in self._starts[kind].find(said) if m.start == 0 and m.exact), default=0)
        return text[said[end - 1].end :].lstrip(" \n.,:;-–") if end else None

    def kinds(self, text: str, among: Iterable[Kind]) -> tuple[str, ...]:
        """The kinds that a text names, what is said first before what is said of it."""
        allowed = {kind.id for kind in among}
        found = [m for m in self._named(text) if m.phrase.value in allowed]
        return tuple(dict.fromkeys(match.phrase.value for match in sorted(found, key=_rank)))

    def _named(self, text: str) -> list[Match]:
        return [match for match in self._kinds.find(tokens(text[:_LONGEST])) if match.exact]

    def without(self, text: str, kind: Kind) -> str:
        """What a text says besides the kind's own words, which stand at its beginning."""
        said = tokens(text[:_LONGEST])
        own = (m for m in self._named(text) if m.start == 0 and m.phrase.value == kind.id)
        end = max((m.start + len(m.phrase.head) for m in own), default=0)
        return text[said[end - 1].end :].strip(" \n.,:;-–") if end else text.strip()

    def only_kind(self, text: str, among: Iterable[Kind]) -> str | None:
        """The kind whose button the text repeats."""
        plain = fold(text)
        return next((kind.id for kind in among if fold(kind.label) == plain), None)


def _total(line: str) -> tuple[str, int | None]:
    """ "thôn 3 là 1.412 hộ": the words before the last number, and that number."""
    found = _LAST_NUMBER.search(line)
    if found is None:
        return line.strip(), None
    return line[: found.start()].strip(" \t.,:;=-–"), int(found[1].replace(".", ""))


def _rank(match: Match) -> tuple[int, int]:
    return match.start, -match.mask.bit_count()


def _is_number(word: str) -> bool:
    figures = word.strip("#.,:;")
    return figures.isascii() and figures.isdecimal() and len(figures) <= _LONGEST_NUMBER
