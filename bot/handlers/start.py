"""First words, help, and a kind answer to what is not a report."""

from dataclasses import replace

from bot.core.effects import Reach
from bot.core.events import Unsupported
from bot.handlers import activity_words, members
from bot.handlers.talk import Decision, Talk


def greet(talk: Talk) -> Decision:
    """/start and greetings; an open draft is not forgotten over them."""
    phones = dict(talk.commune.phones)
    greeting = talk.answer(
        "resident/greeting", commune=talk.commune.name, phones=phones, open=talk.session.draft is not None
    )
    return talk.stay(Reach(True), greeting)


def help_(talk: Talk) -> Decision:
    member, manager = bool(talk.facts.me.roles), members.is_office(talk) or bool(members.headed(talk))
    open_ = talk.session.draft is not None
    phones = dict(talk.commune.phones)
    roles = {"member": member, "manager": manager, "office": members.is_office(talk)}
    roles |= {"tells": bool(activity_words.units_of(talk))}
    told = talk.answer("resident/help", **roles, phones=phones, open=open_)
    return talk.stay(told)


def privacy(talk: Talk) -> Decision:
    return talk.stay(
        talk.answer(
            "resident/privacy",
            commune=talk.commune.name,
            contact=talk.commune.policy_contact,
            version=talk.commune.policy_version,
        )
    )


def nod(talk: Talk, *, thanks: bool) -> Decision:
    """A thank-you or an "ok" needs a nod, not a lecture."""
    waiting = [report.code for report in talk.facts.mine if report.is_open]
    return talk.stay(talk.answer("resident/nod", thanks=thanks, code=waiting[0] if waiting else ""))


def insulted(talk: Talk) -> Decision:
    """Whoever scolds has mostly waited: no word about the words."""
    waiting = [report.code for report in talk.facts.mine if report.is_open]
    return talk.stay(talk.answer("resident/insulted", code=waiting[0] if waiting else ""))


def off_topic(talk: Talk, text: str) -> Decision:
    """Most of these are questions about procedures; members are reminded how to answer an alert."""
    if talk.facts.me.roles:
        return talk.stay(talk.answer("duty/help"))
    procedure = any(talk.world.lexicon.mentions(text, kind) for kind in ("procedure", "asks_procedure"))
    return talk.stay(talk.answer("resident/off_topic", procedure=procedure))


def unsupported(talk: Talk, event: Unsupported) -> Decision:
    return talk.stay(
        talk.answer("resident/unsupported", kind=event.kind, open=talk.session.draft is not None)
    )


def introduced(talk: Talk, decision: Decision) -> Decision:
    """Where the platform wants it, whoever writes for the first time is told who answers; before all else."""
    return replace(decision, effects=(talk.answer("resident/introduction"), *decision.effects))
