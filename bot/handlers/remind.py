"""Residents and clean-up days: when the next one is, whether to be told of it, and whether they come."""

from typing import Any

from bot.core.campaign import Campaign, of_years
from bot.core.commune import Unit
from bot.core.effects import Come, Remind, Stop, Unsubscribe
from bot.handlers import setday
from bot.handlers.campaign import words as campaign_words
from bot.handlers.talk import Decision, Talk

VERBS = ("come", "busy", "remind", "remindin")
# What a village is asked for (session.choosing).
CHOOSING = "remind:village"
SHOWN = 3
CHOICES = 4


def calendar(talk: Talk) -> Decision:
    """The next days, and how to be reminded of them."""
    coming = [campaign_words(talk, campaign) for campaign in _coming(talk)[:SHOWN]]
    on = talk.facts.reminded is not None
    return talk.stay(talk.answer("resident/calendar", campaigns=coming, on=on, office=setday.may(talk)))


def _coming(talk: Talk) -> tuple[Campaign, ...]:
    """As the office has set them; before the first look at the database, as the year has them."""
    today = talk.local_time.date()
    usual = of_years(today.year, today.year + 1)
    return talk.facts.campaigns or tuple(campaign for campaign in usual if campaign.day >= today)


def press(talk: Talk, verb: str, rest: str) -> Decision:
    if verb in ("come", "busy"):
        return _answered(talk, rest, coming=verb == "come")
    if verb == "remindin":
        return on(talk, talk.commune.units.get(rest))
    return ask_village(talk)


def _answered(talk: Talk, campaign: str, *, coming: bool) -> Decision:
    cleanup = talk.facts.campaign
    if cleanup is None or cleanup.campaign.id != campaign or cleanup.campaign.starts < talk.local_time:
        return talk.stay(talk.answer("resident/clean_over"))
    village = talk.facts.reminded or ""
    data = campaign_words(talk, cleanup.campaign) | {
        "coming": coming,
        "place": cleanup.places.get(village, ""),
    }
    return talk.stay(Come(campaign, village, coming), talk.answer("resident/clean_answer", **data))


def ask_village(talk: Talk) -> Decision:
    """Whose day and place to be told of; the likeliest villages are buttons, any may be typed."""
    mine = dict.fromkeys(report.unit for report in talk.facts.mine if report.unit is not None)
    likely = [talk.commune.unit(unit) for unit in mine]
    rest = [unit for unit in talk.commune.villages if unit not in likely]
    offered = [_choice(unit) for unit in [*likely, *rest][:CHOICES]]
    asked = talk.ask("resident/ask_reminders", offered=offered, count=len(talk.commune.villages))
    return talk.go(asked, choosing=CHOOSING, choosing_at=talk.now)


def _choice(unit: Unit) -> dict[str, str]:
    return {"id": unit.id, "label": unit.name[:20]}


def said_village(talk: Talk, text: str) -> Decision | None:
    """The village that was asked for, by number or name; None when the words name none."""
    if talk.session.chooses(talk.now) != CHOOSING:
        return None
    lexicon = talk.world.lexicon
    units: tuple[str, ...] = lexicon.place(text).units
    number = lexicon.only_number(text)
    if not units and number is not None:
        units = tuple(unit.id for unit in talk.commune.villages if unit.number == number)
    return on(talk, talk.commune.units.get(units[0])) if len(units) == 1 else None


def on(talk: Talk, village: Unit | None) -> Decision:
    """BẬT; a village that was not said is any."""
    told: dict[str, Any] = {"village": "" if village is None else village.name}
    told["next"] = campaign_words(talk, _coming(talk)[0])
    remind = Remind("" if village is None else village.id)
    return talk.go(remind, talk.answer("resident/on", **told), choosing="", choosing_at=0)


def stop(talk: Talk) -> Decision:
    """DỪNG: no clean-up day and no notice is told of any more; news of one's own reports still is."""
    had = talk.facts.reminded is not None
    return talk.stay(Stop(), *((Unsubscribe(),) if had else ()), talk.answer("resident/stop", had=had))
