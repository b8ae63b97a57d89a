"""Which of the numbered spots a message speaks of: "don xong diem 1, 3", "ca hai", "diem 3 chua"."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bot.core.text import Token, compose, number, tokens

_NAME: Final = "diem"
_DONE: Final = frozenset({"da", "don", "xong", "sach", "roi", "quet", "lam"})
_NOT: Final = frozenset({"chua", "khong", "sot", "con", "bo"})
_BETWEEN: Final = frozenset({"va", "voi", "cung"})
# "Tất cả", "toàn bộ"; "cả hai" counts.
_ALL: Final = (("tat", "ca"), ("toan", "bo"))
_BOTH: Final = "ca"


@dataclass(frozen=True, slots=True)
class Spots:
    """Numbers of the list that are `done`, and that are not (`back`); `rest` is what else was said."""

    done: tuple[int, ...]
    back: tuple[int, ...]
    rest: str


@dataclass(frozen=True, slots=True)
class _Numbers:
    at: int
    to: int
    which: tuple[int, ...]


def spots_in(text: str, count: int, *, asked: bool) -> Spots | None:
    """What a message says of `count` spots; None: nothing. Bare numbers count when they were `asked` for."""
    text = compose(text)
    said = tokens(text)
    plain = [token.plain for token in said]
    found = list(_numbers(said, plain, count, asked=asked and _only_numbers(plain)))
    if not found:
        return None
    done: dict[int, bool] = {}
    for numbers in found:
        done |= dict.fromkeys(numbers.which, not _denied(said, numbers, found))
    rest = _rest(text, said, found)
    return Spots(tuple(n for n in done if done[n]), tuple(n for n in done if not done[n]), rest)


def _only_numbers(plain: Sequence[str]) -> bool:
    """Whether there is nothing in it but numbers, what stands between them, and whether it is done."""
    small = _DONE | _NOT | _BETWEEN | {_NAME, _BOTH, "a", "so", *(word for both in _ALL for word in both)}
    return all(word in small or number([word], 0) is not None for word in plain)


def _numbers(said: Sequence[Token], plain: Sequence[str], count: int, *, asked: bool) -> Iterator[_Numbers]:
    at = 0
    while at < len(plain):
        found = _all_of(plain, at, count, asked=asked) or _named(said, plain, at, count, asked=asked)
        if found is not None:
            yield found
        at = at + 1 if found is None else found.to


def _all_of(plain: Sequence[str], at: int, count: int, *, asked: bool) -> _Numbers | None:
    """ "Tất cả", "cả hai": only where it is said of spots, or that they are done."""
    to = at + 2
    both = plain[at] == _BOTH and number(plain[at + 1 : to], 0) == (count, 1)
    if not both and tuple(plain[at:to]) not in _ALL:
        return None
    about = asked or set(plain[max(0, at - 3) : at]) & _DONE or plain[to : to + 1] == [_NAME]
    if not about or (plain[to : to + 1] and plain[to] not in _DONE | _NOT | {_NAME, "a"}):
        return None
    return _Numbers(at, to + (plain[to : to + 1] == [_NAME]), tuple(range(1, count + 1)))


def _named(
    said: Sequence[Token], plain: Sequence[str], at: int, count: int, *, asked: bool
) -> _Numbers | None:
    """ "Điểm 1, 3 và 4"; a number that counts something else ("diem 1, 2 tan rac") ends it."""
    start = at
    if plain[at] == _NAME:
        at += 1
    elif not asked:
        return None
    which: list[int] = []
    while at < len(plain):
        read = number([plain[at]], 0)
        if read is None or not 1 <= read[0] <= count or (which and not _ends(said, plain, at)):
            break
        which.append(read[0])
        at += 1
        ahead = at
        while ahead < len(plain) and plain[ahead] in _BETWEEN | {_NAME}:
            ahead += 1
        if ahead > at and (ahead == len(plain) or number([plain[ahead]], 0) is None):
            break
        at = ahead
    return _Numbers(start, at, tuple(which)) if which else None


def _ends(said: Sequence[Token], plain: Sequence[str], at: int) -> bool:
    """Whether nothing is counted by the number there."""
    if at + 1 == len(plain) or said[at + 1].clause != said[at].clause:
        return True
    after = plain[at + 1]
    return after in _DONE | _NOT | _BETWEEN | {_NAME, "a"} or number([after], 0) is not None


def _denied(said: Sequence[Token], numbers: _Numbers, found: Sequence[_Numbers]) -> bool:
    """Whether it is not done: what stands before them in their clause says so, or what follows them does."""
    first, last = said[numbers.at], said[numbers.to - 1]
    before = max((other.to for other in found if other.to <= numbers.at), default=0)
    behind = min((other.at for other in found if other.at >= numbers.to), default=len(said))
    follows = [token.plain for token in said[numbers.to : behind]]
    if follows and follows[0] in _NOT:
        # "Diem 1, chua don diem 3": the denial is the other's.
        return said[numbers.to].clause == last.clause or not (behind < len(said) and len(follows) <= 3)
    if follows and follows[0] in _DONE:
        return False
    leads = [token.plain for token in said[before : numbers.at] if token.clause == first.clause]
    return any(word in _NOT for word in leads[-4:])


def _rest(text: str, said: Sequence[Token], found: Sequence[_Numbers]) -> str:
    """The text without the spots and the words that say whether they are done."""
    used = {at for numbers in found for at in range(numbers.at, numbers.to)}
    for numbers in found:
        left, right = numbers.at - 1, numbers.to
        while left >= 0 and said[left].plain in _DONE | _NOT:
            used.add(left)
            left -= 1
        while right < len(said) and said[right].plain in _DONE | _NOT:
            used.add(right)
            right += 1
    kept, at = "", 0
    for index in sorted(used):
        kept += text[at : said[index].start] + " "
        at = max(at, said[index].end)
    return " ".join((kept + text[at:]).split()).strip(" ,.;:")
