"""Tasks that were given: what units owe, what the office sees of them, and how they end."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.core.effects import Effect, Lane, Say, SetTask, ShowEvidence
from bot.core.events import TaskDue
from bot.core.facts import Assigned, Result
from bot.core.task import CANCELLED, CLOSED, TO_SILENT, Task, TaskStep, following, kept, too_late
from bot.core.text import as_figures, clip, fold
from bot.handlers import givetask, takepart
from bot.handlers.campaign import TAKING_PART
from bot.handlers.campaign import words as campaign_words
from bot.handlers.members import is_office
from bot.handlers.takepart import task_words
from bot.handlers.talk import Decision, Talk, World, unit_words

VERBS = ("tk", "tkclose", "tkoff", "tkoffy", "tkpic")
PHOTOS_SHOWN = 2
SHOWN_MAX, BUTTONS_MAX = 8, 4
ROWS_MAX, NOTE_MAX = 15, 60
# What a task's number stands behind, or a result's.
_NUMBERED = re.compile(r"(?:nhiem vu|viec)(?: so)? (\d{1,5})")
_TAKES = re.compile(r"(?:toi |da |xin )*nhan (?:nhiem vu|viec)(?: so)? (\d{1,5})")
_TELLS = re.compile(r"(?:bao |gui |nop )?ket qua(?: cua)?(?: nhiem vu| viec)?(?: so)? (\d{1,5})")
# What stands in session.choosing after the list: a number is then a task's.
LISTED = "task:list"


def about_tasks(world: World, text: str) -> bool:
    """Whether words may be about tasks: then those that are open must be known."""
    lexicon, plain = world.lexicon, fold(text)
    lists = lexicon.meanings(text) & {"task", "my_tasks", "accepts_task", "tells_result"}
    numbered = any(form.fullmatch(plain) for form in (_NUMBERED, _TAKES, _TELLS))
    return bool(lists) or numbered or lexicon.begins(text, "task") or lexicon.command(text) == "nhiemvu"


# What is said and pressed ------------------------------------------------------------------------


def said(talk: Talk, text: str) -> Decision | None:
    """Words about tasks; None: they are about something else, or by somebody who has none."""
    alert = talk.incoming.replied is not None and talk.facts.answered.startswith("duty/")
    if not talk.facts.me.roles or alert or not about_tasks(talk.world, text):
        return None
    plain, meanings = fold(text), talk.world.lexicon.meanings(text)
    for form, verb in ((_NUMBERED, "tk"), (_TAKES, "acc"), (_TELLS, "res")):
        if found := form.fullmatch(plain):
            return _of_number(talk, int(found[1]), verb)
    if meanings & {"accepts_task", "tells_result"}:
        return _of_mine(talk, "acc" if "accepts_task" in meanings else "res")
    if "my_tasks" in meanings or not is_office(talk):
        return mine(talk) if "my_tasks" in meanings or _is_command(talk, text) else None
    return givetask.begin(talk, _behind_the_command(talk, text))


def _is_command(talk: Talk, text: str) -> bool:
    return talk.world.lexicon.command(text) == "nhiemvu"


def _behind_the_command(talk: Talk, text: str) -> str:
    """What "giao viec …" asks for."""
    if talk.world.lexicon.means(text, "task"):
        return ""
    if text.startswith("/"):
        return text.partition(" ")[2].strip()
    return (talk.world.lexicon.after(text, "task") or "").lstrip(" :,.-")


def said_number(talk: Talk, text: str) -> Decision | None:
    """A bare number after the list is a task's."""
    figures, told = as_figures(text.strip()), talk.session.tells_result(talk.now)
    listed = talk.session.chooses(talk.now) == LISTED and told is None
    number = int(figures) if figures.isdecimal() and len(figures) < 6 else None
    return _of_number(talk, number, "tk") if listed and number is not None else None


def press(talk: Talk, verb: str, rest: str) -> Decision:
    work = talk.facts.task
    if work is None or not (is_office(talk) or _own(talk, work.task)):
        return talk.stay(talk.answer("task/unknown"))
    if verb == "tk":
        return view(talk, work)
    if not is_office(talk):
        return talk.stay(talk.answer("task/office_only"))
    if verb == "tkpic":
        return _photos(talk, work)
    if not work.task.is_open:
        return talk.stay(talk.answer("task/over", **task_words(talk, work.task)))
    if verb == "tkoff":
        return talk.stay(talk.answer("task/ask_cancel", **task_words(talk, work.task)))
    return _ended(talk, work, CLOSED if verb == "tkclose" else CANCELLED)


def _own(talk: Talk, task: Task) -> tuple[str, ...]:
    """The sender's units that have to do it."""
    units = dict.fromkeys(role.unit for role in talk.facts.me.roles)
    return tuple(unit for unit in units if unit in task.units)


def _of_number(talk: Talk, number: int, verb: str) -> Decision | None:
    found = next((work for work in talk.facts.tasks if work.task.number == number), None)
    if found is None:
        work = talk.facts.task
        found = work if work is not None and work.task.number == number else None
    reports = (*talk.facts.open_here, *talk.facts.mine)
    if any(int(report.code.rpartition("-")[2]) == number for report in reports):
        # "Việc 12", "nhận việc 12": a report that the sender knows has that number.
        return None
    if found is None or not (is_office(talk) or _own(talk, found.task)):
        return talk.stay(talk.answer("task/unknown")) if verb == "tk" else None
    own = _own(talk, found.task)
    if verb == "tk" or not own:
        return view(talk, found)
    return takepart.press(_with(talk, found), verb, f"{found.id}:{_unit(own, found)}")


def _with(talk: Talk, work: Assigned) -> Talk:
    return replace(talk, facts=replace(talk.facts, task=work, campaign=None))


def _unit(own: tuple[str, ...], work: Assigned) -> str:
    """Of several units of one person, the first that has told nothing yet."""
    silent = [unit for unit in own if not _reported(work, unit)]
    return (silent or list(own))[0]


def _of_mine(talk: Talk, verb: str) -> Decision | None:
    """ "Báo kết quả", "đã nhận" without a number: of the only thing that waits for it, or asked which."""
    works = [work for work in talk.facts.tasks if _waits(talk, work, verb)]
    cleanup, unit = talk.facts.campaign, _cleans(talk, verb)
    if cleanup is not None and unit and not works:
        return takepart.press(talk, verb, f"{cleanup.id}:{unit}")
    if len(works) == 1 and not unit:
        return _of_number(talk, works[0].task.number, verb)
    return mine(talk) if works else None


def _cleans(talk: Talk, verb: str) -> str:
    """The sender's unit that may say this of the clean-up day; a result only once it has come."""
    cleanup = talk.facts.campaign
    units = [role.unit for role in talk.facts.me.roles if talk.commune.unit(role.unit).kind in TAKING_PART]
    if cleanup is None or not units:
        return ""
    today, told = talk.local_time.date(), cleanup.results.get(units[0]) or Result(units[0])
    if verb == "acc":
        return units[0] if cleanup.campaign.day >= today and told.accepted is None else ""
    return units[0] if cleanup.campaign.day <= today else ""


def _waits(talk: Talk, work: Assigned, verb: str) -> bool:
    own = _own(talk, work.task)
    told = [work.results.get(unit) or Result(unit) for unit in own]
    return any((one.accepted if verb == "acc" else one.reported) is None for one in told)


# What units and the office see --------------------------------------------------------------------


def mine(talk: Talk) -> Decision:
    """What is open: of the sender's units, for the office of all."""
    office = is_office(talk)
    works = [work for work in talk.facts.tasks if office or _own(talk, work.task)]
    cleanup, unit = talk.facts.campaign, _cleans(talk, "res")
    day = campaign_words(talk, cleanup.campaign) if cleanup is not None and unit else {}
    data = {
        "office": office,
        "tasks": [_row(talk, work) for work in works[:SHOWN_MAX]],
        "count": len(works),
        "cleanup": {**day, "unit": unit} if day else None,
    }
    return talk.go(talk.answer("task/mine", **data), choosing=LISTED, choosing_at=talk.now)


def _row(talk: Talk, work: Assigned) -> dict[str, Any]:
    own = _own(talk, work.task)
    told = work.results.get(_unit(own, work)) if own else None
    state = "silent" if told is None or told.accepted is None else "accepted"
    done = sum(_reported(work, unit) for unit in work.task.units)
    return task_words(talk, work.task) | {
        "task": clip(work.task.text, 80),
        "mine": "" if not own else "reported" if told is not None and told.reported else state,
        "done": done,
        "of": len(work.task.units),
    }


def view(talk: Talk, work: Assigned) -> Decision:
    """The whole of one: for its units what they owe, for the office who did what."""
    own = _own(talk, work.task)
    if not is_office(talk):
        unit = _unit(own, work)
        told = work.results.get(unit) or Result(unit)
        data = task_words(talk, work.task) | {"unit": unit_words(talk.commune, unit), "id": unit}
        data |= {"accepted": told.accepted is not None, "reported": told.reported is not None}
        return talk.stay(talk.answer("task/one", **data, amounts=told.amounts, kept=told.note))
    return talk.stay(talk.answer("task/board", **board(talk, work)))


def board(talk: Talk, work: Assigned) -> dict[str, Any]:
    reported = [unit for unit in work.task.units if _reported(work, unit)]
    accepted = [u for u in work.task.units if u not in reported and _accepted(work, u)]
    silent = [u for u in work.task.units if u not in reported and u not in accepted]
    return task_words(talk, work.task) | {
        "rows": [_told(talk, work.results[unit]) for unit in reported[:ROWS_MAX]],
        "more": [unit_words(talk.commune, unit) for unit in reported[ROWS_MAX:]],
        "accepted": [unit_words(talk.commune, unit) for unit in accepted],
        "silent": [unit_words(talk.commune, unit) for unit in silent],
        "done": len(reported),
        "of": len(work.task.units),
    }


def _photos(talk: Talk, work: Assigned) -> Decision:
    """What units sent with their results, for the office that gave the task."""
    shown = [
        ShowEvidence(
            talk.here,
            "task/photo",
            takepart.purpose_of(work.id, unit),
            PHOTOS_SHOWN,
            {"number": work.task.number, "unit": unit_words(talk.commune, unit)},
        )
        for unit in work.task.units
        if _reported(work, unit)
    ]
    return talk.stay(talk.answer("task/photos", **task_words(talk, work.task)), *shown)


def _told(talk: Talk, result: Result) -> Mapping[str, Any]:
    unit = unit_words(talk.commune, result.unit)
    return {"unit": unit, "amounts": result.amounts, "note": clip(result.note, NOTE_MAX)}


def _reported(work: Assigned, unit: str) -> bool:
    told = work.results.get(unit)
    return told is not None and told.reported is not None


def _accepted(work: Assigned, unit: str) -> bool:
    told = work.results.get(unit)
    return told is not None and told.accepted is not None


# As time goes ------------------------------------------------------------------------------------


def due(talk: Talk, event: TaskDue) -> Decision:
    """Let go what is too late, tell what is due, and set what comes next; once for each version."""
    work = talk.facts.task
    if work is None or work.task.version != event.version:
        return talk.stay()
    task = replace(work.task, done=work.task.done | too_late(work.task, talk.commune, talk.local_time))
    step = following(task, talk.commune)
    told: list[Effect] = []
    if step is not None and step[1] <= talk.local_time:
        task = replace(task, done=task.done | {step[0]})
        told = [*_spoken_of(talk, replace(work, task=task), step[0])]
    return talk.stay(SetTask(task.number, event.version, kept(task, talk.commune)), *told)


def _spoken_of(talk: Talk, work: Assigned, step: TaskStep) -> list[Say]:
    if step not in TO_SILENT:
        data = board(talk, work)
        key = f"job/{work.task.number}/{step}"
        ears = talk.desk(talk.commune.office).all
        return [Say(ear, "task/listed", data, Lane.REMINDER, key=f"{key}/{ear.key}") for ear in ears]
    waiting = [unit for unit in work.task.units if not _reported(work, unit)]
    again = step == TaskStep.NUDGE_AGAIN
    return [
        say
        for unit in waiting
        for say in givetask.tell(
            talk, work.task, unit, str(step), Lane.REMINDER, again=again, accepted=_accepted(work, unit)
        )
    ]


def _ended(talk: Talk, work: Assigned, state: str) -> Decision:
    """Closed or cancelled: told to every unit, and nobody is reminded any more."""
    task = replace(work.task, state=state)
    effects: list[Effect] = [SetTask(task.number, task.version, kept(task, talk.commune))]
    effects.append(talk.answer("task/ended", **board(talk, replace(work, task=task))))
    for unit in task.units:
        more = {"reported": _reported(work, unit)}
        effects += givetask.tell(talk, task, unit, state, Lane.UPDATE, **more)
    return talk.stay(*effects)
