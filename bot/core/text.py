"""Vietnamese text as people type it: cleaned, folded, clipped; the only place where letters are folded."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Final, NamedTuple

LONGEST: Final = 2_000
"""What is read of one message; Zalo and the templates agree on it."""

_ELLIPSIS: Final = "…"
_LAST_MARK: Final = 0x1E950  # no code point above this one has a combining class
_MARKS_KEPT: Final = 3  # Vietnamese needs two; one more for a mistyped one


def _mark_class() -> str:
    """The characters that normalisation may have to sort, as the inside of a regular expression's class."""
    marks = (code for code in range(0x300, _LAST_MARK) if unicodedata.combining(chr(code)))
    runs = groupby(enumerate(marks), key=lambda pair: pair[1] - pair[0])
    ends = (tuple(code for _, code in run) for _, run in runs)
    return "".join(f"\\U{run[0]:08x}-\\U{run[-1]:08x}" for run in ends)


# Sorting a flood of marks takes quadratic time in `unicodedata.normalize`, so floods are cut before it.
_FLOOD: Final = re.compile(rf"([{_mark_class()}]{{{_MARKS_KEPT}}})[{_mark_class()}]+")
_WORD: Final = re.compile(r"[^\W\d_]+|\d+")
_STOP: Final = re.compile(r"[,.;:!?\n]")
_TONE_TOO_EARLY: Final = re.compile("[òóỏõọ][ae]|[ùúủũụ]y")
_TONE_MOVED: Final = {
    early + plain: base + late
    for base, earlies, lates in (
        ("o", "òóỏõọ", {"a": "àáảãạ", "e": "èéẻẽẹ"}),
        ("u", "ùúủũụ", {"y": "ỳýỷỹỵ"}),
    )
    for plain, row in lates.items()
    for early, late in zip(earlies, row, strict=True)
}

# What people shorten; every value is written in letters that no key has, so folding twice changes nothing.
_SHORT: Final = {
    "k": "khong",
    "ko": "khong",
    "kh": "khong",
    "khg": "khong",
    "hok": "khong",
    "hk": "khong",
    "kp": "khong phai",
    "dc": "duoc",
    "vs": "voi",
    "j": "gi",
    "r": "roi",
    "ntn": "nhu the nao",
    "mn": "moi nguoi",
    "mng": "moi nguoi",
    "ng": "nguoi",
    "cx": "cung",
    "cug": "cung",
    "lm": "lam",
    "nc": "nuoc",
    "dg": "duong",
    "trc": "truoc",
    "bh": "bay gio",
    "bjo": "bay gio",
    "wa": "qua",
    "nx": "nua",
    "nvh": "nha van hoa",
    "tks": "cam on",
    "thks": "cam on",
    "thanks": "cam on",
    "oke": "ok",
    "okie": "ok",
    "okela": "ok",
    "oki": "ok",
    "uh": "u",
    "uk": "u",
    "um": "u",
    "bc": "bao cao",
    "tb": "thong bao",
    "sdt": "so dien thoai",
    "ngta": "nguoi ta",
    "nta": "nguoi ta",
    "hnay": "hom nay",
    "hqua": "hom qua",
    "bnhieu": "bao nhieu",
    "bn": "bao nhieu",
    "trg": "trong",
    "nhm": "nhung ma",
    "vh": "van hoa",
    "vsmt": "ve sinh moi truong",
    "qtr": "qua troi",
    "zay": "vay",
    "dz": "vay",
    "zo": "vao",
    "dzo": "vao",
    "z": "vay",
    "ak": "a",
    "ik": "di",
    "bjk": "biet",
    "bik": "biet",
    "hsinh": "hoc sinh",
    "hs": "hoc sinh",
    "cty": "cong ty",
    "ubx": "uy ban xa",
    "hc": "hoc",
    "dag": "dang",
    "nhiu": "nhieu",
    "qa": "qua",
    "xl": "xu ly",
    "mik": "minh",
    "hum": "hom",
}
# What is short for something else behind certain words.
_TWOFOLD: Final = frozenset({"vs", "h", "trg"})
_SHORT_AFTER: Final = {
    **{
        (before, "vs"): "ve sinh"
        for before in ("don", "tong", "giu", "mat", "lich", "quet", "lam", "di", "ngay")
    },
    **{
        (before, "trg"): "truong"
        for before in ("cong", "sau", "truoc", "trc", "gan", "canh", "san", "toi", "den", "cua", "hoi", "tan")
    },
    ("bao", "h"): "gio",
    ("may", "h"): "gio",
}

_UNITS: Final = {
    "khong": 0,
    "mot": 1,
    "hai": 2,
    "ba": 3,
    "bon": 4,
    "tu": 4,
    "nam": 5,
    "lam": 5,
    "nham": 5,
    "sau": 6,
    "bay": 7,
    "tam": 8,
    "chin": 9,
}
# What stands behind a ten that is left out: "hai mốt".
_SHORT_TENS: Final = {"mốt": 1, "tư": 4, "lăm": 5, "nhăm": 5}
_TEN: Final = "muoi"
# Five is called so only behind a ten: alone they are other words ("thôn làm").
_AFTER_TEN: Final = frozenset({"lam", "nham"})


class _Folding(dict[int, str]):
    """One character to its plain form, worked out when first met."""

    def __missing__(self, code: int) -> str:
        plain = _plain(chr(code))
        if code < 0x3000:  # rarer ones are not kept, so nobody can fill the memory with them
            self[code] = plain
        return plain


class _Accents(dict[int, str]):
    """One lower-case character to itself, punctuation to a space."""

    def __missing__(self, code: int) -> str:
        char = {"ð": "đ"}.get(chr(code), chr(code))
        kept = char if char.isalnum() or unicodedata.category(char).startswith("M") else " "
        if code < 0x3000:
            self[code] = kept
        return kept


def _plain(char: str) -> str:
    if char in "đĐðÐ":
        return "d"
    if unicodedata.category(char).startswith("M"):
        return ""
    parts = unicodedata.normalize("NFKD", char).lower()
    kept = (
        part if part.isalnum() else " " for part in parts if not unicodedata.category(part).startswith("M")
    )
    return "".join(kept)


_FOLDING: Final = _Folding()
_ACCENTS: Final = _Accents()


def compose(text: str) -> str:
    """NFC, in linear time."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _FLOOD.sub(r"\1", text))


def fold(text: str) -> str:
    """Lower case, no diacritics, no punctuation, shorthand written out: what words are compared by."""
    short, words = _SHORT, compose(text).lower().translate(_FOLDING).split()
    if not _TWOFOLD.isdisjoint(words):
        words = [_shorthand(word, before) or word for before, word in zip(["", *words], words, strict=False)]
    return " ".join([short.get(word, word) for word in words])


def accented(text: str) -> str:
    """Lower case with its diacritics, the tone where the newer spelling puts it (hoà), no punctuation."""
    words = " ".join(compose(compose(text).lower()).translate(_ACCENTS).split())
    return _TONE_TOO_EARLY.sub(lambda found: _TONE_MOVED[found[0]], words)


def bare(text: str) -> str:
    """Lower case without diacritics, letter for letter: positions are those of `compose(text)`."""
    letters = ("d" if char in "đĐ" else unicodedata.normalize("NFD", char)[0] for char in compose(text))
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in letters)


_TONES: Final = {0x300: None, 0x301: None, 0x303: None, 0x309: None, 0x323: None}


def one_tone(word: str) -> str:
    """With `hỏi` for `ngã`: many hear and write them as one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", word).replace("\u0303", "\u0309"))


def toneless(word: str) -> str:
    """Without the five tones, with the letters they stand on: `chợ` is `chơ`."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", compose(word)).translate(_TONES))


class Token(NamedTuple):
    """A word of a text: folded; as typed, or empty when no diacritics were typed; where it stands in it.

    `clause` counts the stops and commas before it.
    """

    plain: str
    typed: str
    start: int
    end: int
    clause: int = 0


def tokens(text: str) -> tuple[Token, ...]:
    """The words of a text; digits part from letters (`th12`). Positions are those of `compose(text)`."""
    found: list[Token] = []
    composed, last, clause = compose(text), 0, 0
    for match in _WORD.finditer(composed):
        word, (start, end) = match[0], match.span()
        plain = word.lower().translate(_FOLDING).strip()
        if composed[last:start] != " ":
            clause += _STOP.search(composed, last, start) is not None
        last = end
        if (long := _shorthand(plain, found[-1].plain if found else "")) is not None:
            # a shorthand says nothing about accents
            found += [Token(part, "", start, end, clause) for part in long.split()]
        elif plain:
            found.append(Token(plain, "" if word.isascii() else _accented(word), start, end, clause))
    return tuple(found)


_accented = lru_cache(maxsize=8192)(accented)
"""Of one word: most words are said again and again."""


def _shorthand(word: str, before: str) -> str | None:
    """What a shortened word stands for; `vs` is `với`, but in `dọn vs` it is `vệ sinh`."""
    return _SHORT_AFTER.get((before, word)) or _SHORT.get(word)


def _with_unit(tens: int, words: Sequence[str], at: int, taken: int = 1) -> tuple[int, int]:
    unit = _UNITS.get(words[at]) if at < len(words) else None
    return (tens + unit, taken + 1) if unit else (tens, taken)


def as_figures(text: str) -> str:
    """A text that is nothing but a number in words, as figures: "một" is 1; any other as it is."""
    words = fold(text).split()
    found = number(words, 0) if words else None
    return str(found[0]) if found is not None and found[1] == len(words) else text


def number(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """The number from 0 to 99 at a folded word, in digits or words, and how many words it takes."""
    if at >= len(words):
        return None
    first = words[at]
    if first.isascii() and first.isdigit():
        return (int(first), 1) if len(first) <= 2 else None
    if first == _TEN:
        return _with_unit(10, words, at + 1)
    if first in _AFTER_TEN or (unit := _UNITS.get(first)) is None:
        return None
    if unit and at + 1 < len(words) and words[at + 1] == _TEN:
        return _with_unit(unit * 10, words, at + 2, 2)
    return unit, 1


def number_said(said: Sequence[Token], at: int) -> tuple[int, int] | None:
    """The same where accents may have been typed: `hai mốt` is 21, `hai một` is 2, `hai mot` may be 21.

    `lăm` is `năm` where l and n are one.
    """
    if said[at : at + 1] and said[at].typed == "lăm":
        return 5, 1
    read = number([token.plain for token in said[at : at + 3]], 0)
    if (
        read is None
        or read[1] > 1
        or not 1 < read[0] < 10
        or said[at].plain.isdecimal()
        or at + 1 == len(said)
    ):
        return read
    after = said[at + 1]
    unit = _SHORT_TENS.get(after.typed) or (1 if (after.plain, after.typed) == ("mot", "") else 0)
    return (10 * read[0] + unit, 2) if unit and after.clause == said[at].clause else read


_CLOSING: Final = ("", *"cghmnpt")  # `gì`, `gìn`: the i is the vowel itself


def _second_word(word: str) -> str:
    match word[:2]:
        case "tr":
            return "ch" + word[2:]
        case "gi":
            return "d" + word[1 if word[2:3] in _CLOSING else 2 :]
    match word[:1]:
        case "l":
            return "n" + word[1:]
        case "s":
            return "x" + word[1:]
        case "r":
            return "d" + word[1:]
    return word


def second_guess(folded: str) -> str:
    """Folded once more as the north pronounces it: l/n, s/x, tr/ch and gi/d/r begin a word alike."""
    return " ".join([_second_word(word) for word in folded.split()])


def _joins(char: str) -> bool:
    """A character that belongs to the one before it."""
    return (
        unicodedata.category(char).startswith("M")
        or char in "\u200d\ufe0f"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _whole(text: str, cut: int) -> int:
    """The nearest place at or before `cut` that splits no character a person sees."""
    while cut > 0 and (_joins(text[cut]) or text[cut - 1] == "\u200d"):
        cut -= 1
    flags = 0
    while flags < cut and _is_flag(text[cut - 1 - flags]):
        flags += 1
    return cut - 1 if flags % 2 and _is_flag(text[cut]) else cut


def clip(text: str, limit: int) -> str:
    """At most `limit` characters, ending in an ellipsis, at a word where one is near, never in a letter."""
    if len(text) <= limit:
        return text
    if limit < 1:
        return ""
    cut = _whole(text, limit - 1)
    space = text.rfind(" ", cut - cut // 4, cut + 1)
    kept = text[: space if space > 0 else cut].rstrip(" \n,.;:-–")
    return kept + _ELLIPSIS


class _Cleaning(dict[int, str | None]):
    """Characters that nobody means to send, dropped; odd spaces and line ends made plain."""

    def __missing__(self, code: int) -> str | None:
        char = chr(code)
        category = unicodedata.category(char)
        kept: str | None = char
        if char in "\n\u2028\u2029\u0085\v\f":
            kept = "\n"
        elif char == "\t" or category == "Zs":
            kept = " "
        elif category in ("Cc", "Cf", "Cs", "Cn", "Co"):
            kept = None
        if code < 0x3000:
            self[code] = kept
        return kept


_CLEANING: Final = _Cleaning()


def clean(text: str) -> str:
    """What is kept of a text: no control, invisible or direction characters, no floods of marks."""
    return compose(text.replace("\r\n", "\n").replace("\r", "\n").translate(_CLEANING))


# Vietnamese telephone and identity numbers, however they are spaced: a room never sees one.
_PHONE: Final = re.compile(r"(?<![\w])(?:(?:\+?84|0)(?:[ .-]?\d){8,11}|\d{9,12})(?!\w)", re.ASCII)


def phone_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where telephone numbers stand."""
    return (found.span() for found in _PHONE.finditer(text))


def hide_phones(text: str) -> str:
    """The text with dots where telephone numbers stood."""
    return _PHONE.sub("•••", text)


_LINK: Final = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)


def hide_links(text: str) -> str:
    """The text with dots where web addresses stood: a room never gets one to press from a stranger."""
    return _LINK.sub("•••", text)


def phone_in(text: str) -> str:
    """The first telephone number in a text, its digits alone."""
    found = _PHONE.search(text)
    return re.sub(r"\D", "", found[0]) if found else ""


def without_phones(text: str) -> str:
    return _PHONE.sub(" ", text)


def has_phone(text: str) -> bool:
    return _PHONE.search(text) is not None
