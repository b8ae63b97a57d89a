"""A unit takes part in a clean-up: it says so, says where it meets, and tells what it did in any order."""

from dataclasses import fields
from typing import Any

from bot.core.amounts import Amounts, amounts_in
from bot.core.effects import Effect, KeepPhoto, Participate, Say, SetPlace
from bot.core.events import PhotoReady, PhotoSent
from bot.core.facts import NOTHING, Cleanup, Result
from bot.core.text import clip
from bot.handlers.campaign import words as campaign_words
from bot.handlers.talk import Decision, Talk, unit_words

VERBS = ("acc", "res", "resdone", "meet")
RESULT = "result"
NOTE_MAX = 300
PLACE_MAX = 120
# A meeting place is asked for in the same way as a result, and answered with the next words.
MEETING = "meet:"


def press(talk: Talk, verb: str, rest: str) -> Decision:
    campaign, _, unit = rest.partition(":")
    cleanup = talk.facts.campaign
    roles = talk.facts.me.of(unit)
    if cleanup is None or cleanup.campaign.id != campaign or not roles:
        return talk.stay(talk.answer("campaign/not_yours"))
    match verb:
        case "acc":
            return _accepted(talk, cleanup, unit, roles[0].name)
        case "res":
            asked = _asked(talk, cleanup, unit)
            return talk.go(asked, result_for=f"{campaign}/{unit}", result_at=talk.now)
        case "meet":
            data = _data(talk, cleanup, unit)
            asked = talk.answer("campaign/ask_place", **data)
            return talk.go(asked, result_for=f"{MEETING}{campaign}/{unit}", result_at=talk.now)
    return _finished(talk, cleanup, unit)


def _accepted(talk: Talk, cleanup: Cleanup, unit: str, name: str) -> Decision:
    """The first one counts; who presses later hears who it was."""
    before = cleanup.results.get(unit)
    first = before is None or before.accepted is None
    by = name if first or before is None else before.accepted_by
    data = _data(talk, cleanup, unit) | {"who": by, "first": first}
    told = talk.answer("campaign/accepted", **data)
    values = {"accepted_at": talk.now, "accepted_by": name}
    return talk.stay(*([Participate(cleanup.campaign.id, unit, "accept", values)] if first else []), told)


def _data(talk: Talk, cleanup: Cleanup, unit: str) -> dict[str, Any]:
    """What every message about a unit's part may say."""
    told = cleanup.results.get(unit) or Result(unit)
    return campaign_words(talk, cleanup.campaign) | {
        "unit": unit_words(talk.commune, unit),
        "id": unit,
        "place": cleanup.places.get(unit, ""),
        "amounts": told.amounts,
        "reported": told.reported is not None,
    }


def _asked(talk: Talk, cleanup: Cleanup, unit: str) -> Say:
    return talk.answer("campaign/ask_result", **_data(talk, cleanup, unit))


# Words and photos while a result is told --------------------------------------------------------


def said(talk: Talk, text: str) -> Decision | None:
    """Numbers in any order; None when the words are about something else."""
    cleanup, open_ = talk.facts.campaign, talk.session.tells_result(talk.now)
    if cleanup is None or open_ is None or not talk.facts.me.of(open_[1]):
        return None
    campaign, unit = open_
    if campaign.startswith(MEETING):
        return _meets(talk, cleanup, unit, text)
    meanings = talk.world.lexicon.meanings(text)
    if meanings & {"done", "enough", "cancel"}:
        return _finished(talk, cleanup, unit)
    amounts, rest = amounts_in(text)
    if amounts.empty:
        return None
    return _recorded(talk, cleanup, unit, amounts, rest)


def _meets(talk: Talk, cleanup: Cleanup, unit: str, text: str) -> Decision:
    place = clip(" ".join(text.split()), PLACE_MAX)
    data = _data(talk, cleanup, unit) | {"place": place}
    told = talk.answer("campaign/place_set", **data)
    return talk.go(SetPlace(cleanup.campaign.id, unit, place), told, result_for="", result_at=0)


def _recorded(talk: Talk, cleanup: Cleanup, unit: str, amounts: Amounts, rest: str) -> Decision:
    """What is new wins; nothing that was said before is lost, and the history keeps all of it."""
    before = cleanup.results.get(unit) or Result(unit)
    now = before.amounts.merged(amounts)
    note = clip(" ".join(part for part in (before.note, rest) if part), NOTE_MAX)
    name = talk.facts.me.of(unit)[0].name
    values: dict[str, Any] = {f.name: getattr(now, f.name) for f in fields(Amounts)}
    values |= {"note": note, "reported_at": talk.now, "reported_by": name}
    action = "correct" if before.reported is not None else "report"
    data = _data(talk, cleanup, unit) | {"amounts": now, "note": rest}
    told = talk.answer("campaign/recorded", **data)
    return talk.go(Participate(cleanup.campaign.id, unit, action, values), told, result_at=talk.now)


def _finished(talk: Talk, cleanup: Cleanup, unit: str) -> Decision:
    data = _data(talk, cleanup, unit)
    if data["amounts"] == NOTHING:
        return talk.go(talk.answer("campaign/nothing_yet", **data), result_for="", result_at=0)
    return talk.go(talk.answer("campaign/result_done", **data), result_for="", result_at=0)


def photo(talk: Talk, sent: PhotoSent) -> Decision | None:
    """Evidence for the result that is being told; its caption may hold the numbers."""
    cleanup, open_ = talk.facts.campaign, talk.session.tells_result(talk.now)
    if cleanup is None or open_ is None or open_[0].startswith(MEETING) or not talk.facts.me.of(open_[1]):
        return None
    campaign, unit = open_
    kept: Effect = KeepPhoto(sent.file, f"{RESULT}/{campaign}/{unit}")
    amounts, rest = amounts_in(sent.caption)
    if not amounts.empty:
        told = _recorded(talk, cleanup, unit, amounts, rest)
        return Decision(told.session, (kept, *told.effects))
    wait = 1000 if sent.album else 0
    asked = Say(talk.here, "campaign/photo_kept", _data(talk, cleanup, unit), question=True, wait_ms=wait)
    return talk.go(kept, asked, result_at=talk.now)


def photo_ready(talk: Talk, ready: PhotoReady) -> Decision:
    """Kept; one that cannot be opened is told."""
    if ready.problem is None:
        return talk.stay()
    return talk.stay(talk.answer("campaign/bad_photo", problem=ready.problem))
