"""Clean-up days: the Vietnamese Tết by two computations, working days, and the schedule to the minute."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from bot.core.campaign import FEASTS, TET, fixed_date, of_years, tet, usual, usual_day
from bot.core.lunar import day_in_vietnam, month_length, new_moon
from bot.core.schedule import Step, following, moments, too_late
from bot.core.when import ZONE

# Vietnam's, and where it differs China's: https://www.timeanddate.com/holidays/vietnam/ and almanacs.
KNOWN = {
    2024: date(2024, 2, 10),
    2025: date(2025, 1, 29),
    2026: date(2026, 2, 17),
    2027: date(2027, 2, 6),
    2028: date(2028, 1, 26),
    2029: date(2029, 2, 13),
    2030: date(2030, 2, 2),
    2031: date(2031, 1, 23),
    2032: date(2032, 2, 11),
    2033: date(2033, 1, 31),
}


# The sun by Meeus' "Astronomical Algorithms" (chapter 25): a month begins on the day of the new moon at
# UTC+7, the eleventh has the winter solstice in it.


def sun_longitude(jd: float) -> float:
    """Apparent longitude of the sun, degrees."""
    t = (jd - 2451545.0) / 36525
    l0 = 280.46646 + 36000.76983 * t + 0.0003032 * t * t
    m = math.radians(357.52911 + 35999.05029 * t - 0.0001537 * t * t)
    c = (1.914602 - 0.004817 * t) * math.sin(m) + (0.019993 - 0.000101 * t) * math.sin(2 * m)
    c += 0.000289 * math.sin(3 * m)
    omega = math.radians(125.04 - 1934.136 * t)
    return (l0 + c - 0.00569 - 0.00478 * math.sin(omega)) % 360


def new_moons(year: int) -> list[date]:
    first = math.floor((year - 2000) * 12.3685) - 14
    return [day_in_vietnam(new_moon(first + n)) for n in range(32)]


def month_eleven(year: int) -> date:
    """The month in which the sun reaches 270 degrees, by days in Vietnam."""
    starts = new_moons(year)
    solstice = next(
        date(year, 12, day)
        for day in range(19, 25)
        if sun_longitude(_jd(date(year, 12, day) + timedelta(days=1))) >= 270
        and sun_longitude(_jd(date(year, 12, day))) < 270
    )
    return max(start for start in starts if start <= solstice)


def _jd(day: date) -> float:
    """Midnight in Vietnam."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=7)
    return 2451545.0 + (moment - datetime(2000, 1, 1, 12, tzinfo=UTC)) / timedelta(days=1)


def tet_by_astronomy(year: int) -> date:
    """Two months after the eleventh, three when a leap month comes between."""
    before, after = month_eleven(year - 1), month_eleven(year)
    starts = sorted({day for y in (year - 1, year) for day in new_moons(y) if before <= day <= after})
    leap = len(starts) - 1 == 13
    second = 2
    if leap:
        terms = [math.floor(sun_longitude(_jd(day)) / 30) for day in starts]
        leaps = next(n for n in range(1, 13) if terms[n] == terms[n + 1])
        second = 3 if leaps <= 2 else 2
    return starts[second]


@pytest.mark.parametrize("year", range(2024, 2101))
def test_tet_is_vietnams(year: int) -> None:
    assert tet(year) == tet_by_astronomy(year)
    if year in KNOWN:
        assert tet(year) == KNOWN[year]


def test_in_2030_china_is_a_day_later() -> None:
    assert tet(2030) == date(2030, 2, 2)


@pytest.mark.parametrize("year", range(2024, 2101))
def test_before_tet_people_clean_on_a_sunday(year: int) -> None:
    day = usual_day(TET, year)
    assert day.weekday() == 6
    assert 5 <= (tet(year) - day).days <= 11
    assert 19 <= usual(TET, year).lunar_day <= 26
    assert month_length(tet(year)) in (29, 30)


def test_five_a_year_with_their_dates() -> None:
    campaigns = of_years(2026, 2030)
    assert len(campaigns) == 25
    assert [c.id for c in campaigns[:5]] == ["tet-2026", "30-4-2026", "5-6-2026", "2-9-2026", "24-10-2026"]
    assert all(c.day == c.fixed for c in campaigns if c.feast != TET)
    assert {fixed_date(feast, 2027) for feast in FEASTS if feast != TET} == {
        date(2027, 4, 30),
        date(2027, 6, 5),
        date(2027, 9, 2),
        date(2027, 10, 24),
    }
    # The plan's example: 6 o'clock on Sunday 31 January, 24 Chạp.
    assert usual_day(TET, 2027) == date(2027, 1, 31)
    assert usual(TET, 2027).lunar_day == 24


def local(day: int, hour: int, minute: int) -> datetime:
    return datetime(2027, 6, day, hour, minute, tzinfo=ZONE)


def test_the_schedule_to_the_minute() -> None:
    found = {moment.step: moment.at for moment in moments(usual("5-6", 2027))}
    assert found == {
        Step.PREPARE: datetime(2027, 5, 29, 8, 0, tzinfo=ZONE),
        Step.INVITE: local(2, 18, 30),
        Step.EVE: local(4, 18, 30),
        Step.TODAY: local(5, 5, 30),
        Step.RESULT: local(5, 16, 30),
        Step.NUDGE: local(6, 8, 0),
        Step.NUDGE_AGAIN: local(8, 8, 0),
        Step.SUMMARY: local(12, 8, 0),
    }


def test_steps_follow_each_other_and_none_ends_before_it_began() -> None:
    for campaign in of_years(2026, 2030):
        found = moments(campaign)
        assert [m.at for m in found] == sorted(m.at for m in found)
        assert all(m.at < m.until for m in found)
        assert found[0].at.tzinfo is ZONE


def test_what_follows_and_what_is_too_late() -> None:
    campaign = usual("5-6", 2027)
    first = following(campaign)
    assert first is not None
    assert first.step == Step.PREPARE
    assert too_late(campaign, local(5, 6, 0)) == (Step.PREPARE, Step.INVITE, Step.EVE)
    told = replace(campaign, done=frozenset(Step))
    assert following(told) is None
    assert too_late(told, local(30, 0, 0)) == ()


def test_the_times_count_from_the_working_day() -> None:
    moved = replace(usual("5-6", 2027), day=date(2027, 6, 12), hour=time(14, 0))
    found = {moment.step: moment.at for moment in moments(moved)}
    assert found[Step.TODAY] == local(12, 5, 30)
    assert found[Step.EVE] == local(11, 18, 30)
    assert moved.starts == local(12, 14, 0)
