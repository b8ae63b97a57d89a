"""What somebody's words put into the draft, and what of it is said back."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bot.core import form
from bot.core.phrases import Guess
from bot.core.session import WORDS_MAX, Draft
from bot.core.text import Token, clip, compose, fold, number_said, phone_in, tokens, without_phones
from bot.handlers.talk import Talk

# Answers of so few words only answer what was asked and add nothing to the story.
ANSWER_WORDS = 8
HOURS_MAX = 200
MARK_WORDS = 4
# Three words that mean one kind of report score so much.
HARDLY = 3.7
# And two.
TWO_WORDS = 2.2
WHOM_WORDS = 8
DENIED_WORDS, DENIED_SHORT = 8, 4
NO_MARK = ("no", "yes", "unsure", "enough", "send", "edit", "done", "greeting", "thanks")
NO_PLACE = (
    "insult",
    "question",
    "complaint",
    "asks_privacy",
    "asks_calendar",
    "asks_procedure",
    "asks_status",
    "asks_how",
    "asks_mine",
    "asks_stop",
    "turns_on",
    "procedure",
    "chatter",
    "thanks",
    "wants_report",
    "call_me",
    "cannot_photo",
    "will_photo",
    "lets_go",
    "withdraws",
)
# While these stand open, a clear word about the matter or the place corrects what was understood before.
CORRECTING = ("summary", "edit")
_NUMBER = re.compile(r"(?:(?:thon|xom|lang|khu|doi) )?(?:so )?(\d{1,3})")

_NAMED = re.compile(r"\b(?:thon|xom) (?:so )?(\d{1,3})\b")

Heard = dict[str, Any]


def understand(talk: Talk, draft: Draft, text: str) -> tuple[Draft, Heard]:
    """The draft with whatever the words give."""
    got: Heard = {}
    draft = _take_privacy(talk, draft, text, got)
    draft = _take_callback(talk, draft, text, got)
    if for_another(talk, text):
        got["behalf"] = True
        draft, text = replace(draft, behalf=True), _after_whom(text)
    if not draft.suspect and talk.world.lexicon.about_official(text):
        draft = replace(draft, suspect=True)
    if draft.asked == "hours" and _tells_hours(talk, text):
        return replace(draft, hours=clip(text, HOURS_MAX)), {**got, "hours": True}
    if draft.asked == "words":
        return replace(draft, words=clip(text, WORDS_MAX)), got
    meant = _after_correction(text)
    draft = _take_category(talk, draft, meant, got)
    draft = _take_place(talk, draft, meant, got)
    if _is_story(talk, draft, text):
        draft = form.put_words(draft, text)
    return draft, got


def for_another(talk: Talk, text: str) -> bool:
    """Whether a member says that this is told for somebody else."""
    lexicon = talk.world.lexicon
    own = not talk.facts.me.roles or lexicon.begins(text, "not_behalf")
    return not own and lexicon.begins(text, "behalf")


def _after_whom(text: str) -> str:
    """Who it is told for is nobody's business: what follows the colon is the story."""
    whom, _, story = text.partition(": ")
    return story.strip() if story.strip() and len(whom.split()) <= WHOM_WORDS else text


def _after_correction(text: str) -> str:
    """Of "not X but Y" and of "Y, not X" only Y is meant."""
    text = compose(text)
    said = tokens(text)
    plain = [token.plain for token in said]
    for at in range(len(plain) - 1):
        if at and plain[at : at + 3] == ["chu", "khong", "phai"]:
            return text[: said[at].start].strip()
        denied = plain[at : at + 2] == ["khong", "phai"]
        if denied and (meant := _next_clause(text, said, at)) and "la" not in plain[at + 2 :]:
            return meant
        if denied and at and len(plain) - at - 2 <= DENIED_SHORT and "la" not in plain[at + 2 :]:
            return text[: said[at].start].strip()
        if denied and "la" in plain[at + 2 :]:
            return text[said[plain.index("la", at + 2)].end :].strip() or text
    return text


def _next_clause(text: str, said: Sequence[Token], at: int) -> str:
    """Of "not X, Y": Y, where X is short."""
    behind = [token for token in said[at:] if token.clause > said[at].clause]
    near = bool(behind) and said.index(behind[0]) - at <= DENIED_WORDS
    return text[behind[0].start :].strip() if near else ""


def _is_story(talk: Talk, draft: Draft, text: str) -> bool:
    """Whether the words add to the story, beyond answering what was asked."""
    means = talk.world.lexicon.means
    if any(means(text, kind) for kind in ("no", "yes", "unsure", "enough", "edit", "done", "take")):
        return False
    short = len(text.split()) <= ANSWER_WORDS
    if draft.asked in ("category", "place", "landmark") and short:
        return False
    return bool(fold(without_phones(text))) and not text.strip().isdecimal()


def _tells_hours(talk: Talk, text: str) -> bool:
    """At the question when it happens nearly everything is an answer; a correction is not."""
    lexicon = talk.world.lexicon
    if any(letter.isdigit() for letter in text) and lexicon.mentions(text, "hour_words"):
        return True
    return not (lexicon.place(text).units or lexicon.mentions(text, "edit") or lexicon.map_point(text))


def _take_privacy(talk: Talk, draft: Draft, text: str, got: Heard) -> Draft:
    """Who asks to keep it from the village is heard at once."""
    if draft.private or not talk.world.lexicon.mentions(text, "keep_from_village"):
        return draft
    got["kept"] = True
    return replace(draft, private=True)


def _take_callback(talk: Talk, draft: Draft, text: str, got: Heard) -> Draft:
    """A number that somebody leaves is to be called back, by the office or the police."""
    number = phone_in(text)
    if not number:
        return draft
    got["callback"] = True
    return replace(draft, callback=number)


def _take_category(talk: Talk, draft: Draft, text: str, got: Heard) -> Draft:
    settled = draft.category is not None and draft.asked not in (*CORRECTING, "category")
    if settled or draft.asked == "landmark":
        return draft
    lexicon = talk.world.lexicon
    guesses = lexicon.categories(text)
    asks = _only_asks(talk, draft, text, guesses) or _blames(talk, draft, text)
    sure = None if asks else lexicon.sure(guesses)
    if sure is not None:
        if sure != draft.category:
            got["category"] = talk.commune.categories[sure].name
        return replace(draft, category=sure, guesses=())
    if draft.category is not None:
        return draft
    if guesses:
        return replace(draft, guesses=tuple(guess.id for guess in guesses[:3]))
    if draft.asked == "category":
        got["unclear"] = True
    return draft


def _only_asks(talk: Talk, draft: Draft, text: str, guesses: Sequence[Guess]) -> bool:
    """A question with hardly a word of a matter, and no place: what it is about is asked, not guessed."""
    lexicon = talk.world.lexicon
    if draft.asked is not None or not guesses or guesses[0].score > HARDLY:
        return False
    heard = lexicon.place(text)
    return lexicon.mentions(text, "question") and not (heard.units or heard.landmark)


def _blames(talk: Talk, draft: Draft, text: str) -> bool:
    """Of an official and of no place: what is named beside is what he let be, and is asked."""
    return draft.suspect and not draft.placed and not talk.world.lexicon.place(text).units


def _take_place(talk: Talk, draft: Draft, text: str, got: Heard) -> Draft:
    point = talk.world.lexicon.map_point(text)
    if point is not None:
        got["point"] = True
        return form.put_point(draft, point, talk.commune)
    heard = talk.world.lexicon.place(text)
    units = heard.units or _numbered(talk, draft, text)
    draft = _take_units(talk, draft, units, got)
    if not units and draft.unit is None and _no_such_village(talk, text):
        got["no_village"] = len(talk.commune.villages)
        if draft.asked == "place":
            return draft
    return _take_landmark(talk, draft, text, heard.landmark, bool(units), got)


def _take_units(talk: Talk, draft: Draft, units: tuple[str, ...], got: Heard) -> Draft:
    if len(units) == 1:
        if draft.unit == units[0]:
            return draft
        got["village"] = talk.commune.units[units[0]].name
        if draft.asked == "place" and draft.unit is not None:
            # The place is told anew: the old mark stood in the old village.
            draft = form.put_landmark(draft, "")
        return form.put_unit(draft, units[0])
    if units and (not draft.placed or draft.asked == "place"):
        return replace(draft, units=units)
    return draft


def _take_landmark(talk: Talk, draft: Draft, text: str, landmark: str, named: bool, got: Heard) -> Draft:
    means = talk.world.lexicon.means
    whole = draft.asked == "landmark" or (draft.asked == "place" and not named and not draft.landmark)
    empty = any(means(text, kind) for kind in NO_MARK) or talk.world.lexicon.mentions(text, "unsure")
    if whole and not empty and not landmark and not _says_other(talk, text):
        landmark = text
    if draft.asked == "landmark" and landmark and not named and len(text.split()) <= ANSWER_WORDS:
        landmark = talk.world.lexicon.answered_place(text, landmark)
    replaces = draft.asked in ("landmark", "place") or _corrects_place(talk, draft, text, named)
    if talk.world.lexicon.mentions(landmark, "no_mark"):
        return draft
    if landmark and (not draft.landmark or replaces):
        if draft.asked in CORRECTING and fold(landmark) != fold(draft.landmark):
            got["landmark"] = True
        draft = form.put_landmark(draft, landmark)
    if draft.asked == "place" and not draft.placed and not draft.units:
        # A landmark without a village: the villages are listed, so that a number is enough.
        draft = replace(draft, units=tuple(unit.id for unit in talk.commune.villages))
    return draft


def _says_other(talk: Talk, text: str) -> bool:
    """Words without a known mark that ask, scold or complain are no place."""
    lexicon = talk.world.lexicon
    if not (lexicon.could_be_place(text) or lexicon.mentions(text, "gives_away")):
        return True
    return any(lexicon.mentions(text, kind) for kind in NO_PLACE)


def _corrects_place(talk: Talk, draft: Draft, text: str, named: bool) -> bool:
    """Beside the summary a mark replaces the old one when the words correct, or are hardly anything else."""
    if draft.asked not in CORRECTING:
        return False
    return named or talk.world.lexicon.mentions(text, "corrects") or len(text.split()) <= MARK_WORDS


def _village_number(text: str) -> int | None:
    said = tokens(text)
    found, read = _NUMBER.fullmatch(fold(text)), number_said(said, 0)
    if found:
        return int(found[1])
    return read[0] if read is not None and read[1] == len(said) and read[0] else None


def _numbered(talk: Talk, draft: Draft, text: str) -> tuple[str, ...]:
    """A number while a village is asked for is that village."""
    number = _village_number(text) if draft.asked == "place" else None
    return tuple(unit.id for unit in talk.commune.villages if number is not None and unit.number == number)


def _no_such_village(talk: Talk, text: str) -> bool:
    known = {unit.number for unit in talk.commune.villages}
    number = _village_number(text)
    named = [int(found) for found in _NAMED.findall(fold(text))]
    unknown = talk.world.lexicon.place(text).unknown or any(n not in known for n in named)
    return unknown or (number is not None and number not in known)
