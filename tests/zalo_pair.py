"""A pair of Zalo's tokens as it is stored, the door where the next one is had, and a clock."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.channels.vault import Vault
from bot.channels.zalo_oauth import NoToken
from bot.channels.zalo_tokens import Tokens
from storage import tokens as stored
from storage.database import Database
from storage.tokens import Token
from tests.paper import PaperClock
from tests.zalo_door import APP_ID, APP_SECRET, Door, opened
from tests.zalo_racer import SECRET_KEY

NAME = f"zalo_oa/{APP_ID}"
NOON = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Stage:
    """A door, a clock, a database; `another()` is what another process would have."""

    def __init__(self, door: Door, db: Database) -> None:
        self.door = door
        self.db = db
        self.clock = PaperClock(NOON)
        self.rests: list[float] = []
        self.tokens = self.another()

    def another(self, **settings: Any) -> Tokens:
        usual: dict[str, Any] = {
            "db": self.db,
            "vault": Vault(SECRET_KEY),
            "app_id": APP_ID,
            "app_secret": APP_SECRET,
            "oauth_url": self.door.url,
            "clock": self.clock,
            "rest": self.rest,
        }
        return Tokens(**usual | settings)

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.clock.move(timedelta(seconds=seconds))
        await asyncio.sleep(0)

    async def has(self, made: timedelta = timedelta(0), life: timedelta = 25 * HOUR) -> None:
        """A stored pair, made that long ago."""
        made_at = self.clock.ms() - ms(made)
        await put(self.db, self.door, made_at, ms(life))

    async def row(self) -> Token:
        async with self.db.read() as conn:
            row = await stored.read(conn, NAME)
        assert row is not None
        return row


def ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


async def put(db: Database, door: Door, made_at: int, life: int) -> None:
    sealed = Vault(SECRET_KEY).seal(json.dumps({"access": door.access, "refresh": door.refresh}))
    row = Token(sealed, made_at, made_at + life // 2, made_at + life, "")
    await db.write(lambda conn: stored.write(conn, NAME, row))


@asynccontextmanager
async def staged(db: Database) -> AsyncIterator[Stage]:
    async with opened() as door:
        stage = Stage(door, db)
        yield stage
        await stage.tokens.stop()


async def no_token(call: Awaitable[Any]) -> str:
    with pytest.raises(NoToken) as caught:
        await call
    return caught.value.problem
