"""A text too long for one message of a platform, cut where a reader would pause."""

import unicodedata


def split(text: str, most: int) -> list[str]:
    """Parts of at most `most` characters (NFC): cut between paragraphs, lines, words, else anywhere."""
    text = unicodedata.normalize("NFC", text)
    parts: list[str] = []
    while len(text) > most:
        at = _cut(text, most)
        parts.append(text[:at].rstrip())
        text = text[at:].lstrip()
    return [*parts, text]


def _cut(text: str, most: int) -> int:
    for pause in ("\n\n", "\n", " "):
        at = text.rfind(pause, 1, most + 1)
        # A first part of a few words is no part: the next kind of pause is better.
        if at > most // 3:
            return at
    return most
