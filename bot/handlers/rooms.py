"""The office chooses which group becomes a unit's room, where a platform tells us of its groups."""

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from bot.core.commune import Commune
from bot.core.effects import Bind, Effect, Lane, Say
from bot.core.facts import Group
from bot.core.text import clip, fold
from bot.handlers import join, members
from bot.handlers.members import ANSWER_WORDS, BUTTONS_MAX, Asking
from bot.handlers.talk import Decision, Talk, World, unit_words

VERBS = ("rl", "rk", "ru", "rb")
# What the session keeps while it is asked which group, and, with its key, whose it shall be.
ROOM = "room"
LIST = f"{ROOM}:list"
BOUND = "bound"
NAME_MAX, LABEL_MAX = 60, 20
KEY_LENGTH = 10


def key_of(group: Group) -> str:
    """A short name for a button: what a platform calls a group may be long."""
    return sha256(group.address.key.encode()).hexdigest()[:KEY_LENGTH]


def choosing(chosen: str) -> bool:
    """Whether the session's choice is about a group."""
    return chosen.partition(":")[0].partition("-")[0] == ROOM


def units_named(world: World, chosen: str, text: str) -> tuple[str, ...]:
    """The units that an answer may name while it is asked whose the group shall be."""
    want, _, kind = chosen.partition(":")
    return members.named(world, kind, text) if want.startswith(f"{ROOM}-") else ()


# What is said and pressed ------------------------------------------------------------------------


def said(talk: Talk, text: str) -> Decision | None:
    """In private: words that ask for a group, or answer about one; None: they are about something else."""
    if talk.world.lexicon.means(text, "choose_room"):
        return show(talk)
    chosen = talk.session.chooses(talk.now)
    return _answered(talk, chosen, text) if choosing(chosen) else None


def _answered(talk: Talk, chosen: str, text: str) -> Decision | None:
    lexicon = talk.world.lexicon
    if lexicon.command(text) not in (None, "huy"):
        return None
    meanings = lexicon.meanings(text)
    if meanings & {"cancel", "enough", "no"}:
        return talk.go(talk.answer("join/let_go", rooms=True), choosing="")
    if chosen == LIST:
        return _named_group(talk, text)
    group = _find(talk, chosen.partition(":")[0].partition("-")[2])
    if group is None:
        return None
    units = units_named(talk.world, chosen, text) or (_likely(talk, group) if "yes" in meanings else ())
    if len(units) == 1:
        return bind(talk, group, units[0])
    if units:
        return members.offer(talk, _asking(group), "", units)
    other = lexicon.categories(text) or meanings or talk.session.draft is not None
    if other or len(text.split()) > ANSWER_WORDS:
        return None
    return members.which(talk, _asking(group), again=True)


def _named_group(talk: Talk, text: str) -> Decision | None:
    """A group by its name, or by the words of it that no other has."""
    words = f" {fold(text)} "
    meant = [group for group in talk.facts.groups if words.strip() and words in f" {fold(group.name)} "]
    return _ask_unit(talk, meant[0]) if len(meant) == 1 else None


def press(talk: Talk, verb: str, rest: str) -> Decision:
    if talk.here.group:
        return talk.stay(talk.answer("join/in_private"))
    first, _, more = rest.partition(":")
    if verb == "rl":
        return show(talk, bound=first == BOUND, start=_number(more))
    if not members.is_office(talk):
        return _office_only(talk)
    group = _find(talk, first)
    if group is None:
        # Zalo does not tell of it any more.
        return show(talk)
    unit, _, tail = more.partition(":")
    match verb:
        case "ru" if unit in members.GROUPS:
            return members.open_group(talk, _asking(group), unit, tail)
        case "rb" if unit in talk.commune.units:
            return bind(talk, group, unit, sure=tail == "yes")
    return _ask_unit(talk, group)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 5 else 0


def _office_only(talk: Talk) -> Decision:
    told = talk.answer("join/room_office_only", member=bool(talk.facts.me.roles))
    return talk.go(told, choosing="")


# Which group -------------------------------------------------------------------------------------


def show(talk: Talk, *, bound: bool = False, start: int = 0) -> Decision:
    """The groups that are nobody's room yet, or those that are, as buttons, a page at a time."""
    if not members.is_office(talk):
        return _office_only(talk)
    groups = sorted(talk.facts.groups, key=_order)
    if not groups:
        return talk.go(talk.answer("join/no_rooms"), choosing="")
    free = [group for group in groups if group.unit is None]
    taken = [group for group in groups if group.unit is not None]
    bound = bound or not free
    listed = taken if bound else free
    room = BUTTONS_MAX - (bool(taken) and not bound)
    paged = len(listed) > room
    start = start if paged and start < len(listed) else 0
    shown = listed[start : start + room - paged]
    after = start + len(shown) if start + len(shown) < len(listed) else 0
    rows = _rows(talk.commune, shown)
    question = talk.answer(
        "join/which_room",
        rows=rows,
        # A button has twenty letters: longer names are told above.
        spelt=bound or any(len(row["name"]) > LABEL_MAX for row in rows),
        bound=bound,
        none_free=not free,
        paged=paged,
        after=after,
        others=bool(taken) and not bound,
    )
    return talk.go(question, choosing=LIST, choosing_at=talk.now)


def _order(group: Group) -> tuple[str, str]:
    """By name, as people count: 2 comes before 10."""
    counted = re.sub(r"\d+", lambda found: found[0].zfill(6), fold(group.name))
    return counted, group.address.key


def _rows(commune: Commune, groups: Sequence[Group]) -> list[dict[str, Any]]:
    names = [name_of(group) for group in groups]
    labels = [_label(name) for name in names]
    if len({fold(label) for label in labels}) < len(labels):
        labels = [f"{number}. {label}"[:LABEL_MAX] for number, label in enumerate(labels, 1)]
    return [
        {
            "number": number,
            "name": name,
            "label": label,
            "key": key_of(group),
            "unit": _whose(commune, group),
        }
        for number, (group, name, label) in enumerate(zip(groups, names, labels, strict=True), 1)
    ]


def _whose(commune: Commune, group: Group) -> dict[str, str] | None:
    if group.unit is None or group.unit not in commune.units:
        return None
    return unit_words(commune, group.unit)


def _label(name: str) -> str:
    """The end of a long name: its beginning is the same for many."""
    if len(name) <= LABEL_MAX:
        return name
    tail = name[1 - LABEL_MAX :]
    # From a whole word on, if there is one.
    return f"…{tail.partition(' ')[2] or tail}"


def name_of(group: Group) -> str:
    """A name is one line, whatever a group is called."""
    return clip(" ".join(group.name.split()), NAME_MAX)


def _find(talk: Talk, key: str) -> Group | None:
    return next((group for group in talk.facts.groups if key_of(group) == key), None)


# Whose it shall be -------------------------------------------------------------------------------


def _ask_unit(talk: Talk, group: Group) -> Decision:
    if not members.is_office(talk):
        return _office_only(talk)
    return members.which(talk, _asking(group), likely=_likely(talk, group))


def _likely(talk: Talk, group: Group) -> tuple[str, ...]:
    """The unit that a group's name tells; several or none tell nothing."""
    villages = talk.world.lexicon.place(group.name).units
    if villages:
        return villages if len(villages) == 1 else ()
    told = f" {fold(group.name)} "
    named = [
        (len(fold(name)), unit.id)
        for unit in talk.commune.units.values()
        for name in (unit.name, *unit.aliases)
        if f" {fold(name)} " in told
    ]
    longest = {unit for length, unit in named if length == max(named)[0]}
    return tuple(longest) if len(longest) == 1 else ()


def _asking(group: Group) -> Asking:
    key = key_of(group)
    return Asking(f"{ROOM}-{key}", f"ru:{key}", lambda unit: f"rb:{key}:{unit}", name_of(group))


def bind(talk: Talk, group: Group, unit: str, *, sure: bool = False) -> Decision:
    """The group is the unit's room: asked first when that takes one away; all whom it concerns are told."""
    if not members.is_office(talk):
        return _office_only(talk)
    words = unit_words(talk.commune, unit)
    who = next((role.name for role in talk.facts.me.of(talk.commune.office)), "")
    data: dict[str, Any] = {"unit": words, "room": name_of(group), "who": who}
    if group.unit == unit:
        return talk.go(talk.answer("join/room_chosen", **data, before=True), choosing="")
    old = join.earlier_rooms(talk, unit, group.address)
    other = _whose(talk.commune, group)
    if (old or other) and not sure:
        question = talk.answer(
            "join/room_sure", **data, id=unit, key=key_of(group), other=other, old=bool(old)
        )
        return talk.go(question, choosing="")
    told: list[Effect] = [
        talk.answer("join/room_chosen", **data, before=False),
        Say(group.address, "join/bound", {"unit": words, "acts": group.acts}, Lane.UPDATE),
        *(Say(room, "join/room_moved", data, Lane.UPDATE) for room in old),
    ]
    colleagues = [ear for ear in talk.desk(talk.commune.office).ears if ear not in (talk.here, *old)]
    told += [Say(ear, "office/room_chosen", data, Lane.UPDATE) for ear in colleagues]
    late = join.catch_up(talk, group.address, unit)
    return talk.go(Bind(unit, group.address), *told, *late, choosing="")
