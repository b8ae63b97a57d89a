"""A story on a Zalo Official Account: real signed webhooks in, and the calls that a strict stand-in took."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from multidict import CIMultiDict, CIMultiDictProxy

from bench.standin_zalo import App, Fault, OfficialAccount, Sent, Served, Serving, User, Zalo, serve, webhook
from bench.standin_zalo.shapes import Json
from bench.standin_zalo.webhook import Origin
from bot.app import PICTURES
from bot.channels import zalo_oa_read
from bot.channels.base import Channel, Links, Pace, Received
from bot.channels.media import Media
from bot.channels.vault import Vault
from bot.channels.zalo_http import OpenApi
from bot.channels.zalo_oa import PLACE_PICTURE, Labels, ZaloOa
from bot.channels.zalo_oa_read import PREFIX
from bot.channels.zalo_tokens import Tokens
from bot.core.events import (
    Edited,
    Entered,
    Left,
    PhotoSent,
    PlaceSent,
    Pressed,
    Unsupported,
    VoiceSent,
    Words,
)
from bot.core.message import Button
from bot.messages import Messages
from tests.platforms import Deed, Said, Strange, Take, World

FIRST_PERSON = 8_101_000_000_000_000_001
KEY = "a key of the story, long enough to be one"
PLACE_LINK, VOICE_LINK = "https://anphu.example/cho/1", "https://anphu.example/nghe/"
# A sign that no font shows, before what the channel adds to a message: the story is about the message.
SEAM = "\u2063"
DAILY = 10_000
PICTURE = (PICTURES / PLACE_PICTURE).read_bytes()
BLOCKED = -217


class OnZalo:
    """Everybody writes in private: a room there has no buttons, and is told with its members."""

    lacks: ClassVar[Mapping[str, str]] = {
        "edited": "a sent message cannot be changed",
        "long words": "apps refuse a text of more than a few thousand characters",
        "rooms": "a room is read-only, and its members are told one by one as well: tests/test_zalo_rooms.py",
        "window": "who has not written for a week cannot be written to: tests/test_two_channels.py",
    }

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = {name: str(FIRST_PERSON + n) for n, name in enumerate(world.cast.people)}
        self._names = {number: name for name, number in self._ids.items()}
        self._zalo = Zalo(App(rate=None), now=world.clock.monotonic)
        self._zalo.tokens.add("access-1", "refresh-1", world.clock.monotonic())
        self._serving: Serving | None = None
        self._channel: ZaloOa | None = None
        self._messages = Messages()
        self._last: tuple[bytes, Mapping[str, str]] = (b"", {})
        self._told = 0
        self._album: str | None = None
        self._albums: dict[str, list[str]] = {}

    async def start(self) -> Channel:
        if self._serving is None:
            self._serving = await serve(self._zalo, 0)
        url, world = self._serving.url, self._world
        tokens = Tokens(
            world.db,
            Vault(KEY),
            app_id=App.id,
            app_secret=App.secret,
            oauth_url=url,
            clock=world.clock,
            first="refresh-1",
        )
        self._channel = ZaloOa(
            api=OpenApi(url, tokens),
            db=world.db,
            media=Media({f"127.0.0.1:{self._serving.port}"}),
            app_id=App.id,
            secret_key=OfficialAccount.secret,
            labels=Labels(
                lambda **told: SEAM + self._messages.render("channel/choices", told).text,
                "Mở bản đồ",
                lambda **told: self._messages.render("channel/map_link", told).text,
                lambda **told: self._messages.render("channel/listen", told).text,
            ),
            links=Links(lambda _: PLACE_LINK, lambda stored: f"{VOICE_LINK}{stored}", str),
            clock=world.clock.ms,
            daily=DAILY,
        )
        # How fast the bot may speak is tested elsewhere; the story's clock stands still while it does.
        self._channel.pace = Pace(1e6, 1e6, 10**6, 1e6)
        self._channel.people.names.update(self._names)
        return self._channel

    async def stop(self) -> None:
        if self._channel is not None:
            await self._channel.stop()

    async def close(self) -> None:
        await self.stop()
        if self._serving is not None:
            await self._serving.close()

    def account(self, who: str) -> str:
        # Whoever is a member sent their code some time ago: they may be written to.
        self._zalo.add(User(self._ids[who], name=who, last_interaction=self._world.clock.monotonic()))
        return self._ids[who]

    def chat(self, where: str) -> str:
        return self._ids[where]

    async def arrive(self, deed: Deed, take: Take) -> None:
        self._told += 1
        self._album = None
        origin = Origin(self._ids[deed.who], self._world.clock.ms(), message=f"m{self._told}")
        event = self._event(deed, origin)
        self._zalo.heard(event)
        self._last = webhook.signed(event)
        await self.again(take)

    async def again(self, take: Take) -> None:
        channel, (body, headers) = self._channel, self._last
        if channel is None:
            raise Strange("the program is off")
        if not channel.verify(CIMultiDictProxy(CIMultiDict(headers)), body):
            raise Strange("a signature that does not fit")
        for received in channel.arrivals(body):
            await take(received if self._album is None else self._of_album(received, self._album))

    def _of_album(self, received: Received, album: str) -> Received:
        """The story sends an album photo by photo: as the rows that one event of several photos becomes."""
        parts = self._albums.setdefault(album, [])
        if received.event not in parts:
            parts.append(received.event)
        part = parts.index(received.event)
        row = json.loads(received.raw)
        row |= {
            "message": row["message"] | {"msg_id": album},
            zalo_oa_read.PART: part,
            zalo_oa_read.PARTS: 99,
        }
        return Received(f"{album}/{part}", received.chat, json.dumps(row))

    async def news(self) -> list[Said]:
        sent = [one for one in self._zalo.sent if not self.shows_how(one)]
        self._zalo.sent.clear()
        return [self._seen(one) for one in sent]

    def shows_how(self, sent: Sent) -> bool:
        """The channel's own picture of how a place is sent: the story is about the message behind it."""
        asset = self._zalo.assets.get(sent.image)
        return asset is not None and asset.data == PICTURE

    def breaks(self, broken: bool) -> None:
        self._zalo.faults = [fault for fault in self._zalo.faults if fault.reset is None]
        if broken:
            self._zalo.faults.append(Fault(path="/message/cs", reset="before"))

    def blocks(self, where: str) -> None:
        self._zalo.users[self._ids[where]].refuses = BLOCKED

    # What comes out ------------------------------------------------------------------------------

    def _seen(self, sent: Sent) -> Said:
        text, _, _ = sent.text.partition(SEAM)
        buttons = [
            Button(button["title"], button["payload"].removeprefix(PREFIX))
            for button in sent.buttons
            if isinstance(button["payload"], str)
        ]
        words, listen, _ = text.rstrip("\n").partition("\nNghe ở đây")
        where = self._names[sent.to]
        return Said(where, words, tuple(buttons), bool(sent.image), sent.message_id, bool(listen))

    # What goes in --------------------------------------------------------------------------------

    def _event(self, deed: Deed, origin: Origin) -> Json:
        match deed.what:
            case Pressed(action):
                return webhook.user_text(origin, f"{PREFIX}{action}")
            case Words(text):
                return webhook.user_text(origin, text, quotes=deed.on or "")
            case PlaceSent(lat, lon):
                return webhook.user_location(origin, lat, lon)
            case PhotoSent() as photo:
                return self._photo(photo, deed.data, origin)
            case VoiceSent() as voice:
                event = webhook.user_audio(origin, self._served(voice, deed.data))
                return self._with_caption(event, voice.caption)
            case Unsupported(kind):
                return _other(kind, origin)
            case Entered():
                return webhook.follow(origin)
            case Left():
                return webhook.unfollow(origin)
            case Edited():
                raise Strange("nothing can be changed there")
        raise Strange(type(deed.what).__name__)

    def _photo(self, photo: PhotoSent, data: bytes, origin: Origin) -> Json:
        url = self._served(photo, data)
        if photo.file.as_file:
            event = webhook.user_file(origin, url, "IMG_0042.jpg", len(data), "jpg")
            return self._with_caption(event, photo.caption)
        event = webhook.user_image(origin, url, caption=photo.caption)
        self._album = photo.album
        return event

    def _served(self, sent: PhotoSent | VoiceSent, data: bytes) -> str:
        if self._serving is None:
            raise Strange("no file host")
        path = f"/{sent.file.id}.bin"
        self._zalo.files.put(path, Served(data))
        return f"{self._serving.url}{path}"

    def _with_caption(self, event: Json, caption: str) -> Json:
        return event | {"message": event["message"] | {"text": caption}} if caption else event


def _other(kind: str, origin: Origin) -> Json:
    made: dict[str, Any] = {
        "video": lambda: webhook.user_video(origin, "https://f1.zdn.vn/a.mp4"),
        "sticker": lambda: webhook.user_sticker(origin, "https://f1.zdn.vn/a.png"),
        "contact": lambda: webhook.user_business_card(origin, "0900000000"),
    }
    event: Json = made[kind]()
    return event
