"""What people type of numbered spots, and of several units at once."""

import pytest

from bot.config import load_commune
from bot.core.spotwords import spots_in
from bot.core.unitlists import units_in
from bot.core.words import Lexicon
from tests.paper import ROOT

COMMUNE = load_commune(ROOT / "commune.toml")
LEXICON = Lexicon(COMMUNE)


@pytest.mark.parametrize(
    ("text", "done", "back", "rest"),
    [
        ("don xong diem 1, 3", (1, 3), (), ""),
        ("đã dọn xong điểm 1 và điểm 2, 300 người, 2 tấn rác", (1, 2), (), "300 người, 2 tấn rác"),
        ("120/150 ho, don xong diem 1, 3", (1, 3), (), "120/150 ho"),
        # What is counted is no spot.
        ("diem 1, 2 tan rac", (1,), (), "2 tan rac"),
        ("don xong ca ba", (1, 2, 3), (), ""),
        ("cả ba điểm", (1, 2, 3), (), ""),
        ("da don sach tat ca", (1, 2, 3), (), ""),
        ("diem 3 chua", (), (3,), ""),
        ("điểm ba chưa dọn", (), (3,), ""),
        ("chua don diem 3", (), (3,), ""),
        ("diem 1 xong, diem 3 chua", (1,), (3,), ""),
        ("diem 1, chua don diem 3", (1,), (3,), ""),
        ("bo diem 2", (), (2,), ""),
    ],
)
def test_spots_that_are_named(text: str, done: tuple[int, ...], back: tuple[int, ...], rest: str) -> None:
    found = spots_in(text, 3, asked=False)
    assert found is not None
    assert (found.done, found.back, found.rest) == (done, back, rest)


@pytest.mark.parametrize(
    "text", ["1", "120/150 ho", "2 tan rac", "ca hai", "tat ca 300 nguoi", "diem 9", "xong"]
)
def test_what_names_no_spot(text: str) -> None:
    assert spots_in(text, 3, asked=False) is None


@pytest.mark.parametrize(
    ("text", "done"),
    [("1", (1,)), ("1, 3", (1, 3)), ("1 va 3", (1, 3)), ("ca ba", (1, 2, 3)), ("tất cả", (1, 2, 3))],
)
def test_a_bare_number_when_it_was_asked_for(text: str, done: tuple[int, ...]) -> None:
    found = spots_in(text, 3, asked=True)
    assert found is not None
    assert found.done == done


@pytest.mark.parametrize("text", ["120", "300 nguoi", "120/150 ho", "tat ca 300 nguoi"])
def test_a_number_of_something_else_although_spots_were_asked_for(text: str) -> None:
    assert spots_in(text, 3, asked=True) is None


def _villages(*numbers: int) -> tuple[str, ...]:
    return tuple(f"thon-{number:02}" for number in numbers)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("thon 1, 3, 5", _villages(1, 3, 5)),
        ("thôn 1 đến 3", _villages(1, 2, 3)),
        ("Thôn 1-4", _villages(1, 2, 3, 4)),
        ("1, 3", _villages(1, 3)),
        ("truong 2 va 4", ("truong-02", "truong-04")),
        ("thôn 3 và hội phụ nữ", (*_villages(3), "hoi-phu-nu")),
        ("cac thon", _villages(*range(1, 21))),
        ("các thôn ngoại trừ thôn 3, 4", _villages(1, 2, *range(5, 21))),
    ],
)
def test_units_that_a_message_lists(text: str, units: tuple[str, ...]) -> None:
    found = units_in(text, COMMUNE, LEXICON.units.named)
    assert (found.units, found.unknown) == (units, ())


def test_every_kind_of_unit_in_one_message() -> None:
    found = units_in("các phòng, hội, đoàn thể", COMMUNE, LEXICON.units.named)
    kinds = {COMMUNE.unit(unit).kind for unit in found.units}
    assert kinds == {"department", "association"}
    assert len(found.units) == sum(unit.kind in kinds for unit in COMMUNE.units.values())


def test_what_is_no_unit_is_said() -> None:
    assert units_in("thon 3, treo bang ron", COMMUNE, LEXICON.units.named).unknown == ("treo bang ron",)
