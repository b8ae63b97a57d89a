"""Letters are folded the same however they were typed, and quickly."""

import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core import text as t

VIETNAMESE = st.text(
    alphabet="aàáảãạăằắẳẵặâầấẩẫậbcdđeèéẻẽẹêềếểễệghiìíỉĩịklmnoòóỏõọôồốổỗộơờớởỡợpqrstuùúủũụưừứửữựvxyỳýỷỹỵ .,3",
    max_size=60,
)


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("Rác ở cổng chợ!", "rac o cong cho"),
        ("ĐƯỜNG  Đỗ", "duong do"),
        (unicodedata.normalize("NFD", "Nghĩa trang liệt sĩ"), "nghia trang liet si"),
        ("hòa hoà", "hoa hoa"),
        ("k co dc j", "khong co duoc gi"),
        ("đc r", "duoc roi"),
        ("sau nvh", "sau nha van hoa"),
        ("AP-26-00123", "ap 26 00123"),
        ("rác…ở/đây", "rac o day"),
        ("𝐫𝐚́𝐜", "rac"),
        ("Ð ð", "d d"),
        ("🔥🔥", ""),
        ("", ""),
    ],
)
def test_fold(typed: str, folded: str) -> None:
    assert t.fold(typed) == folded


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("HÒA, Thúy", "hoà thuý"), ("của khỏe", "của khoẻ"), ("Đúng rồi!", "đúng rồi"), ("tuỳ tùy", "tuỳ tuỳ")],
)
def test_accented(typed: str, kept: str) -> None:
    assert t.accented(typed) == kept


@given(st.text(max_size=80) | VIETNAMESE)
@settings(deadline=None)
def test_folding_again_changes_nothing(text: str) -> None:
    assert t.fold(t.fold(text)) == t.fold(text)
    assert t.clean(t.clean(text)) == t.clean(text)


@given(VIETNAMESE)
@settings(deadline=None)
def test_the_form_of_the_letters_does_not_matter(text: str) -> None:
    apart = unicodedata.normalize("NFD", text)
    assert t.fold(apart) == t.fold(text) == t.fold(text.upper())
    assert t.accented(apart) == t.accented(text)
    assert t.fold(text).isascii()


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("bay", (7, 1)),
        ("muoi hai", (12, 2)),
        ("muoi", (10, 1)),
        ("hai muoi", (20, 2)),
        ("hai muoi mot", (21, 3)),
        ("muoi lam", (15, 2)),
        ("07", (7, 1)),
        ("123", None),
        ("cho", None),
        ("", None),
    ],
)
def test_numbers(words: str, read: tuple[int, int] | None) -> None:
    assert t.number(words.split(), 0) == read


@pytest.mark.parametrize(
    ("one", "other"), [("nang", "lang"), ("xen", "sen"), ("chua", "trua"), ("dan", "gian"), ("dan", "ran")]
)
def test_second_guess(one: str, other: str) -> None:
    assert t.second_guess(one) == t.second_guess(other)


def test_tokens_know_where_they_stand() -> None:
    text = "Rác ở th12, ko?"
    found = t.tokens(text)
    assert [token.plain for token in found] == ["rac", "o", "th", "12", "khong"]
    assert [text[token.start : token.end] for token in found] == ["Rác", "ở", "th", "12", "ko"]
    assert [token.typed for token in found] == ["rác", "ở", "", "", ""]


@pytest.mark.parametrize(
    ("text", "limit", "clipped"),
    [
        ("ngắn", 10, "ngắn"),
        ("rác ở cổng chợ thôn ba", 16, "rác ở cổng chợ…"),
        ("aaaaaaaaaa", 5, "aaaa…"),
        ("abc👨‍👩‍👧xyz", 6, "abc…"),
        ("ab🇻🇳🇻🇳", 4, "ab…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_clip(text: str, limit: int, clipped: str) -> None:
    assert t.clip(text, limit) == clipped


@given(st.text(max_size=60), st.integers(0, 70))
@settings(deadline=None)
def test_clip_never_exceeds(text: str, limit: int) -> None:
    assert len(t.clip(text, limit)) <= max(limit, 0)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\x00b\x1bc", "abc"),
        ("a\ud800b", "ab"),
        ("a\u200bb\u202ec\u2066d\ufeff", "abcd"),
        ("một\r\nhai\rba\u2028bốn", "một\nhai\nba\nbốn"),
        ("a\tb\u00a0c", "a b c"),
        ("a" + "\u0301" * 50, "á\u0301\u0301"),
        (unicodedata.normalize("NFD", "thôn"), "thôn"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert t.clean(text) == cleaned


@given(st.text(st.characters(), max_size=80))
@settings(deadline=None)
def test_clean_text_can_be_stored(text: str) -> None:
    cleaned = t.clean(text)
    cleaned.encode()
    assert "\x00" not in cleaned
    assert unicodedata.is_normalized("NFC", cleaned)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("mười bảy", (17, 2)),
        ("hai mươi mốt", (21, 3)),
        ("hai mốt", (21, 2)),
        ("hai một đống", (2, 1)),
        ("hai mot dong", (21, 2)),
        ("hai, mốt", (2, 1)),
        ("ba tư", (34, 2)),
        ("ba từ hôm qua", (3, 1)),
        ("lăm", (5, 1)),
        ("làm", None),
        ("2 mốt", (2, 1)),
    ],
)
def test_numbers_as_they_are_said(text: str, read: tuple[int, int] | None) -> None:
    assert t.number_said(t.tokens(text), 0) == read


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("lịch dọn vs", "lich don ve sinh"),
        ("rác vs cống", "rac voi cong"),
        ("bao h xong", "bao gio xong"),
        ("6h sáng", "6h sang"),
    ],
)
def test_a_shorthand_behind_a_word(text: str, folded: str) -> None:
    assert t.fold(text) == folded


def test_tokens_know_their_clause() -> None:
    assert [token.clause for token in t.tokens("rác, cống: tắc.hôi")] == [0, 1, 2, 3]


WORK: list[Callable[[str], object]] = [t.fold, t.accented, t.clean, t.second_guess, t.tokens, t.compose]


@pytest.mark.parametrize("unit", ["a", "ệ ", "\u0300\u0316", "👨\u200d", "k ", "\U0001d41a", "ﷺ", "\u202e"])
def test_huge_texts_take_linear_time(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    for work in WORK:
        start = time.perf_counter()
        work(text)
        assert time.perf_counter() - start < 1.5, work
    assert len(t.clip(text, 50)) <= 50
