"""A member tells a report for somebody who called or came by."""

from dataclasses import replace

from bot.handlers import report
from bot.handlers.listen import for_another
from bot.handlers.talk import Decision, Talk


def told(talk: Talk, text: str) -> Decision | None:
    """Words that say so; None: they say something else, or nobody of a unit says them."""
    if not for_another(talk, text):
        return None
    if report.tells_something(talk, text):
        return report.retold(talk, talk.session.draft or report.new_draft(talk), text)
    return begin(talk)


def begin(talk: Talk) -> Decision:
    """What is told now is somebody else's; from anybody without a role it is their own."""
    if not talk.facts.me.roles:
        return report.begin(talk)
    draft = replace(talk.session.draft or report.new_draft(talk), behalf=True)
    decision = report.advance(talk, draft, behalf=True)
    return replace(decision, session=replace(decision.session, complaint=None))
