"""What a message says: the kind of report, the place, the commands, codes and map links in it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from bot.core.activitywords import ActivityWords
from bot.core.commune import Commune, Point
from bot.core.evidence import AHEAD, Evidence, weighed
from bot.core.maplinks import map_point, short_map_link
from bot.core.phrases import (
    ENOUGH,
    GAP,
    TONE_ONLY,
    Guess,
    Match,
    NearMisses,
    Phrases,
    longest,
    ranked,
    with_hints,
)
from bot.core.placewords import Places, PlaceWords, strict
from bot.core.spelling import Spelling
from bot.core.text import LONGEST, Token, accented, compose, fold, phone_in, second_guess, tokens
from bot.core.unitwords import UnitWords

MOST_TOKENS: Final = 200
COMMANDS: Final = {
    "start": "start",
    "trogiup": "help",
    "tracuu": "lookup",
    "huy": "cancel",
    "ketnoi": "connect",
    "quyenriengtu": "privacy",
    "xuatdulieu": "export",
    "xoadulieu": "erase",
    "thongke": "stats",
    "tim": "find",
    "thongbao": "broadcast",
    "nhiemvu": "task",
}
"""Each command and the list of `[words]` that says the same."""
DUTY_WORDS: Final = {
    "take": "take",
    "done": "done",
    "in_progress": "start",
    "postpone": "later",
    "ask_commune": "help",
    "forward": "forward",
    "review": "review",
}
"""Each list of words of duty, and what it says."""
_LONGEST_SHORT: Final = 80
_AT_HAND: Final = 64
_ONE_LINE: Final = 10
_OUTCOME: Final = "outcome_"
_NOTHING: Final = 0.4
_SECOND: Final = 0.6
_SECOND_PLAIN: Final = 0.35
"""Without accents too many words sound alike: only a question."""
_SYMBOLS: Final = "0-9A-HJKMNP-TV-Z"
_INVITE: Final = re.compile(
    rf"(?P<start>/START(?:@\w{{1,40}})?\s{{1,9}})?"
    rf"(?P<first>[{_SYMBOLS}]{{4}})(?P<middle>\s{{0,3}}-?\s{{0,3}})(?P<last>[{_SYMBOLS}]{{4}})",
    re.ASCII,
)


class Lexicon:
    """The words of one commune, made ready once."""

    def __init__(self, commune: Commune) -> None:
        self._exact = _by_text(commune.words, accented)
        self._plain = _by_text(commune.words, fold)
        self._polite = {fold(word) for word in commune.words.get("polite", ())}
        phrases = [(word, category.id) for category in commune.categories.values() for word in category.words]
        phrases += [(word, "") for word in commune.words.get("not_report", ())]
        pairs = [(pair, category.id) for category in commune.categories.values() for pair in category.pairs]
        self._categories = Phrases(phrases, vague=commune.words.get("needs_accents", ()), pairs=pairs)
        self._categories_second = self._categories.respelt(second_guess)
        self._spelling = Spelling(_texts(commune))
        # One message is asked about from many sides: what it says is found out once.
        self._said = lru_cache(maxsize=_AT_HAND)(self._read)
        self._kinds = lru_cache(maxsize=_AT_HAND)(self._meanings)
        self._about = lru_cache(maxsize=_AT_HAND)(self._categories_of)
        self._where = lru_cache(maxsize=_AT_HAND)(self._place)
        self._found = lru_cache(maxsize=4 * _AT_HAND)(self._find_said)
        self._evidence = Evidence(commune.categories.values())
        self._named = lru_cache(maxsize=8)(self._find_named)
        self._near = NearMisses(self._categories.all)
        self._hints = Phrases(
            (hint, category.id) for category in commune.categories.values() for hint in category.hints
        )
        self._mentions = {
            kind: Phrases((text, kind) for text in commune.words.get(kind, ())) for kind in commune.words
        }
        self._needs_accents = {fold(text) for text in commune.words.get("needs_accents", ())}
        self._vague = {fold(text) for text in commune.words.get("emergency_unsure", ())}
        self._places = Places(commune)
        self.units = UnitWords(commune, lambda text: self.place(text).units)
        self.activities = ActivityWords(commune, self.meanings, self.units)
        self._beside = {fold(word) for word in commune.words.get("beside", ())}
        self._marks = tuple(f" {fold(mark)} " for mark in commune.landmarks)
        between = "[ ._–-]{0,3}"
        self._report = re.compile(
            rf"(?<![^\W_]){re.escape(commune.prefix)}{between}(\d{{2}}){between}(\d{{1,5}})(?![^\W_])",
            re.ASCII | re.IGNORECASE,
        )
        self._prefix = commune.prefix

    def _read(self, text: str) -> tuple[Token, ...]:
        """The words of a text as the commune spells them."""
        said = tokens(text[:LONGEST])[:MOST_TOKENS]
        return tuple(self._spelling.tokens(strict(compose(text[:LONGEST]), said)))

    def categories(self, text: str) -> tuple[Guess, ...]:
        """What it may be about, likeliest first; nothing when it is about none of it."""
        return self._about(text)

    def _categories_of(self, text: str) -> tuple[Guess, ...]:
        said = self._said(text)
        matches = [match for match in self._named(said) if match.score > _NOTHING]
        guesses = with_hints(ranked(longest(_meant(matches))), self._hinted(said, matches))
        if guesses and guesses[0].score >= ENOUGH:
            return weighed(guesses, self._evidence.of(self._outside_places(said, matches, guesses[0].id)))
        respelt = self._respelt(said)
        return respelt if respelt and (not guesses or respelt[0].score > guesses[0].score) else guesses

    def _respelt(self, said: Sequence[Token]) -> tuple[Guess, ...]:
        """What it may be about, spelt as it is heard, or nearly."""
        if matches := [match for match in self._categories_second.find(said) if not match.loose]:
            return ranked(longest(matches), _SECOND if any(token.typed for token in said) else _SECOND_PLAIN)
        return self._near.guesses(said)

    def _find_named(self, said: Sequence[Token]) -> tuple[Match, ...]:
        """Words of a category, not those of a village's name: in `thon muoi bay` nothing flies."""
        _, _, villages = self._places.villages(said)
        return tuple(match for match in self._categories.find(said) if match.mask & ~villages)

    def _outside_places(self, said: Sequence[Token], matches: Iterable[Match], first: str) -> list[Token]:
        """The words that may speak of a matter: not those of a village, nor of a place beside the matter."""
        _, _, places = self._places.villages(said)
        told = [match.mask for match in matches if match.phrase.value == first and match.exact]
        for mark in self._places.marks(said):
            if not any(mark & mask for mask in told):
                places |= mark
        return [token for at, token in enumerate(said) if not places >> at & 1]

    def _hinted(self, said: Sequence[Token], matches: Sequence[Match]) -> list[Match]:
        """Hints that are no part of words that say more."""
        found = (hint for hint in self._hints.find(said) if hint.exact and not _bare(hint))
        return longest(hint for hint in found if not any(hint.mask & match.mask for match in matches))

    def sure(self, guesses: Sequence[Guess]) -> str | None:
        """The first guess, when it is good and clearly ahead; else the caller asks, these two first."""
        if not guesses or guesses[0].score < ENOUGH:
            return None
        if len(guesses) > 1 and guesses[0].score <= AHEAD * guesses[1].score:
            return None
        return guesses[0].id

    def place(self, text: str) -> PlaceWords:
        """The villages it names, and the piece of it that says where."""
        return self._where(text)

    def _place(self, text: str) -> PlaceWords:
        said = self._said(text)
        matches = [*(self._named(said) or self._categories_second.find(said))]
        matches += (hint for hint in self._hints.find(said) if len(hint.phrase.head) > 1)
        return self._places.read(compose(text[:LONGEST]), said, matches)

    def answered_place(self, text: str, landmark: str) -> str:
        """The whole of a short answer that a landmark is in: `cạnh bếp ăn của trường mầm non`."""
        return self._places.clause_with(compose(text[:LONGEST]), self._said(text), landmark)

    def could_be_place(self, text: str) -> bool:
        """Whether an answer without a known mark may be a place's name: nothing in it that ends one."""
        return self._places.could_be(self._said(text))

    def public_mark(self, landmark: str) -> bool:
        """Whether a landmark names a public place of the commune and nobody's house."""
        plain = f" {fold(landmark)} "
        if any(char.isdigit() for char in plain) or not any(mark in plain for mark in self._marks):
            return False
        return not (self.mentions(landmark, "house_of") or self.mentions(landmark, "gives_away"))

    def place_key(self, landmark: str) -> str:
        """A landmark as places are compared: folded, without what only says on which side of it."""
        words = fold(landmark).split()
        while len(words) > 1 and words[0] in self._beside:
            words = words[1:]
        return " ".join(words)

    def means(self, text: str, kind: str) -> bool:
        """Whether the whole message is one of the words of a list; typed accents decide where they can."""
        return kind in self.meanings(text)

    def meanings(self, text: str) -> frozenset[str]:
        """Every list that the whole message is in: bare `dung` is in `yes` and in `stop`."""
        return self._kinds(text)

    def _meanings(self, text: str) -> frozenset[str]:
        if len(text) > _LONGEST_SHORT:
            return frozenset()
        return frozenset().union(*map(self._kinds_of, self._polite_forms(text)))

    def _kinds_of(self, text: str) -> frozenset[str]:
        typed = self._spelling.text(accented(text))
        plain = fold(typed)
        if typed == plain:
            return self._plain.get(plain, frozenset())
        # `dừng` is no `đúng` although both are `dung`; a slip of the hand that is neither may be both
        return self._exact.get(typed) or self._plain.get(plain, frozenset())

    def _polite_forms(self, text: str) -> Iterator[str]:
        """As it is, then without `dạ` before and `ạ` after."""
        words = accented(text).split()
        yield " ".join(words)
        first, last = 0, len(words)
        while first < last and fold(words[first]) in self._polite:
            first += 1
        while last > first and fold(words[last - 1]) in self._polite:
            last -= 1
        for start, end in {(0, last), (first, len(words)), (first, last)}:
            if start < end and end - start < len(words):
                yield " ".join(words[start:end])

    def mentions(self, text: str, kind: str) -> bool:
        """Whether the message has one of the phrases of a list in it, not inside the words for a category."""
        if kind not in self._mentions:
            return False
        said = self._said(text)
        matches = [
            match for match in self._find(kind, said) if match.quality >= (1.0 if match.loose else TONE_ONLY)
        ]
        if not matches:
            return False
        named = [match for match in self._named(said) if not match.phrase.paired]
        return any(not any(match.inside(other) for other in named) for match in matches)

    def emergency(self, text: str) -> str | None:
        """Whether it tells of an emergency: "sure", or "unsure" when it may be something else."""
        if self.mentions(text, "calm"):
            return None
        found = self._dangers(text, "emergency")
        if any(self._sure_of(match) for match in found) and not self.mentions(text, "past"):
            return "sure"
        return "unsure" if found or self._dangers(text, "emergency_unsure") else None

    def emergency_words(self, text: str) -> str:
        """The phrase that tells of the emergency, as the commune spells it; empty without one."""
        found = sorted(self._dangers(text, "emergency"), key=lambda match: -match.score)
        return self._places.without_where(found[0].phrase) if found else ""

    def _dangers(self, text: str, kind: str) -> list[Match]:
        """Phrases of danger, outside what only speaks of it ("dễ gây tai nạn") and words for a category."""
        said = self._said(text)
        found = [match for match in self._find(kind, said) if self._could_be_meant(match)]
        named = [match for match in self._named(said) if not match.phrase.paired] if found else []
        shields = [*self._find("not_emergency", said), *named]
        perhaps = (
            [match for match in self._find("hypothetical", said) if match.exact and not _bare(match)]
            if found
            else []
        )
        return [
            match
            for match in found
            if not any(match.inside(shield) for shield in shields)
            and not any(_leads_to(word, match, said) for word in perhaps)
        ]

    def _could_be_meant(self, match: Match) -> bool:
        """Not what is mostly something else without its accents: `con do` is `còn đó`, `sung` no gun."""
        if match.phrase.plain in self._needs_accents:
            return match.quality == 1.0
        return match.exact or match.mask.bit_count() > 1

    def _sure_of(self, match: Match) -> bool:
        """With its accents, or such that it is hardly anything else without."""
        return match.quality == 1.0 or (match.exact and match.phrase.plain not in self._vague)

    def about_official(self, text: str) -> bool:
        """Whether it complains about an official: what one did, not whom one told or whose house is near."""
        if self.mentions(text, "official"):
            return True
        said = self._said(text)
        shields = self._find("not_official", said)
        people = [
            match
            for match in self._find("official_person", said)
            if match.exact and not any(match.inside(shield) for shield in shields)
        ]
        faults = [match for match in self._find("official_fault", said) if match.exact]
        return bool(people) and (bool(faults) or self._blamed(text, said, people))

    def _blamed(self, text: str, said: Sequence[Token], people: Sequence[Match]) -> bool:
        """Whether it begins with an official and goes on with what is wrong: then it is asked."""
        first = min(people, key=lambda match: match.start)
        after = said[first.end].plain if first.end < len(said) else ""
        called = after in self._polite or self.mentions(text, "question") or self.mentions(text, "not_blamed")
        wrong = self.mentions(text, "complaint") or self.sure(self.categories(text)) is not None
        return first.start <= 1 and len(said) > first.end + 2 and not called and wrong

    def phone(self, text: str) -> str:
        """The telephone number in it, its digits alone; empty without one."""
        return phone_in(text[:LONGEST])

    def mentions_beside(self, text: str, kind: str, beside: str) -> bool:
        """Whether a phrase of the one list is in it, apart from what phrases of the other have in them."""
        said = self._said(text)
        known = [match.mask for match in self._find(beside, said)]
        found = (match for match in self._find(kind, said) if match.exact)
        return any(not any(match.mask & ~mask == 0 for mask in known) for match in found)

    def _find(self, kind: str, said: tuple[Token, ...]) -> tuple[Match, ...]:
        return self._found(kind, said) if kind in self._mentions else ()

    def _find_said(self, kind: str, said: tuple[Token, ...]) -> tuple[Match, ...]:
        return tuple(self._mentions[kind].find(said))

    def begins(self, text: str, kind: str) -> bool:
        """Whether the message begins with one of the phrases of a list."""
        found = self._find(kind, self._said(text))
        return any(match.start == 0 for match in found)

    def command(self, text: str) -> str | None:
        """The command a message is, with its slash or in plain words, as the slash command's name."""
        words = text[:LONGEST].split()
        if not words:
            return None
        if words[0].startswith("/"):
            name = words[0][1:].partition("@")[0].lower()
            return name if name in COMMANDS else None
        if len(words) == 1 and words[0].lower() in COMMANDS and fold(words[0]) == words[0].lower():
            return words[0].lower()
        meant = self.meanings(text)
        for name, kind in COMMANDS.items():
            if kind in meant:
                return name
        code = self._report.search(text[:LONGEST])
        return "tim" if code and self.means(text[: code.start()], "find") else None

    def duty_verb(self, text: str) -> str | None:
        """The word of duty that a message is, apart from a code or a number: "take", "done", "later" …"""
        meant = self.meanings(_without_code(self._report, text))
        return next((verb for kind, verb in DUTY_WORDS.items() if kind in meant), None)

    def duty_mention(self, text: str) -> str | None:
        """The same, somewhere in a longer sentence; "done" says more than "take"."""
        if self.mentions(text, "not_duty"):
            return None
        if self.mentions(text, "done"):
            return "done"
        return "take" if self.mentions(text, "take") else None

    def serial(self, text: str) -> int | None:
        """The number at the end of a code, typed alone: "nhan 12"."""
        numbers = [word for word in text[:LONGEST].split() if word.isdecimal() and len(word) <= 5]
        return int(numbers[0]) if len(numbers) == 1 else None

    def only_number(self, text: str) -> int | None:
        """The number that a message is, with at most a word before it: "3", "ma 3"."""
        return self.serial(text) if len(text.split()) <= 2 else None

    def only_of(self, text: str, kind: str, needed: str) -> bool:
        """Whether a message is put together from one list alone, with a word of the list `needed` in it."""
        said = self._said(text)
        covered = 0
        for match in self._find(kind, said):
            covered |= match.mask
        return covered == (1 << len(said)) - 1 and self.mentions(text, needed)

    def outcome(self, text: str) -> str | None:
        """The outcome that a message records, by the lists `outcome_…`."""
        meant = [kind for kind in self.meanings(text) if kind.startswith(_OUTCOME)]
        return meant[0].removeprefix(_OUTCOME) if len(meant) == 1 else None

    def done_with(self, text: str) -> str | None:
        """The outcome in a message that says both in one line: "xong, lập biên bản", "đã nhắc nhở xong"."""
        words = _without_code(self._report, text).split()
        if len(words) > _ONE_LINE:
            return None
        for cut in range(1, len(words)):
            before, behind = " ".join(words[:cut]), " ".join(words[cut:])
            for one, other in ((before, behind), (behind, before)):
                if self.means(one, "done") and (outcome := self.outcome(other)):
                    return outcome
        return None

    def report_code(self, text: str) -> str | None:
        """The first report code in a message, however loosely typed, as it is printed."""
        found = self._report.search(text[:LONGEST])
        return f"{self._prefix}-{found[1]}-{int(found[2]):05}" if found and int(found[2]) else None

    def after(self, text: str, kind: str) -> str | None:
        """What follows a phrase of a list that the message begins with; None when it begins otherwise."""
        said = self._said(text)
        ends = [match.end for match in self._find(kind, said) if match.start == 0 and match.exact]
        if not ends:
            return None
        end = max(ends)
        return compose(text[:LONGEST])[said[end].start :].strip() if end < len(said) else ""

    def codes_as(self, text: str, said: Callable[[str], str]) -> str:
        """The message with something else in the place of each report code."""
        return self._report.sub(
            lambda found: said(f"{self._prefix}-{found[1]}-{int(found[2]):05}"), text[:LONGEST]
        )

    def after_code(self, text: str, kind: str) -> str | None:
        """What follows the code in a message that begins with one of a list and a code: "lời AP-…: …"."""
        found = self._report.search(text[:LONGEST])
        if not found or not self.means(text[: found.start()], kind):
            return None
        return text[found.end() :].lstrip(" \n.,:;-–").rstrip()

    def invite_code(self, text: str) -> str | None:
        """The invite code that a message is, alone or after /start, as it is printed."""
        found = _INVITE.fullmatch(text[:80].strip().upper())
        if not found or not text[:80].isascii():
            return None
        first, middle, last = found["first"], found["middle"], found["last"]
        code = first + last
        if not any(char.isdigit() for char in code):
            return None
        # `ngay 2024` and a telephone number are no codes, unless the form says so
        loose = not found["start"] and "-" not in middle
        if loose and (code.isdigit() or (middle and (first.isdigit() or last.isdigit()))):
            return None
        return None if not found["start"] and self.report_code(text) else f"{first}-{last}"

    def map_point(self, text: str) -> Point | None:
        """The point of a map link or of two bare numbers."""
        return map_point(text)

    def short_map_link(self, text: str) -> str | None:
        """A short link that has to be followed to know its point."""
        return short_map_link(text)


def _without_code(report: re.Pattern[str], text: str) -> str:
    """The words of a message without a report's code and without bare numbers."""
    words = report.sub(" ", text[:LONGEST]).split()
    return " ".join(word for word in words if not word.isdecimal())


def _leads_to(word: Match, danger: Match, said: Sequence[Token]) -> bool:
    """`Kẻo`, `sớm muộn`: what is feared in the same clause has not happened."""
    near = 0 <= danger.start - word.end <= GAP
    return near and said[word.start].clause == said[danger.start].clause


def _bare(match: Match) -> bool:
    """A single syllable without its accents: `do`, `ban`."""
    return match.mask.bit_count() == 1 and match.quality < 1


def _meant(matches: Sequence[Match]) -> Sequence[Match]:
    """Beside words whose accents agree, `đổ` is no slip for `đỗ`."""
    exact = [match for match in matches if match.exact]
    return exact if any(match.score >= ENOUGH and match.phrase.value for match in exact) else matches


def _texts(commune: Commune) -> Iterator[str]:
    """Everything that the commune wrote down as people say it."""
    for words in commune.words.values():
        yield from words
    for category in commune.categories.values():
        yield from (*category.words, *category.pairs, *category.hints)
    yield from commune.landmarks
    for unit in commune.units.values():
        yield from (unit.name, *unit.aliases)


def _by_text(words: Mapping[str, Sequence[str]], form: Callable[[str], str]) -> dict[str, frozenset[str]]:
    """The lists that each text is in; texts of the same lists share one set."""
    kinds: dict[str, frozenset[str]] = {}
    sets: dict[frozenset[str], frozenset[str]] = {}
    for kind, texts in words.items():
        for text in texts:
            if key := form(text):
                found = kinds.get(key, frozenset()) | {kind}
                kinds[key] = sets.setdefault(found, found)
    return kinds
