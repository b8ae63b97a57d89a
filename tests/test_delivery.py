"""What is promised goes out at the platform's pace, in order, alerts first; each answer has its end."""

import asyncio
import sqlite3
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.app import Parts, build
from bot.channels.base import (
    Failed,
    Flood,
    Outcome,
    Pace,
    Parsed,
    Refused,
    Relocated,
    Sent,
    Unauthorized,
)
from bot.config import load_commune
from bot.core.commune import Point
from bot.core.effects import Lane
from bot.core.events import Address, Undelivered
from bot.core.message import Message
from bot.delivery import ALERT_BACKOFF_MAX_S, BACKOFF_FIRST_S, IN_FLIGHT, Delivery
from bot.inbox import parse_own
from storage import outbox, people
from storage.database import Database
from storage.files import Files
from storage.tables import OutboxState
from storage.tables import inbox as inbox_table
from storage.tables import outbox as outbox_table
from tests.paper import ROOT, Paper, PaperClock, PaperPainter, PaperStudio

NO_PACE = Pace(1e6, 1e6, 10**6, 1e6)
ENOUGH_STEPS = 3000


class Scripted(Paper):
    """A channel that answers as it was told, chat by chat, and notes when it was called."""

    name = "scripted"

    def __init__(self, clock: PaperClock, pace: Pace = NO_PACE) -> None:
        super().__init__()
        self.pace = pace
        self.calls: list[tuple[float, str, str]] = []
        self.news = asyncio.Event()
        self.answers: dict[str, deque[Outcome | Exception]] = {}
        self.gate: asyncio.Event | None = None
        self.on_send: Callable[[], None] = lambda: None
        self._clock = clock

    def will(self, chat: str, *answers: Outcome | Exception) -> None:
        self.answers.setdefault(chat, deque()).extend(answers)

    def texts(self, chat: str | None = None) -> list[str]:
        return [text for _, to, text in self.calls if chat in (None, to)]

    async def send(self, to: Address, message: Message, photo: bytes | None, key: int) -> Outcome:
        self.calls.append((self._clock.monotonic(), to.chat, message.text))
        self.on_send()
        self.news.set()
        if self.gate is not None:
            await self.gate.wait()
        waiting = self.answers.get(to.chat)
        answer = waiting.popleft() if waiting else Sent(f"m{key}")
        if isinstance(answer, Exception):
            raise answer
        return answer


class Sending:
    """One delivery loop, turned by hand: a step, what is in the air lands, time passes."""

    def __init__(self, db: Database, folder: Path, pace: Pace = NO_PACE) -> None:
        self.db = db
        self.clock = PaperClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
        self.channel = Scripted(self.clock, pace)
        self.told = 0
        self.files = Files(str(folder / "photos"))
        self.delivery = self.restarted()

    def restarted(self) -> Delivery:
        self.delivery = Delivery(self.db, self.channel, self.files, self.clock, self._tell)
        return self.delivery

    def _tell(self) -> None:
        self.told += 1

    async def promise(self, *rows: tuple[str, str], lane: Lane = Lane.ANSWER, **more: Any) -> None:
        now = self.clock.ms()
        made = [
            {"lane": int(lane), "channel": "scripted", "chat": chat, "message": "test", "text": text}
            | {"made_at": now, "due_at": now}
            | more
            for chat, text in rows
        ]
        await self.db.write(lambda conn: outbox.promise(conn, made))

    async def turn(self) -> float:
        """A step and its end; like the loop, it comes again at once when something was sent."""
        before = len(self.channel.calls)
        wait = await self.delivery.step()
        await self.delivery.settle()
        return wait if len(self.channel.calls) == before else 0.0

    async def until(self, done: Callable[[], bool], seconds: float = 3600) -> None:
        """Steps, with exactly the rests that the loop itself asks for."""
        end = self.clock.monotonic() + seconds
        for _ in range(ENOUGH_STEPS):
            if done():
                return
            wait = await self.turn()
            # The paper clock's grain is a microsecond: round up.
            self.clock.move(timedelta(seconds=wait, microseconds=1 if wait else 0))
            if self.clock.monotonic() > end + 1:
                break
        raise AssertionError(f"not done after {seconds} s: {len(self.channel.calls)} calls")

    async def sent(self, count: int, seconds: float = 3600) -> None:
        await self.until(lambda: self.delivery.sent >= count, seconds)

    async def rows(self) -> list[sa.Row[Any]]:
        await self.delivery.settle()
        async with self.db.read() as conn:
            return list(await conn.execute(sa.select(outbox_table).order_by(outbox_table.c.id)))

    async def states(self) -> list[int]:
        return [row.state for row in await self.rows()]

    async def events(self) -> list[Parsed]:
        async with self.db.read() as conn:
            found = await conn.execute(sa.select(inbox_table.c.raw).order_by(inbox_table.c.id))
            return [parse_own(row.raw) for row in found]


@pytest.fixture
def sending(sqlite_database: Database, tmp_path: Path) -> Sending:
    return Sending(sqlite_database, tmp_path)


def paced(db: Database, folder: Path, **pace: float) -> Sending:
    filled: dict[str, Any] = {"overall": 1e6, "chat": 1e6, "burst": 10**6, "group_minute": 1e6} | pace
    return Sending(db, folder, Pace(**filled))


def most_in(times: Sequence[float], seconds: float) -> int:
    """The most calls that fall into any window of so many seconds, its end not included."""
    # Microseconds are the paper clock's grain.
    return max(bisect_left(times, start + seconds - 1e-5) - i for i, start in enumerate(times))


# Pace ----------------------------------------------------------------------------------------------


async def test_the_overall_rate_is_kept_and_used(sqlite_database: Database, tmp_path: Path) -> None:
    """P5 and P6: never faster than 30 a second (and a burst of a tenth), never slower than 28."""
    one = paced(sqlite_database, tmp_path, overall=30)
    await one.promise(*((f"c{n}", f"t{n}") for n in range(120)), lane=Lane.REMINDER)
    await one.sent(120)
    times = [at for at, *_ in one.channel.calls]
    assert most_in(times, 1.0) <= 33
    assert 119 / (times[-1] - times[0]) >= 28
    assert sorted(one.channel.texts()) == sorted(f"t{n}" for n in range(120))


async def test_a_chat_gets_three_at_once_then_one_a_second(sqlite_database: Database, tmp_path: Path) -> None:
    one = paced(sqlite_database, tmp_path, chat=1, burst=3)
    await one.promise(*(("a", str(n)) for n in range(8)))
    await one.sent(8)
    start = one.channel.calls[0][0]
    assert [round(at - start, 2) for at, *_ in one.channel.calls] == [0, 0, 0, 1, 2, 3, 4, 5]
    assert one.channel.texts() == [str(n) for n in range(8)]


async def test_a_burst_comes_back_with_rest(sqlite_database: Database, tmp_path: Path) -> None:
    one = paced(sqlite_database, tmp_path, chat=1, burst=3)
    await one.promise(*(("a", str(n)) for n in range(3)))
    await one.sent(3)
    one.clock.move(timedelta(seconds=60))
    await one.promise(*(("a", str(n)) for n in range(3, 7)))
    await one.sent(7)
    times = [at for at, *_ in one.channel.calls][3:]
    assert [round(at - times[0], 2) for at in times] == [0, 0, 0, 1]


async def test_a_group_gets_twenty_a_minute(sqlite_database: Database, tmp_path: Path) -> None:
    """As a sliding minute at the platform counts it: B5, P5."""
    one = paced(sqlite_database, tmp_path, chat=1, burst=3, group_minute=20)
    await one.promise(*(("-100", str(n)) for n in range(60)), grouped=True)
    await one.sent(60)
    times = [at for at, *_ in one.channel.calls]
    assert most_in(times, 60.0) <= 20
    assert times[-1] - times[0] <= 60 * 60 / 20
    assert one.channel.texts() == [str(n) for n in range(60)]


async def test_a_slow_chat_does_not_hold_up_the_others(sqlite_database: Database, tmp_path: Path) -> None:
    one = paced(sqlite_database, tmp_path, chat=1, burst=3)
    backlog = [("slow", str(n)) for n in range(3 * IN_FLIGHT)]
    await one.promise(*backlog, *((f"c{n}", "hi") for n in range(40)))
    start = one.clock.monotonic()
    await one.until(lambda: one.channel.texts().count("hi") == 40)
    assert one.clock.monotonic() - start < 1.0
    assert one.channel.texts("slow") == ["0", "1", "2"][: len(one.channel.texts("slow"))]


async def test_what_is_promised_for_later_waits(sending: Sending) -> None:
    later = sending.clock.ms() + 1000
    await sending.promise(("a", "album"), due_at=later)
    await sending.promise(("a", "now"))
    start = sending.clock.monotonic()
    await sending.sent(2)
    assert [(round(at - start, 3), text) for at, _, text in sending.channel.calls] == [
        (0, "now"),
        (1, "album"),
    ]


async def test_not_more_than_so_many_are_in_the_air(sending: Sending) -> None:
    sending.channel.gate = asyncio.Event()
    await sending.promise(*((f"c{n}", "x") for n in range(2 * IN_FLIGHT)))
    await sending.delivery.step()
    await sending.delivery.step()
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(sending.channel.calls) == IN_FLIGHT
    sending.channel.gate.set()
    await sending.sent(2 * IN_FLIGHT)
    assert len(sending.channel.calls) == 2 * IN_FLIGHT


# Lanes and order -----------------------------------------------------------------------------------


async def test_an_alert_overtakes_a_backlog(sqlite_database: Database, tmp_path: Path) -> None:
    one = paced(sqlite_database, tmp_path, overall=10)
    await one.promise(*((f"c{n}", "reminder") for n in range(200)), lane=Lane.REMINDER)
    await one.sent(5)
    await one.promise(("police", "alert"), lane=Lane.ALERT)
    asked = one.clock.monotonic()
    await one.until(lambda: "alert" in one.channel.texts())
    at = next(at for at, _, text in one.channel.calls if text == "alert")
    assert at - asked <= 0.1 + 1e-3
    after = [text for when, _, text in one.channel.calls if when >= asked]
    assert after.index("alert") <= 1


async def test_lanes_go_highest_first(sending: Sending) -> None:
    for lane in reversed(Lane):
        await sending.promise(("a", lane.name), lane=lane)
    await sending.sent(len(Lane))
    assert sending.channel.texts() == [lane.name for lane in Lane]


async def test_a_chat_is_written_to_one_by_one(sending: Sending) -> None:
    """The second waits until the first is answered, however long that takes."""
    sending.channel.gate = asyncio.Event()
    await sending.promise(("a", "1"), ("a", "2"), ("b", "3"))
    await sending.delivery.step()
    await sending.delivery.step()
    for _ in range(3):
        await asyncio.sleep(0)
    assert sorted(sending.channel.texts()) == ["1", "3"]
    sending.channel.gate.set()
    await sending.sent(3)
    assert sending.channel.texts("a") == ["1", "2"]


async def test_order_survives_every_kind_of_trouble(sending: Sending) -> None:
    """B10: inversions = 0, and nothing lost, nothing said twice."""
    trouble: list[Outcome | Exception] = [
        Failed("status 500", delivered_maybe=False),
        Sent("m"),
        Flood(2),
        Sent("m"),
        Failed("reset", delivered_maybe=False),
        Failed("reset", delivered_maybe=False),
        Sent("m"),
        Unauthorized("no"),
        Sent("m"),
        ValueError("nonsense"),
    ]
    sending.channel.will("a", *trouble, *trouble)
    await sending.promise(*(("a", f"{n:02d}") for n in range(20)))
    await sending.sent(20)
    said = sending.channel.texts()
    assert list(dict.fromkeys(said)) == [f"{n:02d}" for n in range(20)]
    assert said == sorted(said)
    assert await sending.states() == [OutboxState.SENT] * 20


async def test_order_survives_a_restart_in_the_middle_of_a_back_off(sending: Sending) -> None:
    sending.channel.will("a", *[Failed("status 500", delivered_maybe=False)] * 4)
    await sending.promise(("a", "1"), ("a", "2"))
    await sending.until(lambda: len(sending.channel.calls) == 4)
    sending.restarted()
    await sending.sent(2)
    assert sending.channel.texts() == ["1"] * 5 + ["2"]


# What the platform answers -------------------------------------------------------------------------


async def test_sent_is_marked_with_the_platforms_number(sending: Sending) -> None:
    sending.channel.will("a", Sent("77"))
    await sending.promise(("a", "x"))
    await sending.sent(1)
    (row,) = await sending.rows()
    assert (row.state, row.platform_id, row.sent_at) == (OutboxState.SENT, "77", sending.clock.ms())


@pytest.mark.parametrize("seconds", [1, 35, 3600])
async def test_a_flood_silences_the_whole_channel(sending: Sending, seconds: float) -> None:
    """C4, P5: not one request before the wait is over, alerts included; then everything, at once."""
    sending.channel.will("a", Flood(seconds))
    await sending.promise(("a", "1"))
    await sending.turn()
    flooded = sending.clock.monotonic()
    await sending.promise(("b", "2"))
    await sending.promise(("police", "alert"), lane=Lane.ALERT)
    await sending.sent(3)
    before, *after = sending.channel.calls
    assert before[0] == flooded
    assert all(flooded + seconds <= at <= flooded + seconds + 1 for at, *_ in after)
    assert [text for *_, text in after] == ["alert", "1", "2"]
    assert sending.delivery.floods == 1
    assert [row.tries for row in await sending.rows()] == [1, 1, 1]


async def test_a_failure_backs_off_longer_each_time(sending: Sending) -> None:
    down = Failed("refused", delivered_maybe=False)
    sending.channel.will("a", *[down] * 6)
    await sending.promise(("a", "1"), ("a", "2"), ("b", "3"))
    await sending.sent(3)
    mine = [(at, text) for at, chat, text in sending.channel.calls if chat == "a"]
    assert [text for _, text in mine] == ["1"] * 7 + ["2"]
    waits = [later - earlier for (earlier, _), (later, _) in pairwise(mine[:7])]
    for number, wait in enumerate(waits):
        full = min(ALERT_BACKOFF_MAX_S, BACKOFF_FIRST_S * 2**number)
        assert full * 0.5 - 0.01 <= wait <= full + 0.01
    # Nobody else waits with them.
    assert sending.channel.calls[1][1:] == ("b", "3")


async def test_an_exception_of_the_channel_is_a_failure(sending: Sending) -> None:
    sending.channel.will("a", RuntimeError("a bug"))
    await sending.promise(("a", "1"))
    await sending.sent(1)
    assert sending.channel.texts() == ["1", "1"]


async def test_a_reminder_is_marked_before_it_is_sent(sending: Sending) -> None:
    """Died in the middle: it stays unknown, and is never sent again."""
    states: list[int] = []
    file = str(sending.db.url.database)
    sending.channel.on_send = lambda: states.append(count_in(file, OutboxState.UNKNOWN))
    sending.channel.gate = asyncio.Event()
    await sending.promise(("a", "1"), lane=Lane.REMINDER)
    await sending.delivery.step()
    await asyncio.sleep(0)
    assert states == [1]
    sending.restarted()
    await sending.db.write(lambda conn: outbox.release(conn, 2**62))
    await sending.turn()
    sending.clock.move(timedelta(days=1))
    await sending.turn()
    assert sending.channel.texts() == ["1"]
    assert await sending.states() == [OutboxState.UNKNOWN]


async def test_an_answer_in_the_air_at_a_crash_is_sent_again(sending: Sending) -> None:
    sending.channel.gate = asyncio.Event()
    await sending.promise(("a", "1"))
    await sending.delivery.step()
    await asyncio.sleep(0)
    sending.restarted()
    sending.channel.gate.set()
    await sending.db.write(lambda conn: outbox.release(conn, 2**62))
    await sending.sent(1)
    assert sending.channel.texts() == ["1", "1"]


async def test_no_more_reminders_are_marked_than_go_out(sqlite_database: Database, tmp_path: Path) -> None:
    """P7: unknown ≤ in flight. What a slow pace holds back must not be lost with a crash."""
    one = paced(sqlite_database, tmp_path, overall=5)
    file = str(one.db.url.database)
    seen: list[tuple[int, int]] = []
    one.channel.on_send = lambda: seen.append((count_in(file, OutboxState.UNKNOWN), len(one.channel.calls)))
    await one.promise(*((f"c{n}", "x") for n in range(30)), lane=Lane.REMINDER)
    await one.sent(3)
    assert [unknown for unknown, _ in seen] == [1] * len(seen)


@pytest.mark.parametrize(("maybe", "state"), [(True, OutboxState.UNKNOWN), (False, OutboxState.SENT)])
async def test_a_reminder_that_perhaps_arrived(sending: Sending, maybe: bool, state: int) -> None:
    sending.channel.will("a", Failed("reset", delivered_maybe=maybe))
    await sending.promise(("a", "1"), lane=Lane.REMINDER)
    await sending.turn()
    sending.clock.move(timedelta(hours=1))
    await sending.turn()
    assert await sending.states() == [state]
    assert len(sending.channel.calls) == (1 if maybe else 2)
    async with sending.db.read() as conn:
        assert await outbox.count_unknown(conn) == (1 if maybe else 0)


async def test_an_alert_that_perhaps_arrived_is_sent_again(sending: Sending) -> None:
    sending.channel.will("a", Failed("reset", delivered_maybe=True))
    await sending.promise(("a", "alert"), lane=Lane.ALERT)
    await sending.sent(1)
    assert sending.channel.texts() == ["alert", "alert"]


@pytest.mark.parametrize("why", ["blocked", "gone", "rejected"])
async def test_a_refusal_is_kept_and_told_once(sending: Sending, why: str) -> None:
    sending.channel.will("a", Refused(why, "Forbidden"))
    await sending.promise(("a", "1"), ("b", "2"))
    await sending.sent(1)
    first, second = await sending.rows()
    assert (first.state, second.state) == (OutboxState.REFUSED, OutboxState.SENT)
    assert str(first.problem).startswith(why)
    assert [parsed.event for parsed in await sending.events()] == [Undelivered(first.id, why)]
    assert sending.told == 1
    sending.clock.move(timedelta(days=2))
    await sending.turn()
    assert sending.channel.texts("a") == ["1"]


async def test_a_refusal_repeated_after_a_crash_is_told_once(sending: Sending) -> None:
    """Told, but not marked: it is sent again, refused again, and still one event."""
    sending.channel.will("a", Refused("blocked"), Refused("blocked"))
    await sending.promise(("a", "1"))
    await sending.delivery.step()
    await asyncio.gather(*sending.delivery._state.tasks)
    assert sending.told == 1
    sending.restarted()
    await sending.db.write(lambda conn: outbox.release(conn, 2**62))
    await sending.turn()
    assert sending.channel.texts() == ["1", "1"]
    assert await sending.states() == [OutboxState.REFUSED]
    assert len(await sending.events()) == 1


async def test_refused_credentials_rest_and_say_so(sending: Sending) -> None:
    """D9: a few calls, then one a minute; nothing is lost, and the flag falls with the next success."""
    sending.channel.will("a", *[Unauthorized("401")] * 3)
    await sending.promise(*(("a", str(n)) for n in range(3)))
    await sending.turn()
    assert sending.delivery.unauthorized == "401"
    await sending.sent(3)
    assert not sending.delivery.unauthorized
    times = [at for at, *_ in sending.channel.calls]
    assert len(times) == 6
    assert all(b - a >= Unauthorized("").rest for a, b in pairwise(times[:4]))
    assert await sending.states() == [OutboxState.SENT] * 3


async def test_a_moved_group_is_followed(sqlite_database: Database, tmp_path: Path) -> None:
    """D8: what waits goes to the new id, in order; the old one is not used again, after a restart neither."""
    clock = PaperClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    channel = Scripted(clock)
    channel.will("-1", Relocated("-100"))
    parts = program(sqlite_database, channel, clock, tmp_path)
    rows = [
        {"lane": int(lane), "channel": "scripted", "chat": "-1", "grouped": True, "message": "test"}
        | {"text": text, "made_at": 0, "due_at": 0}
        for lane, text in ((Lane.ALERT, "1"), (Lane.ALERT, "2"), (Lane.UPDATE, "3"))
    ]
    await sqlite_database.write(lambda conn: people.bind(conn, "scripted", "-1", "thon-03", "p", 0))
    await sqlite_database.write(lambda conn: outbox.promise(conn, rows))
    for _ in range(6):
        await parts.conversation.step()
        await parts.deliveries["scripted"].step()
        await parts.deliveries["scripted"].settle()
        clock.move(timedelta(seconds=1))
    assert [(chat, text) for _, chat, text in channel.calls] == [
        ("-1", "1"),
        ("-100", "1"),
        ("-100", "2"),
        ("-100", "3"),
    ]
    async with sqlite_database.read() as conn:
        assert await people.rooms_of(conn, ["thon-03"]) == [("thon-03", "scripted", "-100")]


def program(db: Database, channel: Scripted, clock: PaperClock, folder: Path) -> Parts:
    """All the loops around the scripted channel."""

    async def nowhere(url: str) -> Point | None:
        return None

    commune, files = load_commune(ROOT / "commune.toml"), Files(str(folder / "photos"))
    return build(
        db,
        commune,
        [channel],
        files=files,
        studio=PaperStudio(),
        painter=PaperPainter(),
        follow=nowhere,
        clock=clock,
    )


# The database in trouble ---------------------------------------------------------------------------


async def test_what_became_of_a_message_survives_a_failing_write(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for a moment: what was sent is not sent again once it is not."""
    broken = True
    mark = outbox.mark

    async def fail(conn: AsyncConnection, marks: Sequence[Mapping[str, Any]]) -> None:
        if broken:
            raise OSError("disk full")
        await mark(conn, marks)

    monkeypatch.setattr(outbox, "mark", fail)
    await sending.promise(("a", "1"))
    await sending.delivery.step()
    with pytest.raises(OSError, match="disk full"):
        await sending.delivery.settle()
    broken = False
    await sending.turn()
    assert await sending.states() == [OutboxState.SENT]
    assert sending.channel.texts() == ["1"]


async def test_a_photo_that_is_gone_refuses_only_itself(sending: Sending) -> None:
    await sending.promise(("a", "1"), photo="reports/none.jpg")
    await sending.promise(("a", "2"))
    await sending.sent(1)
    assert sending.channel.texts() == ["2"]
    assert await sending.states() == [OutboxState.REFUSED, OutboxState.SENT]


# The loop itself -----------------------------------------------------------------------------------


async def test_the_loop_sends_when_it_is_woken_and_marks_when_it_is_stopped(sending: Sending) -> None:
    loop = asyncio.create_task(sending.delivery.run())
    await asyncio.sleep(0)
    await sending.promise(("a", "1"))
    sending.delivery.wake()
    await called(sending.channel, 1)
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    assert await sending.states() == [OutboxState.SENT]


def count_in(file: str, state: int) -> int:
    """As another process would see it: what is committed."""
    conn = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        found = conn.execute("SELECT count(*) FROM outbox WHERE state = ?", (state,)).fetchone()
        return int(found[0])
    finally:
        conn.close()


async def called(channel: Scripted, count: int) -> None:
    """Wait for so many calls; the channel rings when there is one."""
    async with asyncio.timeout(5):
        while len(channel.calls) < count:
            channel.news.clear()
            await channel.news.wait()
