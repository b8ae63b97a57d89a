"""A sheet to draw on, in pixels from the upper left, for phones: few colours, big letters."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.textpath import TextPath
from PIL import Image

WIDTH: Final = 1080
MARGIN: Final = 40
DPI: Final = 72
"""A point is a pixel."""

PAPER, BAND, RULE = "#ffffff", "#eef2f5", "#cfd6dc"
INK, SOFT = "#15191d", "#525c66"
HEAD, ON_HEAD = "#0b4f6c", "#ffffff"
# Apart for the colour-blind, too (https://jfly.uni-koeln.de/color/); each has a shape of its own besides.
DONE, PARTLY, NONE = "#0072b2", "#e69f00", "#c23b00"
GROUNDS: Final = (PAPER, BAND, HEAD, DONE)
COLOURS: Final = (PAPER, BAND, RULE, INK, SOFT, HEAD, DONE, PARTLY, NONE)
_STEPS: Final = 5
_APART: Final = 8

# Big enough on a phone, where 1,080 pixels are seven centimetres.
SMALL, USUAL, LARGE, TITLE = 28, 32, 40, 54
_FONTS: Final = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
# DejaVu comes with matplotlib, and has every Vietnamese letter.
FONT: Final = {False: _FONTS / "DejaVuSans.ttf", True: _FONTS / "DejaVuSans-Bold.ttf"}
_PROPERTIES: Final = {bold: FontProperties(fname=str(path)) for bold, path in FONT.items()}


class Canvas:
    def __init__(self, height: int) -> None:
        self.height = height
        self._figure = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, facecolor=PAPER)
        self._axes: Axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_xlim(0, WIDTH)
        self._axes.set_ylim(height, 0)
        self._axes.axis("off")

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        self._axes.add_patch(Rectangle((x, y), width, height, facecolor=colour, edgecolor="none"))

    def rounded(self, x: float, y: float, side: float, colour: str, edge: str) -> None:
        """A square with round corners."""
        shape = FancyBboxPatch(
            (x + 6, y + 6),
            side - 12,
            side - 12,
            boxstyle="round,pad=6,rounding_size=9",
            facecolor=colour,
            edgecolor=edge,
            linewidth=4,
        )
        self._axes.add_patch(shape)

    def line(self, xs: tuple[float, ...], ys: tuple[float, ...], colour: str, width: float = 2) -> None:
        self._axes.plot(
            xs, ys, color=colour, linewidth=width, solid_capstyle="round", solid_joinstyle="round"
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int = USUAL,
        colour: str = INK,
        *,
        bold: bool = False,
        align: str = "left",
    ) -> None:
        """`y` is the middle of the line. Nothing in a text is taken for a formula."""
        self._axes.text(
            x,
            y,
            text,
            fontproperties=_PROPERTIES[bold],
            fontsize=size,
            color=colour,
            horizontalalignment=align,
            verticalalignment="center_baseline",
            parse_math=False,
        )

    def width(self, text: str, size: int, *, bold: bool = False) -> float:
        if not text.strip():
            return 0.0
        plain = text.replace("$", r"\$")
        return float(TextPath((0, 0), plain, size=size, prop=_PROPERTIES[bold]).get_extents().width)

    def lines(self, text: str, room: float, size: int, most: int = 2, *, bold: bool = False) -> list[str]:
        """The text in lines of that width, word by word; the last one says with … that more would follow."""
        first, *rest = text.split() or [""]
        lines = [first]
        for word in rest:
            longer = f"{lines[-1]} {word}"
            if self.width(longer, size, bold=bold) <= room:
                lines[-1] = longer
            else:
                lines.append(word)
        if len(lines) <= most:
            return [self._cut(line, room, size, bold=bold) for line in lines]
        kept = [*lines[: most - 1], " ".join(lines[most - 1 :])]
        return [self._cut(line, room, size, bold=bold) for line in kept]

    def _cut(self, line: str, room: float, size: int, *, bold: bool) -> str:
        if self.width(line, size, bold=bold) <= room:
            return line
        while line and self.width(f"{line}…", size, bold=bold) > room:
            line = line[:-1].rstrip()
        return f"{line}…"

    def paragraph(
        self, x: float, y: float, text: str, room: float, size: int = USUAL, *, bold: bool = False
    ) -> None:
        """At most two lines around `y`."""
        lines = self.lines(text, room, size, bold=bold)
        step = size * 1.15
        for at, line in enumerate(lines):
            self.text(x, y + step * (at - (len(lines) - 1) / 2), line, size, bold=bold)

    def png(self) -> bytes:
        """In few colours, so that it is small."""
        pixels = BytesIO()
        self._figure.savefig(pixels, format="raw", dpi=DPI)
        whole = Image.frombytes("RGBA", (WIDTH, self.height), pixels.getvalue()).convert("RGB")
        few = whole.quantize(palette=_palette(), dither=Image.Dither.NONE)
        out = BytesIO()
        few.save(out, "PNG", optimize=True)
        return out.getvalue()


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _palette() -> Image.Image:
    """Every colour, and a few steps from each ground to each: the soft edges of letters.

    Pillow looks for the nearest by six bits of eight: two that are nearer than that would be mixed up.
    """
    few = [rgb(colour) for colour in COLOURS]
    for step in _blends():
        if all(max(abs(a - b) for a, b in zip(step, kept, strict=True)) > _APART for kept in few):
            few.append(step)
    image = Image.new("P", (1, 1))
    image.putpalette([part for colour in few[:256] for part in colour])
    return image


def _blends() -> Iterator[tuple[int, int, int]]:
    for ground in GROUNDS:
        for colour in COLOURS:
            for step in range(1, _STEPS):
                one, other = rgb(ground), rgb(colour)
                red, green, blue = (
                    round(a + (b - a) * step / _STEPS) for a, b in zip(one, other, strict=True)
                )
                yield red, green, blue


def heading(canvas: Canvas, words: dict[str, str]) -> float:
    """What it is, whose, and until when it counts. Where the rest may begin."""
    canvas.box(0, 0, WIDTH, 210, HEAD)
    canvas.text(MARGIN, 62, words["title"], TITLE, ON_HEAD, bold=True)
    whose = canvas.lines(words["whose"], WIDTH - 2 * MARGIN, USUAL + 2, most=1)[0]
    canvas.text(MARGIN, 124, whose, USUAL + 2, ON_HEAD)
    canvas.text(MARGIN, 172, words["upto"], SMALL, ON_HEAD)
    return 210


def footer(canvas: Canvas, words: dict[str, str]) -> None:
    canvas.text(WIDTH / 2, canvas.height - 34, words["commune"], SMALL, SOFT, align="center")
