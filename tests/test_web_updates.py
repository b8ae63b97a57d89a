"""Updates, posted or polled: each is stored before it is confirmed, and answered once, in any order."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web_program import Bot, Standin, figure, locked, number, press, started, words

pytestmark = pytest.mark.usefixtures("nothing_set")


@pytest.fixture
async def bot(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Bot]:
    async with started(tmp_path, sqlite_template) as made:
        yield made


# Posted --------------------------------------------------------------------------------------------


async def test_the_same_update_at_once_is_answered_once(bot: Bot) -> None:
    """E1."""
    update = words(7, "rác ở cổng chợ thôn 3")
    answers = await asyncio.gather(*(bot.post(update) for _ in range(5)))
    assert answers == [(200, "")] * 5
    await bot.hears(7, 1)
    await bot.post(update)
    await bot.post(words(7, "/huy"))
    assert len(await bot.hears(7, 2)) == 2
    _, metrics = await bot.get("/metrics")
    assert figure(metrics, "updates_total") == 2
    assert figure(metrics, "duplicates_total") == 5


async def test_a_shuffled_crowd_loses_nothing(bot: Bot) -> None:
    """E2: later numbers first; a high-water mark would drop the slower ones."""
    updates = [words(1000 + n % 20, "/start") for n in range(60)]
    for start in (40, 0, 20):
        await asyncio.gather(*(bot.post(one) for one in reversed(updates[start : start + 20])))
    for chat in range(1000, 1020):
        assert len(await bot.hears(chat, 3)) == 3


async def test_a_press_is_answered_in_the_webhooks_own_answer(bot: Bot) -> None:
    update = press(7, "new")
    status, answer = await bot.post(update)
    assert status == 200
    query = update["callback_query"]["id"]
    assert json.loads(answer) == {"method": "answerCallbackQuery", "callback_query_id": query}
    await bot.hears(7, 1)
    assert bot.platform.counts["answercallbackquery"] == 0


# Polled --------------------------------------------------------------------------------------------


async def test_polling_confirms_only_what_is_stored(tmp_path: Path, sqlite_template: Path) -> None:
    """A3: at each getUpdates, all numbers below its offset are in the table already."""
    platform = Standin()
    seen: list[tuple[int, bool]] = []
    updates = [
        words(7, "/start"),
        press(7, "new"),
        {"update_id": number(), "message": {"chat": "?"}},
        words(8, "rác"),
    ]
    async with started(tmp_path, sqlite_template, platform=platform, telegram_webhook_url=None) as bot:

        def check(offset: int) -> None:
            stored = {row[0] for row in bot.rows("SELECT event FROM inbox WHERE channel = 'telegram'")}
            confirmed = {str(one["update_id"]) for one in updates if one["update_id"] < offset}
            seen.append((offset, confirmed <= stored))

        platform.on_poll = check
        platform.inject(updates[:2])
        assert len(await bot.hears(7, 2)) == 2
        platform.inject(updates[2:])
        await bot.hears(8, 1)
        await bot.until(lambda: bool(seen) and seen[-1][0] == updates[-1]["update_id"] + 1)
        # Nobody is posted to: the spinner is ended by a call.
        await bot.until(lambda: platform.counts["answercallbackquery"] == 1)
    assert all(fine for _, fine in seen)
    assert [offset for offset, _ in seen] == sorted(offset for offset, _ in seen)


async def test_polling_waits_for_the_database(tmp_path: Path, sqlite_template: Path) -> None:
    """What cannot be stored is not confirmed; once it can, nothing was lost and nothing doubled."""
    platform = Standin()
    offsets: list[int] = []
    async with started(tmp_path, sqlite_template, platform=platform, telegram_webhook_url=None) as bot:
        platform.on_poll = offsets.append
        async with locked(bot):
            platform.inject([update := words(7, "/start")])
            for _ in range(50):
                assert (await bot.get("/healthz"))[0] == 200
            assert not [offset for offset in offsets if offset > update["update_id"]]
        await bot.until(lambda: bool(offsets) and offsets[-1] == update["update_id"] + 1)
        assert len(await bot.hears(7, 1)) == 1
