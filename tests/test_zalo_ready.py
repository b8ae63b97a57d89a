"""/readyz says by its code what Zalo has against us, and that a token is not renewed."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.standin_zalo.webhook import Origin, signed, user_text
from bot.app import running
from bot.channels.vault import Vault
from bot.channels.zalo_tokens import Tokens
from bot.clock import SystemClock
from bot.settings import Settings
from storage.database import Database
from tests.bot_process import awake_commune
from tests.zalo_door import APP_ID, APP_SECRET, Door, opened

KEY, OA_SECRET = "MARKER" * 8, "MARKER-webhook"
PATIENCE_S = 20.0


def settings_for(folder: Path, door: Door) -> Settings:
    given: dict[str, Any] = {
        "data_dir": folder / "data",
        "commune": awake_commune(folder),
        "http_port": 0,
        "webchat": "off",
        "public_url": "https://anphu.example.vn",
        "secret_key": KEY,
        "zalo_oa_app_id": APP_ID,
        "zalo_oa_app_secret": APP_SECRET,
        "zalo_oa_secret_key": OA_SECRET,
        "zalo_oa_api_url": door.url,
        "zalo_oauth_url": door.url,
    }
    return Settings(_env_file=None, **given)


async def until(look: Callable[[], Awaitable[list[str]]], wanted: list[str]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await look() == wanted:
                return
            await asyncio.sleep(0.02)


async def log_in(settings: Settings, door: Door) -> None:
    """As another process does."""
    db = Database.in_folder(settings.data_dir)
    tokens = Tokens(
        db,
        Vault(KEY),
        app_id=APP_ID,
        app_secret=APP_SECRET,
        oauth_url=door.url,
        clock=SystemClock(),
    )
    try:
        await tokens.adopt(door.refresh)
    finally:
        await db.close()


async def test_what_zalo_has_against_us(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    (tmp_path / "data").mkdir()
    shutil.copyfile(sqlite_template, tmp_path / "data" / "anphuxanh.db")
    async with opened() as door, aiohttp.ClientSession() as http:
        settings = settings_for(tmp_path, door)
        async with running(settings) as port:
            url = f"http://127.0.0.1:{port}"

            async def problems() -> list[str]:
                async with http.get(f"{url}/readyz") as answer:
                    text = await answer.text()
                    assert "MARKER" not in text
                    told: list[str] = (await answer.json())["problems"]
                    assert answer.status == (503 if told else 200)
                    return told

            await until(problems, ["zalo_oa: token not renewed (login)"])
            await log_in(settings, door)
            await until(problems, [])
            # To the name of who writes, to an answer with buttons, and to its words alone.
            for _ in range(3):
                door.answer_with({"error": -224, "message": "upgrade"})
            origin = Origin("111", SystemClock().ms(), app=APP_ID)
            body, headers = signed(user_text(origin, "chào"), OA_SECRET)
            async with http.post(f"{url}/zalo/oa", data=body, headers=headers) as answer:
                assert answer.status == 200
            await until(problems, ["zalo_oa: credentials refused (-224)"])
