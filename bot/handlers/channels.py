"""When a platform lets us say nothing any more: the office hears of it on another one."""

from bot.core.effects import Lane, Night, Say
from bot.core.events import CutOff
from bot.handlers.talk import Decision, Talk


def cut_off(talk: Talk, event: CutOff) -> Decision:
    """At any hour: while it lasts, nobody on that platform hears of anything."""
    ears = [ear for ear in talk.desk(talk.commune.office).ears if ear.channel != event.channel]
    told = {"channel": event.channel, "problem": event.problem}
    return talk.stay(
        *(Say(ear, "office/cut_off", told, Lane.UPDATE, night=Night.LOUD) for ear in ears),
    )
