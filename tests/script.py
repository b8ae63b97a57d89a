"""Transcripts: the stories' files read, played through the real loops, and written back as they came out.

Many who do the same are one line. "Trưởng thôn 1 đến 20 là head của thon" casts twenty heads, each of the
village with their number; "Trưởng thôn 1 đến 18: [Đã nhận]" has eighteen of them press, one after the other.
What they hear is one line only if it is the same but for the number of their unit, which is then left
open: "Bot → Trưởng thôn 1 đến 20: Thôn … chuẩn bị".
"""

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.config import load_commune
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
    VoiceSent,
    Words,
)
from bot.core.invite import LIFE_MS, digest
from storage import counters, groups, people, reports
from storage.database import Database
from storage.files import Files
from tests.paper import ROOT, PaperClock, Stage, spoken_ogg
from tests.platforms import Cast, Deed, Platform, Said, World

STORIES = Path(__file__).parent / "transcripts"
COMMUNE = load_commune(ROOT / "commune.toml")
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")

START = re.compile(r"Lúc (\d{4}-\d{2}-\d{2} \d{2}:\d{2})")
CAST = re.compile(r"(?P<name>[^:@]+) là (?P<role>\w+) của (?P<unit>[\w-]+)")
MANY_CAST = re.compile(r"(?P<many>[^:@]+ \d+ đến \d+) là (?P<role>\w+) của (?P<unit>[a-z]+)")
MANY = re.compile(r"(?P<name>[^:@]+) (?P<first>\d+) đến (?P<last>\d+)")
ROOM = re.compile(r"Phòng (?P<name>[^:@]+) của (?P<unit>[\w-]+)")
INVITE = re.compile(r"Mã (?P<code>\S+) mời (?P<role>\w+) của (?P<unit>[\w-]+)")
AFTER = re.compile(r"\(sau (?P<count>\d+) (?P<unit>giây|phút|giờ|ngày)\)")
LINE = re.compile(r"(?P<who>[^:@()\[\]]{1,40}?)(?: @ (?P<where>[^:]+))?: (?P<what>.+)")
KNOWN = re.compile(r"\(Nhóm Zalo (?P<name>.+) có sẵn\)")
POINT = r"(?P<lat>-?\d+(?:\.\d+)?), (?P<lon>-?\d+(?:\.\d+)?)"
PLACE = re.compile(rf"\(vị trí {POINT}\)")
PHOTO = re.compile(
    rf"\((?P<kind>ảnh|tệp ảnh|ảnh hỏng|album (?P<count>\d+) ảnh)(?: có GPS {POINT})?\)(?: (?P<caption>.+))?"
)
VOICE = re.compile(
    r"\(thoại(?: (?P<count>\d+) (?P<unit>giây|phút)| (?P<broken>hỏng))?\)(?: (?P<caption>.+))?"
)
VOICE_SECONDS = 7
# Only a file keeps what it knows of its place; and whoever sends a broken one sends it so.
AS_FILES = ("tệp ảnh", "ảnh hỏng")
BUTTON = re.compile(r"\[(?P<label>[^\]]+)\]")
OTHER = {"phim": "video", "nhãn dán": "sticker", "danh thiếp": "contact"}
MEMBERSHIP: dict[str, Event] = {
    "vào nhóm": Entered(),
    "bỏ chặn": Entered(),
    "ra nhóm": Left(),
    "chặn": Left(),
}
EDITED, FORGED, LENGTHY = "sửa tin thành ", "nút lạ ", "chữ dài "
SECONDS = {"giây": 1, "phút": 60, "giờ": 3600, "ngày": 86400}
START_USUAL = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MEANT = ("Bot:", "Bot →", "     [", "      ")
# However little is due, the reminders look now and then.
LOOK = timedelta(hours=1)
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
    # Who was cast many at once: the name, and what their own unit is called.
    many: dict[str, str] = field(default_factory=dict)
    together: list[Said] | None = None

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
        if found := MANY_CAST.fullmatch(line):
            for name, number in _each(found["many"]):
                unit = f"{found['unit']}-{number:02}"
                self.many[name] = COMMUNE.unit(unit).name
                await self._cast(name, found["role"], unit)
        elif found := CAST.fullmatch(line):
            await self._cast(found["name"], found["role"], found["unit"])
        elif found := ROOM.fullmatch(line):
            await self._room(found["name"], found["unit"])
        elif found := INVITE.fullmatch(line):
            await self._invite(found["code"], found["unit"], found["role"])
        elif line.startswith("(") and await self._stage_direction(line):
            return
        elif (found := _spoken(line)) is not None:
            await self._all_say(found["who"].strip(), (found["where"] or "").strip(), found["what"])

    async def _all_say(self, who: str, where: str, what: str) -> None:
        """One says it, or each of many; what many hear is written when all have said it."""
        if MANY.fullmatch(who) is None:
            await self._said(who, where, what)
            return
        self.together = []
        for name, _ in _each(who):
            await self._said(name, where, what)
        heard, self.together, self.here = self.together, None, ""
        self._write_all(heard)

    # The cast ------------------------------------------------------------------------------------

    async def _cast(self, name: str, role: str, unit: str) -> None:
        now, channel, platform = self.stage.clock.ms(), self.stage.name, self.stage.platform
        account = platform.account(name)

        async def work(conn: AsyncConnection) -> None:
            await people.meet(conn, [(channel, account, platform.chat(name))], now)
            await people.join(conn, f"{channel}:{account}", unit, role, name, now)
            # With the code they were invited by.
            await people.wrote(conn, [(channel, account, now)])

        await self.db.write(work)

    async def _room(self, name: str, unit: str) -> None:
        now, channel, chat = self.stage.clock.ms(), self.stage.name, self.stage.platform.chat(name)
        await self.db.write(lambda c: people.bind(c, channel, chat, unit, f"{channel}:story", now))

    async def _known_group(self, name: str) -> None:
        """The platform tells us of one more group, as Zalo does of those that our account made."""
        now, channel, chat = self.stage.clock.ms(), self.stage.name, self.stage.platform.chat(name)

        async def work(conn: AsyncConnection) -> None:
            before = [(one.chat, one.name) for one in await groups.known(conn) if one.channel == channel]
            await groups.keep(conn, channel, [*before, (chat, name)], now)

        await self.db.write(work)

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
                await stage.platform.again(stage.take)
                await self._settle()
            case "(kênh hỏng)":
                stage.platform.breaks(True)
            case "(kênh lại chạy)":
                stage.platform.breaks(False)
                # Longer than any message waits for its next try; which came first is chance.
                stage.clock.move(timedelta(minutes=6))
                await self._settle()
            case "(tắt máy)":
                await stage.stop()
            case "(bật máy)":
                await stage.start()
                await self._settle()
            case _ if found := KNOWN.fullmatch(line):
                await self._known_group(found["name"])
            case _ if found := re.fullmatch(r"\((.+) đã gửi (\d+) việc\)", line):
                await self._filed(found[1], int(found[2]))
            case _ if found := re.fullmatch(r"\((.+) chặn kênh\)", line):
                stage.platform.blocks(found[1])
            case _ if found := re.fullmatch(r"\(link (\S+) dẫn tới " + POINT + r"\)", line):
                stage.links[found[1]] = Point(float(found["lat"]), float(found["lon"]))
            case _ if found := re.fullmatch(r"\(gỡ (.+)\)", line):
                await self._remove(found[1])
            case _:
                return False
        return True

    async def _pass(self, by: timedelta) -> None:
        """Time moves to each moment at which something falls due, so that it happens then."""
        stage, end = self.stage, self.stage.clock.at + by
        if stage.parts is None:
            # Nothing happens while the machine is off.
            stage.clock.at = end
            return
        due = await stage.next_due()
        while stage.clock.at < end:
            arrived = min(end, due or end, stage.clock.at + LOOK)
            stage.clock.at = arrived
            if await stage.look() or arrived in (due, end):
                await self._settle()
                due = await stage.next_due()

    async def _filed(self, name: str, count: int) -> None:
        """Somebody told so many a moment ago; all of it is done."""
        now, channel, platform = self.stage.clock.ms(), self.stage.name, self.stage.platform
        account, chat = platform.account(name), platform.chat(name)
        done: dict[str, Any] = {
            "category": "litter",
            "field": "sanitation",
            "status": "confirmed",
            "desk": "thon-20",
        }
        done |= {"unit": "thon-20", "landmark": "", "words": "", "hours": "", "private": False}
        done |= {"person": f"{channel}:{account}", "channel": channel, "chat": chat, "version": 0}
        done |= dict.fromkeys(("filed_at", "ack_by", "fix_by", "closed_at", "alerted_at"), now)
        done |= {"taken_name": "", "outcome": "fixed", "reopened": 0}

        async def work(conn: AsyncConnection) -> None:
            await people.meet(conn, [(channel, account, chat)], now)
            numbers = await counters.draw(conn, "report/26", count)
            await reports.add(conn, [done | {"code": f"AP-26-{number:05}"} for number in numbers])

        await self.db.write(work)

    async def _remove(self, name: str) -> None:
        now = self.stage.clock.ms()
        async with self.db.read() as conn:
            found = [m.id for m in await people.all_members(conn) if m.name == name]
        for member in found:
            await self.db.write(partial(people.remove, member=member, now=now))

    # What people say -----------------------------------------------------------------------------

    async def _said(self, who: str, where: str, what: str) -> None:
        group = bool(where)
        chat = self.here = where or who
        last = self.replies.get(chat)
        answers = what.startswith("↩ ")
        if found := PHOTO.fullmatch(what.removeprefix("↩ ")):
            await self._photos(Deed(who, chat, group, Words(""), last if answers else None), found)
            return
        if found := VOICE.fullmatch(what.removeprefix("↩ ")):
            await self._voice(Deed(who, chat, group, Words(""), last if answers else None), found)
            return
        event, button = self._event(chat, what.removeprefix("↩ "))
        on = button or (last if answers or isinstance(event, Pressed) else None)
        await self._deliver(Deed(who, chat, group, event, on))
        await self._settle()

    def _event(self, chat: str, what: str) -> tuple[Event, str | None]:
        """What is said or done; and when it is the press of a button, the message that has it."""
        if found := BUTTON.fullmatch(what):
            if (chat, found["label"]) not in self.shown:
                raise Broken(f"[{found['label']}] was not shown to {chat}")
            action, message = self.shown[chat, found["label"]]
            return Pressed(action), message
        return self._other_event(what), None

    def _other_event(self, what: str) -> Event:
        if found := PLACE.fullmatch(what):
            return PlaceSent(float(found["lat"]), float(found["lon"]))
        if found := re.fullmatch(r"\((.+)\)", what):
            if found[1] in OTHER:
                return Unsupported(OTHER[found[1]])
            if found[1].startswith(EDITED):
                return Edited(found[1].removeprefix(EDITED))
            if found[1].startswith(FORGED):
                return Pressed(found[1].removeprefix(FORGED))
            if found[1].startswith(LENGTHY):
                return Words("rác " * (int(found[1].removeprefix(LENGTHY)) // 4))
            if found[1] not in MEMBERSHIP:
                raise Broken(f"({found[1]}) is nothing that people do")
            return MEMBERSHIP[found[1]]
        return Words(what)

    async def _photos(self, deed: Deed, found: re.Match[str]) -> None:
        """The photos of one line, sent by whom and where `deed` says."""
        count = int(found["count"] or 1)
        told: dict[str, str | float] = {}
        if found["kind"] == "ảnh hỏng":
            told = {"problem": "broken"}
        if found["lat"]:
            told = {"lat": float(found["lat"]), "lon": float(found["lon"])}
        album = f"a{self.files}" if count > 1 else None
        for part in range(count):
            self.files += 1
            caption = (found["caption"] or "") if part == 0 else ""
            file = FileRef(f"f{self.files}", as_file=found["kind"] in AS_FILES)
            data = json.dumps(told).encode()
            await self._deliver(replace(deed, what=PhotoSent(file, caption, album), data=data))
            await self._settle()
        # The answer to an album, or to a file that may tell a place, waits a moment for what follows.
        self.stage.clock.move(timedelta(seconds=1))
        await self._settle()

    async def _voice(self, deed: Deed, found: re.Match[str]) -> None:
        """A voice message, said by whom and where `deed` says."""
        self.files += 1
        seconds = int(found["count"]) * SECONDS[found["unit"]] if found["count"] else VOICE_SECONDS
        data = b"no recording" if found["broken"] else spoken_ogg(seconds)
        sent = VoiceSent(FileRef(f"f{self.files}", len(data)), seconds, found["caption"] or "")
        await self._deliver(replace(deed, what=sent, data=data))
        await self._settle()

    async def _deliver(self, deed: Deed) -> None:
        await self.stage.platform.arrive(deed, self.stage.take)

    # What the bot says ---------------------------------------------------------------------------

    async def _settle(self) -> None:
        await self.stage.settle()
        news = await self.stage.news()
        for one in news:
            for button in one.buttons:
                self.shown[one.where, button.label] = (button.action, one.id)
            self.replies[one.where] = one.id
        if self.together is not None:
            self.together += news
        else:
            self._write_all(news)

    def _write_all(self, news: Iterable[Said]) -> None:
        for told in _alike(news, self.many):
            self._write(told[0], self._names(told))

    def _names(self, told: Sequence[Said]) -> str:
        """Those who heard it: "Trưởng thôn 1 đến 20"."""
        if len(told) == 1:
            return told[0].where
        first, last = (found.rpartition(" ") for found in (told[0].where, told[-1].where))
        return f"{first[0]} {first[2]} đến {last[2]}"

    def _write(self, one: Said, names: str) -> None:
        # Who wrote last hears "Bot:"; everybody else is named.
        prefix = "Bot: " if names == self.here else f"Bot → {names}: "
        text = one.text if names == one.where else _open(one, self.many)
        first, *rest = text.split("\n")
        self.out.append(prefix + ("(ảnh) " if one.photo else "(thoại) " if one.voice else "") + first)
        self.out.extend("      " + line for line in rest)
        if one.buttons:
            self.out.append("     " + " ".join(f"[{b.label}]" for b in one.buttons))


# Many who hear the same --------------------------------------------------------------------------------


def _each(names: str) -> list[tuple[str, int]]:
    """Everybody that "Trưởng thôn 1 đến 20" stands for, with their number; one name is only itself."""
    found = MANY.fullmatch(names)
    if found is None:
        return [(names, 0)]
    numbers = range(int(found["first"]), int(found["last"]) + 1)
    return [(f"{found['name']} {number}", number) for number in numbers]


def _open(one: Said, many: Mapping[str, str]) -> str:
    """What somebody heard, without the number of their own unit and in their own name."""
    text = one.text
    for own in (one.where, many[one.where]):
        name, _, number = own.rpartition(" ")
        text = re.sub(rf"{re.escape(name)} {number}(?!\d)", f"{name} …", text)
    return text


def _alike(news: Iterable[Said], many: Mapping[str, str]) -> Iterator[list[Said]]:
    """Each message with those behind it that the next of the many hear in the same words and buttons."""
    told: list[Said] = []
    for one in news:
        if told and not _goes_on(told[-1], one, many):
            yield told
            told = []
        told.append(one)
    if told:
        yield told


def _goes_on(before: Said, one: Said, many: Mapping[str, str]) -> bool:
    if before.where not in many or one.where not in many:
        return False
    (name, _, number), (other, _, following) = before.where.rpartition(" "), one.where.rpartition(" ")
    if name != other or int(following) != int(number) + 1:
        return False
    labels = [[button.label for button in said.buttons] for said in (before, one)]
    same = (before.photo, before.voice) == (one.photo, one.voice) and labels[0] == labels[1]
    return same and _open(before, many) == _open(one, many)


# The story as a text ---------------------------------------------------------------------------------


def _script(text: str) -> list[str]:
    """The story without what a recording wrote."""
    return [line for line in text.splitlines() if not line.startswith(MEANT)]


def _spoken(line: str) -> re.Match[str] | None:
    found = LINE.fullmatch(line)
    if found is None or line.startswith(("#", ">")) or found["what"].endswith(("…", ".")):
        return None
    return found


def _start(lines: Iterable[str]) -> datetime:
    for line in lines:
        if found := START.fullmatch(line.strip()):
            return datetime.strptime(found[1], "%Y-%m-%d %H:%M").replace(tzinfo=ZONE).astimezone(UTC)
    return START_USUAL


def cast_of(lines: Iterable[str]) -> Cast:
    """Everybody who is named or says something, and the rooms."""
    names: list[str] = []
    rooms: dict[str, str | None] = {}
    for line in map(str.strip, lines):
        if found := MANY_CAST.fullmatch(line):
            names += [name for name, _ in _each(found["many"])]
        elif found := CAST.fullmatch(line):
            names.append(found["name"])
        elif found := ROOM.fullmatch(line) or KNOWN.fullmatch(line):
            rooms.setdefault(found["name"], None)
        elif found := _spoken(line):
            who, where = found["who"].strip(), (found["where"] or "").strip()
            names += [name for name, _ in _each(who)]
            if where:
                rooms[where] = rooms.get(where) or who
    return Cast(tuple(dict.fromkeys(names)), rooms)


# Nobody is written to for longer than this on some platforms, unless they write.
WINDOW_DAYS = 7


# Without such a line nothing that follows would come out as told.
CARRYING = ("album", "file", "place")


def settings(text: str) -> set[str]:
    """What a whole story asks of a platform."""
    lines = _script(text)
    cast = cast_of(lines)
    asked = {kind for line in lines for kind in kinds(line, cast) if kind in CARRYING}
    if cast.rooms:
        asked.add("rooms")
    if any((found := AFTER.fullmatch(line.strip())) and _days(found) >= WINDOW_DAYS for line in lines):
        asked.add("window")
    if any("(thoại" in line for line in lines):
        asked.add("voices")
    if _presses_old(text):
        asked.add("old button")
    return asked


SHOWN = re.compile(r"Bot(?: → (?P<who>[^:]+))?: ")
LABELS = re.compile(r"\[([^\]]+)\]")


def _presses_old(text: str) -> bool:
    """Whether somebody presses what is not in the last list that they were shown."""
    last: dict[str, set[str]] = {}
    here = reader = ""
    for line in text.splitlines():
        if found := SHOWN.match(line):
            reader = found["who"] or here
        elif line.startswith("     ["):
            last |= {name: set(LABELS.findall(line)) for name, _ in _each(reader)}
        elif (spoken := _spoken(line)) is not None and not line.startswith(MEANT):
            here = spoken["who"].strip()
            pressed = BUTTON.fullmatch(spoken["what"])
            if pressed and any(pressed["label"] not in last.get(name, set()) for name, _ in _each(here)):
                return True
    return False


def _days(passed: re.Match[str]) -> float:
    return int(passed["count"]) * SECONDS[passed["unit"]] / SECONDS["ngày"]


def kinds(line: str, cast: Cast) -> set[str]:
    """What a line asks of a platform beyond words, choices, photos and places."""
    found = _spoken(line.strip())
    if found is None:
        return set()
    asked: set[str] = set()
    who, where, what = found["who"].strip(), (found["where"] or "").strip(), found["what"]
    if where and cast.rooms[where] != who:
        asked.add("second speaker")
    if PLACE.fullmatch(what):
        asked.add("place")
    if (sent := PHOTO.fullmatch(what)) and sent["count"]:
        asked.add("album")
    if sent and sent["kind"] in AS_FILES:
        asked.add("file")
    if done := re.fullmatch(r"\((.+)\)", what):
        if done[1].startswith(FORGED):
            asked.add("forged")
        if done[1] in OTHER:
            asked.add("unsupported")
        if done[1] in MEMBERSHIP:
            asked.add("membership")
        if done[1].startswith(EDITED):
            asked.add("edited")
        if done[1].startswith(LENGTHY) and int(done[1].removeprefix(LENGTHY)) > LONG:
            asked.add("long words")
    return asked


def without(text: str, lacks: Container[str]) -> tuple[str, list[str]]:
    """The story less the lines that ask for what is lacking, and what the bot says to them; those kinds.

    Nothing is left of a story that lives of what is lacking.
    """
    whole = sorted(kind for kind in settings(text) if kind in lacks)
    if whole:
        return "", whole
    cast = cast_of(_script(text))
    kept: list[str] = []
    left_out: list[str] = []
    silent = False
    for line in text.splitlines():
        if not line.startswith(MEANT):
            missed = sorted(kind for kind in kinds(line, cast) if kind in lacks)
            left_out += missed
            silent = bool(missed)
        if not silent:
            kept.append(line)
    return "\n".join(kept) + "\n", left_out


def stories() -> list[Path]:
    return sorted(STORIES.glob("*.md"))
