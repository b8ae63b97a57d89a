"""Every point of the commune lies in exactly one village."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import load_commune
from bot.core.commune import Point
from bot.core.places import Where, contains, metres, valid, village_at

COMMUNE = load_commune(Path(__file__).parent.parent / "commune.toml")
MIDDLE = Point(20.98, 106.39)


@pytest.mark.parametrize(
    "pair", [(math.nan, 0), (0, math.inf), (90.1, 0), (-91, 0), (0, 180.5), (0, -181), (106.39, 20.98)]
)
def test_no_point(pair: tuple[float, float]) -> None:
    assert valid(*pair) is None


def test_a_point() -> None:
    assert valid(20.98, 106.39) == MIDDLE


def test_metres() -> None:
    assert metres(MIDDLE, MIDDLE) == 0
    assert metres(MIDDLE, Point(20.99, 106.39)) == pytest.approx(1112, abs=1)
    assert metres(MIDDLE, Point(20.98, 106.40)) == pytest.approx(1038, abs=1)
    assert metres(Point(0, 179.999), Point(0, -179.999)) == pytest.approx(222, abs=1)


def test_the_middle_is_village_3() -> None:
    assert village_at(MIDDLE, COMMUNE) == Where("thon-03", True, 0.0)


def test_every_centre_lies_in_its_village() -> None:
    for unit in COMMUNE.villages:
        assert unit.centre is not None
        assert village_at(unit.centre, COMMUNE) == Where(unit.id, True, 0.0)
        assert 6 <= len(unit.polygon) <= 10
    assert len(COMMUNE.villages) == 20


def test_outlines_share_their_corners() -> None:
    owners: dict[Point, int] = {}
    for unit in COMMUNE.villages:
        for corner in unit.polygon:
            owners[corner] = owners.get(corner, 0) + 1
    assert sum(count > 1 for count in owners.values()) > len(owners) / 2


CORNERS = [corner for unit in COMMUNE.villages for corner in unit.polygon]
SOUTH, NORTH = min(c.lat for c in CORNERS), max(c.lat for c in CORNERS)
WEST, EAST = min(c.lon for c in CORNERS), max(c.lon for c in CORNERS)
POINTS = st.builds(Point, st.floats(SOUTH - 0.01, NORTH + 0.01), st.floats(WEST - 0.01, EAST + 0.01))


@given(POINTS | st.sampled_from(CORNERS))
def test_never_two_villages(point: Point) -> None:
    assert sum(contains(unit.polygon, point) for unit in COMMUNE.villages) <= 1


@given(st.builds(Point, st.floats(20.963, 21.0), st.floats(106.37, 106.40)))
def test_no_gap_in_the_middle(point: Point) -> None:
    assert village_at(point, COMMUNE).inside


def test_a_little_outside_is_the_nearest_village() -> None:
    top = max(CORNERS, key=lambda corner: corner.lat)
    near = village_at(Point(top.lat + 0.001, top.lon), COMMUNE)
    assert near.unit is not None
    assert not near.inside
    assert 50 < near.metres_outside < 150
    far = village_at(Point(top.lat + 0.02, top.lon), COMMUNE)
    assert far.unit is None
    assert far.metres_outside > 300


def test_without_outlines_the_nearest_centre() -> None:
    units = {unit.id: replace(unit, polygon=()) for unit in COMMUNE.units.values()}
    assert village_at(MIDDLE, replace(COMMUNE, units=units)) == Where("thon-03", True, 0.0)
    assert village_at(Point(21.2, 106.39), replace(COMMUNE, units=units)).unit is None


def test_without_anything_nothing_is_said() -> None:
    units = {unit.id: replace(unit, polygon=(), centre=None) for unit in COMMUNE.units.values()}
    assert village_at(MIDDLE, replace(COMMUNE, units=units)) == Where(None, True, 0.0)
