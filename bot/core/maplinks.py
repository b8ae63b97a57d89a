"""Points in map links and in bare numbers."""

import re
from typing import Final
from urllib.parse import unquote, urlsplit

from bot.core.commune import Point
from bot.core.places import valid
from bot.core.text import LONGEST

_DEGREES: Final = r"(-?\d{1,3}(?:\.\d{1,20})?)"
_MAPS: Final = (
    re.compile(rf"!3d{_DEGREES}!4d{_DEGREES}", re.ASCII),
    re.compile(rf"[?&](?:m?lat)={_DEGREES}&(?:m?lon|lng)={_DEGREES}", re.ASCII),
    re.compile(
        rf"[?&](?:q|query|ll|sll|center|destination|daddr|coordinate|cp|loc)=(?:loc:)?{_DEGREES}[,~]\s?\+?{_DEGREES}",
        re.ASCII,
    ),
    re.compile(rf"@{_DEGREES},{_DEGREES}", re.ASCII),
    re.compile(rf"#map=\d{{1,2}}(?:\.\d{{1,4}})?/{_DEGREES}/{_DEGREES}", re.ASCII),
    re.compile(rf"\bgeo:{_DEGREES},{_DEGREES}", re.ASCII),
    re.compile(rf"/maps/(?:search|place|dir)/{_DEGREES},\s?\+?{_DEGREES}", re.ASCII),
    re.compile(
        r"(?<![\w.,/-])(-?\d{1,2}\.\d{2,20})\s{0,3}[,; ]\s{0,3}(1\d{2}\.\d{2,20})(?![\w/]|\.\d)", re.ASCII
    ),
)
_SEXAGESIMAL: Final = re.compile(
    r"(\d{1,2})°\s?(\d{1,2})['′’]\s?(\d{1,2}(?:\.\d{1,9})?)[\"″”]\s?([NSns])[\s,+]{1,3}"
    r"(\d{1,3})°\s?(\d{1,2})['′’]\s?(\d{1,2}(?:\.\d{1,9})?)[\"″”]\s?([EWew])",
    re.ASCII,
)
_LINK: Final = re.compile(r"https://[^\s<>\"]{1,500}", re.ASCII | re.IGNORECASE)


def _sexagesimal(text: str) -> Point | None:
    if not (found := _SEXAGESIMAL.search(text)):
        return None
    lat = int(found[1]) + int(found[2]) / 60 + float(found[3]) / 3600
    lon = int(found[5]) + int(found[6]) / 60 + float(found[7]) / 3600
    return valid(-lat if found[4] in "Ss" else lat, -lon if found[8] in "Ww" else lon)


def map_point(text: str) -> Point | None:
    """The point of a Google, OpenStreetMap or Apple map link, or of two bare numbers."""
    read = unquote(text[:LONGEST])
    for form in _MAPS:
        if found := form.search(read):
            return valid(float(found[1]), float(found[2]))
    return _sexagesimal(read)


def short_map_link(text: str) -> str | None:
    """The first short Google Maps link, of exactly the hosts that make them."""
    for found in _LINK.finditer(text[:LONGEST]):
        link = found[0].rstrip(".,;:!?)'”’")
        try:
            parts = urlsplit(link)
            plain = parts.netloc == parts.hostname  # no user, no port, no capitals
        except ValueError:
            continue
        path = parts.path
        if plain and (
            (parts.netloc == "maps.app.goo.gl" and len(path) > 1)
            or (parts.netloc == "goo.gl" and path.startswith("/maps/") and len(path) > 6)
        ):
            return link
    return None
