"""What is added to a filed report: photos and words, as long as it is open."""

from dataclasses import replace

from bot.core import form
from bot.core.effects import BEFORE, AttachPhotos, Change, Effect, KeepPhoto, Lane, Say, ShowPhotos
from bot.core.events import PhotoReady, PhotoSent
from bot.core.report import Report
from bot.core.session import ADD_FOR_MS, FORWARDED_MAX, PHOTOS_MAX, WORDS_MAX, Draft
from bot.core.text import clip
from bot.handlers import hearing
from bot.handlers.alerts import alert_words, ears_of, night_of
from bot.handlers.steps import step
from bot.handlers.talk import Decision, Talk, about


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


def stale(talk: Talk) -> Decision:
    """A button of a form that is over: nothing changes; what stands open is said."""
    if talk.session.last is not None:
        return talk.stay(talk.answer("resident/already_sent", code=talk.session.last))
    return talk.stay(talk.answer("resident/stale"))


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
        effects.extend(more_words(talk, report, photo.caption))
    told = talk.ask("resident/photo_added", code=report.code, urgent=report.emergency)
    return talk.stay(*effects, replace(told, wait_ms=1000 if photo.album else 0))


def add_words(talk: Talk, report: Report, text: str) -> Decision:
    return talk.stay(*more_words(talk, report, text), talk.answer("resident/words_added", code=report.code))


def more_words(talk: Talk, report: Report, text: str) -> list[Effect]:
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
    return [change, *desk_reads(talk, report, added)]


def desk_reads(talk: Talk, report: Report, added: str) -> list[Say]:
    """Words that came later, told to the desk, unless it may not read them."""
    if hearing.kept_from_village(talk.commune, report):
        return []
    data = about(report, talk.commune) | {"words": alert_words(added)}
    ears, _ = ears_of(talk, report.desk)
    night = night_of(talk, report.field, report.desk)
    return [Say(ear, "duty/more_words", data, Lane.UPDATE, report=report.id, night=night) for ear in ears]


def photo_ready(talk: Talk, report: Report, ready: PhotoReady) -> Decision:
    """A photo of a filed report: shown to the desk when clean, regretted to its sender when broken."""
    if ready.problem is not None:
        return talk.stay(talk.answer("resident/bad_added_photo", problem=ready.problem, code=report.code))
    purpose = talk.facts.photo.purpose if talk.facts.photo is not None else BEFORE
    return talk.stay(*shown(talk, report, (ready.photo,), purpose))


def shown(talk: Talk, report: Report, added: tuple[int, ...], purpose: str = BEFORE) -> list[Effect]:
    """Photos that came later, shown to the desk, unless it may not see them."""
    if hearing.kept_from_village(talk.commune, report):
        return []
    ears, _ = ears_of(talk, report.desk)
    night, again = night_of(talk, report.field, report.desk), report.reopened
    return [
        ShowPhotos(
            ear, "duty/photo", report.code, report.id, purpose, FORWARDED_MAX, photo, again, night=night
        )
        for ear in ears
        for photo in added
    ]


def add_draft_to(talk: Talk, draft: Draft) -> Decision:
    """Thêm vào AP-…": what was begun as a new matter belongs to the last report after all."""
    report = talk.facts.report
    if report is None or not _mine_and_open(talk, report) or (draft.private and not report.private):
        return stale(talk)
    effects: list[Effect] = []
    if draft.photos:
        effects += [AttachPhotos(draft.photos, report.id), *shown(talk, report, draft.photos)]
    effects += hearing.brought(talk, draft, report, night_of(talk, report.field, report.desk))
    if draft.words:
        effects.extend(more_words(talk, report, draft.words))
    return talk.go(
        *effects,
        talk.answer("resident/words_added", code=report.code),
        draft=None,
        last_at=talk.now,
    )


def call_back(talk: Talk, number: str) -> Decision:
    """A number alone: of the newest report that is open, for the office and the police to call back."""
    open_ones = [report for report in talk.facts.mine if report.is_open]
    if not open_ones:
        return talk.stay(talk.answer("resident/number_alone"))
    report = open_ones[0]
    _, change = step(talk, report, "callback", callback=number)
    return talk.stay(change, talk.answer("resident/number_kept", code=report.code))
