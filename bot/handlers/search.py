"""Looking for reports by what they are about: "tim rac cho thon 3", by members, among what they may see."""

from bot.core.facts import Search
from bot.core.report import Report
from bot.core.text import fold
from bot.handlers.lookup import may_look
from bot.handlers.talk import Decision, Talk, World, about

SHOWN_MAX = 5


def wanted(world: World, text: str) -> Search | None:
    """What a message looks for; None: it looks for nothing, or names a report by its code."""
    lexicon = world.lexicon
    if lexicon.report_code(text) is not None:
        return None
    if lexicon.command(text) == "tim" and text.startswith("/"):
        rest = text.partition(" ")[2]
    else:
        rest = lexicon.after(text, "find") or ""
    if not rest.strip():
        return None
    place = lexicon.place(rest)
    categories = tuple(guess.id for guess in lexicon.categories(rest))
    mark = lexicon.place_key(place.landmark) if place.landmark else ""
    # Where nothing else is understood, the words themselves are looked for.
    return Search(categories, place.units, mark or ("" if categories or place.units else fold(rest)))


def said(talk: Talk, text: str) -> Decision | None:
    """None: it is no search, or by somebody who may see only their own."""
    search = wanted(talk.world, text) if talk.facts.me.roles else None
    if search is None:
        return None
    found = [report for report in talk.facts.found if may_look(talk, report) and _fits(report, search.mark)]
    shown = [about(report, talk.commune) for report in found[:SHOWN_MAX]]
    return talk.stay(talk.answer("duty/found", reports=shown, rest=len(found) - len(shown)))


def _fits(report: Report, mark: str) -> bool:
    there = set(fold(f"{report.landmark} {report.words}").split())
    return set(mark.split()) <= there
