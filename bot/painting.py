"""Has pictures drawn in another process: the bot itself never loads matplotlib."""

import asyncio
import struct
from asyncio import StreamReader
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.workers import Broke, TooSlow, Worker

# Chats shrink what is larger, and a phone on a slow line waits for it.
LARGEST = 150_000
MEMORY = 320 * 1024 * 1024
SECONDS = 15.0
# The worker runs by its path: it finds `bot.drawings` beside it, and loads nothing else of the bot.
WORKER = Path(__file__).parent / "drawings" / "worker.py"
# The worker keeps the same: whether it is its last picture, and how many bytes follow (none: not drawable).
ANSWER = struct.Struct("!?I")
PNG = b"\x89PNG\r\n\x1a\n"


class Undrawable(Exception):
    """This picture cannot be drawn, and trying again changes nothing. Its word says why."""


@dataclass(frozen=True, slots=True)
class _Answer:
    png: bytes
    last: bool


class Easel:
    """One worker, one picture at a time, started when one is wanted; `folder` is for its cache."""

    def __init__(self, folder: Path, *, memory: int = MEMORY, seconds: float = SECONDS) -> None:
        self._lock = asyncio.Lock()
        # Without a place of its own matplotlib looks through all fonts at each start; one thread is enough.
        more = {"MPLCONFIGDIR": str(folder.absolute()), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._worker = Worker("drawing worker", lambda: _command(memory, seconds), seconds, more)

    @property
    def pid(self) -> int | None:
        """The worker's process id while there is one."""
        return self._worker.pid

    async def draw(self, spec: str) -> bytes:
        """The PNG. Undrawable, or OSError when no worker starts, which is no picture's fault."""
        async with self._lock:
            try:
                answer = await self._worker.ask(spec.encode(), _read)
            except TooSlow:
                raise Undrawable("too_slow") from None
            except Broke:
                raise Undrawable("broken") from None
            if answer.last:
                await self._worker.drop()
        if not answer.png:
            raise Undrawable("broken")
        return answer.png

    async def stop(self) -> None:
        """End the worker, after the picture in hand; another picture would start another worker."""
        async with self._lock:
            await self._worker.drop()


def _command(memory: int, seconds: float) -> Sequence[str]:
    return (str(WORKER), str(memory), str(seconds))


async def _read(reader: StreamReader) -> _Answer:
    """ValueError when the worker talks nonsense."""
    last, length = ANSWER.unpack(await reader.readexactly(ANSWER.size))
    if length > LARGEST:
        raise ValueError("a picture larger than ours may be")
    png = await reader.readexactly(length)
    if png and not png.startswith(PNG):
        raise ValueError("no picture")
    return _Answer(png, last)
