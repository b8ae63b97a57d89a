"""One event in its talk: what a handler is given, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.core.commune import Commune
from bot.core.effects import Effect, Lane, Night, Say
from bot.core.events import Address, Incoming
from bot.core.facts import Desk, Facts
from bot.core.report import Report
from bot.core.session import Draft, Session
from bot.core.text import hide_phones
from bot.core.when import ZONE
from bot.core.words import Lexicon


@dataclass(frozen=True, slots=True)
class World:
    """What does not change while the program runs."""

    commune: Commune
    lexicon: Lexicon


@dataclass(frozen=True, slots=True)
class Decision:
    session: Session
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Talk:
    incoming: Incoming
    session: Session
    facts: Facts
    world: World

    @property
    def here(self) -> Address:
        return self.incoming.address

    @property
    def commune(self) -> Commune:
        return self.world.commune

    @property
    def now(self) -> int:
        return self.facts.now_ms

    @property
    def local_time(self) -> datetime:
        """Now, as the commune's clocks show it."""
        return self.facts.now.astimezone(ZONE)

    def desk(self, unit: str) -> Desk:
        """Who hears for a unit, as far as it was looked up; nobody, if not."""
        return self.facts.desks.get(unit, Desk(unit))

    def on(self, report: Report) -> "Talk":
        """The same talk about a report that was found among several."""
        return replace(self, facts=replace(self.facts, report=report))

    def answer(self, message: str, **data: Any) -> Say:
        return Say(self.here, message, data)

    def ask(self, message: str, **data: Any) -> Say:
        return Say(self.here, message, data, question=True)

    def stay(self, *effects: Effect) -> Decision:
        """The talk stands where it stood."""
        return Decision(self.session, effects)

    def go(self, *effects: Effect, **changes: Any) -> Decision:
        return Decision(replace(self.session, **changes), effects)

    def tell_reporter(self, report: Report, message: str, **data: Any) -> tuple[Say, ...]:
        """A step told to whoever reported and who follows, where they wrote from.

        Nobody once the person is erased.
        """
        ears = [] if report.channel is None or report.chat is None else [(report.channel, report.chat)]
        ears = list(dict.fromkeys((*ears, *report.followers)))
        filled = about(report, self.commune) | {"own": True} | data
        other = filled | {"own": False}
        return tuple(
            Say(
                Address(channel, chat),
                message,
                filled if at == 0 and report.channel is not None else other,
                Lane.UPDATE,
                report=report.id,
                night=Night.LOUD if report.emergency else Night.WAIT,
            )
            for at, (channel, chat) in enumerate(ears)
        )


def unit_words(commune: Commune, unit: str) -> dict[str, str]:
    """A unit for a sentence: its kind and its name."""
    found = commune.unit(unit)
    return {"kind": found.kind, "name": found.name}


def place_words(
    commune: Commune, unit: str | None, landmark: str, lat: float | None, lon: float | None
) -> dict[str, Any]:
    """A place for a sentence; an unknown village is outside the commune."""
    village = commune.unit(unit).name if unit is not None else ""
    return {"village": village, "landmark": hide_phones(landmark), "lat": lat, "lon": lon}


def about(report: Report, commune: Commune) -> dict[str, Any]:
    """What every message about a report may say to its reporter or its desk."""
    return {
        "code": report.code,
        "category": commune.category(report.category).name,
        "field": report.field,
        "place": place_words(commune, report.unit, report.landmark, report.lat, report.lon),
        "desk": unit_words(commune, report.desk),
        "status": report.status,
    }


def draft_words(draft: Draft, commune: Commune) -> dict[str, Any]:
    """A draft for a sentence."""
    category = commune.categories[draft.category] if draft.category else None
    return {
        "draft": draft.id,
        "category": category.name if category else "",
        "field": category.field if category else "",
        "place": place_words(commune, draft.unit, draft.landmark, draft.lat, draft.lon),
        "outside": draft.outside,
        "photos": len(draft.photos),
        "voices": len(draft.voices),
        "words": draft.words,
        "hours": draft.hours,
        "private": draft.private,
        "behalf": draft.behalf,
        "official": draft.official,
    }


# What a question may first say it understood; everything is there, so that templates stay strict.
_HEARD: dict[str, Any] = {
    "photos": 0,
    "voice": False,
    "unheard": False,
    "rescue": "",
    "category": "",
    "village": "",
    "point": False,
    "photo_place": False,
    "hours": False,
    "unclear": False,
    "unsent": False,
    "thanks": False,
    "landmark": False,
    "no_village": 0,
    "next": "",
    "secret": False,
    "kept": False,
    "behalf": False,
    "callback": False,
}


def heard(got: Mapping[str, Any]) -> dict[str, Any]:
    return {**_HEARD, **got}
