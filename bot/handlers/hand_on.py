"""What an officer does with a report besides taking and closing it, and to whom it goes on."""

from datetime import date
from typing import Any

from bot.core import when
from bot.core.commune import LEAD
from bot.core.days import day_in
from bot.core.effects import Effect, Heard, Unheard
from bot.core.facts import Role
from bot.core.form import OFFICIAL
from bot.core.report import Report, may_follow
from bot.core.session import Closing
from bot.core.text import clip
from bot.handlers.alerts import alert, alert_data, ears_of, play_all, show_photos
from bot.handlers.defer import ask_help, help_until, later, postpone, put_off, start, today
from bot.handlers.owing import OFFERED_MAX, REASONS, as_it_is, lowered, owe, tell_desk
from bot.handlers.review import judged, review, reviewed
from bot.handlers.steps import new_clocks, step
from bot.handlers.talk import Decision, Talk, about

VERBS = ("start", "later", "help", "forward", "review", "why", "agree", "refuse")
OWED_STEPS = ("later", "help", "review")


def press(talk: Talk, verb: str, report: Report, roles: tuple[Role, ...], rest: str) -> Decision:
    """A button, by somebody who may deal with this report: `rest` is what stands behind its code."""
    match verb:
        case "start":
            return start(talk, report, roles[0])
        case "later":
            return later(talk, report, roles[0], rest)
        case "help":
            return ask_help(talk, report, roles[0], rest)
        case "forward":
            return forward(talk, report, roles, rest)
        case "review":
            return review(talk, report)
        case "why":
            return _why_pressed(talk, report, roles, rest)
        case "agree" | "refuse":
            return judged(talk, report, roles, verb)
    return talk.stay(talk.answer("duty/unknown_code"))


def owed_words(
    talk: Talk, report: Report, closing: Closing, roles: tuple[Role, ...], text: str
) -> Decision | None:
    """The day or the reason that is still owed; None: the words are about something else.

    In a room people say other things, too: there only an answer to the question counts.
    """
    if talk.here.group and talk.incoming.replied is None:
        return None
    if closing.step == "review":
        return reviewed(talk, report, roles, text)
    day = day_in(text, today(talk))
    if closing.step == "help":
        return help_until(talk, report, roles[0], closing.outcome, day)
    if closing.outcome:
        return postpone(talk, report, roles[0], date.fromisoformat(closing.outcome), text)
    return put_off(talk, report, roles[0], day, text)


def _why_pressed(talk: Talk, report: Report, roles: tuple[Role, ...], rest: str) -> Decision:
    """A reason by button, of the question that stands open."""
    owed = talk.session.owed(talk.incoming.account, talk.now)
    if owed is None or owed.code != report.code or owed.step not in REASONS or not rest.isdecimal():
        return talk.stay(as_it_is(talk, report))
    known = talk.commune.words.get(REASONS[owed.step], ())
    if int(rest) >= len(known):
        return talk.stay(as_it_is(talk, report))
    if owed.step == "review":
        return reviewed(talk, report, roles, lowered(known[int(rest)]))
    if not owed.outcome:
        return owe(talk, report, "later", "", "duty/ask_date")
    return postpone(talk, report, roles[0], date.fromisoformat(owed.outcome), lowered(known[int(rest)]))


def forward(talk: Talk, report: Report, roles: tuple[Role, ...], rest: str) -> Decision:
    """*Chuyển*: the report goes to another unit and its clocks start anew."""
    if not may_follow(report.status, "forward"):
        return talk.stay(as_it_is(talk, report))
    if all(talk.commune.unit(role.unit).kind == "village" for role in roles):
        return talk.stay(talk.answer("duty/forward_not_yours", **about(report, talk.commune)))
    allowed = _may_get(talk, report)
    if rest not in allowed:
        offered = [
            {"id": unit, "label": clip(talk.commune.unit(unit).name, 20)} for unit in allowed[:OFFERED_MAX]
        ]
        data = about(report, talk.commune) | {"offered": offered}
        return talk.stay(talk.answer("duty/ask_unit", **data))
    return _forwarded(talk, report, roles[0], rest)


def _may_get(talk: Talk, report: Report) -> list[str]:
    """The units that may get it, likeliest first: never a village that shall not know."""
    commune = talk.commune
    if report.desk == LEAD:
        return [commune.office, commune.police]
    likely = [commune.field(report.field).desk, commune.police, commune.office]
    likely += [unit.id for unit in commune.units.values() if unit.kind == "department"][:1]
    # What is about an official of a village never goes there, whoever has it by now.
    if report.unit is not None and not report.private and report.field != OFFICIAL:
        likely.append(report.unit)
    return [unit for unit in dict.fromkeys(likely) if unit in commune.units and unit != report.desk]


def _forwarded(talk: Talk, report: Report, role: Role, unit: str) -> Decision:
    values: dict[str, Any] = {"desk": unit, "taken_by": None, "taken_name": "", "pauses": 0}
    values |= {"waits_for": "", "review": ""} | new_clocks(talk, report)
    moved, change = step(talk, report, "forward", unit, **values)
    ears, fallback = ears_of(talk, unit)
    data = alert_data(talk, moved) | {"fallback": fallback}
    effects: list[Effect] = [change]
    effects += [alert(talk, ear, moved, data) for ear in ears]
    effects += [show_photos(talk, ear, moved) for ear in ears if data["photos"]]
    effects += play_all(talk, moved) if moved.voices else []
    effects.append(Heard((report.id,)) if ears else Unheard(report.id))
    said = about(moved, talk.commune) | {"who": role.name}
    effects += tell_desk(talk, report, "duty/forwarded", said)
    here = talk.local_time
    by = when.spoken(when.local(moved.ack_by), here)
    effects += talk.tell_reporter(moved, "resident/forwarded", by=by)
    return talk.go(*effects, closings=talk.session.settled(report.code))
