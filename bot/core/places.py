"""Which village a point lies in, and how far it is from the commune."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bot.core.commune import Commune, Point, Unit

REACH: Final = 1_000.0
"""Metres around its centre that a village without an outline is taken to have."""
TOLERANCE: Final = 300.0
"""Metres outside every outline that are still counted to the nearest village: telephones are that wrong."""
_DEGREE: Final = 111_195.0  # metres of latitude


@dataclass(frozen=True, slots=True)
class Where:
    """The village of a point, if any; `inside` an outline; else how many metres outside the nearest.

    Without a unit and not inside, the point is outside the commune. Without a unit and inside, the commune
    gave neither outlines nor centres, and nothing can be said.
    """

    unit: str | None
    inside: bool
    metres_outside: float


def valid(lat: float, lon: float) -> Point | None:
    """A point, when the two numbers can be one."""
    if math.isfinite(lat) and math.isfinite(lon) and -90 <= lat <= 90 and -180 <= lon <= 180:
        return Point(lat, lon)
    return None


def metres(a: Point, b: Point) -> float:
    """The distance over ground."""
    lat = math.radians(b.lat - a.lat)
    lon = math.radians(b.lon - a.lon)
    part = math.sin(lat / 2) ** 2 + (
        math.cos(math.radians(a.lat)) * math.cos(math.radians(b.lat)) * math.sin(lon / 2) ** 2
    )
    return 2 * _DEGREE * math.degrees(math.asin(min(1.0, math.sqrt(part))))


def contains(polygon: tuple[Point, ...], point: Point) -> bool:
    """Whether a point lies in it; on a border that two outlines share, exactly one of them has it."""
    lat, lon = point.lat, point.lon
    inside = False
    before = polygon[-1]
    for corner in polygon:
        if (corner.lat > lat) != (before.lat > lat):
            # the same arithmetic from both sides of a border, so that no point falls between
            low, high = (before, corner) if before.lat < corner.lat else (corner, before)
            if lon < low.lon + (high.lon - low.lon) * (lat - low.lat) / (high.lat - low.lat):
                inside = not inside
        before = corner
    return inside


def _to_edge(polygon: tuple[Point, ...], point: Point) -> float:
    """Metres from a point to the nearest edge, on a plane laid at the point."""
    wide = _DEGREE * math.cos(math.radians(point.lat))
    flat = [((corner.lon - point.lon) * wide, (corner.lat - point.lat) * _DEGREE) for corner in polygon]
    best = math.inf
    ax, ay = flat[-1]
    for bx, by in flat:
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        along = 0.0 if length == 0 else min(1.0, max(0.0, -(ax * dx + ay * dy) / length))
        best = min(best, math.hypot(ax + along * dx, ay + along * dy))
        ax, ay = bx, by
    return best


def _distances(point: Point, villages: tuple[Unit, ...]) -> Iterator[tuple[float, float, str]]:
    """For each village: metres outside it, metres from its middle, its id."""
    for unit in villages:
        middle = math.inf if unit.centre is None else metres(point, unit.centre)
        if unit.polygon:
            yield _to_edge(unit.polygon, point), middle, unit.id
        elif unit.centre is not None:
            yield max(0.0, middle - REACH), middle, unit.id


def village_at(point: Point, commune: Commune) -> Where:
    """The village by its outline; for one without, or up to 300 m outside all, the nearest."""
    villages = commune.villages
    for unit in villages:
        if unit.polygon and contains(unit.polygon, point):
            return Where(unit.id, True, 0.0)
    nearest = min(_distances(point, villages), default=None)
    if nearest is None:
        return Where(None, True, 0.0)
    outside, _, unit_id = nearest
    return Where(unit_id if outside <= TOLERANCE else None, outside == 0.0, outside)
