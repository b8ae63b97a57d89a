"""The plan's reckoning: what counts, for whom, of how many, in which year; the unconfirmed stands apart."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from bot.config import load_commune
from bot.core.indicators import Standing, name_key, standings
from bot.core.ledger import Closed, Day, Deed, Ledger, Part

COMMUNE = load_commune(Path(__file__).parent.parent / "commune.toml")
TODAY = date(2027, 6, 10)
JUNE = date(2027, 6, 1)
DAYS = (
    Day("tet-2027", "tet", date(2027, 1, 31)),
    Day("30-4-2027", "30-4", date(2027, 4, 30)),
    Day("5-6-2027", "5-6", date(2027, 6, 5)),
    Day("2-9-2027", "2-9", date(2027, 9, 2)),
    Day("24-10-2027", "24-10", date(2027, 10, 24)),
)


def stand(name: str, ledger: Ledger, today: date = TODAY, unit: str | None = None) -> Standing:
    return next(one for one in standings(COMMUNE, ledger, today, unit) if one.id == name)


def trees(number: float, unit: str = "thon-03", day: date = JUNE, *partners: str) -> Deed:
    return Deed("trees", unit, day, number, None, "cây", partners=partners)


def road(name: str, unit: str, *partners: str, confirmed: bool = True) -> Deed:
    return Deed("self_managed_road", unit, JUNE, name=name, partners=partners, confirmed=confirmed)


def talk(unit: str, day: date = JUNE, *partners: str) -> Deed:
    return Deed("talk", unit, day, 60, None, "người", partners=partners)


def sorting(unit: str, done: float, of: float, day: date = JUNE, *, confirmed: bool = True) -> Deed:
    return Deed("sorting", unit, day, done, of, "hộ", confirmed=confirmed)


def lamps(unit: str, done: float, of: float, measure: str = "bóng", day: date = JUNE) -> Deed:
    return Deed("lighting", unit, day, done, of, measure)


def test_a_standing_says_how_much_is_reached() -> None:
    assert Standing("x", "X", 25, 100, "%").share == 0.25
    assert Standing("x", "X", 125, 100, "%").share == 1.0
    assert Standing("x", "X", 25, None, "lần").share is None


@pytest.mark.parametrize(
    ("deeds", "done"),
    [
        ((), 0),
        ((trees(50), trees(20, "truong-02")), 70),
        # Years add up: the target is for five of them.
        ((trees(50, day=date(2026, 7, 1)), trees(20)), 70),
        # Before the launch nothing counts, nor what is to come.
        ((trees(50, day=date(2026, 5, 14)), trees(20)), 20),
        ((trees(50, day=date(2026, 5, 15)), trees(20, day=date(2027, 6, 11))), 50),
        # Work done together is one.
        ((trees(80, "thon-03", JUNE, "hoi-phu-nu", "truong-02"),), 80),
    ],
)
def test_trees_add_up(deeds: tuple[Deed, ...], done: float) -> None:
    found = stand("trees", Ledger(deeds))
    assert (found.done, found.target, found.measure) == (done, 10_000, "cây")


def test_trees_of_clean_ups_count_too() -> None:
    parts = (Part("5-6-2027", "thon-03", trees=30), Part("2-9-2027", "thon-03", trees=9))
    ledger = Ledger((trees(50),), parts, DAYS)
    # That of September is to come: what was typed too early does not count yet.
    assert stand("trees", ledger).done == 80
    assert stand("trees", ledger, unit="thon-03").done == 80
    assert stand("trees", ledger, unit="thon-04").done == 0


def test_each_partner_sees_what_was_done_together() -> None:
    ledger = Ledger((trees(80, "thon-03", JUNE, "hoi-phu-nu"),))
    for unit in ("thon-03", "hoi-phu-nu"):
        found = stand("trees", ledger, unit=unit)
        assert (found.done, found.target) == (80, None)
    assert stand("trees", ledger).done == 80


def test_what_nobody_confirmed_stands_apart() -> None:
    ledger = Ledger((trees(50), replace(trees(20), confirmed=False)))
    found = stand("trees", ledger)
    assert (found.done, found.unconfirmed) == (50, 20)
    roads = (road("đường làng", "thon-03"), road("duong lang", "thon-03", confirmed=False))
    # The same road again is no second one, confirmed or not.
    assert stand("self_managed_roads", Ledger(roads)).unconfirmed == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("đường xóm chùa", "duong xom chua"),
        ("Tuyến đường xóm chùa", "xóm chùa"),
        ("đoạn đường Xóm  Chùa", "XÓM CHÙA"),
    ],
)
def test_a_road_is_known_by_its_name(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)
    assert name_key(one) != name_key("đường xóm đình")


@pytest.mark.parametrize(
    ("deeds", "commune", "villages"),
    [
        ((road("đường xóm chùa", "thon-03"), road("duong xom chua", "thon-03")), 1, 1),
        # Two villages may each have theirs of one name.
        ((road("đường xóm chùa", "thon-03"), road("đường xóm chùa", "thon-05")), 2, 2),
        # Two of one village: the second is nobody else's.
        ((road("đường xóm chùa", "thon-03"), road("đường đình", "thon-03")), 2, 1),
        # An association and the village told of the same one; together, and apart.
        ((road("đường xóm chùa", "hoi-phu-nu", "thon-03"), road("duong xom chua", "thon-03")), 1, 1),
        ((road("đường xóm chùa", "hoi-phu-nu"), road("duong xom chua", "thon-03")), 1, 1),
        ((road("đường xóm chùa", "hoi-phu-nu"),), 1, 0),
    ],
)
def test_self_managed_roads_are_counted_once(deeds: tuple[Deed, ...], commune: int, villages: int) -> None:
    assert stand("self_managed_roads", Ledger(deeds)).done == commune
    found = stand("self_managed_each", Ledger(deeds))
    assert (found.done, found.target) == (villages, 20)


def test_every_village_owes_a_green_road() -> None:
    ledger = Ledger((Deed("green_road", "thon-03", JUNE, name="đường trục"),))
    assert (stand("green_roads", ledger).done, stand("green_roads", ledger).target) == (1, 20)
    mine = stand("green_roads", ledger, unit="thon-03")
    assert (mine.done, mine.target) == (1, 1)
    assert [s.id for s in standings(COMMUNE, ledger, TODAY, "truong-01") if s.id == "green_roads"] == []


@pytest.mark.parametrize(
    ("deeds", "done"),
    [
        ((talk("thon-03"),), 1),
        ((talk("thon-03"), talk("thon-03"), talk("thon-03")), 2),
        ((talk("thon-03"), talk("truong-01")), 2),
        # Who owes none helps nobody; with a village along, it is the village's.
        ((talk("hoi-phu-nu"),), 0),
        ((talk("hoi-phu-nu", JUNE, "thon-03"),), 1),
        ((talk("thon-03", JUNE, "thon-04"),), 1),
        # Another year's are another year's.
        ((talk("thon-03", date(2026, 12, 14)), talk("thon-03", date(2026, 12, 15))), 1),
    ],
)
def test_two_talks_a_year_each(deeds: tuple[Deed, ...], done: int) -> None:
    found = stand("talks", Ledger(deeds))
    assert (found.done, found.target) == (done, 64)


def test_a_partner_has_held_the_talk_too() -> None:
    found = stand("talks", Ledger((talk("thon-03", JUNE, "thon-04"),)), unit="thon-04")
    assert (found.done, found.target) == (1, 2)


@pytest.mark.parametrize(
    ("deeds", "totals", "percent"),
    [
        ((), {}, 0),
        # Nobody locked anything: of what was told.
        ((sorting("thon-03", 120, 150),), {}, 80),
        # The newest word counts, not the sum.
        ((sorting("thon-03", 60, 150, date(2027, 5, 1)), sorting("thon-03", 120, 150)), {}, 80),
        # The office's number is the number; who told nothing is part of the whole.
        ((sorting("thon-03", 120, 150),), {"thon-03": 400}, 30),
        ((sorting("thon-03", 120, 150),), {"thon-03": 400, "thon-04": 200}, 20),
        (
            (sorting("thon-03", 400, 400), sorting("thon-04", 100, 200)),
            {"thon-03": 400, "thon-04": 200},
            83.3,
        ),
        # Nobody has more than all.
        ((sorting("thon-03", 500, 500),), {"thon-03": 400}, 100),
    ],
)
def test_households_of_their_locked_totals(
    deeds: tuple[Deed, ...], totals: dict[str, int], percent: float
) -> None:
    assert stand("sorting", Ledger(deeds, totals=totals)).done == percent


def test_a_newer_number_that_nobody_confirmed_stands_apart() -> None:
    told = (sorting("thon-03", 60, 150, date(2027, 5, 1)), sorting("thon-03", 120, 150, confirmed=False))
    found = stand("sorting", Ledger(told))
    assert (found.done, found.unconfirmed) == (40, 40)


@pytest.mark.parametrize(
    ("deeds", "percent"),
    [
        ((lamps("thon-03", 12, 20),), 60),
        ((lamps("thon-03", 12, 20), lamps("thon-04", 0, 10)), 40),
        # Kilometres and lamps do not add up: each share weighs as many units as told it.
        ((lamps("thon-03", 20, 20), lamps("thon-04", 1, 4, "km")), 62.5),
    ],
)
def test_lighting_is_a_share(deeds: tuple[Deed, ...], percent: float) -> None:
    assert stand("lighting", Ledger(deeds)).done == percent


def test_four_clean_ups_count_and_five_are_shown() -> None:
    parts = (Part("tet-2027", "thon-03"), Part("30-4-2027", "thon-04"), Part("30-4-2027", "thon-05"))
    found = stand("cleanups", Ledger((), parts, DAYS))
    assert (found.done, found.target, found.of) == (2, 4, 5)
    mine = stand("cleanups", Ledger((), parts, DAYS), unit="thon-03")
    assert (mine.done, mine.target) == (1, 4)


def test_the_first_year_counts_from_the_launch() -> None:
    days = tuple(
        replace(d, campaign=d.campaign.replace("2027", "2026"), day=d.day.replace(year=2026)) for d in DAYS
    )
    parts = (Part("30-4-2026", "thon-03"), Part("5-6-2026", "thon-03"))
    found = stand("cleanups", Ledger((), parts, days), date(2026, 7, 1))
    # Tết and 30 April came before it: three are left.
    assert (found.done, found.target) == (1, 3)


def test_schools_on_holiday_are_exempt() -> None:
    all_units = [
        u.id for u in COMMUNE.units.values() if u.kind in ("village", "school", "department", "association")
    ]
    came = [unit for unit in all_units if not unit.startswith("truong-")]
    parts = tuple(Part("5-6-2027", unit) for unit in came)
    ledger = Ledger((), parts, DAYS[2:3])
    assert stand("cleanup_units", ledger).done == 100
    # In April there was school: they were to come, and did not.
    april = Ledger((), tuple(replace(p, campaign="30-4-2027") for p in parts), DAYS[1:2])
    assert stand("cleanup_units", april).done == round(100 * len(came) / len(all_units), 1)
    assert stand("cleanups", Ledger((), (), DAYS), unit="truong-01").target == 4
    three = replace(COMMUNE.plan, exempt={"school": frozenset({"5-6", "2-9"})})
    commune = replace(COMMUNE, plan=three)
    found = next(
        s for s in standings(commune, Ledger((), (), DAYS), TODAY, "truong-01") if s.id == "cleanups"
    )
    assert found.target == 3


def test_households_that_took_part_of_all() -> None:
    parts = (Part("5-6-2027", "thon-03", 300, 350), Part("5-6-2027", "thon-04", 100, 200))
    ledger = Ledger((), parts, DAYS[2:3], totals={"thon-03": 400, "thon-05": 100})
    # 300 of the locked 400, 100 of the told 200, none of the locked 100.
    assert stand("cleanup_households", ledger).done == round(100 * 400 / 700, 1)


@pytest.mark.parametrize(
    ("names", "closed", "seen"),
    [
        ((), (), 0),
        (("Trường 1",), (), 1),
        (("cho, truong 1 va truong 2",), (), 3),
        # Number 12 is not number 1.
        (("trường 12",), (), 1),
        (("chợ",), ("cổng chợ",), 1),
        ((), ("cổng trường 3",), 1),
        (("đường lạ",), (), 0),
    ],
)
def test_places_are_inspected_by_their_names(
    names: tuple[str, ...], closed: tuple[str, ...], seen: int
) -> None:
    deeds = tuple(Deed("inspection", "cong-an", JUNE, name=name) for name in names)
    ledger = Ledger(deeds, closed=tuple(Closed(JUNE, "thon-03", mark) for mark in closed))
    # Twelve schools, the centre and the market.
    assert stand("inspected", ledger).done == round(100 * seen / 14, 1)
    assert stand("inspections", ledger).done == len(names) + len(closed)


def test_last_years_inspections_are_last_years() -> None:
    deed = Deed("inspection", "cong-an", date(2026, 11, 1), name="chợ")
    assert stand("inspections", Ledger((deed,), closed=(Closed(date(2026, 12, 14), None, "chợ"),))).done == 0


@pytest.mark.parametrize(
    ("day", "year"),
    [
        (date(2026, 5, 15), 2026),
        (date(2026, 12, 14), 2026),
        (date(2026, 12, 15), 2027),
        (date(2027, 12, 14), 2027),
        (date(2027, 12, 31), 2028),
    ],
)
def test_the_reporting_year(day: date, year: int) -> None:
    plan = COMMUNE.plan
    assert plan.year_of(day) == year
    assert plan.begins(year) <= day <= plan.ends(year)


def test_a_unit_hears_of_what_concerns_it() -> None:
    def of(unit: str) -> set[str]:
        return {one.id for one in standings(COMMUNE, Ledger(), TODAY, unit)}

    assert "inspected" in of("cong-an")
    assert "inspected" not in of("truong-01")
    assert "talks" in of("truong-01")
    assert "sorting" not in of("hoi-phu-nu")
    assert {"sorting", "green_roads", "cleanups", "talks"} <= of("thon-03")
    assert [one.id for one in standings(COMMUNE, Ledger(), TODAY)] == list(COMMUNE.plan.indicators)
