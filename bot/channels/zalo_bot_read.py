"""Reading what the Zalo Bot Platform tells, defensively: what arrived, from whom, in which chat.

https://docs.zaloplatforms.com/docs/BOT (webhook). Links, files, places and cards arrive without content, and
so does every message of the people whom the platform protects; there are no buttons, so nothing is a press.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from bot.channels.base import Malformed, Parsed, Received, field
from bot.channels.payloads import closed, guarded, identity, looked_up, opened, required, text
from bot.core.events import Address, Event, FileRef, PhotoSent, PlaceSent, Unsupported, VoiceSent, Words

NAME: Final = "zalo_bot"

# An event of our own: the platform keeps places to itself.
POINTED: Final = "message.place.pointed"

_NOWHERE: Final = "0"
_GROUP: Final = {"PRIVATE": False, "GROUP": True}

Payload = dict[str, Any]
Reader = Callable[[Payload], Event | None]


def receive(body: bytes) -> Received:
    """Read an event's identity and chat, no more. Raises Malformed.

    An empty body, with which the platform tries the address, is Malformed as well: it is answered 200 and
    kept aside, once.
    """
    if not body.strip():
        raise Malformed("empty")
    with guarded():
        told = _unwrapped(opened(body))
        return Received(_identity(told), _chat(told) or _NOWHERE, closed(told))


def location(chat: str, lat: float, lon: float, event: str, ms: int) -> Received:
    """A place that a person pointed out on our page, in the shape of what the platform tells."""
    message = {
        "message_id": event,
        "chat": {"id": chat, "chat_type": "PRIVATE"},
        "from": {"id": chat},
        "date": ms,
        "point": [lat, lon],
    }
    return receive(json.dumps({"event_name": POINTED, "message": message}).encode())


def parse(raw: str) -> Parsed | None:
    """Read a stored event. Raises Malformed."""
    with guarded():
        told = json.loads(raw)
        reader = EVENTS.get(required(told["event_name"], "event_name"))
        if reader is None or field(told, "message", "from").get("is_bot"):
            return None
        message = told["message"]
        event = reader(message)
        if event is None:
            return None
        sender, account = message["from"], required(field(message, "from", "id"), "sender")
        return Parsed(_address(message), account, event, text(sender.get("display_name")))


def _unwrapped(payload: Payload) -> Payload:
    """The documents wrap an event in `result`, the platform sends it bare."""
    inner = payload.get("result")
    return inner if isinstance(inner, dict) else payload


def _identity(told: Payload) -> str:
    """Only an event that brings a message is sure to mean that message by its id."""
    name = required(told["event_name"], "event_name")
    message = identity(looked_up(told, "message", "message_id"))
    if name in EVENTS and message is not None:
        return message
    moment = required(looked_up(told, "message", "date"), "date")
    return f"{name}/{_chat(told) or _NOWHERE}/{moment}"


def _chat(told: Payload) -> str | None:
    holders = (("chat", "id"), ("from", "id"))
    found = (identity(looked_up(told, "message", *path)) for path in holders)
    return next(filter(None, found), None)


def _address(message: Payload) -> Address:
    """A kind of chat that we do not know may have readers: nothing is said there."""
    kind = field(message, "chat", "chat_type")
    if kind not in _GROUP:
        raise Malformed("chat_type")
    return Address(NAME, required(field(message, "chat", "id"), "chat"), _GROUP[kind])


def _said(message: Payload) -> Event | None:
    words = text(field(message, "text"))
    return Words(words) if words else None


def _shown(message: Payload) -> Event:
    """`photo` in the documents, `photo_url` in what arrives."""
    return PhotoSent(_file(message, "photo_url", "photo"), text(message.get("caption")))


def _spoken(message: Payload) -> Event:
    return VoiceSent(_file(message, "voice_url"), 0, text(message.get("caption")))


def _pointed(message: Payload) -> Event:
    lat, lon = message["point"]
    return PlaceSent(float(lat), float(lon))


def _file(message: Payload, *names: str) -> FileRef:
    """Its address is its id: the one who fetches it decides which hosts may be asked."""
    url = next(filter(None, (text(message.get(name)) for name in names)), None)
    if url is None:
        raise Malformed("url")
    return FileRef(url)


# Every event that the documents name; others are ignored, and what arrived stays stored.
EVENTS: Final[dict[str, Reader]] = {
    "message.text.received": _said,
    "message.image.received": _shown,
    "message.voice.received": _spoken,
    "message.sticker.received": lambda _: Unsupported("sticker"),
    "message.unsupported.received": lambda _: Unsupported("other"),
    POINTED: _pointed,
}
