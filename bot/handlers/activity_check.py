"""An activity that was recorded: what is pressed or said of it, and who confirms or doubts it."""

from dataclasses import replace

from bot.core.activity import CONFIRMED, DOUBTED, STRUCK, Activity
from bot.core.activitywords import Asked
from bot.core.effects import ChangeActivity, ShowEvidence
from bot.core.text import clip
from bot.handlers import activity, activity_fix, activity_partner, activity_rights, activity_words
from bot.handlers.activity_fix import REASON_MAX
from bot.handlers.talk import Decision, Talk

VERBS = ("actok", "actno", "actfix", "actcut", "actp", "actpu", "actone", "actpic")
PHOTOS_SHOWN = 5
# The press that does the same as a word.
PRESSES = {
    "confirm": "actok",
    "doubt": "actno",
    "fix": "actfix",
    "strike": "actcut",
    "partner": "actp",
    "one": "actone",
    "photos": "actpic",
}


def press(talk: Talk, verb: str, rest: str) -> Decision:
    number, _, more = rest.partition(":")
    found = talk.facts.activity
    if found is None or str(found.id) != number or not activity_rights.knows(talk, found):
        return talk.stay(talk.answer("activity/not_yours"))
    match verb:
        case "actok":
            return _confirm(talk, found)
        case "actno":
            return _doubt(talk, found)
        case "actfix":
            return activity_fix.fix(talk, found, more)
        case "actcut":
            return activity_fix.strike(talk, found, more)
        case "actpu":
            return activity_partner.join(talk, found, (more,))
        case "actp":
            return activity_partner.ask(talk, found, more)
        case "actpic":
            return _show(talk, found)
    return talk.stay(
        activity_words.about(
            talk,
            "activity/one",
            found,
            rights=activity_rights.rights(talk, found),
        )
    )


def asked(talk: Talk, one: Asked) -> Decision:
    """The same in words: "xac nhan 12", "sua hoat dong 12 con 45", "lam cung 12 truong 2"."""
    return press(talk, PRESSES[one.verb], f"{one.number}:{one.rest}")


def _show(talk: Talk, found: Activity) -> Decision:
    """Whoever is to confirm it sees what proves it."""
    told = activity_words.about(
        talk,
        "activity/photos",
        found,
        shown=min(found.photos, PHOTOS_SHOWN),
        rights=activity_rights.rights(talk, found),
    )
    data = {"code": found.id}
    shown = ShowEvidence(talk.here, "activity/photo", found.evidence, PHOTOS_SHOWN, data)
    return talk.stay(told, *([shown] if found.photos else []))


# Confirmed or not --------------------------------------------------------------------------------


def _confirm(talk: Talk, found: Activity) -> Decision:
    refused = _not_now(talk, found)
    if refused is not None:
        return refused
    name = activity_rights.name_here(talk, found)
    checked = {"state": CONFIRMED, "checked_by": talk.facts.me.person, "checked_name": name}
    change = ChangeActivity(found.id, found.version, "confirm", checked)
    after = replace(found, state=CONFIRMED, checked_name=name)
    told = activity_words.about(talk, "activity/changed", after, what="confirmed", mine=True, why="")
    return talk.stay(change, told, *activity_rights.tell_teller(talk, after, "confirmed"))


def _doubt(talk: Talk, found: Activity) -> Decision:
    refused = _not_now(talk, found)
    if refused is not None:
        return refused
    name = activity_rights.name_here(talk, found)
    checked = {"state": DOUBTED, "checked_by": talk.facts.me.person, "checked_name": name}
    after = replace(found, state=DOUBTED, checked_name=name)
    told = activity_words.about(talk, "activity/changed", after, what="doubted", mine=True, why="")
    change = ChangeActivity(found.id, found.version, "doubt", checked)
    return talk.stay(change, told, *activity_rights.tell_teller(talk, after, "doubted"))


def _not_now(talk: Talk, found: Activity) -> Decision | None:
    """Whoever comes second hears who was first; what was struck out stays so."""
    why = found.state if found.state in (CONFIRMED, STRUCK) else activity_rights.why_not(talk, found)
    if not why:
        return None
    return talk.stay(activity_words.about(talk, "activity/refused", found, why=why))


def said(talk: Talk, text: str) -> Decision | None:
    """The answer to what was asked about an activity; None when the words are about something else."""
    telling, found = talk.session.tells(talk.now), talk.facts.activity
    if telling is None or found is None or telling.activity != found.id:
        return None
    if not activity_rights.knows(talk, found):
        return None
    if not activity.comes_first(talk) or activity.elsewhere(talk, telling, text):
        return None
    if talk.world.lexicon.meanings(text) & {"cancel", "enough"}:
        return talk.go(activity_words.about(talk, "activity/left", found), telling=None)
    match telling.step:
        case "fix":
            return activity_fix.fixed(talk, telling, found, text)
        case "why_fix":
            return activity_fix.fixed(talk, replace(telling, words=clip(text, REASON_MAX)), found, "")
        case "why_strike":
            return activity_fix.strike(talk, found, text)
        case "partner":
            return activity_partner.join(talk, found, talk.world.lexicon.units.named(text))
    return None
