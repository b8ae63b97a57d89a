"""The table of contents of the talk: what each event needs to know, and who decides it."""

import re
from collections.abc import Sequence
from dataclasses import replace

from bot.core.events import (
    DraftDue,
    Edited,
    Entered,
    Incoming,
    Left,
    LinkReady,
    Moved,
    PhotoReady,
    PhotoSent,
    PlaceSent,
    Pressed,
    Undelivered,
    Unsupported,
    Words,
)
from bot.core.facts import Facts, Needs
from bot.core.invite import digest
from bot.core.message import Button
from bot.core.report import Report
from bot.core.session import Session
from bot.core.text import clean, fold
from bot.handlers import duty, filing, join, lookup, report, start
from bot.handlers.talk import Decision, Talk, World

__all__ = ["Decision", "Talk", "World", "decide", "needs", "read_press"]

_LOOSE_CODE = re.compile(r"\b[a-z]{2} ?\d{2} ?\d{1,5}\b")
DUTY_VERBS = ("take", "done", "out")
JUDGING = ("good", "bad")
FORM_VERBS = (
    "f",
    "c",
    "kinds",
    "u",
    "us",
    "map",
    "no",
    "edit",
    "ed",
    "keep",
    "priv",
    "add",
    "send",
    "cancel",
)


def read_press(incoming: Incoming, session: Session, choices: Sequence[Button]) -> Incoming:
    """Words that repeat a choice of the last list, or its number, are that press.

    A bare number is left alone while the form asks for a village: all villages are numbered there.
    """
    if not isinstance(incoming.event, Words) or not choices:
        return incoming
    typed = incoming.event.text.strip()
    if typed.isdecimal():
        asks_village = session.draft is not None and session.draft.asked == "place"
        if asks_village or not 1 <= int(typed[:3]) <= len(choices) or len(typed) > 2:
            return incoming
        return replace(incoming, event=Pressed(choices[int(typed) - 1].action))
    if len(typed) > 40:
        return incoming
    folded = fold(typed)
    for choice in choices:
        if folded and fold(choice.label) == folded:
            return replace(incoming, event=Pressed(choice.action))
    return incoming


# What must be known ------------------------------------------------------------------------------


def needs(incoming: Incoming, session: Session, world: World) -> Needs:
    """The look-ups this event may ask for, from the event and the session alone."""
    match incoming.event:
        case Pressed(action):
            return _press_needs(action, session, world)
        case Words(text):
            return _words_needs(incoming, text, session, world)
        case Edited() | PhotoSent():
            code = _code_in_progress(incoming, session)
            return Needs(code=code, desk_of_report=True, answered=None if code else incoming.replied)
        case PhotoReady(photo=photo):
            return Needs(photo=photo, desk_of_report=True)
        case Undelivered(outbox=row):
            return Needs(outbox=row, desk_of_report=True)
        case Left():
            return Needs(units=frozenset({world.commune.office}))
        case _:
            return Needs()


def _code_in_progress(incoming: Incoming, session: Session) -> str | None:
    """The report that a photo or a line without a code would belong to."""
    closing = session.owed(incoming.account)
    if closing is not None:
        return closing.code
    if session.complaint is not None:
        return session.complaint
    return session.last if session.draft is None else None


def _press_needs(action: str, session: Session, world: World) -> Needs:
    verb, _, rest = action.partition(":")
    if verb in (*DUTY_VERBS, *JUDGING, "look"):
        return Needs(code=rest.partition(":")[0], desk_of_report=True)
    if verb == "mine":
        return Needs(mine=True)
    if verb == "add":
        return Needs(code=session.last, desk_of_report=True)
    if verb == "bind":
        return Needs(unheard=True)
    return _sending_needs(session, world) if verb == "send" else Needs()


def _sending_needs(session: Session, world: World) -> Needs:
    draft, commune = session.draft, world.commune
    if draft is None or draft.category is None:
        return Needs()
    category = commune.categories[draft.category]
    units = {commune.desk_of(category, draft.unit), *commune.told_of(category, draft.unit), commune.office}
    return Needs(units=frozenset(units))


def _words_needs(incoming: Incoming, text: str, session: Session, world: World) -> Needs:
    lexicon = world.lexicon
    code = lexicon.report_code(text)
    if code is not None:
        return Needs(code=code, desk_of_report=True)
    sending = _sending_needs(session, world) if _asks_to_send(session) else Needs()
    current = _code_in_progress(incoming, session)
    on_duty = lexicon.means(text, "take") or lexicon.means(text, "done")
    if on_duty or (incoming.replied is not None and session.complaint is None):
        return replace(sending, answered=incoming.replied, open_here=True, desk_of_report=True, code=current)
    match lexicon.command(text):
        case "tracuu":
            return Needs(mine=True)
        case "ketnoi":
            return Needs(unheard=True)
    invite = lexicon.invite_code(text)
    if invite is not None and not incoming.address.group:
        return Needs(invite=digest(invite), unheard=True)
    return replace(sending, code=current, desk_of_report=current is not None)


def _asks_to_send(session: Session) -> bool:
    return session.draft is not None and session.draft.asked == "summary"


# Who decides -------------------------------------------------------------------------------------


def decide(incoming: Incoming, session: Session, facts: Facts, world: World) -> Decision:
    """What happens now: the chat's new state and what is to be done. Pure, total: always a decision."""
    talk = Talk(incoming, session, facts, world)
    match incoming.event:
        case Pressed(action):
            return _pressed(talk, action)
        case Words(text):
            return _words(talk, clean(text).strip())
        case Edited(text):
            return _edited(talk, Edited(clean(text).strip()))
        case PhotoSent() as photo:
            return _photo_sent(talk, replace(photo, caption=clean(photo.caption).strip()))
        case PhotoReady() as ready:
            return _photo_ready(talk, ready)
        case PlaceSent(lat, lon):
            return talk.stay() if talk.here.group else report.place_sent(talk, lat, lon)
        case LinkReady(lat, lon):
            return report.link_ready(talk, lat, lon)
        case Unsupported() as event:
            return talk.stay() if talk.here.group else start.unsupported(talk, event)
        case Entered():
            return join.entered(talk)
        case Left():
            return join.left(talk)
        case Moved() as event:
            return join.moved(talk, event)
        case Undelivered(why=why):
            return _undelivered(talk, why)
        case DraftDue():
            return report.draft_due(talk)


def _pressed(talk: Talk, action: str) -> Decision:
    verb, _, rest = action.partition(":")
    if verb in DUTY_VERBS:
        return duty.press(talk, verb, rest.partition(":")[2] if verb == "out" else rest)
    if verb == "bind":
        return join.bind_to(talk, rest)
    if talk.here.group:
        # Reports are told in private: in a group everybody would read along.
        return talk.stay()
    if verb in FORM_VERBS:
        draft, _, argument = rest.partition(":")
        return report.press(talk, verb, draft, argument)
    if verb in JUDGING:
        return duty.judge(talk, verb)
    match verb:
        case "new":
            return report.begin(talk)
        case "mine":
            return lookup.mine(talk)
        case "look":
            return lookup.one(talk)
        case "privacy":
            return start.privacy(talk)
        case "help":
            return start.help_(talk)
    return filing.stale(talk)


def _words(talk: Talk, text: str) -> Decision:
    duty_words = _duty_words(talk, text)
    if duty_words is not None:
        return duty_words
    command = talk.world.lexicon.command(text)
    if talk.here.group:
        return _group_words(talk, command)
    if talk.world.lexicon.invite_code(text) is not None:
        return join.code_given(talk)
    if command is not None:
        return _command(talk, command)
    if talk.world.lexicon.report_code(text) is not None and talk.session.draft is None:
        return lookup.one(talk)
    return _plain_words(talk, text)


def _group_words(talk: Talk, command: str | None) -> Decision:
    """In a group the bot speaks only when spoken to."""
    if command == "ketnoi":
        return join.bind(talk)
    return start.help_(talk) if command in ("trogiup", "start") else talk.stay()


def _command(talk: Talk, command: str) -> Decision:
    match command:
        case "start":
            return start.greet(talk)
        case "tracuu":
            return lookup.mine(talk)
        case "huy":
            return report.cancel(talk)
        case "ketnoi":
            return join.bind(talk)
        case "quyenriengtu" | "xuatdulieu" | "xoadulieu":
            return start.privacy(talk)
        case "tim":
            return lookup.one(talk)
    return start.help_(talk)


def _plain_words(talk: Talk, text: str) -> Decision:
    means = talk.world.lexicon.means
    found = talk.facts.report
    if means(text, "thanks"):
        return start.thanks(talk)
    if found is not None and _complains(talk, found):
        return duty.complain(talk, found, text, None)
    if talk.session.draft is not None:
        return report.words(talk, text) if text else start.unsupported(talk, Unsupported("other"))
    if means(text, "greeting"):
        return start.greet(talk)
    if means(text, "report"):
        return report.begin(talk)
    if not report.tells_something(talk, text):
        adds = filing.may_add(talk) and found is not None and len(text) > 1 and not means(text, "yes")
        return filing.add_words(talk, found, text) if adds and found is not None else start.off_topic(talk)
    return report.words(talk, text)


def _complains(talk: Talk, found: Report) -> bool:
    """Whether what comes now is the word that "Chưa được" still owes."""
    return talk.session.complaint == found.code and found.person == talk.facts.me.person


def _duty_words(talk: Talk, text: str) -> Decision | None:
    """A duty's word with a code, in reply to the alert or when only one is open; a decision's number."""
    closing, found = talk.session.owed(talk.incoming.account), talk.facts.report
    if closing is not None and closing.step == "number" and found is not None and found.code == closing.code:
        return duty.number_given(talk, found, closing, text)
    if not talk.facts.me.roles:
        return None
    verb = _verb(talk, text)
    if verb is None:
        return None
    named = talk.world.lexicon.report_code(text) is not None
    if named or (talk.incoming.replied is not None and found is not None):
        return duty.press(talk, verb, "")
    if closing is not None and verb == "done" and found is not None:
        return duty.press(talk, verb, "")
    match talk.facts.open_here:
        case (only,):
            return duty.press(
                Talk(talk.incoming, talk.session, replace(talk.facts, report=only), talk.world), verb, ""
            )
        case ():
            return talk.stay(talk.answer("duty/none_open"))
        case several:
            return talk.stay(talk.answer("duty/which_one", codes=[r.code for r in several[:5]], verb=verb))


def _verb(talk: Talk, text: str) -> str | None:
    rest = _LOOSE_CODE.sub(" ", fold(text)).strip()
    means = talk.world.lexicon.means
    if means(rest, "take"):
        return "take"
    return "done" if means(rest, "done") else None


def _edited(talk: Talk, event: Edited) -> Decision:
    if talk.here.group or not event.text:
        return talk.stay()
    if talk.session.draft is not None:
        return report.retold(talk, talk.session.draft, event.text)
    if filing.may_add(talk) and talk.facts.report is not None:
        return filing.edited(talk, talk.facts.report, event)
    return talk.stay()


def _photo_sent(talk: Talk, photo: PhotoSent) -> Decision:
    closing, found = talk.session.owed(talk.incoming.account), talk.facts.report
    if closing is not None and found is not None and found.code == closing.code and closing.step != "number":
        return duty.after_photo(talk, found, photo)
    if talk.here.group:
        return talk.stay()
    if found is not None:
        if _complains(talk, found):
            return duty.complain(talk, found, photo.caption, photo)
        if filing.may_add(talk) and not report.tells_something(talk, photo.caption):
            return filing.add_photo(talk, found, photo)
    return report.photo_sent(talk, photo)


def _photo_ready(talk: Talk, ready: PhotoReady) -> Decision:
    photo, found = talk.facts.photo, talk.facts.report
    if photo is None or found is None:
        return report.photo_ready(talk, ready)
    if photo.purpose == "after":
        return duty.after_ready(talk, found, ready)
    return filing.photo_ready(talk, found, ready)


def _undelivered(talk: Talk, why: str) -> Decision:
    refusal = talk.facts.refusal
    lost = join.unreachable(talk, talk.here) if why in ("blocked", "gone") and refusal is not None else ()
    return talk.stay(*lost, *duty.undelivered(talk))
