"""Who is on duty: alerts of the unit go to whoever holds the shift."""

from datetime import timedelta

from bot.core import when
from bot.core.effects import Lane, Say, Shift
from bot.handlers.talk import Decision, Talk, unit_words


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
    }
    desk = talk.desk(role.unit)
    others = [ear for ear in (*desk.rooms, *desk.members) if ear != talk.here]
    told = [Say(ear, "duty/shift_news", data, Lane.UPDATE) for ear in others]
    return talk.stay(
        Shift(role.unit, when.ms(ends) if on else None), talk.answer("duty/shift", **data), *told
    )
