"""The form of a report: which slot comes next, and what a slot takes in."""

from dataclasses import replace

from bot.core.commune import Commune, Point
from bot.core.places import village_at
from bot.core.session import LANDMARK_MAX, PHOTOS_MAX, VOICES_MAX, WORDS_MAX, Draft, Session
from bot.core.text import clip

ORDER, OFFICIAL, SANITATION = "order", "official", "sanitation"


def next_slot(draft: Draft, commune: Commune) -> str:
    """The first thing still missing; "summary" when the report can go."""
    if draft.suspect and OFFICIAL not in draft.skipped:
        return OFFICIAL
    if draft.category is None:
        return "category"
    if not draft.placed and not (draft.landmark and "place" in draft.skipped):
        return "place"
    if not draft.landmark and draft.lat is None and "landmark" not in draft.skipped:
        return "landmark"
    category = commune.categories[draft.category]
    if category.photo and not draft.photos and "photo" not in draft.skipped:
        return "photo"
    timed = category.field == ORDER
    if timed and not draft.hours and "hours" not in draft.skipped:
        return "hours"
    return "summary"


def skip(draft: Draft, slot: str) -> Draft:
    return replace(draft, skipped=draft.skipped | {slot})


def put_point(draft: Draft, point: Point, commune: Commune) -> Draft:
    """A point picks the village; one outside the commune is kept and marked."""
    where = village_at(point, commune)
    return replace(draft, lat=point.lat, lon=point.lon, unit=where.unit, units=(), outside=where.unit is None)


def put_unit(draft: Draft, unit: str) -> Draft:
    """A village said in words. A point that contradicts it was somebody else's ground: the words win."""
    same = draft.unit == unit
    return replace(
        draft,
        unit=unit,
        units=(),
        outside=False,
        lat=draft.lat if same else None,
        lon=draft.lon if same else None,
    )


def put_landmark(draft: Draft, text: str) -> Draft:
    return replace(draft, landmark=clip(" ".join(text.split()), LANDMARK_MAX))


def put_words(draft: Draft, text: str) -> Draft:
    """Words are added, never replaced; what is beyond the limit is cut from the new ones."""
    return draft if text in draft.words else replace(draft, words=joined(draft.words, text))


def joined(before: str, added: str) -> str:
    """Two pieces of somebody's words, at most WORDS_MAX characters, the earlier one whole."""
    if not before:
        return clip(added, WORDS_MAX)
    room = WORDS_MAX - len(before) - 1
    return f"{before}\n{clip(added, room)}" if room > 1 else before


def put_photo(draft: Draft, photo: int) -> Draft:
    if photo in draft.photos or len(draft.photos) >= PHOTOS_MAX:
        return draft
    return replace(draft, photos=(*draft.photos, photo))


def put_voice(draft: Draft, voice: int) -> Draft:
    if voice in draft.voices or len(draft.voices) >= VOICES_MAX:
        return draft
    return replace(draft, voices=(*draft.voices, voice))


def drop_voice(draft: Draft, voice: int) -> Draft:
    return replace(draft, voices=tuple(kept for kept in draft.voices if kept != voice))


def fitted(session: Session, commune: Commune) -> Session:
    """The session without categories and villages that the commune does not have any more."""
    if session.draft is None and not session.later:
        return session
    drafts = (session.draft, *session.later)
    known = [None if draft is None else _fitted(draft, commune) for draft in drafts]
    return replace(session, draft=known[0], later=tuple(draft for draft in known[1:] if draft is not None))


def _fitted(draft: Draft, commune: Commune) -> Draft:
    return replace(
        draft,
        category=draft.category if draft.category in commune.categories else None,
        guesses=tuple(guess for guess in draft.guesses if guess in commune.categories),
        unit=draft.unit if draft.unit in commune.units else None,
        units=tuple(unit for unit in draft.units if unit in commune.units),
    )


def merge(draft: Draft, other: Draft) -> Draft:
    """The other report's matter and place in this one, with the photos and words of both."""
    return replace(
        draft,
        category=other.category,
        unit=other.unit,
        landmark=other.landmark,
        lat=other.lat,
        lon=other.lon,
        outside=other.outside,
        photos=(*draft.photos, *other.photos)[:PHOTOS_MAX],
        voices=(*draft.voices, *other.voices)[:VOICES_MAX],
        hours=draft.hours or other.hours,
        private=draft.private or other.private,
        words=joined(draft.words, other.words),
    )


def put_official(draft: Draft, official: bool) -> Draft:
    """Whether it is about an official; if it is, no landmark and no photo are needed."""
    draft = replace(draft, official=official, skipped=draft.skipped | {OFFICIAL})
    if not official:
        return draft
    kind = draft.category or OFFICIAL
    return replace(draft, category=kind, skipped=draft.skipped | {"landmark", "photo", "hours"})


def skip_all(draft: Draft) -> Draft:
    """Nothing optional is asked any more."""
    return replace(draft, skipped=draft.skipped | {"landmark", "photo", "hours"})


def drop_photos(draft: Draft) -> Draft:
    """The photos so far are not wanted; new ones are asked for."""
    return replace(draft, photos=(), skipped=draft.skipped - {"photo"})
