"""A told report is filed: the summary, the press that sends it, who hears of it, what is added later."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot.core import form, when
from bot.core.deadlines import ACK
from bot.core.effects import (
    AttachPhotos,
    Change,
    Consent,
    Effect,
    FileReport,
    KeepPhoto,
    Lane,
    Say,
    ShowPhotos,
)
from bot.core.events import Address, PhotoReady, PhotoSent
from bot.core.facts import Desk
from bot.core.report import Report
from bot.core.session import ADD_FOR_MS, FORWARDED_MAX, PHOTOS_MAX, WORDS_MAX, Draft
from bot.core.text import clip, has_phone, hide_phones
from bot.handlers.alerts import alert_words, ears_of, night_of
from bot.handlers.talk import Decision, Talk, about, draft_words, unit_words

PUBLIC_WORDS = 5
SHOWN_WORDS_MAX = 300


def summary(talk: Talk, draft: Draft, got: dict[str, Any]) -> Say:
    """What was understood, who will see it, and the one press that sends it."""
    agreed = talk.facts.me.consent == talk.commune.policy_version
    desk = unit_words(talk.commune, desk_of(talk, draft))
    data = draft_words(draft, talk.commune) | {"words": clip(draft.words, SHOWN_WORDS_MAX)}
    told = f"{draft.words} {draft.landmark}"
    seen = {
        "known": talk.world.lexicon.mentions(told, "gives_away"),
        "phone": has_phone(told),
        "official": not draft.private and talk.world.lexicon.mentions(told, "official"),
        "told": bool(told_of(talk, draft)),
    }
    return talk.ask("resident/summary", **data, **seen, got=got, desk=desk, agreed=agreed)


def desk_of(talk: Talk, draft: Draft) -> str:
    """The unit that will deal with the draft."""
    if draft.private or draft.category is None:
        return talk.commune.office
    return talk.commune.desk_of(talk.commune.categories[draft.category], draft.unit)


def told_of(talk: Talk, draft: Draft) -> tuple[str, ...]:
    if draft.private or draft.category is None:
        return ()
    return talk.commune.told_of(talk.commune.categories[draft.category], draft.unit)


def send(talk: Talk, draft: Draft, ask_missing: Callable[[Talk, Draft], Decision]) -> Decision:
    """File the draft, if nothing is missing; never held up by who is not bound yet."""
    if draft.category is None or form.next_slot(draft, talk.commune) != "summary":
        return ask_missing(talk, draft)
    commune = talk.commune
    category = commune.categories[draft.category]
    field, desk = commune.fields[category.field], desk_of(talk, draft)
    here = talk.facts.now.astimezone(when.ZONE)
    ack, fix = when.ack_by(here, field), when.fix_by(here, field, commune)
    ears, fallback = ears_of(talk, desk)
    wanted, desk = desk, (commune.office if fallback and ears else desk)
    values: dict[str, Any] = {
        "mark": talk.world.lexicon.place_key(draft.landmark),
        "due_at": when.ms(ack),
        "due_step": ACK,
    }
    filed = FileReport(draft, category.field, desk, when.ms(ack), when.ms(fix), bool(ears), values)
    # A member's report for another is none of their own; who is no member any more tells their own.
    values["behalf"] = draft.behalf and bool(talk.facts.me.roles)
    effects: list[Effect] = [filed]
    if talk.facts.me.consent != commune.policy_version:
        effects.insert(0, Consent(commune.policy_version))
    by = when.spoken(ack, here)
    told = draft_words(draft, commune) | {"desk": unit_words(commune, wanted), "by": by}
    told["hours"] = hide_phones(draft.hours)
    # The receipt names who really got it.
    getter = unit_words(commune, commune.office if fallback else desk)
    effects.append(Say(talk.here, "resident/receipt", told | {"desk": getter}, fresh=True))
    alert = told | {"words": alert_words(draft.words), "fallback": fallback, "again": False}
    night = night_of(talk, category.field, desk)
    for ear in ears:
        effects.append(Say(ear, "duty/alert", alert, Lane.ALERT, fresh=True, night=night))
        if draft.photos:
            effects.append(ShowPhotos(ear, "duty/photo", "", None, "before", FORWARDED_MAX, night=night))
    heard = told | {"place": told["place"] | {"landmark": public_mark(talk, draft.landmark)}}
    for unit in told_of(talk, draft):
        effects.extend(
            Say(ear, "duty/told", heard, Lane.UPDATE, fresh=True)
            for ear in talk.facts.desks.get(unit, Desk(unit)).ears
        )
    return talk.go(*effects, draft=None, complaint=None, last_at=talk.now)


def addable(talk: Talk, draft: Draft) -> bool:
    """Whether a new draft may turn out to belong to the report filed here last."""
    report = talk.facts.report
    return (
        report is not None
        and not draft.private
        and report.code == talk.session.last
        and _mine_and_open(talk, report)
    )


def _mine_and_open(talk: Talk, report: Report) -> bool:
    return report.person == talk.facts.me.person and report.is_open


def public_mark(talk: Talk, landmark: str) -> str:
    """What of a landmark a village room may read about a matter of order: a public place, nobody's house."""
    short = len(landmark.split()) <= PUBLIC_WORDS
    return landmark if short and talk.world.lexicon.public_mark(landmark) else ""


def stale(talk: Talk) -> Decision:
    """A button of a form that is over: nothing changes; what stands open is said."""
    if talk.session.last is not None:
        return talk.stay(talk.answer("resident/already_sent", code=talk.session.last))
    return talk.stay(talk.answer("resident/stale"))


# Adding to a filed report ------------------------------------------------------------------------


def may_add(talk: Talk) -> bool:
    """Whether what comes now belongs to the report filed here last."""
    report = talk.facts.report
    return (
        talk.session.draft is None
        and report is not None
        and report.code == talk.session.last
        and report.person == talk.facts.me.person
        and report.is_open
        and talk.now - talk.session.last_at <= ADD_FOR_MS
    )


def add_photo(talk: Talk, report: Report, photo: PhotoSent) -> Decision:
    """One more photo; a caption with it is added as words. The desk sees it once it is clean."""
    if report.photos >= PHOTOS_MAX:
        return talk.stay(talk.ask("resident/enough_photos", limit=PHOTOS_MAX))
    effects: list[Effect] = [KeepPhoto(photo.file, report=report.id)]
    if photo.caption.strip():
        effects.extend(_more_words(talk, report, photo.caption))
    told = talk.ask("resident/photo_added", code=report.code)
    return talk.stay(*effects, replace(told, wait_ms=1000 if photo.album else 0))


def add_words(talk: Talk, report: Report, text: str) -> Decision:
    return talk.stay(*_more_words(talk, report, text), talk.answer("resident/words_added", code=report.code))


def _more_words(talk: Talk, report: Report, text: str) -> list[Effect]:
    added = clip(text.strip(), WORDS_MAX)
    change = Change(
        report.id,
        report.version,
        "words",
        report.status,
        report.status,
        {"words": form.joined(report.words, added)},
        added,
    )
    shown = about(report, talk.commune) | {"words": alert_words(added)}
    ears, _ = ears_of(talk, report.desk)
    return [change, *(Say(ear, "duty/more_words", shown, Lane.UPDATE, report=report.id) for ear in ears)]


def photo_ready(talk: Talk, report: Report, ready: PhotoReady) -> Decision:
    """A photo of a filed report: shown to the desk when clean, regretted to its sender when broken."""
    if ready.problem is not None:
        return talk.stay(talk.answer("resident/bad_added_photo", problem=ready.problem, code=report.code))
    ears, _ = ears_of(talk, report.desk)
    return talk.stay(*(_one_more(ear, report, ready.photo) for ear in ears))


def _one_more(ear: Address, report: Report, photo: int) -> ShowPhotos:
    return ShowPhotos(
        ear, "duty/photo", report.code, report.id, "before", FORWARDED_MAX, photo, report.reopened
    )


def add_draft_to(talk: Talk, draft: Draft) -> Decision:
    """Thêm vào AP-…": what was begun as a new matter belongs to the last report after all."""
    report = talk.facts.report
    if report is None or not _mine_and_open(talk, report) or (draft.private and not report.private):
        return stale(talk)
    effects: list[Effect] = []
    ears, _ = ears_of(talk, report.desk)
    if draft.photos:
        effects.append(AttachPhotos(draft.photos, report.id))
        effects.extend(_one_more(ear, report, photo) for ear in ears for photo in draft.photos)
    if draft.words:
        effects.extend(_more_words(talk, report, draft.words))
    return talk.go(
        *effects,
        talk.answer("resident/words_added", code=report.code),
        draft=None,
        last_at=talk.now,
    )
