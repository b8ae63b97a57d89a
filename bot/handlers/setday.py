"""The office sets or moves a clean-up day: typed as a date, told once to whoever knew the old one."""

import re
from dataclasses import replace
from datetime import date, time

from bot.core.campaign import Campaign
from bot.core.days import day_in
from bot.core.facts import Cleanup
from bot.handlers.campaign import moved
from bot.handlers.campaign import words as campaign_words
from bot.handlers.talk import Decision, Talk

VERBS = ("setday",)
# What stands in session.result_for while a day is asked for.
DAY = "day:"
_HOUR = re.compile(r"\b(\d{1,2}) ?(?:gi\w{1,2}|h)(?: ?(\d{2}|r\w{2,3}i)\b)?", re.IGNORECASE)
# A clean-up that is a season away from its date is another one.
FARTHEST_DAYS = 45
# Nobody sweeps at night.
EARLIEST, LATEST = time(4, 30), time(18, 0)


def may(talk: Talk) -> bool:
    return bool(talk.facts.me.of(talk.commune.office))


def press(talk: Talk, rest: str) -> Decision:
    cleanup = talk.facts.campaign
    if cleanup is None or not may(talk):
        return talk.stay(talk.answer("campaign/not_yours"))
    if cleanup.campaign.starts < talk.local_time:
        return talk.stay(talk.answer("resident/clean_over"))
    asked = talk.answer("campaign/ask_day", **campaign_words(talk, cleanup.campaign))
    return talk.go(asked, result_for=f"{DAY}{rest}/{talk.commune.office}", result_at=talk.now)


def said(talk: Talk, text: str) -> Decision | None:
    """A date, an hour, or both; None when the words are about something else."""
    cleanup, open_ = talk.facts.campaign, talk.session.tells_result(talk.now)
    if cleanup is None or open_ is None or not open_[0].startswith(DAY) or not may(talk):
        return None
    if talk.world.lexicon.meanings(text) & {"cancel", "done", "enough"}:
        return talk.go(
            talk.answer("campaign/day_kept", **campaign_words(talk, cleanup.campaign)), result_for=""
        )
    hour = _hour_in(text)
    day = day_in(_HOUR.sub(" ", text), talk.local_time.date())
    if day is None and hour is None:
        return talk.stay(talk.answer("campaign/ask_day", **campaign_words(talk, cleanup.campaign)))
    return _set(talk, cleanup, day or cleanup.campaign.day, hour or cleanup.campaign.hour)


def _hour_in(text: str) -> time | None:
    found = _HOUR.search(text)
    if found is None or int(found[1]) > 23:
        return None
    minute = 30 if found[2] and not found[2].isdecimal() else int(found[2] or 0)
    return time(int(found[1]), minute) if minute < 60 else None


def _set(talk: Talk, cleanup: Cleanup, day: date, hour: time) -> Decision:
    campaign = replace(cleanup.campaign, day=day, hour=hour)
    refused = _wrong(talk, campaign)
    if refused:
        data = campaign_words(talk, cleanup.campaign) | {"why": refused}
        return talk.stay(talk.answer("campaign/day_refused", **data))
    told = talk.answer("campaign/day_set", **campaign_words(talk, campaign))
    return talk.go(told, *moved(talk, cleanup, campaign), result_for="", result_at=0)


def _wrong(talk: Talk, campaign: Campaign) -> str:
    if campaign.starts <= talk.local_time:
        return "past"
    if not EARLIEST <= campaign.hour <= LATEST:
        return "night"
    return "far" if abs((campaign.day - campaign.fixed).days) > FARTHEST_DAYS else ""
