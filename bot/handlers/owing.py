"""What an officer is asked for about a report, and who else hears what became of it."""

from typing import Any

from bot.core.commune import LEAD
from bot.core.effects import Lane, Say
from bot.core.report import Report
from bot.core.session import Closing
from bot.handlers.alerts import ears_of, night_of
from bot.handlers.talk import Decision, Talk, about

# The words that offer reasons as buttons, by the step that owes one.
REASONS = {"later": "postpone_reasons", "review": "review_reasons"}
REASON_MAX = 200
OFFERED_MAX = 4


def owe(talk: Talk, report: Report, step: str, outcome: str, message: str, **more: Any) -> Decision:
    closing = Closing(report.code, talk.incoming.account, step, outcome, talk.now)
    known = talk.commune.words.get(REASONS.get(step, ""), ())
    reasons = [{"number": at, "label": label[:20]} for at, label in enumerate(known[:OFFERED_MAX])]
    data = about(report, talk.commune) | {"reasons": reasons} | more
    asked = Say(talk.here, message, data, report=report.id)
    return talk.go(asked, closings=talk.session.owing(closing))


def lowered(label: str) -> str:
    """A button's words inside a sentence."""
    return label[:1].lower() + label[1:]


def as_it_is(talk: Talk, report: Report) -> Say:
    mine = report.taken_by == talk.facts.me.person
    data = about(report, talk.commune) | {"who": report.taken_name, "mine": mine, "open": report.is_open}
    return talk.answer("duty/already", **data)


def tell_desk(talk: Talk, report: Report, message: str, data: dict[str, Any]) -> list[Say]:
    """The one who did it, and everybody else who hears for the desk."""
    ears, _ = ears_of(talk, report.desk)
    others = [Say(ear, message, data, Lane.UPDATE, report=report.id) for ear in ears if ear != talk.here]
    return [Say(talk.here, message, data, report=report.id), *others]


def tell_office(talk: Talk, report: Report, message: str, data: dict[str, Any]) -> list[Say]:
    unit = LEAD if report.desk == LEAD else talk.commune.office
    desk = talk.desk(unit)
    night = night_of(talk, report.field, report.desk)
    return [
        Say(ear, message, data, Lane.UPDATE, report=report.id, night=night)
        for ear in desk.all
        if ear != talk.here
    ]
