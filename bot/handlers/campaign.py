"""A clean-up day comes nearer: what is said to units, residents and the office, step by step."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.core import when
from bot.core.campaign import Campaign
from bot.core.commune import Unit
from bot.core.effects import Broadcast, Effect, Lane, Say, SetCampaign
from bot.core.events import CampaignDue
from bot.core.facts import Cleanup
from bot.core.form import SANITATION
from bot.core.report import Report
from bot.core.schedule import RESIDENTS, UNITS, Moment, Step, following, kept, moments, too_late
from bot.handlers import stats
from bot.handlers.talk import Decision, Talk, about, unit_words

# Who is asked to take part: the office itself counts, the police keep order.
TAKING_PART = ("village", "school", "department", "association")
# Reads the loudspeaker script to the commune, and puts the text where people read it.
LOUDSPEAKER = "tt-dvsnc"
SPOTS_MAX = 5
TO_UNITS: Mapping[Step, str] = {
    Step.PREPARE: "campaign/prepare",
    Step.EVE: "campaign/eve",
    Step.TODAY: "campaign/today",
    Step.RESULT: "campaign/result",
    Step.NUDGE: "campaign/nudge",
    Step.NUDGE_AGAIN: "campaign/nudge",
}
TO_RESIDENTS: Mapping[Step, str] = {
    Step.INVITE: "resident/clean_invite",
    Step.EVE: "resident/clean_eve",
    Step.TODAY: "resident/clean_today",
}


def due(talk: Talk, event: CampaignDue) -> Decision:
    """Let go what is too late, tell what is due, and set what comes next; once for each version."""
    cleanup = talk.facts.campaign
    if cleanup is None or cleanup.campaign.version != event.version:
        return talk.stay()
    campaign = cleanup.campaign
    late = too_late(campaign, talk.local_time)
    campaign = replace(campaign, done=campaign.done | set(late))
    step = following(campaign)
    told: list[Effect] = []
    if step is not None and step.at <= talk.local_time:
        campaign = replace(campaign, done=campaign.done | {step.step})
        told = _told(talk, replace(cleanup, campaign=campaign), step)
    return talk.stay(SetCampaign(campaign.id, event.version, kept(campaign)), *told)


def partners(talk: Talk) -> tuple[Unit, ...]:
    return tuple(unit for unit in talk.commune.units.values() if unit.kind in TAKING_PART)


def words(talk: Talk, campaign: Campaign) -> dict[str, Any]:
    """A campaign for a sentence."""
    return {
        "campaign": campaign.id,
        "feast_id": campaign.feast,
        "starts": when.spoken(campaign.starts, talk.facts.now),
        "chap": campaign.lunar_day,
    }


# Who hears what ----------------------------------------------------------------------------------


def _told(talk: Talk, cleanup: Cleanup, step: Moment) -> list[Effect]:
    effects: list[Effect] = []
    if step.step in TO_UNITS:
        effects += _to_units(talk, cleanup, step.step)
    if step.step in TO_RESIDENTS:
        effects.append(_to_residents(talk, cleanup, step))
    if step.step == Step.INVITE:
        effects += _to_pass_on(talk, cleanup)
    if step.step == Step.SUMMARY:
        effects += summary(talk, cleanup)
        effects += stats.summary_boards(talk, cleanup.campaign)
    return effects


def _to_units(talk: Talk, cleanup: Cleanup, step: Step) -> list[Effect]:
    nudge = step in (Step.NUDGE, Step.NUDGE_AGAIN)
    waiting = [unit for unit in partners(talk) if not (nudge and _reported(cleanup, unit.id))]
    return [say for unit in waiting for say in _to_unit(talk, cleanup, unit, step)]


def _reported(cleanup: Cleanup, unit: str) -> bool:
    told = cleanup.results.get(unit)
    return told is not None and told.reported is not None


def _to_unit(talk: Talk, cleanup: Cleanup, unit: Unit, step: Step) -> list[Say]:
    campaign = cleanup.campaign
    told = cleanup.results.get(unit.id)
    data = words(talk, campaign) | {
        "unit": unit_words(talk.commune, unit.id),
        "id": unit.id,
        "place": cleanup.places.get(unit.id, ""),
        "accepted": told is not None and told.accepted is not None,
        "spots": [about(report, talk.commune) for report in spots_of(talk, unit.id)],
        "coming": cleanup.coming.get(unit.id, 0),
        "again": step == Step.NUDGE_AGAIN,
    }
    key = f"clean/{campaign.id}/{step}/{unit.id}"
    return [
        Say(ear, TO_UNITS[step], data, Lane.REMINDER, key=f"{key}/{ear.key}")
        for ear in talk.desk(unit.id).all
    ]


def spots_of(talk: Talk, unit: str) -> tuple[Report, ...]:
    """What is open in a village, the oldest first; not what a village may not know of."""
    here = [r for r in talk.facts.spots if r.unit == unit and r.desk == unit and not r.private]
    return tuple(report for report in here if report.field == SANITATION)[:SPOTS_MAX]


def _to_residents(talk: Talk, cleanup: Cleanup, step: Moment) -> Broadcast:
    campaign = cleanup.campaign
    told = {"": _for_village(talk, cleanup, None)}
    told |= {village.id: _for_village(talk, cleanup, village) for village in talk.commune.villages}
    key = f"clean/{campaign.id}/{step.step}"
    return Broadcast(key, TO_RESIDENTS[step.step], told, when.ms(step.until))


def _for_village(talk: Talk, cleanup: Cleanup, village: Unit | None) -> Mapping[str, Any]:
    spots = spots_of(talk, village.id) if village is not None else ()
    return words(talk, cleanup.campaign) | {
        "village": village.name if village is not None else "",
        "place": cleanup.places.get(village.id, "") if village is not None else "",
        "spots": [about(report, talk.commune) for report in spots],
    }


def _to_pass_on(talk: Talk, cleanup: Cleanup) -> list[Effect]:
    """Village heads get the text for their village's own group, the commune's loudspeaker its script."""
    campaign = cleanup.campaign
    effects: list[Effect] = []
    for village in talk.commune.villages:
        data = _for_village(talk, cleanup, village)
        key = f"clean/{campaign.id}/forward/{village.id}"
        effects += [
            Say(ear, "campaign/forward", data, Lane.REMINDER, key=f"{key}/{ear.key}")
            for ear in talk.desk(village.id).heads
        ]
    data = words(talk, campaign) | {"commune": talk.commune.name}
    for name in ("campaign/loudspeaker", "campaign/post"):
        effects += [
            Say(ear, name, data, Lane.REMINDER, key=f"{name}/{campaign.id}/{ear.key}")
            for ear in talk.desk(LOUDSPEAKER).all
        ]
    return effects


# The office --------------------------------------------------------------------------------------


def summary(talk: Talk, cleanup: Cleanup) -> list[Effect]:
    """Seven days after: what every unit did, and who did not answer."""
    data = summary_data(talk, cleanup)
    key = f"clean/{cleanup.campaign.id}/summary"
    return [
        Say(ear, "campaign/summary", data, Lane.REMINDER, key=f"{key}/{ear.key}")
        for ear in talk.desk(talk.commune.office).all
    ]


def summary_data(talk: Talk, cleanup: Cleanup) -> dict[str, Any]:
    units = partners(talk)
    told = [cleanup.results[unit.id] for unit in units if _reported(cleanup, unit.id)]

    def total(name: str) -> int | None:
        """Nothing where nobody told of it."""
        return sum(getattr(result.amounts, name) or 0 for result in told) or None

    return words(talk, cleanup.campaign) | {
        "rows": [
            {"unit": unit_words(talk.commune, result.unit), "amounts": result.amounts} for result in told
        ],
        "silent": [unit_words(talk.commune, u.id) for u in units if not _reported(cleanup, u.id)],
        "all": len(units),
        "total": {n: total(n) for n in ("households", "of_households", "people", "kg", "trees")},
    }


# A move ------------------------------------------------------------------------------------------


def moved(talk: Talk, cleanup: Cleanup, campaign: Campaign) -> list[Effect]:
    """Another day: one correction to those who were told of the old one; nothing is told twice."""
    before = cleanup.campaign
    change = SetCampaign(before.id, before.version, kept(campaign))
    effects: list[Effect] = [change]
    told = [moment.step for moment in moments(before) if moment.step in before.done]
    day = campaign.day.isoformat()
    old = when.spoken(before.starts, talk.facts.now)
    if any(step in UNITS for step in told):
        for unit in partners(talk):
            data = words(talk, campaign) | {"unit": unit_words(talk.commune, unit.id), "old": old}
            effects += [
                Say(
                    ear,
                    "campaign/moved",
                    data,
                    Lane.REMINDER,
                    key=f"clean/{before.id}/moved/{day}/{before.version}/{unit.id}/{ear.key}",
                )
                for ear in talk.desk(unit.id).all
            ]
    if any(step in RESIDENTS for step in told):
        filled = words(talk, campaign) | {"old": old}
        until = when.ms(campaign.starts)
        key = f"clean/{before.id}/moved/{day}/{before.version}"
        effects.append(Broadcast(key, "resident/clean_moved", {"": filled}, until))
    return effects
