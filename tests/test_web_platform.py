"""What the platform answers, whatever it is: nothing is lost, nothing holds up the next, waits are obeyed."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from bench.standin_telegram import Fault, Json
from bot.app import running
from bot.channels.telegram import SECRET_HEADER
from storage.tables import OutboxState
from tests.paper import PaperClock
from tests.web_program import MORNING, SECRET, Bot, refusal, settings_for, started, words

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


HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
PASSING: dict[str, Json] = {
    "409": refusal(409, "Conflict: terminated by other getUpdates request"),
    "429 with a wait": refusal(429, "Too Many Requests: retry after 1", retry_after=1),
    "429 in words": refusal(429, "Too Many Requests: retry after 7"),
    "429 without a wait": refusal(429, "Too Many Requests"),
    "429 in a header": {"status": 429, "body": "", "headers": {"Retry-After": "2"}},
    "429 as a page": {"status": 429, "body": HTML},
    "429 in a 200": {"status": 200, "body": refusal(429, "Too Many Requests", retry_after=1)["body"]},
    "500": refusal(500, "Internal Server Error"),
    "502 as a page": {"status": 502, "body": HTML},
    "503": refusal(503, "Service Unavailable"),
    "504": refusal(504, "Gateway Timeout"),
    "403 as a page": {"status": 403, "body": HTML},
    "404 as a page": {"status": 404, "body": HTML},
    "401": refusal(401, "Unauthorized"),
    "200 as a page": {"status": 200, "body": HTML},
    "200 with nothing": {"status": 200, "body": ""},
    "200 half": {"status": 200, "body": '{"ok":true,"result":{"message_'},
    "200 without a result": {"status": 200, "body": {"ok": True}},
    "200 that says no": {"status": 200, "body": {"ok": False}},
    "reset before": {"reset": "before"},
    "reset after": {"reset": "after"},
}
FINAL: dict[str, Json] = {
    "400": refusal(400, "Bad Request: message text is empty"),
    "400 gone": refusal(400, "Bad Request: chat not found"),
    "403 blocked": refusal(403, "Forbidden: bot was blocked by the user"),
    "403 deleted": refusal(403, "Forbidden: user is deactivated"),
}


async def test_whatever_the_platform_answers_nothing_is_lost(slow_bot: Bot) -> None:
    """D1–D3, C5: twice each; the message arrives in the end, and the chat's next one after it."""
    bot = slow_bot
    for chat, (name, fault) in enumerate(PASSING.items(), start=1000):
        bot.platform.faults.append(Fault(method="sendmessage", chat=str(chat), count=2, **fault))
        await bot.post(words(chat, "/start"))
        await bot.post(words(chat, "/trogiup"))
        await bot.later(partial(has_read, bot, chat, 2))
        greeting, help_ = told(bot, chat)
        assert "Kính chào" in greeting, name
        assert help_ != greeting, name
    await settled(bot)
    assert bot.rows("SELECT count(*) FROM outbox WHERE state <> ?", OutboxState.SENT) == [(0,)]


def has_read(bot: Bot, chat: int, many: int) -> bool:
    return len(told(bot, chat)) >= many


def told(bot: Bot, chat: int) -> list[str]:
    """What the person has read, each once: an answer lost on its way back is said again."""
    return list(dict.fromkeys(one.text for one in bot.platform.accepted(chat)))


async def settled(bot: Bot) -> None:
    await bot.later(
        lambda: bot.rows("SELECT count(*) FROM outbox WHERE state <= ?", OutboxState.SENDING) == [(0,)]
    )


async def test_what_is_refused_for_good_is_accounted_for(slow_bot: Bot) -> None:
    """P7, C3: asked once, kept with its reason; the next message to the same chat still goes."""
    bot = slow_bot
    for chat, (name, fault) in enumerate(FINAL.items(), start=2000):
        bot.platform.faults.append(Fault(method="sendmessage", chat=str(chat), count=1, **fault))
        await bot.post(words(chat, "/start"))
        await bot.post(words(chat, "/trogiup"))
        await bot.later(partial(has_read, bot, chat, 1))
        tries = [one for one in bot.platform.heard if one.chat == str(chat)]
        assert [one.accepted for one in tries] == [False, True], name
    await settled(bot)
    states = bot.rows("SELECT state, problem FROM outbox WHERE state <> ?", OutboxState.SENT)
    assert [state for state, _ in states] == [OutboxState.REFUSED] * len(FINAL)
    assert [str(problem).partition(":")[0] for _, problem in states] == [
        "rejected",
        "gone",
        "blocked",
        "gone",
    ]


async def test_a_group_that_moved_is_answered_at_its_new_home(slow_bot: Bot) -> None:
    bot = slow_bot
    moved = refusal(
        400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-100_5
    )
    bot.platform.faults.append(Fault(method="sendmessage", chat="-5", **moved))
    await bot.post(words(-5, "/trogiup"))
    await bot.later(lambda: len(bot.platform.accepted(-1005)) == 1)
    assert [one.chat for one in bot.platform.heard] == ["-5", "-1005"]


async def test_the_wait_is_obeyed_to_the_second(bot: Bot) -> None:
    """P5, by the real clock: a server that counts sees not one request too early."""
    wait = refusal(429, "Too Many Requests: retry after 1", retry_after=1)
    bot.platform.faults.append(Fault(method="sendmessage", count=1, **wait))
    await bot.post(words(7, "/start"))
    await bot.until(lambda: len(bot.platform.heard) == 1)
    people = range(100, 120)
    await asyncio.gather(*(bot.post(words(chat, "/start")) for chat in people))
    for chat in (7, *people):
        await bot.hears(chat, 1)
    refused, *after = bot.platform.heard
    assert 1.0 <= min(one.at for one in after) - refused.at <= 2.0
    assert len(after) == 21


async def test_an_unreachable_platform_stops_nothing(tmp_path: Path, sqlite_template: Path) -> None:
    """P1: the door opens, what comes is stored, and what is owed waits."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copyfile(sqlite_template, data / "anphuxanh.db")
    async with running(settings_for(data, "http://127.0.0.1:1")) as port, aiohttp.ClientSession() as http:
        headers = {SECRET_HEADER: SECRET}
        url = f"http://127.0.0.1:{port}"
        async with http.post(f"{url}/telegram", json=words(7, "/start"), headers=headers) as response:
            assert response.status == 200
        async with http.get(f"{url}/healthz") as response:
            assert response.status == 200
    async with started(tmp_path, sqlite_template) as bot:
        await bot.hears(7, 1)
