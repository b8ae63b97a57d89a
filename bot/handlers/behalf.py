"""A member tells a report for somebody who called or came by."""

from dataclasses import replace

from bot.handlers import report
from bot.handlers.listen import for_another
from bot.handlers.talk import Decision, Talk

FEW_WORDS = 6


def told(talk: Talk, text: str) -> Decision | None:
    """Words that say so, or ask that it be told for the writer; None: they say something else."""
    lexicon = talk.world.lexicon
    if not (lexicon.begins(text, "behalf") or lexicon.begins(text, "not_behalf")):
        return None
    tells = report.tells_something(talk, text)
    if for_another(talk, text):
        draft = talk.session.draft or report.new_draft(talk)
        return report.retold(talk, draft, text) if tells else begin(talk)
    # Anybody else's words are their own report, as always; these few only say that there is one.
    few = len(text.split()) <= FEW_WORDS and not tells and talk.session.draft is None
    return report.begin(talk) if few else None


def begin(talk: Talk) -> Decision:
    """What is told now is somebody else's; from anybody without a role it is their own."""
    if not talk.facts.me.roles:
        return report.begin(talk)
    draft = replace(talk.session.draft or report.new_draft(talk), behalf=True)
    decision = report.advance(talk, draft, behalf=True)
    return replace(decision, session=replace(decision.session, complaint=None))
