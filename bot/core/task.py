"""A task that the office gives to units, with a date: what it is, and when it is spoken of."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final

from bot.core.commune import Commune
from bot.core.when import ZONE, is_working_day, ms

# What a task's id begins with, beside those of clean-up days.
PREFIX: Final = "nv-"
OPEN, CLOSED, CANCELLED = "open", "closed", "cancelled"
TEXT_MAX: Final = 600
MORNING: Final = time(8, 0)
# What nobody closed is listed once; a program that was off for longer lists it no more.
LISTED_FOR: Final = timedelta(days=30)


class TaskStep(StrEnum):
    """What is said about a task after it was given, in order."""

    EVE = "eve"
    TODAY = "today"
    NUDGE = "nudge"
    NUDGE_AGAIN = "nudge_again"
    LISTED = "listed"


TO_SILENT: Final = frozenset({TaskStep.EVE, TaskStep.TODAY, TaskStep.NUDGE, TaskStep.NUDGE_AGAIN})
# Working days from the day on which it is due.
_DAYS: Final = {
    TaskStep.EVE: -1,
    TaskStep.TODAY: 0,
    TaskStep.NUDGE: 1,
    TaskStep.NUDGE_AGAIN: 3,
    TaskStep.LISTED: 4,
}


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of `units` until `day`; `done` are the steps told or let go, `version` grows."""

    number: int
    text: str
    day: date
    units: tuple[str, ...]
    made_by: str = ""
    state: str = OPEN
    done: frozenset[str] = frozenset()
    version: int = 0

    @property
    def id(self) -> str:
        return f"{PREFIX}{self.number}"

    @property
    def is_open(self) -> bool:
        return self.state == OPEN


@dataclass(frozen=True, slots=True)
class TaskDraft:
    """A task that is being written: its slots fill in any order; `asked` is the question that stands open."""

    text: str = ""
    units: tuple[str, ...] = ()
    day: str = ""
    asked: str = ""
    at: int = 0

    @property
    def missing(self) -> str:
        """The slot that is asked for next; empty when nothing is."""
        slots = {"text": self.text, "units": self.units, "day": self.day}
        return next((slot for slot, filled in slots.items() if not filled), "")


def number_of(id: str) -> int | None:
    """The number in a task's id; None: it is the id of something else."""
    rest = id.removeprefix(PREFIX)
    known = id.startswith(PREFIX) and rest.isascii() and rest.isdecimal() and len(rest) < 9
    return int(rest) if known else None


def moments(task: Task, commune: Commune) -> dict[TaskStep, datetime]:
    """When each step is due. Nobody is reminded on a day off, but for the day that was set."""
    return {
        step: datetime.combine(_working(task.day, days, commune), MORNING, ZONE)
        for step, days in _DAYS.items()
    }


def _working(day: date, days: int, commune: Commune) -> date:
    """So many working days from a day."""
    step, left = timedelta(days=1 if days > 0 else -1), abs(days)
    while left:
        day += step
        left -= is_working_day(day, commune)
    return day


def following(task: Task, commune: Commune) -> tuple[TaskStep, datetime] | None:
    """The first step that was neither told nor let go; of a task that is over, none."""
    open_ = [(step, at) for step, at in moments(task, commune).items() if step not in task.done]
    return open_[0] if open_ and task.is_open else None


def too_late(task: Task, commune: Commune, now: datetime) -> frozenset[TaskStep]:
    """Steps that are of no use any more: the next one is due, or it is too long ago."""
    found = list(moments(task, commune).items())
    ends = [at for _, at in found[1:]] + [found[-1][1] + LISTED_FOR]
    return frozenset(step for (step, _), end in zip(found, ends, strict=True) if end <= now)


def past(task: Task, commune: Commune, now: datetime) -> frozenset[TaskStep]:
    """Steps whose moment is over when a task is given: it has just been spoken of."""
    return frozenset(step for step, at in moments(task, commune).items() if at <= now)


def kept(task: Task, commune: Commune) -> dict[str, Any]:
    """The columns of a task that change; `due_at` (ms) is when its next step is due."""
    upcoming = following(task, commune)
    return {
        "state": task.state,
        "done": " ".join(sorted(task.done)),
        "due_at": None if upcoming is None else ms(upcoming[1]),
    }
