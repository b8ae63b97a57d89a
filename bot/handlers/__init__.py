"""The table of contents of the talk: which handler decides which event."""

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
    Overlooked,
    PhotoReady,
    PhotoSent,
    PlaceSent,
    Pressed,
    Undelivered,
    Unsupported,
    Words,
)
from bot.core.facts import Facts
from bot.core.message import Button
from bot.core.report import REOPEN_MS, Report
from bot.core.session import COMPLAINT_FOR_MS, Session
from bot.core.text import clean, fold
from bot.handlers import duty, filing, join, lookup, report, start
from bot.handlers.needs import needs
from bot.handlers.talk import Decision, Talk, World

__all__ = ["Decision", "Talk", "World", "decide", "needs", "read_press"]

DUTY_VERBS = ("take", "done", "out")
JUDGING = ("good", "bad")
FORM_VERBS = (
    *("f", "c", "kinds", "u", "us", "map", "no", "edit", "ed", "keep", "priv", "add", "send", "cancel"),
    *("merge", "after", "again", "nowhere"),
)
# A code with so many other words tells something; with fewer it asks.
TELLING_WORDS = 3


def read_press(incoming: Incoming, session: Session, choices: Sequence[Button]) -> Incoming:
    """Words that repeat a choice of the last list, or its number, are that press.

    A bare number is left alone while the form asks for a village: all villages are numbered there.
    """
    if not isinstance(incoming.event, Words) or not choices:
        return incoming
    if incoming.address.group and incoming.replied is None:
        # In a room people say "1" to each other.
        return incoming
    typed = incoming.event.text.strip()
    if typed.isdecimal():
        asks_village = session.draft is not None and session.draft.asked == "place"
        if asks_village or len(typed) > 2 or not 1 <= int(typed) <= len(choices):
            return incoming
        action = choices[int(typed) - 1].action
        # A slow answer to another question must not throw a report away, or hide it.
        final = action.partition(":")[0] in ("cancel", "priv")
        return incoming if final else replace(incoming, event=Pressed(action))
    if len(typed) > 40:
        return incoming
    folded = fold(typed)
    for choice in choices:
        if folded and fold(choice.label) == folded:
            return replace(incoming, event=Pressed(choice.action))
    return incoming


def decide(incoming: Incoming, session: Session, facts: Facts, world: World) -> Decision:
    """What happens now: the chat's new state and what is to be done. Pure, total: always a decision."""
    talk = Talk(incoming, session, facts, world)
    match incoming.event:
        case Pressed(action):
            return _pressed(talk, action)
        case Words(text):
            return _words(talk, clean(text).strip())
        case Edited(text):
            return _edited(talk, clean(text).strip())
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
        case Overlooked():
            return duty.overlooked(talk)


# Buttons -----------------------------------------------------------------------------------------


def _pressed(talk: Talk, action: str) -> Decision:
    verb, _, rest = action.partition(":")
    if verb in DUTY_VERBS:
        return duty.press(talk, verb, rest.partition(":")[2])
    if verb == "bind":
        unit, _, sure = rest.partition(":")
        return join.bind_to(talk, unit, sure=sure == "yes")
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


# Words -------------------------------------------------------------------------------------------


def _words(talk: Talk, text: str) -> Decision:
    decision = _duty_words(talk, text) or _group_or_private(talk, text)
    if talk.world.lexicon.mentions(text, "emergency") and not talk.here.group:
        # Whatever else is said, first the numbers that help at once.
        return replace(decision, effects=(start.emergency(talk), *decision.effects))
    return decision


def _group_or_private(talk: Talk, text: str) -> Decision:
    command = talk.world.lexicon.command(text)
    if talk.here.group:
        return _group_words(talk, text, command)
    if talk.world.lexicon.invite_code(text) is not None:
        return join.code_given(talk)
    if command is not None:
        return _command(talk, command)
    return _plain_words(talk, text)


def _group_words(talk: Talk, text: str, command: str | None) -> Decision:
    """In a group the bot speaks only when spoken to."""
    if command == "ketnoi":
        return join.bind(talk)
    if talk.world.lexicon.invite_code(text) is not None:
        return join.code_exposed(talk)
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
    found, lexicon = talk.facts.report, talk.world.lexicon
    if found is not None and _complains(talk, found, text):
        return _answer_complaint(talk, found, text)
    if talk.session.draft is not None and talk.session.draft.bare:
        # Only a photo so far: it may go with a judgement of what was closed last.
        judged = _judged_in_words(talk, text)
        if judged is not None:
            return duty.with_photos(talk, judged)
    if talk.session.draft is not None:
        if not text:
            return start.unsupported(talk, Unsupported("other"))
        return start.stop(talk) if _stops(talk, text) else report.words(talk, text)
    if lexicon.report_code(text) is not None:
        return _about_code(talk, text)
    numbered = [r for r in talk.facts.mine if int(r.code.rpartition("-")[2]) == lexicon.only_number(text)]
    if numbered:
        return lookup.one(
            Talk(talk.incoming, talk.session, replace(talk.facts, report=numbered[0]), talk.world)
        )
    judged = _judged_in_words(talk, text)
    if judged is not None:
        return judged
    meanings = lexicon.meanings(text)
    if "stop" in meanings:
        return start.stop(talk)
    if "report" in meanings:
        return report.begin(talk)
    if "greeting" in meanings:
        return start.greet(talk)
    if _adds(talk, text):
        return filing.add_words(talk, talk.facts.mine[0], text)
    if lexicon.mentions(text, "asks_status") and any(r.is_open for r in talk.facts.mine):
        return lookup.mine(talk)
    if meanings & {"yes", "good", "done", "enough", "send", "take", "thanks"} or report.says_send(talk, text):
        return start.nod(talk, thanks="thanks" in meanings)
    if report.tells_something(talk, text):
        return report.words(talk, text)
    if lexicon.mentions(text, "thanks"):
        return start.nod(talk, thanks=True)
    if filing.may_add(talk) and found is not None and len(fold(text)) > 1:
        return filing.add_words(talk, found, text)
    if lexicon.mentions(text, "greeting"):
        return start.greet(talk)
    if lexicon.mentions(text, "report"):
        return report.begin(talk)
    return start.help_(talk) if lexicon.mentions(text, "asks_how") else start.off_topic(talk, text)


def _adds(talk: Talk, text: str) -> bool:
    """ "Thêm: …" belongs to the newest report, as long as that is open."""
    newest = talk.facts.mine[:1]
    return bool(newest) and newest[0].is_open and talk.world.lexicon.begins(text, "adds")


def _stops(talk: Talk, text: str) -> bool:
    """Bare "dung" while yes or no is asked means "right", everywhere else it is asked about elsewhere."""
    meanings = talk.world.lexicon.meanings(text)
    return "stop" in meanings and "yes" not in meanings


def _about_code(talk: Talk, text: str) -> Decision:
    """A code alone asks; with a sentence around it, it adds to that report or tells something new."""
    found = talk.facts.report
    lexicon = talk.world.lexicon
    short = len(fold(text).split()) < TELLING_WORDS + 3
    if short or lexicon.duty_verb(text) or lexicon.mentions(text, "asks_status"):
        return lookup.one(talk)
    if found is not None and found.person == talk.facts.me.person and found.is_open:
        return filing.add_words(talk, found, text)
    return report.words(talk, text) if report.tells_something(talk, text) else lookup.one(talk)


def _answer_complaint(talk: Talk, found: Report, text: str) -> Decision:
    """What was still wrong, or that it is right after all."""
    lexicon = talk.world.lexicon
    fine = "good" in lexicon.meanings(text) or lexicon.mentions(text, "good")
    if fine and not lexicon.mentions(text, "but"):
        return duty.judge(talk, "good")
    return duty.complain(talk, found, text, None)


def _complains(talk: Talk, found: Report, text: str) -> bool:
    """Whether what comes now is the word that "not yet" still owes: soon, and about nothing else."""
    session, lexicon = talk.session, talk.world.lexicon
    if session.complaint != found.code or found.person != talk.facts.me.person:
        return False
    if session.draft is not None and session.draft.touched_at > session.complaint_at:
        # A newer matter is being told: its questions are what is answered.
        return False
    if talk.now - session.complaint_at > COMPLAINT_FOR_MS:
        return False
    if lexicon.meanings(text) & {"greeting", "thanks", "report", "lookup", "enough"}:
        return False
    return _same_matter(talk, found, text)


def _same_matter(talk: Talk, found: Report, text: str) -> bool:
    """Words that name no other field and no other village may be about this report."""
    lexicon = talk.world.lexicon
    matter, units = lexicon.sure(lexicon.categories(text)), lexicon.place(text).units
    same = matter is None or talk.commune.categories[matter].field == found.field
    landmark = lexicon.place(text).landmark
    elsewhere = bool(units and landmark) and fold(landmark) != fold(found.landmark)
    return same and not elsewhere and (not units or found.unit in units)


def _judged_in_words(talk: Talk, text: str) -> Decision | None:
    """ "Sạch rồi", "vẫn còn rác": the judgement of the report that was closed last, in words."""
    lexicon = talk.world.lexicon
    finished = [r for r in talk.facts.mine if r.status in ("resolved", "confirmed")]
    # The one just heard of, and one that still waits for a judgement before one that has it.
    closed = sorted(finished, key=lambda r: (r.status != "resolved", -(r.closed_at or 0)))[:1]
    if not closed or talk.now - (closed[0].closed_at or 0) > REOPEN_MS:
        return None
    about = talk.on(closed[0])
    meanings = lexicon.meanings(text)
    if "good" not in meanings and meanings & {"bad", "no"}:
        told = len(fold(text).split()) >= TELLING_WORDS
        return duty.complain(about, closed[0], text, None) if told else duty.judge(about, "bad")
    if lexicon.mentions(text, "but") and (lexicon.mentions(text, "good") or meanings & {"good"}):
        return duty.complain(about, closed[0], text, None)
    if closed[0].status == "confirmed":
        return None
    if meanings & {"good", "yes", "done"}:
        return duty.judge(about, "good")
    same = _same_matter(talk, closed[0], text)
    if lexicon.mentions(text, "good") and same:
        return duty.judge(about, "good")
    if lexicon.mentions(text, "bad") and same:
        return duty.complain(about, closed[0], text, None)
    return None


def _duty_words(talk: Talk, text: str) -> Decision | None:
    """An officer's words: an outcome or a number that is owed, or "nhận", "xong" with or without a code."""
    found, lexicon = talk.facts.report, talk.world.lexicon
    closing = talk.session.owed(talk.incoming.account, talk.now)
    if closing is not None and found is not None and found.code == closing.code:
        owed = duty.owed_words(talk, found, closing, text)
        if owed is not None:
            return owed
    verb = lexicon.duty_verb(text)
    answers = talk.incoming.replied is not None and found is not None and closing is None
    if not talk.facts.me.roles:
        # Somebody in the room who is no member, answering an alert: told, so that nobody relies on it.
        return duty.press(talk, verb, "") if verb and answers and talk.here.group else None
    named = lexicon.report_code(text) is not None
    verb = verb or (lexicon.duty_mention(text) if named or answers else None)
    if verb is None and answers and not talk.here.group and found is not None:
        # An answer to an alert that no word of duty is in: never a report of the officer's own.
        return talk.stay(talk.answer("duty/help")) if duty.rights_to(talk, found) else None
    if verb is None:
        return None
    serial = lexicon.serial(text)
    again = closing is not None and verb == "done" and serial is None and found is not None
    if named or answers or again:
        return duty.press(talk, verb, "")
    return duty.choose(talk, verb, serial)


# Photos and news of our own ----------------------------------------------------------------------


def _edited(talk: Talk, text: str) -> Decision:
    if talk.here.group or not text:
        return talk.stay()
    if talk.session.draft is not None:
        return report.retold(talk, talk.session.draft, text, edited=True)
    found = talk.facts.report
    if filing.may_add(talk) and found is not None and not found.words.endswith(text):
        return filing.add_words(talk, found, text)
    return talk.stay()


def _photo_sent(talk: Talk, photo: PhotoSent) -> Decision:
    found = talk.facts.report
    after = duty.photo_for(talk, photo)
    if after is not None:
        return after
    if talk.here.group:
        return talk.stay()
    if found is not None:
        if _complains(talk, found, photo.caption):
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
