"""The office writes a notice: its words, for whom, a preview; then somebody else is asked to let it go."""

from dataclasses import replace

from bot.core import when
from bot.core.commune import LEAD
from bot.core.effects import Announce, Effect, Say
from bot.core.events import Address, Incoming, Pressed, Words
from bot.core.notice import (
    ALL,
    ROLE_ORDER,
    ROLES,
    TEXT_MAX,
    VILLAGES,
    Audience,
    Composing,
    Decider,
    NoticeNeed,
    Notices,
    Reach,
    audience,
)
from bot.core.noticewords import audience_in, villages_in
from bot.core.session import Session
from bot.core.text import clip
from bot.handlers import quiet
from bot.handlers.members import OFFICE, is_office
from bot.handlers.noticed import OPENING, message, my_name, reach_words, told, whom
from bot.handlers.talk import Decision, Talk, World

VERBS = ("nt",)
COMMAND = "thongbao"
QUESTIONS = {
    "text": "office/notice_text",
    "whom": "office/notice_whom",
    "villages": "office/notice_villages",
    "roles": "office/notice_roles",
}
NOTHING = Notices()


# What must be known -------------------------------------------------------------------------------


def needed(incoming: Incoming, session: Session, world: World) -> NoticeNeed | None:
    """What a step of writing asks for: whom its audience reaches, and what went before."""
    composing = _open(incoming, session)
    match incoming.event:
        case Pressed(action) if action.partition(":")[0] in VERBS:
            return _reaching(_pressed(action.partition(":")[2], composing))
        case Words(text) if world.lexicon.command(text) == COMMAND:
            return NoticeNeed(recent=True)
        case Words(text) if composing is not None:
            return _reaching(_said(world, composing, text))
    return None


def _reaching(meant: Audience | None) -> NoticeNeed:
    return NoticeNeed(reach=None if meant is None else meant.key)


def _open(incoming: Incoming, session: Session) -> Composing | None:
    """The notice that this person is writing here; in a room, words that answer nothing are not for us."""
    composing = session.composes(int(incoming.at.timestamp() * 1000))
    if composing is None or composing.account != incoming.account:
        return None
    spoken = not isinstance(incoming.event, Words) or incoming.replied is not None
    return composing if spoken or not incoming.address.group else None


def _pressed(rest: str, composing: Composing | None) -> Audience | None:
    deed, _, more = rest.partition(":")
    match deed:
        case "all":
            return Audience(ALL)
        case "roles" if more in ROLE_ORDER:
            return Audience(ROLES, (more,))
        case "members":
            return Audience(ROLES, ROLE_ORDER)
        case "send" if composing is not None and composing.audience:
            return audience(composing.audience)
    return None


def _said(world: World, composing: Composing, text: str) -> Audience | None:
    """The audience that is known once these words are understood."""
    if composing.asked in ("whom", "villages", "roles"):
        found = audience_in(text, world.lexicon, world.commune)
        return found if found is None or found.kind != VILLAGES or found.names else None
    return audience(composing.audience) if composing.audience else None


# Who may, and where -------------------------------------------------------------------------------


def refused_here(talk: Talk) -> Decision | None:
    """Only the office, and only in private or in its own room."""
    if talk.here.group and (talk.facts.room != talk.commune.office or not talk.facts.acts):
        return talk.stay(talk.answer("join/in_private"))
    if not is_office(talk):
        return talk.stay(talk.answer("office/notice_office_only"))
    return None


def said(talk: Talk, text: str) -> Decision | None:
    """Words of somebody who writes a notice, or begins one; None: they are about something else."""
    if not talk.facts.me.roles:
        return None
    command = talk.world.lexicon.command(text)
    if command == COMMAND:
        return refused_here(talk) or begin(talk)
    composing = _open(talk.incoming, talk.session)
    if composing is None or command not in (None, "huy") or _of_duty(talk, text):
        return None
    if refused_here(talk) is not None:
        return None
    if "cancel" in talk.world.lexicon.meanings(text):
        return drop(talk)
    return _answered(talk, composing, text)


def _of_duty(talk: Talk, text: str) -> bool:
    """A word of duty, or a code to join, is no notice, whatever is being asked."""
    lexicon = talk.world.lexicon
    return lexicon.duty_verb(text) is not None or lexicon.invite_code(text) is not None


def press(talk: Talk, rest: str) -> Decision:
    refused = refused_here(talk)
    if refused is not None:
        return refused
    composing = _open(talk.incoming, talk.session)
    if composing is None:
        return talk.stay(talk.answer("office/notice_gone"))
    deed, _, more = rest.partition(":")
    meant = _pressed(rest, composing)
    match deed:
        case "send":
            return submit(talk, composing, more)
        case "text" | "villages" | "roles" | "whom":
            return _ask(talk, composing, deed)
        case "drop":
            return drop(talk)
    return _for(talk, composing, meant) if meant is not None else talk.stay(talk.answer("office/notice_gone"))


# Step by step -------------------------------------------------------------------------------------


def begin(talk: Talk) -> Decision:
    """What was sent last, and the question for the words of a new one."""
    recent = (talk.facts.notices or NOTHING).recent
    asked = talk.answer("office/notice_ask", recent=[told(talk, one) for one in recent], max=TEXT_MAX)
    return talk.go(asked, notice=Composing(talk.incoming.account, talk.now))


def rewrite(talk: Talk, text: str, meant: Audience, *effects: Effect) -> Decision:
    """An earlier one is written anew, for the same people."""
    composing = Composing(talk.incoming.account, talk.now, text, meant.key)
    asked = _ask(talk, composing, "text")
    return Decision(asked.session, (*effects, *asked.effects))


def drop(talk: Talk) -> Decision:
    return talk.go(talk.answer("office/notice_dropped"), notice=None)


def _ask(talk: Talk, composing: Composing, what: str, *, unknown: str = "", again: bool = False) -> Decision:
    data = {"unknown": clip(unknown, OPENING), "again": again, "count": len(talk.commune.villages)}
    question = talk.answer(QUESTIONS[what], **data, max=TEXT_MAX)
    return _keep(talk, replace(composing, asked=what), question)


def _keep(talk: Talk, composing: Composing, *effects: Effect) -> Decision:
    changed = replace(composing, at=talk.now, version=composing.version + 1)
    return talk.go(*effects, notice=changed)


def _answered(talk: Talk, composing: Composing, text: str) -> Decision:
    match composing.asked:
        case "text":
            return _worded(talk, composing, text)
        case "sure":
            return _at_the_end(talk, composing, text)
    meant = audience_in(text, talk.world.lexicon, talk.commune)
    if meant is None:
        named = villages_in(text, talk.world.lexicon, talk.commune)
        return _ask(talk, composing, composing.asked, unknown=named.unknown, again=True)
    if meant.kind == VILLAGES and not meant.names:
        return _ask(talk, composing, "villages")
    return _for(talk, composing, meant)


def _worded(talk: Talk, composing: Composing, text: str) -> Decision:
    """One message is the notice."""
    if not text or len(text) > TEXT_MAX:
        data = {"length": len(text), "max": TEXT_MAX}
        return talk.stay(talk.answer("office/notice_too_long", **data))
    worded = replace(composing, text=text)
    if not worded.audience:
        return _ask(talk, worded, "whom")
    return _preview(talk, worded, audience(worded.audience))


def _for(talk: Talk, composing: Composing, meant: Audience) -> Decision:
    chosen = replace(composing, audience=meant.key)
    return _preview(talk, chosen, meant) if chosen.text else _ask(talk, chosen, "text")


def _at_the_end(talk: Talk, composing: Composing, text: str) -> Decision:
    lexicon = talk.world.lexicon
    meant = lexicon.meanings(text)
    if meant & {"send", "notice_submit"}:
        return submit(talk, composing, str(composing.version))
    if "edit" in meant:
        return _ask(talk, composing, "text")
    return _preview(talk, composing, audience(composing.audience))


def _preview(talk: Talk, composing: Composing, meant: Audience) -> Decision:
    """The message as everybody will get it; then whom it reaches and what it costs."""
    shown = replace(composing, asked="sure", version=composing.version + 1, at=talk.now)
    reach = (talk.facts.notices or NOTHING).reach or Reach(0)
    data = {"to": whom(talk, meant), "reach": reach_words(reach), "version": shown.version}
    as_sent = talk.answer("resident/notice", **message(talk, composing.text, meant))
    return talk.go(as_sent, talk.answer("office/notice_preview", **data), notice=shown)


# Asked for approval -------------------------------------------------------------------------------


def deciders(notices: Notices, author: str | None) -> tuple[Decider, ...]:
    """Who may let it go: the others of the office; where there are none, those who lead the commune."""
    others = [one for one in notices.deciders if one.person != author]
    office = tuple(one for one in others if one.role == OFFICE)
    return office or tuple(one for one in others if one.role == LEAD)


def submit(talk: Talk, composing: Composing, version: str) -> Decision:
    """What was shown is what is asked for: of an older preview nothing can be sent."""
    if not composing.text or not composing.audience:
        return _ask(talk, composing, "whom" if composing.text else "text")
    meant = audience(composing.audience)
    if version != str(composing.version):
        return _preview(talk, composing, meant)
    notices = talk.facts.notices or NOTHING
    asked = deciders(notices, talk.facts.me.person)
    ears = _ears(talk, asked)
    if not ears:
        return talk.stay(talk.answer("office/notice_nobody", asked=[one.name for one in asked]))
    author = my_name(talk)
    data = {"id": talk.incoming.id, "author": author, "to": whom(talk, meant)}
    data["reach"] = reach_words(notices.reach or Reach(0))
    night = quiet.opens_at(talk)
    waits = None if night is None else when.spoken(night, talk.facts.now)
    names = {"who": [one.name for one in asked], "waits": waits}
    effects: list[Effect] = [
        Announce(composing.text, meant.key, author),
        talk.answer("office/notice_asked", **names, id=talk.incoming.id),
    ]
    for ear in ears:
        effects.append(Say(ear, "resident/notice", message(talk, composing.text, meant)))
        effects.append(Say(ear, "office/notice_decide", data))
    return talk.go(*effects, notice=None)


def _ears(talk: Talk, asked: tuple[Decider, ...]) -> tuple[Address, ...]:
    """The office's room where it acts; else each of them, in the chat that they wrote in last."""
    rooms = talk.desk(talk.commune.office).rooms
    if rooms and any(one.role == OFFICE for one in asked):
        return rooms
    return tuple(dict.fromkeys(one.chat for one in asked if one.chat is not None))
