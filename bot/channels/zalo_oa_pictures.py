"""Pictures for people of a Zalo Official Account: uploaded once for many, and again when Zalo let one go."""

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from bot.channels.base import picture_type
from bot.channels.zalo_http import Answer, Ok, OpenApi, Upload
from bot.channels.zalo_oa_read import NAME
from bot.channels.zalo_wire import MaybeSent, NotSent
from storage import uploads
from storage.database import Database

IMAGE = "/v2.0/oa/upload/image"
IMAGE_LARGEST = 1024 * 1024
# Uploaded pictures are kept for seven days; a day less, and none dies on the way.
UPLOAD_MS = 6 * 24 * 3600 * 1000


class Pictures:
    """What Zalo calls its copy of a stored picture. `clock` gives ms."""

    def __init__(self, api: OpenApi, db: Database, clock: Callable[[], int]) -> None:
        self._api, self._db, self._clock = api, db, clock
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def handle(self, stored: str, photo: bytes, expired: str | None = None) -> str | Answer:
        """The handle, or why there is none; `expired` is one that Zalo knows no more. Raises NoToken.

        Many are told at once, and one of them uploads for all.
        """
        turn = self._turns.setdefault(stored, asyncio.Lock())
        async with turn:
            async with self._db.read() as conn:
                known = await uploads.find(conn, NAME, stored, self._clock())
            if known is not None and known != expired:
                return known
            return await self._upload(stored, photo)

    async def _upload(self, stored: str, photo: bytes) -> str | Answer:
        kind = picture_type(photo)
        name = "picture.png" if kind == "image/png" else "photo.jpg"
        answer = await self._api.call("POST", IMAGE, form=Upload(name, photo, kind))
        if isinstance(answer, MaybeSent):
            # Nobody has seen it yet: to try again doubles nothing.
            return NotSent(answer.problem)
        if not isinstance(answer, Ok):
            return answer
        new = answer.data.get("attachment_id") if isinstance(answer.data, dict) else None
        if not isinstance(new, str) or not new:
            return NotSent("nonsense answer")
        until = self._clock() + UPLOAD_MS
        await self._db.write(lambda conn: uploads.keep(conn, NAME, stored, new, until))
        return new
