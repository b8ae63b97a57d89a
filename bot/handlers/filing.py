"""A told report is filed: the summary, the press that sends it, who hears of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.core import form, when
from bot.core.commune import Category, Field
from bot.core.deadlines import ACK
from bot.core.effects import Consent, Effect, FileReport, Lane, Night, Say, ShowPhotos
from bot.core.events import Address
from bot.core.session import FORWARDED_MAX, Draft
from bot.core.text import clip, has_phone, hide_phones
from bot.handlers import hearing, sameplace
from bot.handlers.alerts import alert_words, ears_of, heard_at, night_of
from bot.handlers.quiet import opens_at
from bot.handlers.talk import Decision, Talk, draft_words, unit_words

PUBLIC_WORDS = 5
SHOWN_WORDS_MAX = 300


def summary(talk: Talk, draft: Draft, got: dict[str, Any]) -> Say:
    """What was understood, who will see it, and the one press that sends it."""
    agreed = talk.facts.me.consent == talk.commune.policy_version
    desk = unit_words(talk.commune, desk_of(talk, draft))
    data = draft_words(draft, talk.commune) | {"words": clip(draft.words, SHOWN_WORDS_MAX)}
    told = f"{draft.words} {draft.landmark}"
    seen = {
        "known": talk.world.lexicon.mentions(told, "gives_away"),
        "phone": has_phone(told) or bool(draft.callback),
        "told": bool(told_of(talk, draft)),
    }
    return talk.ask("resident/summary", **data, **seen, got=got, desk=desk, agreed=agreed)


def desk_of(talk: Talk, draft: Draft) -> str:
    """The unit that will deal with the draft."""
    if draft.official:
        return talk.commune.field(form.OFFICIAL).desk
    if draft.private or draft.category is None:
        return talk.commune.office
    return talk.commune.desk_of(talk.commune.categories[draft.category], draft.unit)


def told_of(talk: Talk, draft: Draft) -> tuple[str, ...]:
    if draft.private or draft.official or draft.category is None:
        return ()
    return talk.commune.told_of(talk.commune.categories[draft.category], draft.unit)


def field_of(talk: Talk, draft: Draft, category: Category) -> Field:
    return talk.commune.field(form.OFFICIAL if draft.official else category.field)


def send(talk: Talk, draft: Draft, ask_missing: Callable[[Talk, Draft], Decision]) -> Decision:
    """File the draft, if nothing is missing, it is not too much, and nobody told the same before."""
    if draft.category is None or form.next_slot(draft, talk.commune) != "summary":
        return ask_missing(talk, draft)
    refused = _too_many(talk)
    if refused is not None:
        return talk.stay(refused)
    twin = sameplace.twin(talk, draft)
    if twin is not None:
        return sameplace.ask(talk, draft, twin)
    category = talk.commune.categories[draft.category]
    # Twice found to be nothing on this person's word: the office looks, and nobody else.
    disputed = sameplace.disputed(talk)
    return _file(talk, replace(draft, private=True) if disputed else draft, category, disputed=disputed)


def _too_many(talk: Talk) -> Say | None:
    """One person's limits; never in the way of a member."""
    filed, rules = talk.facts.filed, talk.commune.rules
    if talk.facts.me.roles:
        return None
    if filed.day >= rules.reports_day:
        return talk.answer("resident/too_many", phones=dict(talk.commune.phones), day=True)
    if filed.hour >= rules.reports_hour:
        return talk.answer("resident/too_many", phones=dict(talk.commune.phones), day=False)
    return None


def _file(talk: Talk, draft: Draft, category: Category, *, disputed: bool) -> Decision:
    """Never held up by who is not bound yet."""
    commune, here = talk.commune, talk.local_time
    field, desk = field_of(talk, draft, category), desk_of(talk, draft)
    ack, fix = when.ack_by(here, field), when.fix_by(here, field, commune)
    ears, fallback = ears_of(talk, desk)
    wanted, desk = desk, (commune.office if fallback and ears else desk)
    before = None if draft.official else sameplace.recurrence(talk)
    values: dict[str, Any] = {
        "mark": talk.world.lexicon.place_key(draft.landmark),
        "due_at": when.ms(ack),
        "due_step": ACK,
        "callback": draft.callback,
        "recurs": before.id if before is not None else None,
        # A member's report for another is none of their own; who is no member any more tells their own.
        "behalf": draft.behalf and bool(talk.facts.me.roles),
    }
    effects: list[Effect] = [
        FileReport(draft, field.id, desk, when.ms(ack), when.ms(fix), bool(ears), values)
    ]
    if talk.facts.me.consent != commune.policy_version:
        effects.insert(0, Consent(commune.policy_version))
    told = draft_words(draft, commune) | {"desk": unit_words(commune, wanted), "field": field.id}
    told["hours"] = hide_phones(draft.hours)
    # The receipt names who really got it.
    getter = unit_words(commune, commune.office if fallback else desk)
    receipt = told | {"desk": getter, "disputed": disputed}
    effects.append(_receipt(talk, receipt, ack, night_of(talk, field.id, desk)))
    alert = told | {"fallback": fallback, "again": False, "others": 0, "recurs": before is not None}
    alert["disputed"] = disputed
    alert |= {"by": when.spoken(ack, heard_at(talk, field.id, desk)), "words": alert_words(draft.words)}
    alert["listens"] = hearing.listens(commune, desk)
    night = night_of(talk, field.id, desk)
    effects += [*_alerts(ears, alert, draft, night), *hearing.filed(talk, draft, desk, told, night)]
    heard = told | {"place": told["place"] | {"landmark": public_mark(talk, draft.landmark)}}
    for unit in told_of(talk, draft):
        ears = talk.desk(unit).all
        effects += [Say(ear, "duty/told", heard, Lane.UPDATE, fresh=True) for ear in ears]
    if before is not None and desk != commune.office:
        office = talk.desk(commune.office)
        back = told | {"before": before.code}
        effects += [Say(ear, "office/recurs", back, Lane.UPDATE, fresh=True) for ear in office.all]
    return talk.go(*effects, draft=None, complaint=None, last_at=talk.now)


def _receipt(talk: Talk, told: dict[str, Any], ack: datetime, night: Night) -> Say:
    here, opens = talk.local_time, opens_at(talk)
    asleep = when.spoken(opens, here) if opens is not None and night == Night.WAIT else None
    return Say(
        talk.here, "resident/receipt", told | {"asleep": asleep, "by": when.spoken(ack, here)}, fresh=True
    )


def _alerts(ears: tuple[Address, ...], alert: dict[str, Any], draft: Draft, night: Night) -> list[Effect]:
    effects: list[Effect] = []
    for ear in ears:
        effects.append(Say(ear, "duty/alert", alert, Lane.ALERT, fresh=True, night=night))
        if draft.photos:
            effects.append(ShowPhotos(ear, "duty/photo", "", None, "before", FORWARDED_MAX, night=night))
    return effects


def public_mark(talk: Talk, landmark: str) -> str:
    """What of a landmark a village room may read about a matter of order: a public place, nobody's house."""
    short = len(landmark.split()) <= PUBLIC_WORDS
    return landmark if short and talk.world.lexicon.public_mark(landmark) else ""
