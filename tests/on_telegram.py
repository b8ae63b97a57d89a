"""A story on Telegram: real updates in, and the Bot API calls that a stand-in server received."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from bench.standin_telegram import BOT, Fault, Json, Rates, serve
from bench.standin_telegram import Platform as StandIn
from bot.channels.base import Channel
from bot.channels.telegram import Telegram
from bot.core.events import (
    Edited,
    Entered,
    Event,
    Left,
    PhotoSent,
    PlaceSent,
    Pressed,
    Unsupported,
    VoiceSent,
    Words,
)
from bot.core.message import Button
from tests.platforms import Deed, Said, Strange, Take, World

TOKEN = "7000000001:story"
DOWN = {"ok": False, "error_code": 502, "description": "Bad Gateway"}
BLOCKED = "Forbidden: bot was blocked by the user"
KICKED = "Forbidden: bot was kicked from the supergroup chat"
FIRST_PERSON = 5_501_000_001
FIRST_ROOM = 1_001_987_000_001
SIZES = ((90, 67), (1280, 960), (320, 240))
# Where a method carries what people get to see or hear.
CARRIED = {"sendphoto": "photo", "sendvoice": "voice", "sendaudio": "audio"}
OTHERS: dict[str, Json] = {
    "video": {"video": {"width": 640, "height": 360, "duration": 5, "mime_type": "video/mp4"}},
    "sticker": {"sticker": {"type": "regular", "width": 512, "height": 512, "is_animated": False}},
    "contact": {"contact": {"phone_number": "+84000000000", "first_name": "A"}},
}


class Server(StandIn):
    """Keeps what people got to see."""

    def __init__(self) -> None:
        super().__init__(None, Rates(), TOKEN)
        self.sent: list[tuple[str, Json]] = []

    def note(self, method: str, arguments: Json, answer: int, accepted: bool, delivered: bool | None) -> None:
        if accepted and method.startswith("send"):
            self.sent.append((method, arguments | {"message_id": self.next_message}))


class OnTelegram:
    """Its groups show the bot everything, as they do when it is an admin there."""

    lacks: ClassVar[Mapping[str, str]] = {
        "long words": "apps cut a text into messages of 4096 characters before they send it",
    }

    def __init__(self, world: World) -> None:
        cast = world.cast
        people = {name: FIRST_PERSON + n for n, name in enumerate(cast.people)}
        rooms = {name: -(FIRST_ROOM + n) for n, name in enumerate(cast.rooms)}
        self._ids = people | rooms
        self._names = {str(number): name for name, number in self._ids.items()}
        self._clock = world.clock
        self._server = Server()
        self._listening: Any = None
        self._telegram: Telegram | None = None
        self._update = 734_500_000
        self._last = b""

    async def start(self) -> Channel:
        if self._listening is None:
            self._listening = await serve(self._server, 0)
        port = self._listening.sockets[0].getsockname()[1]
        self._telegram = Telegram(
            token=TOKEN,
            api_url=f"http://127.0.0.1:{port}",
            # How fast the bot may speak is tested elsewhere; the story's clock stands still while it does.
            overall=1e6,
            chat=1e6,
            burst=10**6,
            group_minute=1e6,
        )
        await self._telegram.start()
        return self._telegram

    async def stop(self) -> None:
        if self._telegram is not None:
            await self._telegram.stop()

    async def close(self) -> None:
        await self.stop()
        if self._listening is not None:
            self._listening.close()

    def account(self, who: str) -> str:
        return str(self._ids[who])

    def chat(self, where: str) -> str:
        return str(self._ids[where])

    async def arrive(self, deed: Deed, take: Take) -> None:
        self._update += 1
        update = {"update_id": self._update, **self._news_of(deed)}
        self._last = json.dumps(update, ensure_ascii=False).encode()
        await self.again(take)

    async def again(self, take: Take) -> None:
        if self._telegram is None:
            raise Strange("the program is off")
        await take(self._telegram.receive(self._last))

    async def news(self) -> list[Said]:
        sent, self._server.sent = self._server.sent, []
        return [self._seen(method, arguments) for method, arguments in sent]

    def breaks(self, broken: bool) -> None:
        self._server.faults = [fault for fault in self._server.faults if fault.status != 502]
        if broken:
            self._server.faults.append(Fault(status=502, body=DOWN))

    def blocks(self, where: str) -> None:
        why = KICKED if self._ids[where] < 0 else BLOCKED
        body = {"ok": False, "error_code": 403, "description": why}
        self._server.faults.append(Fault(chat=self.chat(where), status=403, body=body))

    # What comes out ------------------------------------------------------------------------------

    def _seen(self, method: str, arguments: Json) -> Said:
        photo, voice = method == "sendphoto", method in ("sendvoice", "sendaudio")
        if not arguments.get(CARRIED.get(method, "text")):
            raise Strange("an empty message")
        chat = str(arguments["chat_id"])
        if chat not in self._names:
            raise Strange(f"no such chat: {chat}")
        rows = (arguments.get("reply_markup") or {}).get("inline_keyboard", ())
        buttons = [Button(key["text"], key["callback_data"]) for row in rows for key in row]
        text = arguments.get("caption", "") if photo or voice else arguments["text"]
        return Said(self._names[chat], text, tuple(buttons), photo, str(arguments["message_id"]), voice)

    # What goes in --------------------------------------------------------------------------------

    def _news_of(self, deed: Deed) -> Json:
        match deed.what:
            case Pressed(action):
                query = {"id": f"4382{self._update}", "from": self._person(deed.who), "chat_instance": "-77"}
                message = self._stub(deed, int(deed.on or 1)) | {"from": BOT, "text": "…"}
                return {"callback_query": {**query, "message": message, "data": action}}
            case Edited(text):
                edited = self._post(deed) | {"edit_date": self._seconds, "text": text}
                return {"edited_message": edited}
            case Entered():
                return self._membership(deed, "left", "member")
            case Left():
                return self._membership(deed, "member", "kicked")
        return {"message": self._post(deed) | self._content(deed.what, deed.data)}

    def _content(self, what: Event, data: bytes) -> Json:
        match what:
            case Words(text):
                return {"text": text}
            case PlaceSent(lat, lon):
                return {"location": {"latitude": lat, "longitude": lon}}
            case Unsupported(kind):
                found = {name: value | self._file(name) for name, value in OTHERS[kind].items()}
                return found if kind != "contact" else OTHERS[kind]
            case PhotoSent():
                return self._photo(what, data)
            case VoiceSent():
                return self._voice(what, data)
        raise Strange(type(what).__name__)

    def _photo(self, photo: PhotoSent, data: bytes) -> Json:
        more: Json = {"caption": photo.caption} if photo.caption else {}
        if photo.album is not None:
            more["media_group_id"] = photo.album
        name = photo.file.id
        if photo.file.as_file:
            self._server.files[name] = (f"documents/{name}.jpg", data, len(data))
            kind = {"file_name": "IMG_0042.JPG", "mime_type": "image/jpeg", "file_size": len(data)}
            return {"document": self._file(name) | kind, **more}
        # Only the largest size can be fetched: another one is a mistake that must show.
        largest = max(SIZES)
        self._server.files[f"{name}-{largest[0]}"] = (f"photos/{name}.jpg", data, len(data))
        sizes = [
            self._file(f"{name}-{wide}") | {"width": wide, "height": high, "file_size": len(data)}
            for wide, high in SIZES
        ]
        return {"photo": sizes, **more}

    def _voice(self, voice: VoiceSent, data: bytes) -> Json:
        more: Json = {"caption": voice.caption} if voice.caption else {}
        name = voice.file.id
        self._server.files[name] = (f"voice/{name}.oga", data, len(data))
        kind = {"duration": voice.seconds, "mime_type": "audio/ogg", "file_size": len(data)}
        return {"voice": self._file(name) | kind, **more}

    def _post(self, deed: Deed) -> Json:
        # People's messages and the bot's are numbered together.
        self._server.next_message += 1
        post = self._stub(deed, self._server.next_message) | {"from": self._person(deed.who)}
        if deed.on is not None:
            post["reply_to_message"] = self._stub(deed, int(deed.on)) | {"from": BOT, "text": "…"}
        return post

    def _stub(self, deed: Deed, message: int) -> Json:
        return {"message_id": message, "chat": self._place(deed), "date": self._seconds}

    def _place(self, deed: Deed) -> Json:
        number = self._ids[deed.where]
        if deed.group:
            return {"id": number, "type": "supergroup", "title": deed.where}
        return {"id": number, "type": "private", "first_name": deed.where}

    def _person(self, who: str) -> Json:
        return {"id": self._ids[who], "is_bot": False, "first_name": who, "language_code": "vi"}

    def _membership(self, deed: Deed, before: str, after: str) -> Json:
        change = {"chat": self._place(deed), "from": self._person(deed.who), "date": self._seconds}
        old, new = {"user": BOT, "status": before}, {"user": BOT, "status": after}
        return {"my_chat_member": {**change, "old_chat_member": old, "new_chat_member": new}}

    def _file(self, name: str) -> Json:
        return {"file_id": name, "file_unique_id": f"u{name}"}

    @property
    def _seconds(self) -> int:
        return self._clock.ms() // 1000
