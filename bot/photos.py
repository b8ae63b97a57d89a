"""Cleans photos in another process: checked, upright, small, only pixels, with place and fingerprint."""

import asyncio
import math
import os
import signal
import struct
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROBLEMS = ("broken", "too_big", "wrong_kind", "too_slow", "missing")
"""too_big: bytes, pixels or memory. wrong_kind: not JPEG, PNG, WebP or HEIC. missing: no bytes at all."""

MAX_BYTES = 20 * 1024 * 1024
MAX_ANSWER = 8 * 1024 * 1024
MAX_SIDE = 1600
START_SECONDS = 30.0
# Small enough that the pipe's own buffer never holds a second copy of a photo.
PIECE = 64 * 1024

# The worker runs by its path: without the bot's modules, settings or secrets.
WORKER = Path(__file__).with_name("photo_worker.py")
PASSED_ON = ("PATH", "LD_LIBRARY_PATH")
# One malloc arena: each further one reserves room that would count as memory used.
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}

# The worker keeps the same three; importing it would bring Pillow in here.
LENGTH = struct.Struct("!I")
ANSWER = struct.Struct("!10sHH32sdd?I")
READY = b"\x01"


class PhotoTrouble(Exception):
    """The photo cannot be kept. `problem`: one of PROBLEMS."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Clean:
    """An upright JPEG of nothing but pixels; sides in pixels; place in WGS 84 degrees if the photo told one.

    `fingerprint`: 64 hex digits; near copies differ in few of their 256 bits.
    """

    jpeg: bytes
    width: int
    height: int
    fingerprint: str
    lat: float | None
    lon: float | None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the worker said: a Clean or a word of PROBLEMS, and whether this worker should go."""

    said: Clean | str
    last: bool


class Studio:
    """One worker, one photo at a time. `memory`: bytes it may hold; `seconds`: what one photo may take."""

    def __init__(self, *, memory: int = 256 * 1024 * 1024, seconds: float = 8.0) -> None:
        self._memory = memory
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._worker: Process | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process id while there is one."""
        return self._worker.pid if self._worker else None

    async def clean(self, data: bytes) -> Clean:
        """PhotoTrouble: this photo cannot be kept. OSError: no worker starts, which is no photo's fault."""
        if not data:
            raise PhotoTrouble("missing")
        if len(data) > MAX_BYTES:
            raise PhotoTrouble("too_big")
        async with self._lock:
            said = await self._develop(data)
        if isinstance(said, str):
            raise PhotoTrouble(said)
        return said

    async def stop(self) -> None:
        """End the worker, after the photo in hand; another photo would start another worker."""
        async with self._lock:
            await self._drop()

    async def _develop(self, data: bytes) -> Clean | str:
        reader, writer = await self._ready()
        try:
            async with asyncio.timeout(self._seconds):
                answer = await _ask(reader, writer, data)
        except TimeoutError:
            await self._drop()
            return "too_slow"
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            # It died, or talks nonsense: what it was given did that.
            return "too_slow" if await self._drop() == -signal.SIGXCPU else "broken"
        except asyncio.CancelledError:
            await self._drop()
            raise
        if answer.last:
            await self._drop()
        return answer.said

    async def _ready(self) -> tuple[StreamReader, StreamWriter]:
        if self._worker is not None and _ended(self._worker.pid):
            await self._drop()
        if self._worker is None:
            await self._start()
        return _pipes(self._worker)

    async def _start(self) -> None:
        command = (sys.executable, "-I", str(WORKER), str(self._memory), str(self._seconds))
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._worker = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, env=passed | ENVIRONMENT, cwd="/"
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                await _pipes(self._worker)[0].readexactly(len(READY))
        except BaseException as error:
            await self._drop()
            if isinstance(error, TimeoutError | asyncio.IncompleteReadError):
                raise OSError("the photo worker does not start; its own words are on stderr") from None
            raise

    async def _drop(self) -> int | None:
        """End the worker now, whatever it does. Its exit code."""
        worker, self._worker = self._worker, None
        if worker is None:
            return None
        with suppress(ProcessLookupError):
            worker.kill()
        reader, writer = _pipes(worker)
        writer.close()
        await reader.read()
        with suppress(ConnectionError):
            await writer.wait_closed()
        return await worker.wait()


def _ended(child: int) -> bool:
    """Asked of the kernel: the event loop hears of an end only later, and the next photo would pay for it."""
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _pipes(worker: Process | None) -> tuple[StreamReader, StreamWriter]:
    if worker is None or worker.stdout is None or worker.stdin is None:
        raise OSError("the photo worker has no pipes")
    return worker.stdout, worker.stdin


async def _ask(reader: StreamReader, writer: StreamWriter, data: bytes) -> _Answer:
    """ConnectionError or IncompleteReadError when the worker is gone, ValueError when it talks nonsense."""
    writer.write(LENGTH.pack(len(data)))
    view = memoryview(data)
    for start in range(0, len(view), PIECE):
        writer.write(view[start : start + PIECE])
        await writer.drain()
    head = await reader.readexactly(ANSWER.size)
    word, width, height, mark, lat, lon, last, length = ANSWER.unpack(head)
    if length > MAX_ANSWER:
        raise ValueError("an answer longer than any photo of ours")
    jpeg = await reader.readexactly(length)
    problem = word.rstrip(b"\0").decode("ascii")
    if problem in PROBLEMS:
        return _Answer(problem, last)
    if problem or not _plausible(jpeg, width, height):
        raise ValueError("neither a photo nor a problem")
    return _Answer(Clean(jpeg, width, height, mark.hex(), *_place(lat, lon)), last)


def _plausible(jpeg: bytes, width: int, height: int) -> bool:
    """The worker reads strangers' bytes, so its word is checked too."""
    sides = 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE
    return sides and jpeg.startswith(b"\xff\xd8\xff") and jpeg.endswith(b"\xff\xd9")


def _place(lat: float, lon: float) -> tuple[float, float] | tuple[None, None]:
    if not (math.isfinite(lat) and math.isfinite(lon)):
        return None, None
    return (lat, lon) if abs(lat) <= 90 and abs(lon) <= 180 else (None, None)
