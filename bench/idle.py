"""Bench `idle`: how soon a started bot is ready, and what it holds while nobody speaks."""

import statistics
from pathlib import Path

from bench.result import Row
from bench.servers import our_bot, rss, standing_in

RSS_MB, READY_S = 150.0, 3.0


async def run(folder: Path, *, quick: bool) -> list[Row]:
    starts, memory = [], 0.0
    async with standing_in() as standin:
        for _ in range(2 if quick else 5):
            async with our_bot(folder / "idle", standin) as bot:
                starts.append(bot.started_in)
                memory = rss(bot.pid)
    slowest = max(starts)
    return [
        Row("idle: memory", f"{memory:.0f} MB", required=f"≤ {RSS_MB:.0f} MB", good=memory <= RSS_MB),
        Row(
            "idle: ready after start",
            f"median {statistics.median(starts):.1f}, slowest {slowest:.1f} s",
            required=f"≤ {READY_S:.0f} s",
            good=slowest <= READY_S,
        ),
    ]
