"""Words that begin with l for n or n for l, put back as the commune spells them."""

from collections.abc import Iterable, Sequence
from typing import Final

from bot.core.text import Token, accented, fold

_SWAPPED: Final = {"l": "n", "n": "l"}


class Spelling:
    """What words there are, by the commune's own texts: `lước` is none of them, and `nước` is."""

    def __init__(self, texts: Iterable[str]) -> None:
        words = {word for text in texts for word in text.split()}
        self._typed = {part for word in words for part in accented(word).split()}
        self._plain = {part for word in words for part in fold(word).split()}

    def word(self, word: str) -> str:
        """One word in lower case, as typed."""
        known = self._typed if not word.isascii() else self._plain
        other = _SWAPPED.get(word[:1])
        if other is None or word in known:
            return word
        swapped = other + word[1:]
        return swapped if swapped in known else word

    def text(self, words: str) -> str:
        """Several words in lower case."""
        return " ".join([self.word(word) for word in words.split()])

    def tokens(self, said: Sequence[Token]) -> list[Token]:
        """The same words where they stood: a letter for a letter moves nothing."""
        return [self._token(token) for token in said]

    def _token(self, token: Token) -> Token:
        heard = self.word(token.typed or token.plain)
        if heard == (token.typed or token.plain):
            return token
        return token._replace(plain=heard[0] + token.plain[1:], typed=heard if token.typed else "")
