"""Not a matter at all: a proposal with a reason, and the office that decides."""

from bot.core.commune import LEAD
from bot.core.facts import Role
from bot.core.report import Report, may_follow
from bot.core.text import clip
from bot.handlers.owing import REASON_MAX, as_it_is, owe, tell_desk, tell_office
from bot.handlers.steps import step
from bot.handlers.talk import Decision, Talk, about


def review(talk: Talk, report: Report) -> Decision:
    """*Cần xem lại*: with a reason; a proposal until the office agrees."""
    if not may_follow(report.status, "reject"):
        return talk.stay(as_it_is(talk, report))
    return owe(talk, report, "review", "", "duty/ask_review")


def reviewed(talk: Talk, report: Report, roles: tuple[Role, ...], text: str) -> Decision:
    reason = clip(" ".join(text.split()), REASON_MAX)
    if not reason or not may_follow(report.status, "reject"):
        return talk.go(as_it_is(talk, report), closings=talk.session.settled(report.code))
    if _decides(talk, report, roles):
        return _rejected(talk, report, reason)
    _, change = step(talk, report, "propose", reason, review=reason)
    data = about(report, talk.commune) | {"who": roles[0].name, "reason": reason}
    asked = tell_office(talk, report, "office/review", data)
    told = talk.answer("duty/review_asked", **data)
    return talk.go(change, told, *asked, closings=talk.session.settled(report.code))


def _decides(talk: Talk, report: Report, roles: tuple[Role, ...]) -> bool:
    """The office decides; of what is about officials, those who lead."""
    if report.desk == LEAD:
        return any(role.role == LEAD for role in roles)
    return any(role.unit == talk.commune.office for role in roles)


def _rejected(talk: Talk, report: Report, reason: str) -> Decision:
    moved, change = step(talk, report, "reject", reason, closed_at=talk.now, review="")
    data = about(moved, talk.commune) | {"reason": reason}
    told = tell_desk(talk, report, "duty/rejected", data)
    reporter = talk.tell_reporter(moved, "resident/rejected", reason=reason)
    return talk.go(change, *told, *reporter, closings=talk.session.settled(report.code))


def judged(talk: Talk, report: Report, roles: tuple[Role, ...], verb: str) -> Decision:
    """The office's answer to the proposal."""
    if not report.review or not report.is_open:
        return talk.stay(as_it_is(talk, report))
    if not _decides(talk, report, roles):
        return talk.stay(talk.answer("duty/office_decides", **about(report, talk.commune)))
    if verb == "agree":
        return _rejected(talk, report, report.review)
    moved, change = step(talk, report, "keep_open", report.review, review="")
    data = about(moved, talk.commune)
    told = [say for say in tell_desk(talk, report, "duty/kept_open", data) if say.to != talk.here]
    return talk.stay(change, talk.answer("office/kept_open", **data), *told)
