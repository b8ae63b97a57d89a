"""A text too long for one message of a platform, cut where a reader would pause."""

import unicodedata


def split(text: str, most: int) -> list[str]:
    """Parts of at most `most` characters (NFC): cut between paragraphs, lines, words, else anywhere.

    What a platform counts as a character is not always written: in UTF-16 units nothing is shorter.
    """
    text = unicodedata.normalize("NFC", text)
    parts: list[str] = []
    while (fits := len(clipped(text, most))) < len(text):
        at = _cut(text, fits)
        parts.append(text[:at].rstrip())
        text = text[at:].lstrip()
    return [*parts, text]


def clipped(text: str, most: int) -> str:
    """As much of its beginning as fits `most` UTF-16 units."""
    if len(text) * 2 <= most or text.isascii():
        return text[:most]
    return text.encode("utf-16-le", "surrogatepass")[: most * 2].decode("utf-16-le", "ignore")


def _cut(text: str, most: int) -> int:
    for pause in ("\n\n", "\n", " "):
        at = text.rfind(pause, 1, most + 1)
        # A first part of a few words is no part: the next kind of pause is better.
        if at > most // 3:
            return at
    return most
