"""The bubbles of the local chat: kept once and in order, read back, and told live."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientResponse

from bot.channels.webchat import Webchat
from storage import bubbles
from storage.database import Database
from tests.webchat_page import Door, add, opened, seated


@pytest.fixture
def channel(sqlite_database: Database, tmp_path: Path) -> Webchat:
    return seated(sqlite_database, tmp_path)


@pytest.fixture
async def door(channel: Webchat) -> AsyncIterator[Door]:
    door = await opened(channel, any_host=False)
    yield door
    await door.client.close()


# Bubbles, on both databases ------------------------------------------------------------------------


async def test_a_key_is_kept_once(database: Database) -> None:
    ids = await asyncio.gather(*(add(database, "dan-1", "same") for _ in range(8)))
    assert ids.count(None) == 7
    async with database.read() as conn:
        assert len(await bubbles.since(conn, 0, 10)) == 1


async def test_bubbles_by_order_and_by_seat(database: Database) -> None:
    for number in range(1, 5):
        await add(database, "dan-1", f"a{number}")
        await add(database, "dan-2", f"b{number}")
    async with database.read() as conn:
        everything = await bubbles.since(conn, 0, 100)
        assert [bubble.text for bubble in everything] == ["a1", "b1", "a2", "b2", "a3", "b3", "a4", "b4"]
        assert await bubbles.since(conn, everything[2].id, 2) == everything[3:5]
        assert await bubbles.last(conn, 1) == everything[-2:]
        assert await bubbles.before(conn, "dan-1", everything[6].id, 2) == [everything[2], everything[4]]
        assert await bubbles.by_key(conn, "b2") == await bubbles.one(conn, everything[3].id) == everything[3]
        assert await bubbles.one(conn, 10_000) is None


# History and live ----------------------------------------------------------------------------------


async def test_history_forward_and_back(door: Door) -> None:
    for number in range(4):
        await door.say(f"tin {number}", key=f"key-000{number}")
    everything = await door.shown()
    assert await door.shown(f"?after={everything[1]['id']}") == everything[2:]
    assert await door.shown(f"?seat=dan-1&before={everything[1]['id']}") == everything[:1]
    assert (await door.client.get("/chat/bubbles?after=x")).status == 400
    assert (await door.client.get("/chat/bubbles?seat=nobody&before=1")).status == 404


async def test_people_who_left_are_not_shown(door: Door, sqlite_database: Database) -> None:
    await add(sqlite_database, "da-nghi", "old")
    await door.say("rac")
    assert [bubble["text"] for bubble in await door.shown()] == ["rac"]


async def heard(answered: ClientResponse, count: int) -> list[tuple[int, str]]:
    """The next events of a stream: id and text."""
    found: list[tuple[int, str]] = []
    number = 0
    async with asyncio.timeout(5):
        while len(found) < count:
            line = (await answered.content.readline()).decode()
            if line.startswith("id: "):
                number = int(line[4:])
            elif line.startswith("data: "):
                found.append((number, json.loads(line[6:])["text"]))
    return found


async def test_live_goes_on_where_it_was(door: Door) -> None:
    await door.say("mot", key="key-0001")
    live = await door.client.get("/chat/live?after=0")
    assert live.content_type == "text/event-stream"
    [(first, text)] = await heard(live, 1)
    assert text == "mot"
    await door.say("hai", key="key-0002")
    assert [text for _, text in await heard(live, 1)] == ["hai"]
    live.close()
    await door.say("ba", key="key-0003")
    again = await door.client.get("/chat/live?after=0", headers={"Last-Event-ID": str(first)})
    assert [text for _, text in await heard(again, 2)] == ["hai", "ba"]
    again.close()


async def test_many_pages_listen_and_are_forgotten(door: Door) -> None:
    streams = [await door.client.get("/chat/live?after=0") for _ in range(12)]
    await door.say("mot")
    for stream in streams:
        assert [text for _, text in await heard(stream, 1)] == ["mot"]
        stream.close()
    async with asyncio.timeout(5):
        while door.channel.listeners:
            door.channel.wake()
            await asyncio.sleep(0)


async def test_open_pages_do_not_hold_up_the_end(channel: Webchat) -> None:
    door = await opened(channel, any_host=False)
    live = await door.client.get("/chat/live?after=0")
    await door.say("mot")
    await heard(live, 1)
    async with asyncio.timeout(5):
        await door.client.server.close()
    assert channel.listeners == 0
    await door.client.close()


async def test_another_process_is_seen_too(door: Door, sqlite_database: Database) -> None:
    live = await door.client.get("/chat/live?after=0")
    await add(sqlite_database, "dan-2", "tu may khac")
    assert [text for _, text in await heard(live, 1)] == ["tu may khac"]
    live.close()
