"""Telegram, the channel as a whole: its settings, its start, and what no log of it may hold."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import structlog

from bot.channels.base import Channel
from bot.core.message import Message
from tests.telegram_stage import PERSON, Shelf, Stage, channel, opened, word

SECRET = "s3cret-phrase"  # the words that no log may hold


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    async with opened() as made:
        yield made


def test_is_a_channel() -> None:
    made: Channel = channel()
    assert made.name == "telegram"
    assert made.pace.group_minute == 20


@pytest.mark.parametrize(
    "settings",
    [
        {"token": "1:A/../x"},
        {"api_url": "api.telegram.org"},
        {"webhook_url": "https://x.example/t"},
        {"webhook_url": "https://x.example/t", "webhook_secret": "has space"},
    ],
)
def test_wrong_settings_stop_the_start(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Telegram .*\.$"):
        channel(**settings)


# The start -----------------------------------------------------------------------------------------


async def test_start_polling(stage: Stage) -> None:
    await stage.channel.start()
    assert stage.channel.username == "StandinBot"
    assert [method for method, _ in stage.platform.calls] == ["getme", "deletewebhook"]


async def test_start_webhook(stage: Stage) -> None:
    stage.channel = stage.another(webhook_url="https://x.example/t", webhook_secret="abc")
    await stage.channel.start()
    webhook = stage.platform.webhook
    assert webhook["url"] == "https://x.example/t"
    assert webhook["max_connections"] == 40
    assert webhook["allowed_updates"] == ["message", "edited_message", "callback_query", "my_chat_member"]


async def test_start_without_the_platform(stage: Stage) -> None:
    stage.fault(method="getme", count=1, status=401, body={"ok": False, "error_code": 401})
    stage.fault(method="getme", count=1, reset="before")
    stage.fault(method="getme", count=1, body={"ok": True, "result": 5})
    await stage.channel.start()
    assert stage.channel.username == "StandinBot"
    assert stage.pauses[0] == 60
    assert len(stage.pauses) == 3


# What no log may hold ------------------------------------------------------------------------------


async def test_logs_hold_no_words_and_no_token(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    telegram = stage.another(token="123:SECRETTOKEN")
    stage.platform.inject([word(11, SECRET), word(12, SECRET + "\ud800")])
    stage.fault(method="getupdates", count=1, body=f"<html>{SECRET}")
    stage.fault(method="sendmessage", count=1, body=f"<html>{SECRET}")
    stage.fault(method="sendmessage", count=1, status=502, body=f"<html>{SECRET}")
    shelf = Shelf(2)
    with structlog.testing.capture_logs() as logs:
        outcomes = [await telegram.send(PERSON, Message(SECRET), None, 1) for _ in range(2)]
        await telegram.start()
        polling = asyncio.create_task(telegram.poll(shelf.store))
        await asyncio.wait_for(shelf.done.wait(), 5)
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await telegram.stop()
    written = caplog.text + repr(logs) + repr(outcomes)
    assert SECRET not in written
    assert "SECRETTOKEN" not in written
