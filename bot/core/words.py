"""What a message says: the kind of report, the place, the commands, codes and map links in it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

from rapidfuzz import fuzz, process

from bot.core.commune import Commune, Point
from bot.core.places import valid
from bot.core.text import LONGEST, Token, accented, compose, fold, number, second_guess, tokens, toneless

GAP: Final = 4
"""Words that may stand where a phrase has its …"""
ENOUGH: Final = 0.75
"""The score from which a guess may be sure; a near miss in spelling never reaches it."""
AHEAD: Final = 2.2
"""How many times the second guess the first must score to be sure."""
MOST_TOKENS: Final = 200
NEAR: Final = 85.0
"""How alike, of 100, a near miss is."""
_NEAR_WORD: Final = 80.0
COMMANDS: Final = {
    "start": "start",
    "trogiup": "help",
    "tracuu": "lookup",
    "huy": "cancel",
    "ketnoi": "connect",
    "quyenriengtu": "privacy",
    "xuatdulieu": "export",
    "xoadulieu": "erase",
    "thongke": "stats",
    "tim": "find",
    "thongbao": "broadcast",
    "nhiemvu": "task",
}
"""Each command and the list of `[words]` that says the same."""

_LONGEST_SHORT: Final = 80
_WEIGHTS: Final = (0.0, 1.0, 2.2, 3.6, 5.0, 6.5, 8.0)
_TONE_ONLY: Final = 0.5  # the right letters with another tone
_UNMARKED: Final = 0.8  # typed without diacritics
_SECOND: Final = 0.6
_FUZZY: Final = 0.25
_LANDMARK_TAIL: Final = 5
_BOUNDARY: Final = re.compile(r"[,.;:!?()\n/–-]")


@dataclass(frozen=True, slots=True)
class Guess:
    """A category that a text may be about; only the order and the distance of scores mean anything."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class PlaceWords:
    """Villages a text names (one is sure, several are a question), where in it, and names it nearly says."""

    units: tuple[str, ...] = ()
    landmark: str = ""
    near: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Phrase:
    """Words to look for, perhaps more after a gap; `any_next` takes one word more, whatever it is."""

    head: tuple[Token, ...]
    tail: tuple[Token, ...]
    value: str
    any_next: bool = False

    @property
    def weight(self) -> float:
        return _WEIGHTS[min(len(self.head) + len(self.tail), len(_WEIGHTS) - 1)]

    @property
    def plain(self) -> str:
        """Its words, the gap left out."""
        return " ".join(token.plain for token in (*self.head, *self.tail))


@dataclass(frozen=True, slots=True)
class _Match:
    phrase: _Phrase
    mask: int
    """Which tokens of the text it took, one bit each."""
    start: int
    end: int
    score: float

    def inside(self, other: "_Match") -> bool:
        """Whether a longer phrase, with what stands in its gap, has it all."""
        longer = other.mask.bit_count(), other.end - other.start
        return (
            other.start <= self.start
            and self.end <= other.end
            and (self.mask.bit_count(), self.end - self.start) < longer
        )

    @property
    def exact(self) -> bool:
        """Whether every accent that was typed is the one that was meant."""
        return self.score >= self.phrase.weight * _UNMARKED


def _as_is(word: str) -> str:
    return word


@lru_cache(maxsize=4096)
def _likeness(typed: str, meant: str) -> float:
    """How far accents that were typed agree with those that were meant; the plain letters already do."""
    if typed == meant:
        return 1.0
    return _TONE_ONLY if toneless(typed) == toneless(meant) else 0.0


def _agree(text: Token, meant: Token, respell: Callable[[str], str]) -> float:
    if not text.typed:
        return _UNMARKED
    return _likeness(respell(text.typed), respell(meant.typed or meant.plain))


class _Phrases:
    """Phrases found in a text by their first word."""

    def __init__(self, texts: Iterable[tuple[str, str]], respell: Callable[[str], str] = _as_is) -> None:
        self._respell = respell
        self._by_first: dict[str, list[_Phrase]] = {}
        for text, value in texts:
            head, _, tail = text.partition("…")
            phrase = _Phrase(tokens(head), tokens(tail), value, "…" in text and not tail.strip())
            if phrase.head:
                self._by_first.setdefault(respell(phrase.head[0].plain), []).append(phrase)

    @property
    def all(self) -> Iterator[_Phrase]:
        for phrases in self._by_first.values():
            yield from phrases

    def find(self, said: Sequence[Token]) -> list[_Match]:
        """Every phrase wherever it stands, also inside longer ones."""
        spelt = [self._respell(token.plain) for token in said]
        found = []
        for at, word in enumerate(spelt):
            for phrase in self._by_first.get(word, ()):
                if match := self._at(phrase, said, spelt, at):
                    found.append(match)
        return found

    def _run(self, meant: tuple[Token, ...], said: Sequence[Token], spelt: list[str], at: int) -> float:
        """How well some words stand at a place: 0 when they do not."""
        if at + len(meant) > len(said):
            return 0.0
        worst = 1.0
        for offset, token in enumerate(meant):
            if spelt[at + offset] != self._respell(token.plain):
                return 0.0
            worst = min(worst, _agree(said[at + offset], token, self._respell))
        return worst

    def _at(self, phrase: _Phrase, said: Sequence[Token], spelt: list[str], at: int) -> _Match | None:
        end = at + len(phrase.head)
        if not (quality := self._run(phrase.head, said, spelt, at)):
            return None
        mask = (1 << end) - (1 << at)
        if phrase.any_next:
            if end >= len(said):
                return None
            end += 1
            mask = (1 << end) - (1 << at)
        elif phrase.tail:
            for start in range(end, min(end + GAP, len(said)) + 1):
                if tail := self._run(phrase.tail, said, spelt, start):
                    end = start + len(phrase.tail)
                    mask |= (1 << end) - (1 << start)
                    quality = min(quality, tail)
                    break
            else:
                return None
        return _Match(phrase, mask, at, end, phrase.weight * quality)


def _longest(matches: Iterable[_Match]) -> list[_Match]:
    """Without what stands inside something longer: in `đốt rác` nobody says `rác`."""
    kept: list[_Match] = []
    for match in sorted(matches, key=lambda match: (match.start - match.end, -match.mask.bit_count())):
        if not any(match.inside(other) for other in kept):
            kept.append(match)
    return kept


def _ranked(matches: Iterable[_Match], factor: float = 1.0) -> tuple[Guess, ...]:
    """Categories by what was found, no word and no phrase counted twice for one."""
    scores: dict[str, float] = {}
    taken: dict[str, int] = {}
    counted: set[tuple[str, str]] = set()
    for match in sorted(matches, key=lambda match: -match.score):
        value, key = match.phrase.value, (match.phrase.value, match.phrase.plain)
        if match.mask & taken.get(value, 0) or key in counted:
            continue
        counted.add(key)
        taken[value] = taken.get(value, 0) | match.mask
        scores[value] = scores.get(value, 0.0) + match.score * factor
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Guess(value, round(score, 3)) for value, score in ranked if value)


class Lexicon:
    """The words of one commune, made ready once."""

    def __init__(self, commune: Commune) -> None:
        self._exact = _by_text(commune.words, accented)
        self._plain = _by_text(commune.words, fold)
        self._polite = {fold(word) for word in commune.words.get("polite", ())}
        phrases = [(word, category.id) for category in commune.categories.values() for word in category.words]
        phrases += [(word, "") for word in commune.words.get("not_report", ())]
        self._categories = _Phrases(phrases)
        self._categories_second = _Phrases(phrases, second_guess)
        self._near = _NearMisses(self._categories.all)
        self._mentions = {
            kind: _Phrases((text, kind) for text in commune.words.get(kind, ())) for kind in commune.words
        }
        self._places = _Places(commune)
        between = "[ ._–-]{0,3}"
        self._report = re.compile(
            rf"(?<![^\W_]){re.escape(commune.prefix)}{between}(\d{{2}}){between}(\d{{1,5}})(?![^\W_])",
            re.ASCII | re.IGNORECASE,
        )
        self._prefix = commune.prefix

    def categories(self, text: str) -> tuple[Guess, ...]:
        """What it may be about, likeliest first; nothing when it is about none of it."""
        said = _tokens(text)
        if matches := self._categories.find(said):
            return _ranked(_longest(matches))
        if matches := self._categories_second.find(said):
            return _ranked(_longest(matches), _SECOND)
        return self._near.guesses(said)

    def sure(self, guesses: Sequence[Guess]) -> str | None:
        """The first guess, when it is good and clearly ahead; else the caller asks, these two first."""
        if not guesses or guesses[0].score < ENOUGH:
            return None
        if len(guesses) > 1 and guesses[0].score <= AHEAD * guesses[1].score:
            return None
        return guesses[0].id

    def place(self, text: str) -> PlaceWords:
        """The villages it names, and the piece of it that says where."""
        said = _tokens(text)
        matches = self._categories.find(said) or self._categories_second.find(said)
        return self._places.read(compose(text[:LONGEST]), said, _longest(matches))

    def means(self, text: str, kind: str) -> bool:
        """Whether the whole message is one of the words of a list; typed accents decide where they can."""
        return kind in self.meanings(text)

    def meanings(self, text: str) -> frozenset[str]:
        """Every list that the whole message is in: bare `dung` is in `yes` and in `stop`."""
        if len(text) > _LONGEST_SHORT:
            return frozenset()
        return frozenset().union(*map(self._kinds_of, self._polite_forms(text)))

    def _kinds_of(self, text: str) -> frozenset[str]:
        plain, typed = fold(text), accented(text)
        if typed == plain:
            return self._plain.get(plain, frozenset())
        # `dừng` is no `đúng` although both are `dung`; a slip of the hand that is neither may be both
        return self._exact.get(typed) or self._plain.get(plain, frozenset())

    def _polite_forms(self, text: str) -> Iterator[str]:
        """As it is, then without `dạ` before and `ạ` after."""
        words = accented(text).split()
        yield " ".join(words)
        first, last = 0, len(words)
        while first < last and fold(words[first]) in self._polite:
            first += 1
        while last > first and fold(words[last - 1]) in self._polite:
            last -= 1
        for start, end in {(0, last), (first, len(words)), (first, last)}:
            if start < end and end - start < len(words):
                yield " ".join(words[start:end])

    def mentions(self, text: str, kind: str) -> bool:
        """Whether the message has one of the phrases of a list in it, not inside the words for a category."""
        if kind not in self._mentions:
            return False
        said = _tokens(text)
        if not (matches := self._mentions[kind].find(said)):
            return False
        named = self._categories.find(said)
        return any(not any(match.inside(other) for other in named) for match in matches)

    def command(self, text: str) -> str | None:
        """The command a message is, with its slash or in plain words, as the slash command's name."""
        words = text[:LONGEST].split()
        if not words:
            return None
        if words[0].startswith("/"):
            name = words[0][1:].partition("@")[0].lower()
            return name if name in COMMANDS else None
        if len(words) == 1 and words[0].lower() in COMMANDS and fold(words[0]) == words[0].lower():
            return words[0].lower()
        meant = self.meanings(text)
        for name, kind in COMMANDS.items():
            if kind in meant:
                return name
        code = self._report.search(text[:LONGEST])
        return "tim" if code and self.means(text[: code.start()], "find") else None

    def report_code(self, text: str) -> str | None:
        """The first report code in a message, however loosely typed, as it is printed."""
        found = self._report.search(text[:LONGEST])
        return f"{self._prefix}-{found[1]}-{int(found[2]):05}" if found and int(found[2]) else None

    def invite_code(self, text: str) -> str | None:
        """The invite code that a message is, alone or after /start, as it is printed."""
        found = _INVITE.fullmatch(text[:80].strip().upper())
        if not found or not text[:80].isascii():
            return None
        first, middle, last = found["first"], found["middle"], found["last"]
        code = first + last
        if not any(char.isdigit() for char in code):
            return None
        # `ngay 2024` and a telephone number are no codes, unless the form says so
        loose = not found["start"] and "-" not in middle
        if loose and (code.isdigit() or (middle and (first.isdigit() or last.isdigit()))):
            return None
        return None if not found["start"] and self.report_code(text) else f"{first}-{last}"

    def map_point(self, text: str) -> Point | None:
        """The point of a map link or of two bare numbers."""
        return map_point(text)

    def short_map_link(self, text: str) -> str | None:
        """A short link that has to be followed to know its point."""
        return short_map_link(text)


@lru_cache(maxsize=64)
def _tokens(text: str) -> tuple[Token, ...]:
    return tokens(text[:LONGEST])[:MOST_TOKENS]


def _by_text(words: Mapping[str, Sequence[str]], form: Callable[[str], str]) -> dict[str, frozenset[str]]:
    """The lists that each text is in."""
    kinds: dict[str, frozenset[str]] = {}
    for kind, texts in words.items():
        for text in texts:
            if key := form(text):
                kinds[key] = kinds.get(key, frozenset()) | {kind}
    return kinds


class _NearMisses:
    """Phrases that a short text nearly says, for a question; never enough to be sure."""

    _LETTERS: Final = 8

    def __init__(self, phrases: Iterable[_Phrase]) -> None:
        self._by_length: dict[int, dict[str, _Phrase]] = {}
        for phrase in phrases:
            plain = phrase.plain
            if not phrase.tail and len(phrase.head) > 1 and len(plain) >= self._LETTERS:
                self._by_length.setdefault(len(phrase.head), {})[plain] = phrase

    def guesses(self, said: Sequence[Token]) -> tuple[Guess, ...]:
        if len(said) > 30:
            return ()
        return _ranked(self._matches(said), _FUZZY)

    def _matches(self, said: Sequence[Token]) -> Iterator[_Match]:
        words = [token.plain for token in said]
        for length, phrases in self._by_length.items():
            for start in range(len(words) - length + 1):
                window = " ".join(words[start : start + length])
                if len(window) < self._LETTERS:
                    continue
                # what stands there to the letter was refused before, for its accents
                near = process.extractOne(window, phrases.keys(), scorer=fuzz.ratio, score_cutoff=NEAR)
                if near and near[0] != window and _word_by_word(window, near[0]):
                    phrase, end = phrases[near[0]], start + length
                    weight = min(phrase.weight, 0.9 * ENOUGH / _FUZZY)
                    yield _Match(phrase, (1 << end) - (1 << start), start, end, weight)


def _word_by_word(one: str, other: str) -> bool:
    pairs = zip(one.split(), other.split(), strict=True)
    return all(fuzz.ratio(a, b) >= _NEAR_WORD for a, b in pairs)


class _Places:
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
        self._first = self._table(_as_is)
        self._second = self._table(second_guess)
        self._fuzzy = {
            plain: unit
            for name, unit in self._names
            if len(plain := " ".join(token.plain for token in name)) >= self._LETTERS
            and not any(char.isdigit() for char in plain)
        }
        self._landmarks = _Phrases((text, "") for text in commune.landmarks)
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

    def read(self, text: str, said: Sequence[Token], categories: Sequence[_Match]) -> PlaceWords:
        numbered = self._numbered(said)
        units, taken = self._villages(numbered, self._first, _as_is)
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
            and (not token.typed or _agree(numbered[at + offset][0], token, respell) > 0)
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

    def __init__(self, text: str, said: Sequence[Token], blocked: int, words: _Places) -> None:
        self._text = text
        self._said = said
        self._blocked = blocked
        self._words = words

    def find(self, marks: Iterable[_Match]) -> str:
        """Around a known landmark; else after `sau`, `gần`, `ở`."""
        free = (mark for mark in marks if not mark.mask & self._blocked and mark.exact)
        pieces = [self._around(mark) for mark in _longest(free) if not self._opens(mark)]
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

    def _opens(self, mark: _Match) -> bool:
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

    def _around(self, mark: _Match) -> tuple[int, int]:
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


_SYMBOLS: Final = "0-9A-HJKMNP-TV-Z"
_INVITE: Final = re.compile(
    rf"(?P<start>/START(?:@\w{{1,40}})?\s{{1,9}})?"
    rf"(?P<first>[{_SYMBOLS}]{{4}})(?P<middle>\s{{0,3}}-?\s{{0,3}})(?P<last>[{_SYMBOLS}]{{4}})",
    re.ASCII,
)

_DEGREES: Final = r"(-?\d{1,3}(?:\.\d{1,20})?)"
_MAPS: Final = (
    re.compile(rf"!3d{_DEGREES}!4d{_DEGREES}", re.ASCII),
    re.compile(rf"[?&](?:m?lat)={_DEGREES}&(?:m?lon|lng)={_DEGREES}", re.ASCII),
    re.compile(
        rf"[?&](?:q|query|ll|sll|center|destination|daddr|coordinate|cp|loc)=(?:loc:)?{_DEGREES}[,~]\s?\+?{_DEGREES}",
        re.ASCII,
    ),
    re.compile(rf"@{_DEGREES},{_DEGREES}", re.ASCII),
    re.compile(rf"#map=\d{{1,2}}(?:\.\d{{1,4}})?/{_DEGREES}/{_DEGREES}", re.ASCII),
    re.compile(rf"\bgeo:{_DEGREES},{_DEGREES}", re.ASCII),
    re.compile(rf"/maps/(?:search|place|dir)/{_DEGREES},\s?\+?{_DEGREES}", re.ASCII),
    re.compile(
        r"(?<![\w.,/-])(-?\d{1,2}\.\d{2,20})\s{0,3}[,; ]\s{0,3}(1\d{2}\.\d{2,20})(?![\w/]|\.\d)", re.ASCII
    ),
)
_SEXAGESIMAL: Final = re.compile(
    r"(\d{1,2})°\s?(\d{1,2})['′’]\s?(\d{1,2}(?:\.\d{1,9})?)[\"″”]\s?([NSns])[\s,+]{1,3}"
    r"(\d{1,3})°\s?(\d{1,2})['′’]\s?(\d{1,2}(?:\.\d{1,9})?)[\"″”]\s?([EWew])",
    re.ASCII,
)
_LINK: Final = re.compile(r"https://[^\s<>\"]{1,500}", re.ASCII | re.IGNORECASE)


def _sexagesimal(text: str) -> Point | None:
    if not (found := _SEXAGESIMAL.search(text)):
        return None
    lat = int(found[1]) + int(found[2]) / 60 + float(found[3]) / 3600
    lon = int(found[5]) + int(found[6]) / 60 + float(found[7]) / 3600
    return valid(-lat if found[4] in "Ss" else lat, -lon if found[8] in "Ww" else lon)


def map_point(text: str) -> Point | None:
    """The point of a Google, OpenStreetMap or Apple map link, or of two bare numbers."""
    read = unquote(text[:LONGEST])
    for form in _MAPS:
        if found := form.search(read):
            return valid(float(found[1]), float(found[2]))
    return _sexagesimal(read)


def short_map_link(text: str) -> str | None:
    """The first short Google Maps link, of exactly the hosts that make them."""
    for found in _LINK.finditer(text[:LONGEST]):
        link = found[0].rstrip(".,;:!?)'”’")
        try:
            parts = urlsplit(link)
            plain = parts.netloc == parts.hostname  # no user, no port, no capitals
        except ValueError:
            continue
        path = parts.path
        if plain and (
            (parts.netloc == "maps.app.goo.gl" and len(path) > 1)
            or (parts.netloc == "goo.gl" and path.startswith("/maps/") and len(path) > 6)
        ):
            return link
    return None
