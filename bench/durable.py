"""Bench `durable`: by the order of system calls, was every 200 preceded by a sync of what it acknowledges?"""

import re
import shutil
import sys
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench import scene
from bench.result import Row
from bench.servers import Target, generate, standing_in
from tests.bot_process import BotProcess, telegram

# What tells us when a request was read, when a file was synced, when an answer was written.
CALLS = "trace=recvfrom,read,fdatasync,fsync,sendto,write,writev"
POSTED = re.compile(r'(?:recvfrom|read)\((\d+), "POST /telegram')
ANSWERED = re.compile(r'(?:sendto|write|writev)\((\d+), .*?"HTTP/1\.1 200')
SYNCED = re.compile(r"f(?:data)?sync\(\d+\) += 0|<\.\.\. f(?:data)?sync resumed>.*= 0")


@dataclass(slots=True)
class Order:
    """Requests by connection with the number of syncs done when each was read."""

    answered: int = 0
    unsynced: int = 0
    syncs: int = 0
    _read_at: dict[str, int] = field(default_factory=dict)

    def line(self, line: str) -> None:
        if SYNCED.search(line):
            self.syncs += 1
        elif posted := POSTED.search(line):
            self._read_at[posted[1]] = self.syncs
        elif (answer := ANSWERED.search(line)) and (before := self._read_at.pop(answer[1], None)) is not None:
            self.answered += 1
            self.unsynced += self.syncs == before


def order_of(lines: Iterable[str]) -> Order:
    order = Order()
    for line in lines:
        order.line(line)
    return order


async def run(folder: Path, *, quick: bool) -> list[Row]:
    tracer = shutil.which("strace")
    if tracer is None:
        return [Row("durable: 200 before its sync", "not measured: strace is not installed", required="0")]
    log = folder / "calls.log"
    around = (tracer, "-f", "-s", "64", "-e", CALLS, "-o", str(log), sys.executable)
    async with AsyncExitStack() as stack:
        standin = await stack.enter_async_context(standing_in())
        bot = BotProcess(folder, telegram(standin.url, scene.TOKEN, scene.SECRET), before=around)
        stack.push_async_callback(bot.stop)
        await bot.start()
        target = Target("ours", bot.port, bot.pid)
        await generate(target, standin, 2.0 if quick else 6.0, "--concurrency", "40")
        await bot.stop()
    with log.open(encoding="utf-8", errors="replace") as lines:
        order = order_of(lines)
    good = order.answered > 0 and order.unsynced == 0
    return [Row("durable: 200 before its sync", f"{order.unsynced} of {order.answered}", "", "0", good)]
