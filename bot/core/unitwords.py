"""Units in short messages: which one is named, and what is asked of it: an invite, or who its members are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.core.commune import LEAD, Commune
from bot.core.phrases import Phrases
from bot.core.text import Token, compose, fold, number, tokens

MEMBERS, USUAL, HEAD = "members", "usual", "head"
AMBIGUOUS_MAX: Final = 5
_LONGEST: Final = 80
_MOST_WORDS: Final = 12
_PLACE_WORDS: Final = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted: the members, or an invite for the usual role, a head or a leader; of these units."""

    want: str
    units: tuple[str, ...] = ()


class UnitWords:
    """`villages` finds the villages that a text names in any of its spellings."""

    def __init__(self, commune: Commune, villages: Callable[[str], tuple[str, ...]]) -> None:
        words = commune.words
        self._villages, self._office = villages, commune.office
        self._names = [
            (tuple(token.plain for token in tokens(name)), unit.id)
            for unit in commune.units.values()
            for name in (unit.name, *unit.aliases)
        ]
        self._numbers = {unit.number: unit.id for unit in commune.villages if unit.number is not None}
        self._starts = {
            USUAL: Phrases((text, "") for text in words.get("invite", ())),
            MEMBERS: Phrases((text, "") for text in words.get("members", ())),
        }
        self._roles = {
            LEAD: Phrases((text, "") for text in words.get("role_lead", ())),
            HEAD: Phrases((text, "") for text in words.get("role_head", ())),
        }
        self._intro = {fold(word) for word in words.get("unit_intro", ())}
        self._polite = {fold(word) for word in words.get("polite", ())}

    def asked(self, text: str) -> Asked | None:
        """A whole message that asks for an invite or for members; None when it says anything else."""
        if len(text) > _LONGEST:
            return None
        text = compose(text)
        said = tokens(text)
        for want, phrases in self._starts.items():
            end = _end(phrases, said)
            if end and len(said) - end <= _MOST_WORDS:
                return self._of_units(want, text, said[end:])
        return None

    def _of_units(self, want: str, text: str, rest: Sequence[Token]) -> Asked | None:
        rest = self._plain(rest)
        if not rest:
            return Asked(want)
        for some in self._tails(rest):
            found = self._with_role(text, some)
            if found is not None:
                return replace(found, want=want) if want == MEMBERS else found
        return None

    def _plain(self, said: Sequence[Token]) -> Sequence[Token]:
        """Without what is only polite at the end. Before, `chú` would be the `chủ` of `chủ tịch`."""
        last = len(said)
        while last and said[last - 1].plain in self._polite:
            last -= 1
        return said[:last]

    def _tails(self, said: Sequence[Token]) -> Iterator[Sequence[Token]]:
        """All of it, then what follows a small word: "bác Tư vào thôn 3"."""
        yield said
        for at, token in enumerate(said[:-1]):
            if token.plain in self._intro:
                yield said[at + 1 :]

    def _with_role(self, text: str, said: Sequence[Token]) -> Asked | None:
        """A unit, or somebody's part in it: "thôn 3", "trưởng thôn 3", "lãnh đạo"."""
        if exact := self._exact(said):
            return Asked(USUAL, exact)
        for role, phrases in self._roles.items():
            end = _end(phrases, said)
            if not end:
                continue
            if end == len(said):
                return Asked(role, (self._office,) if role == LEAD else ())
            if units := self._named(text, said[end:]):
                # The chairman of an association is its head; only the office's lead the commune.
                return Asked(role if role == HEAD or units == (self._office,) else HEAD, units)
        units = self._named(text, said) if len(said) > 1 or not said[0].plain.isdecimal() else ()
        return Asked(USUAL, units) if units else None

    def named(self, text: str) -> tuple[str, ...]:
        """The units that an answer names, a village by its number alone; several when it is not clear."""
        if len(text) > _LONGEST:
            return ()
        text = compose(text)
        said = self._plain(tokens(text))
        return self._named(text, said) if said else ()

    def _named(self, text: str, said: Sequence[Token]) -> tuple[str, ...]:
        plain = [token.plain for token in said]
        if exact := self._exact(said):
            return exact
        read = number(plain, 0)
        if read is not None and read[1] == len(plain):
            return (self._numbers[read[0]],) if read[0] in self._numbers else ()
        if len(said) <= _PLACE_WORDS and (units := self._villages(text[said[0].start : said[-1].end])):
            return units[:AMBIGUOUS_MAX]
        parts = dict.fromkeys(unit for name, unit in self._names if _stands_in(plain, name))
        return tuple(parts) if len(parts) <= AMBIGUOUS_MAX else ()

    def _exact(self, said: Sequence[Token]) -> tuple[str, ...]:
        plain = tuple(token.plain for token in said)
        return tuple(dict.fromkeys(unit for name, unit in self._names if name == plain))


def _end(phrases: Phrases, said: Sequence[Token]) -> int:
    """Where the longest phrase at the beginning ends; 0 without one. An accent that was typed counts."""
    return max((match.end for match in phrases.find(said) if match.start == 0 and match.exact), default=0)


def _stands_in(plain: Sequence[str], name: Sequence[str]) -> bool:
    size = len(plain)
    return any(list(name[at : at + size]) == list(plain) for at in range(len(name) - size + 1))
