"""When a clean-up day is spoken of, to whom, and until when it is still of use."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final

from bot.core.campaign import Campaign
from bot.core.when import ZONE, ms


class Step(StrEnum):
    """What is said about a campaign, in order."""

    PREPARE = "prepare"
    INVITE = "invite"
    EVE = "eve"
    TODAY = "today"
    RESULT = "result"
    NUDGE = "nudge"
    NUDGE_AGAIN = "nudge_again"
    SUMMARY = "summary"


UNITS: Final = frozenset({Step.PREPARE, Step.EVE, Step.TODAY, Step.RESULT, Step.NUDGE, Step.NUDGE_AGAIN})
RESIDENTS: Final = frozenset({Step.INVITE, Step.EVE, Step.TODAY})


@dataclass(frozen=True, slots=True)
class Moment:
    """When a step is due, and when it is too late for it."""

    step: Step
    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class _Rule:
    """Days from the working day, and the hour; of use until the rule `until` is due, else for `lasts`."""

    step: Step
    days: int
    hour: time
    until: Step | None = None
    lasts: timedelta = timedelta(0)


_MORNING, _EVENING = time(8, 0), time(18, 30)
_RULES: Final = (
    _Rule(Step.PREPARE, -7, _MORNING, until=Step.EVE),
    _Rule(Step.INVITE, -3, _EVENING, until=Step.EVE),
    _Rule(Step.EVE, -1, _EVENING, until=Step.TODAY),
    _Rule(Step.TODAY, 0, time(5, 30), lasts=timedelta(hours=3)),
    _Rule(Step.RESULT, 0, time(16, 30), until=Step.NUDGE),
    _Rule(Step.NUDGE, 1, _MORNING, until=Step.NUDGE_AGAIN),
    _Rule(Step.NUDGE_AGAIN, 3, _MORNING, until=Step.SUMMARY),
    _Rule(Step.SUMMARY, 7, _MORNING, lasts=timedelta(days=60)),
)


def moments(campaign: Campaign) -> tuple[Moment, ...]:
    """All steps of a campaign as its working day has them, in order."""
    at = {rule.step: _at(campaign, rule) for rule in _RULES}
    return tuple(
        Moment(rule.step, at[rule.step], at[rule.until] if rule.until else at[rule.step] + rule.lasts)
        for rule in _RULES
    )


def _at(campaign: Campaign, rule: _Rule) -> datetime:
    return datetime.combine(campaign.day + timedelta(days=rule.days), rule.hour, ZONE)


def following(campaign: Campaign) -> Moment | None:
    """The first step that was neither told nor let go."""
    return next((moment for moment in moments(campaign) if moment.step not in campaign.done), None)


def kept(campaign: Campaign) -> dict[str, Any]:
    """The columns of a campaign that change; `due_at` (ms) is when its next step is due."""
    upcoming = following(campaign)
    return {
        "day": campaign.day.isoformat(),
        "hour": campaign.hour.isoformat("minutes"),
        "done": " ".join(sorted(campaign.done)),
        "due_at": None if upcoming is None else ms(upcoming.at),
    }


def too_late(campaign: Campaign, now: datetime) -> tuple[Step, ...]:
    """Steps whose time is over and that were never told: a day switched off, a move to an earlier day."""
    return tuple(m.step for m in moments(campaign) if m.step not in campaign.done and m.until <= now)
