"""Anything in any order, with crashes and blocked chats between: nothing is lost, doubled or told wrongly."""

import asyncio
import contextlib
import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.app import recover
from bot.channels.base import Channel, Outcome
from bot.core.events import Address, Entered, Event, FileRef, PhotoSent, PlaceSent, Pressed, Words
from bot.core.invite import LIFE_MS, digest
from bot.core.message import Message
from bot.core.report import OPEN, STATUSES, STEPS
from bot.core.session import Draft, load
from storage import people
from storage.database import Database
from storage.files import Files
from storage.tables import (
    InboxState,
    OutboxState,
    PhotoState,
    history,
    inbox,
    outbox,
    photos,
    reports,
    sessions,
)
from tests.conftest import sqlite_url
from tests.paper import OnPaper, Paper, PaperClock, Stage
from tests.platforms import Cast, Deed, Said, World

T = TypeVar("T")
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
OFFICE, POLICE, VILLAGE = "ubnd", "cong-an", "thon-03"
RESIDENTS = ("Dân 801", "Dân 802")
MEMBERS = {
    "Tư": (VILLAGE, "monitor"),
    "Dũng": (POLICE, "police"),
    "Sơn": (POLICE, "police"),
    "Hà": (OFFICE, "office"),
}
ROOM = "Phòng Thôn 3"
INVITES = {"A1B2-C3D4": (OFFICE, "office"), "E5F6-G7H8": (VILLAGE, "monitor")}
# Long enough to be a story and no short answer; the mark says later whose it was and where it went.
STORIES = (
    "rác đổ đầy ra hai bên đường mấy hôm nay {}",
    "rác đổ trộm ở cổng chợ thôn 3 ba hôm rồi {}",
    "xe đỗ kín vỉa hè cửa chợ thôn 3 không ai đi được {}",
    "đèn đường hỏng cả tuần nay ở đầu làng thôn 5 {}",
)
SHORT = (
    "thôn 3",
    "thon 3 cong cho",
    "không có ảnh",
    "không",
    "gửi",
    "ok",
    "sửa",
    "/start",
    "tra cứu",
    "cảm ơn",
    "1",
    "mấy hôm nay chỗ này vẫn thế",
    "\u200b",
)
ON_DUTY = ("nhận", "xong", "nhận AP-26-00001", "đã xử lý AP-26-00001", "15/QĐ-XPHC", "/ketnoi")
MARK = re.compile(r"zq\d{4}")
POINTS = ((20.83, 106.58), (10.0, 105.0), (91.0, 0.0))


# Lines of history that change nothing.
NOTES = ("follow", "number_seen", "typed")
TABLES = (inbox, outbox, reports, history, photos, sessions)


class Rough(Paper):
    """A paper channel in a program that can die in the middle of a send or of a download."""

    def __init__(self) -> None:
        super().__init__()
        self.dies_after: int | None = None
        self.dies_fetching = False

    async def send(self, to: Address, message: Message, photo: bytes | None, key: int) -> Outcome:
        outcome = await super().send(to, message, photo, key)
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                raise asyncio.CancelledError
        return outcome

    async def download(self, file: FileRef, limit: int) -> bytes:
        if self.dies_fetching:
            raise asyncio.CancelledError
        return await super().download(file, limit)


class OnRough(OnPaper):
    """The platform outlives the program; its dying wishes do not."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.rough = self._paper = Rough()

    async def start(self) -> Channel:
        self.rough.dies_after, self.rough.dies_fetching = None, False
        return self.rough


class Commune(RuleBasedStateMachine):
    """Two residents, four members and a room, and all that can come between them."""

    template: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        place = Path(self.folder.name)
        shutil.copyfile(self.template, place / self.template.name)
        self.db, self.clock = Database(sqlite_url(place)), PaperClock(START)
        files = Files(str(place / "photos"))
        self.platform = OnRough(World(Cast((), {}), self.db, files, self.clock))
        self.stage = Stage(self.platform, self.db, files, self.clock)
        self.heard: list[Said] = []
        self.count = 0
        self.told: dict[str, str] = {}  # mark → chat
        self.pictures: dict[str, str] = {}  # file → chat
        self.let_go: set[str] = set()
        self.waits: set[str] = set()
        self.answered_up_to = 0

    def go(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        try:
            if self.stage.parts is not None:
                self.come_to_rest()
        finally:
            self.go(self.db.close())
            self.runner.close()
            self.folder.cleanup()

    @initialize(
        members=st.just(set(MEMBERS)) | st.sets(st.sampled_from(sorted(MEMBERS))),
        room=st.booleans(),
        deaf=st.sampled_from([False, False, True]),
        filed=st.integers(0, 2),
        deeds=st.sampled_from([(), ("take",), ("take", "photo"), ("photo", "judge")]),
    )
    def open(self, members: set[str], room: bool, deaf: bool, filed: int, deeds: tuple[str, ...]) -> None:
        """Some days begin with reports on the table: most that can go wrong goes wrong after them."""

        async def work(conn: AsyncConnection) -> None:
            now = self.clock.ms()
            for name in sorted(members):
                await people.meet(conn, [("paper", name, name)], now)
                await people.join(conn, f"paper:{name}", *MEMBERS[name], name, now)
            if room:
                await people.bind(conn, "paper", ROOM, VILLAGE, "paper:story", now)
            for code, (unit, role) in INVITES.items():
                await people.make_invite(conn, digest(code), unit, role, now, now + LIFE_MS)

        self.go(self.stage.start())
        self.go(self.db.write(work))
        for name in (*MEMBERS, ROOM) if deaf else ():
            self.platform.blocks(name)
        for who, story in list(zip(RESIDENTS, STORIES[1:], strict=False))[:filed]:
            self.tell_and_go_on(who, story, 5, photo=filed > 1)
        for deed in deeds:
            for member, who, number in (("Tư", RESIDENTS[0], 1), ("Dũng", RESIDENTS[1], 2))[:filed]:
                self.go(self._settle())
                if deed == "judge":
                    self.judge(who, good=False, number=number, word=True)
                else:
                    self.deal(member, deed, number, room=False)

    # What arrives --------------------------------------------------------------------------------

    def arrive(
        self, who: str, event: Event, where: str = "", on: str | None = None, data: bytes = b""
    ) -> None:
        deed = Deed(who, where or who, bool(where), event, on, data)
        self.go(self.platform.arrive(deed, self.stage.take))
        if not where and not isinstance(event, Entered):
            self.waits.add(who)

    @rule(who=st.sampled_from(RESIDENTS), story=st.sampled_from(STORIES), on=st.booleans())
    def tell(self, who: str, story: str, on: bool) -> None:
        self.count += 1
        mark = f"zq{self.count:04}"
        self.told[mark] = who
        self.arrive(who, Words(story.format(mark)), on=self._last(who) if on else None)

    @rule(who=st.sampled_from(RESIDENTS), text=st.sampled_from(SHORT), on=st.booleans())
    def answer(self, who: str, text: str, on: bool) -> None:
        self.arrive(who, Words(text), on=self._last(who) if on else None)

    @rule(
        who=st.sampled_from(RESIDENTS),
        story=st.sampled_from(STORIES[1:]),
        steps=st.integers(1, 5),
        photo=st.booleans(),
    )
    def tell_and_go_on(self, who: str, story: str, steps: int, photo: bool) -> None:
        """As most people do: a story, then whatever is asked, until it is sent (or they are called away)."""
        self.tell(who, story, on=False)
        for _ in range(steps):
            self.go(self._settle())
            newest = next((said for said in reversed(self.heard) if said.where == who), None)
            if newest is None or not newest.buttons or newest.buttons[0].action.startswith("mine"):
                return
            action = newest.buttons[0].action
            if photo and action.endswith(":photo"):
                self.show(who, {}, parts=2, caption="")
                continue
            answer = Words("thon 3 cong cho") if action.startswith("us:") else Pressed(action)
            self.arrive(who, answer, on=newest.id)

    @rule(who=st.sampled_from(RESIDENTS))
    def give_up(self, who: str) -> None:
        self._let_go(who)
        self.arrive(who, Words("huỷ"))

    @rule(
        who=st.sampled_from(RESIDENTS),
        told=st.sampled_from([{}, {"problem": "broken"}, {"lat": 20.83, "lon": 106.58}]),
        parts=st.integers(1, 3),
        caption=st.sampled_from(["", "rac do trom cong cho thon 3"]),
    )
    def show(self, who: str, told: dict[str, Any], parts: int, caption: str) -> None:
        album = f"a{self.count}" if parts > 1 else None
        for part in range(parts):
            self.count += 1
            name = f"f{self.count}"
            self.pictures[name] = who
            photo = PhotoSent(FileRef(name), "" if part else caption, album)
            self.arrive(who, photo, data=json.dumps(told).encode())

    @rule(who=st.sampled_from(RESIDENTS), point=st.sampled_from(POINTS))
    def point(self, who: str, point: tuple[float, float]) -> None:
        self.arrive(who, PlaceSent(*point))

    @rule(who=st.sampled_from([*RESIDENTS, *MEMBERS]), back=st.integers(0, 12), which=st.integers(0, 4))
    def press(self, who: str, back: int, which: int) -> None:
        """Any button shown, the newest most often."""
        self._press(who, who, back, which)

    @rule(who=st.sampled_from(sorted(MEMBERS)), back=st.integers(0, 4), which=st.integers(0, 1))
    def press_in_room(self, who: str, back: int, which: int) -> None:
        self._press(who, ROOM, back, which)

    @rule(back=st.integers(0, 2), which=st.integers(0, 1))
    def press_at_once(self, back: int, which: int) -> None:
        for who in ("Dũng", "Sơn"):
            self._press(who, who, back, which)

    @rule(
        who=st.sampled_from(sorted(MEMBERS)),
        text=st.sampled_from(ON_DUTY),
        room=st.booleans(),
        on=st.booleans(),
    )
    def say_on_duty(self, who: str, text: str, room: bool, on: bool) -> None:
        where = ROOM if room else ""
        self.arrive(who, Words(text), where, self._last(where or who) if on else None)

    @rule(
        who=st.sampled_from(sorted(MEMBERS)),
        deed=st.sampled_from(["take", "done", "out:fixed", "out:reminded", "out:fined", "photo"]),
        number=st.integers(1, 2),
        room=st.booleans(),
    )
    def deal(self, who: str, deed: str, number: int, room: bool) -> None:
        """A member's press on one of the first reports, with or without the right to it."""
        where, code = ROOM if room else "", f"AP-26-{number:05}"
        verb, _, outcome = deed.partition(":")
        if verb == "photo":
            self.arrive(who, Pressed(f"done:{code}"), where)
            self.show_after(who, room, broken=False)
        else:
            self.arrive(who, Pressed(f"{verb}:{code}" + (f":{outcome}" if outcome else "")), where)

    @rule(who=st.sampled_from(RESIDENTS), good=st.booleans(), number=st.integers(1, 2), word=st.booleans())
    def judge(self, who: str, good: bool, number: int, word: bool) -> None:
        self.arrive(who, Pressed(f"{'good' if good else 'bad'}:AP-26-{number:05}"))
        if word:
            self.arrive(who, Words("mấy hôm nay chỗ này vẫn thế"))

    @rule(who=st.sampled_from(sorted(MEMBERS)), room=st.booleans(), broken=st.booleans())
    def show_after(self, who: str, room: bool, broken: bool) -> None:
        self.count += 1
        where, told = ROOM if room else "", {"problem": "broken"} if broken else {}
        photo = PhotoSent(FileRef(f"f{self.count}"))
        self.arrive(who, photo, where, self._last(where or who), json.dumps(told).encode())

    @rule(who=st.sampled_from(["Lan", "Mai"]), code=st.sampled_from(sorted(INVITES)))
    def join(self, who: str, code: str) -> None:
        self.arrive(who, Words(code))

    @precondition(lambda self: self.count > 0)
    @rule()
    def deliver_again(self) -> None:
        self.go(self.platform.again(self.stage.take))

    def _press(self, who: str, where: str, back: int, which: int) -> None:
        shown = [said for said in self.heard if said.where == where and said.buttons]
        if not shown:
            return
        said = shown[-1 - min(back, len(shown) - 1)]
        action = said.buttons[min(which, len(said.buttons) - 1)].action
        if action.startswith(("cancel:", "ed:")):
            self._let_go(where)
        self.arrive(who, Pressed(action), "" if where == who else where, on=said.id)

    def _last(self, where: str) -> str | None:
        return next((said.id for said in reversed(self.heard) if said.where == where), None)

    def _let_go(self, chat: str) -> None:
        every = self.told.items() | self.pictures.items()
        self.let_go |= {thing for thing, whose in every if whose == chat}

    # What the program does, one loop at a time ----------------------------------------------------

    @rule(loop=st.sampled_from(["decide", "fetch", "send"]))
    def turn(self, loop: str) -> None:
        parts = self.stage.running
        match loop:
            case "decide":
                self.go(parts.conversation.step())
            case "fetch":
                self.go(parts.fetching.step())
            case "send":
                self.go(self._send())

    async def _send(self) -> None:
        for delivery in self.stage.running.deliveries.values():
            await delivery.step()
            await delivery.settle()
        self.heard += await self.platform.news()

    @rule(minutes=st.sampled_from([1, 31, 31, 25 * 60, 15 * 24 * 60]))
    def wait(self, minutes: int) -> None:
        if minutes > 24 * 60:
            # Drafts end after a day.
            for chat in RESIDENTS:
                self._let_go(chat)
        self.clock.move(timedelta(minutes=minutes))
        self.go(self.stage.look())

    @rule()
    def settle(self) -> None:
        self.go(self._settle())

    async def _settle(self) -> None:
        await self.stage.settle()
        self.heard += await self.platform.news()

    # What goes wrong -------------------------------------------------------------------------------

    @rule(down=st.booleans())
    def break_or_mend(self, down: bool) -> None:
        self.platform.breaks(down)

    @rule(who=st.sampled_from([*RESIDENTS, *MEMBERS, ROOM]))
    def block_or_unblock(self, who: str) -> None:
        deaf = self.platform.rough.deaf
        if who not in deaf:
            self.platform.blocks(who)
        elif who != ROOM:
            deaf.discard(who)
            self.arrive(who, Entered())

    @rule(when=st.sampled_from(["between", "sending", "fetching"]), after=st.integers(0, 2))
    def die(self, when: str, after: int) -> None:
        """Sending: the platform has the message, the database does not know it yet."""
        rough = self.platform.rough
        if when == "sending":
            rough.dies_after = after
            self.go(self._send())
        elif when == "fetching":
            rough.dies_fetching = True
            with contextlib.suppress(asyncio.CancelledError):
                self.go(self.stage.running.fetching.step())
        self.go(self._restart())

    async def _restart(self) -> None:
        await self.stage.stop()
        await self.stage.start()
        await recover(self.db, self.clock)

    # What must then be true --------------------------------------------------------------------------

    @rule()
    def come_to_rest(self) -> None:
        self.platform.breaks(False)
        for _ in range(3):
            # What was held back, or waits after a failure, is due by then.
            self.clock.move(timedelta(minutes=6))
            self.go(self.stage.look())
            self.go(self._settle())
        self.go(self._check())

    async def _check(self) -> None:
        async with self.db.read() as conn:
            self.rows = {table.name: list(await conn.execute(sa.select(table))) for table in TABLES}
            ears = {
                unit: [
                    *await people.rooms_of(conn, [unit]),
                    *[(e.unit, e.channel, e.chat) for e in await people.ears_of(conn, [unit])],
                ]
                for unit in {OFFICE} | {row.desk for row in self.rows["reports"]}
            }
        self._nothing_is_left_lying()
        self._every_report_has_its_receipt()
        self._every_report_was_heard_of(ears)
        self._reports_went_along_the_table()
        self._what_was_given_is_kept()
        self._nobody_hears_what_is_not_theirs()
        self._whoever_spoke_was_answered()

    def _nothing_is_left_lying(self) -> None:
        assert [r for r in self.rows["inbox"] if r.state != InboxState.DONE] == []
        now = self.clock.ms()
        ended = (OutboxState.SENT, OutboxState.REFUSED, OutboxState.SUPERSEDED)
        lying = [r for r in self.rows["outbox"] if r.state not in ended]
        assert [(r.message, r.state) for r in lying if r.state != OutboxState.DUE or r.due_at <= now] == []
        assert [r for r in self.rows["photos"] if r.state == PhotoState.WAITING] == []

    def _every_report_has_its_receipt(self) -> None:
        numbers = sorted(int(r.code[-5:]) for r in self.rows["reports"])
        assert numbers == list(range(1, len(numbers) + 1)), "a code was given twice, or to nothing"
        receipts = [r for r in self.rows["outbox"] if r.message == "resident/receipt"]
        assert sorted(r.report for r in receipts) == sorted(r.id for r in self.rows["reports"])
        codes = {r.id: (r.code, r.chat) for r in self.rows["reports"]}
        for row in receipts:
            code, chat = codes[row.report]
            assert code in row.text
            assert row.chat == chat
            got = [s for s in self.heard if s.where == chat and s.text == row.text]
            assert bool(got) == (row.state == OutboxState.SENT)

    def _every_report_was_heard_of(self, ears: dict[str, list[tuple[str, str, str]]]) -> None:
        for report in self.rows["reports"]:
            if report.status not in ("sent", "reopened"):
                continue
            since = max([report.filed_at, *self._moments(report.id, "reopen")])
            alerts = [
                row
                for row in self.rows["outbox"]
                if (row.message, row.report) == ("duty/alert", report.id)
                and row.made_at >= since
                and row.state == OutboxState.SENT
            ]
            could = ears[report.desk] or ears[OFFICE]
            if report.alerted_at is None:
                assert not could, f"{report.code} is known to nobody although somebody could hear of it"
            else:
                assert alerts, f"{report.code} counts as told, but nobody got it"

    def _moments(self, report: int, action: str) -> list[int]:
        return [row.at for row in self.rows["history"] if (row.report, row.action) == (report, action)]

    def _reports_went_along_the_table(self) -> None:
        for report in self.rows["reports"]:
            of_it = [row for row in self.rows["history"] if row.report == report.id]
            lines = [row for row in of_it if row.action not in NOTES]
            assert [lines[0].action, lines[0].after] == ["file", "sent"]
            assert report.version == len(lines) - 1
            for before, line in pairwise(lines):
                assert line.before == before.after
                if line.action in STEPS:
                    assert line.before in STEPS[line.action].before
                    assert line.after == STEPS[line.action].after
                else:
                    assert line.after == line.before
            assert lines[-1].after == report.status
            assert report.status in STATUSES
            assert (report.closed_at is None) == (report.status in OPEN)

    def _what_was_given_is_kept(self) -> None:
        held = {row.chat.partition(":")[2]: _drafts(row.state) for row in self.rows["sessions"]}
        assert not held.get(ROOM)
        open_ = [draft for drafts in held.values() for draft in drafts]
        kept = "\n".join(
            [*(f"{r.words} {r.landmark} {r.hours}" for r in self.rows["reports"])]
            + [row.note for row in self.rows["history"]]
            + [f"{d.words} {d.landmark} {d.hours}" for d in open_]
        )
        lost = [mark for mark in self.told if mark not in kept and mark not in self.let_go]
        assert lost == [], "somebody's words are nowhere"
        assert max(Counter(row.file for row in self.rows["photos"]).values(), default=1) == 1
        rows = {row.file: row for row in self.rows["photos"]}
        enough = {r.chat for r in self.rows["outbox"] if r.message == "resident/enough_photos"}
        for file, chat in self.pictures.items():
            row = rows.get(file)
            if file in self.let_go or (row is None and chat in enough):
                continue
            assert row is not None, "a photo was never fetched"
            in_draft = any(row.id in draft.photos for draft in held.get(chat, ()))
            assert row.state == PhotoState.BAD or row.report is not None or in_draft, "a photo is nowhere"

    def _nobody_hears_what_is_not_theirs(self) -> None:
        by_id = {report.id: report for report in self.rows["reports"]}
        for report in by_id.values():
            for mark in MARK.findall(f"{report.words} {report.landmark} {report.hours}"):
                assert self.told[mark] == report.chat
        for photo in self.rows["photos"]:
            if photo.report is not None and photo.purpose == "before":
                assert photo.chat == by_id[photo.report].chat
        for row in self.rows["outbox"]:
            about = by_id.get(row.report)
            if about is None or about.chat == row.chat:
                continue
            assert about.chat not in row.text
            if about.field == "order" and row.chat in (ROOM, "Tư"):
                assert row.photo is None
                assert set(MARK.findall(row.text)) <= set(MARK.findall(about.landmark))

    def _whoever_spoke_was_answered(self) -> None:
        said = [r for r in self.rows["outbox"] if r.id > self.answered_up_to]
        heard = {r.chat for r in said if r.state != OutboxState.SUPERSEDED}
        assert self.waits - heard == set(), "somebody was left without an answer"
        self.waits = set()
        self.answered_up_to = max([self.answered_up_to, *(r.id for r in said)])


def test_a_report_filed_while_the_first_member_joins_is_heard_of(sqlite_template: Path) -> None:
    """Both in one batch: neither decision knows of the other."""

    class Here(Commune):
        template = sqlite_template

    day = Here()
    try:
        day.open(members=set(), room=False, deaf=False, filed=0, deeds=())
        day.tell_and_go_on(RESIDENTS[0], STORIES[1], 2, photo=False)
        day.join("Mai", "A1B2-C3D4")
    finally:
        day.teardown()
    assert [report.code for report in day.rows["reports"]] == ["AP-26-00001"]
    assert [said.where for said in day.heard if "🔔 AP-26-00001" in said.text] == ["Mai"]


def _drafts(state: str) -> tuple[Draft, ...]:
    """The open draft, and those set apart behind it."""
    session = load(state)
    assert session.draft is not None or not session.later
    return (*((session.draft,) if session.draft is not None else ()), *session.later)


def test_nothing_is_lost_whatever_happens(sqlite_template: Path) -> None:
    class Here(Commune):
        template = sqlite_template

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=22,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
