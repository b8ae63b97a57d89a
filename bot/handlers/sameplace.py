"""The same place again: a report that is open there is followed, one that was closed there has come back."""

from dataclasses import replace

from bot.core import when
from bot.core.effects import ALSO, BEFORE, AttachPhotos, Effect, Follow, Lane, Note, Say
from bot.core.facts import Near
from bot.core.report import CONFIRMED, RESOLVED, Report
from bot.core.session import Draft
from bot.handlers import adding, hearing
from bot.handlers.alerts import ears_of, night_of
from bot.handlers.talk import Decision, Talk, about

DAY_MS = 24 * 3600 * 1000
NO_VIOLATION = "no_violation"
# So often found to be nothing, on one person's word: the next one is the office's alone.
DISPUTED_TIMES = 2


def twin(talk: Talk, draft: Draft) -> Report | None:
    """The open report that this may be the same as: the likeliest one, unless the person said it is not."""
    if "same" in draft.skipped or draft.private or draft.official:
        return None
    since = talk.now - talk.commune.rules.same_days * DAY_MS
    fresh = [
        near
        for near in talk.facts.near
        if near.report.is_open and not near.report.private and near.report.filed_at > since
    ]
    return min(fresh, key=_likeness).report if fresh else None


def _likeness(near: Near) -> tuple[bool, float, int]:
    away = near.metres if near.metres is not None else 1e9
    return (not near.alike, away, -near.report.id)


def ask(talk: Talk, draft: Draft, found: Report) -> Decision:
    """Its place and date, never its words, its photos or whose it is."""
    filed = when.spoken(when.local(found.filed_at), talk.facts.now)
    mine = found.person == talk.facts.me.person
    data = about(found, talk.commune) | {"draft": draft.id, "filed": filed, "mine": mine}
    asked = replace(draft, asked="same", same=found.code, touched_at=talk.now)
    return talk.go(talk.ask("resident/ask_same", **data), draft=asked)


def join(talk: Talk, draft: Draft) -> Decision | None:
    """ "Đúng, cùng một chỗ": what was told goes with that report; None when it is not open any more."""
    found = talk.facts.report
    if found is None or found.code != draft.same or not found.is_open:
        return None
    mine = found.person == talk.facts.me.person
    purpose = BEFORE if mine else ALSO
    # What a follower says stays theirs: in the history and with the desk, never in the reporter's own words.
    more: list[Effect] = [] if mine else [Follow(found.id), Note(found.id, "follow", draft.words)]
    ears, _ = ears_of(talk, found.desk)
    count = 1 + len(found.followers) + (not mine)
    data = about(found, talk.commune) | {"count": count}
    if not mine:
        more += [Say(ear, "duty/more_people", data, Lane.UPDATE, report=found.id) for ear in ears]
    if draft.photos:
        more.append(AttachPhotos(draft.photos, found.id, purpose))
    if draft.words:
        tell = adding.more_words if mine else adding.desk_reads
        more += tell(talk, found, draft.words)
    more += adding.shown(talk, found, draft.photos, purpose)
    more += hearing.brought(talk, draft, found, night_of(talk, found.field, found.desk))
    more.append(talk.answer("resident/followed", **data, mine=mine))
    return talk.go(*more, draft=None, last=found.code if mine else talk.session.last, last_at=talk.now)


def recurrence(talk: Talk) -> Report | None:
    """The report that this place had before: closed within 90 days, and not because there was nothing."""
    closed = [near.report for near in talk.facts.near if near.report.status in (RESOLVED, CONFIRMED)]
    real = [report for report in closed if report.outcome != NO_VIOLATION]
    return max(real, key=lambda report: report.closed_at or 0) if real else None


def disputed(talk: Talk) -> bool:
    """Whether this person's word on this place was twice found to be nothing."""
    mine = [near.report for near in talk.facts.near if near.report.person == talk.facts.me.person]
    return sum(report.outcome == NO_VIOLATION for report in mine) >= DISPUTED_TIMES
