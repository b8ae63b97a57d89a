"""A unit takes part in a clean-up or does a task: it says so, and tells what it did in any order."""

from dataclasses import fields, replace
from typing import Any

from bot.core import when
from bot.core.amounts import Amounts, amounts_in
from bot.core.effects import Effect, KeepPhoto, Participate, Say, SetPlace
from bot.core.events import PhotoReady, PhotoSent
from bot.core.facts import NOTHING, Assigned, Cleanup, Result
from bot.core.session import Session
from bot.core.task import Task
from bot.core.text import clip
from bot.handlers import spots
from bot.handlers.campaign import words as campaign_words
from bot.handlers.talk import Decision, Talk, unit_words

VERBS = ("acc", "res", "resdone", "meet", "spots", "spot", "nophoto")
RESULT = "result"
NOTE_MAX = 300
PLACE_MAX = 120
# A meeting place is asked for in the same way as a result, and answered with the next words.
MEETING = "meet:"

Work = Cleanup | Assigned


def press(talk: Talk, verb: str, rest: str) -> Decision:
    id, _, more = rest.partition(":")
    unit, _, number = more.partition(":")
    work, roles = _work(talk), talk.facts.me.of(unit)
    if work is None or work.id != id or not roles:
        return talk.stay(talk.answer("campaign/not_yours"))
    if isinstance(work, Assigned) and (unit not in work.task.units or not work.task.is_open):
        return talk.stay(talk.answer("task/over", **task_words(talk, work.task)))
    match verb:
        case "acc":
            return _accepted(talk, work, unit, roles[0].name)
        case "res":
            return _begun(talk, work, unit)
        case "meet" if isinstance(work, Cleanup):
            asked = talk.answer("campaign/ask_place", **_data(talk, work, unit))
            return talk.go(asked, result_for=f"{MEETING}{id}/{unit}", result_at=talk.now)
        case "spots":
            return _which_spots(talk, work, unit)
        case "spot":
            session = spots.pick(talk.session, [int(number)] if number.isdecimal() else [])
            return _marked(talk, work, unit, session)
    return _finished(talk, work, unit, photos=verb != "nophoto")


def _work(talk: Talk) -> Work | None:
    """The clean-up, or the task, that this is about."""
    return talk.facts.campaign or talk.facts.task


def _telling(talk: Talk) -> tuple[Work, str] | None:
    """What a result is being told of here, and of which unit, by somebody who belongs to it."""
    work, open_ = _work(talk), talk.session.tells_result(talk.now)
    if work is None or open_ is None or not talk.facts.me.of(open_[1]):
        return None
    if isinstance(work, Assigned) and not work.task.is_open:
        return None
    return work, open_[1]


def _accepted(talk: Talk, work: Work, unit: str, name: str) -> Decision:
    """The first one counts; who presses later hears who it was."""
    before = work.results.get(unit)
    first = before is None or before.accepted is None
    by = name if first or before is None else before.accepted_by
    data = _data(talk, work, unit) | {"who": by, "first": first}
    if isinstance(work, Cleanup):
        told = talk.answer("campaign/accepted", **data)
    else:
        told = talk.answer("task/accepted", **data)
    values = {"accepted_at": talk.now, "accepted_by": name}
    return talk.stay(*([Participate(work.id, unit, "accept", values)] if first else []), told)


def _data(talk: Talk, work: Work, unit: str, session: Session | None = None) -> dict[str, Any]:
    """What every message about a unit's part may say."""
    told = work.results.get(unit) or Result(unit)
    cleanup = isinstance(work, Cleanup)
    return _words(talk, work) | {
        "unit": unit_words(talk.commune, unit),
        "id": unit,
        "cleanup": cleanup,
        "place": work.places.get(unit, "") if isinstance(work, Cleanup) else "",
        "amounts": told.amounts,
        "kept": told.note,
        "reported": told.reported is not None,
        "spots": spots.words(talk, session or talk.session),
        "photos": len(talk.facts.shown),
    }


def _words(talk: Talk, work: Work) -> dict[str, Any]:
    if isinstance(work, Cleanup):
        return campaign_words(talk, work.campaign)
    return task_words(talk, work.task)


def task_words(talk: Talk, task: Task) -> dict[str, Any]:
    """A task for a sentence; `campaign` is its id where a clean-up's would stand."""
    return {
        "campaign": task.id,
        "number": task.number,
        "task": task.text,
        "day": when.spoken(when.at_noon(task.day), talk.facts.now),
        "state": task.state,
        "by": task.made_by,
    }


def _begun(talk: Talk, work: Work, unit: str) -> Decision:
    id = work.id
    session = replace(spots.listed(talk), result_for=f"{id}/{unit}", result_at=talk.now)
    data = _data(talk, work, unit, session)
    return Decision(session, (talk.answer("campaign/ask_result", **data),))


# Words and photos while a result is told --------------------------------------------------------


def said(talk: Talk, text: str) -> Decision | None:
    """What was done, in any order; None when the words are about something else."""
    open_ = _telling(talk)
    if open_ is None:
        return None
    work, unit = open_
    if talk.session.result_for.startswith(MEETING):
        return _meets(talk, work, unit, text)
    lexicon = talk.world.lexicon
    if talk.session.spots_asked == spots.PHOTO and lexicon.means(text, "skip_photo"):
        return _finished(talk, work, unit, photos=False)
    if lexicon.meanings(text) & {"done", "enough", "cancel"}:
        return _finished(talk, work, unit)
    return _spoken_of_spots(talk, text) or _told(talk, work, unit, text)


def comes_first(talk: Talk) -> bool:
    """Whether what is said belongs to the result before it could be an officer's word about one report.

    In a room people say numbers to each other: only an answer to the bot is a result.
    """
    told, replied = talk.session.tells_result(talk.now), talk.incoming.replied is not None
    owed = talk.session.owed(talk.incoming.account, talk.now)
    newer = owed is not None and owed.at > talk.session.result_at
    alert = replied and talk.facts.answered.startswith("duty/")
    return told is not None and not newer and not alert and (replied or not talk.here.group)


def first(talk: Talk, text: str) -> Decision | None:
    """ "Xong", and words that name spots: while a result is told they are about that."""
    if not comes_first(talk):
        return None
    ends = talk.world.lexicon.meanings(text) & {"done", "enough"}
    return said(talk, text) if ends else _spoken_of_spots(talk, text)


def _spoken_of_spots(talk: Talk, text: str) -> Decision | None:
    """Words that name the spots of the list, by number or code; with numbers of something else or without."""
    open_ = _telling(talk)
    marked = spots.said(talk, text) if open_ is not None else None
    if open_ is None or marked is None or talk.session.result_for.startswith(MEETING):
        return None
    about = replace(talk, session=marked.session)
    more = _told(about, *open_, marked.rest) if marked.rest else None
    return more or _marked(talk, *open_, marked.session)


def _told(talk: Talk, work: Work, unit: str, text: str) -> Decision | None:
    amounts, rest = amounts_in(text)
    if not amounts.empty:
        return _recorded(talk, work, unit, amounts, rest)
    if text.strip().isdecimal():
        return talk.go(talk.answer("campaign/which_number", **_data(talk, work, unit)), result_at=talk.now)
    if isinstance(work, Assigned) and _is_a_result(talk, text):
        return _recorded(talk, work, unit, amounts, " ".join(text.split()))
    return None


def _is_a_result(talk: Talk, text: str) -> bool:
    """What is said while a task's result is told is that, but commands and what asks for something else."""
    lexicon = talk.world.lexicon
    other = lexicon.command(text) is not None or lexicon.duty_verb(text) is not None
    asks = lexicon.meanings(text) or lexicon.report_code(text) is not None
    newer = talk.session.draft is not None and talk.session.draft.touched_at >= talk.session.result_at
    return not (other or asks or newer)


def _meets(talk: Talk, work: Work, unit: str, text: str) -> Decision:
    place = clip(" ".join(text.split()), PLACE_MAX)
    data = _data(talk, work, unit) | {"place": place}
    told = talk.answer("campaign/place_set", **data)
    return talk.go(SetPlace(work.id, unit, place), told, result_for="", result_at=0)


def _recorded(talk: Talk, work: Work, unit: str, amounts: Amounts, rest: str) -> Decision:
    """What is new wins; nothing that was said before is lost, and the history keeps all of it."""
    before = work.results.get(unit) or Result(unit)
    now = before.amounts.merged(amounts)
    note = clip(" ".join(part for part in (before.note, rest) if part), NOTE_MAX)
    values: dict[str, Any] = {f.name: getattr(now, f.name) for f in fields(Amounts)}
    effect = _reported(talk, work, unit, values | {"note": note})
    data = _data(talk, work, unit) | {"amounts": now, "note": rest}
    return talk.go(effect, talk.answer("campaign/recorded", **data), result_at=talk.now)


def _reported(talk: Talk, work: Work, unit: str, values: dict[str, Any]) -> Participate:
    before = work.results.get(unit) or Result(unit)
    action = "correct" if before.reported is not None else "report"
    name = talk.facts.me.of(unit)[0].name
    return Participate(work.id, unit, action, values | {"reported_at": talk.now, "reported_by": name})


def _which_spots(talk: Talk, work: Work, unit: str) -> Decision:
    session = talk.session if talk.session.spots else spots.listed(talk)
    session = replace(session, result_for=f"{work.id}/{unit}", result_at=talk.now, spots_asked=spots.WHICH)
    data = _data(talk, work, unit, session)
    if not data["spots"]:
        return _begun(talk, work, unit)
    return Decision(session, (talk.answer("campaign/which_spots", **data),))


def _marked(talk: Talk, work: Work, unit: str, session: Session) -> Decision:
    data = _data(talk, work, unit, session)
    told = talk.answer("campaign/spots_marked", **data)
    return Decision(replace(session, result_at=talk.now), (told,))


def _finished(talk: Talk, work: Work, unit: str, *, photos: bool = True) -> Decision:
    """The end: what was picked is closed, once there is a photo of it or there will be none."""
    picked, data = spots.picked(talk), _data(talk, work, unit)
    if photos and spots.unproved(talk):
        asked = spots.ask_photo(talk, data)
        return talk.go(asked, result_at=talk.now, spots_asked=spots.PHOTO)
    over = replace(spots.forgotten(talk.session), result_for="", result_at=0)
    told = work.results.get(unit) or Result(unit)
    if told.amounts == NOTHING and not told.note and not picked:
        return Decision(over, (talk.answer("campaign/nothing_yet", **data),))
    first = [] if told.reported is not None else [_reported(talk, work, unit, {})]
    late = [code for code in talk.session.cleaned if code not in {report.code for report in picked}]
    done = talk.answer("campaign/result_done", **data, closed=[r.code for r in picked], late=late)
    return Decision(over, (*first, done, *spots.closing(talk)))


def purpose_of(work: str, unit: str) -> str:
    """Of the photos of what a unit did on a clean-up day, or for a task."""
    return f"{RESULT}/{work}/{unit}"


def photo(talk: Talk, sent: PhotoSent) -> Decision | None:
    """Evidence for the result that is being told; its caption may hold the numbers, or name one spot."""
    open_ = _telling(talk)
    if open_ is None or talk.session.result_for.startswith(MEETING):
        return None
    work, unit = open_
    marked = spots.said(talk, sent.caption) if sent.caption else None
    session, rest = (marked.session, marked.rest) if marked else (talk.session, sent.caption)
    own = marked.named[0] if marked and len(marked.named) == 1 else ""
    purpose = purpose_of(work.id, unit)
    kept: Effect = KeepPhoto(sent.file, f"{purpose}/{own}" if own else purpose)
    told = _told(replace(talk, session=session), work, unit, rest) if rest else None
    if told is not None:
        return Decision(told.session, (kept, *told.effects))
    wait = 1000 if sent.album else 0
    ends = session.spots_asked == spots.PHOTO
    lacking = [r.code for r in spots.unproved(replace(talk, session=session)) if own not in ("", r.code)]
    data = _data(talk, work, unit, session) | {"ends": ends, "lacking": lacking if ends else []}
    asked = Say(talk.here, "campaign/photo_kept", data, question=True, wait_ms=wait)
    return Decision(replace(session, result_at=talk.now), (kept, asked))


def photo_ready(talk: Talk, ready: PhotoReady) -> Decision:
    """Kept; one that cannot be opened is told; one that the end waited for ends it."""
    if ready.problem is not None:
        return talk.stay(talk.answer("campaign/bad_photo", problem=ready.problem))
    open_ = _telling(talk)
    if open_ is None or talk.session.spots_asked != spots.PHOTO or spots.unproved(talk):
        return talk.stay()
    return _finished(talk, *open_)
