"""Transcripts: the stories' files read, played through the real loops, and written back as they came out."""

import json
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.commune import Point
from bot.core.events import (
    Edited,
    Entered,
    Event,
    FileRef,
    Left,
    PhotoSent,
    PlaceSent,
    Pressed,
    Unsupported,
    Words,
)
from bot.core.invite import LIFE_MS, digest
from storage import people
from storage.database import Database
from storage.files import Files
from tests.paper import PaperClock, Stage
from tests.platforms import Cast, Deed, Platform, Said, World

STORIES = Path(__file__).parent / "transcripts"
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")

START = re.compile(r"Lúc (\d{4}-\d{2}-\d{2} \d{2}:\d{2})")
CAST = re.compile(r"(?P<name>[^:@]+) là (?P<role>\w+) của (?P<unit>[\w-]+)")
ROOM = re.compile(r"Phòng (?P<name>[^:@]+) của (?P<unit>[\w-]+)")
INVITE = re.compile(r"Mã (?P<code>\S+) mời (?P<role>\w+) của (?P<unit>[\w-]+)")
AFTER = re.compile(r"\(sau (?P<count>\d+) (?P<unit>giây|phút|giờ|ngày)\)")
LINE = re.compile(r"(?P<who>[^:@()\[\]]{1,40}?)(?: @ (?P<where>[^:]+))?: (?P<what>.+)")
POINT = r"(?P<lat>-?\d+(?:\.\d+)?), (?P<lon>-?\d+(?:\.\d+)?)"
PLACE = re.compile(rf"\(vị trí {POINT}\)")
PHOTO = re.compile(
    rf"\((?P<kind>ảnh|tệp ảnh|ảnh hỏng|album (?P<count>\d+) ảnh)(?: có GPS {POINT})?\)(?: (?P<caption>.+))?"
)
BUTTON = re.compile(r"\[(?P<label>[^\]]+)\]")
OTHER = {"thoại": "voice", "phim": "video", "nhãn dán": "sticker", "danh thiếp": "contact"}
SECONDS = {"giây": 1, "phút": 60, "giờ": 3600, "ngày": 86400}
START_USUAL = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MEANT = ("Bot:", "Bot →", "     [", "      ")
# Longer than one message of any platform that limits them.
LONG = 4096


class Broken(Exception):
    """The story says something that cannot happen: an unseen button, an unknown line."""


@dataclass(slots=True)
class Player:
    """Plays one story on one platform; `out` is the story as it came out."""

    db: Database
    folder: Path
    platform: type[Platform]
    out: list[str] = field(default_factory=list)
    on: Stage | None = None
    # Buttons by (chat, label): what they do, and the message they stand under.
    shown: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    replies: dict[str, str] = field(default_factory=dict)
    here: str = ""
    files: int = 0

    @property
    def stage(self) -> Stage:
        if self.on is None:
            raise Broken("nothing is played")
        return self.on

    async def play(self, text: str) -> str:
        lines = _script(text)
        clock = PaperClock(_start(lines))
        files = Files(str(self.folder / "photos"))
        platform = self.platform(World(cast_of(lines), self.db, files, clock))
        self.on = Stage(platform, self.db, files, clock)
        await self.on.start()
        try:
            for line in lines:
                self.out.append(line)
                await self._line(line.strip())
        finally:
            await platform.close()
        return "\n".join(self.out) + "\n"

    async def _line(self, line: str) -> None:
        if found := CAST.fullmatch(line):
            await self._cast(found["name"], found["role"], found["unit"])
        elif found := ROOM.fullmatch(line):
            await self._room(found["name"], found["unit"])
        elif found := INVITE.fullmatch(line):
            await self._invite(found["code"], found["unit"], found["role"])
        elif line.startswith("(") and await self._stage_direction(line):
            return
        elif (found := _spoken(line)) is not None:
            await self._said(found["who"].strip(), (found["where"] or "").strip(), found["what"])

    # The cast ------------------------------------------------------------------------------------

    async def _cast(self, name: str, role: str, unit: str) -> None:
        now, channel, platform = self.stage.clock.ms(), self.stage.name, self.stage.platform
        account = platform.account(name)

        async def work(conn: AsyncConnection) -> None:
            await people.meet(conn, [(channel, account, platform.chat(name))], now)
            await people.join(conn, f"{channel}:{account}", unit, role, name, now)

        await self.db.write(work)

    async def _room(self, name: str, unit: str) -> None:
        now, channel, chat = self.stage.clock.ms(), self.stage.name, self.stage.platform.chat(name)
        await self.db.write(lambda c: people.bind(c, channel, chat, unit, f"{channel}:story", now))

    async def _invite(self, code: str, unit: str, role: str) -> None:
        now = self.stage.clock.ms()
        await self.db.write(lambda c: people.make_invite(c, digest(code), unit, role, now, now + LIFE_MS))

    # What happens on the stage -------------------------------------------------------------------

    async def _stage_direction(self, line: str) -> bool:
        stage = self.stage
        if found := AFTER.fullmatch(line):
            await self._pass(timedelta(seconds=int(found["count"]) * SECONDS[found["unit"]]))
            return True
        match line:
            case "(gửi lại)":
                await self._again()
            case "(kênh hỏng)":
                stage.paper.down = True
            case "(kênh lại chạy)":
                stage.paper.down = False
                await self._pass(timedelta(minutes=6))
            case "(tắt máy)":
                stage.parts = None
            case "(bật máy)":
                stage.start()
                await self._settle()
            case _ if found := re.fullmatch(r"\((.+) chặn kênh\)", line):
                stage.paper.deaf.add(found[1])
            case _ if found := re.fullmatch(r"\(link (\S+) dẫn tới " + POINT + r"\)", line):
                stage.links[found[1]] = Point(float(found["lat"]), float(found["lon"]))
            case _ if found := re.fullmatch(r"\(gỡ (.+)\)", line):
                await self._remove(found[1])
            case _:
                return False
        return True

    async def _pass(self, by: timedelta) -> None:
        """Time moves in steps, so that what falls due on the way happens then."""
        clock, end = self.stage.clock, self.stage.clock.at + by
        while clock.at < end:
            clock.move(min(timedelta(minutes=10), end - clock.at))
            await self.stage.look()
            await self._settle()

    async def _remove(self, name: str) -> None:
        now = self.stage.clock.ms()
        async with self.db.read() as conn:
            found = [m.id for m in await people.all_members(conn) if m.name == name]
        for member in found:
            await self.db.write(partial(people.remove, member=member, now=now))

    async def _again(self) -> None:
        if self.last is None:
            raise Broken("nothing to deliver again")
        chat, account, group, event = self.last
        await self.stage.arrive(chat, account, event, group=group, name=account, key=self.last_key)
        await self._settle()

    # What people say -----------------------------------------------------------------------------

    async def _said(self, who: str, where: str, what: str) -> None:
        group = bool(where)
        chat = where or who
        if group:
            self.rooms.setdefault(where, where)
        found = PHOTO.fullmatch(what)
        if found:
            await self._photo(who, chat, group, found)
            return
        replied = None
        if what.startswith("↩ "):
            what = what[2:]
            replied = self.replies.get(chat)
        event = self._event(chat, what)
        await self._deliver(chat, who, event, group, replied)
        await self._settle()

    def _event(self, chat: str, what: str) -> Event:
        if found := PLACE.fullmatch(what):
            return PlaceSent(float(found["lat"]), float(found["lon"]))
        if found := BUTTON.fullmatch(what):
            return Pressed(self._action(chat, found["label"]))
        if found := re.fullmatch(r"\((.+)\)", what):
            if found[1] in OTHER:
                return Unsupported(OTHER[found[1]])
            if found[1].startswith("sửa tin thành "):
                return Edited(found[1].removeprefix("sửa tin thành "))
            if found[1].startswith("nút lạ "):
                return Pressed(found[1].removeprefix("nút lạ "))
            if found[1].startswith("chữ dài "):
                return Words("rác " * (int(found[1].removeprefix("chữ dài ")) // 4))
            return Entered() if found[1] in ("vào nhóm", "bỏ chặn") else Left()
        return Words(what)

    def _action(self, chat: str, label: str) -> str:
        action = self.shown.get((chat, label))
        if action is None:
            raise Broken(f"[{label}] was not shown to {chat}")
        return action

    async def _photo(self, who: str, chat: str, group: bool, found: re.Match[str]) -> None:
        count = int(found["count"] or 1)
        told: dict[str, str | float] = {}
        if found["kind"] == "ảnh hỏng":
            told = {"problem": "broken"}
        if found["lat"]:
            told = {"lat": float(found["lat"]), "lon": float(found["lon"])}
        album = f"a{self.files}" if count > 1 else None
        for part in range(count):
            self.files += 1
            name = f"f{self.files}"
            self.stage.paper.files[name] = json.dumps(told).encode()
            caption = (found["caption"] or "") if part == 0 else ""
            file = FileRef(name, as_file=found["kind"] == "tệp ảnh")
            replied = self.replies.get(chat) if group else None
            await self._deliver(chat, who, PhotoSent(file, caption, album), group, replied)
        await self._settle()
        if album:
            self.stage.clock.move(timedelta(seconds=1))
            await self._settle()

    async def _deliver(self, chat: str, who: str, event: Event, group: bool, replied: str | None) -> None:
        self.last = (chat, who, group, event)
        self.last_key = await self.stage.arrive(chat, who, event, group=group, name=who, replied=replied)

    # What the bot says ---------------------------------------------------------------------------

    async def _settle(self) -> None:
        await self.stage.settle()
        said = self.stage.paper.said
        # In the order in which it was promised: how fast each chat was served is not the story's matter.
        for one in sorted(said[self.told :], key=lambda one: one.key):
            self._write(one)
        self.told = len(said)

    def _write(self, one: Said) -> None:
        # Who wrote last hears "Bot:"; everybody else is named.
        here = self.last is not None and one.to.chat == self.last[0]
        prefix = "Bot: " if here else f"Bot → {one.to.chat}: "
        first, *rest = one.message.text.split("\n")
        self.out.append(prefix + ("(ảnh) " if one.photo else "") + first)
        self.out.extend("      " + line for line in rest)
        if one.message.buttons:
            self.out.append("     " + " ".join(f"[{b.label}]" for b in one.message.buttons))
        for button in one.message.buttons:
            self.shown[one.to.chat, button.label] = button.action
        self.replies[one.to.chat] = f"m{one.key}"


def _script(text: str) -> list[str]:
    """The story without what a recording wrote."""
    return [line for line in text.splitlines() if not line.startswith(MEANT)]


def _is_said(what: str, line: str) -> bool:
    return not line.startswith(("#", ">")) and not what.endswith(("…", "."))


def stories() -> list[Path]:
    return sorted(STORIES.glob("*.md"))
