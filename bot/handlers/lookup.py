"""What became of it: a person's own reports, never anybody else's."""

from bot.core import when
from bot.core.report import Report
from bot.handlers.duty import rights_to
from bot.handlers.talk import Decision, Talk, about

SHOWN_MAX = 5


def mine(talk: Talk) -> Decision:
    """The newest own reports, each one press away."""
    if not talk.facts.mine:
        return talk.stay(talk.answer("resident/no_reports"))
    rows = [about(report, talk.commune) for report in talk.facts.mine[:SHOWN_MAX]]
    return talk.stay(talk.answer("resident/my_reports", reports=rows))


def one(talk: Talk) -> Decision:
    """One report by its code. Somebody else's is answered exactly like one that does not exist."""
    report = talk.facts.report
    if report is not None and report.person == talk.facts.me.person:
        return talk.stay(talk.answer("resident/one_report", **_detail(talk, report)))
    if report is not None and rights_to(talk, report):
        data = _detail(talk, report) | {"who": report.taken_name}
        return talk.stay(talk.answer("duty/one_report", **data))
    return talk.stay(talk.answer("resident/unknown_code"))


def _detail(talk: Talk, report: Report) -> dict[str, object]:
    now = talk.facts.now.astimezone(when.ZONE)
    return about(report, talk.commune) | {
        "filed": when.spoken(when.local(report.filed_at), now),
        "by": when.spoken(when.local(report.ack_by), now),
        "fix": when.spoken(when.local(report.fix_by), now),
        "late": talk.now > report.ack_by,
        "photos": report.photos,
        "outcome": report.outcome,
        "words": report.words[:600],
        "hours": report.hours,
    }
