"""Who may confirm, correct or see an activity, looked up at every press; and who hears what became of it."""

from bot.core.activity import STRUCK, Activity
from bot.core.effects import Lane, Say
from bot.core.events import Address
from bot.handlers import activity_record, activity_words, members
from bot.handlers.talk import Talk


def knows(talk: Talk, found: Activity) -> bool:
    """Members of the units that did it, and the office; to anybody else it does not exist."""
    mine = any(talk.facts.me.of(unit) for unit in (found.unit, *found.partners))
    return mine or members.is_office(talk)


def why_not(talk: Talk, found: Activity) -> str:
    """Empty when the sender may, else why not: nobody confirms what they told themselves."""
    if found.told_by == talk.facts.me.person:
        return "own"
    if talk.facts.me.of(found.unit):
        return ""
    _, alone = activity_record.who_confirms(talk, found.unit, found.told_by)
    return "" if members.is_office(talk) and alone else "other"


def may_correct(talk: Talk, found: Activity) -> bool:
    """The office always; whoever told it, as long as nobody confirmed it."""
    own = found.told_by == talk.facts.me.person and not found.confirmed
    return members.is_office(talk) or own


def rights(talk: Talk, found: Activity) -> list[str]:
    if found.state == STRUCK:
        return []
    confirms = not found.confirmed and not why_not(talk, found)
    return [*(["confirm", "doubt"] if confirms else []), *(["correct"] if may_correct(talk, found) else [])]


def name_here(talk: Talk, found: Activity) -> str:
    """The name by which the sender is known in the unit, or in the office."""
    roles = talk.facts.me.of(found.unit) or talk.facts.me.roles
    return roles[0].name


def tell_teller(talk: Talk, found: Activity, what: str, why: str = "") -> list[Say]:
    data = activity_words.of_activity(talk, found) | {"what": what, "mine": False, "why": why}
    return [Say(ear, "activity/changed", data, Lane.UPDATE) for ear in _teller(talk, found)]


def _teller(talk: Talk, found: Activity) -> list[Address]:
    """Where whoever told it reads, if they still belong to the unit; else whoever does."""
    own = [member for member in talk.facts.members if member.person == found.told_by]
    rows = own or [member for member in talk.facts.members if member.unit == found.unit]
    ears = dict.fromkeys(Address(*chat) for member in rows for chat in member.chats[:1])
    return [ear for ear in ears if ear != talk.here]
