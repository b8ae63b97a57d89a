"""A resident tells a report: any slot, any order, any number of messages."""

from dataclasses import replace
from typing import Any

from bot.core import form
from bot.core.commune import Point
from bot.core.effects import Effect, FollowLink, KeepPhoto, Say
from bot.core.events import PhotoReady, PhotoSent
from bot.core.places import valid
from bot.core.session import DRAFT_LIFE_MS, LATER_MAX, PHOTOS_MAX, WORDS_MAX, Draft
from bot.core.text import clip, fold, phone_in
from bot.handlers import adding, duty, filing, remind, sameplace, start
from bot.handlers.listen import ANSWER_WORDS, TWO_WORDS, understand
from bot.handlers.talk import Decision, Talk, draft_words, heard

# An album's parts come one by one, a file may know its place: the answer waits for that.
WAIT_MS = 1000
OPTIONAL = ("photo", "hours", "landmark")
CHANGEABLE = ("category", "place", "photo", "words")
ASKING_WORDS = 10
BUTTONS_MAX = 5
LIKELIEST_UNITS = 4


def new_draft(talk: Talk) -> Draft:
    return Draft(id=talk.incoming.id, started_at=talk.now, touched_at=talk.now)


def begin(talk: Talk) -> Decision:
    """Somebody wants to report: an open draft goes on, else a new one starts; a complaint is let go."""
    decision = advance(talk, talk.session.draft or new_draft(talk))
    return replace(decision, session=replace(decision.session, complaint=None))


def begin_with(talk: Talk, text: str) -> Decision:
    """A new report from words that were said before."""
    return retold(talk, new_draft(talk), text)


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
    if slot == "place" and (draft.units or draft.landmark):
        return ask_unit(talk, draft, got)
    if slot == form.OFFICIAL:
        return talk.ask("resident/ask_official", **data)
    if slot == "summary":
        return filing.summary(talk, draft, got)
    return talk.ask(f"resident/ask_{slot}", **data)


def _ask_category(talk: Talk, draft: Draft, data: dict[str, Any]) -> Say:
    if draft.guesses:
        offered = [talk.commune.categories[guess] for guess in draft.guesses[:3]]
        return talk.ask("resident/ask_guess", **data, offered=_labels(offered))
    meant = duty.photos_may_mean(talk, draft)
    if meant is not None:
        return meant
    shown = [field for field in talk.commune.fields.values() if not field.hidden]
    fields, addable = _labels(shown), adding.addable(talk, draft)
    return talk.ask("resident/ask_category", **data, fields=fields, addable=addable)


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
    again = draft.stuck == "place"
    return talk.ask("resident/ask_unit", **data, offered=offered, listed=listed, again=again)


# Buttons -----------------------------------------------------------------------------------------


def press(talk: Talk, verb: str, draft_id: str, rest: str) -> Decision:
    """A button of the form; one of an older draft changes nothing and says so."""
    draft = talk.session.draft
    if verb == "merge":
        return _merge(talk, draft_id)
    if verb in ("after", "again") and draft is not None and str(draft.id) == draft_id:
        return duty.photos_meant(talk, verb, draft)
    if draft is None or str(draft.id) != draft_id:
        return _stale(talk)
    match verb:
        case "f":
            return _choose_field(talk, draft, rest)
        case "c":
            return _choose_category(talk, draft, rest)
        case "u":
            return _choose_unit(talk, draft, rest)
        case "us":
            return talk.go(ask_unit(talk, draft, heard({})), draft=replace(draft, asked="place"))
        case "nowhere":
            return advance(talk, form.skip(draft, "place"))
        case "map":
            return talk.stay(Say(talk.here, "resident/show_on_map", question=True))
        case "no":
            return _skip(talk, draft, rest)
        case "edit":
            shown = draft_words(draft, talk.commune)
            return talk.go(talk.ask("resident/edit", **shown), draft=replace(draft, asked="edit"))
        case "ed":
            return _ask_again(talk, draft, rest)
        case "keep":
            return advance(talk, draft)
        case "kinds":
            return advance(talk, form.skip(replace(draft, guesses=()), "meant"))
        case "priv":
            return advance(talk, replace(draft, private=not draft.private))
        case "add":
            return _next(talk, adding.add_draft_to(talk, draft))
        case "off":
            return advance(talk, form.put_official(draft, official=rest == "yes"))
        case "same":
            return _same(talk, draft)
        case "other":
            return _send(talk, form.skip(draft, "same"))
        case "send":
            return _send(talk, draft)
        case "cancel":
            return cancel(talk)
    return adding.stale(talk)


def _stale(talk: Talk) -> Decision:
    """A button of an older form: what stands open now is asked again."""
    if talk.session.draft is None:
        return adding.stale(talk)
    return advance(talk, talk.session.draft, talk.answer("resident/stale_draft"))


def _choose_field(talk: Talk, draft: Draft, rest: str) -> Decision:
    field, _, page = rest.partition(":")
    if field not in talk.commune.fields or talk.commune.fields[field].hidden:
        return adding.stale(talk)
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
        return adding.stale(talk)
    name = talk.commune.categories[category].name
    return advance(talk, replace(draft, category=category, guesses=()), category=name)


def _choose_unit(talk: Talk, draft: Draft, unit: str) -> Decision:
    if unit not in talk.commune.units or talk.commune.units[unit].kind != "village":
        return adding.stale(talk)
    return advance(talk, form.put_unit(draft, unit), village=talk.commune.units[unit].name)


def _skip(talk: Talk, draft: Draft, slot: str) -> Decision:
    if slot not in OPTIONAL:
        return adding.stale(talk)
    return advance(talk, form.skip(draft, slot))


def _ask_again(talk: Talk, draft: Draft, slot: str) -> Decision:
    """Open a slot for change; what is there stays until something new comes."""
    if slot == "drop":
        return advance(talk, form.drop_photos(draft))
    if slot == "mute":
        return advance(talk, replace(draft, voices=()))
    if slot not in CHANGEABLE:
        return adding.stale(talk)
    shown = draft_words(draft, talk.commune)
    if slot in ("photo", "words"):
        name = "resident/more_photos" if slot == "photo" else "resident/ask_words"
        return talk.go(talk.ask(name, **shown), draft=replace(draft, asked=slot))
    reopened = replace(draft, asked=slot, guesses=(), units=())
    return talk.go(_question(talk, reopened, slot, heard({})), draft=reopened)


def cancel(talk: Talk) -> Decision:
    if talk.session.draft is None:
        filed = [report.code for report in talk.facts.mine if report.is_open][:1]
        code = filed[0] if filed else ""
        return talk.go(talk.answer("resident/nothing_to_cancel", code=code), complaint=None)
    return _next(talk, talk.go(talk.answer("resident/cancelled"), draft=None, complaint=None))


def _same(talk: Talk, draft: Draft) -> Decision:
    """It is the report that was asked about; one that was closed meanwhile is none to follow."""
    joined = sameplace.join(talk, draft)
    return _next(talk, joined) if joined is not None else _send(talk, form.skip(draft, "same"))


def _send(talk: Talk, draft: Draft) -> Decision:
    return _next(talk, filing.send(talk, draft, advance))


def _next(talk: Talk, decision: Decision) -> Decision:
    """When a report is off the table, the one told after it comes up."""
    session = decision.session
    if session.draft is not None or not session.later:
        return decision
    rest = Talk(talk.incoming, replace(session, later=session.later[1:]), talk.facts, talk.world)
    first = session.later[0]
    name = talk.commune.categories[first.category].name if first.category else ""
    asked = advance(rest, first, next=name, photos=len(first.photos))
    return Decision(asked.session, (*decision.effects, *asked.effects))


def _merge(talk: Talk, draft_id: str) -> Decision:
    """What was set apart was meant for the open report after all: it replaces matter and place."""
    draft = talk.session.draft
    apart = [later for later in talk.session.later if str(later.id) == draft_id]
    if draft is None or not apart:
        return _stale(talk)
    rest = tuple(later for later in talk.session.later if later is not apart[0])
    merged = form.merge(draft, apart[0])
    return advance(Talk(talk.incoming, replace(talk.session, later=rest), talk.facts, talk.world), merged)


# Words -------------------------------------------------------------------------------------------


def tells_something(talk: Talk, text: str) -> bool:
    """Whether words without an open draft start one: they name a matter, a village, a mark or a point."""
    lexicon = talk.world.lexicon
    guesses, place = lexicon.categories(text), lexicon.place(text)
    if lexicon.about_official(text) or lexicon.mentions(text, "keep_from_village"):
        return True
    whole = bool(guesses and place.units)
    if lexicon.mentions(text, "procedure") and lexicon.sure(guesses) is None and not whole:
        return False
    short = len(text.split()) <= ANSWER_WORDS or not lexicon.mentions(text, "question")
    marked = (bool(place.landmark) and short) or lexicon.mentions(text, "complaint")
    asks = lexicon.mentions(text, "question") and not marked
    return bool(
        guesses
        or (place.units and not asks)
        or marked
        or lexicon.map_point(text)
        or lexicon.short_map_link(text)
    )


def words(talk: Talk, text: str) -> Decision:
    """Words of somebody who is telling a report."""
    draft = talk.session.draft or new_draft(talk)
    if talk.session.draft is None:
        return retold(talk, draft, text)
    simple = _short_answer(talk, draft, text) or _said_beside(talk, draft, text)
    if simple is not None:
        return simple
    told = retold(talk, draft, text)
    now = told.session.draft
    same = (
        now is not None
        and replace(now, words=draft.words, touched_at=draft.touched_at, stuck=draft.stuck) == draft
    )
    if same and draft.asked == "summary" and talk.world.lexicon.mentions(text, "wrong_there"):
        # Something is wrong, and it was not said what it should be.
        return press(talk, "edit", str(draft.id), "")
    return told


def _said_beside(talk: Talk, draft: Draft, text: str) -> Decision | None:
    """Scolding, a question about papers or the calendar: answered, and the form asks on."""
    lexicon = talk.world.lexicon
    place = lexicon.place(text)
    if lexicon.sure(lexicon.categories(text)) is not None or place.units or place.landmark:
        return None
    if draft.asked == "hours" and lexicon.mentions(text, "hour_words"):
        return None
    beside = (
        (("insult",), start.insulted),
        (("asks_calendar",), remind.calendar),
        (("asks_procedure", "chatter"), lambda talk: start.off_topic(talk, text)),
    )
    for kinds, answer in beside:
        if any(lexicon.mentions(text, kind) for kind in kinds):
            return advance(talk, draft, *answer(talk).effects)
    return None


def retold(talk: Talk, draft: Draft, text: str, *, edited: bool = False) -> Decision:
    """Words that tell something, or an edited message: they fill slots and press nothing."""
    kept = clip(text, WORDS_MAX)
    apart = None if edited else _set_apart(talk, draft, kept, ())
    if apart is not None:
        return apart
    if edited and draft.asked != "hours":
        # The message was put right, not another one written: what it says now counts.
        draft = replace(draft, asked="edit")
    before = draft
    draft, got = understand(talk, draft, kept)
    draft = _unstick(talk, before, draft, got)
    effects: list[Effect] = []
    if len(text) > WORDS_MAX:
        effects.append(talk.answer("resident/too_long", limit=WORDS_MAX))
    link = talk.world.lexicon.short_map_link(kept)
    if link is not None and draft.lat is None:
        effects.append(FollowLink(link))
    # The link may tell the place in a moment: the question waits for it.
    return advance(talk, draft, *effects, wait_ms=WAIT_MS if link is not None else 0, **got)


def _put_first(talk: Talk, draft: Draft, other: Draft, effects: tuple[Effect, ...]) -> Decision:
    name = talk.commune.categories[draft.category].name if draft.category else ""
    told = talk.answer("resident/set_behind", category=name)
    rest = Talk(
        talk.incoming, replace(talk.session, later=(*talk.session.later, draft)), talk.facts, talk.world
    )
    return advance(rest, other, *effects, told, photos=len(other.photos))


def says_send(talk: Talk, text: str) -> bool:
    """ "Ok gửi", "gửi giúp tôi nhé": "send" among words that say nothing else."""
    return talk.world.lexicon.only_of(text, "send_filler", "send")


def _unstick(talk: Talk, before: Draft, draft: Draft, got: dict[str, Any]) -> Draft:
    """An optional question that two answers in a row did not answer is let go."""
    slot = before.asked
    if slot == "place" and not draft.placed:
        # Whoever does not know the village may leave it to the office.
        return replace(draft, stuck="place")
    if slot not in OPTIONAL or got or form.next_slot(draft, talk.commune) != slot:
        return replace(draft, stuck=None)
    return form.skip(draft, slot) if draft.stuck == slot else replace(draft, stuck=slot)


def _set_apart(
    talk: Talk, draft: Draft, text: str, photos: tuple[int, ...], *effects: Effect
) -> Decision | None:
    """Words that tell a whole other matter in another place are another report, to be asked about next.

    People walk round, photograph three places, and press once at the end.
    """
    opened = talk.session.draft
    if opened is None or draft.category is None or draft.asked in ("hours", "words"):
        return None
    if len(talk.session.later) >= LATER_MAX or talk.world.lexicon.mentions(text, "corrects"):
        return None
    if not photos and _answers_where(talk, draft, text):
        return None
    other, _ = understand(talk, replace(new_draft(talk), photos=photos), text)
    if other.category is None or other.unit is None or not other.landmark:
        return None
    if draft.bare_of_place and other.category != draft.category:
        # The first was never finished and the second is whole: it goes first, the other waits its turn.
        return _put_first(talk, draft, other, effects)
    if not draft.placed and other.category == draft.category:
        return None
    same_place = other.unit == draft.unit and fold(other.landmark) == fold(draft.landmark)
    alike = other.unit == draft.unit and other.category == draft.category
    if same_place or (alike and not photos):
        # Without a photo of its own, the same matter in the same village is the same story going on.
        return None
    name = talk.commune.categories[other.category].name
    village = talk.commune.units[other.unit].name
    told = talk.answer("resident/set_apart", category=name, village=village, draft=other.id)
    return talk.go(*effects, told, later=(*talk.session.later, other))


def _answers_where(talk: Talk, draft: Draft, text: str) -> bool:
    """A short answer to where it is: `chợ thôn 3, dãy hàng cá` complains of no stall."""
    guesses = talk.world.lexicon.categories(text)
    short = len(text.split()) <= ASKING_WORDS
    return draft.asked in ("place", "landmark") and short and bool(guesses) and guesses[0].score <= TWO_WORDS


def _short_answer(talk: Talk, draft: Draft, text: str) -> Decision | None:
    """A message that answers the open question in a word, or is said beside it; None: it tells something."""
    meanings = talk.world.lexicon.meanings(text)
    if draft.asked in OPTIONAL and ("send" in meanings or says_send(talk, text)):
        # "Gửi" while only extras are missing: the person has nothing more to give.
        return advance(talk, form.skip_all(draft))
    if draft.asked in OPTIONAL and meanings & {"skip_photo", "no", "unsure", "enough"}:
        return _skip(talk, draft, draft.asked)
    if draft.asked in OPTIONAL and _cannot_say(talk, draft, text):
        return _skip(talk, draft, draft.asked)
    if talk.world.lexicon.mentions(text, "asks_privacy") and not meanings:
        return advance(talk, draft, secret=True)
    if (
        talk.world.lexicon.mentions(text, "asks_how")
        and not phone_in(text)
        and talk.world.lexicon.sure(talk.world.lexicon.categories(text)) is None
    ):
        return start.help_(talk)
    if draft.asked in ("official", "same") and meanings & {"yes", "no", "unsure"}:
        yes = "yes" in meanings
        if draft.asked == "official":
            return advance(talk, form.put_official(draft, official=yes))
        return _same(talk, draft) if yes else _send(talk, form.skip(draft, "same"))
    complete = form.next_slot(draft, talk.commune) == "summary"
    if complete and draft.asked in ("edit", *CHANGEABLE) and meanings & {"enough", "no", "yes", "send"}:
        return advance(talk, draft)
    if draft.asked == "summary":
        if meanings & {"send", "yes", "done", "good"} or says_send(talk, text):
            return _send(talk, draft)
        if meanings & {"edit", "no"}:
            return press(talk, "edit", str(draft.id), "")
    if "enough" in meanings or talk.world.lexicon.mentions(text, "lets_go"):
        shown = draft_words(draft, talk.commune)
        return talk.stay(talk.ask("resident/ask_cancel", **shown))
    if talk.world.lexicon.mentions(text, "asks_who") and len(text.split()) <= ASKING_WORDS:
        return advance(talk, draft, secret=True)
    if meanings & {"thanks", "greeting", "send"} or _asks_status(talk, text):
        # Who thanks, greets or asks how it stands believes that it was sent: it was not.
        return advance(talk, draft, unsent=True, thanks="thanks" in meanings)
    return None


def _asks_status(talk: Talk, text: str) -> bool:
    """ "Bao giờ dọn?"; what names a matter and a village tells it, however long it has been so."""
    lexicon = talk.world.lexicon
    whole = lexicon.sure(lexicon.categories(text)) is not None and lexicon.place(text).units
    return lexicon.mentions(text, "asks_status") and not whole and not lexicon.mentions(text, "insult")


def _cannot_say(talk: Talk, draft: Draft, text: str) -> bool:
    """ "Hỏi nhiều thế, không biết": no answer to the open question, in a sentence."""
    lexicon = talk.world.lexicon
    if draft.asked == "photo":
        return lexicon.mentions(text, "cannot_photo")
    if any(letter.isdigit() for letter in text) or not lexicon.mentions(text, "unsure"):
        return False
    if draft.asked == "hours":
        return not lexicon.mentions(text, "hour_words")
    return not lexicon.place(text).landmark


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
    if photo.caption:
        kept = clip(photo.caption, WORDS_MAX)
        apart = _set_apart(talk, draft, kept, (talk.incoming.id,), KeepPhoto(photo.file))
        if apart is not None:
            return apart
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
    if any(ready.photo in later.photos for later in talk.session.later):
        return _later_photo(talk, ready)
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


def _later_photo(talk: Talk, ready: PhotoReady) -> Decision:
    """A photo of a report that waits its turn: a broken one is dropped, and asked for then."""
    if ready.problem is None:
        return talk.stay()
    later = tuple(
        replace(draft, photos=tuple(p for p in draft.photos if p != ready.photo))
        for draft in talk.session.later
    )
    return talk.go(talk.answer("resident/bad_later_photo", problem=ready.problem), later=later)


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
        return _next(talk, talk.go(talk.answer("resident/draft_ended"), draft=None))
    nudge = talk.ask("resident/draft_nudge", **draft_words(draft, talk.commune))
    return talk.go(nudge, draft=replace(draft, nudged=True))
