"""Bench `understand`: how many utterances are understood, and how long one message takes."""

import statistics
import time
from dataclasses import replace
from pathlib import Path

from bench.result import Row, percentile
from bot.core.commune import Commune
from bot.core.words import Lexicon
from tests.understanding import COMMUNE, RIGHT, Score, Utterance, read, score

GOOD = {"work": 97.8, "more": 98.0, "voices": 96.0, "blind": 85.0, "held": 87.0}
WRONG = {"work": 0, "more": 0, "voices": 0, "blind": 2, "held": 9}
MEDIAN_MS, ALIASES = 1.0, 200
SYLLABLES = (
    "an",
    "bình",
    "cầu",
    "đông",
    "giang",
    "hoà",
    "khê",
    "lộc",
    "mỹ",
    "nội",
    "phú",
    "quang",
    "sen",
    "thịnh",
)


def with_aliases(commune: Commune, count: int = ALIASES) -> Commune:
    """The commune with so many more names for its villages, as after several mergers."""
    villages = commune.villages
    names: dict[str, list[str]] = {unit.id: list(unit.aliases) for unit in villages}
    for at in range(count):
        first, second = SYLLABLES[at % len(SYLLABLES)], SYLLABLES[at // len(SYLLABLES) % len(SYLLABLES)]
        names[villages[at % len(villages)].id].append(f"xóm {first} {second}")
    units = {
        id: replace(unit, aliases=tuple(names[id])) if id in names else unit
        for id, unit in commune.units.items()
    }
    return replace(commune, units=units)


async def run(folder: Path, *, quick: bool) -> list[Row]:
    rows = [_understood(half, score(read(half))) for half in GOOD]
    spoken = read("work")
    return [*rows, _time(Lexicon(with_aliases(COMMUNE)), spoken[::4] if quick else spoken)]


def _understood(half: str, reached: Score) -> Row:
    return Row(
        f"understand: {half} half, {reached.all} utterances",
        f"{reached.good:.1f} % {RIGHT} or asked ({100 * reached.right / reached.all:.0f} % {RIGHT}), "
        f"{reached.wrong} guessed wrongly",
        "",
        f"≥ {GOOD[half]:.0f} %, ≤ {WRONG[half]}",
        reached.good >= GOOD[half] and reached.wrong <= WRONG[half],
    )


def _time(lexicon: Lexicon, spoken: tuple[Utterance, ...]) -> Row:
    times: list[float] = []
    for one in spoken:
        # A message nobody has sent before: nothing of it is remembered.
        text = f"{one.text} {len(times)}"
        began = time.perf_counter()
        lexicon.sure(lexicon.categories(text))
        lexicon.place(text)
        lexicon.meanings(text)
        times.append((time.perf_counter() - began) * 1000)
    median = statistics.median(times)
    return Row(
        f"understand: one message, {ALIASES} aliases",
        f"p50 {median:.2f}, p99 {percentile(times, 0.99):.2f} ms",
        "",
        f"p50 ≤ {MEDIAN_MS:.0f} ms",
        median <= MEDIAN_MS,
    )
