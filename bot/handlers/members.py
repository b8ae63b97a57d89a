"""Who belongs to a unit: invites, the list, and letting somebody go, by the unit's heads and the office."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bot.core import when
from bot.core.commune import LEAD
from bot.core.effects import Dismiss, Effect, Lane, MakeInvite, Say
from bot.core.events import Address
from bot.core.facts import Member
from bot.core.invite import LIFE_MS, USUAL
from bot.core.text import clip
from bot.core.unitwords import HEAD, MEMBERS
from bot.core.unitwords import USUAL as USUALLY
from bot.handlers.talk import Decision, Talk, World, unit_words

VERBS = ("inv", "mem", "uk", "rm", "rmy")
# Kinds of units that one button opens.
GROUPS: dict[str, tuple[str, ...]] = {
    "village": ("village",),
    "school": ("school",),
    "desk": ("police", "office"),
    "body": ("department", "association"),
}
WANTS = (MEMBERS, USUALLY, HEAD)
OFFICE = "office"
BUTTONS_MAX = 5
LISTED_MAX = 12
REMOVABLE = 4
NAME_MAX, LABEL_NAME_MAX = 60, 12
ANSWER_WORDS = 4


# Who may -----------------------------------------------------------------------------------------


def is_office(talk: Talk) -> bool:
    return any(role.role == OFFICE for role in talk.facts.me.of(talk.commune.office))


def headed(talk: Talk) -> tuple[str, ...]:
    """The units whose named head the sender is."""
    units = (role.unit for role in talk.facts.me.roles if role.role == HEAD)
    return tuple(unit for unit in dict.fromkeys(units) if unit in talk.commune.units)


def manages(talk: Talk, unit: str) -> bool:
    """Checked whenever something is asked or pressed, never by who was shown the button."""
    return unit in talk.commune.units and (is_office(talk) or unit in headed(talk))


def roles_for(talk: Talk, unit: str) -> tuple[str, ...]:
    """The roles that the sender may invite to, the usual one first."""
    if not manages(talk, unit):
        return ()
    usual = USUAL[talk.commune.unit(unit).kind]
    if not is_office(talk):
        return (usual,)
    return (usual, HEAD, LEAD) if unit == talk.commune.office else (usual, HEAD)


# What is said and pressed ------------------------------------------------------------------------


def said(talk: Talk, text: str) -> Decision | None:
    """Words of somebody who manages members; None: they are about something else."""
    if not talk.facts.me.roles:
        return None
    lexicon = talk.world.lexicon
    asked = lexicon.units.asked(text)
    if asked is None or lexicon.categories(text):
        return None if talk.here.group else _answered(talk, text)
    if talk.here.group:
        # In a room "mời" is said to each other, too.
        meant = asked.units and bool(is_office(talk) or headed(talk))
        return talk.stay(talk.answer("join/in_private")) if meant else None
    return _of_units(talk, asked.want, asked.units)


def _answered(talk: Talk, text: str) -> Decision | None:
    """The answer to the question which unit; None: it is about something else."""
    want, _, group = talk.session.chooses(talk.now).partition(":")
    lexicon = talk.world.lexicon
    if want not in WANTS or lexicon.command(text) not in (None, "huy"):
        return None
    if lexicon.meanings(text) & {"cancel", "enough", "no"}:
        return talk.go(talk.answer("join/let_go", rooms=False), choosing="")
    units = named(talk.world, group, text)
    if units:
        return _of_units(talk, want, units)
    other = lexicon.categories(text) or lexicon.meanings(text) or talk.session.draft is not None
    if other or len(text.split()) > ANSWER_WORDS:
        return None
    return _which_of_all(talk, want, again=True)


def named(world: World, group: str, text: str) -> tuple[str, ...]:
    """The units that an answer names; of a group that was opened, one by its number."""
    if text.strip().isdecimal() and group != "village" and group in GROUPS:
        units = (unit for unit in world.commune.units.values() if unit.kind in GROUPS[group])
        return tuple(unit.id for unit in units if unit.name.split()[-1] == text.strip())
    return world.lexicon.units.named(text)


def press(talk: Talk, verb: str, rest: str) -> Decision:
    if talk.here.group:
        return talk.stay(talk.answer("join/in_private"))
    if not (is_office(talk) or headed(talk)):
        return _no_right(talk)
    first, _, more = rest.partition(":")
    match verb:
        case "inv":
            return invite(talk, first, more)
        case "mem":
            return show(talk, first, int(more) if more.isdecimal() and len(more) < 5 else 0)
        case "uk":
            return _open_group(talk, first, *more.partition(":")[::2])
        case "rm" | "rmy":
            return let_go(talk, first, sure=verb == "rmy")
    return _no_right(talk)


def _no_right(talk: Talk) -> Decision:
    own = [talk.commune.unit(unit).name for unit in headed(talk)[:BUTTONS_MAX]]
    return talk.go(talk.answer("join/no_right", own=own), choosing="")


# Which unit --------------------------------------------------------------------------------------


def _of_units(talk: Talk, want: str, units: tuple[str, ...]) -> Decision:
    """The one unit that is meant; several, or none, are asked about."""
    office = is_office(talk)
    if not (office or headed(talk)) or (want in (HEAD, LEAD) and not office):
        return _no_right(talk)
    if not units and office:
        return _which_of_all(talk, want)
    meant = tuple(unit for unit in units or headed(talk) if manages(talk, unit))
    if not meant:
        return _no_right(talk)
    if len(meant) > 1:
        return offer(talk, _asking(want), "", meant)
    return show(talk, meant[0]) if want == MEMBERS else invite(talk, meant[0], want)


@dataclass(frozen=True, slots=True)
class Asking:
    """What a unit is asked for: `want` as the session keeps it, what its buttons do, `room` for a group.

    `opens` is the beginning of the action that opens a kind of units, `action` that of a unit.
    """

    want: str
    opens: str
    action: Callable[[str], str]
    room: str = ""


def which(talk: Talk, asking: Asking, *, again: bool = False, likely: tuple[str, ...] = ()) -> Decision:
    """Which of all units, by kind; a `likely` one is one press away."""
    kinds = {unit.kind for unit in talk.commune.units.values()}
    groups = [group for group, theirs in GROUPS.items() if kinds & set(theirs)]
    data = {"want": asking.want, "room": asking.room, "opens": asking.opens}
    offered = _buttons(talk, asking, likely[: BUTTONS_MAX - len(groups)])
    question = talk.answer("join/which_unit", **data, groups=groups, again=again, likely=offered)
    return talk.go(question, choosing=asking.want, choosing_at=talk.now)


def open_group(talk: Talk, asking: Asking, group: str, start: str) -> Decision:
    units = tuple(unit.id for unit in talk.commune.units.values() if unit.kind in GROUPS[group])
    return offer(talk, asking, group, units, int(start) if start.isdecimal() and len(start) < 5 else 0)


def offer(talk: Talk, asking: Asking, group: str, units: tuple[str, ...], start: int = 0) -> Decision:
    """These units as buttons, a page at a time; a typed name or number is understood as well."""
    whole = len(units) <= BUTTONS_MAX
    start = 0 if whole or start >= len(units) else start
    shown = units if whole else units[start : start + BUTTONS_MAX - 1]
    after = start + len(shown) if start + len(shown) < len(units) else 0
    data = {"want": asking.want, "room": asking.room, "opens": asking.opens, "group": group}
    offered = _buttons(talk, asking, shown)
    question = talk.answer("join/which_of_these", **data, offered=offered, paged=not whole, after=after)
    return talk.go(question, choosing=f"{asking.want}:{group}", choosing_at=talk.now)


def _buttons(talk: Talk, asking: Asking, units: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"label": talk.commune.unit(unit).name[:20], "action": asking.action(unit)} for unit in units]


def _asking(want: str) -> Asking:
    return Asking(want, f"uk:{want}", partial(_action, want))


def _action(want: str, unit: str) -> str:
    return f"mem:{unit}" if want == MEMBERS else f"inv:{unit}:{want}"


def _which_of_all(talk: Talk, want: str, *, again: bool = False) -> Decision:
    if not is_office(talk):
        return offer(talk, _asking(want), "", headed(talk))
    return which(talk, _asking(want), again=again)


def _open_group(talk: Talk, want: str, group: str, start: str) -> Decision:
    if want not in WANTS or group not in GROUPS or not is_office(talk):
        return _no_right(talk)
    return open_group(talk, _asking(want), group, start)


# Invites -----------------------------------------------------------------------------------------


def invite(talk: Talk, unit: str, role: str) -> Decision:
    """A code for one more member, and the sentence to hand on with it."""
    roles = roles_for(talk, unit)
    role = roles[0] if roles and role == USUALLY else role
    if role not in roles:
        return _no_right(talk)
    words = unit_words(talk.commune, unit)
    until = when.spoken(when.local(talk.now + LIFE_MS), talk.facts.now)
    data = {"unit": words, "id": unit, "role": role, "until": until}
    others = [other for other in roles if other != role]
    told = replace(talk.answer("join/invited", **data, others=others), fresh=True)
    ready = replace(talk.answer("join/invitation", **data), fresh=True)
    return talk.go(MakeInvite(unit, role), told, ready, choosing="")


# Members -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with all their roles in one unit; `id` is the number of the first."""

    id: int
    person: str
    name: str
    roles: tuple[str, ...]
    since: int
    on_shift: bool
    chats: tuple[tuple[str, str], ...]


def people_of(talk: Talk, unit: str) -> list[Person]:
    """Everybody of the unit once, its heads first."""
    rows: dict[str, list[Member]] = {}
    for member in talk.facts.members:
        if member.unit == unit:
            rows.setdefault(member.person, []).append(member)
    people = [_person(talk, some) for some in rows.values()]
    return sorted(people, key=lambda one: (HEAD not in one.roles, one.id))


def _person(talk: Talk, rows: list[Member]) -> Person:
    first = rows[0]
    return Person(
        first.id,
        first.person,
        # A name is one line, whatever the platform let somebody call themselves.
        clip(" ".join(first.name.split()), NAME_MAX),
        tuple(dict.fromkeys(row.role for row in rows)),
        min(row.joined_at for row in rows),
        any(row.shift_until is not None and row.shift_until > talk.now for row in rows),
        first.chats,
    )


def show(talk: Talk, unit: str, start: int = 0) -> Decision:
    """The members of a unit, those from `start` on; the first four of them can be let go by a press."""
    if not manages(talk, unit):
        return _no_right(talk)
    people = people_of(talk, unit)
    start = start if start < len(people) else 0
    shown = people[start : start + LISTED_MAX]
    after = start + REMOVABLE if start + REMOVABLE < len(people) else 0
    listed = [_line(talk, one, start + at) for at, one in enumerate(shown, 1)]
    data: dict[str, Any] = {"unit": unit_words(talk.commune, unit), "id": unit, "count": len(people)}
    rest = max(0, len(people) - start - len(shown))
    paged = len(people) > REMOVABLE
    told = talk.answer("join/members", **data, listed=listed, rest=rest, paged=paged, after=after)
    return talk.go(told, choosing="")


def _line(talk: Talk, one: Person, number: int) -> dict[str, Any]:
    return {
        "number": number,
        "id": one.id,
        "name": one.name,
        "label": clip(one.name, LABEL_NAME_MAX),
        "roles": list(one.roles),
        "since": when.spoken(when.local(one.since), talk.facts.now),
        "on_shift": one.on_shift,
        "mine": one.person == talk.facts.me.person,
    }


def let_go(talk: Talk, number: str, *, sure: bool) -> Decision:
    """Somebody is to be no member any more: asked once, then done at once, and they are told."""
    row = next((member for member in talk.facts.members if str(member.id) == number), None)
    if row is None:
        return talk.stay(talk.answer("join/gone"))
    if not manages(talk, row.unit):
        return _no_right(talk)
    people = people_of(talk, row.unit)
    one = next(person for person in people if person.person == row.person)
    others = [person for person in people if person.person != one.person]
    mine = one.person == talk.facts.me.person
    data = {"unit": unit_words(talk.commune, row.unit), "id": row.unit, "name": one.name, "mine": mine}
    if OFFICE in one.roles and not any(OFFICE in other.roles for other in others):
        return talk.stay(talk.answer("join/last_office", **data))
    headless = HEAD in one.roles and not any(HEAD in other.roles for other in others)
    if not sure:
        return talk.go(talk.answer("join/remove_sure", **data, member=one.id, headless=headless), choosing="")
    effects: list[Effect] = [Dismiss(one.person, row.unit)]
    if mine:
        effects.append(talk.answer("join/you_left", **data))
    else:
        effects.append(talk.answer("join/removed", **data, headless=headless))
    chats = (Address(channel, chat) for channel, chat in one.chats)
    effects += [Say(chat, "join/you_left", data, Lane.UPDATE) for chat in chats if chat != talk.here]
    if headless:
        effects += _tell_office(talk, data)
    return talk.go(*effects, choosing="")


def _tell_office(talk: Talk, data: dict[str, Any]) -> list[Effect]:
    """A unit without a head has nobody who invites: the office hears of it."""
    office = talk.commune.office
    by = next((role.name for role in talk.facts.me.roles), "")
    ears = talk.desk(office).ears
    told = data | {"by": clip(" ".join(by.split()), NAME_MAX)}
    return [Say(ear, "office/no_head", told, Lane.UPDATE) for ear in ears if ear != talk.here]
