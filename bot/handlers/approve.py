"""A notice is let go by somebody who did not write it, goes out, may be broken off, and is accounted for."""

import json
from datetime import datetime
from typing import Any

from bot.core import when
from bot.core.effects import Broadcast, Effect, Lane, Night, Say, SetNotice, StopBroadcast
from bot.core.events import Address, Incoming, NoticeDue, Pressed, Words
from bot.core.notice import (
    OVER,
    REFUSED,
    RUNNING,
    WAITING,
    WITHDRAWN,
    Notice,
    NoticeNeed,
)
from bot.core.text import clip
from bot.handlers import announce, noticed
from bot.handlers.announce import NOTHING
from bot.handlers.members import is_office
from bot.handlers.noticed import message, my_name, tally, told, whom
from bot.handlers.talk import Decision, Talk, World

VERBS = ("nd",)
SAID = ("notice_approve", "notice_refuse", "notice_progress", "notice_stop")
QUESTION = "?"
LISTED = 4
LABEL = 20


def needed(incoming: Incoming, world: World) -> NoticeNeed | None:
    match incoming.event:
        case NoticeDue(notice):
            return NoticeNeed(notice)
        case Pressed(action) if action.partition(":")[0] in VERBS:
            return NoticeNeed(_number(action.rpartition(":")[2]))
        case Words(text) if _meant(world, text):
            return NoticeNeed(recent=True)
    return None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else None


def _meant(world: World, text: str) -> str:
    """Which of the words about notices a message is; empty for any other."""
    if text.strip() and not text.strip().strip(QUESTION):
        return "notice_progress"
    meanings = world.lexicon.meanings(text)
    return next((kind for kind in SAID if kind in meanings), "")


# What is said and pressed ------------------------------------------------------------------------


def said(talk: Talk, text: str) -> Decision | None:
    """Words about a notice that waits or is on its way; None without one."""
    recent = (talk.facts.notices or NOTHING).recent
    meant = _meant(talk.world, text)
    if not meant or talk.facts.notices is None or (talk.here.group and not _in_office(talk)):
        return None
    if meant in ("notice_approve", "notice_refuse"):
        waiting = [one for one in recent if one.state == WAITING]
        if not waiting:
            return talk.stay(talk.answer("office/notice_none"))
        return _decided(talk, waiting, approved=meant == "notice_approve")
    running = [one for one in recent if one.state == RUNNING]
    if not running:
        return None
    return _progress(talk, running[0]) if meant == "notice_progress" else _ask_stop(talk, running[0])


def _in_office(talk: Talk) -> bool:
    return talk.facts.room == talk.commune.office and talk.facts.acts


def _decided(talk: Talk, waiting: list[Notice], *, approved: bool) -> Decision:
    theirs = [one for one in waiting if not _wrong(talk, one)]
    if len(theirs) > 1:
        return talk.stay(talk.answer("office/notice_which", listed=_listed(talk, theirs[:LISTED])))
    return (_approve if approved else _refuse)(talk, (theirs or waiting)[0])


def _listed(talk: Talk, some: list[Notice]) -> list[dict[str, Any]]:
    """Each with a label of its own, even where two begin alike."""
    rows = [told(talk, one) for one in some]
    labels = [clip(row["opening"], LABEL) for row in rows]
    if len(set(labels)) < len(labels):
        labels = [clip(f"{number}. {label}", LABEL) for number, label in enumerate(labels, 1)]
    return [row | {"label": label} for row, label in zip(rows, labels, strict=True)]


def press(talk: Talk, rest: str) -> Decision:
    one = (talk.facts.notices or NOTHING).one
    if talk.here.group and not _in_office(talk):
        return talk.stay(talk.answer("join/in_private"))
    if one is None:
        return talk.stay(talk.answer("office/notice_gone"))
    match rest.partition(":")[0]:
        case "ok":
            return _approve(talk, one)
        case "no":
            return _refuse(talk, one)
        case "back" | "edit" as deed:
            return _taken_back(talk, one, again=deed == "edit")
        case "stop":
            return _ask_stop(talk, one)
        case "stopyes":
            return _stop(talk, one)
    return _look(talk, one)


# Let go, or not -----------------------------------------------------------------------------------


def _wrong(talk: Talk, one: Notice) -> str:
    """Why this person may not decide it: empty when they may. Checked at every press and word."""
    me, notices = talk.facts.me, talk.facts.notices or NOTHING
    if not me.person or one.author is None or one.author == me.person:
        return "own"
    allowed = {decider.person for decider in announce.deciders(notices, one.author)}
    return "" if me.person in allowed else "office_first"


def _refused_decision(talk: Talk, one: Notice) -> Decision | None:
    if one.state != WAITING:
        return _past(talk, one)
    wrong = _wrong(talk, one)
    return talk.stay(talk.answer("office/notice_not_you", why=wrong)) if wrong else None


def _past(talk: Talk, one: Notice) -> Decision:
    return talk.stay(talk.answer("office/notice_past", **told(talk, one)))


def _approve(talk: Talk, one: Notice) -> Decision:
    refused = _refused_decision(talk, one)
    if refused is not None:
        return refused
    starts, until = noticed.hours(talk)
    text = {"": message(talk, one.text, one.audience)}
    later = starts > talk.local_time
    begins = when.ms(starts) if later else None
    ear = talk.here
    effects: list[Effect] = [
        SetNotice(one.id, WAITING, RUNNING, _decider(talk)),
        Broadcast(one.key, "resident/notice", text, when.ms(until), one.audience.key, begins),
    ]
    effects += [_following(talk, one, to, starts if later else None) for to in _both(one, ear)]
    return talk.stay(*effects)


def _both(one: Notice, ear: Address) -> tuple[Address, ...]:
    return tuple(dict.fromkeys((ear, *((one.author_ear,) if one.author_ear is not None else ()))))


def _decider(talk: Talk) -> dict[str, Any]:
    return {
        "decided_at": talk.now,
        "decider": talk.facts.me.person,
        "decider_name": my_name(talk),
        "decider_ear": json.dumps(_ear(talk.here)),
    }


def _ear(here: Address) -> dict[str, Any]:
    return {"channel": here.channel, "chat": here.chat, "group": here.group}


def _progress_key(one: Notice, ear: Address) -> str:
    """The message that changes while a notice goes out."""
    return f"{one.key}/progress/{ear.key}"


def _following(talk: Talk, one: Notice, ear: Address, starts: datetime | None) -> Say:
    data = {
        "id": one.id,
        "mine": ear != talk.here,
        "decider": my_name(talk),
        "to": whom(talk, one.audience),
        "starts": None if starts is None else when.spoken(starts, talk.facts.now),
    }
    return Say(ear, "office/notice_approved", data, Lane.UPDATE, key=_progress_key(one, ear))


def _refuse(talk: Talk, one: Notice) -> Decision:
    refused = _refused_decision(talk, one)
    if refused is not None:
        return refused
    data = told(talk, one) | {"decider": my_name(talk)}
    effects: list[Effect] = [SetNotice(one.id, WAITING, REFUSED, _decider(talk))]
    effects.append(talk.answer("office/notice_refused", **data, mine=False))
    if one.author_ear is not None and one.author_ear != talk.here:
        effects.append(Say(one.author_ear, "office/notice_refused", data | {"mine": True}, Lane.UPDATE))
    return talk.stay(*effects)


def _taken_back(talk: Talk, one: Notice, *, again: bool) -> Decision:
    """Only by who wrote it, as long as nobody let it go: what was shown for approval is void with that."""
    if one.author != talk.facts.me.person or not is_office(talk):
        return talk.stay(talk.answer("office/notice_not_you", why="author"))
    if one.state not in (WAITING, REFUSED) or (one.state == REFUSED and not again):
        return _past(talk, one)
    gone = [SetNotice(one.id, WAITING, WITHDRAWN)] if one.state == WAITING else []
    if again:
        return announce.rewrite(talk, one.text, one.audience, *gone)
    return talk.stay(*gone, talk.answer("office/notice_withdrawn"))


def _look(talk: Talk, one: Notice) -> Decision:
    """One of several that wait, once more and with its choices."""
    if one.state == RUNNING:
        return _progress(talk, one)
    if one.state != WAITING:
        return _past(talk, one)
    data = {"id": one.id, "author": one.author_name, "to": whom(talk, one.audience), "reach": None}
    shown = talk.answer("resident/notice", **message(talk, one.text, one.audience))
    return talk.stay(shown, talk.answer("office/notice_decide", **data))


# On its way ---------------------------------------------------------------------------------------


def _progress(talk: Talk, one: Notice) -> Decision:
    return talk.stay(talk.answer("office/notice_running", **told(talk, one)))


def _may_stop(talk: Talk, one: Notice) -> bool:
    """Anybody of the office may, and whoever let it go."""
    return is_office(talk) or (bool(talk.facts.me.person) and talk.facts.me.person == one.decider)


def _ask_stop(talk: Talk, one: Notice) -> Decision:
    if not _may_stop(talk, one):
        return talk.stay(talk.answer("office/notice_not_you", why="office_only"))
    if one.state != RUNNING or (one.finished and one.starts_at is None):
        return _past(talk, one)
    return talk.stay(talk.answer("office/notice_stop_sure", **told(talk, one)))


def _stop(talk: Talk, one: Notice) -> Decision:
    if not _may_stop(talk, one):
        return talk.stay(talk.answer("office/notice_not_you", why="office_only"))
    if one.state != RUNNING or one.stopped_name:
        return _past(talk, one)
    by = SetNotice(one.id, RUNNING, RUNNING, {"stopped_name": my_name(talk)})
    return talk.stay(by, StopBroadcast(one.key), talk.answer("office/notice_stopping", **told(talk, one)))


def due(talk: Talk) -> Decision:
    """It has got further: what was said of it says so; once it is through, its result."""
    one = (talk.facts.notices or NOTHING).one
    if one is None or one.state != RUNNING:
        return talk.stay()
    data = told(talk, one)
    if not one.finished:
        return talk.stay(*(_edit(one, ear, data) for ear in one.ears))
    ended = {"ended_at": talk.now, "result": json.dumps(dict(one.counts))}
    data |= {"over": True, **tally(one.counts)}
    effects: list[Effect] = [SetNotice(one.id, RUNNING, OVER, ended)]
    effects += [_edit(one, ear, data) for ear in one.ears]
    effects += [
        Say(ear, "office/notice_result", data, Lane.UPDATE, key=f"{one.key}/result/{ear.key}")
        for ear in one.ears
    ]
    return talk.stay(*effects)


def _edit(one: Notice, ear: Address, data: dict[str, Any]) -> Say:
    # It makes no sound: there is nothing to wait for.
    return Say(
        ear,
        "office/notice_running",
        data,
        Lane.UPDATE,
        edits=_progress_key(one, ear),
        night=Night.SILENT,
    )
