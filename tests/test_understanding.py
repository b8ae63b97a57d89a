"""What people type is understood at least as well as before, in what is worked with and in the held half."""

import pytest

from bot.core.words import Lexicon
from tests.understanding import (
    COMMUNE,
    HALVES,
    WORKED_WITH,
    Score,
    alike,
    forgetful,
    hear,
    judge,
    read,
    score,
    world,
)

# Reached scores, in percent right or asked about, and how many were guessed wrongly in silence.
GOOD = {"work": 97.8, "more": 98.0, "voices": 96.0, "blind": 85.0, "held": 87.0}
RIGHT = {"work": 84.5, "more": 84.0, "voices": 84.5, "blind": 67.5, "held": 70.0}
WRONG = {"work": 0, "more": 0, "voices": 0, "blind": 2, "held": 9}
FEWEST = {"work": 351, "more": 351, "voices": 160, "blind": 160, "held": 351}
# With three words in ten never thought of, and as the worked-with halves come out of it.
FORGOTTEN, SEEDS = 0.3, range(6)
NEW_GOOD, NEW_WRONG = 91, 8


@pytest.fixture(scope="module", params=HALVES)
def half(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def reached(half: str) -> Score:
    return score(read(half))


def test_a_half_is_understood(half: str, reached: Score) -> None:
    assert reached.good >= GOOD[half]
    assert 100 * reached.right / reached.all >= RIGHT[half]


def test_nothing_is_guessed_wrongly_in_silence(half: str, reached: Score) -> None:
    assert reached.wrong <= WRONG[half]


def test_every_half_is_read(half: str) -> None:
    assert len(read(half)) >= FEWEST[half]


def test_what_nobody_thought_of_is_asked_about() -> None:
    """Words are missing, as for what is said for the first time: hardly anything is guessed wrongly."""
    reached = [score(read(half), forgetful(FORGOTTEN, seed)) for half in WORKED_WITH for seed in SEEDS]
    every = sum(one.all for one in reached)
    assert 1000 * sum(one.wrong for one in reached) <= NEW_WRONG * every
    assert 100 * sum(one.right + one.asked for one in reached) >= NEW_GOOD * every


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sau nhà văn hoá", "nha van hoa", True),
        ("cổng chợ", "cong cho thon 3", True),
        ("đầu", "đầu cầu", False),
        ("chân cầu", "đầu cầu", False),
        ("", "đầu cầu", False),
    ],
)
def test_landmarks_are_alike(one: str, other: str, same: bool) -> None:
    assert alike(one, other) is same


def test_a_silent_guess_is_seen() -> None:
    """The scorer itself: a category that was not meant is wrong, whatever else is right."""
    meant = next(one for one in read("work") if one.categories == ("litter",) and one.units)
    heard = hear(meant, world())
    assert judge(meant, heard) != "wrong"
    other = type(meant)(meant.context, meant.text, meant.kind, ("noise",), meant.units, meant.landmark)
    assert judge(other, heard) == "wrong"
    chatter = type(meant)(meant.context, meant.text, "lạc đề")
    assert judge(chatter, heard) == "wrong"


LEXICON = Lexicon(COMMUNE)


@pytest.mark.parametrize(
    ("text", "danger", "phrase"),
    [
        ("cháy nhà thôn 3", "sure", "cháy nhà"),
        ("chay nha roi", "sure", "cháy nhà"),
        ("chay roi", "unsure", "cháy rồi"),
        ("hôm qua có tai nạn ở cầu", "unsure", "tai nạn"),
        ("đường xấu dễ gây tai nạn", None, ""),
        ("toi chay xe om", None, ""),
        ("đèn đường cháy bóng", None, ""),
        ("không gấp, cháy nhà đã dập rồi", None, "cháy nhà"),
        ("đường này kiểu gì cũng có ngày đâm chết người", None, ""),
        ("kẻo cháy nhà", None, ""),
        ("lửa bén lên mái nhà ông Tư rồi", "sure", "lửa bén lên"),
        ("hai xe tông vào nhau ở ngã tư", "sure", "tông vào nhau"),
        ("hôm qua xem phim đánh nhau hay lắm", None, ""),
    ],
)
def test_how_sure_danger_is(text: str, danger: str | None, phrase: str) -> None:
    assert LEXICON.emergency(text) == danger
    assert LEXICON.emergency_words(text) == phrase


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("trưởng thôn nhận hối lộ", True),
        ("can bo dia chinh voi vinh dan", True),
        ("trưởng thôn đòi tiền mới ký giấy", True),
        ("đã báo trưởng thôn rồi mà chưa dọn", False),
        ("rác gần nhà trưởng thôn", False),
        ("nhờ bác trưởng thôn nhắc giúp", False),
        ("rác ở cổng chợ", False),
    ],
)
def test_what_is_about_an_official(text: str, about: bool) -> None:
    assert LEXICON.about_official(text) is about


@pytest.mark.parametrize(
    ("text", "number"),
    [("gọi 0912 345 678 nhé", "0912345678"), ("+84 912.345.678", "84912345678"), ("thôn 3", "")],
)
def test_the_telephone_number_in_it(text: str, number: str) -> None:
    assert LEXICON.phone(text) == number
