"""How far each target is: a bar for what was confirmed, hatched behind it what nobody has confirmed yet."""

from collections.abc import Mapping
from typing import Any

from bot.drawings.canvas import (
    DONE,
    INK,
    MARGIN,
    PAPER,
    PARTLY,
    RULE,
    SMALL,
    SOFT,
    USUAL,
    WIDTH,
    Canvas,
    footer,
    heading,
)

ROW, LEGEND, FOOT = 168, 74, 70
BAR_HEIGHT = 34
BAR_WIDTH = WIDTH - 2 * MARGIN
STRIPE = 12


def draw(words: dict[str, str], figures: Mapping[str, Any]) -> bytes:
    rows = figures["rows"]
    canvas = Canvas(210 + LEGEND + ROW * len(rows) + 10 + FOOT)
    top = heading(canvas, words)
    _legend(canvas, words, top)
    top += LEGEND
    for at, row in enumerate(rows):
        _row(canvas, words, at, row, top + at * ROW)
    footer(canvas, words)
    return canvas.png()


def _legend(canvas: Canvas, words: dict[str, str], top: float) -> None:
    y = top + LEGEND / 2 + 6
    canvas.box(MARGIN, y - 14, 44, 28, DONE)
    canvas.text(MARGIN + 58, y, words["bar"], SMALL)
    _striped(canvas, WIDTH / 2, y - 14, 44, 28)
    canvas.text(WIDTH / 2 + 58, y, words["waiting"], SMALL)


def _row(canvas: Canvas, words: dict[str, str], at: int, row: Mapping[str, Any], top: float) -> None:
    canvas.line((MARGIN, WIDTH - MARGIN), (top, top), RULE)
    share = words.get(f"share.{at}", "")
    name = canvas.lines(words[f"name.{at}"], BAR_WIDTH - 150, USUAL, most=1, bold=True)[0]
    canvas.text(MARGIN, top + 36, name, USUAL, bold=True)
    colour = DONE if row["share"] == 1.0 else INK
    canvas.text(WIDTH - MARGIN, top + 36, share, USUAL, colour, bold=True, align="right")
    if row["target"]:
        _bar(canvas, row, top + 66)
    told = top + (134 if row["target"] else 92)
    canvas.text(MARGIN, told, words[f"done.{at}"], SMALL)
    right = words.get(f"unconfirmed.{at}", "")
    right = words["reached"] if row["share"] == 1.0 and not right else right
    canvas.text(WIDTH - MARGIN, told, right, SMALL, SOFT, align="right")


def _bar(canvas: Canvas, row: Mapping[str, Any], y: float) -> None:
    """Both together never longer than the target."""
    done = BAR_WIDTH * min(1.0, row["done"] / row["target"])
    waiting = min(BAR_WIDTH - done, BAR_WIDTH * row["unconfirmed"] / row["target"])
    canvas.box(MARGIN, y, BAR_WIDTH, BAR_HEIGHT, RULE)
    canvas.box(MARGIN, y, done, BAR_HEIGHT, DONE)
    if waiting > 0:
        _striped(canvas, MARGIN + done, y, waiting, BAR_HEIGHT)


def _striped(canvas: Canvas, x: float, y: float, width: float, height: float) -> None:
    """Told apart without its colour, too."""
    canvas.box(x, y, width, height, PARTLY)
    at = STRIPE
    while at < width:
        canvas.box(x + at, y, min(STRIPE / 2, width - at), height, PAPER)
        at += STRIPE
