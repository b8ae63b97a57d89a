"""Bench `report`: reports told in five steps to us and to the peers, turn by turn in one run."""

import statistics
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import scene
from bench.result import Row, percentile
from bench.servers import Target, generate, make_members, monitors, our_bot, peer, standing_in
from tests.bot_process import BotProcess, StandIn

OURS, USUAL, FSM, BARE = "An Phú Xanh", "conversation", "fsm", "bare"
NAMES = {USUAL: "PTB ConversationHandler", FSM: "aiogram FSM", BARE: "aiohttp, nothing kept"}
# Each turn brings new people; more than any turn can serve.
CROWD = 1_000_000


@dataclass(slots=True)
class Score:
    """Of one target: updates a second of each round, all latencies, processor shares."""

    rates: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    acks: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    p99s: list[float] = field(default_factory=list)
    missing: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, seen: dict[str, Any]) -> None:
        seconds = float(seen["seconds"])
        self.rates.append(len(seen["answers"]) / seconds)
        self.answers += seen["answers"]
        self.acks += seen["acks"]
        self.p99s.append(percentile(seen["answers"], 0.99))
        self.busy.append(seen["target_cpu"] / seconds)
        self.missing += seen["missing_alerts"]
        self.failures += seen["failures"]

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    def said(self) -> str:
        middle, late = percentile(self.answers, 0.5), percentile(self.answers, 0.99)
        return f"{self.rate:.0f}/s, p50 {middle:.0f}, p99 {late:.0f} ms"


async def ready_bot(stack: AsyncExitStack, folder: Path, standin: StandIn) -> tuple[BotProcess, Target]:
    bot = await stack.enter_async_context(our_bot(folder, standin))
    await make_members(bot, standin, monitors())
    return bot, Target(OURS, bot.port, bot.pid)


async def rounds(targets: list[Target], standin: StandIn, *, count: int, seconds: float) -> dict[str, Score]:
    """Turn by turn, so that what else the machine does meets everybody alike; the first turn only warms."""
    scores = {target.name: Score() for target in targets}
    for turn in range(count + 1):
        first = str(scene.FIRST_RESIDENT + turn * CROWD)
        for target in targets if turn % 2 else reversed(targets):
            length = seconds if turn else max(1.0, seconds / 3)
            alerts = ("--alerts", "1") if target.name.startswith(OURS) else ()
            seen = await generate(target, standin, length, "--first", first, *alerts)
            if turn:
                scores[target.name].add(seen)
    return scores


async def run(folder: Path, *, quick: bool) -> list[Row]:
    async with AsyncExitStack() as stack:
        standin = await stack.enter_async_context(standing_in())
        _, ours = await ready_bot(stack, folder / "report", standin)
        pickled = ("--pickle", str(folder / "state.pickle"))
        targets = [ours]
        for name in (USUAL, FSM, BARE):
            extra = pickled if name == USUAL else ()
            targets.append(await stack.enter_async_context(peer(name, standin, *extra)))
        scores = await rounds(targets, standin, count=2 if quick else 4, seconds=3.0 if quick else 5.0)
    return _rows(scores)


def compared(ours: list[float], theirs: list[float]) -> float:
    """The median of the rounds' ratios; a round in which they did nothing at all counts as won by far."""
    return statistics.median(o / t if t else float("inf") for o, t in zip(ours, theirs, strict=True))


def _rows(scores: dict[str, Score]) -> list[Row]:
    ours, usual = scores[OURS], scores[USUAL]
    ratio, slower = compared(ours.rates, usual.rates), compared(ours.p99s, usual.p99s)
    peers = "\n".join(f"{NAMES[name]}: {scores[name].said()}" for name in (USUAL, FSM, BARE))
    return [
        Row("report: answered", ours.said(), peers),
        Row("report: to ConversationHandler", f"{ratio:.2f}×", "1×", "≥ 1× (aim 2×)", ratio >= 1),
        Row("report: its p99 to theirs", f"{slower:.2f}×", "1×", "< 1×", slower < 1),
        Row(
            "report: 200 after it is on disk",
            f"p50 {percentile(ours.acks, 0.5):.0f}, p99 {percentile(ours.acks, 0.99):.0f} ms",
            required="p99 ≤ 500 ms",
            good=percentile(ours.acks, 0.99) <= 500,
        ),
        Row(
            "report: lost",
            f"{len(ours.failures)} unanswered, {ours.missing} alerts missing",
            "; ".join(f"{NAMES[n]}: {len(scores[n].failures)}" for n in (USUAL, FSM, BARE)),
            "0",
            not ours.failures and not ours.missing,
        ),
        Row("report: processor", f"{statistics.median(ours.busy):.2f} of a core"),
    ]
