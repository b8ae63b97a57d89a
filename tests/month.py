"""python -m tests.month: a month of the commune, played through the real loops, and what came of it."""

import asyncio
import heapq
import itertools
import json
import logging
import random
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiosqlite
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.app import recover
from bot.core import when
from bot.core.events import Event, FileRef, PhotoSent, Pressed, Words
from storage import migrate, people
from storage.database import Database
from storage.files import Files
from storage.tables import followers, history, inbox, outbox, photos, reports
from tests.paper import OnPaper, PaperClock, Stage
from tests.platforms import Cast, Deed, Said, World

# Monday, 07:00 in the commune.
START = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
DAYS = 28
TELLINGS = 300
RUSH = START + timedelta(days=10, hours=9)
TICK = timedelta(minutes=30)
# What people do within so long arrives together.
BATCH = timedelta(minutes=1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RESIDENTS = tuple(f"Dân {n:02}" for n in range(1, 61))
EMPTY = ("thon-07", "thon-14")
VILLAGES = tuple(f"thon-{n:02}" for n in range(1, 21))
WITH_ROOM = ("thon-01", "thon-02", "thon-03", "thon-05", "thon-08")
OFFICE, POLICE, DEPARTMENT = "ubnd", "cong-an", "phong-kinh-te"
MEMBERS = {
    **{f"Giám sát {v[-2:]}": (v, "monitor") for v in VILLAGES if v not in EMPTY},
    "Hạnh": (OFFICE, "office"),
    "Chủ tịch": (OFFICE, "lead"),
    "Dũng": (POLICE, "police"),
    "Sơn": (POLICE, "police"),
    "Bình": (POLICE, "head"),
    "Kinh tế": (DEPARTMENT, "staff"),
}
ROOMS = {f"Nhóm {v[-2:]}": v for v in WITH_ROOM}
# How much of what is told is of each kind, and how it is told; {} is a mark that says whose words these were.
KINDS = {
    "sanitation": (
        42,
        (
            "mấy hôm nay {} rác đổ trộm đầy ở {place}",
            "hôm nay {} cống tắc ngập hết đường ở {place}",
            "sáng nay {} có xác lợn chết vứt ở {place}",
        ),
    ),
    "order": (
        24,
        (
            "sáng nào {} xe tải cũng đỗ kín vỉa hè ở {place}",
            "hôm nay {} bán hàng lấn chiếm lòng đường ở {place}",
        ),
    ),
    "lighting": (13, ("tối nay {} đèn đường hỏng ở {place}",)),
    "other": (8, ("hôm nay {} có ổ gà to giữa đường ở {place}", "đêm qua {} cây đổ ở {place}")),
    "emergency": (5, ("cứu với {} cháy nhà ở {place}", "{} đánh nhau to ở {place} cứu với")),
    "official": (8, ("cán bộ thôn {} vòi tiền mới cho đổ phế thải ra đường ở {place}",)),
}
MARKS = ("cổng chợ", "đầu làng", "sân đình", "cổng trường", "trạm y tế", "nhà văn hoá", "bờ mương", "ngã ba")
MARK = re.compile(r"zq\d{4}")
# What somebody who tells a report presses, the likeliest first.
FORM = ("send", "no", "same", "other", "u", "c", "f", "nowhere", "off")
DONE = {
    "police": ("recorded", "no_violation", "reminded", "fined", "photo"),
    "": ("fixed", "reminded", "photo"),
}


class Clock(PaperClock):
    """Is set forward and back; monotonic time knows nothing of that."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.set_by = timedelta(0)

    def monotonic(self) -> float:
        return (self.at - self.set_by).timestamp()

    def set(self, by: timedelta) -> None:
        self.at += by
        self.set_by += by


Act = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Month:
    """Everybody and everything that month; `rows` are the tables at its end."""

    stage: Stage
    clock: Clock
    rng: random.Random
    rows: dict[str, Sequence[sa.Row[Any]]] = field(default_factory=dict)
    now: int = 0
    took_s: float = 0.0
    busy_s: float = 0.0
    looks: int = 0
    told: int = 0
    files: int = 0
    plans: list[tuple[datetime, int, Act]] = field(default_factory=list)
    order: "itertools.count[int]" = field(default_factory=itertools.count)
    places: list[tuple[str, str]] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    down: bool = False

    # The month ----------------------------------------------------------------------------------

    async def play(self) -> None:
        began, busy = time.perf_counter(), time.process_time()
        await self.stage.start()
        await self.stage.db.write(self._cast)
        self._plan_tellings()
        self._plan_accidents()
        end, look = START + DAYS * DAY, START
        while self.clock.at < end or self.down:
            coming = self.plans[0][0] if self.plans else end
            self.clock.at = max(self.clock.at, min(coming, look))
            while self.plans and self.plans[0][0] <= self.clock.at + BATCH:
                await heapq.heappop(self.plans)[2]()
            if self.clock.at >= look or look - self.clock.at > TICK:
                await self.stage.look()
                self.looks += 1
                look = self.clock.at + TICK
            await self._settle()
        await self._last_look()
        self.took_s, self.busy_s = time.perf_counter() - began, time.process_time() - busy

    async def _last_look(self) -> None:
        """Nobody does anything any more; what is due by now happens, what waits for morning is sent."""
        for _ in range(3):
            await self.stage.look()
            await self.stage.settle()
        self.now = self.clock.ms()
        tables = (inbox, outbox, reports, history, photos, followers)
        async with self.stage.db.read() as conn:
            self.rows = {table.name: list(await conn.execute(sa.select(table))) for table in tables}

    async def _cast(self, conn: AsyncConnection) -> None:
        now = self.clock.ms()
        for name, (unit, role) in MEMBERS.items():
            await people.meet(conn, [("paper", name, name)], now)
            await people.join(conn, f"paper:{name}", unit, role, name, now)
        for room, unit in ROOMS.items():
            await people.bind(conn, "paper", room, unit, "paper:month", now)

    async def _settle(self) -> None:
        await self.stage.settle()
        for said in await self.stage.platform.news():
            self._heard(said)

    # What is going to happen --------------------------------------------------------------------

    def at(self, moment: datetime, act: Act) -> None:
        heapq.heappush(self.plans, (moment, next(self.order), act))

    def soon(self, act: Act, least: timedelta, most: timedelta, *, awake: bool = True) -> None:
        """Some time between; people who deal with reports sleep at night."""
        moment = self.clock.at + least + self.rng.random() * (most - least)
        hour = moment.astimezone(when.ZONE).hour
        if awake and not 6 <= hour < 22:
            moment += timedelta(hours=(30 - hour) % 24, minutes=self.rng.randrange(90))
        self.at(moment, act)

    def say(self, who: str, event: Event, where: str = "", on: str | None = None, data: bytes = b"") -> Act:
        async def act() -> None:
            deed = Deed(who, where or who, bool(where), event, on, data)
            await self.stage.platform.arrive(deed, self.stage.take)

        return act

    def _plan_tellings(self) -> None:
        weights = [share for share, _ in KINDS.values()]
        for number in range(TELLINGS):
            kind = self.rng.choices(list(KINDS), weights)[0]
            day = self.rng.randrange(DAYS)
            # One in seven is told at night.
            hour = self.rng.uniform(21, 29) if self.rng.random() < 1 / 7 else self.rng.uniform(6, 21)
            moment = START + day * DAY + timedelta(hours=hour - 7)
            if number < 16:
                # One evening a whole market's worth comes at once.
                kind, moment = "order", RUSH + timedelta(seconds=number)
            self.at(moment, self._telling(kind))

    def _telling(self, kind: str) -> Act:
        who, story = self.rng.choice(RESIDENTS), self.rng.choice(KINDS[kind][1])
        place = (self.rng.choice(MARKS), self.rng.choice(VILLAGES))
        if self.places and self.rng.random() < 0.15:
            place = self.rng.choice(self.places)
        self.places.append(place)
        self.told += 1
        text = story.replace("{place}", f"{place[0]} thôn {int(place[1][-2:])}").format(f"zq{self.told:04}")
        if self.rng.random() < 0.2 and kind != "emergency":
            return self._photo(who, text)
        return self.say(who, Words(text))

    def _photo(self, who: str, caption: str, where: str = "", on: str | None = None) -> Act:
        self.files += 1
        photo = self.say(
            who, PhotoSent(FileRef(f"f{self.files}"), caption), where, on, json.dumps({}).encode()
        )

        async def act() -> None:
            await photo()
            # The answer to a photo waits a moment.
            self.at(self.clock.at + timedelta(seconds=2) + BATCH, self._nothing)

        return act

    async def _nothing(self) -> None:
        return

    def _plan_accidents(self) -> None:
        for day, hour in ((3, 2.5), (8, 9.0), (14, 15.2), (20, 20.0), (25, 5.1)):
            self.at(START + day * DAY + hour * HOUR, self._restart)
        self.at(START + 9 * DAY + 3 * HOUR, self._break)
        self.at(START + 9 * DAY + 4 * HOUR, self._mend)
        self.at(START + 12 * DAY + 7 * HOUR, self._set(3 * HOUR))
        self.at(START + 19 * DAY + 3 * HOUR, self._set(-30 * MINUTE))
        for day in range(1, DAYS, 4):
            who = self.rng.choice(("Dũng", "Sơn"))
            self.at(START + day * DAY + HOUR, self.say(who, Words("nhan ca")))
            self.at(START + (day + 1) * DAY, self.say(who, Words("het ca")))

    async def _restart(self) -> None:
        """What had just arrived is not decided yet."""
        await self.stage.stop()
        await self.stage.start()
        await recover(self.stage.db, self.clock)

    async def _break(self) -> None:
        self.down = True
        self.stage.platform.breaks(True)

    async def _mend(self) -> None:
        self.down = False
        self.stage.platform.breaks(False)

    def _set(self, by: timedelta) -> Act:
        async def act() -> None:
            self.clock.set(by)

        return act

    # What people make of what they hear -----------------------------------------------------------

    def _heard(self, said: Said) -> None:
        actions = {verb: rest for verb, _, rest in (b.action.partition(":") for b in said.buttons)}
        if said.where in RESIDENTS:
            self._resident(said, actions)
            return
        who = said.where
        if who in ROOMS:
            who = next(name for name, (unit, _) in MEMBERS.items() if unit == ROOMS[said.where])
        where = said.where if said.where != who else ""
        if "agree" in actions:
            self._office_decides(said, actions["agree"])
        elif said.text.startswith(("🔔", "🚨 KHẨN")) and "take" in actions:
            self._alerted(who, where, said, actions["take"])
        elif said.text.startswith(("⏰", "❗")) and "take" in actions:
            self._reminded(who, where, said, actions["take"])

    def _resident(self, said: Said, actions: dict[str, str]) -> None:
        who, rng = said.where, self.rng
        if "good" in actions:
            self._judge(who, said, actions["good"])
            return
        if "calm" in actions:
            if rng.random() < 0.5:
                calm = self.say(who, Pressed(f"calm:{actions['calm']}"), on=said.id)
                self.soon(calm, MINUTE, 5 * MINUTE, awake=False)
            return
        pressed = next((verb for verb in FORM if verb in actions), None)
        if pressed is None:
            return
        shown = [b.action for b in said.buttons if b.action.startswith(f"{pressed}:")]
        action = shown[0] if pressed == "off" else rng.choice(shown)
        if pressed == "send" and "priv" in actions and rng.random() < 0.06:
            action = f"priv:{actions['priv']}"
        if pressed == "same" and rng.random() < 0.25:
            action = f"other:{actions['other']}"
        most = timedelta(seconds=6) if RUSH <= self.clock.at < RUSH + 10 * MINUTE else 2 * MINUTE
        self.soon(self.say(who, Pressed(action), on=said.id), timedelta(seconds=5), most, awake=False)

    def _judge(self, who: str, said: Said, code: str) -> None:
        luck = self.rng.random()
        if luck < 0.3:
            self.soon(self.say(who, Pressed(f"good:{code}"), on=said.id), MINUTE, 2 * DAY)
        elif luck < 0.45:
            self.soon(self._complaint(who, said.id, code), MINUTE, 2 * DAY)

    def _complaint(self, who: str, on: str, code: str) -> Act:
        async def act() -> None:
            await self.say(who, Pressed(f"bad:{code}"), on=on)()
            self.at(self.clock.at + 2 * MINUTE, self.say(who, Words("mấy hôm nay chỗ này vẫn y như cũ")))

        return act

    def _alerted(self, who: str, where: str, said: Said, code: str) -> None:
        rng, press = self.rng, self._press(who, where, said.id)
        self.codes.append(code)
        if rng.random() < 0.06:
            # Somebody else's.
            self.soon(press(f"take:{rng.choice(self.codes)}"), MINUTE, DAY)
        plan = rng.choices(
            ("never", "late", "twice", "take", "later", "help", "forward", "review", "done"),
            (18, 12, 10, 32, 8, 6, 5, 6, 3),
        )[0]
        match plan:
            case "late":
                self.soon(press(f"take:{code}"), 20 * HOUR, 5 * DAY)
                self._finish(who, where, said, code, DAY, 7 * DAY)
            case "twice":
                self.soon(press(f"take:{code}"), MINUTE, 3 * HOUR)
                self.soon(press(f"take:{code}"), MINUTE, 3 * HOUR)
                self._finish(who, where, said, code, 3 * HOUR, 3 * DAY)
            case "take":
                self.soon(press(f"take:{code}"), MINUTE, 12 * HOUR)
                if rng.random() < 0.2:
                    self.soon(press(f"start:{code}"), 2 * HOUR, 2 * DAY)
                if rng.random() < 0.8:
                    self._finish(who, where, said, code, 12 * HOUR, 5 * DAY)
            case "later" | "help":
                rest = f":{rng.randrange(1, 6)}" if plan == "later" else f":collector:{rng.randrange(1, 6)}"
                self.soon(self._and_why(who, where, f"{plan}:{code}{rest}"), 10 * MINUTE, 2 * DAY)
                self._finish(who, where, said, code, 3 * DAY, 9 * DAY)
            case "forward":
                unit = rng.choice((OFFICE, DEPARTMENT, POLICE, *VILLAGES))
                self.soon(press(f"forward:{code}:{unit}"), 10 * MINUTE, DAY)
            case "review":
                self.soon(self._and_why(who, where, f"review:{code}"), 10 * MINUTE, DAY)
            case "done":
                self._finish(who, where, said, code, HOUR, 8 * HOUR)

    def _press(self, who: str, where: str, on: str) -> Callable[[str], Act]:
        return lambda action: self.say(who, Pressed(action), where, on)

    def _and_why(self, who: str, where: str, action: str) -> Act:
        """A press that is asked about: the reason is said in private, where it needs no reply."""

        async def act() -> None:
            await self.say(who, Pressed(action))()
            why = self.say(who, Words("chờ xe của huyện về mới làm được"))
            self.at(self.clock.at + 2 * MINUTE, why)

        return act

    def _finish(self, who: str, where: str, said: Said, code: str, least: timedelta, most: timedelta) -> None:
        unit, _ = MEMBERS[who]
        outcome = self.rng.choice(DONE["police" if unit == POLICE else ""])
        if outcome == "photo":

            async def show() -> None:
                await self.say(who, Pressed(f"done:{code}"), where, said.id)()
                self.at(self.clock.at + 2 * MINUTE, self._photo(who, "", where, said.id))

            self.soon(show, least, most)
        elif outcome == "fined":

            async def fine() -> None:
                await self.say(who, Pressed(f"out:{code}:fined"))()
                self.at(self.clock.at + 2 * MINUTE, self.say(who, Words("15/QĐ-XPHC")))

            self.soon(fine, least, most)
        else:
            self.soon(self.say(who, Pressed(f"out:{code}:{outcome}"), where, said.id), least, most)

    def _reminded(self, who: str, where: str, said: Said, code: str) -> None:
        luck, press = self.rng.random(), self._press(who, where, said.id)
        if luck < 0.35:
            self.soon(press(f"take:{code}"), MINUTE, 8 * HOUR)
            if luck < 0.25:
                self._finish(who, where, said, code, 8 * HOUR, 3 * DAY)
        elif luck < 0.42:
            self.soon(press(f"forward:{code}:{self.rng.choice((DEPARTMENT, POLICE))}"), MINUTE, 8 * HOUR)
        elif luck < 0.47:
            self.soon(self._and_why(who, where, f"later:{code}:{self.rng.randrange(1, 4)}"), MINUTE, DAY)

    def _office_decides(self, said: Said, code: str) -> None:
        luck = self.rng.random()
        if luck < 0.8:
            verb = "agree" if luck < 0.5 else "refuse"
            act = self.say(said.where, Pressed(f"{verb}:{code}"), on=said.id)
            self.soon(act, 10 * MINUTE, DAY)


# The table -------------------------------------------------------------------------------------------


def table(month: Month) -> Iterable[str]:
    """What became of it all."""
    kept, lines, sent = month.rows["reports"], month.rows["history"], month.rows["outbox"]
    statuses = sorted({row.status for row in kept})
    yield f"{month.told} times told, {len(kept)} reports, {len(month.rows['followers'])} followers"
    yield f"{'':12}" + "".join(f"{status:>13}" for status in statuses) + f"{'all':>6}"
    for name in KINDS:
        own = Counter(row.status for row in kept if row.field == name)
        yield f"{name:12}" + "".join(f"{own[s]:13}" for s in statuses) + f"{own.total():6}"
    actions = Counter(row.action for row in lines)
    yield "deadlines: " + ", ".join(f"{a[4:]} {n}" for a, n in sorted(actions.items()) if a[:4] == "due_")
    yield "steps:     " + ", ".join(f"{a} {n}" for a, n in actions.most_common() if a[:4] != "due_")
    messages = Counter(row.message for row in sent)
    yield f"excuses {messages['resident/late']}, escalations {messages['office/overdue']}"
    digests, floods = messages["duty/digest"], messages["duty/flood"]
    yield f"digests {digests}, briefings {messages['office/briefing']}, floods {floods}"
    yield "messages:  " + ", ".join(f"{name} {count}" for name, count in messages.most_common(15))
    yield f"{len(sent)} messages, {len(month.rows['inbox'])} events, {month.looks} looks"
    yield f"{month.took_s:.1f} s, of these {month.busy_s:.1f} s of work"


async def _at_once(self: Any, work: Callable[..., Any], *args: Any, **more: Any) -> Any:
    if not self._running or self._connection is None:
        raise ValueError("Connection closed")
    return work(*args, **more)


async def played(db: Database, folder: Path, seed: int = 2026) -> Month:
    """One month on an open, migrated, empty database."""
    clock = Clock(START)
    files = Files(str(folder / "photos"))
    stage = Stage(OnPaper(World(Cast((), {}), db, files, clock)), db, files, clock)
    month = Month(stage, clock, random.Random(seed))
    # The driver hands each of 300,000 calls to a thread and waits: most of a month would be that.
    with patch.object(aiosqlite.Connection, "_execute", _at_once):
        await month.play()
    return month


async def _alone(seed: int) -> Month:
    folder = Path(tempfile.mkdtemp(prefix="month-"))
    db = Database.in_folder(folder)
    await migrate.upgrade(db)
    try:
        return await played(db, folder, seed)
    finally:
        await db.close()
        shutil.rmtree(folder)


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for line in table(asyncio.run(_alone(2026))):
        print(line)


if __name__ == "__main__":
    main()
