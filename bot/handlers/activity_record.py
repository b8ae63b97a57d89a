"""An activity is written down, and somebody else is asked to confirm it."""

from dataclasses import replace
from typing import Any

from bot.core.activity import TOLD, evidence
from bot.core.commune import LEAD
from bot.core.effects import Effect, KeepActivity, Lane, Say
from bot.core.events import Address
from bot.core.facts import Role
from bot.core.indicators import name_key
from bot.core.session import Telling
from bot.handlers import activity_words
from bot.handlers.talk import Decision, Talk

# Two alike within so long may be one, told twice.
TWINS_MS = 3 * 24 * 3600 * 1000


def record(talk: Talk, telling: Telling, *kept: Effect) -> Decision:
    """Written down now; somebody else of the unit is asked, or the office where there is nobody else."""
    role = next((r for r in talk.facts.me.roles if r.unit == telling.unit), None)
    if role is None:
        return nothing(talk)
    data = activity_words.of_telling(talk, telling) | {
        "who": role.name,
        "partners": [],
        "twin": _twin(talk, telling),
    }
    ears, office = who_confirms(talk, telling.unit, talk.facts.me.person)
    told = replace(talk.answer("activity/recorded", **data, asked=bool(ears), office=office), fresh=True)
    asked = data | {"office": office}
    asks = [Say(ear, "activity/confirm", asked, Lane.UPDATE, fresh=True) for ear in ears]
    after = replace(telling, step="told", at=talk.now)
    return talk.go(*kept, KeepActivity(_columns(talk, telling, role)), told, *asks, telling=after)


def _twin(talk: Talk, telling: Telling) -> int:
    """The number of one just like it that the unit told lately; 0 when there is none."""
    alike = (
        one.id
        for one in talk.facts.activities
        if one.counts
        and (one.unit, one.kind, one.number) == (telling.unit, telling.kind, telling.number)
        and name_key(one.name) == name_key(telling.name)
        and talk.now - one.at <= TWINS_MS
    )
    return next(alike, 0)


def _columns(talk: Talk, telling: Telling, role: Role) -> dict[str, Any]:
    total = activity_words.total_of(talk, telling)
    return {
        "kind": telling.kind,
        "unit": telling.unit,
        "year": talk.commune.plan.year_of(talk.local_time.date()),
        "number": telling.number if total is None or telling.number is None else min(telling.number, total),
        "of": telling.of if total is None else total,
        "measure": telling.measure,
        "name": telling.name,
        "words": telling.words,
        "state": TOLD,
        "told_by": talk.facts.me.person,
        "told_name": role.name,
        "evidence": evidence(telling.id),
    }


def who_confirms(talk: Talk, unit: str, teller: str | None) -> tuple[list[Address], bool]:
    """The chats of the unit's other members; of the office's, and True, when there is nobody else."""
    others = [
        member
        for member in talk.facts.members
        if member.unit == unit and member.person != teller and member.role != LEAD
    ]
    ears = list(dict.fromkeys(Address(*chat) for member in others for chat in member.chats[:1]))
    if others and ears:
        return [ear for ear in ears if ear != talk.here], False
    return [ear for ear in talk.desk(talk.commune.office).members if ear != talk.here], True


def nothing(talk: Talk) -> Decision:
    return talk.go(talk.answer("activity/not_yours"), telling=None)
