"""Reads values out of what a caller sent, and refuses with -201 what has another shape than documented."""

from collections.abc import Collection
from typing import Any

from bench.standin_zalo.errors import Refused, invalid

Json = dict[str, Any]
TEXT_LONGEST = 2000


def mapping(given: object, field: str) -> Json:
    if not isinstance(given, dict):
        raise invalid(field)
    return given


def listing(given: object, field: str) -> list[Any]:
    if not isinstance(given, list) or not given:
        raise invalid(field)
    return given


def string(given: object, field: str, longest: int | None = None) -> str:
    """Never empty; a number where a string belongs is refused, as ids are strings."""
    if not isinstance(given, str) or not given.strip():
        raise invalid(field)
    if longest is not None and units(given) > longest:
        raise invalid(field)
    return given


def identity(given: object, field: str) -> str:
    found = string(given, field)
    if not found.isdecimal():
        raise invalid(field)
    return found


def address(given: object, field: str, schemes: tuple[str, ...] = ("http://", "https://")) -> str:
    found = string(given, field)
    if not found.startswith(schemes):
        raise invalid(field)
    return found


def number(given: object, field: str, most: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise invalid(field)
    if given > most:
        raise Refused(-210)
    return given


def only(given: Json, allowed: Collection[str]) -> None:
    for name in given:
        if name not in allowed:
            raise invalid(name)


def units(text: str) -> int:
    """Nobody says what Zalo counts as a character: in UTF-16 units a text is never shorter."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
