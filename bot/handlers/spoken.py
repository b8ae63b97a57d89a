"""What a message in words means: a duty's word, a command, a judgement, more of a report, or a new one."""

from dataclasses import replace

from bot.core.events import Unsupported
from bot.core.report import REOPEN_MS, Report
from bot.core.session import COMPLAINT_FOR_MS
from bot.core.text import fold, phone_in, without_phones
from bot.handlers import (
    activity,
    activity_check,
    adding,
    asides,
    behalf,
    duty,
    givetask,
    join,
    judge,
    lookup,
    members,
    pairing,
    remind,
    report,
    rooms,
    search,
    setday,
    shift,
    standings,
    start,
    stats,
    takepart,
    tasks,
    urgent,
)
from bot.handlers.talk import Decision, Talk

# A code with so many other words tells something; with fewer it asks.
TELLING_WORDS = 3
BESIDE_A_NUMBER, AROUND_A_NUMBER = 4, 10


def words(talk: Talk, text: str) -> Decision:
    danger = None if talk.here.group else talk.world.lexicon.emergency(text)
    told = None if talk.here.group else urgent.awaits(talk)
    if told is not None and _goes_on(talk, told, text):
        return urgent.more(talk, told, text)
    if danger == "sure" and not talk.facts.me.roles and not _names_a_matter(talk, text):
        return urgent.alarm(talk, text)
    own = givetask.said(talk, text) or tasks.said_number(talk, text) or tasks.said(talk, text)
    first = takepart.first(talk, text) or (None if talk.here.group else own)
    newer = _of_activities(talk, text) if activity.comes_first(talk) else None
    decision = newer or first or _of_activities(talk, text) or _duty_words(talk, text)
    decision = decision or _group_or_private(talk, text)
    return decision if danger is None else urgent.maybe(talk, text, decision)


def _of_activities(talk: Talk, text: str) -> Decision | None:
    """What members say of what their unit did; in private, and never instead of what a report still owes."""
    if talk.here.group or not talk.facts.me.roles:
        return None
    asked = talk.world.lexicon.activities.asked(text)
    if asked is not None and not (asked.verb == "one" and asked.rest):
        return activity_check.asked(talk, asked)
    return activity_check.said(talk, text) or standings.said(talk, text) or activity.said(talk, text)


def _names_a_matter(talk: Talk, text: str) -> bool:
    """A pothole that made somebody bleed is two readings of one message: then the alarm is a press away."""
    lexicon = talk.world.lexicon
    return lexicon.sure(lexicon.categories(text)) is not None


def _goes_on(talk: Talk, told: Report, text: str) -> bool:
    """Whether words belong to the emergency that was just told: all do, but commands and thanks."""
    lexicon = talk.world.lexicon
    other = lexicon.command(text) is not None or lexicon.meanings(text) & {"thanks", "greeting", "report"}
    return not other and (talk.session.draft is None or (told.unit is None and told.lat is None))


def _group_or_private(talk: Talk, text: str) -> Decision:
    command = talk.world.lexicon.command(text)
    if talk.here.group:
        return _group_words(talk, text, command)
    if talk.world.lexicon.invite_code(text) is not None:
        return join.code_given(talk)
    if talk.world.lexicon.means(text, "pair"):
        return pairing.draw(talk)
    told = (
        stats.said(talk, text)
        or setday.said(talk, text)
        or takepart.said(talk, text)
        or remind.said_village(talk, text)
    )
    if told is not None:
        return told
    looked = search.said(talk, text) if talk.session.draft is None else None
    if looked is not None:
        return looked
    managed = rooms.said(talk, text) or members.said(talk, text) or behalf.told(talk, text)
    if managed is not None:
        return managed
    if command is not None:
        return _command(talk, command)
    return _plain_words(talk, text)


def _group_words(talk: Talk, text: str, command: str | None) -> Decision:
    """In a group the bot speaks only when spoken to."""
    result = takepart.said(talk, text) if takepart.comes_first(talk) else None
    if result is not None:
        return result
    if command == "ketnoi":
        return join.bind(talk)
    if talk.world.lexicon.invite_code(text) is not None:
        return join.code_exposed(talk)
    if command in ("trogiup", "start"):
        return start.help_(talk)
    return stats.said_in_group(talk, text) or members.said(talk, text) or talk.stay()


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
    if found is not None and complains(talk, found, text):
        return _answer_complaint(talk, found, text)
    if talk.session.draft is not None and talk.session.draft.bare:
        # Only a photo so far: it may go with a judgement of what was closed last.
        judged = _judged_in_words(talk, text)
        if judged is not None:
            return judge.with_photos(talk, judged)
    if talk.session.draft is not None:
        if not text:
            return start.unsupported(talk, Unsupported("other"))
        return remind.stop(talk) if _stops(talk, text) else report.words(talk, text)
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
        return remind.stop(talk)
    if "on" in meanings:
        return remind.ask_village(talk)
    if "report" in meanings:
        return report.begin(talk)
    if "greeting" in meanings:
        return start.greet(talk)
    if phone_in(text) and _hardly_more(talk, without_phones(text)):
        return adding.call_back(talk, phone_in(text))
    if _adds(talk, text):
        return adding.add_words(talk, talk.facts.mine[0], text)
    if meanings & {"yes", "good", "done", "enough", "send", "take", "thanks"} or report.says_send(talk, text):
        return start.nod(talk, thanks="thanks" in meanings)
    said_beside = asides.aside(talk, text)
    if said_beside is not None:
        return said_beside
    if report.tells_something(talk, text):
        return report.words(talk, text)
    if lexicon.mentions(text, "thanks"):
        return start.nod(talk, thanks=True)
    if adding.may_add(talk) and found is not None and len(fold(text)) > 1:
        return adding.add_words(talk, found, text)
    if lexicon.mentions(text, "wants_report"):
        return report.begin(talk)
    if lexicon.mentions(text, "greeting"):
        return start.greet(talk)
    return start.help_(talk) if lexicon.mentions(text, "asks_how") else start.off_topic(talk, text)


def _hardly_more(talk: Talk, rest: str) -> bool:
    """What stands around a number says no more than "call me"."""
    asked = talk.world.lexicon.mentions(rest, "call_me")
    most = AROUND_A_NUMBER if asked else BESIDE_A_NUMBER
    return len(rest.split()) <= most and not report.tells_something(talk, rest)


def _adds(talk: Talk, text: str) -> bool:
    """ "Thêm: …" belongs to the newest report, as long as that is open."""
    newest = talk.facts.mine[:1]
    adds = bool(newest) and newest[0].is_open and talk.world.lexicon.begins(text, "adds")
    return adds and _same_matter(talk, newest[0], text)


def _stops(talk: Talk, text: str) -> bool:
    """Bare "dung" while yes or no is asked means "right", everywhere else it is asked about elsewhere."""
    meanings = talk.world.lexicon.meanings(text)
    return "stop" in meanings and "yes" not in meanings


def _about_code(talk: Talk, text: str) -> Decision:
    """A code alone asks; with a sentence around it, it adds to that report or tells something new."""
    found = talk.facts.report
    lexicon = talk.world.lexicon
    short = len(fold(text).split()) < TELLING_WORDS + 3
    asks = lexicon.mentions(text, "asks_status") and len(text.split()) <= asides.STATUS_WORDS
    if short or asks or lexicon.duty_verb(text):
        return lookup.one(talk)
    if found is not None and found.person == talk.facts.me.person and found.is_open:
        return adding.add_words(talk, found, text)
    return report.words(talk, text) if report.tells_something(talk, text) else lookup.one(talk)


def _answer_complaint(talk: Talk, found: Report, text: str) -> Decision:
    """What was still wrong, or that it is right after all."""
    lexicon = talk.world.lexicon
    fine = "good" in lexicon.meanings(text) or lexicon.mentions(text, "good")
    if fine and not lexicon.mentions(text, "but"):
        return judge.judge(talk, "good")
    return judge.complain(talk, found, text, None)


def complains(talk: Talk, found: Report, text: str) -> bool:
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
        return judge.complain(about, closed[0], text, None) if told else judge.judge(about, "bad")
    if lexicon.mentions(text, "but") and (lexicon.mentions(text, "good") or meanings & {"good"}):
        return judge.complain(about, closed[0], text, None)
    if closed[0].status == "confirmed":
        return None
    if meanings & {"good", "yes", "done"}:
        return judge.judge(about, "good")
    same = _same_matter(talk, closed[0], text)
    if lexicon.mentions(text, "good") and same:
        # "Mới dọn được ít thôi" has a good word in it, too: in doubt it is asked what is missing.
        doubted = lexicon.mentions_beside(text, "doubts", "good")
        return judge.judge(about, "bad" if doubted else "good")
    if lexicon.mentions(text, "bad") and same:
        return judge.complain(about, closed[0], text, None)
    return None


def _duty_words(talk: Talk, text: str) -> Decision | None:
    """An officer's words: an outcome or a number that is owed, or "nhận", "xong" with or without a code."""
    found, lexicon = talk.facts.report, talk.world.lexicon
    closing = talk.session.owed(talk.incoming.account, talk.now)
    on, off = lexicon.means(text, "shift_on"), lexicon.means(text, "shift_off")
    if talk.facts.me.roles and (on or off):
        return shift.shift(talk, on=on)
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
    outcome = "" if verb else lexicon.done_with(text) or ""
    verb = "out" if outcome else verb or (lexicon.duty_mention(text) if named or answers else None)
    if verb is None and talk.session.draft is None and lexicon.begins(text, "postpone"):
        return duty.put_off(talk, text, sure=named or answers)
    if verb is None and answers and not talk.here.group and found is not None:
        # An answer to an alert that no word of duty is in: never a report of the officer's own.
        return talk.stay(talk.answer("duty/help")) if duty.rights_to(talk, found) else None
    if verb is None:
        return None
    serial = lexicon.serial(text)
    again = closing is not None and verb == "done" and serial is None and found is not None
    if named or answers or again:
        return duty.press(talk, verb, outcome)
    return duty.choose(talk, verb, serial, outcome)
