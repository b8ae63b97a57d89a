"""One step of a report along its table, with the clock that it starts."""

from dataclasses import replace
from typing import Any

from bot.core import when
from bot.core.deadlines import next_due
from bot.core.effects import Change
from bot.core.report import STEPS, Report
from bot.handlers.talk import Talk


def step(
    talk: Talk, report: Report, action: str, note: str = "", *, after: str = "", **values: Any
) -> tuple[Report, Change]:
    """The report as it stands then, and the change that brings it there.

    `values` are columns of a report; `after` a moment's step that was just taken. An action that is not in
    the table changes no status.
    """
    status = STEPS[action].after if action in STEPS else report.status
    moved = replace(report, **({"status": status} | values))
    due_at, due_step = next_due(moved, talk.commune, before=report, after=after)
    timed = {"due_at": due_at, "due_step": due_step}
    change = Change(
        report.id,
        report.version,
        action,
        report.status,
        moved.status,
        {"status": status} | values | timed,
        note,
    )
    return replace(moved, version=report.version + 1, due_at=due_at, due_step=due_step), change


def new_clocks(talk: Talk, report: Report) -> dict[str, int]:
    """Both deadlines from now on: a reopened or forwarded report is new work."""
    field, here = talk.commune.field(report.field), talk.local_time
    return {
        "ack_by": when.ms(when.ack_by(here, field)),
        "fix_by": when.ms(when.fix_by(here, field, talk.commune)),
    }
