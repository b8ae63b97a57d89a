"""The load generator, a process of its own: people who press what they were shown, at a webhook.

    python -m bench.load --hook PORT --standin PORT --story litter --seconds 4 [--rate 20]

Without --rate, --concurrency people talk at any time, one report after another; with it, people arrive
at random, so many a second, whatever the bot does. Prints one JSON object.
"""

import argparse
import asyncio
import gc
import json
import random
import re
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field

from bench import scene
from bench.scene import STORIES, Json, Step
from bench.wire import Caller, Listener

PATIENCE = 30.0
CODE = re.compile(r"[A-Z]{2}-\d{2}-\d{5,}")


@dataclass(slots=True)
class Seen:
    """Milliseconds: to the answer at the stand-in, to the 200, from the last press to an alert."""

    answers: list[float] = field(default_factory=list)
    acks: list[float] = field(default_factory=list)
    alerts: list[float] = field(default_factory=list)
    first_alerts: list[float] = field(default_factory=list)
    by_step: dict[int, list[float]] = field(default_factory=dict)
    reports: int = 0
    missing_alerts: int = 0
    failures: list[str] = field(default_factory=list)


class Crowd:
    """Everybody who talks to one bot."""

    def __init__(self, story: tuple[Step, ...], first: int, until: float) -> None:
        self._story = story
        self._next = first
        self._until = until
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._callers: asyncio.LifoQueue[Caller] = asyncio.LifoQueue()
        self._alerts: dict[str, list[float]] = {}
        self._pressed: dict[str, float] = {}
        self._news = asyncio.Event()
        self.seen = Seen()

    async def connect(self, port: int, connections: int) -> None:
        for _ in range(connections):
            self._callers.put_nowait(await Caller.to(port))

    def heard(self, entry: Json) -> None:
        chat = int(entry["chat"])
        waiting = self._waiting.pop(chat, None)
        if waiting is not None:
            if not waiting.done():
                waiting.set_result(entry)
        elif chat < scene.FIRST_RESIDENT and (code := CODE.search(entry["text"] or "")):
            self._alerts.setdefault(code[0], []).append(entry["t"])
            self._news.set()

    async def tell(self) -> None:
        """One new person tells one report."""
        chat, self._next = self._next, self._next + 1
        offered: list[str] = []
        text = ""
        pressed = 0.0
        for number, step in enumerate(self._story):
            body = scene.update_for(step, chat * 10 + number, chat, offered)
            pressed = time.monotonic()
            entry = await self._say(chat, body, number, pressed)
            offered, text = entry["actions"], entry["text"] or ""
        if time.monotonic() < self._until:
            self.seen.reports += 1
            if code := CODE.search(text):
                self._pressed[code[0]] = pressed

    async def _say(self, chat: int, body: bytes, number: int, began: float) -> Json:
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[chat] = answer
        caller = await self._callers.get()
        try:
            status = await caller.post(body)
        finally:
            self._callers.put_nowait(caller)
        acknowledged = time.monotonic()
        if status != 200:
            raise LookupError(f"status {status}")
        async with asyncio.timeout(PATIENCE):
            entry = await answer
        # Answered, and known to be: whichever came last.
        done = max(acknowledged, entry["t"])
        if done < self._until:
            self.seen.acks.append((acknowledged - began) * 1000)
            self.seen.answers.append((done - began) * 1000)
            self.seen.by_step.setdefault(number, []).append((done - began) * 1000)
        return entry

    async def talk_on(self) -> None:
        while time.monotonic() < self._until:
            await self._told()

    async def _told(self) -> None:
        try:
            await self.tell()
        except (LookupError, TimeoutError, ConnectionError) as error:
            self.seen.failures.append(f"{type(error).__name__}: {error}")

    async def arrive(self, rate: float) -> None:
        """Poisson arrivals: nobody waits for anybody."""
        rng = random.Random(1)
        loop = asyncio.get_running_loop()
        due = loop.time()
        people: list[asyncio.Task[None]] = []
        while time.monotonic() < self._until:
            due += rng.expovariate(rate)
            await asyncio.sleep(max(0.0, due - loop.time()))
            people.append(asyncio.create_task(self._told()))
        await asyncio.gather(*people)

    async def count_alerts(self, expected: int) -> None:
        """Wait for the last alerts, then measure all of those whose press was counted."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while self._outstanding(expected):
                    self._news.clear()
                    await self._news.wait()
        for code, pressed in self._pressed.items():
            times = [(at - pressed) * 1000 for at in self._alerts.get(code, ())]
            self.seen.alerts += times
            self.seen.missing_alerts += max(0, expected - len(times))
            if times:
                self.seen.first_alerts.append(min(times))

    def _outstanding(self, expected: int) -> int:
        return sum(len(self._alerts.get(code, ())) < expected for code in self._pressed)


async def _run(options: argparse.Namespace) -> Seen:
    until = time.monotonic() + options.seconds
    crowd = Crowd(STORIES[options.story], options.first, until)
    await Listener.to(options.standin, crowd.heard)
    await crowd.connect(options.hook, options.concurrency)
    gc.freeze()
    if options.rate:
        await crowd.arrive(options.rate)
    else:
        await asyncio.gather(*(crowd.talk_on() for _ in range(options.concurrency)))
    if options.alerts:
        await crowd.count_alerts(options.alerts)
    return crowd.seen


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hook", type=int, required=True, help="port of the bot's webhook")
    parser.add_argument("--standin", type=int, required=True, help="port of the stand-in Bot API")
    parser.add_argument("--story", choices=STORIES, default="litter")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--rate", type=float, help="reports a second, open loop")
    parser.add_argument("--alerts", type=int, default=0, help="alerts to wait for, a report")
    parser.add_argument("--first", type=int, default=scene.FIRST_RESIDENT, help="the first person's number")
    options = parser.parse_args()
    began = time.process_time()
    seen = asyncio.run(_run(options))
    values = {name: getattr(seen, name) for name in Seen.__dataclass_fields__}
    told = values | {"seconds": options.seconds, "cpu": time.process_time() - began}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
