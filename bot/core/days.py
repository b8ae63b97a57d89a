"""Days as people name them in a message: "mai", "thứ 6", "5/3", "3 ngày nữa", "tuần sau"."""

import re
from datetime import date, timedelta
from typing import Final

from bot.core.text import fold, number

# By their folded words, so that accents, capitals and shorthand do not matter.
_NEAR: Final = {"hom nay": 0, "ngay mai": 1, "sang mai": 1, "chieu mai": 1, "mai": 1, "ngay kia": 2, "mot": 2}
_WEEKDAYS: Final = {"hai": 0, "ba": 1, "tu": 2, "nam": 3, "sau": 4, "bay": 5}
_SUNDAYS: Final = ("chu nhat", "cn")
_DATE: Final = re.compile(
    r"(?<![\d/.-])(\d{1,2})\s*[/.-]\s*(\d{1,2})(?:\s*[/.-]\s*(\d{4}|\d{2}))?(?![\d/])", re.ASCII
)
_IN_DAYS: Final = re.compile(r"(?:sau )?((?:\d{1,2}|[a-z]+)(?: [a-z]+)?) (ngay|hom|tuan) (?:nua|toi|sau)\b")
_WEEKDAY: Final = re.compile(r"\bthu (\d|[a-z]+)\b")


def day_in(text: str, today: date) -> date | None:
    """The first day from today on that a message names; a date without a year is the next such."""
    if found := _DATE.search(text):
        return _calendar_day(int(found[1]), int(found[2]), found[3], today)
    plain = fold(text)
    if found := _IN_DAYS.search(plain):
        count = number(found[1].split(), 0)
        if count is not None:
            return today + timedelta(days=count[0] * (7 if found[2] == "tuan" else 1))
    if found := _WEEKDAY.search(plain):
        weekday = int(found[1]) - 2 if found[1].isdigit() else _WEEKDAYS.get(found[1], -1)
        if 0 <= weekday <= 5:
            return _next(weekday, today)
    if any(re.search(rf"\b{name}\b", plain) for name in _SUNDAYS):
        return _next(6, today)
    if re.search(r"\bcuoi tuan\b", plain):
        return _next(5, today)
    if re.search(r"\b(?:tuan sau|tuan toi|1 tuan|mot tuan)\b", plain):
        return today + timedelta(days=7)
    for words, days in _NEAR.items():
        # `mot` alone is a day only as a whole message: elsewhere it is a one.
        if plain == words or (words != "mot" and re.search(rf"\b{words}\b", plain)):
            return today + timedelta(days=days)
    return None


def _next(weekday: int, today: date) -> date:
    """The next such weekday after today (0 is Monday)."""
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def _calendar_day(day: int, month: int, year: str | None, today: date) -> date | None:
    try:
        if year is not None:
            return date(int(year) + (2000 if len(year) == 2 else 0), month, day)
        found = date(today.year, month, day)
        return found if found >= today else date(today.year + 1, month, day)
    except ValueError:
        return None
