"""New moons, as almanac makers in Vietnam use them: a lunar month begins on the day of one, at UTC+7.

Jean Meeus, "Astronomical Algorithms", chapter 49; good to a minute or two.
"""

import math
from datetime import UTC, date, datetime, timedelta

MONTHS_A_YEAR = 12.3685
_EPOCH = datetime(2000, 1, 1, 12, tzinfo=UTC)
_EPOCH_DAY = 2451545.0


def new_moon(k: float) -> float:
    """Julian day (UT, nearly) of the k-th new moon since 6 January 2000."""
    t = k / 1236.85
    jde = 2451550.09766 + 29.530588861 * k + 0.00015437 * t**2 - 0.00000015 * t**3
    m, mm, f = (
        math.radians(2.5534 + 29.1053567 * k),
        math.radians(201.5643 + 385.81693528 * k + 0.0107582 * t**2),
        math.radians(160.7108 + 390.67050284 * k - 0.0016118 * t**2),
    )
    e = 1 - 0.002516 * t
    omega = math.radians(124.7746 - 1.56375588 * k)
    jde += (
        -0.4072 * math.sin(mm)
        + 0.17241 * e * math.sin(m)
        + 0.01608 * math.sin(2 * mm)
        + 0.01039 * math.sin(2 * f)
        + 0.00739 * e * math.sin(mm - m)
        - 0.00514 * e * math.sin(mm + m)
        + 0.00208 * e * e * math.sin(2 * m)
        - 0.00111 * math.sin(mm - 2 * f)
        - 0.00057 * math.sin(mm + 2 * f)
        + 0.00056 * e * math.sin(2 * mm + m)
        - 0.00042 * math.sin(3 * mm)
        + 0.00042 * e * math.sin(m + 2 * f)
        + 0.00038 * e * math.sin(m - 2 * f)
        - 0.00024 * e * math.sin(2 * mm - m)
        - 0.00017 * math.sin(omega)
    )
    return jde - delta_t(2000 + t * 100) / 86400


def delta_t(year: float) -> float:
    """Seconds between dynamical and universal time, the long-term parabola of Espenak and Meeus."""
    if year < 2050:
        t = year - 2000
        return 62.92 + 0.32217 * t + 0.005589 * t * t
    return -20 + 32 * ((year - 1820) / 100) ** 2 - 0.5628 * (2150 - year)


def day_in_vietnam(jd: float) -> date:
    moment = _EPOCH + timedelta(days=jd - _EPOCH_DAY)
    return (moment + timedelta(hours=7)).date()


def month_length(first_of_next: date) -> int:
    """The days of the lunar month before the one that begins on this day: 29 or 30."""
    years = (first_of_next - date(2000, 1, 6)).days / 365.2425
    nearest = round(years * MONTHS_A_YEAR)
    before = [day_in_vietnam(new_moon(nearest + n)) for n in (-2, -1, 0, 1)]
    return min((first_of_next - day).days for day in before if (first_of_next - day).days >= 29)
