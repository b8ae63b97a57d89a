"""The commune's clean-up days: which there are each year, on what date, and when people work."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

import holidays

from bot.core.lunar import month_length
from bot.core.when import ZONE

# The plan asks for five a year (III.3): their ids stand in a campaign's id, so they never change.
TET = "tet"
FEASTS: dict[str, tuple[int, int] | None] = {
    TET: None,
    "30-4": (4, 30),
    "5-6": (6, 5),
    "2-9": (9, 2),
    "24-10": (10, 24),
}
HOUR = time(6, 0)
SUNDAY = 6
# Before Tết people clean on the Sunday of these days: about 20 to 26 tháng Chạp.
TET_EARLIEST, TET_LATEST = 11, 5
# Day, hour and places may be set until then; later it is a move.
SET_UNTIL_DAYS = 15
# `holidays` knows the Vietnamese new year by this name; in 2030 China's is a day later.
_NEW_YEAR = "Lunar New Year"


@dataclass(frozen=True, slots=True)
class Campaign:
    """One clean-up: `fixed` is the date that names it, `day` and `hour` when people work.

    `done` are the steps that were told or let go; `version` grows with each change.
    """

    feast: str
    year: int
    fixed: date
    day: date
    hour: time = HOUR
    done: frozenset[str] = frozenset()
    version: int = 0

    @property
    def id(self) -> str:
        return f"{self.feast}-{self.year}"

    @property
    def starts(self) -> datetime:
        return datetime.combine(self.day, self.hour, ZONE)

    @property
    def lunar_day(self) -> int:
        """The day of tháng Chạp, as people say it before Tết; 0 for the other feasts, and after Tết."""
        before = (self.fixed - self.day).days
        return month_length(self.fixed) - before + 1 if self.feast == TET and before > 0 else 0


@lru_cache(maxsize=128)
def tet(year: int) -> date:
    """The first day of the Vietnamese lunar year that begins in this year (UTC+7)."""
    found = holidays.country_holidays("VN", years=year, language="en_US")
    return next(day for day in sorted(found) if _NEW_YEAR in found.get_list(day))


def fixed_date(feast: str, year: int) -> date:
    monthday = FEASTS[feast]
    return tet(year) if monthday is None else date(year, *monthday)


def usual_day(feast: str, year: int) -> date:
    """When people work unless the office says otherwise: the date itself, before Tết the Sunday."""
    fixed = fixed_date(feast, year)
    if feast != TET:
        return fixed
    days = (fixed - timedelta(days=before) for before in range(TET_LATEST, TET_EARLIEST + 1))
    return next(day for day in days if day.weekday() == SUNDAY)


def usual(feast: str, year: int) -> Campaign:
    return Campaign(feast, year, fixed_date(feast, year), usual_day(feast, year))


def of_years(first: int, last: int) -> tuple[Campaign, ...]:
    """All campaigns of these years, in the order of their working days."""
    found = (usual(feast, year) for year in range(first, last + 1) for feast in FEASTS)
    return tuple(sorted(found, key=lambda campaign: campaign.day))
