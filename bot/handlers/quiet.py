"""The night: what may wait until morning does, and what must be heard at once makes no needless sound."""

from dataclasses import replace
from datetime import datetime, time, timedelta

from bot.core import when
from bot.core.effects import Night, Say, ShowPhotos
from bot.core.events import (
    CutOff,
    DraftDue,
    FloodOver,
    MorningDue,
    NoticeDue,
    Overlooked,
    PhotoReady,
    ReportDue,
    Undelivered,
)
from bot.handlers.talk import Decision, Talk

# Nobody has just written these: an answer to them is no answer to a person.
OWN = (CutOff, DraftDue, FloodOver, MorningDue, NoticeDue, Overlooked, PhotoReady, ReportDue, Undelivered)


def hushed(talk: Talk, decision: Decision) -> Decision:
    """The decision with what would disturb a night's sleep held back until morning."""
    morning, rules, now = opens_at(talk), talk.commune.rules, talk.local_time
    silent = _morning(now, rules.silent_from, rules.silent_to) is not None
    if morning is None and not silent:
        return decision
    wait = 0 if morning is None else int((morning - now).total_seconds() * 1000) + 1
    own = isinstance(talk.incoming.event, OWN)
    effects = tuple(
        _hush(effect, wait, silent)
        if isinstance(effect, Say | ShowPhotos) and (own or effect.to != talk.here)
        else effect
        for effect in decision.effects
    )
    return replace(decision, effects=effects)


def opens_at(talk: Talk) -> datetime | None:
    """When rooms are written to again; None by day."""
    rules = talk.commune.rules
    return _morning(talk.local_time, rules.quiet_from, rules.quiet_to)


def _morning(now: datetime, starts: time, ends: time) -> datetime | None:
    """The end of the night that it is now, if it is one."""
    clock = now.time()
    night = (clock >= starts or clock < ends) if starts > ends else starts <= clock < ends
    if not night:
        return None
    day = now.date() if clock < ends else now.date() + timedelta(days=1)
    return datetime.combine(day, ends, when.ZONE)


def _hush(effect: Say | ShowPhotos, wait: int, silent: bool) -> Say | ShowPhotos:
    if effect.night == Night.LOUD:
        return effect
    if effect.night == Night.SILENT:
        return replace(effect, silent=silent) if isinstance(effect, Say) else effect
    return replace(effect, wait_ms=max(effect.wait_ms, wait))
