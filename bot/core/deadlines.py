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


def next_due(report: Report, commune: Commune, *, after: str = "") -> Due:
    """The moment (ms) and the step that come next, `after` one just taken; (None, "") at the end."""
    steps = list(_steps(report, commune))
    names = [name for _, name in steps]
    rest = steps[names.index(after) + 1 :] if after in names else steps
    return rest[0] if rest else (None, "")


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
