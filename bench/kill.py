"""Bench `kill`: killed with -9 again and again while people report; then the books are checked."""

import asyncio
import random
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from bench import scene
from bench.result import Row
from bench.scene import Json
from bench.servers import standing_in
from bench.wire import Caller, Listener
from tests.bot_process import BotProcess, telegram

KILLS, KILLS_QUICK = 200, 10
RESIDENTS = 30
OFFICERS = 2
LIFE_S = 0.3
# After the last start. Generous: only a lost message is waited for so long.
PATIENCE_S = 30.0
# One delivery in so many comes twice although it was answered, as platforms do.
TWICE_ONE_IN = 10
TOKEN = re.compile(r"R-[0-9]{8}")
CODE = re.compile(r"AP-\d{2}-\d{5,}")


@dataclass(slots=True)
class Verdict:
    """What the ledger, the acknowledgements and the database say together."""

    kills: int
    reports: int = 0
    updates: int = 0
    redelivered: int = 0
    lost: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    no_receipt: list[str] = field(default_factory=list)
    alerts_missing: list[str] = field(default_factory=list)
    alert_copies: int = 0
    receipt_copies: int = 0
    left_over: dict[str, int] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


class Ledger:
    """Everything the stand-in accepted, by chat; who waits for something is told at once."""

    def __init__(self) -> None:
        self.said: dict[int, list[Json]] = {}
        self.awaited: set[str] = set()
        self._news = asyncio.Condition()
        self._tellers: set[asyncio.Task[None]] = set()

    def heard(self, entry: Json) -> None:
        self.said.setdefault(int(entry["chat"]), []).append(entry)
        teller = asyncio.create_task(self._tell())
        self._tellers.add(teller)
        teller.add_done_callback(self._tellers.discard)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def action(self, chat: int, what: str) -> str:
        """The first button of this kind that was shown in the chat."""
        return await self._first(lambda: scene.found(what, self._actions(chat)), f"{what} in {chat}")

    async def text(self, chat: int, pattern: re.Pattern[str]) -> str:
        return await self._first(lambda: self._found(chat, pattern), f"{pattern.pattern} in {chat}")

    async def alerts(self, chats: Iterable[int], codes: set[str]) -> None:
        """Until each chat has heard of each code."""

        def heard() -> str | None:
            return "yes" if all(codes <= self.codes(chat).keys() for chat in chats) else None

        await self._first(heard, "alerts")

    async def _first(self, look: Callable[[], str | None], what: str) -> str:
        self.awaited.add(what)
        async with self._news:
            while (found := look()) is None:
                await self._news.wait()
        self.awaited.discard(what)
        return found

    def _actions(self, chat: int) -> list[str]:
        return [action for entry in self.said.get(chat, ()) for action in entry["actions"]]

    def _found(self, chat: int, pattern: re.Pattern[str]) -> str | None:
        for entry in self.said.get(chat, ()):
            if match := pattern.search(entry["text"] or ""):
                return match[0]
        return None

    def codes(self, chat: int) -> Counter[str]:
        """How often each code was told in a chat."""
        return Counter(
            match[0] for entry in self.said.get(chat, ()) if (match := CODE.search(entry["text"] or ""))
        )


class Platform:
    """Delivers updates as Telegram does: again and again until a 200, whoever is alive by then."""

    def __init__(self, bot: BotProcess, rng: random.Random) -> None:
        self._bot, self._rng = bot, rng
        self._up = asyncio.Event()
        self._callers: list[Caller] = []
        self.updates = 0
        self.redelivered = 0

    def opened(self) -> None:
        self._up.set()

    def closed(self) -> None:
        self._up.clear()
        for caller in self._callers:
            caller.close()
        self._callers.clear()

    async def deliver(self, body: bytes) -> None:
        self.updates += 1
        again = self._rng.randrange(TWICE_ONE_IN) == 0
        await self._until_ok(body)
        if again:
            self.redelivered += 1
            await self._until_ok(body)

    async def _until_ok(self, body: bytes) -> None:
        while not await self._tried(body):
            self.redelivered += 1

    async def _tried(self, body: bytes) -> bool:
        await self._up.wait()
        try:
            caller = self._callers.pop() if self._callers else await Caller.to(self._bot.port)
            status = await caller.post(body)
        except OSError:
            # Refused or broken off: the port of a dead bot, until the next one is up.
            await asyncio.sleep(0)
            return False
        if self._up.is_set():
            self._callers.append(caller)
        return status == 200


@dataclass(slots=True)
class Town:
    """Residents who report one matter after the other until the last kill is over."""

    platform: Platform
    ledger: Ledger
    rng: random.Random
    over: asyncio.Event = field(default_factory=asyncio.Event)
    filed: dict[str, str] = field(default_factory=dict)
    pressed: set[str] = field(default_factory=set)
    troubles: list[str] = field(default_factory=list)
    _people: int = 0

    async def live(self) -> None:
        while not self.over.is_set():
            await self.report()

    async def report(self) -> None:
        """A new person: words with a token, no photo, no hours, send; then the receipt with its code."""
        self._people += 1
        chat = scene.FIRST_RESIDENT + self._people
        token = f"R-{self.rng.randrange(10**8):08d}"
        first = chat * 10
        await self._talk(chat, token, first)

    async def _talk(self, chat: int, token: str, first: int) -> None:
        deliver, action = self.platform.deliver, self.ledger.action
        await deliver(scene.press(first, chat, "new"))
        await action(chat, "f:*:order")
        await deliver(scene.words(first + 1, chat, f"Ô tô đỗ sai trên vỉa hè cổng chợ thôn 3 {token}"))
        await deliver(scene.press(first + 2, chat, await action(chat, "no:*:photo")))
        await deliver(scene.press(first + 3, chat, await action(chat, "no:*:hours")))
        send = await action(chat, "send:*")
        await deliver(scene.press(first + 4, chat, send))
        self.pressed.add(token)
        self.filed[token] = await self.ledger.text(chat, CODE)


async def kill_and_check(folder: Path, *, kills: int, seed: int, residents: int = RESIDENTS) -> Verdict:
    """Let people report while the bot is killed so often, then stop it in peace and read everything."""
    rng = random.Random(seed)
    async with AsyncExitStack() as stack:
        standin = await stack.enter_async_context(standing_in())
        bot = BotProcess(folder, telegram(standin.url, scene.TOKEN, scene.SECRET))
        stack.push_async_callback(bot.kill)
        ledger = Ledger()
        listener = await Listener.to(standin.port, ledger.heard)
        stack.callback(listener.close)
        town = Town(Platform(bot, rng), ledger, rng)
        await _run(bot, town, kills, residents, rng)
        await bot.stop()
    return _verdict(bot.database, town, kills)


async def _run(bot: BotProcess, town: Town, kills: int, residents: int, rng: random.Random) -> None:
    officers = [scene.FIRST_POLICE + number for number in range(OFFICERS)]
    await _open(bot, town.platform)
    for officer in officers:
        code = await bot.invite("cong-an", "police")
        await town.platform.deliver(scene.words(officer, officer, code))
        await town.ledger.text(officer, re.compile("Công an"))
    people = [asyncio.create_task(town.live()) for _ in range(residents)]
    try:
        for _ in range(kills):
            # Not a wait for anything: the moment of the blow is drawn by lot.
            await asyncio.sleep(rng.uniform(0, LIFE_S))
            town.platform.closed()
            await bot.kill()
            await _open(bot, town.platform)
        town.over.set()
        await _finish(town, people, officers)
    finally:
        for person in people:
            person.cancel()
        await asyncio.gather(*people, return_exceptions=True)


async def _finish(town: Town, people: Sequence["asyncio.Task[None]"], officers: Sequence[int]) -> None:
    """In peace now: every talk comes to its end, and the officers hear of each report."""
    await asyncio.wait(people, timeout=PATIENCE_S)
    town.troubles += sorted(town.ledger.awaited)
    if town.troubles:
        return
    try:
        async with asyncio.timeout(PATIENCE_S):
            await town.ledger.alerts(officers, set(town.filed.values()))
    except TimeoutError:
        town.troubles.append("alerts")


async def _open(bot: BotProcess, platform: Platform) -> None:
    await bot.start()
    platform.opened()


def _verdict(database: Path, town: Town, kills: int) -> Verdict:
    verdict = Verdict(kills, updates=town.platform.updates, redelivered=town.platform.redelivered)
    verdict.troubles = town.troubles
    with closing(sqlite3.connect(database)) as db:
        kept = [(str(code), str(words)) for code, words in db.execute("SELECT code, words FROM reports")]
        verdict.left_over = {
            "inbox": db.execute("SELECT count(*) FROM inbox WHERE state <> 1").fetchone()[0],
            "outbox": db.execute("SELECT count(*) FROM outbox WHERE state IN (0, 1)").fetchone()[0],
        }
    tokens = Counter(match[0] for _, words in kept if (match := TOKEN.search(words)))
    verdict.reports = len(town.pressed)
    verdict.lost = sorted(town.pressed - tokens.keys())
    verdict.extra = sorted(token for token, count in tokens.items() if count > 1 or token not in town.pressed)
    verdict.extra += [code for code, words in kept if not TOKEN.search(words)]
    verdict.no_receipt = sorted(town.pressed - town.filed.keys())
    _count_copies(verdict, {code for code, _ in kept}, town)
    return verdict


def _count_copies(verdict: Verdict, codes: set[str], town: Town) -> None:
    for number in range(OFFICERS):
        heard = town.ledger.codes(scene.FIRST_POLICE + number)
        verdict.alerts_missing += sorted(codes - heard.keys())
        verdict.alert_copies += sum(count - 1 for count in heard.values())
    residents = (chat for chat in town.ledger.said if chat >= scene.FIRST_RESIDENT)
    verdict.receipt_copies = sum(max(0, town.ledger.codes(chat).total() - 1) for chat in residents)


async def run(folder: Path, *, quick: bool, kills: int | None = None) -> list[Row]:
    count = kills if kills is not None else KILLS_QUICK if quick else KILLS
    verdict = await kill_and_check(folder / "kill", kills=count, seed=1)
    copies = f"{verdict.alert_copies} alerts, {verdict.receipt_copies} receipts"
    left = ", ".join(f"{name} {number}" for name, number in verdict.left_over.items())
    return [
        Row(f"kill -9: {verdict.kills} times", f"{verdict.updates} updates, {verdict.redelivered} again"),
        Row("kill: reports acknowledged", str(verdict.reports)),
        _none("kill: lost", verdict.lost),
        _none("kill: extra", verdict.extra),
        _none("kill: sent without a receipt", verdict.no_receipt),
        _none("kill: alerts missing", verdict.alerts_missing),
        _none("kill: talks that stood still", verdict.troubles),
        Row("kill: copies beyond the first", copies, required="≤ 64 a kill"),
        Row("kill: left undone", left, required="0", good=not any(verdict.left_over.values())),
    ]


def _none(name: str, found: list[str]) -> Row:
    return Row(name, str(len(found)), required="0", good=not found)
