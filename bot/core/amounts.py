"""What a clean-up day came to, read from a few words: households, people, kilos and trees."""

from dataclasses import dataclass, fields
from fractions import Fraction

from bot.core.amountparts import Part, Reader
from bot.core.amountwords import (
    BETWEEN,
    BRIEF_LINK,
    CORRECTED,
    FELLED,
    FILL,
    HARD,
    HOUSEHOLDS,
    JOINED,
    KG,
    LINK,
    LOST,
    MOST,
    NO_LABEL,
    PEOPLE,
    ROUGHLY,
    SOFT,
    TOOK_PART,
    TREES,
)
from bot.core.text import compose


@dataclass(frozen=True, slots=True)
class Amounts:
    """What somebody said; None where nothing was."""

    households: int | None = None
    of_households: int | None = None
    people: int | None = None
    kg: int | None = None
    trees: int | None = None

    @property
    def empty(self) -> bool:
        return self == Amounts()

    def merged(self, other: "Amounts") -> "Amounts":
        """Both, the other one being newer. More households than there are in all: the older number goes."""
        values = {
            field.name: old if (new := getattr(other, field.name)) is None else new
            for field in fields(self)
            for old in (getattr(self, field.name),)
        }
        took, of = values["households"], values["of_households"]
        if took is not None and of is not None and took > of:
            values["households" if other.households is None else "of_households"] = None
        return Amounts(**values)


@dataclass(slots=True)
class _Found:
    dim: str
    value: int
    of: int | None
    at: int
    to: int
    total: bool = False
    label: bool = False


class _Understanding:
    def __init__(self, reader: Reader, whole: str) -> None:
        self.reader, self.whole = reader, whole
        self.found: list[_Found] = []
        self._weights()
        self._zeros()
        self._counts()
        self._bare()
        self.found.sort(key=lambda one: one.at)

    def _add(self, dim: str, part: Part, at: int, to: int, label: bool = False) -> None:
        value, of = part.value, part.of
        part.what = "done"
        if value is None or value > MOST or (of or 0) > MOST:
            return
        if dim == KG:
            self.found.append(_Found(KG, int(value + Fraction(1, 2)), None, at, to, self._is_total(at)))
        elif value.denominator == 1 and (of is None or of.denominator == 1):
            if dim != HOUSEHOLDS or of is None:
                total = self._is_total(at) and (dim != PEOPLE or "nguoi" in self.reader.keys[at:to])
                self.found.append(_Found(dim, int(value), None, at, to, total, label))
            else:
                self.found.append(_Found(dim, int(value), int(of), at, to))

    def _is_total(self, at: int) -> bool:
        key = self.reader.key
        for step in (1, 2, 3):
            if key(at - step) in HARD:
                return False
            if key(at - step) == "tong":
                return key(at - step + 1) != "ve"
        return False

    # weights

    def _weights(self) -> None:
        parts, key = self.reader.parts, self.reader.key
        for place, unit in enumerate(parts):
            if unit.what != "unit" or unit.dim != KG:
                continue
            before = parts[place - 1] if place else None
            half = key(unit.to) == "ruoi"
            nua = key(unit.at - 1) == "nua"
            if before and before.what == "number" and before.value is not None and (before.of or 1) <= 4:
                value, at = before.value / (before.of or 1), before.at
            elif nua or (half and unit.factor > 1):
                value, at = (Fraction(1, 2) if nua else Fraction(1)), unit.at - nua
                if nua and key(at - 1) == "mot" and place > 1 and parts[place - 2].what == "number":
                    at, parts[place - 2].what = at - 1, "done"
            else:
                unit.what = "word"
                continue
            to = unit.to + half
            kilos = (value + Fraction(1, 2) * (half and not nua)) * unit.factor
            if not half and unit.factor > 1 and place + 1 < len(parts):
                more = self._left_off(parts[place + 1], unit.factor)
                if more:
                    kilos, to = kilos + more, parts[place + 1].to
                    parts[place + 1].what = "done"
            unit.what = "done"
            if before and before.what == "number":
                before.what = "done"
            self._add(KG, Part("number", at, to, kilos), at, to)

    def _left_off(self, part: Part, factor: int) -> Fraction | None:
        """`1 tấn 2` is 1200 kg, `2 tấn 500` 2500."""
        value = part.value
        end = self.reader.key(part.to)
        alone = end == "" or end in HARD | JOINED | {"rac"}
        if part.what != "number" or value is None or part.of is not None or not alone:
            return None
        if 1 <= value <= 9 and value.denominator == 1:
            return value * factor / 10
        return value if factor // 10 <= value < factor and value.denominator == 1 else None

    # none at all

    def _zeros(self) -> None:
        parts, key = self.reader.parts, self.reader.key
        for place, unit in enumerate(parts):
            if unit.what != "unit" or unit.dim == KG:
                continue
            before = place - 1
            while before >= max(0, place - 3) and key(parts[before].at) in ("co", "trong", "duoc", "them"):
                before -= 1
            denied = key(parts[before].at) if before >= 0 else ""
            to = unit.to + (key(unit.to) in ("nao", "moi"))
            if unit.dim == TREES and (took := self._says_none(unit.to)):
                self._add(TREES, Part("number", unit.at, unit.to, Fraction(0)), unit.at, unit.to + took)
                unit.what = "done"
                continue
            if denied not in ("khong", "chua") or (denied == "chua" and unit.dim != TREES):
                continue
            if unit.dim != TREES and not (key(to) == "" or key(to) in HARD | {"tham"}):
                continue
            at = parts[before].at
            if place + 1 < len(parts) and parts[place + 1].what == "number" and parts[place + 1].value:
                continue
            unit.what = "done"
            self._add(unit.dim, Part("number", at, to, Fraction(0)), at, to)

    def _says_none(self, at: int) -> int:
        """How many words say so: `cây: không`, `cây không trồng`."""
        key, begun = self.reader.key, at
        at += key(at) in (":", "=", "-", "thi")
        if key(at) != "khong" or (at == begun and key(at + 1) != "trong"):
            return 0
        at += 2 if key(at + 1) in ("trong", "co") else 1
        return at - begun if not key(at) or key(at) in HARD | JOINED else 0

    # what is counted

    def _counts(self) -> None:
        key = self.reader.key
        run: list[Part] = []
        last: Part | None = None
        for part in self.reader.parts:
            if part.what == "done" or (part.what == "word" and key(part.at) in HARD | JOINED):
                if part.what == "done" and part.of is not None and part.dim not in ("", KG):
                    self._add(part.dim, part, part.at, part.to)
                self._close(run)
                run, last = [], None
            elif part.what == "unit" or (part.what == "number" and part.value is not None):
                if last is not None and (last.what == part.what or not self._linked(last, part)):
                    self._close(run)
                    run = []
                run.append(part)
                last = part
        self._close(run)

    def _linked(self, one: Part, two: Part) -> bool:
        between = [self.reader.key(at) for at in range(one.to, two.at)]
        if len(between) > 8:
            return False
        if one.what == "number":
            return all(word in BETWEEN for word in between)
        more = {"trong"} if one.dim == TREES else set()
        return all(word in LINK or word in ROUGHLY or word in more for word in between)

    def _close(self, run: list[Part]) -> None:
        """A run of numbers and units in turn: the units follow, or they stand before, as in a form."""
        if len(run) < 2:
            return
        if run[0].what == "unit" and run[-1].what == "number" and self.reader.ends(run[-1].to):
            for label, part in zip(run[::2], run[1::2], strict=True):
                name = " ".join(word.plain for word in self.reader.words[label.at : label.to])
                if name not in NO_LABEL and not self._felled(label, part) and not self._dated(label, part):
                    self._add(label.dim, part, label.at, part.to, label=True)
            return
        first = run[0] if run[0].what == "unit" else None
        rest = run[1:] if first else run
        for part, unit in zip(rest[::2], rest[1::2], strict=False):
            if not self._lost(part, unit) and not self._felled(part, unit):
                same = first is not None and first.dim == unit.dim
                self._add(
                    unit.dim,
                    part,
                    first.at if first and same and self._is_heading(first) else part.at,
                    self._list_end(unit),
                )
            first = None

    def _is_heading(self, label: Part) -> bool:
        """`số học sinh tham gia: 45 em`, but not the name in `Hội Phụ nữ: 45 chị em`."""
        heading = label.dim != PEOPLE or self.reader.key(label.at - 1) == "so"
        return heading or "nguoi" in self.reader.keys[label.at : label.to]

    def _lost(self, part: Part, unit: Part) -> bool:
        """Those who did not come."""
        key = self.reader.key
        after = key(unit.to), key(unit.to + 1)
        away = after[0] in ("khong", "chua") and after[1] in ("tham", "ra", "den")
        return key(part.at - 1) in LOST or after[0] in LOST or away

    def _dated(self, label: Part, part: Part) -> bool:
        """`bà con ra quân 5/6` says the day; `hộ: 5/6` does not."""
        if part.of is None or part.of > 12 or (part.value or 0) > 31:
            return False
        between = {self.reader.key(at) for at in range(label.to, part.at)}
        return label.dim != HOUSEHOLDS or not between <= BRIEF_LINK

    def _felled(self, part: Part, unit: Part) -> bool:
        if TREES not in (part.dim, unit.dim):
            return False
        key = self.reader.key
        return any(key(at) in FELLED for at in (part.at - 1, max(unit.to, part.to)))

    def _list_end(self, unit: Part) -> int:
        """`45 cán bộ, giáo viên, học sinh`: one number for all of them."""
        reader, to = self.reader, unit.to
        if unit.dim != PEOPLE:
            return to
        while reader.key(to) in JOINED | {","}:
            other = reader.units.get(to + 1)
            if other is None or other[1] != PEOPLE or not self._ends_list(other[0]):
                break
            to = other[0]
        return to

    def _ends_list(self, at: int) -> bool:
        word = self.reader.key(at)
        return word == "" or word in HARD | JOINED | {"tham", "ra", "don"}

    def _bare(self) -> None:
        """A share of the whole that says no unit, and who took part of a total that was just named."""
        key = self.reader.key
        total = next((one for one in self.found if one.dim == HOUSEHOLDS and one.total and one.label), None)
        for part in self.reader.parts:
            if part.what != "number" or part.value is None:
                continue
            if part.of is not None and not part.dim and part.of > 12:
                self._add(self.whole, part, part.at, part.to)
            elif total and part.of is None and part.at > total.to and part.value <= total.value:
                before = part.at - (key(part.at - 1) == ":")
                if key(before - 1) in TOOK_PART and self.reader.ends(part.to):
                    self._add(HOUSEHOLDS, part, part.at, part.to)
                    total = None

    # together

    def amounts(self) -> Amounts:
        self._drop_corrected()
        self._drop_parts()
        took, of = self._households()
        return Amounts(took, of, self._sum(PEOPLE), self._sum(KG), self._sum(TREES))

    def _drop_corrected(self) -> None:
        """`45 à nhầm 54 em`."""
        key, at = self.reader.key, len(self.reader.words) - 1
        while at >= 0 and key(at) != "nham" and (key(at), key(at + 1)) not in CORRECTED:
            at -= 1
        newer = {one.dim for one in self.found if one.at > at >= 0}
        self.found = [one for one in self.found if one.at > at or one.dim not in newer]

    def _drop_parts(self) -> None:
        """`45 người, trong đó 5 đoàn viên`, `2 tấn (2000 kg)`, `tổng 45 em: 40 …`."""
        kept: list[_Found] = []
        key = self.reader.key
        totals = {one.dim for one in self.found if one.total and one.dim != HOUSEHOLDS}
        words, counted = self.reader.words, set[str]()
        inside, opened, here = False, False, 0
        for one in self.found:
            for at in range(here, one.at):
                word = key(at)
                there = words[at].plain == "do" and key(at - 1) in ("trong", "so")
                inside = inside or there or word == "gom"
                inside = inside and word not in (";", ".", "\n")
                opened = word == "(" or (opened and word != ")")
            here = one.at
            part = (inside or opened) and one.dim in counted and one.dim != HOUSEHOLDS
            if not part and (one.dim not in totals or one.total):
                kept.append(one)
                counted.add(one.dim)
        self.found = kept

    def _sum(self, dim: str) -> int | None:
        ones = [one for one in self.found if one.dim == dim]
        if ones and ones[-1].total:
            ones = ones[-1:]
        total, kept = 0, []
        for one in ones:
            if total + one.value <= MOST:
                total += one.value
                kept.append(one)
        self._keep(dim, kept)
        return total if kept else None

    def _keep(self, dim: str, kept: list[_Found]) -> None:
        same = {id(one) for one in kept}
        self.found = [one for one in self.found if one.dim != dim or id(one) in same]

    def _households(self) -> tuple[int | None, int | None]:
        ones = [one for one in self.found if one.dim == HOUSEHOLDS]
        if not ones:
            return None, None
        places = sum(part.named for part in self.reader.parts)
        shares = [one for one in ones if one.of is not None]
        if len(ones) > 1 and places >= len(ones) and len(shares) in (0, len(ones)):
            took, of = sum(one.value for one in ones), sum(one.of or 0 for one in ones)
            if max(took, of) <= MOST:
                return took, of if shares else None
        if shares:
            self._keep(HOUSEHOLDS, shares[-1:])
            return shares[-1].value, shares[-1].of
        return self._of_total(ones)

    def _of_total(self, ones: list[_Found]) -> tuple[int | None, int | None]:
        last = ones[-1]
        if len(ones) == 1:
            part = self._took_part(last)
            return (None, last.value) if last.total and last.label and not part else (last.value, None)
        total = next((one for one in ones if one.total), None)
        took = [one for one in ones if one is not total and (total or self._took_part(one))]
        if total is None and len(ones) == 2 and len(took) == 1:
            total = ones[0] if took[0] is ones[1] else ones[1]
        if total and len(took) == 1 and took[0].value <= total.value:
            self._keep(HOUSEHOLDS, [total, took[0]])
            return took[0].value, total.value
        self._keep(HOUSEHOLDS, [last])
        return last.value, None

    def _took_part(self, one: _Found) -> bool:
        """Some words near it say so, in its clause and nearer to no other households."""
        key, at, to = self.reader.key, one.at, one.to
        while at > 0 and one.at - at < 6 and key(at - 1) not in HARD and not self._is_households(at - 1):
            at -= 1
        while key(to) and to - one.to < 6 and key(to) not in HARD and not self.reader.words[to].digits:
            to += 1
        return any(key(here) in TOOK_PART and key(here - 1) in ("tham", "ra") for here in range(at, to))

    def _is_households(self, at: int) -> bool:
        return self.reader.units.get(at, (0, "", 0))[1] == HOUSEHOLDS

    # what is left

    def rest(self) -> str:
        reader = self.reader
        words = reader.words
        if not self.found:
            return reader.text.strip()
        for one in self.found:
            for word in words[one.at : one.to]:
                word.used = True
        out, at = "", 0
        mark = ""
        while at < len(words):
            end = at
            while end < len(words) and (words[end].key not in HARD or words[end].used):
                end += 1
            said = self._clause(at, end)
            if said:
                out += (mark if out else "") + said
                mark = ""
            if end < len(words):
                new = {"\n": "\n", ".": ". ", "!": "! ", "?": "? "}.get(words[end].key, ", ")
                mark = new if mark in ("", ", ") else mark
            at = end + 1
        return out

    def _clause(self, at: int, end: int) -> str:
        """What a clause says besides its amounts, without the small words that led up to them."""
        words, said = self.reader.words, []
        if not any(word.used for word in words[at:end]):
            return self.reader.text[words[at].start : words[end - 1].end].strip() if at < end else ""
        while at < end:
            if words[at].used:
                at += 1
                continue
            to = at
            while to < end and not words[to].used:
                to += 1
            first, last = at, to
            while to < end and last > first and self._is_fill(last - 1):
                last -= 1
            if at and words[at - 1].used:
                while first < last and self._is_fill(first):
                    first += 1
            if not all(self._is_fill(here) for here in range(first, last)):
                said.append(self.reader.text[words[first].start : words[last - 1].end].strip(SOFT))
            at = to
        return " ".join(part for part in said if part)

    def _is_fill(self, at: int) -> bool:
        word = self.reader.words[at]
        return not word.plain[:1].isalnum() or (word.key in FILL and not self.reader.word_touches(at))


def amounts_in(text: str, whole: str = HOUSEHOLDS) -> tuple[Amounts, str]:
    """What a text says was done, and the words left over; `whole` is what `120/150` alone is a share of."""
    understanding = _Understanding(Reader(compose(text)), whole)
    return understanding.amounts(), understanding.rest()
