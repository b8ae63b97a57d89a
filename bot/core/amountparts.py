"""A few words about how many, taken apart: numbers, units, and everything else."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from bot.core.amountwords import (
    AFTER,
    ALL_OF,
    BEFORE_COUNT,
    BEFORE_DATE,
    CLOCK,
    FILL,
    HARD,
    HOUSEHOLDS,
    JOINED,
    KG,
    KNOWN,
    LONGEST,
    MEANT,
    MOST,
    NAMED,
    OF,
    ONLY_MARKED,
    PEOPLE,
    ROUGHLY,
    SCALES,
    TREES,
    VAGUE,
)
from bot.core.text import accented, fold, number, phone_spans

_LEX: Final = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|\n|[^\w\s]|_")
_SIGNS: Final = {"½": ["nua"]}


@dataclass(slots=True)
class _Word:
    plain: str  # folded
    key: str  # folded, unless its marks say that it is another word
    typed: str
    start: int
    end: int
    digits: bool = False
    used: bool = False
    silent: bool = False  # in a telephone number


@dataclass(slots=True)
class Part:
    """A number, a unit, or one other word; `at` and `to` count words."""

    what: str
    at: int
    to: int
    value: Fraction | None = None  # a number that counts
    of: Fraction | None = None
    dim: str = ""
    factor: int = 1
    named: bool = False  # the number of a place
    dated: bool = False  # a day, a month or a year


def _lex(text: str) -> list[_Word]:
    words: list[_Word] = []
    phones = list(phone_spans(text))[::-1]
    for match in _LEX.finditer(text):
        raw, (start, end) = match[0], match.span()
        while phones and phones[-1][1] <= start:
            phones.pop()
        silent = bool(phones) and phones[-1][0] <= start
        if raw[0].isdecimal():
            words.append(_Word(raw, raw, raw, start, end, digits=True, silent=silent))
        elif not raw[0].isalnum():
            words.append(_Word(raw, raw, raw, start, end))
        else:
            typed, folded = accented(raw), _SIGNS.get(raw) or fold(raw).split()
            for plain in folded or [raw]:
                marked = len(folded) == 1 and typed.isalpha() and not typed.isascii()
                meant = not marked or typed in MEANT.get(plain, (typed,))
                words.append(_Word(plain, plain if meant else typed, typed, start, end))
    return words


_FIGURES: Final = re.compile(r"(\d{1,3}(?:\.\d{3})+|\d+)(?:,(\d+))?|(\d+)\.(\d+)")
_MOST_FIGURES: Final = 16


def _figures(raw: str, counted: bool) -> Fraction | None:
    """Figures as they are written here: a dot before three of them parts thousands, a comma a fraction.

    What is counted has no fraction, so there even a comma before three figures parts thousands."""
    if len(raw) > _MOST_FIGURES or (len(raw) > 1 and raw[0] == "0" and raw[1] not in ",."):
        return None
    if counted and re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+", raw):
        raw = raw.replace(",", "")
    found = _FIGURES.fullmatch(raw)
    if found is None:
        return None
    whole, part = (found[1].replace(".", ""), found[2]) if found[1] else (found[3], found[4])
    return int(whole + (part or "")) / Fraction(10 ** len(part or ""))


class Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.words = _lex(text)
        self.keys = [word.key for word in self.words] + [""] * 4
        self.units: dict[int, tuple[int, str, int]] = {}
        # What may be part of a number; `tầm` is not eight.
        self.spoken = ["" if word.typed == "tầm" else word.key for word in self.words] + [""] * 4
        self._find_units()
        self.parts = self._mark(list(self._split()))

    # units

    def _find_units(self) -> None:
        at = 0
        while at < len(self.words):
            took = self._unit_at(at)
            for covered in range(at, at + took if took > 1 else at):
                self.spoken[covered] = ""
            at += took or 1

    def _unit_at(self, at: int) -> int:
        plains = [word.plain for word in self.words[at : at + LONGEST]]
        if self.words[at].typed in ONLY_MARKED:
            self.units[at] = at + 1, PEOPLE, 1
        for size in range(len(plains), 0, -1):
            # Many words are plain enough; one word must be that very word.
            name = tuple(plains[:size]) if size > 1 else (self.keys[at],)
            if (known := KNOWN.get(name)) is not None:
                self.units[at] = at + size, *known
                return size
        return 0

    # numbers

    def _coefficient(self, at: int) -> tuple[Fraction, int] | None:
        if at < len(self.words) and self.words[at].digits:
            word = self.words[at]
            value = None if word.silent else _figures(word.plain, counted=self._counted(at + 1))
            return None if value is None else (value, 1)
        keys = self.spoken
        first, second = keys[at], keys[at + 1]
        if first == "khong" and second != "tram":
            return None
        if first == "tu" and second != "muoi":
            return None
        found = None if first.isdecimal() else number(keys, at)
        if found is None:
            return None
        figure, took = found
        if took == 1 and 1 < figure < 10 and (second in ("lam", "tu", "nham") or self._is_one_more(at + 1)):
            return Fraction(figure * 10 + {"lam": 5, "nham": 5, "tu": 4}.get(second, 1)), 2
        return Fraction(figure), took

    def _is_one_more(self, at: int) -> bool:
        return at < len(self.words) and self.words[at].typed == "mốt"

    def _counted(self, at: int) -> bool:
        """What follows is not a weight in tonnes or the like, of which there are fractions."""
        _, dim, factor = self.units.get(at, (at, "", 1))
        return dim != "" and (dim != KG or factor == 1)

    def _number(self, at: int) -> tuple[Fraction | None, int] | None:
        """The number at a word, and the word behind it; its value is None when it is too vague."""
        first = self._coefficient(at)
        if first is None:
            if not self._lone_scale(at):
                return None
            first = Fraction(1), 0
        value, to = self._scaled(at, *first)
        if not self.words[at].digits and self._spoken_unit(to):  # five, six: who knows
            while to < len(self.words) and (self._spoken_unit(to) or self.spoken[to] in SCALES):
                to += 1
            return None, to
        if self.keys[to] == "ruoi" and to == at + first[1]:
            return value + Fraction(1, 2), to + 1
        return value, to

    def _spoken_unit(self, at: int) -> bool:
        if at >= len(self.words) or self.words[at].digits:
            return False
        return self._coefficient(at) is not None

    def _lone_scale(self, at: int) -> bool:
        """`chục cây`; bare `chuc` is as often a wish, so something must lead to it."""
        if self.spoken[at] not in SCALES:
            return False
        word = self.words[at]
        led = at > 0 and self.keys[at - 1] in ROUGHLY | {"trong", "duoc", "ho", "nguoi", "so", "cay", ":"}
        return word.typed != word.plain or led or self.spoken[at + 1] in ("ruoi", "linh", "le")

    def _scaled(self, at: int, value: Fraction, took: int) -> tuple[Fraction, int]:
        """Hundreds, thousands and what is left off behind them: `trăm hai` is 120, `nghìn rưỡi` 1500."""
        figures = self.words[at].digits
        total = group = Fraction(0)
        to, top, small = at + took, MOST, 1000
        while (scale := SCALES.get(self.spoken[to])) is not None:
            if scale >= 1000:
                if scale >= top:
                    break
                total, group, top, small = total + (group + value) * scale, Fraction(0), scale, 1000
            elif scale < small:
                group, small = group + value * scale, scale
            else:
                break
            value, to = Fraction(0), to + 1
            match self.spoken[to]:
                case "ruoi":
                    value, to = Fraction(scale, 2), to + 1
                    break
                case "linh" | "le":
                    unit = self._coefficient(to + 1)
                    if unit and unit[0] < 10:
                        value, to = unit[0], to + 1 + unit[1]
                    break
            behind = self._coefficient(to)
            if behind is None or (self.words[to].digits and not figures) or behind[0] >= scale:
                continue
            further = SCALES.get(self.spoken[to + behind[1]])
            if further is not None and scale <= further < max(scale * 10, 1000):
                break  # `hai trăm ba trăm`
            value, to = behind[0], to + behind[1]
            if further is None:
                value *= Fraction(scale, 10) if value < 10 and behind[1] == 1 and scale > 10 else 1
                break
        return total + group + value, to

    # parts

    def _split(self) -> Iterator[Part]:
        at = 0
        while at < len(self.words):
            unit = self.units.get(at)
            found = None if unit and unit[0] > at + 1 else self._number(at)
            if found is None and self.words[at].digits:
                found = None, at + 1
            if found is not None and found[1] > at:
                value, to = self._parted_by_space(at, *found)
                part = Part("number", at, to, value)
            elif unit is not None and unit[1]:
                to = unit[0]
                part = Part("unit", at, to, dim=unit[1], factor=unit[2])
            else:
                to = unit[0] if unit else at + 1
                part = Part("word", at, to)
            yield part
            at = to

    def _parted_by_space(self, at: int, value: Fraction | None, to: int) -> tuple[Fraction | None, int]:
        """`1 200 kg`."""
        pair = self.words[at : at + 2]
        if to == at + 1 and len(pair) == 2 and all(word.digits and word.plain.isdecimal() for word in pair):
            one, two = pair
            close = len(one.plain) <= 3 and len(two.plain) == 3 and two.start == one.end + 1
            named = at > 0 and self.keys[at - 1] in NAMED
            if close and not named and value and self.units.get(at + 2, (0, "", 0))[1:] == (KG, 1):
                return value * 1000 + int(two.plain), at + 2
        return value, to

    def key(self, at: int) -> str:
        return self.keys[at] if 0 <= at < len(self.words) else ""

    def ends(self, at: int) -> bool:
        """Nothing that is counted stands here."""
        word = self.key(at)
        return word == "" or word in HARD | JOINED | AFTER or not word[0].isalnum()

    def _touches(self, at: int) -> bool:
        """No space before this word."""
        return 0 < at < len(self.words) and self.words[at - 1].end == self.words[at].start

    def _mark(self, parts: list[Part]) -> list[Part]:
        """Takes the value from numbers that are dates, hours, places, ranges or less than nothing."""
        for place, part in enumerate(parts):
            if part.what == "number":
                self._name(part)
                part.dated = self._is_day(parts, place)
                if part.dated or self._is_other(parts, place):
                    part.value = None
        out: list[Part] = []
        place = 0
        while place < len(parts):
            part, took = self._fraction(parts, place)
            out.append(part)
            place += took
        return self._join_units(out)

    def _name(self, part: Part) -> None:
        before, value = self.key(part.at - 1), part.value
        if before not in NAMED or value is None or self.key(part.at - 2) in ALL_OF:
            return
        most = 12 if before == "lop" else 40
        if value <= most and self.key(part.at - 2) not in ("hai", "ba", "bon"):
            part.value, part.named = None, True

    def _is_other(self, parts: Sequence[Part], place: int) -> bool:
        part = parts[place]
        at, to, value = part.at, part.to, part.value
        if value is None:
            return True
        if self.key(at - 1) in VAGUE or self.key(to) in ("%", "‰", "°"):
            return True
        return self._is_hour(at, to) or self._is_range(parts, place) or self._is_code(at)

    def _is_day(self, parts: Sequence[Part], place: int) -> bool:
        """`ngày 5`, `tháng 6`, `năm 2026`, `thứ 7`, 5/6/2026; also `đợt 2`, `lần 3`, a telephone number."""
        at, value = parts[place].at, parts[place].value
        if value is None:
            return self.words[at].silent
        before = self.key(at - 1)
        if before in BEFORE_COUNT and value <= 31:
            return before != "ngay" or self.key(at - 2) != "trong"
        if (before == "nam" and 1990 <= value <= 2100) or (at and self.words[at - 1].typed == "thứ"):
            return True

        def slashed(*steps: int) -> bool:
            return all(
                0 <= place + 2 * step < len(parts)
                and parts[place + 2 * step].what == "number"
                and self.key(parts[place + 2 * step - (1 if step > 0 else -1)].at) == "/"
                for step in steps
            )

        return slashed(-1, 1) or slashed(1, 2) or slashed(-1, -2)

    def _is_hour(self, at: int, to: int) -> bool:
        before, after = self.key(at - 1), self.key(to)
        if after in CLOCK or (after == ":" and self._is_minutes(to + 1)):
            return True
        return (before == ":" and self._is_minutes(at)) or (
            before in ("h", "g", "gio") and at > 1 and self.words[at - 2].digits and self._touches(at)
        )

    def _is_minutes(self, at: int) -> bool:
        digits = at < len(self.words) and self.words[at].digits and len(self.words[at].plain) == 2
        return digits and self._touches(at) and self._touches(at - 1) and self.words[at - 2].digits

    def _is_range(self, parts: Sequence[Part], place: int) -> bool:
        """`5-6 người`, `-5`, `40+5`, `từ 5 đến 6`."""

        def numeral(other: int) -> bool:
            return 0 <= other < len(parts) and parts[other].what == "number" and not parts[other].named

        def sign(other: int) -> str:
            return self.key(parts[other].at) if 0 <= other < len(parts) else ""

        before, after = sign(place - 1), sign(place + 1)
        ties = {"-", "–", "—", "+", "x", "*", "den", "toi"}
        if (after in ties and numeral(place + 2)) or (before in ties and numeral(place - 2)):
            return True
        at = parts[place].at
        return before in ("-", "–", "−") and self._touches(at) and not self.word_touches(at - 1)

    def word_touches(self, at: int) -> bool:
        return self._touches(at) and self.words[at - 1].typed[-1:].isalnum()

    def _is_code(self, at: int) -> bool:
        """`QL1`, `A4`: figures stuck to letters that are nothing known here."""
        if not (self.words[at].digits and self.word_touches(at)):
            return False
        return at - 1 not in self.units and self.key(at - 1) not in FILL

    # fractions

    def _fraction(self, parts: Sequence[Part], place: int) -> tuple[Part, int]:
        """`120/150`, `120 hộ trên tổng số 150 hộ`, `80% của 150 hộ`; else the part as it is."""
        part = parts[place]
        if part.what != "number":
            return part, 1
        percent = self.key(part.to) == "%" and not part.named
        at, unit = place + 1 + percent, None
        if not percent and part.value is None:
            return part, 1
        if at < len(parts) and parts[at].what == "unit":
            unit, at = parts[at], at + 1
        if at < len(parts) and self.key(parts[at].at) == "(":
            at += 1
        size = self._of_size(parts, at)
        other = parts[at + size] if size and at + size < len(parts) else None
        if other is None or other.what != "number" or other.value is None:
            return part, 1
        behind = self.units.get(other.to)
        dim = behind[1] if behind else ""
        bare = size == 1 and self.key(parts[at].at) in ("trong", "cua")
        if percent:
            return self._share(part, other, dim, at + size + 1 - place)
        if (unit and behind and unit.dim != dim) or (unit and unit.dim == KG) or (bare and dim != HOUSEHOLDS):
            return part, 1
        return self._pair(part, other, unit, dim, at + size + 1 - place)

    def _pair(self, part: Part, other: Part, unit: Part | None, dim: str, took: int) -> tuple[Part, int]:
        value, of, before = part.value, other.value, self.key(part.at - 1)
        if value is None or of is None:
            return part, 1
        date = value <= 31 and of <= 12 and self.key(part.to) == "/"
        if date and (before in BEFORE_DATE or dim in (PEOPLE, TREES)):
            return Part("number", part.at, other.to, dated=True), took
        if value > of:
            return (part, 1) if unit else (Part("number", part.at, other.to), took)
        if unit and not dim and not self.ends(other.to):  # `45 em trên 2 xe`
            return part, 1
        joined = Part("number", part.at, other.to, value, of, dim=dim or (unit.dim if unit else ""))
        if unit and dim:  # the second unit says what the first did
            return joined, took
        if unit:
            joined.what = "done"
        return joined, took

    def _share(self, part: Part, other: Part, dim: str, took: int) -> tuple[Part, int]:
        percent = _figures(self.words[part.at].plain, counted=False) if self.words[part.at].digits else None
        if dim != HOUSEHOLDS or percent is None or percent > 100 or other.value is None:
            return part, 1
        value = Fraction(int(percent * other.value / 100 + Fraction(1, 2)))
        return Part("number", part.at, other.to, value, other.value, dim=dim), took

    def _of_size(self, parts: Sequence[Part], at: int) -> int:
        for names in OF:
            some = parts[at : at + len(names)]
            if tuple(self.key(part.at) for part in some) == names:
                planting = len(names) == 1 and self.words[some[0].at].typed == "trồng"
                return 0 if planting else len(names)
        return 0

    def _join_units(self, parts: list[Part]) -> list[Part]:
        """`em học sinh` is one unit; one behind a vague number is none, nor is `mỗi hộ 2 người`."""
        out: list[Part] = []
        each = False
        for part in parts:
            last = out[-1] if out else None
            if part.what == "unit" and last is not None:
                if last.what == "unit" and last.dim == part.dim != KG:
                    last.to = part.to
                    continue
                dead = last.what == "number" and last.value is None and not (last.named or last.dated)
                if dead or (each and part.dim != KG) or self.key(part.at - 1) == "moi":
                    each = self.key(part.at - 1) == "moi"
                    part.what = "word"
                    if each and len(out) > 1 and out[-2].what == "unit":  # `2 người mỗi hộ`
                        self._kill(out[-3:-1])
            elif part.what == "number" and each:
                part.value = None
            elif part.what == "word" and self.key(part.at) in HARD | JOINED:
                each = False
            self._rate(out, part)
            out.append(part)
        return out

    def _rate(self, out: list[Part], part: Part) -> None:
        """`2 cây/hộ`."""
        if part.what == "unit" and len(out) > 2 and self.key(out[-1].at) == "/" and out[-2].what == "unit":
            self._kill(out[-3:-1])
            part.what = "word"

    @staticmethod
    def _kill(parts: Sequence[Part]) -> None:
        for part in parts:
            part.value, part.what = None, "word"
