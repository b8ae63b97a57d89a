"""The real program as a process of its own: started, killed, started again on the same data."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 30.0
STOP_SECONDS = 15.0
# Nothing of the surrounding environment may become a setting of the bot under test.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")


def awake_commune(folder: Path) -> Path:
    """The commune without a night, floods and limits: what runs by the real clock is told at once."""
    text = (ROOT / "commune.toml").read_text(encoding="utf-8")
    for key in ("quiet_from", "quiet_to", "silent_from", "silent_to"):
        text = re.sub(rf'^{key} = ".*"$', f'{key} = "00:00"', text, flags=re.MULTILINE)
    text = re.sub(r"^alerts_minute = \d+$", "alerts_minute = 1000000", text, flags=re.MULTILINE)
    text = re.sub(r"^same_days = \d+$", "same_days = 0", text, flags=re.MULTILINE)
    text = re.sub(r"^reports_(hour|day) = \d+$", r"reports_\1 = 1000000", text, flags=re.MULTILINE)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "commune.toml"
    path.write_text(text, encoding="utf-8")
    return path


class BotProcess:
    """`python -m bot run` in its own process group. `port` is known while it runs."""

    def __init__(
        self, folder: Path, settings: Mapping[str, str], *, before: tuple[str, ...] = (sys.executable,)
    ) -> None:
        """`before`: what to start the module with, the interpreter or something around it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = 0
        self.started_in = 0.0
        self._before = before
        self._environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._environment |= {
            "PYTHONPATH": str(ROOT),
            "DATA_DIR": str(folder / "data"),
            "COMMUNE": str(awake_commune(folder)),
            "HTTP_PORT": "0",
            **settings,
        }
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.log: list[dict[str, Any]] = []

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def database(self) -> Path:
        return self.folder / "data" / "anphuxanh.db"

    async def start(self) -> None:
        """Returns once it says that it is ready. RuntimeError when it ends or is silent instead."""
        began = time.monotonic()
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        # Elsewhere than at the root, where a developer's .env would be read.
        process = await asyncio.create_subprocess_exec(
            *self._before,
            "-m",
            "bot",
            "run",
            stdout=asyncio.subprocess.PIPE,
            env=self._environment,
            cwd=self.folder,
            start_new_session=True,
        )
        self._process = process
        self._reading = asyncio.create_task(self._read(process, ready))
        try:
            async with asyncio.timeout(START_SECONDS):
                self.port = await ready
        except TimeoutError:
            await self.kill()
            raise RuntimeError("the bot does not become ready") from None
        self.started_in = time.monotonic() - began

    async def _read(self, process: asyncio.subprocess.Process, ready: "asyncio.Future[int]") -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            with suppress(ValueError):
                entry = json.loads(line)
                self.log.append(entry)
                if entry.get("action") == "ready" and not ready.done():
                    ready.set_result(int(entry["port"]))
        if not ready.done():
            ready.set_exception(RuntimeError("the bot ended before it was ready"))

    async def kill(self) -> None:
        """SIGKILL the whole group, as a power cut would; the system's page cache survives it."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> None:
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if self._reading is not None:
            await self._reading
        self._process = self._reading = None

    async def command(self, *words: str) -> str:
        """Run another command of the program on the same data, beside it; what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            *words,
            stdout=asyncio.subprocess.PIPE,
            env=self._environment,
            cwd=self.folder,
        )
        async with asyncio.timeout(START_SECONDS):
            said, _ = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"bot {' '.join(words)} ended with {process.returncode}")
        return said.decode()

    async def invite(self, unit: str, role: str) -> str:
        return (await self.command("invite", "--unit", unit, "--role", role)).strip().splitlines()[-1]


class StandIn:
    """A stand-in as a process of its own: Telegram's Bot API, or what `module` is."""

    def __init__(self, *arguments: str, module: str = "bench.standin_telegram") -> None:
        self._module, self._arguments = module, arguments
        self._process: asyncio.subprocess.Process | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        words = ("-m", self._module, "--port", "0", *self._arguments)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *words, stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            self.port = int(await self._process.stdout.readline())

    async def stop(self) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._process = None


def telegram(api_url: str, token: str, secret: str) -> dict[str, str]:
    """Settings of a bot that is posted to on this machine, with rates that never hold it back."""
    return {
        "TELEGRAM_BOT_TOKEN": token,
        "TELEGRAM_API_URL": api_url,
        "TELEGRAM_WEBHOOK_URL": "http://127.0.0.1:1/telegram",
        "TELEGRAM_WEBHOOK_SECRET": secret,
        "TELEGRAM_RATE": "1000000",
        "TELEGRAM_CHAT_RATE": "1000000",
        "TELEGRAM_CHAT_BURST": "1000000",
        "TELEGRAM_GROUP_RATE": "60000000",
    }
