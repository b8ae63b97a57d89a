"""How many an activity came to, read from a few words: "hai muoi cay", "120/150 ho", "1,5 km"."""

import re
from dataclasses import dataclass
from typing import Final

from bot.core.amounts import amounts_in
from bot.core.amountwords import HOUSEHOLDS, PEOPLE, TREES
from bot.core.text import compose, fold, number, phone_spans

MOST: Final = 1_000_000.0
# What bot.core.amounts counts, by the folded word of a measure.
_COUNTED: Final = {"cay": TREES, "ho": HOUSEHOLDS, "nguoi": PEOPLE}
_FIGURE: Final = r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:[.,]\d+)?"
_SHARE: Final = re.compile(
    rf"({_FIGURE})[^\d,;]{{0,12}}?(?:/|\btr\wn\b|\btrong\b)[^\d,;]{{0,12}}?({_FIGURE})"
)
_ONE: Final = re.compile(rf"(?<![\d/.,-])(?:{_FIGURE})(?![\d/])")
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Quantity:
    """So many, of so many in all if that was said, in a measure of the activity."""

    number: float
    of: float | None = None
    measure: str = ""


def quantity_in(text: str, measures: tuple[str, ...], *, share: bool) -> tuple[Quantity | None, str]:
    """What a text says, and what it says besides; None when there is no number, or none that can be."""
    text = compose(text[:_LONGEST]).strip()
    kept = _COUNTED.get(fold(measures[0])) if len(measures) == 1 else None
    found = _counted(text, measures[0], kept) if kept is not None else None
    quantity, rest = found or _measured(text, measures)
    return (quantity if quantity is not None and _can_be(quantity, share=share) else None), rest


def _can_be(quantity: Quantity, *, share: bool) -> bool:
    of = quantity.of
    if not 0 < quantity.number <= MOST:
        # Nobody of so many is an answer, too; nothing at all is none.
        return share and quantity.number == 0 and of is not None
    return of is None or quantity.number <= of <= MOST


def _counted(text: str, measure: str, kept: str) -> tuple[Quantity, str] | None:
    """As people tell of clean-ups: households, people, trees; a bare number is of what was asked for."""
    said, rest = amounts_in(text, kept)
    if getattr(said, kept) is None and len(text.split()) <= 3:
        said, rest = amounts_in(f"{text} {measure}", kept)
    value: int | None = getattr(said, kept)
    if value is None:
        return None
    of = said.of_households if kept == HOUSEHOLDS else None
    return Quantity(float(value), None if of is None else float(of), measure), rest


def _measured(text: str, measures: tuple[str, ...]) -> tuple[Quantity | None, str]:
    """A number, or two of which the first is a part; figures first, then a number in words."""
    plain = _without_phones(text)
    if found := _SHARE.search(plain):
        measure = _measure_in(plain, measures)
        return Quantity(_value(found[1]), _value(found[2]), measure), _rest(text, found.span(), measure)
    if one := _ONE.search(plain):
        measure = _measure_in(plain, measures)
        return Quantity(_value(one[0]), None, measure), _rest(text, one.span(), measure)
    words = fold(text).split()
    for at in range(len(words)):
        if (spoken := number(words, at)) is not None and (at == 0 or len(words) <= 4):
            behind = words[at + spoken[1] :]
            measure = _measure_in(" ".join(behind), measures)
            rest = behind[1:] if behind[:1] == [fold(measure)] else behind
            return Quantity(float(spoken[0]), None, measure), " ".join((*words[:at], *rest))
    return None, text


def _without_phones(text: str) -> str:
    """With blanks where telephone numbers stand: nobody plants so many trees."""
    for start, end in phone_spans(text):
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _value(figure: str) -> float:
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?", figure):
        figure = figure.replace(".", "")
    return float(figure.replace(",", "."))


def _measure_in(text: str, measures: tuple[str, ...]) -> str:
    """The measure that is named; the usual one when none is."""
    plain = f" {fold(text)} "
    return next((one for one in measures if re.search(rf"[ \d]{fold(one)} ", plain)), measures[0])


def _rest(text: str, span: tuple[int, int], measure: str) -> str:
    """What is left around a number, its measure left out."""
    before, after = text[: span[0]].strip(" ,.;:-"), text[span[1] :].strip()
    words = after.split()
    if words and fold(words[0]) == fold(measure):
        after = " ".join(words[1:])
    return " ".join(part for part in (before, after.strip(" ,.;:-")) if part)
