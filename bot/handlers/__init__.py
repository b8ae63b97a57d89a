"""The table of contents of the talk: which handler decides which event."""

from collections.abc import Sequence
from dataclasses import replace

from bot.core.events import (
    Answered,
    CampaignDue,
    CutOff,
    DraftDue,
    Edited,
    Entered,
    FloodOver,
    Incoming,
    Left,
    LinkReady,
    MorningDue,
    Moved,
    NoticeDue,
    Overlooked,
    PhotoReady,
    PhotoSent,
    PlaceSent,
    Pressed,
    ReportDue,
    TaskDue,
    Undelivered,
    Unsupported,
    VoiceSent,
    Withdrawn,
    Words,
)
from bot.core.facts import Facts
from bot.core.message import Button
from bot.core.session import Session
from bot.core.text import as_figures, clean, fold
from bot.handlers import (
    activity,
    activity_check,
    adding,
    alerts,
    announce,
    approve,
    behalf,
    byhand,
    campaign,
    channels,
    deadlines,
    duty,
    givetask,
    hand_on,
    join,
    judge,
    lookup,
    members,
    quiet,
    remind,
    report,
    rooms,
    setday,
    spoken,
    standings,
    start,
    stats,
    takepart,
    tasks,
    urgent,
    voice,
)
from bot.handlers.needs import needs
from bot.handlers.talk import Decision, Talk, World

__all__ = ["Decision", "Talk", "World", "decide", "needs", "read_press"]

DUTY_VERBS = ("take", "done", "out", "phone", *hand_on.VERBS)
JUDGING = ("good", "bad")
FORM_VERBS = (
    *("f", "c", "kinds", "u", "us", "map", "no", "edit", "ed", "keep", "priv", "add", "send", "cancel"),
    *("merge", "after", "again", "nowhere", "off", "same", "other"),
)


# No label is longer, however it is typed.
LABEL_LONGEST = 40


def read_press(incoming: Incoming, session: Session, choices: Sequence[Button]) -> Incoming:
    """Words that repeat a choice of the last list, or its number, are that press.

    A bare number is left alone while a number is asked for: a village's (all are numbered), or how many.
    """
    if not isinstance(incoming.event, Words) or not choices:
        return incoming
    if incoming.address.group and incoming.replied is None:
        # In a room people say "1" to each other.
        return incoming
    typed = incoming.event.text.strip()
    labelled = _labelled(typed, choices)
    if labelled is not None:
        return replace(incoming, event=Pressed(labelled.action))
    figures = as_figures(typed)
    asked = session.asks_number(int(incoming.at.timestamp() * 1000))
    if asked or not figures.isdecimal() or len(figures) > 2 or not 1 <= int(figures) <= len(choices):
        return incoming
    chosen = choices[int(figures) - 1]
    return incoming if chosen.final else replace(incoming, event=Pressed(chosen.action))


def _labelled(typed: str, choices: Sequence[Button]) -> Button | None:
    folded = fold(typed) if len(typed) <= LABEL_LONGEST else ""
    return next((choice for choice in choices if folded and fold(choice.label) == folded), None)


def decide(incoming: Incoming, session: Session, facts: Facts, world: World) -> Decision:
    """What happens now: the chat's new state and what is to be done. Pure, total: always a decision."""
    talk = Talk(incoming, session, facts, world)
    decision = byhand.held_back(talk, activity.let_be(talk, _decided(talk)))
    return quiet.hushed(talk, start.introduced(talk, decision) if facts.introduce else decision)


def _decided(talk: Talk) -> Decision:
    match talk.incoming.event:
        case Pressed(action):
            return _pressed(talk, action)
        case Words(text):
            text = clean(text).strip()
            noticed = announce.said(talk, text) or approve.said(talk, text)
            return noticed or voice.line(talk, text) or spoken.words(talk, text)
        case Edited(text):
            return _edited(talk, clean(text).strip())
        case PhotoSent() as photo:
            return _photo_sent(talk, replace(photo, caption=clean(photo.caption).strip()))
        case VoiceSent() as sent:
            return _voice_sent(talk, replace(sent, caption=clean(sent.caption).strip()))
        case PhotoReady() as ready:
            return _photo_ready(talk, ready)
        case PlaceSent(lat, lon):
            return talk.stay() if talk.here.group else _place_sent(talk, lat, lon)
        case LinkReady(lat, lon):
            return report.link_ready(talk, lat, lon)
        case Unsupported() as event:
            return talk.stay() if talk.here.group else start.unsupported(talk, event)
        case Entered():
            return join.entered(talk)
        case Left():
            return join.left(talk)
        case Answered() as event:
            return byhand.answered(talk, event)
        case Withdrawn():
            return byhand.withdrawn(talk)
        case Moved() as event:
            return join.moved(talk, event)
        case Undelivered(why=why):
            return _undelivered(talk, why)
        case DraftDue():
            return report.draft_due(talk)
        case Overlooked():
            return alerts.overlooked(talk)
        case ReportDue() as event:
            return deadlines.report_due(talk, event)
        case MorningDue() as event:
            return deadlines.morning(talk, event)
        case FloodOver():
            return deadlines.flood_over(talk)
        case CutOff() as event:
            return channels.cut_off(talk, event)
        case CampaignDue() as event:
            return campaign.due(talk, event)
        case NoticeDue():
            return approve.due(talk)
        case TaskDue() as event:
            return tasks.due(talk, event)


# Buttons -----------------------------------------------------------------------------------------


def _pressed(talk: Talk, action: str) -> Decision:
    verb, _, rest = action.partition(":")
    if verb in DUTY_VERBS:
        return duty.press(talk, verb, rest.partition(":")[2])
    if verb == "bind":
        unit, _, sure = rest.partition(":")
        return join.bind_to(talk, unit, sure=sure == "yes")
    if verb in rooms.VERBS:
        return rooms.press(talk, verb, rest)
    if verb in members.VERBS:
        return members.press(talk, verb, rest)
    if verb in setday.VERBS:
        return setday.press(talk, rest)
    if verb in takepart.VERBS:
        return takepart.press(talk, verb, rest)
    if verb in announce.VERBS:
        return announce.press(talk, rest)
    if verb in approve.VERBS:
        return approve.press(talk, rest)
    if verb in stats.VERBS:
        return stats.show(talk)
    if verb in givetask.VERBS and not talk.here.group:
        return givetask.press(talk, verb, rest)
    if verb in tasks.VERBS:
        return tasks.press(talk, verb, rest)
    if talk.here.group:
        # Reports are told in private: in a group everybody would read along.
        return talk.stay()
    if verb in remind.VERBS:
        return remind.press(talk, verb, rest)
    if verb in activity.VERBS:
        return activity.press(talk, verb, rest)
    if verb in activity_check.VERBS:
        return activity_check.press(talk, verb, rest)
    if verb in standings.VERBS:
        return standings.press(talk, verb, rest)
    if verb == "calm":
        return urgent.calm(talk, report.begin_with)
    if verb == "alarm":
        return urgent.pressed(talk)
    if verb == "umap":
        return talk.stay(talk.ask("resident/show_on_map"))
    if verb in FORM_VERBS:
        draft, _, argument = rest.partition(":")
        return report.press(talk, verb, draft, argument)
    if verb in JUDGING:
        return judge.judge(talk, verb)
    match verb:
        case "new":
            return report.begin(talk)
        case "behalf":
            return behalf.begin(talk)
        case "mine":
            return lookup.mine(talk)
        case "look":
            return lookup.one(talk)
        case "pics":
            return lookup.pictures(talk)
        case "privacy":
            return start.privacy(talk)
        case "help":
            return start.help_(talk)
        case "seen":
            # Said by whoever reads the list each morning: so a platform lets us write to them for longer.
            return talk.stay(talk.answer("duty/seen"))
    return adding.stale(talk)


# Photos and news of our own ----------------------------------------------------------------------


def _edited(talk: Talk, text: str) -> Decision:
    if talk.here.group or not text:
        return talk.stay()
    if talk.session.draft is not None:
        return report.retold(talk, talk.session.draft, text, edited=True)
    found = talk.facts.report
    if adding.may_add(talk) and found is not None and not found.words.endswith(text):
        return adding.add_words(talk, found, text)
    return talk.stay()


def _place_sent(talk: Talk, lat: float, lon: float) -> Decision:
    emergency = urgent.awaits(talk)
    if emergency is not None:
        return urgent.place_sent(talk, emergency, lat, lon)
    return report.place_sent(talk, lat, lon)


def _photo_sent(talk: Talk, photo: PhotoSent) -> Decision:
    found = talk.facts.report
    if not talk.here.group and activity.comes_first(talk):
        told = activity.photo(talk, photo)
        if told is not None:
            return told
    of_result = takepart.photo(talk, photo) if takepart.comes_first(talk) else None
    after = of_result or duty.photo_for(talk, photo)
    if after is not None:
        return after
    if talk.here.group:
        return talk.stay()
    of_activity = activity.photo(talk, photo)
    if of_activity is not None:
        return of_activity
    if urgent.awaits(talk) is not None and found is not None:
        return adding.add_photo(talk, found, photo)
    if found is not None:
        if spoken.complains(talk, found, photo.caption):
            return judge.complain(talk, found, photo.caption, photo)
        if adding.may_add(talk) and not report.tells_something(talk, photo.caption):
            return adding.add_photo(talk, found, photo)
    return report.photo_sent(talk, photo)


def _voice_sent(talk: Talk, sent: VoiceSent) -> Decision:
    """Told in private only; what an officer's answer should be is words."""
    found = talk.facts.report
    if talk.here.group:
        return talk.stay()
    problem = voice.refused(talk, sent)
    if problem is not None:
        return problem
    if found is not None:
        if talk.incoming.replied is not None and duty.rights_to(talk, found):
            return talk.stay(talk.answer("duty/help"))
        if urgent.awaits(talk) is not None:
            return voice.add(talk, found, sent)
        if spoken.complains(talk, found, sent.caption):
            return voice.complain(talk, found, sent)
        if adding.may_add(talk) and not report.tells_something(talk, sent.caption):
            return voice.add(talk, found, sent)
    return voice.tell(talk, talk.session.draft or report.new_draft(talk), sent)


def _photo_ready(talk: Talk, ready: PhotoReady) -> Decision:
    photo, found = talk.facts.photo, talk.facts.report
    if photo is not None and photo.purpose.startswith(takepart.RESULT):
        return takepart.photo_ready(talk, ready)
    if photo is not None and activity.is_evidence(photo.purpose):
        return activity.photo_ready(talk, ready)
    if voice.fetched(talk, ready):
        return voice.ready(talk, ready)
    if photo is None or found is None:
        return report.photo_ready(talk, ready)
    if photo.purpose == "after":
        return duty.after_ready(talk, found, ready)
    return adding.photo_ready(talk, found, ready)


def _undelivered(talk: Talk, why: str) -> Decision:
    refusal = talk.facts.refusal
    lost = join.unreachable(talk, refusal) if why in ("blocked", "gone") and refusal is not None else ()
    return talk.stay(*lost, *alerts.undelivered(talk))
