"""Cleans photos in another process: checked, upright, small, only pixels, with place and fingerprint."""

import asyncio
import math
import struct
from asyncio import StreamReader
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.workers import Broke, TooSlow, Worker

PROBLEMS = ("broken", "too_big", "wrong_kind", "too_slow", "missing")
"""too_big: bytes, pixels or memory. wrong_kind: not JPEG, PNG, WebP or HEIC. missing: no bytes at all."""

MAX_BYTES = 20 * 1024 * 1024
MAX_ANSWER = 8 * 1024 * 1024
MAX_SIDE = 1600

# The worker runs by its path: without the bot's modules, settings or secrets.
WORKER = Path(__file__).with_name("photo_worker.py")

# The worker keeps the same; importing it would bring Pillow in here.
ANSWER = struct.Struct("!10sHH32sdd?I")


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
        self._lock = asyncio.Lock()
        self._worker = Worker("photo worker", lambda: _command(memory, seconds), seconds)

    @property
    def pid(self) -> int | None:
        """The worker's process id while there is one."""
        return self._worker.pid

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
            await self._worker.drop()

    async def _develop(self, data: bytes) -> Clean | str:
        try:
            answer = await self._worker.ask(data, _read)
        except TooSlow:
            return "too_slow"
        except Broke:
            return "broken"
        if answer.last:
            await self._worker.drop()
        return answer.said


def _command(memory: int, seconds: float) -> Sequence[str]:
    return (str(WORKER), str(memory), str(seconds))


async def _read(reader: StreamReader) -> _Answer:
    """ValueError when the worker talks nonsense."""
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
