"""Who hears of a report, what an alert says, and who hears it instead when it does not get through."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.core import when
from bot.core.commune import LEAD
from bot.core.effects import Effect, Heard, Lane, Night, Say, ShowPhotos, Unheard
from bot.core.events import Address
from bot.core.form import ORDER
from bot.core.report import Report
from bot.core.session import FORWARDED_MAX
from bot.core.text import clip, hide_links, hide_phones
from bot.handlers import hearing
from bot.handlers.hearing import kept_from_village
from bot.handlers.quiet import opens_at
from bot.handlers.talk import Decision, Talk, about

ALERT_WORDS_MAX = 600
EMERGENCY = "emergency"


def ears_of(talk: Talk, unit: str) -> tuple[tuple[Address, ...], bool]:
    """Who hears for a unit; when nobody there can act, the office does (True).

    What is about an official waits for those who lead the commune: the office never hears of it.
    """
    desk = talk.desk(unit)
    if desk.acts or unit in (talk.commune.office, LEAD):
        return desk.ears, False
    return talk.desk(talk.commune.office).ears, True


def alert_words(text: str) -> str:
    """A reporter's words as a desk may read them: one line, no telephone number, no link, not too long."""
    plain = " / ".join(line.strip() for line in text.splitlines() if line.strip())
    return clip(hide_phones(hide_links(plain)), ALERT_WORDS_MAX)


def alert_data(talk: Talk, report: Report) -> dict[str, Any]:
    """What an alert about a filed report says; `by` is when it should be answered."""
    heard = heard_at(talk, report.field, report.desk)
    kept = kept_from_village(talk.commune, report)
    return about(report, talk.commune) | {
        "words": "" if kept else alert_words(report.words),
        "hours": hide_phones(report.hours),
        "photos": 0 if kept else report.photos,
        "voices": 0 if kept else report.voices,
        "listens": hearing.listens(talk.commune, report.desk),
        "others": len(report.followers),
        "recurs": report.recurs is not None,
        "by": when.spoken(when.local(report.ack_by), heard),
        "fallback": False,
        "again": report.reopened > 0,
        "private": report.private,
        "disputed": False,
    }


def night_of(talk: Talk, field: str, desk: str) -> Night:
    """An emergency is heard at any hour; a matter of order reaches the police at night without a sound."""
    if field == EMERGENCY:
        return Night.LOUD
    return Night.SILENT if field == ORDER and talk.commune.unit(desk).kind == "police" else Night.WAIT


def heard_at(talk: Talk, field: str, desk: str) -> datetime:
    """When an alert that is promised now is read: "tomorrow" is said from then on."""
    waits = night_of(talk, field, desk) == Night.WAIT
    return (opens_at(talk) if waits else None) or talk.local_time


def alert(talk: Talk, ear: Address, report: Report, data: Mapping[str, Any], key: str | None = None) -> Say:
    """An alert about a filed report, for one ear."""
    night = night_of(talk, report.field, report.desk)
    return Say(ear, "duty/alert", data, Lane.ALERT, report=report.id, key=key, night=night)


def show_photos(talk: Talk, ear: Address, report: Report) -> ShowPhotos:
    """The reporter's photos behind an alert: the first few."""
    return ShowPhotos(
        ear,
        "duty/photo",
        report.code,
        report.id,
        "before",
        FORWARDED_MAX,
        round=report.reopened,
        night=night_of(talk, report.field, report.desk),
    )


def undelivered(talk: Talk) -> tuple[Effect, ...]:
    """An alert the platform refused goes to whoever is left: the unit's members, else the office."""
    refusal, report = talk.facts.refusal, talk.facts.report
    if refusal is None or report is None or refusal.lane != Lane.ALERT or not report.is_open:
        return ()
    left, fallback = _next_ears(talk, report, refusal.address)
    if fallback and not left:
        return (Unheard(report.id),)
    data = alert_data(talk, report) | {"fallback": fallback}
    effects: list[Effect] = []
    for ear in left:
        key = _once(report, ear, refusal.address)
        effects.append(alert(talk, ear, report, data, key))
        effects.append(show_photos(talk, ear, report))
        if hearing.listens(talk.commune, report.desk):
            effects += play(talk, ear, report)
    return tuple(effects)


def play(talk: Talk, ear: Address, report: Report) -> list[Effect]:
    """The reporter's voice behind an alert, for an ear that may listen."""
    return hearing.play(talk, report, (ear,), night_of(talk, report.field, report.desk))


def play_all(talk: Talk, report: Report) -> list[Effect]:
    """The reporter's voice for all who listen for the desk, whoever was told."""
    return hearing.play(
        talk, report, hearing.ears(talk, report.desk), night_of(talk, report.field, report.desk)
    )


def overlooked(talk: Talk) -> Decision:
    """A report nobody could be told of when it was filed, and somebody can now."""
    report = talk.facts.report
    if report is None or report.alerted_at is not None or not report.is_open:
        return talk.stay()
    ears, fallback = ears_of(talk, report.desk)
    if not ears:
        return talk.stay()
    data = alert_data(talk, report) | {"fallback": fallback}
    alerts = [alert(talk, ear, report, data) for ear in ears]
    shown = [show_photos(talk, ear, report) for ear in ears]
    return talk.stay(*alerts, *shown, *play_all(talk, report), Heard((report.id,)))


def _next_ears(talk: Talk, report: Report, deaf: Address) -> tuple[tuple[Address, ...], bool]:
    """Who must hear it instead of `deaf`: members for a lost room, the office when nobody else is there."""
    desk = talk.desk(report.desk)
    if deaf in desk.reading and desk.members:
        # Of a room that only reads, everybody was told one by one as well.
        return (), False
    others = tuple(ear for ear in desk.members if ear.key != deaf.key)
    if others:
        # The other members of a unit without a room were alerted together with the deaf one.
        return (others if deaf.group else ()), False
    if report.desk == LEAD:
        return (), True
    office = talk.desk(talk.commune.office)
    return tuple(ear for ear in office.ears if ear.key != deaf.key), True


def _once(report: Report, ear: Address, instead_of: Address) -> str:
    return f"instead/{report.code}/{report.version}/{instead_of.key}/{ear.key}"
