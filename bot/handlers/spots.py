"""Open reports that a village's clean-up dealt with: picked from a list, closed when the result ends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.core.effects import Effect, Prove, Say
from bot.core.facts import PhotoFact
from bot.core.form import SANITATION
from bot.core.report import Report, may_follow
from bot.core.session import Session
from bot.core.spotwords import spots_in
from bot.handlers.duty import closed, outcomes_for, rights_to
from bot.handlers.talk import Talk, about

LISTED_MAX = 5
# What may stand open (session.spots_asked).
WHICH, PHOTO = "which", "photo"


def closable(talk: Talk) -> tuple[Report, ...]:
    """What the sender's village may close by its clean-up; never what a village may not know of."""
    return tuple(
        report
        for report in talk.facts.closable
        if report.field == SANITATION
        and not report.private
        and may_follow(report.status, "close")
        and rights_to(talk, report)
    )


def listed(talk: Talk) -> Session:
    """The talk in which they are numbered, as they were when the list was shown."""
    codes = tuple(report.code for report in closable(talk)[:LISTED_MAX])
    return replace(talk.session, spots=codes, cleaned=(), spots_asked="")


def forgotten(session: Session) -> Session:
    return replace(session, spots=(), cleaned=(), spots_asked="")


def words(talk: Talk, session: Session) -> list[dict[str, Any]]:
    """The list for a sentence: each with its number and whether it was picked."""
    known = {report.code: report for report in talk.facts.closable}
    return [
        about(known[code], talk.commune) | {"number": number, "cleaned": code in session.cleaned}
        for number, code in enumerate(session.spots, 1)
        if code in known
    ]


def pick(session: Session, numbers: Sequence[int]) -> Session:
    codes = (session.spots[n - 1] for n in numbers if 0 < n <= len(session.spots))
    asked = session.spots_asked if session.spots_asked == PHOTO else ""
    return replace(session, cleaned=tuple(dict.fromkeys((*session.cleaned, *codes))), spots_asked=asked)


@dataclass(frozen=True, slots=True)
class Said:
    """The talk with what a message picks and takes back; the codes it picks; what else it says."""

    session: Session
    named: tuple[str, ...]
    rest: str


def said(talk: Talk, text: str) -> Said | None:
    """None: no spot is named."""
    session = _with_codes(talk, text)
    numbered = talk.world.lexicon.codes_as(text, lambda code: _numbered(session, code))
    found = spots_in(numbered, len(session.spots), asked=session.spots_asked == WHICH)
    if found is None:
        return None
    back = {session.spots[n - 1] for n in found.back}
    picked = pick(session, found.done)
    kept = replace(picked, cleaned=tuple(code for code in picked.cleaned if code not in back))
    return Said(kept, tuple(session.spots[n - 1] for n in found.done), found.rest)


def _with_codes(talk: Talk, text: str) -> Session:
    """One that is too far down for the list may be named by its code."""
    code = talk.world.lexicon.report_code(text)
    unlisted = code is not None and code not in talk.session.spots
    known = unlisted and any(report.code == code for report in closable(talk))
    return replace(talk.session, spots=(*talk.session.spots, str(code))) if known else talk.session


def _numbered(session: Session, code: str) -> str:
    return f" diem {session.spots.index(code) + 1} " if code in session.spots else code


# The end -----------------------------------------------------------------------------------------


def picked(talk: Talk) -> tuple[Report, ...]:
    """What was picked and is still open."""
    return tuple(report for report in closable(talk) if report.code in talk.session.cleaned)


def proofs(talk: Talk, report: Report) -> tuple[PhotoFact, ...]:
    """The photos that show it: those sent with its name, else those of the whole result."""
    own = tuple(photo for photo in talk.facts.shown if photo.purpose.endswith(f"/{report.code}"))
    return own or tuple(photo for photo in talk.facts.shown if photo.purpose.count("/") == 2)


def unproved(talk: Talk) -> tuple[Report, ...]:
    """What was picked and has no photo yet that can be opened."""
    return tuple(r for r in picked(talk) if not any(photo.ready for photo in proofs(talk, r)))


def expected(talk: Talk) -> bool:
    """Whether a photo is still being looked at."""
    return any(not photo.ready for report in unproved(talk) for photo in proofs(talk, report))


def closing(talk: Talk) -> list[Effect]:
    """Each of them closed, as by "Đã xử lý": with its photos, or else as dealt with."""
    effects: list[Effect] = []
    for report in picked(talk):
        roles = rights_to(talk, report)
        shown = tuple(photo.id for photo in proofs(talk, report) if photo.ready)
        if shown:
            effects += [Prove(shown, report.id), *closed(talk, report, roles[0], "photo")]
        elif "fixed" in outcomes_for(report, roles):
            effects += closed(talk, report, roles[0], "fixed")
    return effects


def ask_photo(talk: Talk, data: dict[str, Any]) -> Say:
    lacking = [about(report, talk.commune) for report in unproved(talk)]
    return talk.ask("campaign/ask_spot_photo", **data, lacking=lacking, expected=expected(talk))
