"""What became of it: a person's own reports, never anybody else's."""

from bot.core import when
from bot.core.report import Report
from bot.handlers import hearing
from bot.handlers.alerts import alert_words
from bot.handlers.duty import may_call, rights_to
from bot.handlers.talk import Decision, Talk, about

SHOWN_MAX = 5


def mine(talk: Talk) -> Decision:
    """The newest own reports, and those that the person follows, each one press away."""
    known = {report.id: report for report in (*talk.facts.mine, *talk.facts.followed)}
    if not known:
        return talk.stay(talk.answer("resident/no_reports"))
    newest = sorted(known.values(), key=lambda report: -report.id)
    rows = [about(report, talk.commune) for report in newest[:SHOWN_MAX]]
    return talk.stay(talk.answer("resident/my_reports", reports=rows))


def one(talk: Talk) -> Decision:
    """One report by its code. Somebody else's is answered exactly like one that does not exist."""
    report = talk.facts.report
    mine = report is not None and report.person == talk.facts.me.person
    follows = report is not None and (talk.here.channel, talk.here.chat) in report.followers
    if report is not None and (mine or follows):
        return talk.stay(talk.answer("resident/one_report", **_detail(talk, report), mine=mine))
    roles = rights_to(talk, report) if report is not None else ()
    if report is not None and roles:
        data = _detail(talk, report) | {"who": report.taken_name, "phone": may_call(talk, report, roles)}
        # Whoever may see a number presses for it, and that is noted.
        data["words"] = alert_words(report.words)
        return talk.stay(talk.answer("duty/one_report", **data), *hearing.again(talk, report))
    return talk.stay(talk.answer("resident/unknown_code"))


def _detail(talk: Talk, report: Report) -> dict[str, object]:
    now = talk.local_time
    return about(report, talk.commune) | {
        "filed": when.spoken(when.local(report.filed_at), now),
        "by": when.spoken(when.local(report.ack_by), now),
        "fix": when.spoken(when.local(report.fix_by), now),
        "late": talk.now > report.ack_by,
        "photos": report.photos,
        "voices": report.voices,
        "outcome": report.outcome,
        "words": report.words[:600],
        "hours": report.hours,
    }
