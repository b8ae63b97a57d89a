"""Somebody of the authority writes in the same chat by hand: the bot keeps still an hour, and keeps all."""

from dataclasses import replace

from bot.core.effects import Effect, Erase, Lane, Note, Say
from bot.core.events import Answered, Pressed
from bot.core.session import EMPTY, PAUSED_FOR_MS
from bot.handlers.talk import Decision, Talk

RESIDENT = "resident/"
# Danger is answered at once, whoever else is there.
NEVER_HELD = ("resident/emergency", "resident/emergency_more", "resident/maybe_emergency")


def answered(talk: Talk, event: Answered) -> Decision:
    """What was written by hand is kept in the history of the report that is talked about."""
    report = talk.facts.report
    noted: list[Effect] = [Note(report.id, "by_hand", event.text)] if report is not None else []
    return talk.go(*noted, paused_until=talk.now + PAUSED_FOR_MS)


def held_back(talk: Talk, decision: Decision) -> Decision:
    """While the hour lasts: everything is kept as always, only the bot's own answers are not said.

    A press is meant for the bot; all else, and what comes of it later, for whoever answers by hand.
    """
    if talk.now >= talk.session.paused_until or isinstance(talk.incoming.event, Pressed):
        return decision
    return replace(decision, effects=tuple(e for e in decision.effects if not _is_answer(talk, e)))


def _is_answer(talk: Talk, effect: Effect) -> bool:
    """What the bot would say to somebody who reports; a word of duty and a code to join are meant for it."""
    return (
        isinstance(effect, Say)
        and effect.to == talk.here
        and effect.lane == Lane.ANSWER
        and effect.message.startswith(RESIDENT)
        and effect.message not in NEVER_HELD
    )


def withdrawn(talk: Talk) -> Decision:
    """The platform passes on that a person wants nothing kept: there is nobody left to answer."""
    return Decision(EMPTY, (Erase(),) if talk.facts.me.person else ())
