"""One person on two platforms: a code drawn on one and typed on the other makes both the same."""

from bot.core.effects import MakePairing, Pair, Say
from bot.core.facts import Pairing
from bot.handlers.talk import Decision, Talk


def draw(talk: Talk) -> Decision:
    """In private only: whoever reads the code could be told of this person's reports."""
    if talk.here.group:
        return talk.stay(talk.answer("join/in_private"))
    return talk.stay(MakePairing(), Say(talk.here, "join/pairing", {}, fresh=True))


def given(talk: Talk, drawn: Pairing) -> Decision:
    """Typed where it was drawn, it would change nothing."""
    if drawn.person == talk.facts.me.person:
        return talk.stay(talk.answer("join/paired", same=True))
    return talk.go(Pair(drawn.hash), talk.answer("join/paired", same=False), wrong_codes=())
