"""Telegram, polling: only what is stored is confirmed, and no trouble ends it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
import structlog

from bot.channels.base import Received
from tests.telegram_stage import Shelf, Stage, opened, word


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    async with opened() as made:
        yield made


Store = Callable[[list[Received], list[bytes]], Awaitable[None]]


async def polled(stage: Stage, shelf: Shelf, confirmed: int, store: Store | None = None) -> None:
    """Poll until everything is stored, and its confirmation has reached the platform."""
    polling = asyncio.create_task(stage.channel.poll(store or shelf.store))
    await asyncio.wait_for(shelf.done.wait(), 5)
    await stage.platform.until(lambda: stage.platform.offsets[-1:] == [confirmed])
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)


async def test_polling_confirms_after_storing(stage: Stage) -> None:
    stage.platform.inject([word(11), word(12)])
    shelf = Shelf(2)
    await polled(stage, shelf, 13)
    assert shelf.events == ["11", "12"]
    assert stage.platform.offsets == [0, 13]


async def test_killed_between_answer_and_store(stage: Stage) -> None:
    stage.platform.inject([word(11)])
    reached = asyncio.Event()

    async def never(events: list[Received], malformed: list[bytes]) -> None:
        reached.set()
        await asyncio.Event().wait()

    killed = asyncio.create_task(stage.channel.poll(never))
    await asyncio.wait_for(reached.wait(), 5)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    assert stage.platform.offsets == [0]
    shelf = Shelf(1)
    await polled(stage, shelf, 12)
    assert shelf.events == ["11"]


async def test_storage_that_fails_confirms_nothing(stage: Stage) -> None:
    stage.platform.inject([word(11)])
    shelf = Shelf(1)
    full = [True, True]

    async def store(events: list[Received], malformed: list[bytes]) -> None:
        if full:
            full.pop()
            raise OSError("disk full")
        await shelf.store(events, malformed)

    await polled(stage, shelf, 12, store)
    assert stage.platform.offsets == [0, 0, 0, 12]
    assert len(stage.pauses) == 2
    assert 0.5 <= stage.pauses[0] <= 1 <= stage.pauses[1] <= 2


async def test_one_bad_update_blocks_nothing(stage: Stage) -> None:
    stage.platform.inject([word(11), word(12, "\ud800"), {"update_id": 13, "message": 5}, word(14)])
    shelf = Shelf(4)
    await polled(stage, shelf, 15)
    assert shelf.events == ["11", "13", "14"]
    assert len(shelf.malformed) == 1
    assert b"\\ud800" in shelf.malformed[0]
    assert stage.platform.offsets[-1] == 15


@pytest.mark.parametrize("poison", ["[" * 50_000 + "]" * 50_000, "9" * 5000])
async def test_an_unreadable_batch_is_walked_around(stage: Stage, poison: str) -> None:
    def body(*updates: str) -> str:
        return '{"ok":true,"result":[' + ",".join(updates) + "]}"

    bad = '{"update_id":12,"message":' + poison + "}"
    good = json.dumps(word(11))
    for answer in (body(good, bad), body(good), body(good, bad), body(bad)):
        stage.fault(method="getupdates", count=1, body=answer)
    stage.fault(method="getupdates", count=1, body=body(bad))
    shelf = Shelf(2)
    polling = asyncio.create_task(stage.channel.poll(shelf.store))
    await asyncio.wait_for(shelf.done.wait(), 5)
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    assert shelf.events == ["11"]
    assert shelf.malformed == [body(bad).encode()]


async def test_troubles_wait_and_are_told_once_a_minute(stage: Stage) -> None:
    conflict = {"ok": False, "error_code": 409, "description": "Conflict: terminated by other getUpdates"}
    flood = {"ok": False, "error_code": 429, "parameters": {"retry_after": 35}}
    stage.fault(method="getupdates", count=5, status=409, body=conflict)
    stage.fault(method="getupdates", count=1, status=401, body={"ok": False, "error_code": 401})
    stage.fault(method="getupdates", count=1, status=429, body=flood)
    stage.fault(method="getupdates", count=1, reset="before")
    stage.fault(method="getupdates", count=1, status=502, body="<html>")
    stage.fault(method="getupdates", count=1, body='{"ok":true,"result":[{"update_id":11,"mess')
    stage.fault(method="getupdates", count=1, body={"ok": True, "result": [{"no": "id"}]})
    stage.fault(method="getupdates", count=1, body={"ok": True, "result": 5})
    stage.platform.inject([word(11)])
    shelf = Shelf(1)
    with structlog.testing.capture_logs() as logs:
        await polled(stage, shelf, 12)
    assert shelf.events == ["11"]
    assert not shelf.malformed
    assert stage.pauses[:7] == [20, 20, 20, 20, 20, 60, 35]
    assert all(0.5 <= pause <= 30 for pause in stage.pauses[7:])
    problems = [log["problem"] for log in logs]
    assert problems.count("Conflict") == 2
    assert all(log["channel"] == "telegram" and log["action"] == "poll" for log in logs)


async def test_press_is_answered_in_the_background(stage: Stage) -> None:
    sender = {"id": 5, "is_bot": False, "first_name": "A"}
    stage.platform.inject([{"update_id": 11, "callback_query": {"id": "77", "from": sender, "data": "x"}}])
    shelf = Shelf(1)
    await polled(stage, shelf, 12)
    await stage.platform.until(lambda: stage.platform.counts["answercallbackquery"] == 1)
