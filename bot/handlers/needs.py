"""What must be known to decide an event: the look-ups, from the event and the session alone."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime

from bot.core import when
from bot.core.commune import LEAD
from bot.core.events import (
    Answered,
    CampaignDue,
    CutOff,
    Edited,
    FloodOver,
    Incoming,
    Left,
    MorningDue,
    Overlooked,
    PhotoReady,
    PhotoSent,
    PlaceSent,
    Pressed,
    ReportDue,
    TaskDue,
    Undelivered,
    VoiceSent,
    Words,
)
from bot.core.facts import NOW, Needs, Spot
from bot.core.figures import BOARD, TARGETS, Asked
from bot.core.form import OFFICIAL
from bot.core.invite import digest
from bot.core.session import URGENT_FOR_MS, Session
from bot.core.task import number_of
from bot.core.unitwords import MEMBERS
from bot.core.words import Lexicon
from bot.handlers import (
    activity_needs,
    announce,
    approve,
    givetask,
    hand_on,
    members,
    remind,
    rooms,
    setday,
    stats,
    takepart,
    tasks,
)
from bot.handlers import search as search_
from bot.handlers.setday import DAY
from bot.handlers.takepart import MEETING
from bot.handlers.talk import World

DAY_MS = 24 * 3600 * 1000
ABOUT_A_REPORT = ("take", "done", "out", "good", "bad", "look", "pics", "phone", *hand_on.VERBS)


def needs(incoming: Incoming, session: Session, world: World) -> Needs:
    need = _needs(incoming, session, world)
    notice = announce.needed(incoming, session, world) or approve.needed(incoming, world)
    if notice is None:
        return need
    return replace(need, notice=notice, units=need.units | {world.commune.office})


def _needs(incoming: Incoming, session: Session, world: World) -> Needs:
    match incoming.event:
        case Pressed(action):
            verb, _, rest = action.partition(":")
            if verb in activity_needs.VERBS:
                return activity_needs.of_press(verb, rest, incoming, world)
            return _of_press(action, session, world)
        case Words(text):
            need = _of_words(incoming, text, session, world)
            return activity_needs.of_words(need, incoming, text, session, world)
        case PhotoSent(caption=caption):
            code = world.lexicon.report_code(caption) or _in_progress(incoming, session)
            own = not incoming.address.group
            told = Needs(code=code, answered=incoming.replied, desk_of_report=True, open_here=own, mine=own)
            told = _with_work(told, incoming, session)
            telling = session.tells(int(incoming.at.timestamp() * 1000))
            tells = own and activity_needs.tells(telling, caption, world)
            return activity_needs.of_telling(told, incoming, world) if tells else told
        case VoiceSent(caption=caption):
            code = world.lexicon.report_code(caption) or _in_progress(incoming, session)
            return Needs(code=code, answered=incoming.replied, desk_of_report=True)
        case PlaceSent() if _is_urgent(incoming, session):
            return Needs(code=session.last, desk_of_report=True, units=_all_who_help(world, None))
        case Edited():
            return Needs(code=_in_progress(incoming, session), desk_of_report=True)
        case PhotoReady(photo=photo):
            ready = Needs(photo=photo, desk_of_report=True)
            return _with_work(ready, incoming, session) if session.spots_asked else ready
        case Undelivered(outbox=row):
            return Needs(outbox=row, desk_of_report=True, units=frozenset({world.commune.office}))
        case Left():
            return Needs(units=frozenset({world.commune.office}))
        case Overlooked(code):
            return Needs(code=code, desk_of_report=True)
        case ReportDue(code):
            units = frozenset({world.commune.office, LEAD})
            return Needs(code=code, desk_of_report=True, units=units)
        case MorningDue(unit, day):
            digest = datetime.combine(date.fromisoformat(day), world.commune.rules.digest_at, when.ZONE)
            fields = frozenset(f.id for f in world.commune.fields.values() if unit in f.digest)
            seven = when.ms(digest)
            since_yesterday = (seven - DAY_MS, seven) if unit == world.commune.office else None
            return Needs(
                open_at=unit,
                open_fields=fields,
                open_before=seven,
                unreached=since_yesterday,
                counts=unit == LEAD,
                units=frozenset({unit}),
            )
        case FloodOver():
            return Needs(held=True)
        case Answered():
            return Needs(code=session.last)
        case CampaignDue(campaign_id):
            units = frozenset({unit.id for unit in world.commune.units.values()})
            year = stats.asked_view(world, BOARD)
            return Needs(campaign=campaign_id, units=units, spots=True, figures=year)
        case TaskDue(number):
            return Needs(task=number, units=frozenset(world.commune.units))
        case CutOff():
            return Needs(units=frozenset({world.commune.office}))
        case _:
            return Needs()


def _with_work(needs: Needs, incoming: Incoming, session: Session) -> Needs:
    """And the clean-up, or the task, whose result is being told here, with the spots that it may close."""
    open_ = session.tells_result(int(incoming.at.timestamp() * 1000))
    if open_ is None:
        return needs
    return _of_work(needs, open_[0].removeprefix(MEETING).removeprefix(DAY), open_[1], session)


def _of_work(needs: Needs, id: str, unit: str, session: Session) -> Needs:
    number, purpose = number_of(id), f"{takepart.RESULT}/{id}/{unit}"
    shown = (purpose, *(f"{purpose}/{code}" for code in session.spots))
    if number is not None:
        return replace(needs, task=number, shown_for=shown)
    units = needs.units | {unit} if session.spots or session.spots_asked else needs.units
    return replace(needs, campaign=id, closable=unit, shown_for=shown, units=units)


def _is_urgent(incoming: Incoming, session: Session) -> bool:
    return int(incoming.at.timestamp() * 1000) - session.urgent_at <= URGENT_FOR_MS


def _in_progress(incoming: Incoming, session: Session) -> str | None:
    """The report that a photo or a line without a code would belong to."""
    now = int(incoming.at.timestamp() * 1000)
    closing = session.owed(incoming.account, now) or session.photographed(incoming.account, now)
    if closing is not None:
        return closing.code
    if session.draft is not None and session.draft.asked == "same":
        return session.draft.same
    newer = session.complaint is None or session.urgent_at > session.complaint_at
    if _is_urgent(incoming, session) and session.last is not None and newer:
        return session.last
    if session.complaint is not None:
        return session.complaint
    return session.last if session.draft is None else None


def _of_press(action: str, session: Session, world: World) -> Needs:
    verb, _, rest = action.partition(":")
    if verb in ABOUT_A_REPORT:
        code, _, more = rest.partition(":")
        units = frozenset({more}) if verb == "forward" and more in world.commune.units else frozenset()
        return Needs(code=code, desk_of_report=True, units=units, past=verb == "look")
    if verb in ("after", "again") and session.draft is not None and session.draft.photos:
        code = rest.partition(":")[2]
        return Needs(code=code, photo=session.draft.photos[-1], desk_of_report=True)
    if verb in takepart.VERBS:
        id, _, unit = rest.partition(":")
        return _of_work(Needs(), id, unit.partition(":")[0], session)
    if verb in givetask.VERBS:
        return _of_writing(session)
    if verb in tasks.VERBS:
        known = rest.isdecimal() and rest.isascii() and len(rest) < 9
        return Needs(task=int(rest) if known else None, units=frozenset(world.commune.units))
    if verb in ("come", "busy", *setday.VERBS):
        return Needs(campaign=rest.partition(":")[0], reminded=True)
    if verb in remind.VERBS:
        return Needs(mine=True, campaigns=True, reminded=True)
    if verb in stats.VERBS:
        return _of_figures(stats.asked_by_press(rest, world), world)
    match verb:
        case "mem":
            return Needs(members_of=frozenset({rest.partition(":")[0]}))
        case "rm" | "rmy":
            known = rest.isdecimal() and rest.isascii() and len(rest) < 18
            office = frozenset({world.commune.office})
            return Needs(member=int(rest), units=office) if known else Needs()
        case "new" | "behalf":
            return Needs(code=session.last, mine=True)
        case "mine":
            return Needs(mine=True, followed=True)
        case "add":
            return Needs(code=session.last, desk_of_report=True)
        case "bind":
            return Needs(unheard=True, my_desks=True)
        case "rl" | "rk" | "ru":
            return Needs(groups=True)
        case "rb":
            return _of_a_room(world, rest.split(":")[1:2])
        case "send" | "other":
            return _of_sending(session, world)
        case "same":
            twin = session.draft.same if session.draft is not None else None
            return replace(_of_sending(session, world), code=twin, desk_of_report=True)
        case "calm":
            return Needs(code=rest, desk_of_report=True, units=_all_who_help(world, None))
        case "alarm":
            return Needs(units=_all_who_help(world, session.alarm))
    return Needs()


def _of_sending(session: Session, world: World) -> Needs:
    draft, commune = session.draft, world.commune
    if draft is None or draft.category is None:
        return Needs()
    category = commune.categories[draft.category]
    units = {commune.desk_of(category, draft.unit), *commune.told_of(category, draft.unit), commune.office}
    if draft.official:
        units |= {commune.field(OFFICIAL).desk}
    field = OFFICIAL if draft.official else category.field
    mark = world.lexicon.place_key(draft.landmark)
    near = Spot(field, draft.unit, mark, draft.lat, draft.lon, draft.photos)
    return Needs(units=frozenset(units), near=near, filed=True)


def _of_a_room(world: World, named: Iterable[str]) -> Needs:
    """A group that shall be a unit's room: the rooms it has, what waits for one, and who is to know."""
    units = frozenset(unit for unit in named if unit in world.commune.units)
    return Needs(groups=True, unheard=True, units=units | {world.commune.office})


def _all_who_help(world: World, text: str | None) -> frozenset[str]:
    """Who hears of an emergency: the police, the office, and the village that the words name."""
    commune = world.commune
    named = world.lexicon.place(text).units if text else ()
    villages = named if text else tuple(unit.id for unit in commune.villages)
    return frozenset({commune.office, commune.police, *villages})


def _of_figures(asked: Asked | None, world: World) -> Needs:
    """How far the plan is, is reckoned from all that counts for it."""
    plan = world.commune.plan if asked is not None and asked.view == TARGETS else None
    return Needs(figures=asked, mine=True, ledger=plan)


def _of_words(incoming: Incoming, text: str, session: Session, world: World) -> Needs:
    lexicon = world.lexicon
    code = lexicon.report_code(text)
    if code is not None:
        return _with_work(Needs(code=code, desk_of_report=True, past=True), incoming, session)
    figures = stats.asked(text, world)
    if figures is not None and (text.startswith("/") or not incoming.address.group):
        return _of_figures(figures, world)
    command = lexicon.command(text)
    if lexicon.means(text, "choose_room") and not incoming.address.group:
        return Needs(groups=True)
    search = search_.wanted(world, text) if not incoming.address.group else None
    if search is not None and session.task is None and session.draft is None:
        found = Needs(search=search, code=_in_progress(incoming, session), mine=True, desk_of_report=True)
        return _with_work(found, incoming, session)
    if command == "tracuu" and not incoming.address.group:
        return Needs(code=_in_progress(incoming, session), desk_of_report=True, mine=True, followed=True)
    if command == "ketnoi":
        return Needs(unheard=True, my_desks=True)
    if command in ("start", "trogiup") and lexicon.invite_code(text) is None:
        return Needs()
    invite = lexicon.invite_code(text)
    if invite is not None:
        return Needs(invite=digest(invite), unheard=True)
    asks_to_send = session.draft is not None and session.draft.asked in ("summary", "same")
    sending = _of_sending(session, world) if asks_to_send else Needs()
    urgent = _is_urgent(incoming, session) or lexicon.emergency(text) is not None
    if urgent and not incoming.address.group:
        # A bare number may name any village.
        named = None if _is_urgent(incoming, session) else text
        sending = replace(sending, units=sending.units | _all_who_help(world, named))
    answered = incoming.replied if session.complaint is None else None
    chosen = "" if incoming.address.group else session.chooses(int(incoming.at.timestamp() * 1000))
    if rooms.choosing(chosen):
        # Whose room a group shall be, or which of them.
        asked = _of_a_room(world, rooms.units_named(world, chosen, text))
        sending = replace(sending, groups=True, unheard=True, units=sending.units | asked.units)
    sending = _of_tasks(_with_work(sending, incoming, session), text, session, incoming, world)
    return replace(
        sending,
        answered=answered,
        code=_in_progress(incoming, session),
        desk_of_report=True,
        open_here=incoming.address.group or _of_duty(lexicon, text),
        my_desks=lexicon.means(text, "shift_on") or lexicon.means(text, "shift_off"),
        # Whose shift it is, is not known yet; the police have most of them.
        open_at=world.commune.police if lexicon.means(text, "shift_off") else None,
        open_before=int(incoming.at.timestamp() * 1000) + 1,
        mine=not incoming.address.group and (session.draft is None or session.draft.bare),
        units=sending.units | _all_when_moved(session, incoming, world),
        campaigns=_of_days(text, session, incoming, world),
        reminded=_of_days(text, session, incoming, world),
        members_of=(listed := _members_asked(incoming, text, session, world)) or frozenset(),
        my_members=listed is not None,
    )


def _of_writing(session: Session) -> Needs:
    """A task that is being written: the number it will have, and who would hear of it."""
    units = session.task.units if session.task is not None else ()
    return Needs(tasks=True, units=frozenset(units))


def _of_tasks(needs: Needs, text: str, session: Session, incoming: Incoming, world: World) -> Needs:
    """What the office gave to units, when the words may be about that; and the day they clean up."""
    if incoming.address.group:
        return needs
    listed = session.chooses(int(incoming.at.timestamp() * 1000)) == tasks.LISTED
    if session.task is not None:
        units = needs.units | _of_writing(session).units
        # Units that these words name may be those that it is for.
        return replace(needs, tasks=True, units=units | frozenset(world.commune.units))
    if not (tasks.about_tasks(world, text) or listed):
        return needs
    asks = needs.campaign is None and needs.task is None
    closable = frozenset(world.commune.units)
    return replace(needs, tasks=True, campaign=NOW if asks else needs.campaign, units=needs.units | closable)


def _all_when_moved(session: Session, incoming: Incoming, world: World) -> frozenset[str]:
    """A day that is moved concerns every unit."""
    open_ = session.tells_result(int(incoming.at.timestamp() * 1000))
    return frozenset(world.commune.units) if open_ is not None and open_[0].startswith(DAY) else frozenset()


def _of_days(text: str, session: Session, incoming: Incoming, world: World) -> bool:
    """Whether the words may be about clean-up days: when they are, and being told of them."""
    lexicon, now = world.lexicon, int(incoming.at.timestamp() * 1000)
    meant = lexicon.meanings(text) & {"calendar", "stop", "on"}
    asked = any(lexicon.mentions(text, kind) for kind in ("asks_calendar", "asks_stop", "turns_on"))
    return bool(meant) or asked or session.chooses(now) == remind.CHOOSING


def _members_asked(incoming: Incoming, text: str, session: Session, world: World) -> frozenset[str] | None:
    """The units whose members are to be listed, beside the sender's own; None: none are."""
    if incoming.address.group:
        return None
    asked = world.lexicon.units.asked(text)
    if asked is not None:
        return frozenset(asked.units) if asked.want == MEMBERS else None
    want, _, group = session.chooses(int(incoming.at.timestamp() * 1000)).partition(":")
    return frozenset(members.named(world, group, text)) if want == MEMBERS else None


def _of_duty(lexicon: Lexicon, text: str) -> bool:
    """Words that may be an officer's about whatever is open here."""
    said = lexicon.duty_verb(text) or lexicon.done_with(text)
    return bool(said) or lexicon.begins(text, "postpone")
