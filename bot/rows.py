"""What is promised, as it stands in the outbox: one row is one call of the platform."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.channels.base import Abilities
from bot.core import when
from bot.core.effects import Picture
from bot.core.events import Address
from bot.core.message import Button, Message
from bot.core.split import split

# Where choices are written in the text, too, five of them and how to answer take no more.
CHOICES_ROOM = 320


def outbox_row(to: Address, name: str, message: Message, now: int) -> dict[str, Any]:
    return {
        "channel": to.channel,
        "chat": to.chat,
        "grouped": to.group,
        "message": name,
        "text": message.text,
        "buttons": as_json(message.buttons),
        "wants_place": message.place_wanted,
        "numbered": message.numbered,
        "made_at": now,
        "due_at": now,
    }


def as_json(buttons: Sequence[Button]) -> str:
    return json.dumps([[b.label, b.action] for b in buttons], ensure_ascii=False) if buttons else "[]"


def as_buttons(text: str) -> tuple[Button, ...]:
    return tuple(Button(label, action) for label, action in json.loads(text))


def parts(row: dict[str, Any], able: Abilities) -> list[dict[str, Any]]:
    """One row is one call of the platform: a text too long for it becomes several, choices under the last."""
    texts = split(row["text"], able.text_max - (CHOICES_ROOM if able.numbered else 0))
    key = row["key"]
    early = [
        {"text": part, "buttons": "[]", "wants_place": False, "key": f"{key}/{n}" if key else None}
        for n, part in enumerate(texts[:-1])
    ]
    return [*(row | part for part in early), row | {"text": texts[-1]}]


def how_to_place(row: dict[str, Any], picture: str, now: int) -> dict[str, Any]:
    """Before a message that wants a place, a picture of how one is sent: to each chat once a day."""
    key = f"place_picture/{row['channel']}:{row['chat']}/{when.local(now).date()}"
    bare = {"text": "", "buttons": "[]", "wants_place": False, "question": False, "photo": picture}
    return row | bare | {"key": key}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture as it will be drawn (JSON), and where in the store it will be: by all that it shows."""

    key: str
    spec: str


def drawing(picture: Picture, words: str) -> Drawing:
    """`words` are the lines of its template: "name: what is written there"."""
    lines = (line.partition(": ") for line in words.splitlines())
    told = {name: text for name, colon, text in lines if colon}
    whole = {"kind": picture.words.rpartition("/")[2], "words": told, "figures": picture.figures}
    spec = json.dumps(whole, ensure_ascii=False, sort_keys=True)
    return Drawing(f"pictures/{hashlib.sha256(spec.encode()).hexdigest()}.png", spec)
