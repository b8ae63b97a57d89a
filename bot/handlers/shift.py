"""Who is on duty: alerts of the unit go to whoever holds the shift."""

from datetime import timedelta
from typing import Any

from bot.core import when
from bot.core.effects import Lane, Say, Shift
from bot.core.report import WAITING, Report
from bot.handlers.talk import Decision, Talk, about, unit_words


def _waits(report: Report, unit: str) -> bool:
    return report.desk == unit and report.status in WAITING


def _line(talk: Talk, report: Report) -> dict[str, Any]:
    by = when.spoken(when.local(report.ack_by), talk.facts.now)
    return about(report, talk.commune) | {"by": by}


def shift(talk: Talk, *, on: bool) -> Decision:
    """*Nhận ca*: alerts of the unit go to whoever is on duty; it ends by itself."""
    roles = sorted(talk.facts.me.roles, key=lambda role: role.unit != talk.commune.police)
    role = roles[0]
    ends = talk.local_time + timedelta(hours=talk.commune.rules.shift_hours)
    data = {
        "unit": unit_words(talk.commune, role.unit),
        "who": role.name,
        "until": when.spoken(ends, talk.facts.now),
        "on": on,
        # What only this officer was told of must not be left lying.
        "waiting": []
        if on
        else [_line(talk, report) for report in talk.facts.open_at if _waits(report, role.unit)],
    }
    desk = talk.desk(role.unit)
    others = [ear for ear in (*desk.reading, *desk.rooms, *desk.members) if ear != talk.here]
    told = [Say(ear, "duty/shift_news", data, Lane.UPDATE) for ear in others]
    return talk.stay(
        Shift(role.unit, when.ms(ends) if on else None), talk.answer("duty/shift", **data), *told
    )
