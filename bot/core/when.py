"""Time as the commune lives it: deadlines on working days and hours, and moments to be said aloud."""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays

from bot.core.commune import Commune, Field

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DAY_ENDS = time(17, 0)
DAY_MS = 24 * 3600 * 1000


def local(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, ZONE)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@lru_cache(maxsize=16)
def _calendar(year: int) -> holidays.HolidayBase:
    # The day before the year's first days may belong to the Tết of the year before: two years at a time.
    return holidays.country_holidays("VN", years=(year, year + 1))


def at_noon(day: date) -> datetime:
    """A day, to be said aloud."""
    return datetime.combine(day, time(12, 0), ZONE)


def is_working_day(day: date, commune: Commune) -> bool:
    """Vietnamese working days, corrected by the commune's own list (swapped days)."""
    if day in commune.days_worked:
        return True
    if day in commune.days_off:
        return False
    return _calendar(day.year).is_working_day(day)


def ack_by(now: datetime, field: Field) -> datetime:
    """When somebody should have answered; the hours run only inside the field's window, if it has one."""
    left = timedelta(hours=field.ack_hours)
    if field.ack_from is None or field.ack_to is None:
        return now + left
    here = now
    while True:
        opens = datetime.combine(here.date(), field.ack_from, ZONE)
        closes = datetime.combine(here.date(), field.ack_to, ZONE)
        here = max(here, opens)
        if here + left <= closes:
            return here + left
        left -= max(closes - here, timedelta(0))
        here = datetime.combine(here.date() + timedelta(days=1), field.ack_from, ZONE)


def fix_by(now: datetime, field: Field, commune: Commune) -> datetime:
    """The end of the last working day allowed; the day of filing does not count."""
    day, left = now.date(), field.fix_days
    while left:
        day += timedelta(days=1)
        left -= is_working_day(day, commune)
    return datetime.combine(day, DAY_ENDS, ZONE)


def spoken(moment: datetime, now: datetime) -> dict[str, Any]:
    """A moment in the pieces a sentence needs: hour, minute, days from today, weekday (0 = Monday), date."""
    moment, now = moment.astimezone(ZONE), now.astimezone(ZONE)
    return {
        "hour": moment.hour,
        "minute": moment.minute,
        "days": (moment.date() - now.date()).days,
        "weekday": moment.weekday(),
        "day": moment.day,
        "month": moment.month,
        "year": moment.year,
    }
