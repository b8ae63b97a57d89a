"""Villages and landmarks in what people type."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz import fuzz, process

from bot.core.commune import Commune
from bot.core.phrases import NEAR, Match, Phrases, agree, as_is, longest
from bot.core.text import Token, fold, number, second_guess, tokens

_LANDMARK_TAIL: Final = 5
_BOUNDARY: Final = re.compile(r"[,.;:!?()\n/–-]")


@dataclass(frozen=True, slots=True)
class PlaceWords:
    """Villages a text names (one is sure, several are a question), where in it, and names it nearly says."""

    units: tuple[str, ...] = ()
    landmark: str = ""
    near: tuple[str, ...] = ()


class Places:
    """Villages and landmarks in a text."""

    _LETTERS: Final = 5

    def __init__(self, commune: Commune) -> None:
        words = commune.words
        self._kinds = {fold(word) for word in words.get("village", ())}
        # names are read as texts are, so that `Thôn Bảy` and `thôn 7` are one
        self._names: list[tuple[tuple[Token, ...], str]] = [
            (tuple(token for token, _, _ in self._numbered(tokens(name))), unit.id)
            for unit in commune.villages
            for name in (unit.name, *unit.aliases)
        ]
        self._first = self._table(as_is)
        self._second = self._table(second_guess)
        self._fuzzy = {
            plain: unit
            for name, unit in self._names
            if len(plain := " ".join(token.plain for token in name)) >= self._LETTERS
            and not any(char.isdigit() for char in plain)
        }
        self._landmarks = Phrases((text, "") for text in commune.landmarks)
        self._before = _typed_forms(words.get("before_place", ()))
        self._intro = _typed_forms(words.get("place_intro", ()))
        self._end = _typed_forms(words.get("place_end", ()))

    def _table(self, respell: Callable[[str], str]) -> dict[str, list[tuple[tuple[Token, ...], str]]]:
        table: dict[str, list[tuple[tuple[Token, ...], str]]] = {}
        for name, unit in sorted(self._names, key=lambda entry: -len(entry[0])):
            if name:
                table.setdefault(respell(name[0].plain), []).append((name, unit))
        return table

    def _numbered(self, said: Sequence[Token]) -> list[tuple[Token, int, int]]:
        """The words, numbers after `thôn` in digits, with the tokens each one took."""
        plain = [token.plain for token in said]
        out: list[tuple[Token, int, int]] = []
        at = 0
        while at < len(said):
            out.append((said[at], at, at + 1))
            at += 1
            if plain[at - 1] in self._kinds and (read := number(plain, at)) and not self._year(plain, at):
                value, taken = read
                digits = Token(str(value), "", said[at].start, said[at + taken - 1].end)
                out.append((digits, at, at + taken))
                at += taken
        return out

    @staticmethod
    def _year(plain: Sequence[str], at: int) -> bool:
        """`năm nay` is a time, not a five."""
        return plain[at] == "nam" and plain[at + 1 : at + 2] in (["nay"], ["ngoai"], ["truoc"])

    def read(self, text: str, said: Sequence[Token], categories: Sequence[Match]) -> PlaceWords:
        numbered = self._numbered(said)
        units, taken = self._villages(numbered, self._first, as_is)
        if not units:
            units, taken = self._villages(numbered, self._second, second_guess)
        near = () if units else self._nearly(said)
        blocked = taken
        for match in categories:
            blocked |= match.mask
        strict = _strict(text, said)
        where = _Landmark(text, strict, blocked, self)
        landmark = where.find(self._landmarks.find(strict))
        if not landmark and units and len(said) <= 10 and not categories:
            landmark = where.rest()
        return PlaceWords(units, landmark, near)

    def _villages(
        self,
        numbered: Sequence[tuple[Token, int, int]],
        table: Mapping[str, Sequence[tuple[tuple[Token, ...], str]]],
        respell: Callable[[str], str],
    ) -> tuple[tuple[str, ...], int]:
        found: dict[str, None] = {}
        mask = at = 0
        while at < len(numbered):
            named = [
                (len(name), unit)
                for name, unit in table.get(respell(numbered[at][0].plain), ())
                if self._reads(name, numbered, at, respell)
            ]
            if not named:
                at += 1
                continue
            length = max(named)[0]
            found.update(dict.fromkeys(unit for size, unit in named if size == length))
            mask |= (1 << numbered[at + length - 1][2]) - (1 << numbered[at][1])
            at += length
            at, mask = self._and_another(numbered, at, mask, found)
        return tuple(found), mask

    def _and_another(
        self, numbered: Sequence[tuple[Token, int, int]], at: int, mask: int, found: dict[str, None]
    ) -> tuple[int, int]:
        """`thôn 3 và 4`: a bare number after the word for `and`, at the end."""
        ends = at + 2 == len(numbered) and numbered[at][0].plain in ("va", "hoac", "hay", "voi")
        if not ends:
            return at, mask
        plain = [numbered[at - 2][0].plain, numbered[at + 1][0].plain]
        for name, unit in self._names:
            if [token.plain for token in name] == plain:
                found[unit] = None
                return at + 2, mask | ((1 << numbered[at + 1][2]) - (1 << numbered[at][1]))
        return at, mask

    @staticmethod
    def _reads(
        name: tuple[Token, ...],
        numbered: Sequence[tuple[Token, int, int]],
        at: int,
        respell: Callable[[str], str],
    ) -> bool:
        if at + len(name) > len(numbered):
            return False
        return all(
            respell(numbered[at + offset][0].plain) == respell(token.plain)
            and (not token.typed or agree(numbered[at + offset][0], token, respell) > 0)
            for offset, token in enumerate(name)
        )

    def _nearly(self, said: Sequence[Token]) -> tuple[str, ...]:
        if not self._fuzzy or len(said) > 30:
            return ()
        words = [token.plain for token in said]
        found: dict[str, None] = {}
        for length in {len(name.split()) for name in self._fuzzy}:
            for start in range(len(words) - length + 1):
                window = " ".join(words[start : start + length])
                near = process.extract(window, self._fuzzy.keys(), scorer=fuzz.ratio, score_cutoff=NEAR)
                found.update(dict.fromkeys(self._fuzzy[name] for name, _, _ in near))
        return tuple(found)

    def is_kind(self, token: Token) -> bool:
        """A word that a village's name follows."""
        return token.plain in self._kinds

    def leads(self, token: Token) -> bool:
        return _fits(token, self._before)

    def introduces(self, token: Token) -> bool:
        return _fits(token, self._intro)

    def ends(self, token: Token) -> bool:
        return _fits(token, self._end)


def _typed_forms(texts: Iterable[str]) -> dict[str, tuple[Token, ...]]:
    """Single words by their plain form."""
    forms: dict[str, tuple[Token, ...]] = {}
    for text in texts:
        for token in tokens(text)[:1]:
            if len(tokens(text)) == 1:
                forms[token.plain] = (*forms.get(token.plain, ()), token)
    return forms


def _fits(token: Token, forms: Mapping[str, tuple[Token, ...]]) -> bool:
    meant = forms.get(token.plain, ())
    return any(not token.typed or token.typed == (form.typed or form.plain) for form in meant)


def _strict(text: str, said: Sequence[Token]) -> Sequence[Token]:
    """Who writes accents means a bare word to be bare: `cho` in `cho hỏi` is no market."""
    if 3 * sum(bool(token.typed) for token in said) <= len(said):
        return said
    return [
        token._replace(typed=token.plain) if text[token.start : token.end].lower() == token.plain else token
        for token in said
    ]


class _Landmark:
    """The piece of one text that says where, as it was typed."""

    def __init__(self, text: str, said: Sequence[Token], blocked: int, words: Places) -> None:
        self._text = text
        self._said = said
        self._blocked = blocked
        self._words = words

    def find(self, marks: Iterable[Match]) -> str:
        """Around a known landmark; else after `sau`, `gần`, `ở`."""
        free = (mark for mark in marks if not mark.mask & self._blocked and mark.exact)
        pieces = [self._around(mark) for mark in longest(free) if not self._opens(mark)]
        if pieces:
            start, end = max(pieces, key=lambda piece: (piece[1] - piece[0], -piece[0]))
            return self._words_of(start, end)
        for at, token in enumerate(self._said):
            if self._open(at) and (self._words.leads(token) or self._words.introduces(token)):
                start = at if self._words.leads(token) and not self._words.introduces(token) else at + 1
                end = self._onward(at + 1, 6)
                if any(not self._words.leads(word) for word in self._said[start:end]):
                    return self._words_of(start, end)
        return ""

    def _opens(self, mark: Match) -> bool:
        """A bare first syllable is mostly something else: `ho do rac` is `họ`, not a lake."""
        alone = mark.end == 1 < len(self._said) and not self._said[0].typed
        return alone and self._same_clause(1) and not self._words.is_kind(self._said[1])

    def rest(self) -> str:
        """The longest run of words that is neither the village nor small talk."""
        best = (0, 0)
        at = 0
        while at < len(self._said):
            end = at
            while end < len(self._said) and self._open(end) and (end == at or self._same_clause(end)):
                if self._words.ends(self._said[end]):
                    break
                end += 1
            if 2 <= end - at <= 6 and end - at > best[1] - best[0]:
                best = (at, end)
            at = max(end, at + 1)
        return self._words_of(*best) if best[1] else ""

    def _open(self, at: int) -> bool:
        return not self._blocked >> at & 1

    def _same_clause(self, at: int) -> bool:
        between = self._text[self._said[at - 1].end : self._said[at].start]
        return not _BOUNDARY.search(between)

    def _around(self, mark: Match) -> tuple[int, int]:
        start = mark.start
        while start > 0 and self._open(start - 1) and self._same_clause(start):
            before = self._said[start - 1]
            if not self._words.leads(before) or self._words.introduces(before):
                break
            start -= 1
        return start, self._onward(mark.end, _LANDMARK_TAIL)

    def _onward(self, at: int, most: int) -> int:
        end = at
        while end < len(self._said) and end - at < most and self._open(end) and self._same_clause(end):
            if self._words.ends(self._said[end]):
                break
            end += 1
        return end

    def _words_of(self, start: int, end: int) -> str:
        return self._text[self._said[start].start : self._said[end - 1].end]
