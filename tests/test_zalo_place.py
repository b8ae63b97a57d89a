"""How a place is sent on Zalo: one picture before the words, once a day, as no button asks there."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest_asyncio
import sqlalchemy as sa
from PIL import Image

from bench.standin_zalo import Sent
from bot import app
from bot.channels.zalo_oa import PLACE_PICTURE
from bot.core.events import Pressed, Words
from storage import uploads
from storage.database import Database
from storage.files import Files
from storage.tables import outbox
from storage.tables import uploads as uploads_table
from tests.on_zalo import PICTURE, OnZalo
from tests.paper import PaperClock, Stage
from tests.platforms import Cast, Deed, World
from tests.test_conversation import says, staged

KEY = f"static/{PLACE_PICTURE}"
ASKS = "bấm nút ở dưới"


class Talk:
    """One person who does not know how to send a place."""

    def __init__(self, stage: Stage, platform: OnZalo) -> None:
        self.stage, self.platform = stage, platform

    async def does(self, what: Words | Pressed) -> list[Sent]:
        self.platform._zalo.sent.clear()
        await self.platform.arrive(Deed("Dân", "Dân", False, what), self.stage.take)
        await self.stage.settle()
        return list(self.platform._zalo.sent)

    async def asks_for_the_map(self) -> list[Sent]:
        await self.does(Words("huy"))
        asked = await self.does(Words("rac"))
        presses = [action for sent in asked for action in sent.actions if "map:" in action]
        return await self.does(Words(presses[-1]))


@pytest_asyncio.fixture
async def talk(database: Database, tmp_path: Path) -> AsyncIterator[Talk]:
    clock, files = PaperClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC)), Files(str(tmp_path / "photos"))
    platform = OnZalo(World(Cast(("Dân",), {}), database, files, clock))
    stage = Stage(platform, database, files, clock)
    await stage.start()
    yield Talk(stage, platform)
    await platform.close()


async def test_the_picture_comes_before_the_words_once_a_day(talk: Talk) -> None:
    picture, words = await talk.asks_for_the_map()
    assert talk.platform.shows_how(picture)
    assert not picture.text
    assert not picture.buttons
    assert ASKS in words.text
    assert [button["type"] for button in words.buttons][-1:] == ["oa.open.url"]
    # Asked again on the same day, by somebody who has seen it: the words alone.
    talk.stage.clock.move(timedelta(hours=1))
    (again,) = await talk.asks_for_the_map()
    assert ASKS in again.text
    talk.stage.clock.move(timedelta(days=1))
    picture, words = await talk.asks_for_the_map()
    assert talk.platform.shows_how(picture)
    assert ASKS in words.text
    # Uploaded to Zalo only once.
    assert talk.platform._zalo.counts["/v2.0/oa/upload/image"] <= 1
    assert len(talk.platform._zalo.assets) == 1


async def test_the_talk_goes_on_when_the_picture_is_nowhere(talk: Talk) -> None:
    await talk.stage.files.delete(KEY)
    (words,) = await talk.asks_for_the_map()
    assert ASKS in words.text


async def test_where_a_button_asks_there_is_no_picture(database: Database, tmp_path: Path) -> None:
    stage = await staged(database, tmp_path)
    await says(stage, "Dân", "rac")
    await stage.settle()
    await says(stage, "Dân", "chi tren ban do")
    await stage.settle()
    async with database.read() as conn:
        rows = list(await conn.execute(sa.select(outbox.c.photo, outbox.c.wants_place)))
    assert any(row.wants_place for row in rows)
    assert not any(row.photo for row in rows)


async def test_a_new_picture_takes_the_old_ones_place(talk: Talk, database: Database) -> None:
    files = talk.stage.files
    assert await files.get(KEY) == PICTURE
    await files.put(KEY, b"an older one")
    channel = talk.stage.channel
    assert channel is not None
    await database.write(lambda conn: uploads.keep(conn, channel.name, KEY, "old handle", 2**60))
    for _ in range(2):
        await app.hang_pictures(database, files, [channel])
        assert await files.get(KEY) == PICTURE
    async with database.read() as conn:
        assert list(await conn.execute(sa.select(uploads_table))) == []


async def test_a_store_that_is_away_stops_nothing(talk: Talk, database: Database) -> None:
    class Away(Files):
        async def get(self, key: str) -> bytes:
            raise OSError("away")

    channel = talk.stage.channel
    assert channel is not None
    await app.hang_pictures(database, Away(str(talk.platform._world.files._folder)), [channel])


def test_the_picture_is_one_that_phones_show_at_once() -> None:
    assert len(PICTURE) < 150_000
    with Image.open(io.BytesIO(PICTURE)) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (800, 640)
