"""The bodies that the Bot platform posts, flat as they come in truth or wrapped as its pages say."""

import hashlib
from dataclasses import dataclass

from bench.standin_zalo.shapes import Json


@dataclass(frozen=True, slots=True)
class Chat:
    """A private chat has its person's id; `at` in ms."""

    id: str
    at: int
    name: str = "Ted"
    message: str = ""

    @property
    def message_id(self) -> str:
        return self.message or hashlib.sha256(f"{self.id}/{self.at}".encode()).hexdigest()[:20]


def bot_text(chat: Chat, text: str) -> Json:
    return _event(chat, "text", "CHAT_TEXT", text=text)


def bot_image(chat: Chat, url: str, caption: str = "", field: str = "photo_url") -> Json:
    """`field` "photo": as the documentation has it."""
    more = {"caption": caption} if caption else {}
    return _event(chat, "image", "CHAT_PHOTO", **{field: url}, **more)


def bot_sticker(chat: Chat, url: str, sticker: str = "bfe458bf64fa8da4d4eb") -> Json:
    return _event(chat, "sticker", "CHAT_STICKER", sticker=sticker, url=url)


def bot_voice(chat: Chat, url: str) -> Json:
    return _event(chat, "voice", "CHAT_VOICE", voice_url=url)


def bot_unsupported(chat: Chat) -> Json:
    """Places, links, files, and everything that a protected person writes: nothing of it is told."""
    return _event(chat, "unsupported", "CHAT_UNSUPPORTED")


def wrapped(event: Json) -> Json:
    return {"ok": True, "result": event}


def secret_headers(secret: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "X-Bot-Api-Secret-Token": secret, "User-Agent": "Java/17.0.9"}


def _event(chat: Chat, kind: str, message_type: str, **content: str) -> Json:
    person = {"id": chat.id, "is_bot": False, "display_name": chat.name}
    place = {"chat_type": "PRIVATE", "id": chat.id}
    about = {"date": chat.at, "chat": place, "message_id": chat.message_id, "from": person}
    message = {**about, **content, "message_type": message_type}
    return {"event_name": f"message.{kind}.received", "message": message}
