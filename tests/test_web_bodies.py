"""What is posted, whatever it is: kept where somebody sees it, and it stands in nobody's way."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bench.standin_telegram import Json
from bot.channels.telegram import SECRET_HEADER
from bot.web import BODY_MAX
from storage.tables import InboxState
from tests.web_program import PATIENCE_S, SECRET, Bot, figure, number, press, started, words

pytestmark = pytest.mark.usefixtures("nothing_set")


@pytest.fixture
async def bot(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Bot]:
    async with started(tmp_path, sqlite_template) as made:
        yield made


GOOD = json.dumps(words(7, "/start"), ensure_ascii=False).encode()
CUTS = [len(GOOD) * step // 51 for step in range(1, 51)]


def broken_bodies() -> dict[str, bytes]:
    """Authentic, and not to be understood."""
    bodies = {f"cut at {cut}": GOOD[:cut] for cut in CUTS}
    update = json.dumps(words(7, "TEXT"))
    bodies |= {
        "empty": b"",
        "space": b"  \n",
        "BOM": b"\xef\xbb\xbf" + GOOD,
        "UTF-16": GOOD.decode().encode("utf-16"),
        "latin": GOOD.replace(b"Lan", b"L\xe2n"),
        "NaN": update.replace('"TEXT"', "NaN").encode(),
        "Infinity": update.replace('"TEXT"', "-Infinity").encode(),
        "1e999": update.replace('"TEXT"', "1e999").encode(),
        "deep": b'{"update_id":1,"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "deep objects": b'{"update_id":1,"message":' + b'{"a":' * 40_000 + b"1" + b"}" * 40_001,
        "lone surrogate": update.replace("TEXT", r"r\udce1c").encode(),
        "long number": update.replace('"TEXT"', "9" * 5000).encode(),
        "long id": b'{"update_id":' + b"9" * 5000 + b"}",
        "negative id": b'{"update_id":-5}',
        "text id": b'{"update_id":"5"}',
        "true id": b'{"update_id":true}',
        "no id": b'{"message":{}}',
        "array": b"[" + GOOD + b"]",
        "text": b'"/start"',
        "number": b"5",
        "null": b"null",
        "two": GOOD + GOOD,
        "raw NUL": b"\0",
        "form": b"update_id=5&text=hi",
    }
    return bodies


async def test_a_broken_body_is_set_aside_and_the_next_message_answered(bot: Bot) -> None:
    """J1, J2, P9: 200 for each, kept where somebody sees it, and no queue stands behind it."""
    bodies = broken_bodies()
    for said, (name, body) in enumerate(bodies.items()):
        assert await bot.post(body) == (200, ""), name
        assert await bot.post(words(7, "/start")) == (200, ""), name
        await bot.hears(7, said + 1)
    assert bot.aside() == len(set(bodies.values()))
    _, metrics = await bot.get("/metrics")
    assert figure(metrics, "quarantined_total") == bot.aside()


async def test_the_same_broken_body_is_kept_once(bot: Bot) -> None:
    for _ in range(5):
        assert await bot.post(b"{") == (200, "")
    assert bot.aside() == 1


PARTS = ("chat", "from", "date", "message_id", "text", "photo", "location", "document", "reply_to_message")
STRANGE: list[Any] = [None, True, -1, 2**70, 1.5, "x", "", [], [[]], {}, {"id": {}}]


def wrong_types() -> list[Json]:
    """A message each of whose parts is something else."""
    found: list[Json] = []
    for value in STRANGE:
        for part in PARTS:
            found.append(words(7, "rác"))
            found[-1]["message"][part] = value
        for part in ("from", "message", "data", "id"):
            found.append(press(7, "new"))
            found[-1]["callback_query"][part] = value
        found += [{"update_id": number(), kind: value} for kind in ("message", "callback_query")]
    return found


async def test_wrong_types_stop_nothing(bot: Bot) -> None:
    """Whatever stands where: 200, no exception that stays, and the next message of the chat is answered."""
    for update in wrong_types():
        status, _ = await bot.post(update)
        assert status == 200, update
    await bot.post(words(8, "/quyenriengtu"))
    (privacy,) = await bot.hears(8, 1)
    await bot.post(words(7, "/quyenriengtu"))
    await bot.until(lambda: privacy.text in [one.text for one in bot.platform.accepted(7)])
    waiting = bot.rows("SELECT count(*) FROM inbox WHERE state = ?", InboxState.NEW)
    assert waiting == [(0,)]


async def test_a_text_with_every_strange_letter_is_answered(bot: Bot) -> None:
    """J5: stored true, answered, and nothing set aside."""
    texts = [
        "r\0ác ở thôn 3",
        "👨‍👩‍👧" * 500,
        "\u202eđảo ngược",
        "a\u0301" * 2000,
        "thôn 3",
        "\u200b",
        "x" * 4096,
    ]
    for turn, text in enumerate(texts):
        assert await bot.post(words(100 + turn, text)) == (200, "")
        await bot.hears(100 + turn, 1)
    assert bot.aside() == 0


async def test_a_body_may_not_be_too_long(bot: Bot) -> None:
    """J3: 256 KiB are read, 257 are not."""
    assert (await bot.post(b"x" * BODY_MAX))[0] == 200
    stored = bot.stored()
    status, _ = await bot.post(b"x" * (257 * 1024))
    assert status == 413
    assert bot.stored() == stored
    assert (await bot.get("/healthz"))[0] == 200


async def test_a_body_without_an_end_is_refused(bot: Bot) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bot.port)
    head = f"POST /telegram HTTP/1.1\r\nHost: x\r\n{SECRET_HEADER}: {SECRET}\r\n"
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    answer = asyncio.create_task(reader.readline())
    sent = 0
    while not answer.done() and sent < 64:
        writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        await writer.drain()
        await asyncio.wait({answer}, timeout=0.01)
        sent += 1
    assert (await asyncio.wait_for(answer, PATIENCE_S)).startswith(b"HTTP/1.1 413")
    writer.transport.abort()
    assert sent < 64
    assert bot.stored() == 0


async def test_kinds_of_update_that_nobody_asked_for(bot: Bot) -> None:
    """J4, E8: 200, stored, and nothing is said."""
    kinds: dict[str, Any] = {
        "channel_post": {"message_id": 1, "date": 1, "chat": {"id": -5, "type": "channel"}, "text": "rác"},
        "edited_channel_post": {"message_id": 1, "date": 1, "chat": {"id": -5, "type": "channel"}},
        "inline_query": {"id": "1", "from": {"id": 7, "is_bot": False, "first_name": "L"}, "query": "rác"},
        "message_reaction": {"chat": {"id": 7, "type": "private"}, "message_id": 1, "date": 1},
        "poll": {"id": "1", "question": "?", "options": []},
        "poll_answer": {"poll_id": "1", "option_ids": []},
        "business_message": {"message_id": 1, "date": 1, "chat": {"id": 7, "type": "private"}, "text": "rác"},
        "chat_join_request": {"chat": {"id": -7, "type": "supergroup"}, "from": {"id": 7}, "date": 1},
        "from_the_future": {"chat": {"id": 7}, "what": ["is", {"this": None}]},
    }
    for kind, content in kinds.items():
        assert await bot.post({"update_id": number(), kind: content}) == (200, ""), kind
    assert await bot.post({"update_id": number()}) == (200, "")
    await bot.post(words(7, "/start"))
    await bot.hears(7, 1)
    assert len(bot.platform.heard) == 1
    assert bot.aside() == 0
