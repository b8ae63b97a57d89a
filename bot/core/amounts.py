"""What a clean-up day came to, read from a few words: households, people, kilokilos and trees."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Final

from bot.core.text import accented, compose, fold, number, phone_spans, toneless

MOST: Final = 10_000_000
"""Nothing that a commune does is more than this; what is said to be is not an amount."""

HOUSEHOLDS, PEOPLE, KG, TREES = "households", "people", "kg", "trees"


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


# --- words -------------------------------------------------------------------------------------------------

# Short words that are another word under other marks (`họ`, `từ`, `sau`): with marks, only these count.
_MEANT: Final = {
    fold(spelt.split()[0]): frozenset(spelt.split()) | {toneless(form) for form in spelt.split()}
    for row in (
        "một mốt, hai, ba, bốn, tư, năm, lăm, nhăm, sáu, bảy bẩy, tám tầm, chín, mười mươi, chục, trăm",
        "nghìn, ngàn, triệu, rưỡi rưởi, linh, lẻ, nửa, tấn, tạ, yến, cân, ký, kí, hộ, nhà, cây, em, cháu",
        "dân, mỗi, trên, không, chưa, tổ, đội đôi, khu, xóm, ấp, phố, cụm, khối, cầu, lần, đợt, vài, mấy",
        "hàng, dăm, tổng, giờ, độ, cỡ, trồng trong, chặt, cắt, vắng, nghỉ, thiếu, nhầm, gồm, của, là, tối",
        "có, đạt, đến, gần, được, dọn, rác, thu, các, quân, luôn, cộng",
    )
    for spelt in row.split(", ")
}
_ONLY_MARKED: Final = frozenset({"cô", "thầy", "bạn"})  # unmarked, they are `có`, `thấy`, `ban`


def _phrases(*rows: tuple[str, int, str]) -> dict[tuple[str, ...], tuple[str, int]]:
    return {tuple(name.split()): (what, factor) for what, factor, names in rows for name in names.split(", ")}


_UNITS: Final = _phrases(
    (KG, 1, "kg, kgs, kilogam, kilo, ki, ky, can, ki lo, ki lo gam, ky lo, ky lo gam, kilo gam"),
    (KG, 1, "ki - lo, ki - lo - gam"),
    (KG, 10, "yen"),
    (KG, 100, "ta"),
    (KG, 1000, "tan"),
    (HOUSEHOLDS, 1, "ho, nha, gia dinh, ho dan, ho gia dinh, nha dan, nong ho"),
    (TREES, 1, "cay, cay xanh, cay con, cay giong, goc cay, cay bong mat, cay xanh bong mat"),
    (PEOPLE, 1, "nguoi, nguoi dan, nhan dan, dan, ba con, hoc sinh, hs, thay co, thay co giao"),
    (PEOPLE, 1, "co giao, thay giao, giao vien, gv, cbgv, doan vien, dvtn, thanh nien, hoi vien, can bo"),
    (PEOPLE, 1, "chien si, bo doi, cong an, dan quan, thanh vien, em, chau, phu huynh, phu nu, chi em"),
    (PEOPLE, 1, "anh em, anh chi em, ong ba, co bac, cac chau, cac em, nguoi cao tuoi, cuu chien binh, ccb"),
    (
        PEOPLE,
        1,
        "nong dan, dang vien, nhan vien, cong nhan, vien chuc, cong chuc, tinh nguyen vien, dong chi",
    ),
    (PEOPLE, 1, "doi vien, sinh vien, thieu nhi, thanh thieu nien, luot nguoi"),
)
# What only looks like a unit.
_OTHERS: Final = _phrases(
    ("", 0, "nha van hoa, nha truong, nha ve sinh, nha tro, nha cua, nha nuoc, nha may, nha tho, nha tre"),
    ("", 0, "nha o, nha kho, nha hang, ho khau, ho tich, ung ho, bao ho, cuu ho, giam ho, giup ho, don ho"),
    ("", 0, "cay so, cay xang, cay nuoc, cay cot, nguoi ta, can nuoc, tan noi, tan nha, ta luy, dan pho"),
    ("", 0, "dan cu, dan sinh, ho nuoc, yen tam, cay co, cay coi, em ho, mot so, mot phan"),
)
_KNOWN: Final = _UNITS | _OTHERS
_LONGEST: Final = max(map(len, _KNOWN))
_NO_LABEL: Final = frozenset({"em", "chau", "co", "thay", "ban", "chi em", "anh em", "co bac", "ong ba"})

_SCALES: Final = {"chuc": 10, "tram": 100, "nghin": 1000, "ngan": 1000, "trieu": 1_000_000}
_VAGUE: Final = frozenset({"vai", "may", "hang", "dam", "doi", "nhieu"})


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ROUGHLY: Final = _set(
    "khoang chung hon gan tren duoi tam uoc tinh xap xi it nhat toi thieu do co dau den du chi gom ca ~ ≈ +"
)
_BEFORE_DATE: Final = _set("ngay sang chieu trua toi hom mung mong nhat cn t7 bay")
_BEFORE_COUNT: Final = _set("ngay mung mong thang quy tuan dot lan khoa so")
_NAMED: Final = _set(
    "thon xom to doi khu khoi ap pho cum lop ngo ngach hem kenh cau duong hoi doan tdp kp kdc th"
)
_ALL_OF: Final = _set("ca toan moi mot trong tron")
_CLOCK: Final = _set("gio h g ph phut p tieng")
_JOINED: Final = _set("va voi cung")
_LINK: Final = _set(
    "tham gia ra quan la co dat duoc da moi dan huy dong tong so cong luot vao len hien xanh thi mới"
    " : = - – — ( *"
)
_BRIEF_LINK: Final = _set("la tham gia : =")
_AFTER: Final = _set("so tham ra rac don thu gom trong duoc a nhe dat tong chiem roi het cac da vao luong")
_BETWEEN: Final = _set("luot cac toan the goc anh chi vi dong")
_LOST: Final = _set("vang nghi thieu")
_FELLED: Final = _set("chat tia cat cua nho bung do gay")
_CORRECTED: Final = frozenset({("sua", "lai"), ("dinh", "chinh")})
_TOOK_PART: Final = _set("gia quan")
_OF: Final[tuple[tuple[str, ...], ...]] = (
    ("trong", "tong", "so"),
    ("tren", "tong", "so"),
    ("trong", "so"),
    ("tren", "tong"),
    ("trong", "tong"),
    ("tren",),
    ("trong",),
    ("cua",),
    ("/",),
)
_HARD: Final = frozenset(",;.!?()\n[]•|…")
_FILL: Final = (
    (_ROUGHLY | _LINK | _JOINED | _AFTER)
    | _set("thai ve sinh lam ket qua bao cao moi nguoi thi xong minh trong hay")
) - _set("khoi")
_SOFT: Final = " \t-–—:+=*/~≈\"'“”"


# --- reading ----------------------------------------------------------------------------------------------

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
class _Part:
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


@dataclass(slots=True)
class _Found:
    dim: str
    value: int
    of: int | None
    at: int
    to: int
    total: bool = False
    label: bool = False


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
                meant = not marked or typed in _MEANT.get(plain, (typed,))
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


class _Reader:
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
        plains = [word.plain for word in self.words[at : at + _LONGEST]]
        if self.words[at].typed in _ONLY_MARKED:
            self.units[at] = at + 1, PEOPLE, 1
        for size in range(len(plains), 0, -1):
            # Many words are plain enough; one word must be that very word.
            name = tuple(plains[:size]) if size > 1 else (self.keys[at],)
            if (known := _KNOWN.get(name)) is not None:
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
            while to < len(self.words) and (self._spoken_unit(to) or self.spoken[to] in _SCALES):
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
        if self.spoken[at] not in _SCALES:
            return False
        word = self.words[at]
        led = at > 0 and self.keys[at - 1] in _ROUGHLY | {"trong", "duoc", "ho", "nguoi", "so", "cay", ":"}
        return word.typed != word.plain or led or self.spoken[at + 1] in ("ruoi", "linh", "le")

    def _scaled(self, at: int, value: Fraction, took: int) -> tuple[Fraction, int]:
        """Hundreds, thousands and what is left off behind them: `trăm hai` is 120, `nghìn rưỡi` 1500."""
        figures = self.words[at].digits
        total = group = Fraction(0)
        to, top, small = at + took, MOST, 1000
        while (scale := _SCALES.get(self.spoken[to])) is not None:
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
            further = _SCALES.get(self.spoken[to + behind[1]])
            if further is not None and scale <= further < max(scale * 10, 1000):
                break  # `hai trăm ba trăm`
            value, to = behind[0], to + behind[1]
            if further is None:
                value *= Fraction(scale, 10) if value < 10 and behind[1] == 1 and scale > 10 else 1
                break
        return total + group + value, to

    # parts

    def _split(self) -> Iterator[_Part]:
        at = 0
        while at < len(self.words):
            unit = self.units.get(at)
            found = None if unit and unit[0] > at + 1 else self._number(at)
            if found is None and self.words[at].digits:
                found = None, at + 1
            if found is not None and found[1] > at:
                value, to = self._parted_by_space(at, *found)
                part = _Part("number", at, to, value)
            elif unit is not None and unit[1]:
                to = unit[0]
                part = _Part("unit", at, to, dim=unit[1], factor=unit[2])
            else:
                to = unit[0] if unit else at + 1
                part = _Part("word", at, to)
            yield part
            at = to

    def _parted_by_space(self, at: int, value: Fraction | None, to: int) -> tuple[Fraction | None, int]:
        """`1 200 kg`."""
        pair = self.words[at : at + 2]
        if to == at + 1 and len(pair) == 2 and all(word.digits and word.plain.isdecimal() for word in pair):
            one, two = pair
            close = len(one.plain) <= 3 and len(two.plain) == 3 and two.start == one.end + 1
            named = at > 0 and self.keys[at - 1] in _NAMED
            if close and not named and value and self.units.get(at + 2, (0, "", 0))[1:] == (KG, 1):
                return value * 1000 + int(two.plain), at + 2
        return value, to

    def key(self, at: int) -> str:
        return self.keys[at] if 0 <= at < len(self.words) else ""

    def ends(self, at: int) -> bool:
        """Nothing that is counted stands here."""
        word = self.key(at)
        return word == "" or word in _HARD | _JOINED | _AFTER or not word[0].isalnum()

    def _touches(self, at: int) -> bool:
        """No space before this word."""
        return 0 < at < len(self.words) and self.words[at - 1].end == self.words[at].start

    def _mark(self, parts: list[_Part]) -> list[_Part]:
        """Takes the value from numbers that are dates, hours, places, ranges or less than nothing."""
        for place, part in enumerate(parts):
            if part.what == "number":
                self._name(part)
                part.dated = self._is_day(parts, place)
                if part.dated or self._is_other(parts, place):
                    part.value = None
        out: list[_Part] = []
        place = 0
        while place < len(parts):
            part, took = self._fraction(parts, place)
            out.append(part)
            place += took
        return self._join_units(out)

    def _name(self, part: _Part) -> None:
        before, value = self.key(part.at - 1), part.value
        if before not in _NAMED or value is None or self.key(part.at - 2) in _ALL_OF:
            return
        most = 12 if before == "lop" else 40
        if value <= most and self.key(part.at - 2) not in ("hai", "ba", "bon"):
            part.value, part.named = None, True

    def _is_other(self, parts: Sequence[_Part], place: int) -> bool:
        part = parts[place]
        at, to, value = part.at, part.to, part.value
        if value is None:
            return True
        if self.key(at - 1) in _VAGUE or self.key(to) in ("%", "‰", "°"):
            return True
        return self._is_hour(at, to) or self._is_range(parts, place) or self._is_code(at)

    def _is_day(self, parts: Sequence[_Part], place: int) -> bool:
        """`ngày 5`, `tháng 6`, `năm 2026`, `thứ 7`, 5/6/2026; also `đợt 2`, `lần 3`, a telephone number."""
        at, value = parts[place].at, parts[place].value
        if value is None:
            return self.words[at].silent
        before = self.key(at - 1)
        if before in _BEFORE_COUNT and value <= 31:
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
        if after in _CLOCK or (after == ":" and self._is_minutes(to + 1)):
            return True
        return (before == ":" and self._is_minutes(at)) or (
            before in ("h", "g", "gio") and at > 1 and self.words[at - 2].digits and self._touches(at)
        )

    def _is_minutes(self, at: int) -> bool:
        digits = at < len(self.words) and self.words[at].digits and len(self.words[at].plain) == 2
        return digits and self._touches(at) and self._touches(at - 1) and self.words[at - 2].digits

    def _is_range(self, parts: Sequence[_Part], place: int) -> bool:
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
        return at - 1 not in self.units and self.key(at - 1) not in _FILL

    # fractions

    def _fraction(self, parts: Sequence[_Part], place: int) -> tuple[_Part, int]:
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

    def _pair(self, part: _Part, other: _Part, unit: _Part | None, dim: str, took: int) -> tuple[_Part, int]:
        value, of, before = part.value, other.value, self.key(part.at - 1)
        if value is None or of is None:
            return part, 1
        date = value <= 31 and of <= 12 and self.key(part.to) == "/"
        if date and (before in _BEFORE_DATE or dim in (PEOPLE, TREES)):
            return _Part("number", part.at, other.to, dated=True), took
        if value > of:
            return (part, 1) if unit else (_Part("number", part.at, other.to), took)
        if unit and not dim and not self.ends(other.to):  # `45 em trên 2 xe`
            return part, 1
        joined = _Part("number", part.at, other.to, value, of, dim=dim or (unit.dim if unit else ""))
        if unit and dim:  # the second unit says what the first did
            return joined, took
        if unit:
            joined.what = "done"
        return joined, took

    def _share(self, part: _Part, other: _Part, dim: str, took: int) -> tuple[_Part, int]:
        percent = _figures(self.words[part.at].plain, counted=False) if self.words[part.at].digits else None
        if dim != HOUSEHOLDS or percent is None or percent > 100 or other.value is None:
            return part, 1
        value = Fraction(int(percent * other.value / 100 + Fraction(1, 2)))
        return _Part("number", part.at, other.to, value, other.value, dim=dim), took

    def _of_size(self, parts: Sequence[_Part], at: int) -> int:
        for names in _OF:
            some = parts[at : at + len(names)]
            if tuple(self.key(part.at) for part in some) == names:
                planting = len(names) == 1 and self.words[some[0].at].typed == "trồng"
                return 0 if planting else len(names)
        return 0

    def _join_units(self, parts: list[_Part]) -> list[_Part]:
        """`em học sinh` is one unit; one behind a vague number is none, nor is `mỗi hộ 2 người`."""
        out: list[_Part] = []
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
            elif part.what == "word" and self.key(part.at) in _HARD | _JOINED:
                each = False
            self._rate(out, part)
            out.append(part)
        return out

    def _rate(self, out: list[_Part], part: _Part) -> None:
        """`2 cây/hộ`."""
        if part.what == "unit" and len(out) > 2 and self.key(out[-1].at) == "/" and out[-2].what == "unit":
            self._kill(out[-3:-1])
            part.what = "word"

    @staticmethod
    def _kill(parts: Sequence[_Part]) -> None:
        for part in parts:
            part.value, part.what = None, "word"


# --- understanding ----------------------------------------------------------------------------------------


class _Understanding:
    def __init__(self, reader: _Reader, whole: str) -> None:
        self.reader, self.whole = reader, whole
        self.found: list[_Found] = []
        self._weights()
        self._zeros()
        self._counts()
        self._bare()
        self.found.sort(key=lambda one: one.at)

    def _add(self, dim: str, part: _Part, at: int, to: int, label: bool = False) -> None:
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
            if key(at - step) in _HARD:
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
            self._add(KG, _Part("number", at, to, kilos), at, to)

    def _left_off(self, part: _Part, factor: int) -> Fraction | None:
        """`1 tấn 2` is 1200 kg, `2 tấn 500` 2500."""
        value = part.value
        end = self.reader.key(part.to)
        alone = end == "" or end in _HARD | _JOINED | {"rac"}
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
                self._add(TREES, _Part("number", unit.at, unit.to, Fraction(0)), unit.at, unit.to + took)
                unit.what = "done"
                continue
            if denied not in ("khong", "chua") or (denied == "chua" and unit.dim != TREES):
                continue
            if unit.dim != TREES and not (key(to) == "" or key(to) in _HARD | {"tham"}):
                continue
            at = parts[before].at
            if place + 1 < len(parts) and parts[place + 1].what == "number" and parts[place + 1].value:
                continue
            unit.what = "done"
            self._add(unit.dim, _Part("number", at, to, Fraction(0)), at, to)

    def _says_none(self, at: int) -> int:
        """How many words say so: `cây: không`, `cây không trồng`."""
        key, begun = self.reader.key, at
        at += key(at) in (":", "=", "-", "thi")
        if key(at) != "khong" or (at == begun and key(at + 1) != "trong"):
            return 0
        at += 2 if key(at + 1) in ("trong", "co") else 1
        return at - begun if not key(at) or key(at) in _HARD | _JOINED else 0

    # what is counted

    def _counts(self) -> None:
        key = self.reader.key
        run: list[_Part] = []
        last: _Part | None = None
        for part in self.reader.parts:
            if part.what == "done" or (part.what == "word" and key(part.at) in _HARD | _JOINED):
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

    def _linked(self, one: _Part, two: _Part) -> bool:
        between = [self.reader.key(at) for at in range(one.to, two.at)]
        if len(between) > 8:
            return False
        if one.what == "number":
            return all(word in _BETWEEN for word in between)
        more = {"trong"} if one.dim == TREES else set()
        return all(word in _LINK or word in _ROUGHLY or word in more for word in between)

    def _close(self, run: list[_Part]) -> None:
        """A run of numbers and units in turn: the units follow, or they stand before, as in a form."""
        if len(run) < 2:
            return
        if run[0].what == "unit" and run[-1].what == "number" and self.reader.ends(run[-1].to):
            for label, part in zip(run[::2], run[1::2], strict=True):
                name = " ".join(word.plain for word in self.reader.words[label.at : label.to])
                if name not in _NO_LABEL and not self._felled(label, part) and not self._dated(label, part):
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

    def _is_heading(self, label: _Part) -> bool:
        """`số học sinh tham gia: 45 em`, but not the name in `Hội Phụ nữ: 45 chị em`."""
        heading = label.dim != PEOPLE or self.reader.key(label.at - 1) == "so"
        return heading or "nguoi" in self.reader.keys[label.at : label.to]

    def _lost(self, part: _Part, unit: _Part) -> bool:
        """Those who did not come."""
        key = self.reader.key
        after = key(unit.to), key(unit.to + 1)
        away = after[0] in ("khong", "chua") and after[1] in ("tham", "ra", "den")
        return key(part.at - 1) in _LOST or after[0] in _LOST or away

    def _dated(self, label: _Part, part: _Part) -> bool:
        """`bà con ra quân 5/6` says the day; `hộ: 5/6` does not."""
        if part.of is None or part.of > 12 or (part.value or 0) > 31:
            return False
        between = {self.reader.key(at) for at in range(label.to, part.at)}
        return label.dim != HOUSEHOLDS or not between <= _BRIEF_LINK

    def _felled(self, part: _Part, unit: _Part) -> bool:
        if TREES not in (part.dim, unit.dim):
            return False
        key = self.reader.key
        return any(key(at) in _FELLED for at in (part.at - 1, max(unit.to, part.to)))

    def _list_end(self, unit: _Part) -> int:
        """`45 cán bộ, giáo viên, học sinh`: one number for all of them."""
        reader, to = self.reader, unit.to
        if unit.dim != PEOPLE:
            return to
        while reader.key(to) in _JOINED | {","}:
            other = reader.units.get(to + 1)
            if other is None or other[1] != PEOPLE or not self._ends_list(other[0]):
                break
            to = other[0]
        return to

    def _ends_list(self, at: int) -> bool:
        word = self.reader.key(at)
        return word == "" or word in _HARD | _JOINED | {"tham", "ra", "don"}

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
                if key(before - 1) in _TOOK_PART and self.reader.ends(part.to):
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
        while at >= 0 and key(at) != "nham" and (key(at), key(at + 1)) not in _CORRECTED:
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
        while at > 0 and one.at - at < 6 and key(at - 1) not in _HARD and not self._is_households(at - 1):
            at -= 1
        while key(to) and to - one.to < 6 and key(to) not in _HARD and not self.reader.words[to].digits:
            to += 1
        return any(key(here) in _TOOK_PART and key(here - 1) in ("tham", "ra") for here in range(at, to))

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
            while end < len(words) and (words[end].key not in _HARD or words[end].used):
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
                said.append(self.reader.text[words[first].start : words[last - 1].end].strip(_SOFT))
            at = to
        return " ".join(part for part in said if part)

    def _is_fill(self, at: int) -> bool:
        word = self.reader.words[at]
        return not word.plain[:1].isalnum() or (word.key in _FILL and not self.reader.word_touches(at))


def amounts_in(text: str, whole: str = HOUSEHOLDS) -> tuple[Amounts, str]:
    """What a text says was done, and the words left over; `whole` is what `120/150` alone is a share of."""
    understanding = _Understanding(_Reader(compose(text)), whole)
    return understanding.amounts(), understanding.rest()
