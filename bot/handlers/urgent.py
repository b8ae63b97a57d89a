"""An emergency: the numbers first, the police and the village at once, and only then the questions."""

from dataclasses import replace
from typing import Any

from bot.core import form, when
from bot.core.deadlines import ACK
from bot.core.effects import Effect, FileReport, Lane, Night, Say
from bot.core.places import valid
from bot.core.report import Report
from bot.core.session import URGENT_FOR_MS, Draft
from bot.handlers import hearing
from bot.handlers.alerts import EMERGENCY, alert_words
from bot.handlers.steps import step
from bot.handlers.talk import Decision, Talk, about, draft_words, place_words, unit_words


def alarm(talk: Talk, text: str) -> Decision:
    """Filed and told at once, without consent, at any hour; what is said next tells where it is."""
    draft = replace(_draft(talk, text), category=EMERGENCY, words=text)
    commune, here = talk.commune, talk.local_time
    field = commune.field(EMERGENCY)
    desk = commune.desk_of(commune.categories[EMERGENCY], draft.unit)
    ack, fix = when.ack_by(here, field), when.fix_by(here, field, commune)
    ears = _everybody(talk, desk)
    values = {"emergency": True, "due_at": when.ms(ack), "due_step": ACK}
    values["mark"] = talk.world.lexicon.place_key(draft.landmark)
    effects: list[Effect] = [
        FileReport(draft, EMERGENCY, desk, when.ms(ack), when.ms(fix), bool(ears), values),
        Say(talk.here, "resident/emergency", _numbers(talk) | {"asks": not draft.placed}, fresh=True),
    ]
    told = draft_words(draft, commune) | {"words": alert_words(text), "phone": bool(draft.callback)}
    effects += [Say(ear, "duty/urgent", told, Lane.ALERT, fresh=True, night=Night.LOUD) for ear in ears]
    effects += hearing.filed(talk, draft, desk, told | {"desk": unit_words(commune, desk)}, Night.LOUD)
    effects += _village(talk, draft.unit, draft.landmark, text, None)
    open_draft, later = talk.session.draft, talk.session.later
    left = open_draft if open_draft is not None and not open_draft.wordless else None
    if left is None and later:
        # What was told besides waits in its place, and is asked about when this is over.
        left, later = later[0], later[1:]
    return talk.go(*effects, draft=left, later=later, urgent_at=talk.now, last_at=talk.now, alarm="")


def _draft(talk: Talk, text: str) -> Draft:
    """Where it is, as far as the words say; the photos that were sent just before belong to it."""
    open_draft, heard = talk.session.draft, talk.world.lexicon.place(text)
    draft = Draft(talk.incoming.id, talk.now, talk.now)
    if open_draft is not None and open_draft.wordless:
        draft = replace(draft, photos=open_draft.photos, voices=open_draft.voices)
    if len(heard.units) == 1:
        draft = form.put_unit(draft, heard.units[0])
    point = talk.world.lexicon.map_point(text)
    if point is not None:
        draft = form.put_point(draft, point, talk.commune)
    return form.put_landmark(draft, heard.landmark)


def _numbers(talk: Talk) -> dict[str, Any]:
    return {"duty": "", **talk.commune.phones}


def _everybody(talk: Talk, desk: str) -> tuple[Any, ...]:
    """All of a unit, not only whoever is on duty; the office, too, when nobody there can act."""
    found = talk.desk(desk)
    instead = () if found.acts else talk.desk(talk.commune.office).all
    return tuple(dict.fromkeys((*found.on_duty, *found.all, *instead)))


def _village(talk: Talk, unit: str | None, landmark: str, text: str, report: int | None) -> list[Effect]:
    """The village hears what and where, to help; not the words, and not from whom."""
    if unit is None:
        return []
    place = place_words(talk.commune, unit, landmark, None, None)
    data = {"what": talk.world.lexicon.emergency_words(text), "place": place} | _numbers(talk)
    found = talk.desk(unit)
    return [
        Say(ear, "duty/urgent_told", data, Lane.ALERT, report=report, fresh=report is None, night=Night.LOUD)
        for ear in found.all
    ]


# What is said next -------------------------------------------------------------------------------


def awaits(talk: Talk) -> Report | None:
    """The emergency that was just told here and whose place is not known yet."""
    report = talk.facts.report
    fresh = talk.now - talk.session.urgent_at <= URGENT_FOR_MS
    known = report is not None and report.code == talk.session.last and report.emergency
    return report if fresh and known and report is not None and report.is_open else None


def more(talk: Talk, report: Report, text: str) -> Decision:
    """More words: where it is if they say so, and to the police at once in any case."""
    heard = talk.world.lexicon.place(text)
    number = talk.world.lexicon.only_number(text)
    units = heard.units or tuple(u.id for u in talk.commune.villages if number and u.number == number)
    unit = report.unit or (units[0] if len(units) == 1 else None)
    point = talk.world.lexicon.map_point(text)
    landmark = heard.landmark or ("" if units or report.landmark else text)
    return _placed(talk, report, unit, landmark or report.landmark, point, text)


def place_sent(talk: Talk, report: Report, lat: float, lon: float) -> Decision:
    point = valid(lat, lon)
    if point is None:
        return talk.stay(talk.answer("resident/bad_place"))
    draft = form.put_point(Draft(0, 0, 0), point, talk.commune)
    return _placed(talk, report, draft.unit or report.unit, report.landmark, point, "")


def _placed(talk: Talk, report: Report, unit: str | None, landmark: str, point: Any, text: str) -> Decision:
    mark = form.put_landmark(Draft(0, 0, 0), landmark).landmark
    values: dict[str, Any] = {"unit": unit, "landmark": mark}
    values["mark"] = talk.world.lexicon.place_key(mark)
    if point is not None:
        values |= {"lat": point.lat, "lon": point.lon}
    if text:
        values["words"] = form.joined(report.words, text)
    moved, change = step(talk, report, "place", text, **values)
    data = about(moved, talk.commune) | {"words": alert_words(text)}
    effects: list[Effect] = [change]
    effects += [
        Say(ear, "duty/urgent_more", data, Lane.ALERT, report=report.id, night=Night.LOUD)
        for ear in _everybody(talk, report.desk)
    ]
    if unit != report.unit:
        effects += _village(talk, unit, mark, report.words, report.id)
    asks = unit is None and moved.lat is None
    effects.append(talk.answer("resident/emergency_more", code=report.code, asks=asks))
    return talk.go(*effects, last_at=talk.now)


def calm(talk: Talk, told: Any) -> Decision:
    """ "Không khẩn cấp": the police hear so at once, and the words become an ordinary report."""
    report = talk.facts.report
    if report is None or report.person != talk.facts.me.person or not report.emergency or not report.is_open:
        return talk.stay(talk.answer("resident/unknown_code"))
    _, change = step(talk, report, "withdraw", "calm", closed_at=talk.now)
    data = about(report, talk.commune)
    desks = dict.fromkeys((*_everybody(talk, report.desk), *_of_village(talk, report)))
    news = [Say(ear, "duty/calmed", data, Lane.ALERT, report=report.id, night=Night.LOUD) for ear in desks]
    rest: Decision = told(replace(talk, session=replace(talk.session, last=None, urgent_at=0)), report.words)
    return replace(rest, effects=(change, *news, *rest.effects))


def _of_village(talk: Talk, report: Report) -> tuple[Any, ...]:
    return talk.desk(report.unit).all if report.unit else ()


def maybe(talk: Talk, text: str, decision: Decision) -> Decision:
    """Words that may mean an emergency: the numbers, and one press that sounds the alarm."""
    asked = Say(talk.here, "resident/maybe_emergency", _numbers(talk))
    kept = replace(decision.session, alarm=text, urgent_at=talk.now)
    return Decision(kept, (asked, *decision.effects))


def pressed(talk: Talk) -> Decision:
    """ "Có, khẩn cấp": what was said before is the alarm."""
    text = talk.session.alarm
    if not text or talk.now - talk.session.urgent_at > URGENT_FOR_MS:
        return talk.stay(Say(talk.here, "resident/maybe_emergency", _numbers(talk)))
    # The draft that the same words began is told by the alarm now.
    draft = talk.session.draft
    begun = draft is not None and draft.words == text
    return alarm(replace(talk, session=replace(talk.session, draft=None)) if begun else talk, text)
