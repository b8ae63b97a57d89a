"""A notice in words: what it says, to whom, whom it reaches, what became of it, when it may go out."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from bot.core import when
from bot.core.commune import LEAD
from bot.core.notice import OVER, ROLES, VILLAGES, Audience, Notice, Reach
from bot.core.text import clip
from bot.handlers import quiet
from bot.handlers.members import NAME_MAX, OFFICE
from bot.handlers.talk import Talk

# A notice that could not go out before the night begins waits for the next morning.
ENOUGH = timedelta(minutes=30)
OPENING = 60
NAMED_MAX = 20


def message(talk: Talk, text: str, meant: Audience) -> dict[str, Any]:
    """What the notice itself says."""
    return {"text": text, "commune": talk.commune.name, "members": meant.kind == ROLES}


def whom(talk: Talk, meant: Audience) -> dict[str, Any]:
    units = [talk.commune.unit(name).name for name in meant.names] if meant.kind == VILLAGES else []
    roles = list(meant.names) if meant.kind == ROLES else []
    every = meant.kind == VILLAGES and len(units) == len(talk.commune.villages)
    return {"kind": meant.kind, "units": units[:NAMED_MAX], "roles": roles, "every": every}


def reach_words(reach: Reach) -> dict[str, Any]:
    return {
        "people": reach.people,
        "told": reach.told,
        "missed": reach.missed,
        "channels": [
            {"channel": one.channel, "told": one.told, "paid": one.paid, "left": one.left}
            for one in reach.channels
            if one.told
        ],
    }


def told(talk: Talk, one: Notice) -> dict[str, Any]:
    """A notice for a list or a sentence."""
    at = one.decided_at or one.made_at
    return {
        "id": one.id,
        "opening": clip(" ".join(one.text.split()), OPENING),
        "state": one.state,
        "author": one.author_name,
        "decider": one.decider_name,
        "stopped": one.stopped_name,
        "at": when.spoken(when.local(at), talk.facts.now),
        "starts": starts_words(talk, one.starts_at),
        "to": whom(talk, one.audience),
        "over": one.state == OVER,
        **tally(one.counts, one.flying),
    }


def tally(counts: Mapping[str, int], flying: int = 0) -> dict[str, Any]:
    """What became of all recipients; the parts are all of them."""
    named = ("sent", "refused", "unreachable", "unknown", "stopped", "skipped", "unwanted", "waiting")
    found = {name: counts.get(name, 0) for name in named}
    found["unknown"] -= flying
    found["waiting"] += flying
    return {"counts": found, "all": sum(found.values()), "done": sum(found.values()) - found["waiting"]}


def starts_words(talk: Talk, starts: int | None) -> dict[str, Any] | None:
    """When it will begin; None when it has."""
    if starts is None or starts <= talk.now:
        return None
    return when.spoken(when.local(starts), talk.facts.now)


def my_name(talk: Talk) -> str:
    own = next((role.name for role in talk.facts.me.roles if role.role in (OFFICE, LEAD)), "")
    return clip(" ".join(own.split()), NAME_MAX)


# When it may go out -------------------------------------------------------------------------------


def hours(talk: Talk) -> tuple[datetime, datetime]:
    """From when to when a notice that is let go now may go out: never at night."""
    rules = talk.commune.rules
    starts = quiet.opens_at(talk) or talk.local_time
    until = _next(starts, rules.quiet_from)
    if until - starts < ENOUGH:
        starts = _next(until, rules.quiet_to)
        until = _next(starts, rules.quiet_from)
    return starts, until


def _next(moment: datetime, clock: time) -> datetime:
    """The first time after the moment that clocks show this."""
    same_day = datetime.combine(moment.date(), clock, when.ZONE)
    return same_day if same_day > moment else same_day + timedelta(days=1)
