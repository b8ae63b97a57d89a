"""Villages and landmarks in what people type."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from rapidfuzz import fuzz, process

from bot.core.commune import Commune
from bot.core.phrases import ENOUGH, NEAR, Match, Phrase, Phrases, agree, as_is, longest
from bot.core.text import Token, fold, number, number_said, second_guess, tokens

_LANDMARK_TAIL: Final = 5
_LED_WORDS: Final = 6
# How much a piece of a text looks like a place: by its known words, and by what stands around it.
_ENOUGH: Final = 2.0
_VAGUE, _UNNAMED, _NAMED, _LED = 0.5, 1.5, 4.0, 0.4
# a single word that nothing leads to, and no village beside it, may be of the matter: `tắc cống`
_MARK_WORDS: Final = (0.0, 1.9, 3.0, 3.5)
_RELATED, _BESIDE, _CLAUSE, _INTRODUCED, _MATTER = 1.5, 1.5, 1.0, 1.5, 2.6
# what something runs to says less of where it is, unless nothing follows
_TOWARDS, _LAST = 0.7, 0.1
_VILLAGE, _HOUSE = "thon", "nha"
_AND: Final = ("va", "voi")
_OR: Final = ("hay", "hoac")
_BOUNDARY: Final = re.compile(r"[,.;:!?()\n/–-]")


_Numbered = tuple[Token, int, int]


@dataclass(frozen=True, slots=True)
class PlaceWords:
    """Villages a text names (one is sure, several are a question), where in it, and names it nearly says.

    `unknown`: a village is numbered as none is.
    """

    units: tuple[str, ...] = ()
    landmark: str = ""
    near: tuple[str, ...] = ()
    unknown: bool = False


class Places:
    """Villages and landmarks in a text."""

    _LETTERS: Final = 5

    def __init__(self, commune: Commune) -> None:
        words = commune.words
        self._kinds = {fold(word) for word in words.get("village", ())}
        self._short_kinds = {fold(word) for word in words.get("village_short", ())}
        self._times = _typed_forms(words.get("no_village_after", ()))
        # names are read as texts are, so that `Thôn Bảy` and `thôn 7` are one
        self._names: list[tuple[tuple[Token, ...], str]] = [
            (tuple(token for token, _, _ in self._numbered(tokens(name))), unit.id)
            for unit in commune.villages
            for name in (unit.name, *unit.aliases)
        ]
        self.villages = lru_cache(maxsize=8)(self._find_villages)
        self._first = self._table(as_is)
        self._second = self._table(second_guess)
        self._fuzzy = {
            plain: unit
            for name, unit in self._names
            if len(plain := " ".join(token.plain for token in name)) >= self._LETTERS
            and not any(char.isdigit() for char in plain)
        }
        self._landmarks = Phrases((text, "") for text in commune.landmarks)
        self._landmarks_second = Phrases(((text, "") for text in commune.landmarks), second_guess)
        self._before = _typed_forms(words.get("before_place", ()))
        self._intro = _typed_forms(words.get("place_intro", ()))
        self._intro_two = {fold(word) for word in words.get("place_intro", ()) if " " in word}
        self._classifiers = _typed_forms(words.get("classifiers", ()))
        self._end = _typed_forms(words.get("place_end", ()))
        self._beside = _typed_forms(words.get("place_relations", ()))
        self._towards = _typed_forms(words.get("towards", ()))
        self._no_place = Phrases((text, "") for text in words.get("no_place", ()))
        self._titles = _typed_forms(words.get("person_titles", ()))
        self._measures = {fold(word) for word in words.get("measures", ())}
        self._vague = {fold(text) for text in words.get("vague_marks", ())}

    def _table(self, respell: Callable[[str], str]) -> dict[str, list[tuple[tuple[Token, ...], str]]]:
        table: dict[str, list[tuple[tuple[Token, ...], str]]] = {}
        for name, unit in sorted(self._names, key=lambda entry: -len(entry[0])):
            if name:
                table.setdefault(respell(name[0].plain), []).append((name, unit))
        return table

    def _numbered(self, said: Sequence[Token]) -> list[_Numbered]:
        """The words, numbers after `thôn` in digits, with the tokens each one took."""
        plain = [token.plain for token in said]
        out: list[_Numbered] = []
        at = 0
        while at < len(said):
            short = self._shortened(said, at)
            out.append((said[at] if short is None else short, at, at + 1))
            at += 1
            kind = short is not None or plain[at - 1] in self._kinds
            if kind and (read := number_said(said, at)) and not self._year(plain, at):
                value, taken = read
                digits = Token(str(value), "", said[at].start, said[at + taken - 1].end)
                out.append((digits, at, at + taken))
                at += taken
        return out

    def _find_villages(self, said: Sequence[Token]) -> tuple[Sequence[_Numbered], tuple[str, ...], int]:
        """The words with numbers in digits; the villages that are named; and in which words."""
        numbered = self._numbered(said)
        units, taken = self._villages(numbered, self._first, as_is)
        if not units:
            units, taken = self._villages(numbered, self._second, second_guess)
        return numbered, units, taken

    def _shortened(self, said: Sequence[Token], at: int) -> Token | None:
        """`t4` is `thôn 4`, where no time is told: `sáng t4` is a Wednesday."""
        token = said[at]
        if token.plain not in self._short_kinds or at + 1 == len(said) or said[at + 1].start != token.end:
            return None
        beside = [said[place] for place in (at - 1, at + 2) if 0 <= place < len(said)]
        timed = any(near.clause == token.clause and _fits(near, self._times) for near in beside)
        named = said[at + 1].plain.isdecimal() and not timed
        return token._replace(plain=_VILLAGE) if named else None

    @staticmethod
    def _year(plain: Sequence[str], at: int) -> bool:
        """`năm nay` is a time, not a five."""
        return plain[at] == "nam" and plain[at + 1 : at + 2] in (["nay"], ["ngoai"], ["truoc"])

    def read(self, text: str, said: Sequence[Token], matches: Sequence[Match]) -> PlaceWords:
        numbered, units, taken = self.villages(said)
        near = () if units else self._nearly(said)
        strict = said
        marks = self._landmarks.find(strict) or self._misspelt(strict)
        blocked = taken
        categories = longest(matches)
        likeliest = max(categories, key=lambda match: match.score).phrase.value if categories else ""
        for match in dict.fromkeys((*categories, *(match for match in matches if _joined(match)))):
            sure = match.score >= ENOUGH or match.phrase.value == likeliest
            if match.exact and sure and not match.phrase.paired:
                blocked |= match.mask & ~_places_in(match, marks, said)
        blocked |= self._nowhere(strict, marks)
        said_of = _said_of(matches, marks)
        where = _Landmark(text, strict, blocked, taken, categories, self, said_of)
        landmark = where.find(marks)
        if not landmark and units and len(said) <= 10 and not categories:
            landmark = where.rest()
        return PlaceWords(units, landmark, near, self._unknown(numbered, taken))

    @staticmethod
    def _unknown(numbered: Sequence[_Numbered], taken: int) -> bool:
        """Whether a number behind `thôn` was no village's."""
        return any(
            kind.plain == _VILLAGE and digits.plain.isdecimal() and not taken >> start & 1
            for (kind, _, _), (digits, start, _) in pairwise(numbered)
        )

    def _misspelt(self, said: Sequence[Token]) -> list[Match]:
        """`chạm y tế`: of several words, and typed with accents; else too much sounds alike."""
        found = self._landmarks_second.find(said)
        return [
            mark
            for mark in found
            if mark.quality == 1.0 and len(mark.phrase.head) > 1 and not mark.phrase.any_next
        ]

    def _villages(
        self,
        numbered: Sequence[_Numbered],
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
        self, numbered: Sequence[_Numbered], at: int, mask: int, found: dict[str, None]
    ) -> tuple[int, int]:
        """`thôn 3 và 4` at the end, `thôn 3 hay 4 gì đó` anywhere: one more number, without its `thôn`."""
        plain = [token.plain for token, _, _ in numbered]
        read = number(plain, at + 1) if at < len(plain) and plain[at] in (*_AND, *_OR) else None
        if read is None or at < 2 or (plain[at] in _AND and at + 1 + read[1] < len(plain)):
            return at, mask
        named = [plain[at - 2], str(read[0])]
        for name, unit in self._names:
            if [token.plain for token in name] == named:
                found[unit] = None
                end = at + 1 + read[1]
                return end, mask | ((1 << numbered[end - 1][2]) - (1 << numbered[at][1]))
        return at, mask

    @staticmethod
    def _reads(
        name: tuple[Token, ...],
        numbered: Sequence[_Numbered],
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

    def _nowhere(self, said: Sequence[Token], marks: Sequence[Match]) -> int:
        """Words that say where in general only (`giữa đường`), outside a longer landmark."""
        mask = 0
        for match in self._no_place.find(said):
            named = (mark for mark in marks if not mark.phrase.any_next)
            longer = any(mark.mask & match.mask and mark.end > match.end for mark in named)
            if match.exact and not longer:
                mask |= match.mask
        return mask

    def marks(self, said: Sequence[Token]) -> Iterator[int]:
        """Where known places of two words and more stand."""
        for mark in self._landmarks.find(said):
            if mark.exact and len(mark.phrase.head) > 1 and not mark.phrase.any_next:
                yield mark.mask

    def is_vague(self, token: Token) -> bool:
        """A landmark of one syllable that without its accents is mostly another word."""
        return token.plain in self._vague

    def relates(self, token: Token) -> bool:
        """A word that is said before a thing that something stands near."""
        return _fits(token, self._beside)

    def towards(self, token: Token) -> bool:
        return _fits(token, self._towards)

    def is_kind(self, token: Token) -> bool:
        """A word that a village's name follows."""
        return token.plain in self._kinds

    def leads(self, token: Token) -> bool:
        return _fits(token, self._before)

    def introduces(self, token: Token) -> bool:
        return _fits(token, self._intro)

    def without_where(self, phrase: Phrase) -> str:
        """A phrase as the commune spells it, without a last word that leads to a place: `đánh nhau ở`."""
        said = [*phrase.head, *phrase.tail]
        while len(said) > 1 and (self.introduces(said[-1]) or self.relates(said[-1])):
            said.pop()
        return " ".join(token.typed or token.plain for token in said)

    def led_to(self, said: Sequence[Token], at: int) -> bool:
        """Whether the words before lead to a place: `ở`, `vị trí`, `chỗ cái`, `ra`."""
        while at and _fits(said[at - 1], self._classifiers):
            at -= 1
        if not at:
            return False
        two = " ".join(token.plain for token in said[max(at - 2, 0) : at])
        return two in self._intro_two or self.introduces(said[at - 1])

    def clause_with(self, text: str, said: Sequence[Token], landmark: str) -> str:
        """The clause that a landmark stands in, without what is only said around it."""
        at = text.find(landmark)
        inside = [token for token in said if at <= token.start < at + len(landmark)]
        if not inside or inside[0].clause != inside[-1].clause:
            return landmark
        clause = [token for token in said if token.clause == inside[0].clause]
        first, last = clause.index(inside[0]), len(clause) - clause[::-1].index(inside[-1])
        while last < len(clause) and clause[-1].typed and self.ends(clause[-1]):
            clause.pop()
        start = 0
        while start < first and self._only_opens(clause[start]):
            start += 1
        return text[clause[start].start : clause[-1].end]

    def _only_opens(self, token: Token) -> bool:
        """A word before a place that is none of it."""
        opens = self.ends(token) or self.introduces(token)
        return opens and not (self.leads(token) or self.relates(token))

    def could_be(self, said: Sequence[Token]) -> bool:
        related = any(
            self.relates(token) and token.plain not in self._vague and not self.ends(behind)
            for token, behind in pairwise(said)
        )
        return related or not any(self.ends(token) for token in said)

    def titles(self, token: Token) -> bool:
        """A word that somebody's name follows."""
        return _fits(token, self._titles)

    def measures(self, token: Token) -> bool:
        return token.plain in self._measures

    def ends(self, token: Token) -> bool:
        if not token.typed and token.plain in self._vague:
            return False
        return _fits(token, self._end)


def _typed_forms(texts: Iterable[str]) -> dict[str, tuple[Token, ...]]:
    """Single words as they are heard."""
    forms: dict[str, tuple[Token, ...]] = {}
    for text in texts:
        for token in tokens(text)[:1]:
            if len(tokens(text)) == 1:
                heard = second_guess(token.plain)
                forms[heard] = (*forms.get(heard, ()), token)
    return forms


def _fits(token: Token, forms: Mapping[str, tuple[Token, ...]]) -> bool:
    meant = forms.get(second_guess(token.plain), ())
    if not token.typed:
        return any(token.plain == form.plain for form in meant)
    return any(second_guess(token.typed) == second_guess(form.typed or form.plain) for form in meant)


def strict(text: str, said: Sequence[Token]) -> Sequence[Token]:
    """Who writes accents means a bare word to be bare: `cho` in `cho hỏi` is no market."""
    if 2 * sum(bool(token.typed) for token in said) <= len(said):
        return said
    return [
        token._replace(typed=token.plain) if text[token.start : token.end].lower() == token.plain else token
        for token in said
    ]


def _joined(match: Match) -> bool:
    """Several words without a gap: `đèn đường` is no road, also inside something longer."""
    return not match.phrase.tail and len(match.phrase.head) > 1 and bool(match.phrase.value)


def _places_in(match: Match, marks: Iterable[Match], said: Sequence[Token]) -> int:
    """What stands behind the head of a category's phrase and is a place: `xả … ra kênh`, `lấn ra ngõ 5`."""
    head = match.start + len(match.phrase.head)
    mask = 0
    for mark in marks:
        numbered = mark.phrase.any_next and said[mark.end - 1].plain.isdecimal()
        behind = mark.start >= head and (numbered or not mark.phrase.any_next)
        if mark.exact and (behind or (numbered and mark.end > match.end)):
            mask |= mark.mask
    return mask


def _said_of(matches: Iterable[Match], marks: Iterable[Match]) -> int:
    """What is surely said of the matter, and ends a place: of `quán bà Tý kê bàn ra đường` from `kê` on."""
    mask = 0
    for match in matches:
        if match.quality == 1.0 and match.phrase.value:
            mask |= match.mask
    for mark in marks:
        if mark.exact:
            mask &= ~(((1 << len(mark.phrase.head)) - 1) << mark.start)
    return mask


class _Piece(NamedTuple):
    """Words that may say where, and how much they look like it."""

    score: float
    start: int
    end: int


class _Landmark:
    """The piece of one text that says where, as it was typed."""

    def __init__(
        self,
        text: str,
        said: Sequence[Token],
        blocked: int,
        villages: int,
        categories: Sequence[Match],
        words: Places,
        stops: int = 0,
    ) -> None:
        self._text = text
        self._said = said
        self._blocked = blocked
        self._villages = villages
        self._categories = categories
        self._words = words
        self._stops = stops

    def find(self, marks: Iterable[Match]) -> str:
        """The likeliest of what stands around a known landmark or after `sau`, `gần`, `ở`."""
        meant = [
            mark for mark in marks if mark.exact and not (mark.phrase.any_next and self._names_nothing(mark))
        ]
        free = [mark for mark in meant if not mark.mask & self._blocked]
        pieces = [self._marked(mark) for mark in longest(free) if not self._opens(mark)]
        pieces += [self._both(mark) for mark in longest(meant) if self._is_both(mark)]
        pieces += [piece for at in range(len(self._said)) for piece in self._led(at)]
        best = max(
            pieces, key=lambda piece: (piece.score, piece.end - piece.start, -piece.start), default=None
        )
        return self._words_of(best.start, best.end) if best is not None and best.score >= _ENOUGH else ""

    def _names_nothing(self, mark: Match) -> bool:
        """`cống ạ`, `ngõ 2m`: what follows is no name."""
        last = self._said[mark.end - 1]
        measured = (
            last.plain.isdecimal()
            and mark.end < len(self._said)
            and self._words.measures(self._said[mark.end])
        )
        ended = self._words.ends(last) and not self._called(mark.end - 1) and not self._words.titles(last)
        whose = self._said[mark.end - 2].plain == _HOUSE
        return measured or (ended and not whose) or self._is_vague(mark)

    def _marked(self, mark: Match) -> _Piece:
        start, end = self._around(mark)
        named = mark.phrase.any_next and self._names(mark.end - 1)
        score = _MARK_WORDS[min(mark.end - mark.start, 3)]
        score = _NAMED if named else _VAGUE if self._is_vague(mark) else score
        if mark.phrase.any_next and not named and len(mark.phrase.head) == 1:
            score = _UNNAMED
        if any(self._words.relates(token) for token in self._said[start : mark.start]):
            score += _RELATED
        return _Piece(score + self._bonus(start, end), start, end)

    def _is_vague(self, mark: Match) -> bool:
        first = self._said[mark.start]
        if mark.phrase.any_next and self._names(mark.end - 1):
            return False
        single = mark.end - mark.start == 1 or mark.phrase.any_next
        return single and not first.typed and self._words.is_vague(first)

    def _is_both(self, mark: Match) -> bool:
        """Words of a category that are all of a known place: `bãi rác thôn 12`."""
        over = [match for match in self._categories if match.mask & mark.mask and match.exact]
        inside = all(not match.mask & ~mark.mask for match in over)
        return bool(over) and inside and mark.end - mark.start > 1 and not mark.phrase.any_next

    def _both(self, mark: Match) -> _Piece:
        """Only beside a village: else it is the matter alone."""
        score = _MARK_WORDS[min(mark.end - mark.start, 3)] - _MATTER
        return _Piece(score + self._bonus(mark.start, mark.end), mark.start, mark.end)

    def _names(self, at: int) -> bool:
        """A number or a proper name, where not everything is written large."""
        word, before = (self._text[token.start : token.end] for token in (self._said[at], self._said[at - 1]))
        return word.isdecimal() or (word[:1].isupper() and before.islower())

    def _led(self, at: int) -> Iterator[_Piece]:
        """A piece that no known mark is in, after a word that says where."""
        token = self._said[at]
        if not self._open(at):
            return
        relates, introduces = self._words.relates(token), self._words.introduces(token)
        if not (relates or introduces):
            return
        start = at + 1 if introduces and not relates else at
        end = self._onward(at + 1, _LED_WORDS)
        if any(not self._words.leads(word) for word in self._said[start:end]):
            score = _LED + (_RELATED if relates else 0)
            yield _Piece(score + self._bonus(start, end), start, end)

    def _bonus(self, start: int, end: int) -> float:
        """What stands beside a village, after `ở`, or fills a clause of its own is more likely a place."""
        beside = self._village(start - 1) or self._village(end)
        opens = start == 0 or not self._same_clause(start) or self._village(start - 1)
        closes = end == len(self._said) or not self._same_clause(end) or self._village(end)
        joined = bool(start) and self._same_clause(start)
        led = joined and self._words.led_to(self._said, start)
        towards = joined and not led and self._words.towards(self._said[start - 1])
        goes = (_INTRODUCED if closes else _TOWARDS) * towards
        last = _LAST * (closes and start > 0)
        return _BESIDE * beside + _CLAUSE * (opens and closes) + _INTRODUCED * led + goes + last

    def _village(self, at: int) -> bool:
        return 0 <= at < len(self._said) and bool(self._villages >> at & 1)

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
            if self._stops >> end & 1 or (self._words.ends(self._said[end]) and not self._called(end)):
                break
            end += 1
        return end

    def _called(self, at: int) -> bool:
        """Somebody's name, though the word mostly is another: `ngõ ông Năm`."""
        return self._proper(at) or (at > 0 and self._words.titles(self._said[at - 1]))

    def _proper(self, at: int) -> bool:
        """Written large where the word before is not."""
        word = self._text[self._said[at].start : self._said[at].end]
        before = self._text[self._said[at - 1].start : self._said[at - 1].end] if at else ""
        return word[:1].isupper() and before.islower()

    def _words_of(self, start: int, end: int) -> str:
        return self._text[self._said[start].start : self._said[end - 1].end]
