"""What became of it: a person's own reports, never anybody else's."""

from bot.core import when
from bot.core.commune import LEAD
from bot.core.effects import ShowPhotos
from bot.core.report import Report
from bot.core.session import FORWARDED_MAX
from bot.handlers import hearing, history
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
    if report is not None and may_look(talk, report):
        roles = rights_to(talk, report)
        data = _detail(talk, report) | {"who": report.taken_name, "phone": may_call(talk, report, roles)}
        # Whoever may see a number presses for it, and that is noted.
        data["words"] = "" if _kept(talk, report) else alert_words(report.words)
        data |= {"acts": bool(roles), "past": history.lines(talk, talk.facts.past)}
        data["pictures"] = not _kept(talk, report) and (report.photos > 0 or report.outcome == "photo")
        told = talk.answer("duty/one_report", **data)
        return talk.stay(told, *(hearing.again(talk, report) if roles else ()))
    return talk.stay(talk.answer("resident/unknown_code"))


def may_look(talk: Talk, report: Report) -> bool:
    """Whoever deals with it; the police, too, but at what is about officials or only the office's."""
    police = bool(talk.facts.me.of(talk.commune.police)) and report.desk != LEAD and not report.private
    return bool(rights_to(talk, report)) or police


def _kept(talk: Talk, report: Report) -> bool:
    """Whether words and photos are kept from the sender: a village's, of a matter of order."""
    units = (talk.commune.office, talk.commune.police)
    more = any(role.unit in units or role.role == LEAD for role in talk.facts.me.roles)
    return hearing.kept_from_village(talk.commune, report) and not more


def pictures(talk: Talk) -> Decision:
    """What was seen before, and after; shown as often as somebody asks."""
    report = talk.facts.report
    if report is None or not may_look(talk, report) or _kept(talk, report) or talk.here.group:
        return talk.stay(talk.answer("duty/unknown_code"))
    shown = (("duty/photo", "before", FORWARDED_MAX), ("resident/photo_after", "after", 2))
    photos = (
        ShowPhotos(talk.here, name, report.code, report.id, purpose, most, round=talk.incoming.id)
        for name, purpose, most in shown
    )
    return talk.stay(talk.answer("duty/pictures", code=report.code), *photos)


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
