"""The board of clean-ups: a row for each unit, a column for each campaign, a mark for what was said of it."""

from collections.abc import Callable, Mapping
from typing import Any

from bot.drawings.canvas import (
    BAND,
    DONE,
    INK,
    LARGE,
    MARGIN,
    NONE,
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

ROW, COLUMNS_HEAD, LEGEND_ROW, FOOT = 66, 150, 56, 70
COLUMN, MARK = 128, 44
STATES = ("reported", "accepted", "silent", "later")


def draw(words: dict[str, str], figures: Mapping[str, Any]) -> bytes:
    columns, rows = figures["columns"], figures["rows"]
    legend = 2 * LEGEND_ROW + 30
    canvas = Canvas(210 + legend + COLUMNS_HEAD + len(rows) * ROW + 20 + FOOT)
    top = heading(canvas, words)
    _legend(canvas, words, top + 15)
    top += legend
    _columns(canvas, words, len(columns), top)
    top += COLUMNS_HEAD
    names = [words[f"name.{at}"] for at in range(len(rows))]
    room = WIDTH - 2 * MARGIN - COLUMN * len(columns) - 20
    long = any(canvas.width(name, USUAL) > room for name in names)
    for at, row in enumerate(rows):
        y = top + at * ROW
        if at % 2 == 0:
            canvas.box(MARGIN, y, WIDTH - 2 * MARGIN, ROW, BAND)
        canvas.paragraph(MARGIN + 10, y + ROW / 2, names[at], room, SMALL - 2 if long else USUAL)
        _row(canvas, row["cells"], y)
    footer(canvas, words)
    return canvas.png()


def _legend(canvas: Canvas, words: dict[str, str], top: float) -> None:
    half = (WIDTH - 2 * MARGIN) / 2
    for at, state in enumerate(STATES):
        x, y = MARGIN + half * (at % 2), top + LEGEND_ROW * (at // 2)
        mark(canvas, state, x, y + (LEGEND_ROW - MARK) / 2)
        canvas.text(x + MARK + 16, y + LEGEND_ROW / 2, words[state], SMALL)


def _columns(canvas: Canvas, words: dict[str, str], count: int, top: float) -> None:
    canvas.line((MARGIN, WIDTH - MARGIN), (top, top), RULE)
    canvas.text(MARGIN + 10, top + 112, words["total"], SMALL, SOFT)
    for at in range(count):
        x = _middle(at, count)
        canvas.text(x, top + 34, words[f"column.{at}"], LARGE - 4, bold=True, align="center")
        canvas.text(x, top + 74, words.get(f"day.{at}", ""), SMALL, SOFT, align="center")
        canvas.text(x, top + 112, words[f"count.{at}"], SMALL, DONE, bold=True, align="center")


def _middle(at: int, count: int) -> float:
    return WIDTH - MARGIN - COLUMN * (count - at) + COLUMN / 2


def _row(canvas: Canvas, cells: list[str], top: float) -> None:
    for at, state in enumerate(cells):
        mark(canvas, state, _middle(at, len(cells)) - MARK / 2, top + (ROW - MARK) / 2)


# Each state has its colour and its shape ------------------------------------------------------------


def mark(canvas: Canvas, state: str, x: float, y: float) -> None:
    MARKS[state](canvas, x, y)


def _reported(canvas: Canvas, x: float, y: float) -> None:
    canvas.rounded(x, y, MARK, DONE, DONE)
    canvas.line((x + 11, x + 19, x + 33), (y + 23, y + 31, y + 14), PAPER, 5)


def _accepted(canvas: Canvas, x: float, y: float) -> None:
    """Half full."""
    canvas.rounded(x, y, MARK, PAPER, PARTLY)
    canvas.box(x + 3, y + MARK / 2, MARK - 6, MARK / 2 - 4, PARTLY)


def _silent(canvas: Canvas, x: float, y: float) -> None:
    canvas.rounded(x, y, MARK, PAPER, NONE)
    canvas.line((x + 14, x + 30), (y + 14, y + 30), NONE, 5)
    canvas.line((x + 30, x + 14), (y + 14, y + 30), NONE, 5)


def _later(canvas: Canvas, x: float, y: float) -> None:
    canvas.line((x + 12, x + 32), (y + MARK / 2, y + MARK / 2), INK, 3)


MARKS: dict[str, Callable[[Canvas, float, float], None]] = {
    "reported": _reported,
    "accepted": _accepted,
    "silent": _silent,
    "later": _later,
}
