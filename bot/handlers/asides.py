"""What is no report: how it stands, who sees it, when is collected, stopping, scolding; kindly answered."""

from bot.core.evidence import FEW_WORDS
from bot.core.phrases import ENOUGH
from bot.core.report import Report
from bot.handlers import adding, lookup, remind, report, start
from bot.handlers.talk import Decision, Talk

STATUS_WORDS = 8


def aside(talk: Talk, text: str) -> Decision | None:
    """The answer to words that tell no matter; None: they may tell one."""
    lexicon = talk.world.lexicon
    if _glad(talk, text):
        return start.nod(talk, thanks=True)
    guesses, units = lexicon.categories(text), lexicon.place(text).units
    if lexicon.mentions(text, "advert") and not units and not lexicon.mentions(text, "complaint"):
        return start.off_topic(talk, text)
    told = bool(guesses) and guesses[0].score >= ENOUGH
    if lexicon.about_official(text) or (told and units):
        return None
    unplaced = not units and not lexicon.place(text).landmark
    if unplaced and lexicon.mentions(text, "still") and (hurried := _hurries(talk, text)):
        return hurried
    if lexicon.mentions(text, "asks_procedure"):
        return start.off_topic(talk, text)
    if lexicon.sure(guesses) is not None:
        # Two words may be of a matter and said beside it: "đừng nói tên em, em còn bán hàng ở đó".
        hardly = unplaced and guesses[0].score <= FEW_WORDS
        return start.privacy(talk) if hardly and lexicon.mentions(text, "asks_privacy") else None
    return (
        _asked(talk, text)
        or _hurries(talk, text)
        or _unrelated(talk, text)
        or _of_own(talk, text)
        or _scolding(talk, text)
    )


def _glad(talk: Talk, text: str) -> bool:
    """ "Đã sửa đèn rồi, cảm ơn xã": no lamp is out."""
    lexicon = talk.world.lexicon
    finished = lexicon.mentions(text, "finished")
    if any(report.is_open for report in talk.facts.mine) or lexicon.mentions_beside(
        text, "doubts", "finished"
    ):
        return False
    if lexicon.sure(lexicon.categories(text)) is not None and lexicon.place(text).units and not finished:
        # Praise for a heap of rubbish is none.
        return False
    thanked = lexicon.mentions(text, "thanks") and lexicon.mentions_beside(text, "finished", "not_report")
    return thanked or lexicon.mentions_beside(text, "glad", "not_report")


def _asked(talk: Talk, text: str) -> Decision | None:
    mentions = talk.world.lexicon.mentions
    if mentions(text, "asks_stop"):
        return remind.stop(talk)
    if mentions(text, "turns_on"):
        return remind.ask_village(talk)
    if mentions(text, "asks_privacy"):
        return start.privacy(talk)
    if mentions(text, "asks_calendar") or "calendar" in talk.world.lexicon.meanings(text):
        return remind.calendar(talk)
    return None


def _hurries(talk: Talk, text: str) -> Decision | None:
    """Who waits for an open report and asks how it stands; what may tell another matter does not."""
    mentions = talk.world.lexicon.mentions
    waits = any(one.is_open for one in talk.facts.mine) and not mentions(text, "withdraws")
    asks = mentions(text, "still") or mentions(text, "question") or not talk.world.lexicon.categories(text)
    return lookup.mine(talk) if waits and asks and mentions(text, "asks_status") else None


def _unrelated(talk: Talk, text: str) -> Decision | None:
    mentions = talk.world.lexicon.mentions
    if mentions(text, "procedure") or mentions(text, "chatter"):
        return start.off_topic(talk, text)
    return start.help_(talk) if mentions(text, "asks_how") else None


def _of_own(talk: Talk, text: str) -> Decision | None:
    """About what the person reported before."""
    mentions = talk.world.lexicon.mentions
    waiting = next((one for one in talk.facts.mine if one.is_open), None)
    if mentions(text, "asks_mine"):
        return lookup.mine(talk)
    if waiting is None:
        # Who asks how it stands and never reported here hears just that.
        alone = len(text.split()) <= STATUS_WORDS and not report.tells_something(talk, text)
        return lookup.mine(talk) if alone and mentions(text, "asks_status") else None
    if mentions(text, "withdraws"):
        return report.cancel(talk)
    # Whoever deals with it reads that it is well, and closes it.
    return adding.add_words(talk, waiting, text) if _is_well(talk, waiting, text) else None


def _is_well(talk: Talk, waiting: Report, text: str) -> bool:
    lexicon = talk.world.lexicon
    well = lexicon.mentions(text, "good") or lexicon.mentions(text, "finished")
    units = lexicon.place(text).units
    return well and not lexicon.mentions(text, "but") and (not units or waiting.unit in units)


def _scolding(talk: Talk, text: str) -> Decision | None:
    lexicon = talk.world.lexicon
    if lexicon.categories(text) or lexicon.place(text).units:
        return None
    return start.insulted(talk) if lexicon.mentions(text, "insult") else None
