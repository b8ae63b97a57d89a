"""The process that opens photos: it may be killed, hang or be taken over, and it can reach nothing."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from bot import photo_worker, photos, workers
from bot.photos import PhotoTrouble, Studio
from tests.scenes import MB, corners, encoded, outcome, peak, scene, seen, working

ROOT = Path(__file__).parents[1]


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with working() as studio:
        yield studio


async def started(studio: Studio) -> int:
    await studio.clean(encoded(corners(), "JPEG"))
    assert studio.pid is not None
    return studio.pid


def wait_for_end(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:  # ended and reaped already
        return
    assert select.select([handle], [], [], 10)[0]
    os.close(handle)


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_a_worker_killed_over_a_photo_costs_that_photo_only(studio: Studio) -> None:
    worker = await started(studio)
    os.kill(worker, signal.SIGSTOP)
    photo = asyncio.ensure_future(studio.clean(encoded(scene((4000, 3000)), "JPEG", quality=95)))
    waiting = asyncio.ensure_future(studio.clean(encoded(corners(), "JPEG")))
    await asyncio.sleep(0)
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(PhotoTrouble) as caught:
        await photo
    assert caught.value.problem == "broken"
    assert seen(await waiting)[0] == "red"
    assert studio.pid != worker


async def test_a_worker_killed_between_photos_costs_none(studio: Studio) -> None:
    worker = await started(studio)
    os.kill(worker, signal.SIGKILL)
    wait_for_end(worker)
    assert await outcome(studio, encoded(corners(), "JPEG")) == ""
    assert studio.pid != worker


async def test_a_worker_that_hangs_is_too_slow() -> None:
    studio = Studio(seconds=0.7)
    worker = await started(studio)
    os.kill(worker, signal.SIGSTOP)
    assert await outcome(studio, encoded(corners(), "JPEG")) == "too_slow"
    assert not exists(worker)
    assert await outcome(studio, encoded(corners(), "JPEG")) == ""
    await studio.stop()


async def test_a_cancelled_photo_leaves_a_working_studio(studio: Studio) -> None:
    worker = await started(studio)
    os.kill(worker, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(studio.clean(encoded(corners(), "JPEG")), 0.05)
    assert not exists(worker)
    assert await outcome(studio, encoded(corners(), "JPEG")) == ""


async def test_too_little_memory_refuses_instead_of_growing() -> None:
    studio = Studio(memory=90 * 1024 * 1024)
    assert await outcome(studio, encoded(corners((4000, 3000)), "PNG")) == "too_big"
    assert await outcome(studio, encoded(corners(), "PNG")) == ""
    assert peak(studio) < 90 * MB
    await studio.stop()


async def test_a_worker_retires_after_its_share(studio: Studio) -> None:
    worker = await started(studio)
    tiny = encoded(Image.new("RGB", (8, 8)), "JPEG")
    for _ in range(photo_worker.RETIRE_AFTER):
        await studio.clean(tiny)
    assert studio.pid != worker


async def test_several_at_once_come_out_right(studio: Studio) -> None:
    data = [encoded(Image.new("RGB", (8 * n, 8)), "JPEG") for n in range(1, 20)]
    done = await asyncio.gather(*map(studio.clean, data))
    assert [photo.width for photo in done] == [8 * n for n in range(1, 20)]


async def test_stop_ends_the_worker_and_may_be_repeated(studio: Studio) -> None:
    worker = await started(studio)
    await studio.stop()
    await studio.stop()
    assert studio.pid is None
    assert not exists(worker)


async def test_a_worker_that_cannot_start_is_nobodys_photo(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(photos, "WORKER", tmp_path / "not there.py")
    with pytest.raises(OSError, match="does not start"):
        await studio.clean(encoded(corners(), "JPEG"))
    assert studio.pid is None


@pytest.mark.parametrize(
    "answer",
    [
        photos.ANSWER.pack(b"", 9, 9, bytes(32), 1.0, 1.0, False, 2**32 - 1),
        photos.ANSWER.pack(b"", 9, 9, bytes(32), 1.0, 1.0, False, 6) + b"<html>",
        photos.ANSWER.pack(b"", 9999, 9, bytes(32), 1.0, 1.0, False, 5) + b"\xff\xd8\xff\xff\xd9",
        photos.ANSWER.pack(b"\xff\xfe", 9, 9, bytes(32), 1.0, 1.0, False, 0),
        photos.ANSWER.pack(b"owned", 9, 9, bytes(32), 1.0, 1.0, False, 0),
        b"short",
    ],
)
async def test_a_worker_taken_over_is_not_believed(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: bytes
) -> None:
    liar = tmp_path / "liar.py"
    liar.write_text(f"import os; os.write(1, {workers.READY + answer!r}); os.read(0, 9)")
    monkeypatch.setattr(photos, "WORKER", liar)
    assert await outcome(studio, encoded(corners(), "JPEG")) == "broken"
    assert studio.pid is None


async def test_the_worker_gets_no_secrets(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_TOKEN", "a secret of the bot")
    worker = await started(studio)
    assert environment(worker) <= {*workers.ENVIRONMENT, *workers.PASSED_ON}
    assert "PATH" in environment(worker)


def environment(pid: int) -> set[str]:
    """The names a process was started with."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return {pair.partition("=")[0] for pair in pairs if pair}


ATTEMPTS = """
import os, socket, sys
sys.path.insert(0, sys.argv[1])
from bot import photo_worker
photo_worker.STATM = os.open("/proc/self/statm", os.O_RDONLY)
photo_worker.lock_down(256 * 1024 * 1024)
for attempt in (
    lambda: socket.socket(),
    lambda: open(sys.argv[1] + "/pyproject.toml"),
    lambda: open("/dev/shm/made", "w"),
    lambda: os.unlink("/dev/shm/made"),
    lambda: os.listdir("/"),
    lambda: os.fork(),
    lambda: os.execv("/bin/true", ["true"]),
    lambda: os.kill(os.getppid(), 0),
    lambda: bytearray(300_000_000),
):
    try:
        attempt()
    except (OSError, MemoryError):
        continue
    os.write(1, b"succeeded ")
os.write(1, b"done")
"""


def test_the_worker_can_open_start_and_reach_nothing() -> None:
    tried = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, str(ROOT)], capture_output=True, check=True, timeout=20
    )
    assert (tried.stdout, tried.stderr) == (b"done", b"")


PARENT = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from bot.photos import Studio
async def main():
    studio = Studio()
    await studio.clean(sys.stdin.buffer.read(int(sys.argv[2])))
    print(studio.pid, "PIL" in sys.modules or "pi_heif" in sys.modules, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_the_worker_ends_with_a_killed_bot_and_the_bot_never_loads_pillow() -> None:
    data = encoded(corners(), "JPEG")
    command = [sys.executable, "-c", PARENT, str(ROOT), str(len(data))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdin.write(data)
        parent.stdin.flush()
        pid, loaded = parent.stdout.readline().decode().split()
        worker = os.pidfd_open(int(pid))
        parent.kill()
    assert loaded == "False"
    ended, _, _ = select.select([worker], [], [], 10)
    os.close(worker)
    assert ended


def test_both_sides_speak_the_same_protocol() -> None:
    assert photos.ANSWER.format == photo_worker.ANSWER.format
    assert workers.LENGTH.format == photo_worker.LENGTH.format
    assert workers.READY == photo_worker.READY
    assert photos.MAX_SIDE == photo_worker.LONGEST
