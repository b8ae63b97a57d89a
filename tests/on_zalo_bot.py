"""A story on the Zalo Bot platform: no buttons there, so people answer with the numbers and words."""

import re
from collections.abc import Mapping
from typing import ClassVar

from multidict import CIMultiDict, CIMultiDictProxy

from bench.standin_zalo import Fault, Sent, Served, Serving, Zalo, serve, webhook, webhook_bot
from bench.standin_zalo.shapes import Json
from bench.standin_zalo.webhook_bot import Chat
from bot.channels.base import Channel, Pace
from bot.channels.media import Media
from bot.channels.zalo_bot import ZaloBot
from bot.core.events import Event, PhotoSent, Pressed, Unsupported, VoiceSent, Words
from bot.core.message import Button
from bot.messages import Messages
from tests.on_zalo import SEAM
from tests.platforms import Deed, Said, Strange, Take, World

SECRET = "secret-of-the-story"
PHOTO_LINK = "https://anphu.example/anh/"
INTRODUCTION = "resident/introduction"


class OnZaloBot:
    """A press is the button's number, or its words where numbers mean something else."""

    lacks: ClassVar[Mapping[str, str]] = {
        "album": "every photo is an event of its own, with nothing that says which belong together",
        "edited": "a sent message cannot be changed",
        "file": "what comes as a file is not told",
        "forged": "there are no buttons, so nobody can make one up",
        "old button": "a number or a word chooses from the last list",
        "long words": "apps refuse a text of more than a few thousand characters",
        "place": "the platform keeps places to itself",
        "rooms": "a room is read-only, and its members are told one by one as well",
        "unsupported": "the platform does not tell what it was",
        "voices": "nothing can be played there",
    }

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = {name: f"6ede9afa66b88fe6{n:04x}" for n, name in enumerate(world.cast.people, 1)}
        self._names = {number: name for name, number in self._ids.items()}
        self._zalo = Zalo(now=world.clock.monotonic)
        self._serving: Serving | None = None
        self._channel: ZaloBot | None = None
        self._messages = Messages()
        self._introduction = self._messages.render(INTRODUCTION, {}).text
        self._last: Json = {}
        self._told = 0
        self._shown: dict[str, list[Button]] = {}

    async def start(self) -> Channel:
        if self._serving is None:
            self._serving = await serve(self._zalo, 0)
        self._channel = ZaloBot(
            token=self._zalo.bot.token,
            api_url=self._serving.url,
            media=Media({f"127.0.0.1:{self._serving.port}"}),
            choices=lambda **told: SEAM + self._messages.render("channel/choices", told).text,
            secret=SECRET,
            photo_link=lambda stored: f"{PHOTO_LINK}{stored}",
        )
        # How fast the bot may speak is tested elsewhere; the story's clock stands still while it does.
        self._channel.pace = Pace(1e6, 1e6, 10**6, 1e6)
        return self._channel

    async def stop(self) -> None:
        if self._channel is not None:
            await self._channel.stop()

    async def close(self) -> None:
        await self.stop()
        if self._serving is not None:
            await self._serving.close()

    def account(self, who: str) -> str:
        self._zalo.bot.meet(self._ids[who])
        return self._ids[who]

    def chat(self, where: str) -> str:
        return self._ids[where]

    async def arrive(self, deed: Deed, take: Take) -> None:
        self._told += 1
        chat = Chat(self._ids[deed.who], self._world.clock.ms(), deed.who, message=f"m{self._told}")
        self._zalo.bot.meet(chat.id)
        self._last = self._event(deed.what, deed.data, chat)
        await self.again(take)

    async def again(self, take: Take) -> None:
        channel = self._channel
        if channel is None:
            raise Strange("the program is off")
        headers, body = webhook_bot.secret_headers(SECRET), webhook.raw(self._last)
        if not channel.verify(CIMultiDictProxy(CIMultiDict(headers)), body):
            raise Strange("a secret that does not fit")
        for received in channel.arrivals(body):
            await take(received)

    @property
    def sent(self) -> list[Sent]:
        return list(self._zalo.sent)

    async def news(self) -> list[Said]:
        sent = [one for one in self._zalo.sent if one.text != self._introduction]
        self._zalo.sent.clear()
        return [self._seen(one) for one in sent]

    def breaks(self, broken: bool) -> None:
        self._zalo.faults = [fault for fault in self._zalo.faults if fault.reset is None]
        if broken:
            self._zalo.faults.append(Fault(path="/sendMessage", reset="before"))

    def blocks(self, where: str) -> None:
        self._zalo.bot.chats.discard(self._ids[where])

    # What comes out ------------------------------------------------------------------------------

    def _seen(self, sent: Sent) -> Said:
        text, _, choices = sent.text.partition(f"\n{SEAM}")
        buttons = [Button(label, typed) for label, typed in _read(choices)]
        where = self._names[sent.to]
        return Said(where, text, tuple(buttons), sent.kind == "image", sent.message_id)

    # What goes in --------------------------------------------------------------------------------

    def _event(self, what: Event, data: bytes, chat: Chat) -> Json:
        match what:
            case Words(typed) | Pressed(typed):
                return webhook_bot.bot_text(chat, typed)
            case PhotoSent() as photo:
                return webhook_bot.bot_image(chat, self._served(photo, data), photo.caption)
            case VoiceSent() as voice:
                return webhook_bot.bot_voice(chat, self._served(voice, data))
            case Unsupported():
                return webhook_bot.bot_unsupported(chat)
        raise Strange(type(what).__name__)

    def _served(self, sent: PhotoSent | VoiceSent, data: bytes) -> str:
        if self._serving is None:
            raise Strange("no file host")
        path = f"/{sent.file.id}.bin"
        self._zalo.files.put(path, Served(data))
        return f"{self._serving.url}{path}"


def _read(choices: str) -> list[tuple[str, str]]:
    """Each choice as a reader sees it: its words, and what to type for it; in the order of their numbers."""
    coded = re.search(r"ví dụ: (.+?) ([A-Z]{2}-\d\d-\d{5})(?: \(hay: (.+)\))?\.$", choices, re.MULTILINE)
    if coded:
        words = [coded[1], *(coded[3].split(" / ") if coded[3] else [])]
        return [(word, f"{word} {coded[2]}") for word in words]
    numbered = {int(number): label for number, label in re.findall(r"^(\d)\. (.+)$", choices, re.MULTILINE)}
    told = re.search(r"^(?:Hoặc nhắn|Nhắn): (.+)\.$", choices, re.MULTILINE)
    spoken = iter(told[1].split(" / ") if told else [])
    found: list[tuple[str, str]] = []
    for number in range(1, max(numbered, default=0) + 1):
        label = numbered.get(number)
        found.append((label, str(number)) if label is not None else ((word := next(spoken)), word))
    return found + [(word, word) for word in spoken]
