"""Everything a bench starts: stand-in, bots with their members, peers, the generator."""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench import scene
from bench.wire import Caller, Listener
from bot.core.invite import LIFE_MS, SYMBOLS, digest, spell
from storage import people
from storage.database import Database
from tests.bot_process import ROOT, BotProcess, StandIn, telegram

STOP_SECONDS = 10.0
START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers a webhook: its name, port and process."""

    name: str
    port: int
    pid: int

    def cpu(self) -> float:
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


class Machine:
    """How many cores were busy, from when it was made, whoever kept them so."""

    def __init__(self) -> None:
        self._began, self._busy = time.monotonic(), _busy()

    def said(self, ours: float) -> str:
        """Beside the processor seconds that were ours."""
        seconds = time.monotonic() - self._began
        others = max(0.0, _busy() - self._busy - ours) / seconds
        return f"{psutil.cpu_count()} cores, {others:.1f} of them busy with other things"


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice + getattr(times, "steal", 0.0))


def rss(pid: int) -> float:
    """Megabytes in memory now."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


@asynccontextmanager
async def standing_in(*arguments: str, module: str = "bench.standin_telegram") -> AsyncIterator[StandIn]:
    standin = StandIn(*arguments, module=module)
    await standin.start()
    try:
        yield standin
    finally:
        await standin.stop()


@asynccontextmanager
async def our_bot(folder: Path, standin: StandIn) -> AsyncIterator[BotProcess]:
    bot = BotProcess(folder, telegram(standin.url, scene.TOKEN, scene.SECRET))
    await bot.start()
    try:
        yield bot
    finally:
        await bot.stop()


@asynccontextmanager
async def peer(name: str, standin: StandIn, *arguments: str) -> AsyncIterator[Target]:
    words = ("-m", f"bench.peers.{name}", "--api", standin.url, *arguments)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            port = int(await process.stdout.readline())
        yield Target(name, port, process.pid)
    finally:
        await end(process)


async def end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def generate(target: Target, standin: StandIn, seconds: float, *arguments: str) -> dict[str, Any]:
    """Run the generator against a target for so long; what it saw, and the processor time all took."""
    words = ("--hook", str(target.port), "--standin", str(standin.port), "--seconds", str(seconds))
    before = target.cpu()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", *words, *arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        async with asyncio.timeout(seconds * 3 + 90):
            told, _ = await process.communicate()
    finally:
        await end(process)
    if process.returncode != 0:
        raise RuntimeError(f"the generator ended with {process.returncode}")
    seen: dict[str, Any] = json.loads(told)
    return seen | {"target_cpu": target.cpu() - before}


async def make_members(bot: BotProcess, standin: StandIn, members: Sequence[tuple[int, str, str]]) -> None:
    """Each (chat, unit, role) gets an invite and sends its code, as a person would."""
    codes = await _invites(bot, [(unit, role) for _, unit, role in members])
    welcomed: set[int] = set()
    everybody = {chat for chat, _, _ in members}
    done = asyncio.Event()

    def heard(entry: scene.Json) -> None:
        welcomed.add(int(entry["chat"]))
        if everybody <= welcomed:
            done.set()

    async with AsyncExitStack() as stack:
        listener = await Listener.to(standin.port, heard)
        stack.callback(listener.close)
        caller = await Caller.to(bot.port)
        stack.callback(caller.close)
        for (chat, _, _), code in zip(members, codes, strict=True):
            status = await caller.post(scene.words(chat, chat, code))
            if status != 200:
                raise RuntimeError(f"an invite code was answered {status}")
        async with asyncio.timeout(START_SECONDS):
            await done.wait()


async def _invites(bot: BotProcess, wanted: Sequence[tuple[str, str]]) -> list[str]:
    """As `python -m bot invite` makes them, without a process for each of fifty."""
    db = Database.in_folder(bot.database.parent)
    now = int(time.time() * 1000)
    codes = []
    try:
        for unit, role in wanted:
            code = spell("7" + "".join(secrets.choice(SYMBOLS) for _ in range(7)))
            await _keep_invite(db, code, unit, role, now)
            codes.append(code)
    finally:
        await db.close()
    return codes


async def _keep_invite(db: Database, code: str, unit: str, role: str, now: int) -> None:
    await db.write(lambda conn: people.make_invite(conn, digest(code), unit, role, now, now + LIFE_MS))


def police() -> list[tuple[int, str, str]]:
    return [(scene.FIRST_POLICE + n, "cong-an", "police") for n in range(scene.POLICE_CHATS)]


def monitors() -> list[tuple[int, str, str]]:
    """One in each village."""
    return [(scene.FIRST_MONITOR + n, f"thon-{n + 1:02d}", "monitor") for n in range(scene.MONITOR_CHATS)]
