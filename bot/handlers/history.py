"""What happened to a report, in lines that people read; of residents no name."""

from collections.abc import Sequence
from typing import Any

from bot.core import when
from bot.core.facts import Past
from bot.core.report import OUTCOMES
from bot.core.text import clip, hide_phones
from bot.handlers.talk import Talk

SHOWN_MAX, NOTE_MAX = 12, 60
# Done by whoever reported or follows: their names are nobody's business.
BY_RESIDENTS = frozenset({"file", "words", "follow", "place", "callback", "confirm", "reopen", "withdraw"})
BY_MEMBERS = frozenset(
    ("take", "start", "postpone", "ask_help", "forward", "close", "reject", "propose", "keep_open")
)
BY_TIME = frozenset({"settle", "due_ack", "due_ack2", "due_fix", "due_fix2"})
# Whose note is a reason that somebody gave.
REASONED = frozenset({"postpone", "ask_help", "reject", "propose"})


def lines(talk: Talk, past: Sequence[Past]) -> list[dict[str, Any]]:
    """The last of it, oldest first."""
    known = [one for one in past if one.action in BY_RESIDENTS | BY_MEMBERS | BY_TIME]
    return [_line(talk, one) for one in known[-SHOWN_MAX:]]


def _line(talk: Talk, past: Past) -> dict[str, Any]:
    name = clip(" ".join(past.who.split()), NOTE_MAX) if past.action in BY_MEMBERS else ""
    outcome = past.note if past.action == "close" and past.note in {*OUTCOMES, "photo"} else ""
    return {
        "at": when.spoken(when.local(past.at), talk.facts.now),
        "action": past.action,
        "who": name,
        "outcome": outcome,
        "note": _note(talk, past) if not outcome else "",
    }


def _note(talk: Talk, past: Past) -> str:
    if past.action == "forward" and past.note in talk.commune.units:
        return talk.commune.unit(past.note).name
    reason = past.action in REASONED or past.action == "close"
    return clip(hide_phones(" ".join(past.note.split())), NOTE_MAX) if reason else ""
