"""A resident tells a report: any slot, any order, any number of messages."""

from dataclasses import replace
from typing import Any

from bot.core import form
from bot.core.commune import Point
from bot.core.effects import Effect, FollowLink, KeepPhoto, Say
from bot.core.events import PhotoReady, PhotoSent
from bot.core.places import valid
from bot.core.session import DRAFT_LIFE_MS, PHOTOS_MAX, WORDS_MAX, Draft
from bot.core.text import clip
from bot.handlers import filing
from bot.handlers.talk import Decision, Talk, draft_words, heard

# An album's parts come one by one, a file may know its place: the answer waits for that.
WAIT_MS = 1000
ANSWER_WORDS = 8
BUTTONS_MAX = 5
LIKELIEST_UNITS = 4


def new_draft(talk: Talk) -> Draft:
    return Draft(id=talk.incoming.id, started_at=talk.now, touched_at=talk.now)


def begin(talk: Talk) -> Decision:
    """Somebody wants to report: an open draft goes on, else a new one starts; a complaint is let go."""
    decision = advance(talk, talk.session.draft or new_draft(talk))
    return replace(decision, session=replace(decision.session, complaint=None))


def advance(talk: Talk, draft: Draft, *effects: Effect, wait_ms: int = 0, **got: Any) -> Decision:
    """Keep the draft and ask for what is missing; `got` says first what was just understood."""
    slot = form.next_slot(draft, talk.commune)
    draft = replace(draft, asked=slot, touched_at=talk.now, nudged=False)
    question = replace(_question(talk, draft, slot, heard(got)), wait_ms=wait_ms)
    return talk.go(*effects, question, draft=draft)


def _question(talk: Talk, draft: Draft, slot: str, got: dict[str, Any]) -> Say:
    data = draft_words(draft, talk.commune) | {"got": got}
    if slot == "category":
        return _ask_category(talk, draft, data)
    if slot == "place" and draft.units:
        return ask_unit(talk, draft, got)
    if slot == "summary":
        return filing.summary(talk, draft, got)
    return talk.ask(f"resident/ask_{slot}", **data)


def _ask_category(talk: Talk, draft: Draft, data: dict[str, Any]) -> Say:
    if draft.guesses:
        offered = [talk.commune.categories[guess] for guess in draft.guesses[:3]]
        return talk.ask("resident/ask_guess", **data, offered=_labels(offered))
    return talk.ask("resident/ask_category", **data, fields=_labels(talk.commune.fields.values()))


def _labels(things: Any) -> list[dict[str, str]]:
    return [{"id": thing.id, "label": thing.label} for thing in things]


def ask_unit(talk: Talk, draft: Draft, got: dict[str, Any]) -> Say:
    """Which village: all are numbered in the text, the likeliest four are buttons."""
    villages = talk.commune.villages
    named = [talk.commune.units[unit] for unit in draft.units]
    likely = (named or list(villages))[:LIKELIEST_UNITS]
    offered = [{"id": unit.id, "label": unit.name} for unit in likely]
    data = draft_words(draft, talk.commune) | {"got": got}
    listed = [{"number": unit.number, "name": unit.name} for unit in villages]
    return talk.ask("resident/ask_unit", **data, offered=offered, listed=listed, unsure=bool(draft.units))


# Buttons -----------------------------------------------------------------------------------------


def press(talk: Talk, verb: str, draft_id: str, rest: str) -> Decision:
    """A button of the form; one of an older draft changes nothing and says so."""
    draft = talk.session.draft
    if draft is None or str(draft.id) != draft_id:
        return filing.stale(talk)
    match verb:
        case "f":
            return _choose_field(talk, draft, rest)
        case "c":
            return _choose_category(talk, draft, rest)
        case "u":
            return _choose_unit(talk, draft, rest)
        case "us":
            return talk.go(ask_unit(talk, draft, heard({})), draft=replace(draft, asked="place"))
        case "map":
            return talk.stay(Say(talk.here, "resident/show_on_map", question=True))
        case "no":
            return _skip(talk, draft, rest)
        case "edit":
            shown = draft_words(draft, talk.commune)
            return talk.go(talk.ask("resident/edit", **shown), draft=replace(draft, asked="edit"))
        case "ed":
            return _reopen_slot(talk, draft, rest)
        case "keep":
            return advance(talk, draft)
        case "kinds":
            return advance(talk, replace(draft, guesses=()))
        case "priv":
            return advance(talk, replace(draft, private=not draft.private))
        case "add":
            return filing.add_draft_to(talk, draft)
        case "send":
            return filing.send(talk, draft, advance)
        case "cancel":
            return cancel(talk)
    return filing.stale(talk)


def _choose_field(talk: Talk, draft: Draft, rest: str) -> Decision:
    field, _, page = rest.partition(":")
    if field not in talk.commune.fields:
        return filing.stale(talk)
    leaves = [leaf for leaf in talk.commune.categories.values() if leaf.field == field]
    if len(leaves) == 1:
        return _choose_category(talk, draft, leaves[0].id)
    start = int(page) if page in map(str, range(len(leaves))) else 0
    whole = len(leaves) <= BUTTONS_MAX
    shown = leaves if whole else leaves[start : start + BUTTONS_MAX - 1]
    after = 0 if start + len(shown) >= len(leaves) else start + len(shown)
    data = draft_words(draft, talk.commune) | {"got": heard({})}
    question = talk.ask(
        "resident/ask_leaf", **data, offered=_labels(shown), chosen=field, after=after, paged=not whole
    )
    return talk.go(question, draft=replace(draft, asked="category", touched_at=talk.now))


def _choose_category(talk: Talk, draft: Draft, category: str) -> Decision:
    if category not in talk.commune.categories:
        return filing.stale(talk)
    name = talk.commune.categories[category].name
    return advance(talk, replace(draft, category=category, guesses=()), category=name)


def _choose_unit(talk: Talk, draft: Draft, unit: str) -> Decision:
    if unit not in talk.commune.units or talk.commune.units[unit].kind != "village":
        return filing.stale(talk)
    return advance(talk, form.put_unit(draft, unit), village=talk.commune.units[unit].name)


def _skip(talk: Talk, draft: Draft, slot: str) -> Decision:
    if slot not in ("photo", "hours", "landmark"):
        return filing.stale(talk)
    return advance(talk, form.skip(draft, slot))


def _reopen_slot(talk: Talk, draft: Draft, slot: str) -> Decision:
    if slot not in ("category", "place", "photo", "words"):
        return filing.stale(talk)
    if slot == "words":
        # The old words stay until new ones come.
        shown = draft_words(draft, talk.commune)
        return talk.go(talk.ask("resident/ask_words", **shown), draft=replace(draft, asked="words"))
    return advance(talk, form.clear(draft, slot))


def cancel(talk: Talk) -> Decision:
    if talk.session.draft is None:
        return talk.stay(talk.answer("resident/nothing_to_cancel"))
    return talk.go(talk.answer("resident/cancelled"), draft=None, complaint=None)


# Words -------------------------------------------------------------------------------------------


def tells_something(talk: Talk, text: str) -> bool:
    """Whether words without an open draft start one: they name a matter, a village or a point."""
    lexicon = talk.world.lexicon
    guesses = lexicon.categories(text)
    if lexicon.mentions(text, "procedure") and lexicon.sure(guesses) is None:
        return False
    return bool(
        guesses or lexicon.place(text).units or lexicon.map_point(text) or lexicon.short_map_link(text)
    )


def words(talk: Talk, text: str) -> Decision:
    """Words of somebody who is telling a report."""
    draft = talk.session.draft or new_draft(talk)
    simple = _short_answer(talk, draft, text)
    return simple if simple is not None else retold(talk, draft, text)


def retold(talk: Talk, draft: Draft, text: str) -> Decision:
    """Words that tell something, or an edited message: they fill slots and press nothing."""
    kept = clip(text, WORDS_MAX)
    draft, got = understand(talk, draft, kept)
    effects: list[Effect] = []
    if len(text) > WORDS_MAX:
        effects.append(talk.answer("resident/too_long", limit=WORDS_MAX))
    link = talk.world.lexicon.short_map_link(kept)
    if link is not None and draft.lat is None:
        effects.append(FollowLink(link))
    # The link may tell the place in a moment: the question waits for it.
    return advance(talk, draft, *effects, wait_ms=WAIT_MS if link is not None else 0, **got)


def _short_answer(talk: Talk, draft: Draft, text: str) -> Decision | None:
    """A whole message that answers the open question in a word, or None."""
    means = talk.world.lexicon.means
    if draft.asked in ("photo", "hours", "landmark") and (means(text, "skip_photo") or means(text, "no")):
        return _skip(talk, draft, draft.asked)
    if draft.asked == "summary":
        if means(text, "send") or means(text, "yes"):
            return filing.send(talk, draft, advance)
        if means(text, "edit") or means(text, "no"):
            return press(talk, "edit", str(draft.id), "")
    return None


def understand(talk: Talk, draft: Draft, text: str) -> tuple[Draft, dict[str, Any]]:
    """Put into the draft whatever the words give; what was understood comes back to be said aloud."""
    got: dict[str, Any] = {}
    if draft.asked == "hours":
        return replace(draft, hours=clip(text, 200)), {"hours": True}
    if draft.asked == "words":
        return replace(draft, words=clip(text, WORDS_MAX)), got
    draft = _take_category(talk, draft, text, got)
    draft = _take_place(talk, draft, text, got)
    if not _is_plain_answer(draft, text):
        draft = form.put_words(draft, text)
    return draft, got


def _is_plain_answer(draft: Draft, text: str) -> bool:
    """A few words that only answer what was asked add nothing to the story."""
    return draft.asked in ("category", "place", "landmark") and len(text.split()) <= ANSWER_WORDS


def _take_category(talk: Talk, draft: Draft, text: str, got: dict[str, Any]) -> Draft:
    if draft.category is not None or draft.asked == "landmark":
        return draft
    lexicon = talk.world.lexicon
    guesses = lexicon.categories(text)
    sure = lexicon.sure(guesses)
    if sure is not None:
        got["category"] = talk.commune.categories[sure].name
        return replace(draft, category=sure, guesses=())
    if guesses:
        return replace(draft, guesses=tuple(guess.id for guess in guesses[:3]))
    if draft.asked == "category":
        got["unclear"] = True
    return draft


def _take_place(talk: Talk, draft: Draft, text: str, got: dict[str, Any]) -> Draft:
    lexicon, commune = talk.world.lexicon, talk.commune
    point = lexicon.map_point(text)
    if point is not None:
        draft = form.put_point(draft, point, commune)
        got["point"] = True
        return draft
    heard = lexicon.place(text)
    units = heard.units or _numbered(talk, draft, text)
    if len(units) == 1:
        if draft.unit is None:
            got["village"] = commune.units[units[0]].name
        draft = form.put_unit(draft, units[0])
    elif units and not draft.placed:
        draft = replace(draft, units=units)
    landmark = heard.landmark
    if draft.asked == "landmark" or (draft.asked == "place" and not units):
        landmark = landmark or text
    if landmark and (not draft.landmark or draft.asked == "landmark"):
        draft = form.put_landmark(draft, landmark)
    if draft.asked == "place" and not draft.placed and not units:
        # A landmark without a village: the villages are listed, so that a number is enough.
        draft = replace(draft, units=tuple(unit.id for unit in commune.villages))
    return draft


def _numbered(talk: Talk, draft: Draft, text: str) -> tuple[str, ...]:
    """A bare number while a village is asked for is that village."""
    number = text.strip()
    if draft.asked != "place" or not number.isdecimal():
        return ()
    return tuple(unit.id for unit in talk.commune.villages if str(unit.number) == number.lstrip("0"))


# Places and photos -------------------------------------------------------------------------------


def place_sent(talk: Talk, lat: float, lon: float) -> Decision:
    point = valid(lat, lon)
    if point is None:
        return talk.stay(talk.answer("resident/bad_place"))
    draft = form.put_point(talk.session.draft or new_draft(talk), point, talk.commune)
    return advance(talk, draft, point=True)


def link_ready(talk: Talk, lat: float | None, lon: float | None) -> Decision:
    """A shortened link was followed; a place given meanwhile in another way stays."""
    draft = talk.session.draft
    if draft is None or draft.lat is not None:
        return talk.stay()
    point = valid(lat, lon) if lat is not None and lon is not None else None
    if point is None:
        return talk.stay(talk.answer("resident/bad_link"))
    return advance(talk, form.put_point(draft, point, talk.commune), point=True)


def photo_sent(talk: Talk, photo: PhotoSent) -> Decision:
    draft = talk.session.draft or new_draft(talk)
    full = len(draft.photos) >= PHOTOS_MAX
    effect = talk.answer("resident/enough_photos", limit=PHOTOS_MAX) if full else KeepPhoto(photo.file)
    draft = form.put_photo(draft, talk.incoming.id)
    got: dict[str, Any] = {}
    if photo.caption:
        # A caption answers no open question: it tells the whole matter.
        draft, got = understand(talk, replace(draft, asked=None), clip(photo.caption, WORDS_MAX))
    got["photos"] = len(draft.photos)
    wait = WAIT_MS if photo.album or photo.file.as_file else 0
    return advance(talk, draft, effect, wait_ms=wait, **got)


def photo_ready(talk: Talk, ready: PhotoReady) -> Decision:
    """A photo of the draft was cleaned (perhaps it knew where it was taken), or could not be opened."""
    draft = talk.session.draft
    if draft is None or ready.photo not in draft.photos:
        return talk.stay()
    if ready.problem is not None:
        left = replace(draft, photos=tuple(p for p in draft.photos if p != ready.photo))
        slot = form.next_slot(left, talk.commune)
        told = talk.ask("resident/bad_photo", problem=ready.problem, draft=left.id, slot=slot)
        return talk.go(told, draft=replace(left, asked=slot))
    point = valid(ready.lat, ready.lon) if ready.lat is not None and ready.lon is not None else None
    if point is None or draft.lat is not None:
        return talk.stay()
    return _take_photo_place(talk, draft, point)


def _take_photo_place(talk: Talk, draft: Draft, point: Point) -> Decision:
    """GPS of a photo fills an empty place, or makes a named village exact; it never contradicts words."""
    placed = form.put_point(draft, point, talk.commune)
    if draft.unit is not None and placed.unit != draft.unit:
        return talk.stay()
    if placed.outside:
        # Photographed at home or in town: not the place unless the person says so.
        return talk.stay()
    return advance(talk, placed, photo_place=True)


def draft_due(talk: Talk) -> Decision:
    """Nudge once after half an hour; let go after a day."""
    draft, wake = talk.session.draft, talk.session.wake_at
    if draft is None or wake is None or talk.now < wake:
        return talk.stay()
    if talk.now >= draft.touched_at + DRAFT_LIFE_MS:
        return talk.go(talk.answer("resident/draft_ended"), draft=None)
    nudge = talk.ask("resident/draft_nudge", **draft_words(draft, talk.commune))
    return talk.go(nudge, draft=replace(draft, nudged=True))
