"""Reading Telegram's updates, defensively: what arrived, from whom, in which chat."""

import json
import re
from typing import Any

from telegram import CallbackQuery, Chat, Document, Update, User
from telegram import Message as Post

from bot.channels.base import Malformed, Parsed, Received, field
from bot.channels.payloads import closed, guarded, opened
from bot.core.events import (
    Address,
    Edited,
    Entered,
    Event,
    FileRef,
    Left,
    Moved,
    PhotoSent,
    PlaceSent,
    Pressed,
    Unsupported,
    VoiceSent,
    Words,
)

NAME = "telegram"

ID_LIMIT = 1 << 63
# https://core.telegram.org/bots/features#commands
_COMMAND = re.compile(r"(/[A-Za-z0-9_]{1,64})@([A-Za-z0-9_]{3,64})(?![A-Za-z0-9_])")
# Recordings come as either: https://core.telegram.org/bots/api#voice and #audio
_SOUNDS = ("voice", "audio")
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif")
_STUB = ("message_id", "chat", "date")
# A venue carries its location as well: https://core.telegram.org/bots/api#message
_POST = (
    *_STUB,
    "from",
    "sender_chat",
    "text",
    "caption",
    "photo",
    "media_group_id",
    "document",
    "location",
    "migrate_to_chat_id",
)
# An animation carries a document too, so the order counts.
_KINDS = {
    "video": "video",
    "video_note": "video",
    "animation": "video",
    "live_photo": "video",
    "sticker": "sticker",
    "contact": "contact",
    "document": "document",
    "poll": "other",
    "dice": "other",
    "game": "other",
    "story": "other",
    "paid_media": "other",
    "checklist": "other",
}


def receive(body: bytes) -> Received:
    """Read an update's identity and chat, no more. Raises Malformed."""
    with guarded():
        update = opened(body)
        identity = _number(update["update_id"])
        if identity < 0:
            raise Malformed("update_id")
        return Received(str(identity), _chat_key(update), closed(update))


def parse(raw: str, username: str | None) -> Parsed | None:
    """Read a stored update; `username` is the bot's own. Raises Malformed."""
    with guarded():
        return _parsed(json.loads(raw), username)


def answer(raw: str) -> dict[str, str] | None:
    """For a press, what ends its spinner: the body of the webhook's 200.

    https://core.telegram.org/bots/api#making-requests-when-getting-updates
    """
    if '"callback_query"' not in raw:
        return None
    query = json.loads(raw).get("callback_query")
    identity = query.get("id") if isinstance(query, dict) else None
    if not isinstance(identity, str):
        return None
    return {"method": "answerCallbackQuery", "callback_query_id": identity}


def _parsed(given: dict[str, Any], username: str | None) -> Parsed | None:
    update = Update.de_json(_lean(given), None)
    if update.message is not None:
        return _posted(update.message, given["message"], username)
    if update.edited_message is not None:
        return _edited(update.edited_message)
    if update.callback_query is not None:
        return _pressed(update.callback_query)
    if "my_chat_member" in given:
        return _membership(given["my_chat_member"])
    return None


def _posted(post: Post, given: dict[str, Any], username: str | None) -> Parsed | None:
    address = _address(post.chat)
    if address is None:
        return None
    if post.migrate_to_chat_id:
        return Parsed(address, "", Moved(str(_number(post.migrate_to_chat_id))))
    sender = _person(post)
    event = _content(post, given, username)
    if sender is None or event is None:
        return None
    return Parsed(address, _account(sender), event, _name(sender), _replied(post))


def _content(post: Post, given: dict[str, Any], username: str | None) -> Event | None:
    if post.text:
        borrowed = "forward_origin" in given or "via_bot" in given
        return _words(_text(post.text), username, borrowed=borrowed)
    if post.photo:
        largest = max(post.photo, key=lambda size: _number(size.width) * _number(size.height))
        return _photo(post, FileRef(_text(largest.file_id), _size(largest.file_size)))
    if post.document and _is_picture(post.document):
        document = post.document
        return _photo(post, FileRef(_text(document.file_id), _size(document.file_size), as_file=True))
    if post.location:
        return PlaceSent(_degrees(post.location.latitude), _degrees(post.location.longitude))
    sound = next((given[part] for part in _SOUNDS if part in given), None)
    if sound is not None or (post.document and _is_sound(post.document)):
        return _voice(given.get("document") if sound is None else sound, post.caption)
    return next((Unsupported(kind) for part, kind in _KINDS.items() if part in given), None)


def _words(text: str, username: str | None, *, borrowed: bool) -> Words | None:
    """Commands lose our name; those for another bot, or written by somebody else, are not for us.

    Before the first getMe our name is unknown: any name passes, as a lost command cannot come back.
    """
    if not text.startswith("/"):
        return Words(text)
    if borrowed:
        return None
    named = _COMMAND.match(text)
    if named is None:
        return Words(text)
    if username is not None and named[2].casefold() != username.casefold():
        return None
    return Words(named[1] + text[named.end() :])


def _lean(update: dict[str, Any]) -> dict[str, Any]:
    """Only what is read here goes through the library.

    It refuses a whole update when one object lacks a field that the newest API has (a poll without
    `members_only`, an administrator without the latest right), and older servers are self-hosted.
    """
    lean: dict[str, Any] = {"update_id": update["update_id"]}
    for name in ("message", "edited_message"):
        if name in update:
            lean[name] = _lean_post(update[name])
    query = update.get("callback_query")
    if query is not None:
        lean["callback_query"] = _picked(query, ("id", "from", "chat_instance", "data"))
        if "message" in query:
            lean["callback_query"]["message"] = _picked(query["message"], _STUB)
    return lean


def _lean_post(post: dict[str, Any]) -> dict[str, Any]:
    """An animation is a document too; in a forum every post "replies" to the one that opened its topic."""
    lean = _picked(post, _POST)
    if "animation" in post:
        lean.pop("document", None)
    earlier = post.get("reply_to_message")
    if earlier is not None and "forum_topic_created" not in earlier:
        lean["reply_to_message"] = _picked(earlier, _STUB)
    return lean


def _picked(given: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= ID_LIMIT:
        raise Malformed("number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed("text")
    return value


def _degrees(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Malformed("degrees")
    return float(value)


def _size(value: object) -> int | None:
    return None if value is None else _number(value)


def _chat_key(update: dict[str, object]) -> str:
    """The chat of whatever kind of update it is, else its sender, else "0"."""
    for part in update.values():
        if isinstance(part, dict):
            inner = part.get("message")
            holders = (part.get("chat"), inner.get("chat") if isinstance(inner, dict) else None)
            for holder in (*holders, part.get("from"), part.get("user")):
                identity = holder.get("id") if isinstance(holder, dict) else None
                if isinstance(identity, int) and abs(identity) < ID_LIMIT:
                    return str(int(identity))
    return "0"


def _address(chat: Chat) -> Address | None:
    """None for channels: nobody talks to us there."""
    if chat.type not in (Chat.PRIVATE, Chat.GROUP, Chat.SUPERGROUP):
        return None
    return Address(NAME, str(_number(chat.id)), chat.type != Chat.PRIVATE)


def _person(post: Post) -> User | None:
    """Who speaks. Bots, and whoever speaks as a group or channel (anonymous admins), are nobody."""
    sender = post.from_user
    if sender is None or sender.is_bot or post.sender_chat is not None:
        return None
    return sender


def _account(sender: User) -> str:
    return str(_number(sender.id))


def _name(sender: User) -> str:
    last = sender.last_name
    return _text(sender.first_name) if last is None else f"{_text(sender.first_name)} {_text(last)}"


def _replied(post: Post) -> str | None:
    earlier = post.reply_to_message
    return None if earlier is None else str(_number(earlier.message_id))


def _edited(post: Post) -> Parsed | None:
    """Words only: a live location moves by edits, many times a minute."""
    address, sender = _address(post.chat), _person(post)
    text = post.text or post.caption
    if address is None or sender is None or not text:
        return None
    return Parsed(address, _account(sender), Edited(_text(text)), _name(sender), _replied(post))


def _pressed(query: CallbackQuery) -> Parsed | None:
    """`replied` is the message that carries the button; it may be too old for us to see, not to press."""
    if query.message is None or not query.data or query.from_user.is_bot:
        return None
    address = _address(query.message.chat)
    if address is None:
        return None
    replied = str(_number(query.message.message_id))
    sender = query.from_user
    return Parsed(address, _account(sender), Pressed(_text(query.data)), _name(sender), replied)


def _membership(change: dict[str, Any]) -> Parsed | None:
    address = _address(Chat.de_json(field(change, "chat"), None))
    before = _present(field(change, "old_chat_member"))
    after = _present(field(change, "new_chat_member"))
    if address is None or before == after:
        return None
    event = Entered() if after else Left()
    sender = User.de_json(field(change, "from"), None)
    # An anonymous admin acts as a bot of the platform: nobody we could name.
    if sender.is_bot:
        return Parsed(address, "", event)
    return Parsed(address, _account(sender), event, _name(sender))


def _present(member: object) -> bool:
    """https://core.telegram.org/bots/api#chatmember; a restricted member may have left."""
    if not isinstance(member, dict):
        raise Malformed("member")
    if member.get("status") == "restricted":
        return member.get("is_member") is True
    return member.get("status") in ("creator", "administrator", "member")


def _photo(post: Post, file: FileRef) -> PhotoSent:
    album = None if post.media_group_id is None else _text(post.media_group_id)
    return PhotoSent(file, _text(post.caption or ""), album)


def _voice(sound: Any, caption: str | None) -> VoiceSent:
    """Read as it stands: the library asks for more fields than a recording needs."""
    file = FileRef(_text(field(sound, "file_id")), _size(sound.get("file_size")))
    return VoiceSent(file, _number(sound.get("duration", 0)), _text(caption or ""))


def _is_sound(document: Document) -> bool:
    return _text(document.mime_type or "").startswith("audio/")


def _is_picture(document: Document) -> bool:
    mime, name = document.mime_type or "", document.file_name or ""
    return _text(mime).startswith("image/") or _text(name).lower().endswith(_PICTURES)
