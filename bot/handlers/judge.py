"""The reporter's judgement: right, or not yet and why."""

from dataclasses import replace
from typing import Any

from bot.core import when
from bot.core.commune import LEAD
from bot.core.effects import VOICE, AttachPhotos, Change, Effect, KeepPhoto, Lane, Say
from bot.core.events import PhotoSent
from bot.core.report import CONFIRMED, REOPEN_MS, REOPEN_TIMES, Report, may_follow
from bot.core.session import WORDS_MAX
from bot.core.text import clip
from bot.handlers.alerts import alert, alert_data, alert_words, ears_of
from bot.handlers.steps import new_clocks, step
from bot.handlers.talk import Decision, Talk, about


def judge(talk: Talk, verb: str) -> Decision:
    """ "Được rồi" or "Chưa được", from the one who reported."""
    report = talk.facts.report
    if report is None or report.person != talk.facts.me.person:
        return talk.stay(talk.answer("resident/unknown_code"))
    if report.status == CONFIRMED and verb == "good":
        return talk.stay(talk.answer("resident/thanks_again", **about(report, talk.commune)))
    if not may_follow(report.status, "confirm" if verb == "good" else "reopen"):
        return talk.stay(talk.answer("resident/judged_before", **about(report, talk.commune)))
    if verb == "good":
        _, change = step(talk, report, "confirm")
        data = about(report, talk.commune)
        return talk.go(
            change,
            talk.answer("resident/confirmed", **data),
            *_tell_desk(talk, report, "duty/confirmed", data),
            complaint=None,
        )
    if too_old(talk, report):
        return talk.stay(talk.answer("resident/too_late", **about(report, talk.commune)))
    asked = talk.answer("resident/ask_complaint", **about(report, talk.commune))
    return talk.go(asked, complaint=report.code, complaint_at=talk.now)


def too_old(talk: Talk, report: Report) -> bool:
    return report.closed_at is None or talk.now - report.closed_at > REOPEN_MS


def _tell_desk(talk: Talk, report: Report, message: str, data: dict[str, Any]) -> list[Say]:
    ears, _ = ears_of(talk, report.desk)
    return [Say(ear, message, data, Lane.UPDATE, report=report.id) for ear in ears]


def complain(talk: Talk, report: Report, text: str, photo: PhotoSent | None) -> Decision:
    """ "Chưa được" with a word or a photo reopens it; after two times the office takes it over."""
    if not may_follow(report.status, "reopen"):
        return talk.go(talk.answer("resident/judged_before", **about(report, talk.commune)), complaint=None)
    if too_old(talk, report):
        return talk.go(talk.answer("resident/too_late", **about(report, talk.commune)), complaint=None)
    to_office = report.reopened >= REOPEN_TIMES and report.desk != LEAD
    desk = talk.commune.office if to_office else report.desk
    note = clip(text.strip(), WORDS_MAX)
    again: dict[str, Any] = {
        "reopened": report.reopened + 1,
        "desk": desk,
        "closed_at": None,
        "taken_by": None,
    }
    again |= {"taken_name": "", "outcome": "", "pauses": 0, "waits_for": "", "review": ""}
    # A reopened report is new work: its clocks start again.
    moved, change = step(talk, report, "reopen", note, **(again | new_clocks(talk, report)))
    effects: list[Effect] = [change]
    if photo is not None:
        effects.append(KeepPhoto(photo.file, report=report.id))
    ears, fallback = ears_of(talk, desk)
    data = alert_data(talk, moved) | {"words": alert_words(note), "fallback": fallback, "again": True}
    effects.extend(alert(talk, ear, moved, data) for ear in ears)
    here = talk.local_time
    by = when.spoken(when.local(moved.ack_by), here)
    effects.append(talk.answer("resident/reopened", **about(moved, talk.commune), by=by))
    return talk.go(*effects, complaint=None, last=report.code, last_at=talk.now)


def with_photos(talk: Talk, decision: Decision) -> Decision:
    """The draft's bare photos go with what was decided about a report."""
    draft = talk.session.draft
    changed = [e for e in decision.effects if isinstance(e, Change)]
    if draft is None or not changed:
        return decision
    attached = [AttachPhotos(draft.photos, changed[0].report)]
    if draft.voices:
        attached.append(AttachPhotos(draft.voices, changed[0].report, VOICE))
    return Decision(replace(decision.session, draft=None), (*attached, *decision.effects))
