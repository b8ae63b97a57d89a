"""Bench `alert`: from a resident's last press to the police chats, at a rate that waits for nobody."""

from contextlib import AsyncExitStack
from pathlib import Path

import psutil

from bench.result import Row, percentile, spread
from bench.servers import Machine, Target, generate, make_members, our_bot, police, standing_in

REPORTS_A_SECOND = 20.0
P50_MS, P99_MS = 50.0, 250.0


async def run(folder: Path, *, quick: bool) -> list[Row]:
    members = police()
    async with AsyncExitStack() as stack:
        standin = await stack.enter_async_context(standing_in())
        bot = await stack.enter_async_context(our_bot(folder / "alert", standin))
        await make_members(bot, standin, members)
        target = Target("ours", bot.port, bot.pid)
        how = ("--story", "order", "--rate", str(REPORTS_A_SECOND), "--alerts", str(len(members)))
        await generate(target, standin, 2.0, *how)
        later = ("--first", "200000001")
        seconds = 5.0 if quick else 20.0
        machine, served = Machine(), psutil.Process(standin.pid)
        before = sum(served.cpu_times()[:2])
        seen = await generate(target, standin, seconds, *how, *later)
        ours = seen["target_cpu"] + seen["cpu"] + sum(served.cpu_times()[:2]) - before
    alerts, firsts = seen["alerts"], seen["first_alerts"]
    middle, late = percentile(alerts, 0.5), percentile(alerts, 0.99)
    lost = f"{seen['missing_alerts']} alerts, {len(seen['failures'])} answers"
    return [
        Row(
            f"alert: {len(members)} chats each, {REPORTS_A_SECOND:.0f} reports/s",
            spread(alerts),
            required=f"p50 ≤ {P50_MS:.0f}, p99 ≤ {P99_MS:.0f} ms",
            good=middle <= P50_MS and late <= P99_MS,
        ),
        Row("alert: the first of them", spread(firsts)),
        Row("alert: answers to residents meanwhile", spread(seen["answers"])),
        Row("alert: missing", lost, required="0", good=not seen["missing_alerts"] and not seen["failures"]),
        Row("alert: processor", f"{seen['target_cpu'] / seconds:.2f} of a core", machine.said(ours)),
    ]
