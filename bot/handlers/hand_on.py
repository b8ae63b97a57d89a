"""What an officer does with a report besides taking and closing it: start, put off, ask for help, hand on."""

from datetime import date, datetime, timedelta
from typing import Any

from bot.core import when
from bot.core.commune import LEAD
from bot.core.days import day_in
from bot.core.effects import Effect, Heard, Lane, Say, Shift, Unheard
from bot.core.facts import Desk, Role
from bot.core.form import OFFICIAL
from bot.core.report import IN_PROGRESS, PAUSES_MAX, Report, may_follow
from bot.core.session import Closing
from bot.core.text import clip
from bot.handlers.alerts import alert, alert_data, ears_of, night_of, play_all, show_photos
from bot.handlers.steps import new_clocks, step
from bot.handlers.talk import Decision, Talk, about, unit_words

VERBS = ("start", "later", "help", "forward", "review", "why", "agree", "refuse")
OWED_STEPS = ("later", "help", "review")
# A day further away than this is no appointment.
FURTHEST_DAYS = 60
REASON_MAX = 200
OFFERED_MAX = 4
REASONS = {"later": "postpone_reasons", "review": "review_reasons"}


def press(talk: Talk, verb: str, report: Report, roles: tuple[Role, ...], rest: str) -> Decision:
    """A button, by somebody who may deal with this report: `rest` is what stands behind its code."""
    match verb:
        case "start":
            return start(talk, report, roles[0])
        case "later":
            return later(talk, report, roles[0], rest)
        case "help":
            return ask_help(talk, report, roles[0], rest)
        case "forward":
            return forward(talk, report, roles, rest)
        case "review":
            return review(talk, report)
        case "why":
            return _why_pressed(talk, report, roles, rest)
        case "agree" | "refuse":
            return judged(talk, report, roles, verb)
    return talk.stay(talk.answer("duty/unknown_code"))


def owed_words(
    talk: Talk, report: Report, closing: Closing, roles: tuple[Role, ...], text: str
) -> Decision | None:
    """The day or the reason that is still owed; None: the words are about something else.

    In a room people say other things, too: there only an answer to the question counts.
    """
    if talk.here.group and talk.incoming.replied is None:
        return None
    if closing.step == "review":
        return _reviewed(talk, report, roles, text)
    today = _today(talk)
    day = day_in(text, today)
    if closing.step == "help":
        return _help_until(talk, report, roles[0], closing.outcome, day)
    if closing.outcome:
        return postpone(talk, report, roles[0], date.fromisoformat(closing.outcome), text)
    return _put_off(talk, report, roles[0], day, text)


# Under way ---------------------------------------------------------------------------------------


def start(talk: Talk, report: Report, role: Role) -> Decision:
    if not may_follow(report.status, "start"):
        return talk.stay(_as_it_is(talk, report))
    taken = _taken(talk, report, role)
    moved, change = step(talk, report, "start", **taken)
    data = about(moved, talk.commune) | {"who": taken["taken_name"]}
    told = _tell_desk(talk, report, "duty/started", data)
    return talk.stay(change, *told, *talk.tell_reporter(moved, "resident/started"))


def _taken(talk: Talk, report: Report, role: Role) -> dict[str, Any]:
    return {
        "taken_by": report.taken_by or talk.facts.me.person,
        "taken_name": report.taken_name or role.name,
    }


def _as_it_is(talk: Talk, report: Report) -> Say:
    mine = report.taken_by == talk.facts.me.person
    data = about(report, talk.commune) | {"who": report.taken_name, "mine": mine, "open": report.is_open}
    return talk.answer("duty/already", **data)


# A date instead of the deadline ------------------------------------------------------------------


def later(talk: Talk, report: Report, role: Role, rest: str) -> Decision:
    """*Hẹn ngày*: a day and a reason, by button or in one line; twice at most."""
    refused = _no_pause(talk, report)
    if refused is not None:
        return talk.stay(refused)
    if rest.isdecimal() and len(rest) <= 2:
        return _put_off(talk, report, role, _today(talk) + timedelta(days=int(rest)), "")
    return _owe(talk, report, "later", "", "duty/ask_date")


def said_later(talk: Talk, report: Report, role: Role, text: str) -> Decision:
    """ "Hẹn thứ 6, chờ xe": all in one line."""
    refused = _no_pause(talk, report)
    if refused is not None:
        return talk.stay(refused)
    day = day_in(text, _today(talk))
    return (
        _owe(talk, report, "later", "", "duty/ask_date")
        if day is None
        else _put_off(talk, report, role, day, text)
    )


def _no_pause(talk: Talk, report: Report) -> Say | None:
    if not may_follow(report.status, "postpone"):
        return _as_it_is(talk, report)
    if report.pauses >= PAUSES_MAX:
        return talk.answer("duty/no_more_dates", **about(report, talk.commune))
    return None


def _put_off(talk: Talk, report: Report, role: Role, day: date | None, text: str) -> Decision:
    if day is None or not _today(talk) <= day <= _today(talk) + timedelta(days=FURTHEST_DAYS):
        return _owe(talk, report, "later", "", "duty/ask_date")
    if len(text.split()) < (REASON_WORDS if day_in(text, _today(talk)) else 1):
        return _owe(talk, report, "later", day.isoformat(), "duty/ask_why", day=_spoken(talk, day))
    return postpone(talk, report, role, day, text)


# "thứ 6 chờ xe" has a reason in it, "ngày mai nhé" has none.
REASON_WORDS = 4


def postpone(talk: Talk, report: Report, role: Role, day: date, reason: str) -> Decision:
    return _paused(talk, report, role, day, clip(" ".join(reason.split()), REASON_MAX), "postpone")


def ask_help(talk: Talk, report: Report, role: Role, rest: str) -> Decision:
    """*Nhờ xã*: the deadline waits for somebody who has no chat; the office is told."""
    refused = _no_pause(talk, report)
    if refused is not None:
        return talk.stay(refused)
    partner, _, days = rest.partition(":")
    if partner not in {known.id for known in talk.commune.partners}:
        offered = [{"id": known.id, "label": known.label} for known in talk.commune.partners]
        data = about(report, talk.commune) | {"offered": offered}
        return talk.stay(talk.answer("duty/ask_partner", **data))
    if not (days.isdecimal() and len(days) <= 2):
        name = _partner(talk, partner)
        return _owe(talk, report, "help", partner, "duty/ask_help_date", partner=partner, name=name)
    return _help_until(talk, report, role, partner, _today(talk) + timedelta(days=int(days)))


def _help_until(talk: Talk, report: Report, role: Role, partner: str, day: date | None) -> Decision:
    name = _partner(talk, partner)
    if day is None or not _today(talk) <= day <= _today(talk) + timedelta(days=FURTHEST_DAYS):
        return _owe(talk, report, "help", partner, "duty/ask_help_date", partner=partner, name=name)
    return _paused(talk, report, role, day, name, "ask_help")


def _partner(talk: Talk, partner: str) -> str:
    return next((known.name for known in talk.commune.partners if known.id == partner), partner)


def _paused(talk: Talk, report: Report, role: Role, day: date, reason: str, action: str) -> Decision:
    """The deadline moves to the end of that day, and everybody concerned is told."""
    refused = _no_pause(talk, report)
    if refused is not None:
        return talk.go(refused, closings=talk.session.settled(report.code))
    ends = when.ms(datetime.combine(day, when.DAY_ENDS, when.ZONE))
    values: dict[str, Any] = {"fix_by": ends, "pauses": report.pauses + 1, "waits_for": reason}
    if report.status == IN_PROGRESS:
        values["status"] = IN_PROGRESS
    moved, change = step(talk, report, action, reason, **(values | _taken(talk, report, role)))
    helps = action == "ask_help"
    data = about(moved, talk.commune) | {
        "who": role.name,
        "day": _spoken(talk, day),
        "reason": reason,
        "helps": helps,
        "last": moved.pauses >= PAUSES_MAX,
    }
    told: list[Effect] = [*_tell_desk(talk, report, "duty/postponed", data)]
    if helps:
        told += _tell_office(talk, report, "office/help_wanted", data)
    public = {"day": data["day"], "reason": reason, "helps": helps}
    told += talk.tell_reporter(moved, "resident/postponed", **public)
    return talk.go(change, *told, closings=talk.session.settled(report.code))


# To another unit ---------------------------------------------------------------------------------


def forward(talk: Talk, report: Report, roles: tuple[Role, ...], rest: str) -> Decision:
    """*Chuyển*: the report goes to another unit and its clocks start anew."""
    if not may_follow(report.status, "forward"):
        return talk.stay(_as_it_is(talk, report))
    if all(talk.commune.unit(role.unit).kind == "village" for role in roles):
        return talk.stay(talk.answer("duty/forward_not_yours", **about(report, talk.commune)))
    allowed = _may_get(talk, report)
    if rest not in allowed:
        offered = [
            {"id": unit, "label": clip(talk.commune.unit(unit).name, 20)} for unit in allowed[:OFFERED_MAX]
        ]
        data = about(report, talk.commune) | {"offered": offered}
        return talk.stay(talk.answer("duty/ask_unit", **data))
    return _forwarded(talk, report, roles[0], rest)


def _may_get(talk: Talk, report: Report) -> list[str]:
    """The units that may get it, likeliest first: never a village that shall not know."""
    commune = talk.commune
    if report.desk == LEAD:
        return [commune.office, commune.police]
    likely = [commune.field(report.field).desk, commune.police, commune.office]
    likely += [unit.id for unit in commune.units.values() if unit.kind == "department"][:1]
    # What is about an official of a village never goes there, whoever has it by now.
    if report.unit is not None and not report.private and report.field != OFFICIAL:
        likely.append(report.unit)
    return [unit for unit in dict.fromkeys(likely) if unit in commune.units and unit != report.desk]


def _forwarded(talk: Talk, report: Report, role: Role, unit: str) -> Decision:
    values: dict[str, Any] = {"desk": unit, "taken_by": None, "taken_name": "", "pauses": 0}
    values |= {"waits_for": "", "review": ""} | new_clocks(talk, report)
    moved, change = step(talk, report, "forward", unit, **values)
    ears, fallback = ears_of(talk, unit)
    data = alert_data(talk, moved) | {"fallback": fallback}
    effects: list[Effect] = [change]
    effects += [alert(talk, ear, moved, data) for ear in ears]
    effects += [show_photos(talk, ear, moved) for ear in ears if data["photos"]]
    effects += play_all(talk, moved) if moved.voices else []
    effects.append(Heard((report.id,)) if ears else Unheard(report.id))
    said = about(moved, talk.commune) | {"who": role.name}
    effects += _tell_desk(talk, report, "duty/forwarded", said)
    here = talk.facts.now.astimezone(when.ZONE)
    by = when.spoken(when.local(moved.ack_by), here)
    effects += talk.tell_reporter(moved, "resident/forwarded", by=by)
    return talk.go(*effects, closings=talk.session.settled(report.code))


# Not a matter at all -----------------------------------------------------------------------------


def review(talk: Talk, report: Report) -> Decision:
    """*Cần xem lại*: with a reason; a proposal until the office agrees."""
    if not may_follow(report.status, "reject"):
        return talk.stay(_as_it_is(talk, report))
    return _owe(talk, report, "review", "", "duty/ask_review")


def _reviewed(talk: Talk, report: Report, roles: tuple[Role, ...], text: str) -> Decision:
    reason = clip(" ".join(text.split()), REASON_MAX)
    if not reason or not may_follow(report.status, "reject"):
        return talk.go(_as_it_is(talk, report), closings=talk.session.settled(report.code))
    if _decides(talk, report, roles):
        return _rejected(talk, report, reason)
    _, change = step(talk, report, "propose", reason, review=reason)
    data = about(report, talk.commune) | {"who": roles[0].name, "reason": reason}
    asked = _tell_office(talk, report, "office/review", data)
    told = talk.answer("duty/review_asked", **data)
    return talk.go(change, told, *asked, closings=talk.session.settled(report.code))


def _decides(talk: Talk, report: Report, roles: tuple[Role, ...]) -> bool:
    """The office decides; of what is about officials, those who lead."""
    if report.desk == LEAD:
        return any(role.role == LEAD for role in roles)
    return any(role.unit == talk.commune.office for role in roles)


def _rejected(talk: Talk, report: Report, reason: str) -> Decision:
    moved, change = step(talk, report, "reject", reason, closed_at=talk.now, review="")
    data = about(moved, talk.commune) | {"reason": reason}
    told = _tell_desk(talk, report, "duty/rejected", data)
    reporter = talk.tell_reporter(moved, "resident/rejected", reason=reason)
    return talk.go(change, *told, *reporter, closings=talk.session.settled(report.code))


def judged(talk: Talk, report: Report, roles: tuple[Role, ...], verb: str) -> Decision:
    """The office's answer to the proposal."""
    if not report.review or not report.is_open:
        return talk.stay(_as_it_is(talk, report))
    if not _decides(talk, report, roles):
        return talk.stay(talk.answer("duty/office_decides", **about(report, talk.commune)))
    if verb == "agree":
        return _rejected(talk, report, report.review)
    moved, change = step(talk, report, "keep_open", report.review, review="")
    told = _tell_desk(talk, report, "duty/kept_open", about(moved, talk.commune))
    return talk.stay(change, *told)


# Who is on duty ----------------------------------------------------------------------------------


def shift(talk: Talk, *, on: bool) -> Decision:
    """*Nhận ca*: alerts of the unit go to whoever is on duty; it ends by itself."""
    roles = sorted(talk.facts.me.roles, key=lambda role: role.unit != talk.commune.police)
    role = roles[0]
    ends = talk.facts.now.astimezone(when.ZONE) + timedelta(hours=talk.commune.rules.shift_hours)
    data = {
        "unit": unit_words(talk.commune, role.unit),
        "who": role.name,
        "until": when.spoken(ends, talk.facts.now),
        "on": on,
    }
    desk = talk.facts.desks.get(role.unit, Desk(role.unit))
    others = [ear for ear in (*desk.rooms, *desk.members) if ear != talk.here]
    told = [Say(ear, "duty/shift_news", data, Lane.UPDATE) for ear in others]
    return talk.stay(
        Shift(role.unit, when.ms(ends) if on else None), talk.answer("duty/shift", **data), *told
    )


# -------------------------------------------------------------------------------------------------


def _why_pressed(talk: Talk, report: Report, roles: tuple[Role, ...], rest: str) -> Decision:
    """A reason by button, of the question that stands open."""
    owed = talk.session.owed(talk.incoming.account, talk.now)
    if owed is None or owed.code != report.code or owed.step not in REASONS or not rest.isdecimal():
        return talk.stay(_as_it_is(talk, report))
    known = talk.commune.words.get(REASONS[owed.step], ())
    if int(rest) >= len(known):
        return talk.stay(_as_it_is(talk, report))
    if owed.step == "review":
        return _reviewed(talk, report, roles, _lowered(known[int(rest)]))
    if not owed.outcome:
        return _owe(talk, report, "later", "", "duty/ask_date")
    return postpone(talk, report, roles[0], date.fromisoformat(owed.outcome), _lowered(known[int(rest)]))


def _lowered(label: str) -> str:
    """A button's words inside a sentence."""
    return label[:1].lower() + label[1:]


def _owe(talk: Talk, report: Report, step: str, outcome: str, message: str, **more: Any) -> Decision:
    closing = Closing(report.code, talk.incoming.account, step, outcome, talk.now)
    known = talk.commune.words.get(REASONS.get(step, ""), ())
    reasons = [{"number": at, "label": label[:20]} for at, label in enumerate(known[:OFFERED_MAX])]
    data = about(report, talk.commune) | {"reasons": reasons} | more
    asked = Say(talk.here, message, data, report=report.id)
    return talk.go(asked, closings=talk.session.owing(closing))


def _tell_desk(talk: Talk, report: Report, message: str, data: dict[str, Any]) -> list[Say]:
    """The one who did it, and everybody else who hears for the desk."""
    ears, _ = ears_of(talk, report.desk)
    others = [Say(ear, message, data, Lane.UPDATE, report=report.id) for ear in ears if ear != talk.here]
    return [Say(talk.here, message, data, report=report.id), *others]


def _tell_office(talk: Talk, report: Report, message: str, data: dict[str, Any]) -> list[Say]:
    unit = LEAD if report.desk == LEAD else talk.commune.office
    desk = talk.facts.desks.get(unit, Desk(unit))
    night = night_of(talk, report.field, report.desk)
    return [
        Say(ear, message, data, Lane.UPDATE, report=report.id, night=night)
        for ear in desk.all
        if ear != talk.here
    ]


def _today(talk: Talk) -> date:
    return talk.facts.now.astimezone(when.ZONE).date()


def _spoken(talk: Talk, day: date) -> dict[str, Any]:
    return when.spoken(datetime.combine(day, when.DAY_ENDS, when.ZONE), talk.facts.now)
