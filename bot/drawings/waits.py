"""Rows of weeks or of villages: how many were reported, after how long they were taken on, and dealt with."""

from collections.abc import Mapping
from typing import Any

from bot.drawings.canvas import (
    BAND,
    DONE,
    HEAD,
    MARGIN,
    RULE,
    SMALL,
    SOFT,
    USUAL,
    WIDTH,
    Canvas,
    footer,
    heading,
)

LEGEND, HEADS, FOOT = 74, 64, 70
# A few rows may have more room than twenty.
TALL, LOW, MANY = 116, 86, 12
NAME, BAR, ANSWER, SOLVE = MARGIN + 10, 240, 560, 800
BAR_LONGEST = 210


def draw(words: dict[str, str], figures: Mapping[str, Any]) -> bytes:
    rows = figures["rows"]
    row_height = TALL if len(rows) <= MANY else LOW
    canvas = Canvas(210 + LEGEND + HEADS + row_height * len(rows) + 20 + FOOT)
    top = heading(canvas, words)
    canvas.text(MARGIN, top + LEGEND / 2 + 6, words["legend"], SMALL, SOFT)
    top += LEGEND
    _heads(canvas, words, top)
    top += HEADS
    most = max([row["filed"] for row in rows], default=0)
    for at, row in enumerate(rows):
        y = top + at * row_height
        if at % 2 == 0:
            canvas.box(MARGIN, y, WIDTH - 2 * MARGIN, row_height, BAND)
        _row(canvas, words, at, row["filed"] / most if most else 0.0, y + row_height / 2)
    footer(canvas, words)
    return canvas.png()


def _heads(canvas: Canvas, words: dict[str, str], top: float) -> None:
    for x, name in ((NAME, "first"), (BAR, "filed"), (ANSWER, "answer"), (SOLVE, "solve")):
        canvas.text(x, top + HEADS / 2, words[name], SMALL, HEAD, bold=True)
    canvas.line((MARGIN, WIDTH - MARGIN), (top + HEADS, top + HEADS), RULE)


def _row(canvas: Canvas, words: dict[str, str], at: int, share: float, y: float) -> None:
    canvas.paragraph(NAME, y, words[f"name.{at}"], BAR - NAME - 14, USUAL)
    length = BAR_LONGEST * share
    if length:
        canvas.box(BAR, y - 20, max(4.0, length), 40, DONE)
    canvas.text(BAR + length + 14, y, words[f"filed.{at}"], USUAL, bold=True)
    for x, name in ((ANSWER, "answer"), (SOLVE, "solve")):
        _waited(canvas, words, f"{name}.{at}", x, y)


def _waited(canvas: Canvas, words: dict[str, str], name: str, x: float, y: float) -> None:
    """Half of them in large letters, nine tenths below."""
    if name not in words:
        canvas.text(x, y, words["none"], USUAL, SOFT)
        return
    canvas.text(x, y - 18, words[name], USUAL, bold=True)
    canvas.text(x, y + 20, f"{words['within']} {words[f'{name}.late']}", SMALL - 2, SOFT)
