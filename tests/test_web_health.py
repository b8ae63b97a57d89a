"""Health and figures: what whoever looks after the program sees, also when the database is locked."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bench.standin_telegram import Fault
from tests.paper import PaperClock
from tests.web_program import MORNING, SECRET, TOKEN, Bot, figure, locked, started, words

pytestmark = pytest.mark.usefixtures("nothing_set")


@pytest.fixture
async def bot(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Bot]:
    async with started(tmp_path, sqlite_template) as made:
        yield made


@pytest.fixture
async def slow_bot(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Bot]:
    """One whose time passes only when the test says so."""
    async with started(tmp_path, sqlite_template, PaperClock(MORNING)) as made:
        yield made


async def test_health_and_figures(slow_bot: Bot) -> None:
    bot = slow_bot
    assert await bot.get("/healthz") == (200, "ok\n")
    status, ready = await bot.get("/readyz")
    assert (status, json.loads(ready)) == (200, {"ready": True, "problems": []})
    wait = {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests",
        "parameters": {"retry_after": 900},
    }
    bot.platform.faults.append(Fault(method="sendmessage", count=1, status=429, body=wait))
    await bot.post(words(7, "/start"))
    await bot.until(lambda: len(bot.platform.heard) == 1)
    await shown(bot, "platform_429_total 1.0")
    await bot.post(b"{")
    await bot.post(update := words(8, "/start"))
    await bot.post(update)
    status, metrics = await shown(bot, 'outbox_depth{lane="answer"} 2.0')
    assert status == 200
    for name, value in (("updates_total", 3), ("duplicates_total", 1), ("quarantined_total", 1)):
        assert figure(metrics, name) == value, name
    assert figure(metrics, "platform_429_total") == 1
    assert figure(metrics, "send_unknown_total") == 0
    assert 'outbox_oldest_seconds{lane="answer"} 0.0' in metrics
    for mark in (TOKEN, SECRET, "/start"):
        assert mark not in metrics
    assert bot.clock is not None
    bot.clock.move(timedelta(minutes=10))
    _, metrics = await bot.get("/metrics")
    assert 'outbox_oldest_seconds{lane="answer"} 600.0' in metrics
    # Answers that wait so long mean that something is stuck: it shows.
    status, ready = await bot.get("/readyz")
    assert status == 503
    assert "answer" in ready
    await bot.later(lambda: bool(bot.platform.accepted(7) and bot.platform.accepted(8)))
    status, _ = await shown(bot, '"ready": true', "/readyz")
    assert status == 200


async def shown(bot: Bot, wanted: str, path: str = "/metrics") -> tuple[int, str]:
    """Look until it is written down: the last answer may still be on its way into the table."""
    for _ in range(200):
        status, text = await bot.get(path)
        if wanted in text:
            break
    assert wanted in text, text
    return status, text


async def test_a_database_that_is_locked_is_an_honest_no(bot: Bot) -> None:
    """F1, P3: within two seconds, a 200 that is on disk or a 503; and afterwards all is as before."""
    await bot.post(words(7, "/start"))
    await bot.hears(7, 1)
    async with locked(bot), asyncio.timeout(3):
        posts = (bot.post(words(7, "/start")) for _ in range(3))
        statuses = await asyncio.gather(*posts, bot.post(b"{"), bot.get("/readyz"), bot.get("/metrics"))
    assert [status for status, _ in statuses] == [503] * 6
    assert (await bot.get("/readyz"))[0] == 200
    assert await bot.post(words(8, "/start")) == (200, "")
    await bot.hears(8, 1)
