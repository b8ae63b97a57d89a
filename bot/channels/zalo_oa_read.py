"""Reading the events of a Zalo Official Account, defensively: what arrived, from whom, in which chat.

https://docs.zaloplatforms.com/docs/OA (webhook)
"""

import hashlib
import hmac
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from bot.channels.base import Malformed, Parsed, Received, field
from bot.channels.payloads import closed, guarded, identity, looked_up, opened, required, size, text
from bot.core.events import (
    Address,
    Answered,
    Entered,
    Event,
    FileRef,
    Left,
    PhotoSent,
    PlaceSent,
    Pressed,
    Unsupported,
    VoiceSent,
    Withdrawn,
    Words,
)

NAME: Final = "zalo_oa"
# A press comes back as words that equal the button's payload, so the payload says that it is ours. Anybody
# can type it: a press authorises nothing.
PREFIX: Final = "#apx:"
ACTION_LONGEST: Final = 64
# One event is cut into as many rows as it has files; no person picks more at once.
PARTS_MOST: Final = 100
# What says, in a stored row, which file of how many it holds.
PART: Final = "apx_part"
PARTS: Final = "apx_parts"

_NOWHERE: Final = "0"
_DEGREES: Final = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,40})?")
_PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif")
_SOUNDS: Final = (".aac", ".amr", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav")

Payload = dict[str, Any]
Reader = Callable[[Payload], Event | None]


# --- what is stored


def receive_all(body: bytes, ours: str = "") -> list[Received]:
    """Read an event's identity and chat; an event of several files becomes a row for each. Raises Malformed.

    Nothing, when it is known which account is `ours` and the event says that it belongs to another.

    What is stored is decided, fetched, tried again or set aside one by one, so one bad photo of an event
    takes no other with it. This is what the webhook has to store, in its order.
    """
    with guarded():
        payload = opened(body)
        if ours and _official(payload) not in (None, ours):
            return []
        event, chat = _identity(payload), _chat(payload) or _NOWHERE
        return [
            Received(f"{event}/{number}" if number else event, chat, closed(part))
            for number, part in enumerate(_parts(payload))
        ]


def _official(payload: Payload) -> str | None:
    """The account that an event belongs to: one webhook serves all of an app. None: it does not say."""
    side = "sender" if payload["event_name"].startswith("oa_") else "recipient"
    told = identity(payload.get("oa_id"))
    return told or (None if _in_group(payload["event_name"]) else identity(looked_up(payload, side, "id")))


def receive(body: bytes) -> Received:
    """The first row of `receive_all`: all of it, but for an event of several files. Raises Malformed."""
    return receive_all(body)[0]


def _parts(payload: Payload) -> list[Payload]:
    message: Any = payload.get("message")
    files = looked_up(message, "attachments")
    if payload["event_name"] not in _OF_FILES or not isinstance(files, list) or not files:
        return [payload]
    if len(files) > PARTS_MOST:
        raise Malformed("attachments")
    return [
        {**payload, "message": {**message, "attachments": [file]}, PART: number, PARTS: len(files)}
        for number, file in enumerate(files)
    ]


def _identity(payload: Payload) -> str:
    """Only a new message lends its id: a reaction or a receipt names the message that it is about."""
    name = required(payload["event_name"], "event_name")
    message = identity(looked_up(payload, "message", "msg_id"))
    if "_send_" in name and message is not None:
        return message
    return f"{name}/{_chat(payload) or _NOWHERE}/{required(payload['timestamp'], 'timestamp')}"


def _chat(payload: Payload) -> str | None:
    """Where it happened: the group, the person whom the authority wrote to, or the person who did it."""
    holders = _holders(payload["event_name"])
    return next((found for path in holders if (found := identity(looked_up(payload, *path)))), None)


def _holders(name: str) -> tuple[tuple[str, ...], ...]:
    if _in_group(name):
        return ("group_id",), ("recipient", "id")
    if name.startswith("oa_"):
        return ("recipient", "id"), ("user_id",)
    return ("sender", "id"), ("follower", "id"), ("user_id",)


def _in_group(name: str) -> bool:
    return "_group" in name


def location(chat: str, lat: float, lon: float, event: str, ms: int) -> Received:
    """A place that a person pointed out elsewhere, as Zalo would have told it; `event` becomes its id.

    Nothing here is signed by Zalo: whoever calls knows who pointed.
    """
    point = {"latitude": f"{lat:.6f}", "longitude": f"{lon:.6f}"}
    place = {"type": "location", "payload": {"coordinates": point}}
    payload = {
        "event_name": "user_send_location",
        "sender": {"id": chat},
        "message": {"msg_id": event, "attachments": [place]},
        "timestamp": str(ms),
    }
    return receive(json.dumps(payload).encode())


# --- what it means


def parse(raw: str, names: Mapping[str, str] = {}) -> Parsed | None:
    """Read a stored event; `names` is what we know people to be called, by user id. Raises Malformed."""
    with guarded():
        payload = json.loads(raw)
        name = required(payload["event_name"], "event_name")
        reader = EVENTS.get(name)
        event = None if reader is None else reader(payload)
        if event is None:
            return None
        chat = required(_chat(payload), "chat")
        account = _account(name, payload, chat)
        replied = identity(looked_up(payload, "message", "quote_msg_id"))
        return Parsed(Address(NAME, chat, _in_group(name)), account, event, names.get(account, ""), replied)


def _account(name: str, payload: Payload, chat: str) -> str:
    """Nobody when the authority wrote, or when a group just came or went."""
    if not _in_group(name):
        return "" if name.startswith("oa_") else chat
    return required(field(payload, "sender", "id"), "sender") if name.startswith("user_send_") else ""


def _said(payload: Payload) -> Event | None:
    words = _words(payload)
    action = words.removeprefix(PREFIX)
    if action != words and 0 < len(action.encode()) <= ACTION_LONGEST:
        return Pressed(action)
    return Words(words) if words else None


def _shown(payload: Payload) -> Event:
    return PhotoSent(_file(payload), _caption(payload), _album(payload))


def _spoken(payload: Payload) -> Event:
    return VoiceSent(_file(payload), 0, _caption(payload))


def _filed(payload: Payload) -> Event:
    """A photo keeps its GPS only when it is sent as a file."""
    told = field(_attachment(payload), "payload")
    if _is_kind(told, "image/", _PICTURES):
        return PhotoSent(_file(payload, as_file=True), _caption(payload), _album(payload))
    return _spoken(payload) if _is_kind(told, "audio/", _SOUNDS) else Unsupported("document")


def _placed(payload: Payload) -> Event:
    """`message.text` would be the name of a place that was picked: the point says where it is."""
    point = field(_attachment(payload), "payload", "coordinates")
    return PlaceSent(_degrees(field(point, "latitude")), _degrees(field(point, "longitude")))


def _linked(payload: Payload) -> Event:
    """Everything that was said with it, once: the talk finds map links in words."""
    told = field(_attachment(payload), "payload")
    parts: list[str] = []
    for part in (_words(payload), text(told.get("url")), text(told.get("description"))):
        if part and not any(part in earlier for earlier in parts):
            parts.append(part)
    if not parts:
        raise Malformed("link")
    return Words("\n".join(parts))


def _answered(payload: Payload) -> Event | None:
    """Without `admin_id` it is the echo of what we sent ourselves."""
    return Answered(_words(payload)) if field(payload, "sender").get("admin_id") else None


def _left_by(payload: Payload) -> Event | None:
    """Of those who leave a group, only the Official Account itself is news."""
    ours = required(payload["oa_id"], "oa_id")
    return Left() if any(identity(looked_up(each, "id")) == ours for each in payload["users"]) else None


def _always(event: Event) -> Reader:
    return lambda _: event


# Every event we know of, read or knowingly ignored (None). Names that are not here are ignored as well; what
# arrived stays stored.
EVENTS: Final[dict[str, Reader | None]] = {
    "user_send_text": _said,
    "user_send_image": _shown,
    "user_send_gif": _shown,
    "user_send_link": _linked,
    "user_send_audio": _spoken,
    "user_send_video": _always(Unsupported("video")),
    "user_send_sticker": _always(Unsupported("sticker")),
    "user_send_location": _placed,
    "user_send_business_card": _always(Unsupported("contact")),
    "user_send_file": _filed,
    # Groups that the account owns: the same contents.
    "user_send_group_text": _said,
    "user_send_group_image": _shown,
    "user_send_group_gif": _shown,
    "user_send_group_link": _linked,
    "user_send_group_audio": _spoken,
    "user_send_group_video": _always(Unsupported("video")),
    "user_send_group_sticker": _always(Unsupported("sticker")),
    "user_send_group_location": _placed,
    "user_send_group_business_card": _always(Unsupported("contact")),
    "user_send_group_file": _filed,
    # Who came and who went.
    "follow": _always(Entered()),
    "unfollow": _always(Left()),
    "user_click_chatnow": _always(Entered()),
    "user_withdraw": _always(Withdrawn()),
    "create_group": _always(Entered()),
    "delete_group": _always(Left()),
    "disperse_group": _always(Left()),
    "user_out_group": _left_by,
    "user_leave_group": _left_by,
    # Written by hand on oa.zalo.me, or the echo of our own.
    "oa_send_text": _answered,
    "oa_send_image": _answered,
    "oa_send_gif": _answered,
    "oa_send_list": _answered,
    "oa_send_file": _answered,
    "oa_send_sticker": _answered,
    # A paid notice from a template: never written by hand.
    "oa_send_template": None,
    # In their own room officers talk to each other, which answers nobody.
    "oa_send_group_text": None,
    "oa_send_group_image": None,
    "oa_send_group_link": None,
    "oa_send_group_audio": None,
    "oa_send_group_location": None,
    "oa_send_group_video": None,
    "oa_send_group_business_card": None,
    "oa_send_group_sticker": None,
    "oa_send_group_gif": None,
    "oa_send_group_file": None,
    # We ask for nobody's name, telephone number or address by the platform's form: a report needs none.
    "user_submit_info": None,
    # Neither a receipt nor a face drawn on a message says anything to the talk.
    "user_received_message": None,
    "user_seen_message": None,
    "user_reacted_message": None,
    "oa_reacted_message": None,
    # A passer-by on a web page is nobody whom we could write to later.
    "anonymous_send_text": None,
    "anonymous_send_image": None,
    "anonymous_send_file": None,
    "anonymous_send_sticker": None,
    "oa_send_anonymous_text": None,
    "oa_send_anonymous_image": None,
    "oa_send_anonymous_file": None,
    "oa_send_anonymous_sticker": None,
    # Calls are taken by people.
    "oa_send_consent": None,
    "user_reply_consent": None,
    "user_call_oa": None,
    "oa_call_user": None,
    # Who is in a group is the platform's to keep; who has rights is ours, by invite.
    "user_join_group": None,
    "user_request_join_group": None,
    "react_request_join_group": None,
    "accept_request_join_group": None,
    "reject_request_join_group": None,
    "react_request_join_group_accept": None,
    "react_request_join_group_reject": None,
    "add_group_admin": None,
    "remove_group_admin": None,
    "update_group_info": None,
    # Housekeeping on the platform's own pages.
    "add_user_to_tag": None,
    "remove_user_from_tag": None,
    "remove_tag": None,
    "update_user_info": None,
    "user_feedback": None,
    "widget_interaction_accepted": None,
    "widget_failed_to_sync_user_external_id": None,
    "extension_purchased": None,
    "shop_has_order": None,
    "change_template_status": None,
    "change_template_quality": None,
    "change_template_quota": None,
    "change_oa_daily_quota": None,
    "change_oa_template_tags": None,
    "event_journey_time_out": None,
    "event_journey_acknowledged": None,
    # Our next call is refused, and that refusal tells the office.
    "permission_revoked": None,
}
_OF_FILES: Final = frozenset(name for name, how in EVENTS.items() if how in (_shown, _spoken, _filed))


# --- parts of a message


def _words(payload: Payload) -> str:
    return text(looked_up(payload, "message", "text"))


def _caption(payload: Payload) -> str:
    """Of several files the first carries the words, or they would be told once for each."""
    return "" if payload.get(PART) else _words(payload)


def _album(payload: Payload) -> str | None:
    several = payload.get(PARTS, 1) > 1
    return identity(field(payload, "message", "msg_id")) if several else None


def _attachment(payload: Payload) -> dict[str, Any]:
    found = field(payload, "message", "attachments")[0]
    if not isinstance(found, dict):
        raise Malformed("attachment")
    return found


def _file(payload: Payload, *, as_file: bool = False) -> FileRef:
    """Its address is its id: the one who fetches it decides which hosts may be asked."""
    told = field(_attachment(payload), "payload")
    url = text(field(told, "url"))
    if not url:
        raise Malformed("url")
    return FileRef(url, size(told.get("size")), as_file)


def _is_kind(told: Mapping[str, Any], mime: str, endings: tuple[str, ...]) -> bool:
    """`type` has been seen as a mime type and as a bare ending."""
    kind, name = text(told.get("type")).lower(), text(told.get("name")).lower()
    return kind.startswith(mime) or f".{kind}" in endings or name.endswith(endings)


def _degrees(value: object) -> float:
    """They arrive as text; what is no number, or not finite, is no place."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if not plain and not (isinstance(value, str) and _DEGREES.fullmatch(value)):
        raise Malformed("degrees")
    degrees = float(str(value))
    if not math.isfinite(degrees):
        raise Malformed("degrees")
    return degrees


# --- whose it is


def verify(raw: bytes, header: str, app_id: str, secret: str) -> bool:
    """Does `X-ZEvent-Signature` fit the body as it arrived? In constant time; never without a secret.

    A plain SHA-256, with the OA Secret Key of the webhook's page (not the App Secret) at its end.
    """
    moment = _moment(raw)
    if not secret or moment is None:
        return False
    wanted = hashlib.sha256(app_id.encode() + raw + moment + secret.encode()).hexdigest()
    given = header.strip().removeprefix("mac=").strip().lower()
    return hmac.compare_digest(given.encode("ascii", "replace"), wanted.encode())


def _moment(raw: bytes) -> bytes | None:
    """The body's own timestamp; it is believed only once the signature fits."""
    try:
        moment = opened(raw)["timestamp"]
        return moment.encode() if isinstance(moment, str) else None
    except (LookupError, RecursionError, ValueError):
        return None
