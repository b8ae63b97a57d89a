"""The office gives units a task: its words, its units and its date in any order, a look, and one press."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from bot.core import when
from bot.core.days import day_in
from bot.core.effects import Effect, Lane, MakeTask, Say
from bot.core.task import TEXT_MAX, Task, TaskDraft, kept, past
from bot.core.text import bare, clip, compose
from bot.core.unitlists import KINDS, units_in
from bot.handlers.members import is_office
from bot.handlers.takepart import task_words
from bot.handlers.talk import Decision, Talk, unit_words

VERBS = ("tku", "tkd", "tkgo", "tke", "tkx")
# What is written and left lying belongs to another day.
DRAFT_FOR_MS = 60 * 60 * 1000
FARTHEST = timedelta(days=366)
GROUPS = {"village": "thon", "school": "truong", "body": "phong hoi doan the", "all": ""}
NAMED_MAX = 6
# "Trước 12/6" says when, and is no part of what is to be done.
_BY_DAY = re.compile(
    r",?\s*\b(?:xong )?(?:truoc|han|den)(?: (?:ngay|het))* \d{1,2}[/.-]\d{1,2}(?:[/.-]\d{2,4})?"
)


def drafting(talk: Talk) -> TaskDraft | None:
    """The task that is being written here, if nothing newer is told."""
    draft, report = talk.session.task, talk.session.draft
    if draft is None or talk.now - draft.at > DRAFT_FOR_MS or not is_office(talk):
        return None
    return None if report is not None and report.touched_at > draft.at else draft


def begin(talk: Talk, text: str = "") -> Decision:
    """What stands behind the command may say all of it: units and date are looked for in it."""
    said = clip(" ".join(text.split()), TEXT_MAX)
    day = _day(talk, said)
    said = said if day is None else _without_day(said)
    what, _, names = said.rpartition(" cho ")
    units = units_in(names, talk.commune, talk.world.lexicon.units.named)
    named = bool(what and units.units and not units.unknown)
    draft = TaskDraft(what if named else said, units.units if named else ())
    return _go_on(talk, replace(draft, day="" if day is None else day.isoformat()))


def _without_day(text: str) -> str:
    found, whole = _BY_DAY.search(bare(text)), compose(text)
    return whole if found is None else whole[: found.start()] + whole[found.end() :]


def _go_on(talk: Talk, draft: TaskDraft, **more: Any) -> Decision:
    """The next question, or the look at the whole."""
    slot = draft.missing
    asked = replace(draft, asked=slot, at=talk.now)
    return talk.go(_question(talk, asked, slot, **more), task=asked)


def _question(talk: Talk, draft: TaskDraft, slot: str, **more: Any) -> Say:
    match slot:
        case "text":
            return talk.answer("task/ask_text")
        case "units":
            return talk.answer("task/ask_units", **({"unknown": ()} | more))
        case "day":
            return talk.answer("task/ask_day", **({"why": ""} | more), offered=_offered(talk))
    return talk.answer("task/preview", **_words(talk, draft))


def _words(talk: Talk, draft: TaskDraft) -> dict[str, Any]:
    deaf = [unit for unit in draft.units if unit in talk.facts.desks and not talk.desk(unit).all]
    return {
        "task": draft.text,
        "day": when.spoken(when.at_noon(date.fromisoformat(draft.day)), talk.facts.now),
        "units": [unit_words(talk.commune, unit) for unit in draft.units[:NAMED_MAX]],
        "count": len(draft.units),
        "deaf": [unit_words(talk.commune, unit) for unit in deaf[:NAMED_MAX]],
        "deaf_count": len(deaf),
    }


def _offered(talk: Talk) -> list[dict[str, Any]]:
    """Tomorrow, and the ends of this week and the next."""
    today = talk.local_time.date()
    friday = today + timedelta(days=(4 - today.weekday()) % 7)
    days = [today + timedelta(days=1), friday, friday + timedelta(days=7)]
    return [
        {"id": day.isoformat(), "day": when.spoken(when.at_noon(day), talk.facts.now)}
        for day in sorted({day for day in days if day > today})
    ]


# What is said and pressed ------------------------------------------------------------------------


def said(talk: Talk, text: str) -> Decision | None:
    """Words while a task is being written; None: they are about something else."""
    draft, lexicon = drafting(talk), talk.world.lexicon
    alert = talk.incoming.replied is not None and talk.facts.answered.startswith("duty/")
    if draft is None or not text or alert or lexicon.duty_verb(text):
        return None
    if lexicon.command(text) == "huy" or lexicon.meanings(text) & {"cancel", "enough"}:
        return _let_go(talk)
    if lexicon.command(text) is not None:
        return None
    match draft.asked:
        case "text":
            return _go_on(talk, replace(draft, text=clip(" ".join(text.split()), TEXT_MAX)))
        case "units":
            return _units_said(talk, draft, text)
        case "day":
            return _day_said(talk, draft, text)
    return _of_preview(talk, draft, text)


def _of_preview(talk: Talk, draft: TaskDraft, text: str) -> Decision | None:
    if talk.world.lexicon.meanings(text) & {"yes", "send", "task", "good"}:
        return _given(talk, draft)
    if _day(talk, text) is not None:
        return _day_said(talk, draft, text)
    found = units_in(text, talk.commune, talk.world.lexicon.units.named)
    return _units_said(talk, draft, text) if found.units and not found.unknown else None


def _units_said(talk: Talk, draft: TaskDraft, text: str) -> Decision:
    found = units_in(text, talk.commune, talk.world.lexicon.units.named)
    if found.unknown or not found.units:
        unknown = [clip(piece, 40) for piece in found.unknown[:3]]
        return _go_on(talk, replace(draft, units=()), unknown=unknown)
    return _go_on(talk, replace(draft, units=found.units))


def _day(talk: Talk, text: str) -> date | None:
    return day_in(text, talk.local_time.date())


def _day_said(talk: Talk, draft: TaskDraft, text: str) -> Decision:
    return _day_set(talk, draft, _day(talk, text))


def _day_set(talk: Talk, draft: TaskDraft, day: date | None) -> Decision:
    today = talk.local_time.date()
    if day is None or not today <= day <= today + FARTHEST:
        why = "" if day is None else "past" if day < today else "far"
        return _go_on(talk, replace(draft, day=""), why=why or "unclear")
    return _go_on(talk, replace(draft, day=day.isoformat()))


def press(talk: Talk, verb: str, rest: str) -> Decision:
    draft = drafting(talk)
    if not is_office(talk):
        return talk.stay(talk.answer("task/office_only"))
    if draft is None:
        return talk.stay(talk.answer("task/no_draft"))
    match verb:
        case "tku" if rest in GROUPS:
            kinds = KINDS[GROUPS[rest]]
            units = tuple(unit.id for unit in talk.commune.units.values() if unit.kind in kinds)
            return _go_on(talk, replace(draft, units=units))
        case "tkd":
            return _day_set(talk, draft, _iso(rest))
        case "tke":
            return _go_on(talk, replace(draft, **_emptied(rest)))
        case "tkgo" if not draft.missing:
            return _given(talk, draft)
    return _let_go(talk)


def _iso(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _emptied(slot: str) -> dict[str, Any]:
    return {slot: () if slot == "units" else ""} if slot in ("text", "units", "day") else {}


def _let_go(talk: Talk) -> Decision:
    return talk.go(talk.answer("task/let_go"), task=None)


# Given -------------------------------------------------------------------------------------------


def _given(talk: Talk, draft: TaskDraft) -> Decision:
    """Every unit hears of it, once; who is nobody's ear is told to the office."""
    by = next((role.name for role in talk.facts.me.of(talk.commune.office)), "")
    made = Task(talk.facts.tasks_made + 1, draft.text, date.fromisoformat(draft.day), draft.units, by)
    task = replace(made, done=past(made, talk.commune, talk.local_time))
    effects: list[Effect] = [MakeTask(task, kept(task, talk.commune))]
    told = task_words(talk, task) | _words(talk, draft)
    effects.append(talk.answer("task/given_out", **told))
    for unit in task.units:
        effects += tell(talk, task, unit, "given", Lane.UPDATE)
    return talk.go(*effects, task=None)


def tell(talk: Talk, task: Task, unit: str, step: str, lane: Lane, **more: Any) -> list[Say]:
    """One message to whoever hears for a unit; of each step once, ever."""
    data = task_words(talk, task) | {"unit": unit_words(talk.commune, unit), "id": unit, "accepted": False}
    key = f"job/{task.number}/{step}/{unit}"
    return [Say(ear, TOLD[step], data | more, lane, key=f"{key}/{ear.key}") for ear in talk.desk(unit).all]


TOLD = {
    "given": "task/given",
    "eve": "task/reminder",
    "today": "task/reminder",
    "nudge": "task/nudge",
    "nudge_again": "task/nudge",
    "closed": "task/closed",
    "cancelled": "task/cancelled",
}
