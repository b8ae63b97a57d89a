"""Who may listen to a voice message: the office and the police; of what is about officials, those who lead.

A village never does: neighbours know each other's voice. It reads the line that a listener types.
"""

from collections.abc import Mapping
from typing import Any

from bot.core.commune import LEAD, Commune
from bot.core.effects import VOICE, AttachPhotos, Effect, Lane, Night, Say, ShowPhotos
from bot.core.events import Address
from bot.core.form import ORDER
from bot.core.report import Report
from bot.core.session import PHOTOS_MAX, Draft
from bot.handlers.talk import Talk, about

# The messages that carry a voice: to whoever deals with it, and to the office on behalf of whoever does.
PLAYED = ("duty/voice", "office/voice")


def listens(commune: Commune, desk: str) -> bool:
    """Whether whoever hears for a desk may listen, too."""
    return desk in (commune.office, commune.police, LEAD)


def ears(talk: Talk, desk: str) -> tuple[Address, ...]:
    """Who listens for a desk: itself if it may, else the office."""
    own = talk.desk(desk).ears if listens(talk.commune, desk) else ()
    return own if own or desk == LEAD else talk.desk(talk.commune.office).ears


def may(talk: Talk, report: Report) -> bool:
    """Whether the sender may listen to this report's voice, and say what is in it."""
    me, commune = talk.facts.me, talk.commune
    if report.desk == LEAD:
        return any(role.role == LEAD for role in me.roles)
    return bool(me.of(commune.office)) or (report.desk == commune.police and bool(me.of(commune.police)))


def member(talk: Talk) -> bool:
    """Whether the sender is one of those who listen, to whatever it may be."""
    me, commune = talk.facts.me, talk.commune
    return bool(me.of(commune.office) or me.of(commune.police)) or any(role.role == LEAD for role in me.roles)


def filed(talk: Talk, draft: Draft, desk: str, told: Mapping[str, Any], night: Night) -> list[Effect]:
    """The voice of the report that this decision files."""
    if not draft.voices:
        return []
    name = _name(talk.commune, desk)
    return [
        ShowPhotos(ear, name, "", None, VOICE, PHOTOS_MAX, night=night, data=told) for ear in ears(talk, desk)
    ]


def play(
    talk: Talk, report: Report, to: tuple[Address, ...], night: Night, only: int | None = None, times: int = 0
) -> list[Effect]:
    """The voice of a filed report, for ears that may listen; once each, and again after it was reopened.

    What a village may not even read needs nobody to type it.
    """
    if kept_from_village(talk.commune, report):
        return []
    name, data = _name(talk.commune, report.desk), about(report, talk.commune)
    again = times or report.reopened
    return [
        ShowPhotos(ear, name, report.code, report.id, VOICE, PHOTOS_MAX, only, again, night=night, data=data)
        for ear in to
    ]


def again(talk: Talk, report: Report) -> list[Effect]:
    """Whoever looks a report up in private may listen once more."""
    if talk.here.group or not report.voices or not may(talk, report):
        return []
    return play(talk, report, (talk.here,), Night.LOUD, times=-talk.incoming.id)


def brought(talk: Talk, draft: Draft, report: Report, night: Night) -> list[Effect]:
    """A draft's voice messages, given to a report that was filed before."""
    if not draft.voices:
        return []
    effects: list[Effect] = [AttachPhotos(draft.voices, report.id, VOICE)]
    for voice in draft.voices:
        effects += added(talk, report, voice, night)
    return effects


def added(talk: Talk, report: Report, voice: int, night: Night) -> list[Effect]:
    """A voice message that came later: played to whoever listens, and told to a desk that may not."""
    played = play(talk, report, ears(talk, report.desk), night, voice)
    if listens(talk.commune, report.desk) or kept_from_village(talk.commune, report):
        return played
    told = [
        Say(
            ear,
            "duty/more_voice",
            about(report, talk.commune),
            Lane.UPDATE,
            report=report.id,
            key=f"voice/{voice}/{ear.key}",
            night=night,
        )
        for ear in talk.desk(report.desk).ears
    ]
    return [*told, *played]


def kept_from_village(commune: Commune, report: Report) -> bool:
    """Of a matter of order a village hears category and place, nothing more."""
    return report.field == ORDER and commune.unit(report.desk).kind == "village"


def _name(commune: Commune, desk: str) -> str:
    return "duty/voice" if listens(commune, desk) else "office/voice"
