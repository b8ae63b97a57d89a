"""A report under way: somebody is at it, gives a date, or waits for somebody who has no chat."""

from datetime import date, datetime, timedelta
from typing import Any

from bot.core import when
from bot.core.days import day_in
from bot.core.effects import Effect, Say
from bot.core.facts import Role
from bot.core.report import IN_PROGRESS, PAUSES_MAX, Report, may_follow
from bot.core.text import clip, fold
from bot.handlers.owing import REASON_MAX, as_it_is, owe, tell_desk, tell_office
from bot.handlers.steps import step
from bot.handlers.talk import Decision, Talk, about

# A day further away than this is no appointment.
FURTHEST_DAYS = 60
# "thứ 6 chờ xe" has a reason in it, "ngày mai nhé" has none.
REASON_WORDS = 4


def start(talk: Talk, report: Report, role: Role) -> Decision:
    if not may_follow(report.status, "start"):
        return talk.stay(as_it_is(talk, report))
    taken = taken_on(talk, report, role)
    moved, change = step(talk, report, "start", **taken)
    data = about(moved, talk.commune) | {"who": taken["taken_name"]}
    told = tell_desk(talk, report, "duty/started", data)
    return talk.stay(change, *told, *talk.tell_reporter(moved, "resident/started"))


def taken_on(talk: Talk, report: Report, role: Role) -> dict[str, Any]:
    return {
        "taken_by": report.taken_by or talk.facts.me.person,
        "taken_name": report.taken_name or role.name,
    }


def later(talk: Talk, report: Report, role: Role, rest: str) -> Decision:
    """*Hẹn ngày*: a day and a reason, by button or in one line; twice at most."""
    refused = _no_pause(talk, report)
    if refused is not None:
        return talk.stay(refused)
    if rest.isdecimal() and len(rest) <= 2:
        return put_off(talk, report, role, today(talk) + timedelta(days=int(rest)), "")
    return owe(talk, report, "later", "", "duty/ask_date")


def said_later(talk: Talk, report: Report, role: Role, text: str) -> Decision:
    """ "Hẹn thứ 6, chờ xe": all in one line."""
    refused = _no_pause(talk, report)
    if refused is not None:
        return talk.stay(refused)
    day = day_in(text, today(talk))
    return (
        owe(talk, report, "later", "", "duty/ask_date")
        if day is None
        else put_off(talk, report, role, day, text)
    )


def _no_pause(talk: Talk, report: Report) -> Say | None:
    if not may_follow(report.status, "postpone"):
        return as_it_is(talk, report)
    if report.pauses >= PAUSES_MAX:
        return talk.answer("duty/no_more_dates", **about(report, talk.commune))
    return None


def put_off(talk: Talk, report: Report, role: Role, day: date | None, text: str) -> Decision:
    if day is None or not today(talk) <= day <= today(talk) + timedelta(days=FURTHEST_DAYS):
        return owe(talk, report, "later", "", "duty/ask_date")
    if len(text.split()) < (REASON_WORDS if day_in(text, today(talk)) else 1):
        return owe(talk, report, "later", day.isoformat(), "duty/ask_why", day=_spoken(talk, day))
    return postpone(talk, report, role, day, text)


def postpone(talk: Talk, report: Report, role: Role, day: date, reason: str) -> Decision:
    return _paused(talk, report, role, day, clip(_why(talk, reason), REASON_MAX), "postpone")


def _why(talk: Talk, text: str) -> str:
    """Of "hẹn thứ 6 vì chờ xe" or "thứ 6, chờ xe" only what tells why."""
    because = {fold(word) for word in talk.commune.words.get("because", ())}
    words = text.split()
    for at, word in enumerate(words[:-1], 1):
        if fold(word) in because:
            return " ".join(words[at:])
    day, comma, rest = " ".join(words).partition(",")
    return rest.strip() if comma and rest.strip() and day_in(day, today(talk)) else " ".join(words)


def ask_help(talk: Talk, report: Report, role: Role, rest: str) -> Decision:
    """*Nhờ xã*: the deadline waits for somebody who has no chat; the office is told."""
    refused = _no_pause(talk, report)
    if refused is not None:
        return talk.stay(refused)
    partner, _, days = rest.partition(":")
    if partner not in {known.id for known in talk.commune.partners}:
        offered = [{"id": known.id, "label": known.label} for known in talk.commune.partners]
        data = about(report, talk.commune) | {"offered": offered}
        return talk.stay(talk.answer("duty/ask_partner", **data))
    if not (days.isdecimal() and len(days) <= 2):
        name = _partner(talk, partner)
        return owe(talk, report, "help", partner, "duty/ask_help_date", partner=partner, name=name)
    return help_until(talk, report, role, partner, today(talk) + timedelta(days=int(days)))


def help_until(talk: Talk, report: Report, role: Role, partner: str, day: date | None) -> Decision:
    name = _partner(talk, partner)
    if day is None or not today(talk) <= day <= today(talk) + timedelta(days=FURTHEST_DAYS):
        return owe(talk, report, "help", partner, "duty/ask_help_date", partner=partner, name=name)
    return _paused(talk, report, role, day, name, "ask_help")


def _partner(talk: Talk, partner: str) -> str:
    return next((known.name for known in talk.commune.partners if known.id == partner), partner)


def _paused(talk: Talk, report: Report, role: Role, day: date, reason: str, action: str) -> Decision:
    """The deadline moves to the end of that day, and everybody concerned is told."""
    refused = _no_pause(talk, report)
    if refused is not None:
        return talk.go(refused, closings=talk.session.settled(report.code))
    ends = when.ms(datetime.combine(day, when.DAY_ENDS, when.ZONE))
    values: dict[str, Any] = {"fix_by": ends, "pauses": report.pauses + 1, "waits_for": reason}
    if report.status == IN_PROGRESS:
        values["status"] = IN_PROGRESS
    moved, change = step(talk, report, action, reason, **(values | taken_on(talk, report, role)))
    helps = action == "ask_help"
    data = about(moved, talk.commune) | {
        "who": role.name,
        "day": _spoken(talk, day),
        "reason": reason,
        "helps": helps,
        "last": moved.pauses >= PAUSES_MAX,
    }
    told: list[Effect] = [*tell_desk(talk, report, "duty/postponed", data)]
    if helps:
        told += tell_office(talk, report, "office/help_wanted", data)
    public = {"day": data["day"], "reason": reason, "helps": helps}
    told += talk.tell_reporter(moved, "resident/postponed", **public)
    return talk.go(change, *told, closings=talk.session.settled(report.code))


def today(talk: Talk) -> date:
    return talk.local_time.date()


def _spoken(talk: Talk, day: date) -> dict[str, Any]:
    return when.spoken(datetime.combine(day, when.DAY_ENDS, when.ZONE), talk.facts.now)
