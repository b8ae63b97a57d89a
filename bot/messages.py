"""templates/messages → Message: plain text, and below `---` its buttons, one `label | action` a line."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from bot.core.message import Button, Message

FOLDER = Path(__file__).parent.parent / "templates" / "messages"
SEPARATOR = "\n---\n"
# A message with this line among its buttons asks for a place: channels that can show a location button.
PLACE_LINE = "@place"


@dataclass(frozen=True, slots=True)
class _Pair:
    text: Template
    buttons: Template | None


class Messages:
    """All messages, compiled at the first use. A missing variable raises: nothing half-filled is sent."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._pairs: dict[str, _Pair] = {}

    @cached_property
    def _environment(self) -> Environment:
        # Plain text goes out, no markup: there is nothing to escape.
        env = Environment(
            loader=FileSystemLoader(self._folder),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,  # noqa: S701
        )
        env.globals.update(vars(env.get_template("_words.txt").module))
        return env

    def names(self) -> list[str]:
        """Every message there is, as "audience/name"."""
        files = self._folder.glob("*/*.txt")
        return sorted(f"{file.parent.name}/{file.stem}" for file in files)

    def render(self, name: str, data: Mapping[str, Any]) -> Message:
        pair = self._pairs.get(name) or self._load(name)
        lines = pair.buttons.render(data).splitlines() if pair.buttons is not None else []
        wanted = [line for line in lines if line.strip() and line.strip() != PLACE_LINE]
        return Message(
            text=_tidy(pair.text.render(data)),
            buttons=tuple(_button(line) for line in wanted),
            place_wanted=len(wanted) < len([line for line in lines if line.strip()]),
        )

    def _load(self, name: str) -> _Pair:
        source = (self._folder / f"{name}.txt").read_text(encoding="utf-8")
        # Split before filling in: nothing a resident writes can become a button.
        text, found, buttons = source.partition(SEPARATOR)
        pair = _Pair(
            self._environment.from_string(text),
            self._environment.from_string(buttons) if found else None,
        )
        self._pairs[name] = pair
        return pair


def _button(line: str) -> Button:
    label, _, action = line.strip().rpartition(" | ")
    return Button(label.strip(), action.strip())


def _tidy(text: str) -> str:
    """Blank lines that conditions left behind go; single ones stay."""
    kept: list[str] = []
    for line in text.strip().splitlines():
        line = line.strip()
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept)
