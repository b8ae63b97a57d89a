"""Phrases found in what people type, with or without diacritics, nearly or to the letter."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Final

from rapidfuzz import fuzz, process

from bot.core.text import Token, one_tone, tokens, toneless

GAP: Final = 6
"""Words that may stand where a phrase has its …"""
WIDE_GAP: Final = 8
"""The same where the phrase has three words of its own, and is hardly found by chance."""
NEAR: Final = 85.0
"""How alike, of 100, a near miss is."""
_NEAR_WORD: Final = 80.0
ENOUGH: Final = 0.75
"""The score from which a guess may be sure; a near miss in spelling never reaches it."""
_WEIGHTS: Final = (0.0, 1.0, 2.2, 3.6, 5.0, 6.5, 8.0)
TONE_ONLY: Final = 0.5  # the right letters without the tone, or with the one that is heard alike
_OTHER_TONE: Final = 0.25
_UNMARKED: Final = 0.8  # typed without diacritics
_FAR, _HALF_FAR, _UNSAID = 0.4, 0.45, 0.15
_FUZZY: Final = 0.25
_HINT: Final = 0.35


@dataclass(frozen=True, slots=True)
class Guess:
    """A category that a text may be about; only the order and the distance of scores mean anything."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words to look for, perhaps more after a gap; `any_next` takes one word more, whatever it is."""

    head: tuple[Token, ...]
    tail: tuple[Token, ...]
    value: str
    any_next: bool = False
    paired: bool = False
    """Put together from two lists, so that not every one of its kind was thought of."""

    @property
    def weight(self) -> float:
        return _WEIGHTS[min(len(self.head) + len(self.tail), len(_WEIGHTS) - 1)]

    @property
    def spelt(self) -> str:
        """Its words with their accents."""
        return " ".join(token.typed or token.plain for token in (*self.head, *self.tail))

    @property
    def plain(self) -> str:
        """Its words, the gap left out."""
        return " ".join(token.plain for token in (*self.head, *self.tail))


@dataclass(frozen=True, slots=True)
class Match:
    phrase: Phrase
    mask: int
    """Which tokens of the text it took, one bit each."""
    start: int
    end: int
    score: float
    quality: float = 1.0
    """How well the accents agree: 1 where all were typed as meant."""

    def inside(self, other: "Match") -> bool:
        """Whether a longer phrase, with what stands in its gap, has it all."""
        longer = other.mask.bit_count(), other.end - other.start
        return (
            other.start <= self.start
            and self.end <= other.end
            and (self.mask.bit_count(), self.end - self.start) < longer
            # as many words and none in common: neither says more than the other
            and (self.mask.bit_count() < longer[0] or bool(self.mask & other.mask))
            and self.score <= other.score
        )

    @property
    def loose(self) -> bool:
        """Two single syllables with a gap between."""
        return len(self.phrase.head) == len(self.phrase.tail) == 1

    @property
    def exact(self) -> bool:
        """Whether every accent that was typed is the one that was meant."""
        return self.quality >= _UNMARKED


def _phrases(texts: Iterable[tuple[str, str]]) -> Iterator[Phrase]:
    """Each text, once for every way through its alternatives: `đèn/bóng … tắt/chết` is four phrases."""
    for text, value in texts:
        before, gap, behind = text.partition("…")
        for head, tail in product(before.split("/"), behind.split("/")):
            yield Phrase(_words(head), _words(tail), value, bool(gap) and not tail.strip())


@lru_cache(maxsize=16_384)
def _words(text: str) -> tuple[Token, ...]:
    """Kept, and so shared: the same few words stand in thousands of phrases."""
    return tokens(text)


def as_is(word: str) -> str:
    return word


@lru_cache(maxsize=4096)
def _likeness(typed: str, meant: str) -> float:
    """How far accents that were typed agree with those that were meant; the plain letters already do."""
    if typed == meant:
        return 1.0
    if toneless(typed) != toneless(meant):
        return 0.0
    slip = typed == toneless(typed) or one_tone(typed) == one_tone(meant)
    return TONE_ONLY if slip else _OTHER_TONE


def agree(text: Token, meant: Token, respell: Callable[[str], str]) -> float:
    if not text.typed:
        return _UNMARKED
    return _likeness(respell(text.typed), respell(meant.typed or meant.plain))


class Phrases:
    """Phrases found in a text by their first word."""

    def __init__(
        self,
        texts: Iterable[tuple[str, str]],
        respell: Callable[[str], str] = as_is,
        *,
        vague: Iterable[str] = (),
        pairs: Iterable[tuple[str, str]] = (),
    ) -> None:
        """`vague` are phrases that without their accents are mostly other words."""
        self._respell = respell
        self._vague = {" ".join(token.plain for token in tokens(text)) for text in vague}
        listed = dict.fromkeys(phrase for phrase in _phrases(texts) if phrase.head)
        paired = dict.fromkeys(phrase for phrase in _phrases(pairs) if phrase.head and phrase not in listed)
        self._index((*listed, *(replace(phrase, paired=True) for phrase in paired)))

    def respelt(self, respell: Callable[[str], str]) -> "Phrases":
        """The same phrases, found where words are alike after `respell`."""
        other = Phrases((), respell)
        other._index(self.all)
        return other

    def _index(self, phrases: tuple[Phrase, ...]) -> None:
        """By their first words, and those with a gap by the first word before it and behind it."""
        self.all = phrases
        words = {token.plain for phrase in phrases for token in (*phrase.head, *phrase.tail)}
        respelt = {word: self._respell(word) for word in words}
        self._whole: dict[tuple[str, ...], list[Phrase]] = {}
        self._gapped: dict[str, dict[str, list[Phrase]]] = {}
        for phrase in self.all:
            first = tuple([respelt[token.plain] for token in phrase.head[:2]])
            if phrase.tail:
                behind = self._gapped.setdefault(first[0], {})
                behind.setdefault(respelt[phrase.tail[0].plain], []).append(phrase)
            else:
                self._whole.setdefault(first, []).append(phrase)
        self._reach = max((len(phrase.head) for phrase in self.all), default=0) + WIDE_GAP + 1

    def find(self, said: Sequence[Token]) -> list[Match]:
        """Every phrase wherever it stands, also inside longer ones."""
        spelt = [self._respell(token.plain) for token in said]
        found = []
        for at in range(len(spelt)):
            for phrase in self._beginning(spelt, at):
                if match := self._at(phrase, said, spelt, at):
                    found.append(match)
        return found

    def _beginning(self, spelt: list[str], at: int) -> Iterator[Phrase]:
        """Phrases that may begin at a word, by the words that stand there and behind."""
        yield from self._whole.get((spelt[at],), ())
        yield from self._whole.get(tuple(spelt[at : at + 2]), ()) if at + 1 < len(spelt) else ()
        behind = self._gapped.get(spelt[at])
        if behind:
            for word in dict.fromkeys(spelt[at + 1 : at + self._reach]):
                yield from behind.get(word, ())

    def _run(self, meant: tuple[Token, ...], said: Sequence[Token], spelt: list[str], at: int) -> float:
        """How well some words stand at a place: 0 when they do not."""
        if at + len(meant) > len(said) or said[at].clause != said[at + len(meant) - 1].clause:
            return 0.0
        worst = 1.0
        for offset, token in enumerate(meant):
            if spelt[at + offset] != self._respell(token.plain):
                return 0.0
            worst = min(worst, agree(said[at + offset], token, self._respell))
        return worst

    @staticmethod
    def _likely(phrase: Phrase, quality: float, gap: int) -> float:
        """A single syllable apart from the rest, and not typed with its accents, may be anything."""
        parts = len(phrase.head), len(phrase.tail)
        if quality == 1.0 or min(parts) > 1 or not (phrase.paired or gap > 1):
            return 1.0
        return _FAR if max(parts) == 1 else _HALF_FAR if phrase.paired else 1.0

    def _unsaid(self, part: tuple[Token, ...], there: Token) -> bool:
        """A lone syllable that without its accents is mostly another word: `cho` is hardly `chó`."""
        return len(part) == 1 and not there.typed and part[0].plain in self._vague and bool(part[0].typed)

    def _at(self, phrase: Phrase, said: Sequence[Token], spelt: list[str], at: int) -> Match | None:
        end = at + len(phrase.head)
        if not (quality := self._run(phrase.head, said, spelt, at)):
            return None
        mask, likely = (1 << end) - (1 << at), 1.0
        if phrase.any_next:
            if end >= len(said) or said[end].clause != said[at].clause:
                return None
            end += 1
            mask = (1 << end) - (1 << at)
        elif phrase.tail:
            gap = WIDE_GAP if len(phrase.head) + len(phrase.tail) > 2 else GAP
            for start in range(end, min(end + gap, len(said)) + 1):
                tail = self._run(phrase.tail, said, spelt, start)
                stops = said[start].clause - said[end - 1].clause if tail else 0
                if tail and stops <= (min(quality, tail) == 1.0):
                    end = start + len(phrase.tail)
                    mask |= (1 << end) - (1 << start)
                    quality = min(quality, tail)
                    likely = self._likely(phrase, quality, start - at - len(phrase.head))
                    unsaid = self._unsaid(phrase.head, said[at]) or self._unsaid(phrase.tail, said[start])
                    # another tone on a lone syllable is another word
                    slip = quality < _UNMARKED and 1 in (len(phrase.head), len(phrase.tail))
                    if phrase.paired and (unsaid or slip):
                        likely = _UNSAID
                    break
            else:
                return None
        if quality == _UNMARKED and phrase.plain in self._vague:
            likely = _FAR
        return Match(phrase, mask, at, end, phrase.weight * quality * likely, quality)


def longest(matches: Iterable[Match]) -> list[Match]:
    """Without what stands inside something longer: in `đốt rác` nobody says `rác`."""
    kept: list[Match] = []
    for match in sorted(matches, key=lambda match: (match.start - match.end, -match.mask.bit_count())):
        if not any(match.inside(other) for other in kept):
            kept.append(match)
    return kept


def ranked(matches: Iterable[Match], factor: float = 1.0) -> tuple[Guess, ...]:
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


def with_hints(guesses: Sequence[Guess], hints: Iterable[Match]) -> tuple[Guess, ...]:
    """The guesses, and what is only hinted at: one hint, or two, is asked about and never sure."""
    scores = {guess.id: guess.score for guess in guesses}
    for value in {(hint.phrase.value, hint.mask) for hint in hints}:
        scores[value[0]] = scores.get(value[0], 0.0) + _HINT
    return tuple(
        Guess(id, round(score, 3))
        for id, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    )


class NearMisses:
    """Phrases that a short text nearly says, for a question; never enough to be sure."""

    _LETTERS: Final = 8

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self._by_length: dict[int, dict[str, Phrase]] = {}
        for phrase in phrases:
            plain = phrase.plain
            if not phrase.tail and len(phrase.head) > 1 and len(plain) >= self._LETTERS:
                self._by_length.setdefault(len(phrase.head), {})[plain] = phrase

    def guesses(self, said: Sequence[Token]) -> tuple[Guess, ...]:
        if len(said) > 30:
            return ()
        return ranked(self._matches(said), _FUZZY)

    def _matches(self, said: Sequence[Token]) -> Iterator[Match]:
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
                    yield Match(phrase, (1 << end) - (1 << start), start, end, weight)


def _word_by_word(one: str, other: str) -> bool:
    pairs = zip(one.split(), other.split(), strict=True)
    return all(fuzz.ratio(a, b) >= _NEAR_WORD for a, b in pairs)
