"""A second opinion on what a message is about: every word of it weighed, not the phrases alone."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import log, log1p
from typing import Final

from bot.core.commune import Category
from bot.core.phrases import ENOUGH, Guess
from bot.core.text import Token, tokens

AHEAD: Final = 2.2
"""How many times the second guess the first must score to be sure."""
FEW_WORDS: Final = 3.0
"""A guess that scores no more rests on two words or three: the rest of the message has a say."""
_AGAINST: Final = -3.2
"""So much less do all words together speak for the first guess than for another that it is asked."""
_FOR: Final = 6.5
"""So much more, and a narrow lead is enough."""
_NARROW: Final = 1.1
_KNOWN: Final = 10.0
_UNKNOWN: Final = 0.5


class Evidence:
    """How far each word, and each two words together, speak for a category, by the commune's own words."""

    def __init__(self, categories: Iterable[Category]) -> None:
        kinds = [(category.id, _parts(category)) for category in categories if category.words]
        self._ids = tuple(id for id, _ in kinds)
        self._weights = _weights([parts for _, parts in kinds])

    def of(self, said: Sequence[Token]) -> Mapping[str, float]:
        """For each category the sum of what the words say; only differences mean anything."""
        known = (self._weights[word] for word in dict.fromkeys(_heard(said)) if word in self._weights)
        sums = [sum(column) for column in zip(*known, strict=True)]
        return dict(zip(self._ids, sums or [0.0] * len(self._ids), strict=True))


def weighed(guesses: tuple[Guess, ...], speaks_for: Mapping[str, float]) -> tuple[Guess, ...]:
    """The guesses, brought nearer together or farther apart by what the whole message speaks for."""
    if not guesses or guesses[0].score < ENOUGH or guesses[0].id not in speaks_for:
        return guesses
    first = guesses[0]
    rival = max((id for id in speaks_for if id != first.id), key=lambda id: speaks_for[id])
    margin = speaks_for[first.id] - speaks_for[rival]
    if margin < _AGAINST and first.score <= FEW_WORDS:
        return _doubted(guesses, rival)
    if margin > _FOR and len(guesses) > 1 and first.score > _NARROW * guesses[1].score:
        return (first, *(replace(one, score=one.score * _NARROW / AHEAD) for one in guesses[1:]))
    return guesses


def _doubted(guesses: tuple[Guess, ...], rival: str) -> tuple[Guess, ...]:
    """The rival second, too near the first to be sure."""
    first, *others = guesses
    near = max(first.score / _NARROW, *(one.score for one in others if one.id == rival), 0.0)
    rest = (one for one in others if one.id != rival)
    return (first, Guess(rival, near), *(replace(one, score=min(one.score, near)) for one in rest))


_Word = tuple[str, ...]


def _parts(category: Category) -> tuple[tuple[Token, ...], ...]:
    """Every piece of its phrases, once however many phrases it is in."""
    texts = (*category.words, *category.hints, *category.pairs)
    pieces = (piece.strip() for text in texts for side in text.split("…") for piece in side.split("/"))
    return tuple(tokens(piece) for piece in dict.fromkeys(pieces) if piece)


def _heard(said: Sequence[Token]) -> Iterator[_Word]:
    """The words as they were typed, with their accents where they have them, and two at a time without."""
    yield from (("typed", token.typed) if token.typed else ("plain", token.plain) for token in said)
    yield from (("two", one.plain, other.plain) for one, other in pairwise(said))


def _spelt(part: Sequence[Token]) -> Iterator[_Word]:
    for token in part:
        yield "typed", token.typed or token.plain
        yield "plain", token.plain
    yield from (("two", one.plain, other.plain) for one, other in pairwise(part))


def _weights(kinds: Sequence[Sequence[Sequence[Token]]]) -> Mapping[_Word, "array[float]"]:
    """What a word has to say for each kind: nothing when all kinds have it alike."""
    counts: dict[_Word, list[int]] = {}
    for at, parts in enumerate(kinds):
        for part in parts:
            for word in dict.fromkeys(_spelt(part)):
                counts.setdefault(word, [0] * len(kinds))[at] += 1
    sizes = [log1p(len(parts)) for parts in kinds]
    return {word: _weight(count, sizes) for word, count in counts.items()}


def _weight(count: Sequence[int], sizes: Sequence[float]) -> "array[float]":
    """As bare numbers: there are thousands of words."""
    likely = [
        _KNOWN * log1p(times) / size + _UNKNOWN if size else _UNKNOWN
        for times, size in zip(count, sizes, strict=True)
    ]
    mean = sum(likely) / len(likely)
    return array("d", [log(one / mean) for one in likely])
