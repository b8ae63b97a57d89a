"""The people who deal with a report: take it, close it with a photo or an outcome, hear what became of it."""

import re
from dataclasses import replace
from typing import Any

from bot.core.commune import LEAD
from bot.core.effects import VOICE, AttachPhotos, Effect, KeepPhoto, Lane, Note, Say, ShowPhotos
from bot.core.events import Address, PhotoReady, PhotoSent
from bot.core.facts import Role
from bot.core.report import (
    NUMBERED,
    OUTCOMES,
    RESOLVED,
    Report,
    may_follow,
)
from bot.core.session import Closing, Draft
from bot.core.text import clip
from bot.handlers import defer, hand_on
from bot.handlers.alerts import ears_of
from bot.handlers.judge import complain, judge, too_old, with_photos
from bot.handlers.steps import step
from bot.handlers.talk import Decision, Talk, about, unit_words

NOTE_MAX = 300
# The line of the status table behind each word of duty.
TABLE = {
    "take": "take",
    "done": "close",
    "start": "start",
    "later": "postpone",
    "help": "ask_help",
    "forward": "forward",
    "review": "reject",
}
# In a room a photo that answers nothing counts as the after photo for so long.
CLOSE_MS = 3 * 60 * 1000
_DECISION = re.compile(r"(?:s\S\s+)?\d{1,6}\s*/\s*[^\W\d][\S ]{0,40}", re.IGNORECASE)


def rights_to(talk: Talk, report: Report) -> tuple[Role, ...]:
    """The roles by which the sender may deal with this report, checked now; none: they may not."""
    me = talk.facts.me
    if report.desk == LEAD:
        return tuple(role for role in me.roles if role.role == LEAD)
    office = tuple(r for r in me.of(talk.commune.office) if r.role == "office")
    lead = tuple(r for r in me.roles if r.role == LEAD)
    return tuple(dict.fromkeys((*me.of(report.desk), *office, *lead)))


def press(talk: Talk, verb: str, rest: str) -> Decision:
    """A button of an alert. Who may press is decided here, never by who was shown the button."""
    report = talk.facts.report
    if report is None:
        return talk.stay(talk.answer("duty/unknown_code"))
    roles = rights_to(talk, report)
    if not roles:
        return talk.stay(_not_yours(talk, report))
    match verb:
        case "take":
            return take(talk, report, roles[0])
        case "done":
            return ask_after(talk, report, roles)
        case "out":
            return choose_outcome(talk, report, roles, rest)
        case "phone":
            return _number_shown(talk, report, roles)
        case _ if verb in hand_on.VERBS:
            return hand_on.press(talk, verb, report, roles, rest)
    return talk.stay(talk.answer("duty/unknown_code"))


def may_call(talk: Talk, report: Report, roles: tuple[Role, ...]) -> bool:
    """The office, the police, and those who lead: nobody else sees a reporter's number, and no room."""
    units = (talk.commune.office, talk.commune.police)
    known = any(role.unit in units or role.role == LEAD for role in roles)
    return known and not talk.here.group and bool(report.callback)


def _number_shown(talk: Talk, report: Report, roles: tuple[Role, ...]) -> Decision:
    if not may_call(talk, report, roles):
        return talk.stay(talk.answer("duty/no_number", code=report.code, group=talk.here.group))
    told = talk.answer("duty/number", code=report.code, number=report.callback)
    return talk.stay(Note(report.id, "number_seen"), told)


def _not_yours(talk: Talk, report: Report) -> Say:
    """Members and the report's own room hear whose it is; to anybody else it does not exist."""
    insider = report.desk != LEAD and (talk.facts.me.roles or talk.facts.room == report.desk)
    if not insider:
        return talk.answer("duty/unknown_code")
    member = bool(talk.facts.me.roles)
    return talk.answer("duty/not_yours", **about(report, talk.commune), member=member)


def choose(talk: Talk, verb: str, serial: int | None, rest: str = "") -> Decision:
    """A duty's word without a code: the only open report, or the one with that number, is meant."""
    table = TABLE.get(verb, "close")
    waiting = tuple(r for r in talk.facts.open_here if may_follow(r.status, table))
    own = tuple(r for r in waiting if r.taken_by == talk.facts.me.person)
    if verb in ("done", "out") and len(own) == 1 and serial is None:
        waiting = own
    numbered = [report for report in waiting if int(report.code.rpartition("-")[2]) == serial]
    match numbered or waiting:
        case (only,) | [only]:
            return press(talk.on(only), verb, rest)
        case () | []:
            closed = [r for r in talk.facts.mine if r.status == RESOLVED]
            if verb == "done" and closed:
                # A member who reported something themselves: this is their judgement.
                return judge(talk.on(closed[0]), "good")
            return talk.stay(talk.answer("duty/none_open"))
        case several:
            shown = [about(report, talk.commune) for report in several[:5]]
            done = "done" if verb == "out" else verb
            asked = talk.answer("duty/which_one", reports=shown, count=len(several), verb=done)
            return talk.stay(asked)


def put_off(talk: Talk, text: str, *, sure: bool) -> Decision | None:
    """ "Hẹn thứ 6, chờ xe", with a code, in answer to an alert, or of the only report in one's hands."""
    mine = [r for r in talk.facts.open_here if r.taken_by == talk.facts.me.person] or talk.facts.open_here
    report = talk.facts.report if sure else (mine[0] if len(mine) == 1 else None)
    if report is None:
        return None
    roles = rights_to(talk, report)
    return defer.said_later(talk, report, roles[0], text) if roles else talk.stay(_not_yours(talk, report))


def take(talk: Talk, report: Report, role: Role) -> Decision:
    if not may_follow(report.status, "take"):
        return talk.stay(_too_late(talk, report))
    _, change = step(talk, report, "take", taken_by=talk.facts.me.person, taken_name=role.name)
    desk = unit_words(talk.commune, LEAD if report.desk == LEAD else role.unit)
    data = about(report, talk.commune) | {"who": role.name}
    data["phone"] = may_call(talk, report, rights_to(talk, report))
    taken = replace(talk.answer("duty/taken", **data), report=report.id)
    return talk.stay(
        change,
        taken,
        *_tell_others(talk, report, "duty/taken_by_other", data),
        *talk.tell_reporter(report, "resident/taken", desk=desk, police=talk.commune.phones["police"]),
    )


def _too_late(talk: Talk, report: Report) -> Say:
    mine = report.taken_by == talk.facts.me.person
    data = about(report, talk.commune) | {"who": report.taken_name, "mine": mine, "open": report.is_open}
    return replace(talk.answer("duty/already", **data), report=report.id)


def _tell_others(talk: Talk, report: Report, message: str, data: dict[str, Any]) -> list[Say]:
    ears, _ = ears_of(talk, report.desk)
    others = [ear for ear in ears if ear != talk.here]
    return [Say(ear, message, data, Lane.UPDATE, report=report.id) for ear in others]


# Closing -----------------------------------------------------------------------------------------


def ask_after(talk: Talk, report: Report, roles: tuple[Role, ...]) -> Decision:
    """ "Đã xử lý" asks for an after photo, or an outcome that this role may record."""
    if not may_follow(report.status, "close"):
        return talk.stay(_too_late(talk, report))
    closing = Closing(report.code, talk.incoming.account, "photo", at=talk.now)
    data = about(report, talk.commune) | {"outcomes": outcomes_for(report, roles)}
    question = replace(talk.answer("duty/ask_after", **data), report=report.id)
    return talk.go(question, closings=talk.session.owing(closing))


def outcomes_for(report: Report, roles: tuple[Role, ...]) -> list[str]:
    """What may be written instead of a photo: order matters have outcomes of their own."""
    order = {"reminded", "recorded", "fined", "no_violation"}
    fitting = order if report.field == "order" else {"fixed", "reminded"}
    held = {role.role for role in roles}
    return [name for name, allowed in OUTCOMES.items() if name in fitting and held & allowed]


def choose_outcome(
    talk: Talk, report: Report, roles: tuple[Role, ...], outcome: str, number: str = ""
) -> Decision:
    """Close with a written outcome; one that needs a decision's number asks for it first."""
    if not may_follow(report.status, "close"):
        return talk.go(_too_late(talk, report), closings=talk.session.settled(report.code))
    if outcome not in outcomes_for(report, roles):
        return talk.stay(talk.answer("duty/not_your_outcome", **about(report, talk.commune)))
    if outcome in NUMBERED and not number:
        closing = Closing(report.code, talk.incoming.account, "number", outcome, talk.now)
        question = replace(talk.answer("duty/ask_number", code=report.code), report=report.id)
        return talk.go(question, closings=talk.session.owing(closing))
    return close(talk, report, roles[0], outcome, note=number)


def owed_words(talk: Talk, report: Report, closing: Closing, text: str) -> Decision | None:
    """Words of somebody who owes a photo or a number; None: they are about something else."""
    roles, lexicon = rights_to(talk, report), talk.world.lexicon
    if not roles:
        return _not_yours_any_more(talk, report)
    if lexicon.meanings(text) & {"cancel", "enough"}:
        told = talk.answer("duty/closing_left", code=report.code)
        return talk.go(told, closings=talk.session.settled(report.code))
    outcome = lexicon.outcome(text) or lexicon.done_with(text)
    if outcome is not None and closing.step == "photo":
        return choose_outcome(talk, report, roles, outcome)
    if lexicon.means(text, "skip_photo"):
        return ask_after(talk, report, roles)
    if closing.step in hand_on.OWED_STEPS:
        return hand_on.owed_words(talk, report, closing, roles, text)
    if closing.step == "number":
        return _number_given(talk, report, closing, roles, text)
    return None


def _number_given(
    talk: Talk, report: Report, closing: Closing, roles: tuple[Role, ...], text: str
) -> Decision | None:
    """A decision's number looks like 15/QĐ-XPHC; anything else closes nothing."""
    if not _DECISION.fullmatch(text.strip()):
        # In a room other things are said too: only an answer to the question is corrected.
        if talk.here.group and talk.incoming.replied is None:
            return None
        return talk.stay(talk.answer("duty/ask_number", code=report.code))
    return choose_outcome(talk, report, roles, closing.outcome, clip(text, NOTE_MAX))


def _not_yours_any_more(talk: Talk, report: Report) -> Decision:
    return talk.go(_not_yours(talk, report), closings=talk.session.settled(report.code))


def photo_for(talk: Talk, photo: PhotoSent) -> Decision | None:
    """The report an officer's photo closes or adds to; None: it is not an after photo."""
    report, account = talk.facts.report, talk.incoming.account
    if report is None:
        return None
    if talk.incoming.replied is not None and rights_to(talk, report) and report.is_open:
        # A photo in answer to the alert: that is what "done" looks like.
        return after_photo(talk, report, photo)
    owed = talk.session.owed(account, talk.now)
    named = talk.world.lexicon.report_code(photo.caption) is not None
    if named and rights_to(talk, report) and report.is_open:
        return after_photo(talk, report, photo)
    if owed is not None and owed.code == report.code and owed.step == "photo":
        return after_photo(talk, report, photo) if _means_closing(talk, owed, photo) else None
    before = talk.session.photographed(account, talk.now)
    if before is not None and before.code == report.code and not photo.caption and rights_to(talk, report):
        # The rest of the album: kept with the report, nothing more to say.
        return talk.stay(KeepPhoto(photo.file, purpose="after", report=report.id))
    return None


def _means_closing(talk: Talk, owed: Closing, photo: PhotoSent) -> bool:
    """Whether a photo that names nothing is the one that was asked for."""
    if talk.here.group:
        # Family pictures are shown round in rooms, too.
        soon = talk.now - owed.at <= CLOSE_MS and not photo.caption
        return soon or talk.world.lexicon.duty_mention(photo.caption) == "done"
    draft = talk.session.draft
    # An officer who is telling a report of their own answers the newest question.
    return draft is None or draft.asked != "photo" or draft.touched_at <= owed.at


def photos_may_mean(talk: Talk, draft: Draft) -> Say | None:
    """A bare photo of somebody with one report in hand, or one just closed for them: asked about first."""
    if not draft.bare or not draft.photos or "meant" in draft.skipped:
        return None
    mine = [r for r in talk.facts.open_here if r.taken_by == talk.facts.me.person]
    if len(mine) == 1 and talk.facts.me.roles:
        return talk.ask("duty/ask_photo_after", **about(mine[0], talk.commune), draft=draft.id)
    closed = [r for r in talk.facts.mine if r.status == "resolved" and not too_old(talk, r)]
    if not closed:
        return None
    return talk.ask("resident/ask_photo_again", **about(closed[0], talk.commune), draft=draft.id)


def photos_meant(talk: Talk, verb: str, draft: Draft) -> Decision:
    """The answer: these photos show that it is done, or that it is not."""
    report = talk.facts.report
    if report is None:
        return talk.stay(talk.answer("duty/unknown_code"))
    if verb == "again":
        if report.person != talk.facts.me.person:
            return talk.stay(talk.answer("resident/unknown_code"))
        return with_photos(talk, complain(talk, report, draft.words, None))
    roles = rights_to(talk, report)
    if not roles or not may_follow(report.status, "close"):
        return talk.stay(_too_late(talk, report) if roles else _not_yours(talk, report))
    attached: list[Effect] = [AttachPhotos(draft.photos, report.id, "after")]
    if draft.voices:
        attached.append(AttachPhotos(draft.voices, report.id, VOICE))
    if talk.facts.photo is not None and talk.facts.photo.ready:
        closed = close(talk, report, roles[0], "photo")
        return Decision(replace(closed.session, draft=None), (*attached, *closed.effects))
    closing = Closing(report.code, talk.incoming.account, "checking", at=talk.now)
    told = talk.answer("duty/after_got", code=report.code)
    return talk.go(*attached, told, draft=None, closings=talk.session.owing(closing))


def after_photo(talk: Talk, report: Report, photo: PhotoSent) -> Decision:
    """The photo is fetched and checked first: a report is not closed with a picture that nobody can open."""
    if not rights_to(talk, report):
        return _not_yours_any_more(talk, report)
    if not may_follow(report.status, "close"):
        return talk.go(_too_late(talk, report), closings=talk.session.settled(report.code))
    keep = KeepPhoto(photo.file, purpose="after", report=report.id)
    closing = Closing(report.code, talk.incoming.account, "checking", at=talk.now)
    return talk.go(keep, talk.ask("duty/after_got", code=report.code), closings=talk.session.owing(closing))


def after_ready(talk: Talk, report: Report, ready: PhotoReady) -> Decision:
    roles = rights_to(talk, report)
    if not roles or not may_follow(report.status, "close"):
        # Removed meanwhile, or closed with an earlier photo: kept with the report, nothing more to say.
        return talk.stay()
    if ready.problem is not None:
        closing = Closing(report.code, talk.incoming.account, "photo", at=talk.now)
        data = about(report, talk.commune) | {"problem": ready.problem}
        told = replace(talk.answer("duty/bad_after", **data), report=report.id)
        return talk.go(told, closings=talk.session.owing(closing))
    closed = close(talk, report, roles[0], "photo")
    rest = Closing(report.code, talk.incoming.account, "closed", at=talk.now)
    return replace(closed, session=replace(closed.session, closings=closed.session.owing(rest)))


def close(talk: Talk, report: Report, role: Role, outcome: str, note: str = "") -> Decision:
    change, *told = closed(talk, report, role, outcome, note)
    data = about(report, talk.commune) | {"who": role.name, "outcome": outcome}
    answer = replace(talk.answer("duty/closed", **data), report=report.id)
    return talk.go(change, answer, *told, closings=talk.session.settled(report.code))


def closed(talk: Talk, report: Report, role: Role, outcome: str, note: str = "") -> list[Effect]:
    """The step itself, and what everybody hears of it but whoever closes it."""
    _, change = step(
        talk,
        report,
        "close",
        note or outcome,
        closed_at=talk.now,
        outcome=outcome,
        review="",
        taken_by=report.taken_by or talk.facts.me.person,
        taken_name=report.taken_name or role.name,
    )
    data = about(report, talk.commune) | {"who": role.name, "outcome": outcome}
    others = _tell_others(talk, report, "duty/closed_by_other", data)
    return [change, *others, *_tell_resolved(talk, report, outcome)]


def _tell_resolved(talk: Talk, report: Report, outcome: str) -> list[Effect]:
    told = talk.tell_reporter(report, "resident/resolved", outcome=outcome, photos=report.photos)
    if report.channel is None or report.chat is None or outcome != "photo":
        return list(told)
    to = Address(report.channel, report.chat)
    times = report.reopened
    before = ShowPhotos(to, "resident/photo_before", report.code, report.id, "before", 1, round=times)
    after = ShowPhotos(to, "resident/photo_after", report.code, report.id, "after", 2, round=times)
    return [*told, before, after]
