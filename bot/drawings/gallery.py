"""Every kind of picture, and which drawing makes it."""

from collections.abc import Callable, Mapping
from typing import Any

from bot.drawings import board, targets, waits

Draw = Callable[[dict[str, str], Mapping[str, Any]], bytes]
KINDS: dict[str, Draw] = {
    "board": board.draw,
    "targets": targets.draw,
    "weeks": waits.draw,
    "villages": waits.draw,
}


def draw(spec: Mapping[str, Any]) -> bytes:
    """A picture from its kind, its words and its figures; whatever is missing raises."""
    return KINDS[spec["kind"]](spec["words"], spec["figures"])


def warm_up() -> None:
    """One small picture: fonts and whatever is loaded late are there, then the limits are set."""
    words = {"title": "", "whose": "", "upto": "", "commune": "", "total": ""}
    legend = dict.fromkeys(("reported", "accepted", "silent", "later"), "x")
    board.draw(words | legend | {"name.0": "x"}, {"rows": [{"cells": []}], "columns": []})
