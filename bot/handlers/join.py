"""Becoming a member with a code, and making a group the room of a unit."""

from bot.core.commune import LEAD
from bot.core.effects import Bind, Burn, Effect, Heard, Join, Lane, Reach, Relocate, Say, Unbind, Unsubscribe
from bot.core.events import Address, Moved
from bot.core.facts import Refusal
from bot.core.session import WRONG_CODES_AN_HOUR
from bot.core.text import clean, clip
from bot.handlers import activity_words, hearing, pairing
from bot.handlers.alerts import alert, alert_data, play, show_photos
from bot.handlers.talk import Decision, Talk, unit_words

HOUR_MS = 3600 * 1000
NAME_MAX = 60


def code_given(talk: Talk) -> Decision:
    """An invite code, sent in private. Ten wrong ones in an hour and the door rests."""
    recent = tuple(moment for moment in talk.session.wrong_codes if talk.now - moment < HOUR_MS)
    if len(recent) >= WRONG_CODES_AN_HOUR:
        return talk.go(talk.answer("join/resting"), wrong_codes=recent)
    if talk.facts.pairing is not None:
        return pairing.given(talk, talk.facts.pairing)
    invite = talk.facts.invite
    if invite is None or not invite.usable:
        return talk.go(talk.answer("join/bad_code"), wrong_codes=(*recent, talk.now))
    name = clip(clean(talk.incoming.name).strip(), NAME_MAX) or talk.commune.unit(invite.unit).name
    joined = Join(invite.hash, invite.unit, invite.role, name)
    tells = bool(activity_words.kinds_of(talk, invite.unit))
    words = unit_words(talk.commune, invite.unit)
    welcome = talk.answer("join/welcome", unit=words, role=invite.role, tells=tells)
    return talk.go(
        joined, Reach(True), welcome, *catch_up(talk, talk.here, invite.unit, invite.role), wrong_codes=()
    )


def catch_up(talk: Talk, to: Address, unit: str, role: str = "") -> tuple[Effect, ...]:
    """Reports nobody could be told of are told to the first who can hear them."""

    def theirs(desk: str) -> bool:
        if desk == LEAD:
            return role == LEAD
        return desk == unit or (unit == talk.commune.office and role != LEAD)

    waiting = [report for report in talk.facts.unheard if theirs(report.desk)]
    if not waiting:
        return ()
    alerts: list[Effect] = []
    for report in waiting:
        data = alert_data(talk, report) | {"fallback": report.desk != unit}
        alerts.append(alert(talk, to, report, data))
        alerts.append(show_photos(talk, to, report))
        if hearing.listens(talk.commune, LEAD if report.desk == LEAD else unit):
            alerts += play(talk, to, report)
    return (*alerts, Heard(tuple(report.id for report in waiting)))


def bind(talk: Talk) -> Decision:
    """/ketnoi: in a group, by a member; a member of several units chooses which."""
    if not talk.here.group:
        return talk.stay(talk.answer("join/bind_in_group"))
    units = tuple(dict.fromkeys(role.unit for role in talk.facts.me.roles))
    if not units:
        return talk.stay(talk.answer("join/bind_members_only"))
    if len(units) > 1:
        offered = [{"id": unit, "label": talk.commune.unit(unit).name[:20]} for unit in units[:5]]
        return talk.stay(talk.answer("join/bind_which", offered=offered))
    return bind_to(talk, units[0], sure=False)


def bind_to(talk: Talk, unit: str, *, sure: bool) -> Decision:
    """The press of a unit's button, or the only unit there is: membership is checked here.

    A room is not taken away silently: the member confirms, the old room and the office are told.
    """
    if not talk.here.group:
        return talk.stay(talk.answer("join/bind_in_group"))
    if not talk.facts.me.of(unit):
        return talk.stay(talk.answer("join/bind_members_only"))
    words = unit_words(talk.commune, unit)
    old = earlier_rooms(talk, unit, talk.here)
    taken = talk.facts.room is not None and talk.facts.room != unit
    if (old or taken) and not sure:
        other = unit_words(talk.commune, talk.facts.room) if taken and talk.facts.room else words
        return talk.stay(talk.answer("join/bind_sure", unit=words, id=unit, taken=taken, other=other))
    data = {"unit": words, "who": talk.facts.me.of(unit)[0].name}
    ears = [*old, *talk.desk(talk.commune.office).ears] if old or taken else []
    news = [Say(ear, "join/room_moved", data, Lane.UPDATE) for ear in ears if ear != talk.here]
    bound = talk.answer("join/bound", unit=words, acts=talk.facts.acts)
    return talk.stay(Bind(unit), bound, *news, *catch_up(talk, talk.here, unit))


def earlier_rooms(talk: Talk, unit: str, new: Address) -> list[Address]:
    """The rooms that a unit loses when it gets a new one: it has one on each channel."""
    desk = talk.desk(unit)
    return [room for room in (*desk.rooms, *desk.reading) if room.channel == new.channel and room != new]


def code_exposed(talk: Talk) -> Decision:
    """A code written where others read it is burnt at once."""
    invite = talk.facts.invite
    burnt = (Burn(invite.hash),) if invite is not None and invite.usable else ()
    return talk.stay(*burnt, talk.answer("join/code_exposed"))


def entered(talk: Talk) -> Decision:
    if talk.here.group:
        return talk.stay(talk.answer("join/group_hello"))
    return talk.stay(Reach(True))


def left(talk: Talk) -> Decision:
    """The bot was removed from a room: the office hears of it, for alerts now go another way."""
    if not talk.here.group:
        return talk.stay(Reach(False))
    if talk.facts.room is None:
        return talk.stay()
    desk = talk.desk(talk.commune.office)
    data = {"unit": unit_words(talk.commune, talk.facts.room)}
    told = tuple(Say(ear, "join/room_lost", data, Lane.UPDATE) for ear in desk.ears if ear != talk.here)
    return talk.stay(Unbind(), *told)


def moved(talk: Talk, event: Moved) -> Decision:
    return talk.stay(Relocate(event.chat))


def unreachable(talk: Talk, refusal: Refusal) -> tuple[Effect, ...]:
    """The platform refused a chat for good: a room is nobody's any more, a person is not written to.

    Who blocked us when a reminder came wants no more of them, elsewhere neither, nor once they are back.
    """
    if talk.here.group:
        return left(talk).effects
    return (Reach(False), Unsubscribe()) if refusal.lane == Lane.REMINDER else (Reach(False),)
