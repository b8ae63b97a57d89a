"""The local chat without a browser: its channel, its routes, and whoever sits at the page."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, FormData, web
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.channels.base import Received
from bot.channels.webchat import Webchat, seats_for
from bot.chatpage import add_routes
from bot.core.commune import Commune, Point, Unit
from storage import bubbles
from storage.database import Database
from storage.files import Files

NOON = 1_780_000_000_000
SQUARE = (Point(20.9, 106.4), Point(20.9, 106.41), Point(20.89, 106.41), Point(20.89, 106.4))
UNITS = (
    Unit("thon-01", "village", "Thôn 1", number=1),
    Unit("thon-03", "village", "Thôn 3", number=3, centre=Point(20.895, 106.405), polygon=SQUARE),
    Unit("cong-an", "police", "Công an xã"),
    Unit("ubnd", "office", "Văn phòng UBND"),
)


def commune(*units: Unit) -> Commune:
    return Commune(
        name="An Phú",
        prefix="AP",
        office="ubnd",
        police="cong-an",
        phones={},
        units={unit.id: unit for unit in units},
        categories={},
        fields={},
    )


def picture(kind: str) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (8, 6), "#7a9").save(held, kind)
    return held.getvalue()


def files_in(folder: Path) -> Files:
    """What people send is kept here."""
    return Files(str(folder / "files"))


def seated(db: Database, folder: Path) -> Webchat:
    """The channel, with its people at their places."""
    return Webchat(db, files_in(folder), seats_for(commune(*UNITS)), lambda: NOON)


async def add(db: Database, seat: str, key: str) -> int | None:
    async def work(conn: AsyncConnection) -> int | None:
        return await bubbles.add(conn, seat=seat, mine=True, author="", text=key, key=key, at=NOON)

    return await db.write(work)


Client = TestClient[web.Request, web.Application]


@dataclass
class Door:
    """The routes, and what went through them."""

    client: Client
    channel: Webchat
    taken: list[Received] = field(default_factory=list)

    async def say(self, text: str, key: str = "key-0001", **more: Any) -> ClientResponse:
        return await self.client.post("/chat/dan-1/say", json={"key": key, "text": text}, **more)

    async def shown(self, query: str = "") -> list[dict[str, Any]]:
        answered = await (await self.client.get(f"/chat/bubbles{query}")).json()
        return list(answered["bubbles"])


async def opened(channel: Webchat, *, any_host: bool) -> Door:
    app = web.Application()
    taken: list[Received] = []

    async def take(received: Received) -> None:
        assert await channel.since(0, 1), "shown before it is taken"
        taken.append(received)

    add_routes(app, channel=channel, take=take, commune=commune(*UNITS), any_host=any_host)
    client = TestClient(TestServer(app))
    await client.start_server()
    return Door(client, channel, taken)


def form(key: str, data: bytes, *, kind: str = "image/jpeg", **fields: str) -> FormData:
    filled = FormData(default_to_multipart=True)
    for name, value in {"key": key, **fields}.items():
        filled.add_field(name, value)
    filled.add_field("photo", io.BytesIO(data), filename="photo", content_type=kind)
    return filled
