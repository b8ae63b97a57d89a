"""A moment has come: a deadline, the end of a silence, the morning's digest, a flood that is over."""

from datetime import date
from typing import Any

from bot.core import when
from bot.core.commune import LEAD
from bot.core.deadlines import ACK, ACK_TWICE, CONFIRM, FIX, FIX_TWICE
from bot.core.effects import Effect, Lane, Say, Unhold
from bot.core.events import Address, MorningDue, ReportDue
from bot.core.form import ORDER
from bot.core.report import WAITING, Report
from bot.handlers.alerts import EMERGENCY, night_of
from bot.handlers.steps import step
from bot.handlers.talk import Decision, Talk, about, unit_words

LISTED_MAX = 10
DIGEST_BUTTONS = 5
UNITS_MAX = 12
MONDAY = 0


def report_due(talk: Talk, event: ReportDue) -> Decision:
    """Act on it once, and set what comes next; whatever changed the report meanwhile has set its own."""
    report = talk.facts.report
    # Never by the clock: it may have been set back since, and this event does not come a second time.
    if report is None or (report.due_at, report.due_step) != (event.moment, event.step):
        return talk.stay()
    if event.step == CONFIRM:
        return talk.stay(step(talk, report, "settle", after=CONFIRM)[1])
    _, change = step(talk, report, f"due_{event.step}", after=event.step)
    told = (
        _reminded(talk, report, event.step)
        if event.step in (ACK, FIX)
        else _escalated(talk, report, event.step)
    )
    return talk.stay(change, *told)


def _reminded(talk: Talk, report: Report, moment: str) -> list[Effect]:
    """The whole room is reminded, whoever holds the shift; of what is urgent, the unit's head, too."""
    desk = talk.desk(report.desk)
    urgent = report.field in (ORDER, EMERGENCY)
    ears = _unique(desk.all, desk.on_duty, desk.heads if urgent else ())
    told: list[Effect] = [_say(talk, ear, "duty/reminder", report, moment) for ear in ears]
    if report.field == EMERGENCY:
        told += _escalated(talk, report, moment)
    # What the receipt promised is excused when it was not kept.
    phones = {"duty": "", **talk.commune.phones}
    excuse = talk.tell_reporter(report, "resident/late", moment=moment, **phones)
    return [*told, *excuse]


def _escalated(talk: Talk, report: Report, moment: str) -> list[Effect]:
    """At twice the deadline the office is told; of what is urgent, those who lead, too.

    An emergency that nobody took does not wait so long.
    """
    office, lead = talk.desk(talk.commune.office), talk.desk(LEAD)
    if report.desk == LEAD:
        ears = lead.all
    elif report.desk == talk.commune.office or report.field in (ORDER, EMERGENCY):
        ears = _unique(office.all, lead.all)
    else:
        ears = office.all
    return [_say(talk, ear, "office/overdue", report, moment) for ear in ears]


def _say(talk: Talk, ear: Address, message: str, report: Report, moment: str) -> Say:
    now = talk.local_time
    at = report.ack_by if moment in (ACK, ACK_TWICE) else report.fix_by
    data = about(report, talk.commune) | {
        "moment": moment,
        "waiting": report.status in WAITING,
        "by": when.spoken(when.local(at), now),
        "who": report.taken_name,
        "twice": moment in (ACK_TWICE, FIX_TWICE),
    }
    key = f"deadline/{report.code}/{moment}/{at}/{ear.key}"
    night = night_of(talk, report.field, report.desk)
    return Say(ear, message, data, Lane.UPDATE, report=report.id, key=key, night=night)


# The morning -------------------------------------------------------------------------------------


def morning(talk: Talk, event: MorningDue) -> Decision:
    briefed = _briefing(talk, event) if _is_briefing(event) else []
    return talk.stay(*briefed, *_digest(talk, event), *_unreached(talk, event))


def _digest(talk: Talk, event: MorningDue) -> list[Say]:
    reports = talk.facts.open_at
    if not reports:
        return []
    data = {
        "desk": unit_words(talk.commune, event.unit),
        "reports": [_line(talk, report) for report in reports[:LISTED_MAX]],
        "count": talk.facts.open_count,
        "waiting": next((r.code for r in reports if r.status in WAITING and r.desk == event.unit), ""),
    }
    return _each(talk, event, "duty/digest", data)


def _unreached(talk: Talk, event: MorningDue) -> list[Say]:
    """Whom the office may have to call, as they could not be written to; it alone may call."""
    found = talk.facts.unreached
    if found is None:
        return []
    # Those who left a number first: they can be called at once.
    reports = sorted(found.reports, key=lambda report: not report[1])
    units = [unit_words(talk.commune, unit) for unit in found.units if unit in talk.commune.units]
    data = {
        "channels": [{"channel": channel, "people": people} for channel, people in found.people],
        "reports": [{"code": code, "phone": phone} for code, phone in reports[:LISTED_MAX]],
        "more": max(0, len(reports) - LISTED_MAX),
        "units": units[:UNITS_MAX],
    }
    return _each(talk, event, "office/unreached", data)


def _is_briefing(event: MorningDue) -> bool:
    """Those who lead hear of their own reports every morning, and of the whole commune on Mondays."""
    return event.unit == LEAD and date.fromisoformat(event.day).weekday() == MONDAY


def _briefing(talk: Talk, event: MorningDue) -> list[Say]:
    """Monday: how the whole commune stands, the most overdue units first."""
    # What is about officials is in nobody's figures but theirs who deal with it.
    counts = sorted(talk.facts.counts, key=lambda count: (-count.late, -count.open, count.unit))
    rows = [
        {"unit": unit_words(talk.commune, c.unit), "open": c.open, "late": c.late, "closed": c.closed}
        for c in counts
    ]
    data = {
        "units": [row for row in rows if row["open"]][:UNITS_MAX],
        "open": sum(c.open for c in counts),
        "late": sum(c.late for c in counts),
        "closed": sum(c.closed for c in counts),
        "more": max(0, sum(bool(c.open) for c in counts) - UNITS_MAX),
    }
    return _each(talk, event, "office/briefing", data)


def _each(talk: Talk, event: MorningDue, message: str, data: dict[str, Any]) -> list[Say]:
    # The same data for many is rendered once: a room's, and everybody's own.
    told = {group: data | {"private": not group} for group in (False, True)}
    return [
        Say(ear, message, told[ear.group], Lane.REMINDER, key=f"{message}/{event.unit}/{event.day}/{ear.key}")
        for ear in talk.desk(event.unit).all
    ]


def _line(talk: Talk, report: Report) -> dict[str, Any]:
    now = talk.local_time
    by = report.ack_by if report.status in WAITING else report.fix_by
    return about(report, talk.commune) | {
        "filed": when.spoken(when.local(report.filed_at), now),
        "by": when.spoken(when.local(by), now),
        "late": by < talk.now,
        "who": report.taken_name,
    }


# Floods ------------------------------------------------------------------------------------------


def flood_over(talk: Talk) -> Decision:
    """What this chat waited for, in one message; nothing that was closed meanwhile."""
    waiting = [report for report in talk.facts.held if report.is_open]
    effects: list[Effect] = [Unhold(talk.here)]
    if waiting:
        data = {
            "reports": [_line(talk, report) for report in waiting[:LISTED_MAX]],
            "count": len(waiting),
            "offered": [r.code for r in waiting] if len(waiting) <= DIGEST_BUTTONS else [],
        }
        effects.insert(0, Say(talk.here, "duty/flood", data, Lane.ALERT))
    return talk.stay(*effects)


def _unique(*ears: tuple[Address, ...]) -> tuple[Address, ...]:
    return tuple(dict.fromkeys(ear for some in ears for ear in some))
