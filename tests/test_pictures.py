"""Pictures: as they were looked at once, small, every letter there; drawn once, and never in the way."""

import asyncio
import io
import json
import os
import select
import signal
import subprocess
import sys
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageChops, ImageStat

from bot import painting, workers
from bot.channels.base import picture_type
from bot.drawings import canvas, worker
from bot.drawings.gallery import KINDS, draw
from bot.painting import LARGEST, Easel, Undrawable
from bot.picturing import KEPT_MS, LEASE_MS, REST_S, TRIES, Picturing
from bot.rows import Drawing
from storage import outbox, pictures
from storage.database import Database
from storage.files import Files
from storage.tables import OutboxState
from storage.tables import outbox as outbox_table
from storage.tables import pictures as pictures_table
from tests import samples
from tests.paper import ROOT, PaperClock, small_jpeg, small_png

# How far the shrunken picture may be from the one that was looked at, of 255: other versions of a library
# set letters half a pixel apart.
UNLIKE_MOST = 3.0
SHRUNK = (90, 160)


@cache
def drawn() -> dict[str, bytes]:
    return {name: draw(json.loads(one.spec)) for name, one in samples.pictures().items()}


@cache
def specs() -> dict[str, Drawing]:
    return samples.pictures()


NAMES = ("board-1", "board-2", "now", "targets", "villages")


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=["PNG"])
    image.load()
    return image


# What they look like --------------------------------------------------------------------------------


def test_every_kind_is_among_the_samples() -> None:
    assert tuple(sorted(specs())) == NAMES
    assert {json.loads(one.spec)["kind"] for one in specs().values()} == set(KINDS)
    assert {path.stem for path in samples.FOLDER.glob("*.png")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_as_it_was_looked_at(name: str) -> None:
    """`python -m tests.samples` draws them again; look at each before it is committed."""
    now, golden = opened(drawn()[name]), opened((samples.FOLDER / f"{name}.png").read_bytes())
    assert now.size == golden.size
    assert unlike(now, golden) < UNLIKE_MOST


def unlike(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of what is left of them when they are small."""
    small = [image.convert("RGB").resize(SHRUNK, Image.Resampling.BOX) for image in (one, other)]
    return max(ImageStat.Stat(ImageChops.difference(*small)).mean)


def test_the_likeness_sees_other_marks_and_another_row() -> None:
    pairs = [("board-1", "board-2"), ("now", "villages"), ("targets", "now")]
    for one, other in pairs:
        assert unlike(opened(drawn()[one]), opened(drawn()[other])) > UNLIKE_MOST
    spec = json.loads(specs()["board-1"].spec)
    for row in spec["figures"]["rows"]:
        row["cells"] = ["silent" if cell == "reported" else "reported" for cell in row["cells"]]
    assert unlike(opened(draw(spec)), opened(drawn()["board-1"])) > UNLIKE_MOST


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_small_tall_and_of_few_colours(name: str) -> None:
    image = opened(drawn()[name])
    assert len(drawn()[name]) < LARGEST
    assert image.width == canvas.WIDTH
    # Telegram refuses what is longer than twenty times its width, or both together above 10,000.
    assert canvas.WIDTH < image.height < 2400
    assert image.mode == "P"
    used = {canvas.rgb(colour) for colour in canvas.COLOURS} & set(colours(image))
    assert {canvas.rgb(canvas.PAPER), canvas.rgb(canvas.HEAD), canvas.rgb(canvas.DONE)} <= used


def colours(image: Image.Image) -> list[tuple[int, int, int]]:
    found = image.convert("RGB").getcolors(512)
    assert found is not None
    return [(colour[0], colour[1], colour[2]) for _, colour in found if isinstance(colour, tuple)]


@pytest.mark.parametrize("kind", ["deuteranopia", "protanopia"])
def test_colours_that_mean_something_stay_apart(kind: str) -> None:
    """As people see them who do not tell red from green (Viénot, Brettel, Mollon 1999).

    Without any colour it is their shapes that differ.
    """
    seen = [looks(canvas.rgb(colour), kind) for colour in (canvas.DONE, canvas.PARTLY, canvas.NONE)]
    seen.append(looks(canvas.rgb(canvas.PAPER), kind))
    pairs = [(a, b) for at, a in enumerate(seen) for b in seen[at + 1 :]]
    assert min(sum(abs(x - y) for x, y in zip(a, b, strict=True)) for a, b in pairs) > 60


MATRICES = {
    "deuteranopia": ((0.29275, 0.70725, 0), (0.29275, 0.70725, 0), (-0.02234, 0.02234, 1)),
    "protanopia": ((0.11238, 0.88762, 0), (0.11238, 0.88762, 0), (0.00401, -0.00401, 1)),
}


def looks(colour: tuple[int, int, int], kind: str) -> tuple[float, ...]:
    linear = [(part / 255) ** 2.2 for part in colour]
    seen = (sum(weight * part for weight, part in zip(row, linear, strict=True)) for row in MATRICES[kind])
    return tuple(255 * max(0.0, part) ** (1 / 2.2) for part in seen)


def test_each_channel_is_told_what_it_is() -> None:
    assert {picture_type(data) for data in drawn().values()} == {"image/png"}
    assert picture_type(small_jpeg()) == "image/jpeg"


# Letters --------------------------------------------------------------------------------------------

VOWELS = "aăâeêioôơuưy"
TONES = "\u0300\u0301\u0303\u0309\u0323"


def letters() -> set[str]:
    toned = {unicodedata.normalize("NFC", vowel + tone) for vowel in VOWELS for tone in TONES}
    small = {*VOWELS, *toned, "đ", *"abcdefghijklmnopqrstuvwxyz0123456789 .,:;/%()–…·-"}
    return small | {letter.upper() for letter in small}


@pytest.mark.parametrize("bold", [False, True])
def test_every_vietnamese_letter_is_in_the_font(bold: bool) -> None:
    known = FT2Font(str(canvas.FONT[bold])).get_charmap()
    assert [letter for letter in sorted(letters()) if ord(letter) not in known] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_letter_of_a_picture_is_in_the_font(name: str) -> None:
    words = json.loads(specs()[name].spec)["words"]
    told = set("".join(words.values()))
    assert told
    assert told <= letters()


def test_a_long_name_is_cut_and_takes_two_lines_at_most() -> None:
    sheet = canvas.Canvas(400)
    lines = sheet.lines("Trung tâm Dịch vụ sự nghiệp công xã An Phú thành phố Hải Phòng", 260, canvas.SMALL)
    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert all(sheet.width(line, canvas.SMALL) <= 260 for line in lines)


# The worker -----------------------------------------------------------------------------------------


def spec(kind: str = "now") -> str:
    return specs()[kind].spec


async def test_the_worker_draws_the_same_and_goes_on_after_what_it_cannot(tmp_path: Path) -> None:
    easel = Easel(tmp_path)
    try:
        assert await easel.draw(spec()) == drawn()["now"]
        pid = easel.pid
        for wrong in ("{}", "no json", json.dumps({"kind": "now", "words": {}, "figures": {}})):
            with pytest.raises(Undrawable):
                await easel.draw(wrong)
        assert await easel.draw(spec("targets")) == drawn()["targets"]
        assert easel.pid == pid
    finally:
        await easel.stop()
    assert easel.pid is None


async def test_a_worker_that_hangs_or_dies_costs_one_picture(tmp_path: Path) -> None:
    easel = Easel(tmp_path, seconds=3.0)
    await easel.draw(spec())
    for deed in (signal.SIGSTOP, signal.SIGKILL):
        pid = easel.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        picture = asyncio.ensure_future(easel.draw(spec()))
        await asyncio.sleep(0.05)
        os.kill(pid, deed)
        with pytest.raises(Undrawable):
            await picture
        assert await easel.draw(spec()) == drawn()["now"]
        assert easel.pid != pid
    await easel.stop()


async def test_a_picture_beyond_all_measure_is_refused(tmp_path: Path) -> None:
    """Ten thousand rows would take gigabytes: the limit is felt by the worker alone."""
    easel = Easel(tmp_path)
    told = json.loads(spec("board-1"))
    count = 20_000
    told["figures"]["rows"] = told["figures"]["rows"][:1] * count
    told["words"] |= {f"name.{n}": "x" for n in range(count)}
    with pytest.raises(Undrawable):
        await easel.draw(json.dumps(told))
    assert await easel.draw(spec()) == drawn()["now"]
    await easel.stop()


async def test_no_worker_is_nobodys_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painting, "WORKER", tmp_path / "not there.py")
    with pytest.raises(OSError, match="does not start"):
        await Easel(tmp_path).draw(spec())


@pytest.mark.parametrize(
    "answer", [painting.ANSWER.pack(False, 2**31), painting.ANSWER.pack(False, 5) + b"<svg>", b"x"]
)
async def test_a_worker_that_talks_nonsense_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    liar = tmp_path / "liar.py"
    liar.write_text(f"import os; os.write(1, {workers.READY + answer!r}); os.read(0, 9)")
    monkeypatch.setattr(painting, "WORKER", liar)
    with pytest.raises(Undrawable):
        await Easel(tmp_path).draw(spec())


def test_both_sides_speak_the_same_protocol() -> None:
    assert painting.ANSWER.format == worker.ANSWER.format
    assert workers.LENGTH.format == worker.LENGTH.format
    assert workers.READY == worker.READY


PARENT = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import bot.app
from bot.painting import Easel
async def main():
    easel = Easel(Path(sys.argv[2]))
    png = await easel.draw(sys.stdin.readline())
    loaded = {"matplotlib", "numpy", "PIL"} & sys.modules.keys()
    print(easel.pid, len(png), sorted(loaded), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_the_worker_ends_with_a_killed_bot_and_the_bot_never_loads_matplotlib(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(ROOT), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdin.write(spec().encode() + b"\n")
        parent.stdin.flush()
        pid, size, loaded = parent.stdout.readline().decode().split(maxsplit=2)
        child = os.pidfd_open(int(pid))
        parent.kill()
    assert (int(size), loaded.strip()) == (len(drawn()["now"]), "[]")
    ended, _, _ = select.select([child], [], [], 10)
    os.close(child)
    assert ended


# The loop -------------------------------------------------------------------------------------------


class Brush:
    """Draws at once, or fails as it is told to."""

    def __init__(self) -> None:
        self.drawn: list[str] = []
        self.fails: BaseException | None = None
        self.stopped = 0

    async def draw(self, spec: str) -> bytes:
        self.drawn.append(spec)
        if self.fails is not None:
            raise self.fails
        return small_png()

    async def stop(self) -> None:
        self.stopped += 1


class Room:
    """A loop with everything it needs, and a few people who were promised pictures."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.files, self.brush = db, Files(str(folder / "files")), Brush()
        self.clock = PaperClock(datetime(2026, 9, 10, tzinfo=UTC))
        self.told = 0
        self.loop = self.again()

    def again(self) -> Picturing:
        """As after a restart."""
        self.loop = Picturing(self.db, self.files, self.brush, self.clock, self.bell)
        return self.loop

    def bell(self) -> None:
        self.told += 1

    async def promise(self, *chats: str, key: str = "pictures/a.png") -> None:
        async def work(conn: Any) -> None:
            ready = await pictures.want(conn, key, "{}", self.clock.ms())
            state = OutboxState.DUE if ready else OutboxState.UNDRAWN
            await outbox.promise(conn, [self.row(chat, photo=key, state=state) for chat in chats])

        await self.db.write(work)

    def row(self, chat: str, **more: Any) -> dict[str, Any]:
        now = self.clock.ms()
        plain = {"lane": 1, "channel": "paper", "chat": chat, "message": "duty/drawn", "text": "x"}
        return plain | {"made_at": now, "due_at": now} | more

    async def claimed(self) -> list[str]:
        now = self.clock.ms()
        rows = await self.db.write(lambda c: outbox.claim(c, "paper", now, now + 9, 9))
        return [row.chat for row in rows]

    async def states(self) -> list[int]:
        async with self.db.read() as conn:
            return list((await conn.execute(sa.select(outbox_table.c.state))).scalars())

    async def kept(self) -> list[tuple[str, int]]:
        async with self.db.read() as conn:
            rows = await conn.execute(sa.select(pictures_table.c.key, pictures_table.c.state))
            return [(row.key, row.state) for row in rows]


@pytest.fixture
def room(database: Database, tmp_path: Path) -> Room:
    return Room(database, tmp_path)


async def test_a_picture_for_many_is_drawn_once_and_then_all_may_go(room: Room) -> None:
    await room.promise("a", "b")
    await room.promise("c")
    assert await room.claimed() == []
    assert await room.loop.step() == 1
    assert len(room.brush.drawn) == room.told == 1
    assert sorted(await room.claimed()) == ["a", "b", "c"]
    assert await room.files.get("pictures/a.png") == small_png()
    await room.promise("d")
    assert await room.loop.step() == 0
    assert await room.claimed() == ["d"]


async def test_what_waits_for_a_picture_holds_nothing_up(room: Room) -> None:
    await room.promise("a")
    await room.db.write(lambda c: outbox.promise(c, [room.row("a", lane=4)]))
    assert await room.claimed() == ["a"]


async def test_what_cannot_be_drawn_is_let_go_and_may_be_asked_again(room: Room) -> None:
    await room.promise("a", "b")
    room.brush.fails = Undrawable("broken")
    assert await room.loop.step() == 1
    assert await room.states() == [OutboxState.SUPERSEDED] * 2
    assert await room.kept() == []
    assert room.loop.failed == 1
    room.brush.fails = None
    await room.promise("c")
    await room.loop.step()
    assert await room.claimed() == ["c"]


async def test_a_worker_or_a_store_that_is_away_is_waited_for_a_while(room: Room) -> None:
    await room.promise("a")
    room.brush.fails = OSError("away")
    for _ in range(TRIES - 1):
        assert await room.loop.step() == 1
        assert await room.states() == [OutboxState.UNDRAWN]
        assert await room.loop.step() == 0
        room.clock.move(timedelta(seconds=11))
    assert await room.loop.step() == 1
    assert await room.states() == [OutboxState.SUPERSEDED]


async def test_who_dies_over_a_picture_lets_another_draw_it(room: Room) -> None:
    await room.promise("a")
    room.brush.fails = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await room.loop.step()
    room.brush.fails = None
    loop = room.again()
    assert await loop.step() == 0
    room.clock.move(timedelta(milliseconds=LEASE_MS))
    assert await loop.step() == 1
    assert await room.claimed() == ["a"]


async def test_at_the_start_what_was_in_hand_is_due_at_once(room: Room) -> None:
    await room.promise("a")
    await room.db.write(lambda c: pictures.waiting(c, room.clock.ms(), room.clock.ms() + LEASE_MS, 4))
    await room.db.write(lambda c: pictures.release(c, room.clock.ms()))
    assert await room.again().step() == 1


async def test_the_worker_goes_when_nobody_looks_and_so_do_old_pictures(room: Room) -> None:
    await room.promise("a")
    await room.loop.step()
    await room.loop.rest()
    assert room.brush.stopped == 0
    room.clock.move(timedelta(seconds=REST_S))
    await room.loop.rest()
    await room.loop.rest()
    assert room.brush.stopped == 1
    room.clock.move(timedelta(milliseconds=KEPT_MS))
    await room.promise("b", key="pictures/b.png")
    await room.loop.step()
    room.clock.move(timedelta(seconds=REST_S))
    await room.loop.rest()
    assert await room.kept() == [("pictures/b.png", 1)]
    with pytest.raises(FileNotFoundError):
        await room.files.get("pictures/a.png")
