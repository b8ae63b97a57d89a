"""A process beside the bot for what is heavy or dangerous: started when needed, timed, ended."""

import asyncio
import os
import signal
import struct
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

START_SECONDS = 30.0
# Small enough that the pipe's own buffer never holds a second copy of what is handed over.
PIECE = 64 * 1024
# Every piece of work is its length and its bytes; a worker keeps the same two.
LENGTH = struct.Struct("!I")
READY = b"\x01"

# A worker gets none of the bot's settings and secrets.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH")
# One malloc arena: each further one reserves room that would count as memory used.
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}


class TooSlow(Exception):
    """It took longer than one piece of work may; the worker is ended."""


class Broke(Exception):
    """The worker died over it, or answered nonsense: what it was given did that. It is ended."""


class Worker:
    """One process, one piece of work at a time; the caller sees to that.

    `command` says what to run after `python -I`, `more` is added to its environment, `name` is for errors.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[], Sequence[str]],
        seconds: float,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self._name, self._command, self._seconds = name, command, seconds
        self._environment = ENVIRONMENT | dict(more or {})
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id while there is one."""
        return self._process.pid if self._process else None

    async def ask(self, data: bytes, read: Callable[[StreamReader], Awaitable[T]]) -> T:
        """What `read` reads back, which raises ValueError for nonsense.

        Raises TooSlow, Broke, or OSError when no process starts: that is not the fault of the data.
        """
        reader, writer = await self._ready()
        try:
            async with asyncio.timeout(self._seconds):
                await _hand_over(writer, data)
                return await read(reader)
        except TimeoutError:
            await self.drop()
            raise TooSlow from None
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            ended_by = await self.drop()
            raise (TooSlow if ended_by == -signal.SIGXCPU else Broke) from None
        except asyncio.CancelledError:
            await self.drop()
            raise

    async def drop(self) -> int | None:
        """End the process now, whatever it does. Its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        with suppress(ProcessLookupError):
            process.kill()
        reader, writer = self._pipes(process)
        writer.close()
        await reader.read()
        with suppress(ConnectionError):
            await writer.wait_closed()
        return await process.wait()

    async def _ready(self) -> tuple[StreamReader, StreamWriter]:
        if self._process is not None and _ended(self._process.pid):
            await self.drop()
        if self._process is None:
            await self._start()
        return self._pipes(self._process)

    async def _start(self) -> None:
        command = (sys.executable, "-I", *self._command())
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, env=passed | self._environment, cwd="/"
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._pipes(self._process)[0].readexactly(len(READY))
        except BaseException as error:
            await self.drop()
            if isinstance(error, TimeoutError | asyncio.IncompleteReadError):
                raise OSError(f"the {self._name} does not start; its own words are on stderr") from None
            raise

    def _pipes(self, process: Process | None) -> tuple[StreamReader, StreamWriter]:
        if process is None or process.stdout is None or process.stdin is None:
            raise OSError(f"the {self._name} has no pipes")
        return process.stdout, process.stdin


async def _hand_over(writer: StreamWriter, data: bytes) -> None:
    writer.write(LENGTH.pack(len(data)))
    view = memoryview(data)
    for start in range(0, len(view), PIECE):
        writer.write(view[start : start + PIECE])
        await writer.drain()


def _ended(child: int) -> bool:
    """Asked of the kernel: the event loop hears of an end only later, and the next work would pay for it."""
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True
