"""The program as a process of its own: alone on its data, and its logs tell nothing of anybody."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bench.standin_telegram import Fault, serve
from bot.app import running
from bot.channels.telegram import SECRET_HEADER
from bot.config import ConfigError
from tests.bot_process import PASSED_ON
from tests.web_program import (
    PATIENCE_S,
    SECRET,
    TOKEN,
    Bot,
    Standin,
    message,
    number,
    photo,
    press,
    refusal,
    settings_for,
    started,
    words,
)

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.usefixtures("nothing_set")


@pytest.fixture
async def bot(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Bot]:
    async with started(tmp_path, sqlite_template) as made:
        yield made


async def spawn(folder: Path, settings: dict[str, str]) -> asyncio.subprocess.Process:
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "COMMUNE": str(ROOT / "commune.toml"),
        "HTTP_PORT": "0",
        **settings,
    }
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "bot", "run")
    return await asyncio.create_subprocess_exec(
        *command, env=environment, cwd=folder, stdout=pipe, stderr=pipe
    )


async def test_a_second_program_on_the_same_data_is_refused(bot: Bot) -> None:
    """H8: at once, by name; the first does not notice."""
    with pytest.raises(ConfigError, match="DATA_DIR"):
        async with running(settings_for(bot.folder, "http://127.0.0.1:1")):
            pytest.fail("it started")
    process = await spawn(bot.folder, {"DATA_DIR": str(bot.folder)})
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 2
    assert b"DATA_DIR" in err
    assert (out, b"Traceback" in err) == (b"", False)
    await bot.post(words(7, "/start"))
    await bot.hears(7, 1)


MARKERS = {
    "text": "qwertz-lời-kín",
    "phone": "0912345678",
    "name": "Nguyễn-Thị-Dấu",
    "latitude": "20.98123",
    "longitude": "106.38321",
    "token": TOKEN,
    "secret": SECRET,
    "file": "FILE-HANDLE-77",
}


async def test_logs_tell_nothing_of_anybody(tmp_path: Path) -> None:
    """I7, N10: a whole run at its most talkative, with every kind of trouble, and no mark is found."""
    platform = Standin()
    server = await serve(platform, 0)
    api = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = {"DATA_DIR": str(tmp_path / "data"), "LOG_LEVEL": "debug", "TELEGRAM_BOT_TOKEN": TOKEN}
    settings |= {"TELEGRAM_API_URL": api, "TELEGRAM_WEBHOOK_URL": "http://127.0.0.1:1/telegram"}
    settings |= {"TELEGRAM_WEBHOOK_SECRET": SECRET}
    process = await spawn(tmp_path, settings)
    assert process.stdout is not None
    lines: list[bytes] = []
    async with asyncio.timeout(PATIENCE_S):
        while not lines or b'"ready"' not in lines[-1]:
            lines.append(await process.stdout.readline())
            assert lines[-1], "the program ended"
    port = json.loads(lines[-1])["port"]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        bot = Bot(port, tmp_path / "data", platform, http, None)
        await _talk_with_marks(bot)
    process.terminate()
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    server.close()
    text = (b"".join(lines) + out + err).decode()
    assert [name for name, mark in MARKERS.items() if mark in text] == []
    assert [line for line in text.splitlines() if not line.startswith("{")] == []
    entries = [json.loads(line) for line in text.splitlines()]
    assert {"ready", "refused", "retry", "stop"} <= {entry.get("action") for entry in entries}
    assert all(entry["event"] and entry["level"] for entry in entries)


async def _talk_with_marks(bot: Bot) -> None:
    """Things go well, and wrong in every way that is written down."""
    mark = f"{MARKERS['text']} {MARKERS['phone']}"
    blocked = refusal(403, f"Forbidden: bot was blocked by {mark}")
    bot.platform.faults.append(Fault(method="sendmessage", chat="7", count=1, **refusal(500, mark)))
    bot.platform.faults.append(Fault(method="sendmessage", chat="8", count=1, **blocked))
    bot.platform.faults.append(Fault(method="sendmessage", chat="9", count=1, reset="before"))
    for chat in (7, 8, 9):
        update = words(chat, f"rác ở thôn 3, {mark}")
        update["message"]["from"]["first_name"] = MARKERS["name"]
        await bot.post(update)
    point = {"latitude": float(MARKERS["latitude"]), "longitude": float(MARKERS["longitude"])}
    await bot.post(message(7, location=point))
    await bot.post(photo(7, MARKERS["file"], caption=mark))
    await bot.post(f'{{"update_id": 1, "text": "{mark}'.encode())
    await bot.post({"update_id": number(), "message": {"chat": {"id": 7, "type": "private"}, "text": [mark]}})
    await bot.post(b"x" * 300_000)
    await bot.post(words(7, mark), {SECRET_HEADER: SECRET + mark.encode("ascii", "ignore").decode()})
    await bot.post(press(7, mark))
    await bot.until(lambda: len(bot.platform.accepted(7)) >= 2 and bool(bot.platform.accepted(9)))
    await bot.until(lambda: any(one.chat == "8" for one in bot.platform.heard))
    for path in ("/metrics", "/readyz", f"/{MARKERS['text']}"):
        await bot.get(path)
