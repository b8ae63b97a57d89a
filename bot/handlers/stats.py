"""Figures in chat: today, this week, by village, clean-ups and targets; in words first, then as a picture."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bot.core import when
from bot.core.campaign import Campaign
from bot.core.commune import Unit
from bot.core.effects import Effect, Lane, Picture, Say
from bot.core.events import Address
from bot.core.figures import (
    BOARD,
    NOW,
    TARGETS,
    VIEWS,
    VILLAGES,
    VILLAGES_MS,
    WEEK,
    WEEKS_SHOWN,
    Asked,
    Figures,
    Open,
    Tally,
    Waits,
)
from bot.core.indicators import Standing
from bot.core.schedule import Step, moments
from bot.handlers import standings
from bot.handlers.talk import Decision, Talk, World, unit_words

VERBS = ("st",)
# What follows "thống kê", and which view that is; a village's name is the last possibility.
_WANTED = {"stats_now": NOW, "stats_week": WEEK, "stats_villages": VILLAGES}
_WANTED |= {"stats_board": BOARD, "stats_targets": TARGETS}
_COMMAND = "/thongke"
MOST_OPEN = 5
VILLAGE_LINES = 20
# Who is asked to take part in clean-ups: villages have a picture of their own, all others share one.
OTHERS = ("school", "department", "association")


def asked(text: str, world: World) -> Asked | None:
    """Which figures a message asks for; None when it asks for none."""
    lexicon, rest = world.lexicon, _after(text, world)
    if rest is None:
        return None
    meant = lexicon.meanings(rest)
    for kind, view in _WANTED.items():
        if kind in meant:
            return asked_view(world, view)
    named = [unit for unit in lexicon.units.named(rest) if world.commune.unit(unit).kind == "village"]
    if len(named) == 1:
        return asked_view(world, NOW, named[0])
    # With something else behind it, only the command itself is sure to be meant.
    return asked_view(world, NOW) if not rest or lexicon.command(text) == _COMMAND[1:] else None


def _after(text: str, world: World) -> str | None:
    first, _, rest = text.strip().partition(" ")
    if first.partition("@")[0].lower() == _COMMAND:
        return rest.strip()
    return world.lexicon.after(text, "stats")


def asked_view(world: World, view: str, place: str | None = None) -> Asked:
    commune = world.commune
    villages = frozenset(unit.id for unit in commune.villages)
    desks: dict[str, set[str]] = {commune.police: set(), commune.office: set()}
    for category in commune.categories.values():
        desk = category.desk or commune.field(category.field).desk
        if desk in commune.units:
            desks.setdefault(desk, set())
    for found in commune.fields.values():
        for unit in (found.desk, *found.digest):
            if unit in commune.units:
                desks.setdefault(unit, set()).add(found.id)
    return Asked(view, place, commune.office, villages, {u: frozenset(f) for u, f in desks.items()})


def asked_by_press(rest: str, world: World) -> Asked | None:
    view, _, place = rest.partition(":")
    if view not in VIEWS:
        return None
    return asked_view(world, view, place if place in world.commune.units else None)


def said(talk: Talk, text: str) -> Decision | None:
    return show(talk) if asked(text, talk.world) is not None else None


def said_in_group(talk: Talk, text: str) -> Decision | None:
    """Only the command: in a room people speak of figures to each other."""
    return show(talk) if text.startswith("/") and asked(text, talk.world) is not None else None


def show(talk: Talk) -> Decision:
    figures = talk.facts.figures
    if figures is None:
        return talk.stay(talk.answer("duty/no_figures", whole=False))
    if figures.scope.public:
        return talk.stay() if talk.here.group else _public(talk, figures)
    if figures.view in (BOARD, TARGETS) and not figures.scope.whole:
        return talk.stay(talk.answer("duty/no_figures", whole=True))
    match figures.view:
        case "week":
            return _week(talk, figures)
        case "villages":
            return _villages(talk, figures)
        case "board":
            return talk.stay(*_board_said(talk, figures))
        case "targets":
            return _targets(talk, figures)
    return _now(talk, figures)


# In words ------------------------------------------------------------------------------------------


def _public(talk: Talk, figures: Figures) -> Decision:
    """What everybody may know, and the way to one's own reports."""
    data = _counts(figures) | {"commune": talk.commune.name, "own": bool(talk.facts.mine)}
    return talk.stay(talk.answer("resident/figures", **data))


def _now(talk: Talk, figures: Figures) -> Decision:
    data = _counts(figures) | _of(talk, figures)
    data["most"] = [_open_line(talk, one) for one in figures.open if one.unit is not None][:MOST_OPEN]
    if figures.scope.place is not None:
        data["most"] = []
    return talk.stay(talk.answer("duty/figures", **data), *_drawn(talk, figures, _weeks(talk, figures)))


def _week(talk: Talk, figures: Figures) -> Decision:
    waits = figures.weeks[-1][1] if figures.weeks else Waits()
    data = _counts(figures) | _of(talk, figures) | {"waits": _waits(waits)}
    data["fields"] = [
        {"name": talk.commune.field(name).name, "count": count} for name, count in figures.fields
    ]
    alone = figures.scope.place is not None or not data["several"]
    picture = _weeks(talk, figures) if alone else _by_village(talk, figures)
    data["alone"] = alone
    return talk.stay(talk.answer("duty/figures_week", **data), *_drawn(talk, figures, picture))


def _villages(talk: Talk, figures: Figures) -> Decision:
    """Those with something open first, the most first; the rest are in the picture."""
    open_ = {one.unit: one for one in figures.open}
    rows = [
        _open_line(talk, open_.get(unit.id, Open(unit.id, 0, 0)))
        | {"waits": _waits(figures.villages.get(unit.id, Waits()))}
        for unit in _shown_villages(talk, figures)
    ]
    rows = [row for row in rows if row["open"] or row["waits"]["filed"]]
    rows.sort(key=lambda row: (-row["open"], -row["waits"]["filed"]))
    data = _of(talk, figures) | {"rows": rows[:VILLAGE_LINES], "days": VILLAGES_MS // when.DAY_MS}
    picture = _by_village(talk, figures)
    return talk.stay(talk.answer("duty/figures_villages", **data), *_drawn(talk, figures, picture))


def _shown_villages(talk: Talk, figures: Figures) -> tuple[Unit, ...]:
    own = figures.scope.villages
    return tuple(
        unit for unit in talk.commune.villages if figures.scope.all or figures.scope.desks or unit.id in own
    )


def _targets(talk: Talk, figures: Figures) -> Decision:
    told = standings.indicators(talk, drawn=True)
    picture = targets(talk, standings.of_commune(talk))
    return Decision(told.session, (*told.effects, *_drawn(talk, figures, picture)))


def targets(talk: Talk, found: Iterable[Standing]) -> Picture:
    """How far the commune is with each target of its plan."""
    return Picture("picture/targets", {"rows": list(map(_target_row, found)), **_heading(talk)})


def _target_row(one: Standing) -> dict[str, Any]:
    return {
        "name": one.name,
        "done": one.done,
        "target": one.target,
        "measure": one.measure,
        "unconfirmed": one.unconfirmed,
        "share": one.share,
    }


def _counts(figures: Figures) -> dict[str, Any]:
    return {
        "today": _tally(figures.today),
        "week": _tally(figures.week),
        "before": _tally(figures.before),
        "open": sum(one.open for one in figures.open),
        "late": sum(one.late for one in figures.open),
    }


def _tally(tally: Tally) -> dict[str, int]:
    return {"filed": tally.filed, "closed": tally.closed}


def _waits(waits: Waits) -> dict[str, Any]:
    """As it survives JSON: lists, no tuples."""
    return {
        "filed": waits.filed,
        "answered": waits.answered,
        "answer": list(waits.answer) if waits.answer else None,
        "solved": waits.solved,
        "solve": list(waits.solve) if waits.solve else None,
    }


def _open_line(talk: Talk, one: Open) -> dict[str, Any]:
    return {"unit": unit_words(talk.commune, one.unit or ""), "open": one.open, "late": one.late}


def _of(talk: Talk, figures: Figures) -> dict[str, Any]:
    """Whose figures they are, and what else may be asked for."""
    scope = figures.scope
    place = talk.commune.unit(scope.place).name if scope.place is not None else ""
    names = [talk.commune.unit(unit).name for unit in sorted(scope.desks | scope.villages)]
    return {
        "place": place,
        "units": names,
        "whole": scope.whole,
        "own": scope.own,
        "several": scope.whole or bool(scope.desks) or len(scope.villages) > 1,
        "view": figures.view,
    }


# As pictures ---------------------------------------------------------------------------------------


def _drawn(talk: Talk, figures: Figures, *pictures: Picture) -> list[Effect]:
    return [_show(talk, talk.here, picture, Lane.PHOTO) for picture in pictures]


def _show(talk: Talk, to: Address, picture: Picture, lane: Lane, key: str | None = None) -> Say:
    data = dict(picture.figures) | {"words": picture.words}
    return Say(to, "duty/drawn", data, lane, key=key, picture=picture)


def _heading(talk: Talk) -> dict[str, Any]:
    """What stands on every picture: whose it is, and until when it counts."""
    return {"commune": talk.commune.name, "upto": when.spoken(talk.facts.now, talk.facts.now), "place": ""}


def _weeks(talk: Talk, figures: Figures) -> Picture:
    rows = [
        {"from": when.spoken(when.local(start), talk.facts.now), **_waits(waits)}
        for start, waits in figures.weeks
    ]
    shown = _heading(talk) | {"place": _whose(talk, figures), "rows": rows, "weeks": WEEKS_SHOWN}
    return Picture("picture/weeks", shown)


def _by_village(talk: Talk, figures: Figures) -> Picture:
    rows = [
        {"name": unit.name, **_waits(figures.villages.get(unit.id, Waits()))}
        for unit in _shown_villages(talk, figures)
    ]
    # None: this week.
    days = VILLAGES_MS // when.DAY_MS if figures.view == VILLAGES else None
    shown = {"place": _whose(talk, figures, village=False), "rows": rows, "days": days}
    return Picture("picture/villages", _heading(talk) | shown)


def _whose(talk: Talk, figures: Figures, *, village: bool = True) -> str:
    """Whose figures a picture shows, where they are not the whole commune's."""
    scope = figures.scope
    if scope.place is not None and village:
        return talk.commune.unit(scope.place).name
    if scope.whole:
        return ""
    return ", ".join(talk.commune.unit(unit).name for unit in sorted(scope.desks | scope.villages))


# Clean-ups -----------------------------------------------------------------------------------------


def _board_said(talk: Talk, figures: Figures) -> list[Effect]:
    told = [_campaign_line(talk, figures, campaign) for campaign in figures.campaigns]
    data = _of(talk, figures) | {"campaigns": told, "year": _year(talk, figures)}
    if not told:
        return [talk.answer("duty/figures_board", **data)]
    pictures = boards(talk, figures)
    return [talk.answer("duty/figures_board", **data), *_drawn(talk, figures, *pictures)]


def _campaign_line(talk: Talk, figures: Figures, campaign: Campaign) -> dict[str, Any]:
    """How many took part so far; of those who keep silent, the villages by name."""
    villages, others = talk.commune.villages, _others(talk.commune.units.values())
    silent = [u.name for u in villages if _cell(talk, figures, campaign, u) in ("silent", "accepted")]
    return {
        "feast_id": campaign.feast,
        "day": when.spoken(campaign.starts, talk.facts.now),
        "begun": _over(talk, campaign),
        "villages": [_reported(figures, campaign, villages), len(villages)],
        "others": [_reported(figures, campaign, others), len(others)],
        "silent": silent if _over(talk, campaign) else [],
    }


def _others(units: Iterable[Unit]) -> tuple[Unit, ...]:
    return tuple(unit for unit in units if unit.kind in OTHERS)


def _reported(figures: Figures, campaign: Campaign, units: Iterable[Unit]) -> int:
    return sum(figures.told.get((campaign.id, unit.id)) == "reported" for unit in units)


def _over(talk: Talk, campaign: Campaign) -> bool:
    """Whether results were asked for: before that nobody is silent."""
    asked_at = next(moment.at for moment in moments(campaign) if moment.step == Step.RESULT)
    return asked_at <= talk.local_time


def _cell(talk: Talk, figures: Figures, campaign: Campaign, unit: Unit) -> str:
    """reported, accepted, silent, or later: its day is still to come."""
    told = figures.told.get((campaign.id, unit.id))
    return told or ("silent" if _over(talk, campaign) else "later")


def boards(talk: Talk, figures: Figures) -> tuple[Picture, ...]:
    """The villages, and everybody else, each with every clean-up of the year."""
    groups = (("villages", talk.commune.villages), ("others", _others(talk.commune.units.values())))
    return tuple(_board(talk, figures, name, units) for name, units in groups if units)


def _board(talk: Talk, figures: Figures, group: str, units: tuple[Unit, ...]) -> Picture:
    columns = [
        {
            "feast_id": campaign.feast,
            "day": when.spoken(campaign.starts, talk.facts.now),
            "reported": _reported(figures, campaign, units),
        }
        for campaign in figures.campaigns
    ]
    rows = [
        {"name": unit.name, "cells": [_cell(talk, figures, one, unit) for one in figures.campaigns]}
        for unit in units
    ]
    shown = {"group": group, "year": _year(talk, figures), "columns": columns, "rows": rows}
    return Picture("picture/board", _heading(talk) | shown)


def _year(talk: Talk, figures: Figures) -> int:
    return figures.campaigns[0].year if figures.campaigns else talk.local_time.year


def summary_boards(talk: Talk, campaign: Campaign) -> list[Effect]:
    """The year's boards for the office, beside what became of this clean-up."""
    figures = talk.facts.figures
    if figures is None or not figures.campaigns:
        return []
    pictures = boards(talk, replace(figures, view=BOARD))
    return [
        _show(talk, ear, picture, Lane.REMINDER, f"clean/{campaign.id}/board/{n}/{ear.key}")
        for n, picture in enumerate(pictures)
        for ear in talk.desk(talk.commune.office).all
    ]
