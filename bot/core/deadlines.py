"""What a report wants attention for next, and when: one chain of steps, in the order of time."""

from collections.abc import Iterator
from typing import Final

from bot.core import when
from bot.core.commune import Commune
from bot.core.report import CONFIRM_MS, RESOLVED, TAKEN, WAITING, Report

ACK: Final = "ack"
"""Nobody has answered by the deadline: the room is reminded."""
ACK_TWICE: Final = "ack2"
"""Nor by twice the deadline: the office is told."""
FIX: Final = "fix"
FIX_TWICE: Final = "fix2"
CONFIRM: Final = "confirm"
"""The reporter was silent for 14 days after it was closed."""

Due = tuple[int | None, str]


def next_due(report: Report, commune: Commune, *, before: Report | None = None, after: str = "") -> Due:
    """The moment (ms) and the step that come next; (None, "") at the end.

    `before` is the report as it was: what it had been reminded of is not said again, whoever took it since;
    a clock that was started anew has other moments. `after` is a step just taken.
    """
    done = set() if before is None else _acted_on(before, commune, after)
    rest = [due for due in _steps(report, commune) if due not in done]
    return rest[0] if rest else (None, "")


def _acted_on(report: Report, commune: Commune, after: str) -> set[tuple[int, str]]:
    """What came before the moment that the report waits for: all of it, when it waits for none."""
    waits = report.due_at
    return {
        due
        for due in _steps(report, commune)
        if waits is None or due < (waits, report.due_step) or due == (waits, after)
    }


def _steps(report: Report, commune: Commune) -> Iterator[tuple[int, str]]:
    if report.status == RESOLVED and report.closed_at is not None:
        yield report.closed_at + CONFIRM_MS, CONFIRM
    if report.status not in WAITING | TAKEN:
        return
    field = commune.field(report.field)
    ack, fix = when.local(report.ack_by), when.local(report.fix_by)
    chain = [
        (report.fix_by, FIX),
        (when.ms(when.fix_by(fix, field, commune)), FIX_TWICE),
    ]
    if report.status in WAITING:
        # The hours once more from the deadline on, inside the same window, are twice the deadline.
        chain += [(report.ack_by, ACK), (when.ms(when.ack_by(ack, field)), ACK_TWICE)]
    yield from sorted(chain)
