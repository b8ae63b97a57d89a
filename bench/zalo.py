"""Bench `zalo`: signed webhooks at 100 a second, while photos drip in and a broadcast fills the database."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from bench import zalo_people
from bench.photo import photograph
from bench.result import Row, percentile, spread
from bench.servers import Machine, end, standing_in
from bench.standin_zalo import App, OfficialAccount
from bot.channels.zalo_oa_read import NAME
from storage.tables import OutboxState
from tests.bot_process import ROOT, BotProcess, StandIn

RATE = 100.0
P50_MS, P99_MS, NEVER_MS = 100.0, 500.0, 2000.0
# Zalo's file host on a bad day: this long until it answers, then 64 KiB every so often.
DELAY_S, DRIP_S = 4.0, 0.05
PHOTOS = 8
# The broadcast is promised within this share of the measurement.
SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Kept:
    """What the database says afterwards."""

    lost: int
    broadcast: int
    fetched: int
    aside: int


def settings(standin: StandIn) -> dict[str, str]:
    """Of a bot whose Zalo is the stand-in; its pace is the one that it has in real life."""
    return {
        "WEBCHAT": "off",
        "PUBLIC_URL": "http://127.0.0.1:1",
        "SECRET_KEY": "bench" * 8,
        "ZALO_OA_APP_ID": App.id,
        "ZALO_OA_APP_SECRET": App.secret,
        "ZALO_OA_SECRET_KEY": OfficialAccount.secret,
        "ZALO_OA_REFRESH_TOKEN": "refresh-1",
        "ZALO_OA_API_URL": standin.url,
        "ZALO_OAUTH_URL": standin.url,
        "ZALO_MEDIA_HOSTS": f"127.0.0.1:{standin.port}",
    }


async def run(folder: Path, *, quick: bool) -> list[Row]:
    seconds = 10.0 if quick else 30.0
    await zalo_people.settle(folder / "data")
    async with AsyncExitStack() as stack:
        standin = await stack.enter_async_context(
            standing_in("--access", "access-1", module="bench.standin_zalo")
        )
        await zalo_people.introduce(standin.url, residents=10_000)
        await _serve_photos(standin)
        bot = BotProcess(folder, settings(standin))
        stack.push_async_callback(bot.stop)
        await bot.start()
        machine, processes = Machine(), [psutil.Process(pid) for pid in (bot.pid, standin.pid)]
        before = [_cpu(process) for process in processes]
        async with _broadcast(folder / "data", seconds * SHARE) as promised:
            seen = await _crowd(bot, standin, seconds)
            pieces = await promised
        spent = [_cpu(process) - earlier for process, earlier in zip(processes, before, strict=True)]
        kept = _kept(bot.database, seen["ids"])
    said = machine.said(sum(spent) + seen["cpu"])
    return _rows(seen, kept, pieces, f"{spent[0] / seconds:.2f} of a core", said)


def _cpu(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


async def _serve_photos(standin: StandIn) -> None:
    data = photograph()
    async with aiohttp.ClientSession() as session:
        for number in range(PHOTOS):
            told = f"path=/photo/{number}.jpg&delay={DELAY_S}&drip={DRIP_S}"
            async with session.post(f"{standin.url}/control/file?{told}", data=data) as answer:
                answer.raise_for_status()


@asynccontextmanager
async def _broadcast(data: Path, seconds: float) -> AsyncIterator["asyncio.Task[list[float]]"]:
    """In a process of its own, on the same file; awaited, it tells how long each piece took."""
    words = ("-m", "bench.zalo_people", str(data), "--seconds", str(seconds))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )

    async def told() -> list[float]:
        said, _ = await process.communicate()
        found: list[float] = json.loads(said)
        return found

    promised = asyncio.create_task(told())
    try:
        yield promised
    finally:
        promised.cancel()
        await end(process)


async def _crowd(bot: BotProcess, standin: StandIn, seconds: float) -> dict[str, Any]:
    ports = ("--hook", str(bot.port), "--standin", str(standin.port), "--photos", str(PHOTOS))
    words = ("-m", "bench.zalo_crowd", *ports, "--rate", str(RATE), "--seconds", str(seconds))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        async with asyncio.timeout(seconds * 2 + 90):
            told, _ = await process.communicate()
    finally:
        await end(process)
    if process.returncode != 0:
        raise RuntimeError(f"the generator ended with {process.returncode}")
    seen: dict[str, Any] = json.loads(told)
    return seen


def _kept(database: Path, ids: list[str]) -> Kept:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:

        def one(query: str, *given: object) -> int:
            return int(db.execute(query, given).fetchone()[0])

        stored = {row[0] for row in db.execute("SELECT event FROM inbox WHERE channel = ?", (NAME,))}
        sent = "SELECT count(*) FROM outbox WHERE key LIKE 'news/%' AND state = ?"
        return Kept(
            len(set(ids) - stored),
            one(sent, OutboxState.SENT),
            one("SELECT count(*) FROM photos WHERE stored IS NOT NULL"),
            one("SELECT count(*) FROM inbox WHERE problem IS NOT NULL"),
        )


def _rows(seen: dict[str, Any], kept: Kept, pieces: list[float], busy: str, machine: str) -> list[Row]:
    acks, answers = seen["acks"], seen["answers"]
    middle, late, worst = percentile(acks, 0.5), percentile(acks, 0.99), max(acks)
    other = {status: count for status, count in seen["statuses"].items() if status != "200"}
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(seen["kinds"].items()))
    return [
        Row(
            f"zalo: webhook at {RATE:.0f}/s",
            f"p50 {middle:.0f}, p99 {late:.0f}, most {worst:.0f} ms",
            required=f"p50 ≤ {P50_MS:.0f}, p99 ≤ {P99_MS:.0f}, never {NEVER_MS:.0f} ms",
            good=middle <= P50_MS and late <= P99_MS and worst < NEVER_MS,
        ),
        Row(
            "zalo: lost",
            f"{kept.lost} of {len(acks)}, not answered 200: {other or 0}, set aside: {kept.aside}",
            required="0",
            good=not kept.lost and not other and not kept.aside,
        ),
        Row("zalo: what came", kinds, f"the generator itself was late: {spread(seen['late'])}"),
        Row("zalo: answers meanwhile", f"{len(answers)}: {spread(answers)}", "at most 60 calls a second"),
        Row(
            f"zalo: broadcast to {zalo_people.LISTENERS:,}",
            f"{len(pieces)} pieces, {spread(pieces)}; {kept.broadcast} sent",
            f"{kept.fetched} photos fetched, {DELAY_S:.0f} s and more each",
        ),
        Row("zalo: processor", busy, machine),
    ]
