"""The generator's side of the wire, by hand: a webhook caller, and a listener to the stand-in's stream."""

import asyncio
import json
from collections.abc import Callable, Mapping

from bench.scene import PATH, SECRET, SECRET_HEADER, Json


class Caller(asyncio.Protocol):
    """One keep-alive connection to a webhook, one request at a time. ConnectionError when it breaks."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport

    @classmethod
    async def to(cls, port: int) -> "Caller":
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(cls, "127.0.0.1", port))[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("closed"))

    async def post(self, body: bytes, head: bytes | None = None) -> int:
        """The answer's status. `head` as `head_of` makes it; Telegram's when there is none."""
        if self._transport.is_closing():
            raise ConnectionError("closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write((head or _HEAD) % len(body) + body)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or len(self._buffer) < end + 4 + _length(self._buffer[:end]):
            return
        status = int(self._buffer[9:12])
        self._buffer.clear()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)

    def close(self) -> None:
        self._transport.abort()


def head_of(path: str, headers: Mapping[str, str]) -> bytes:
    """What stands before a body, with a gap for its length."""
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{told}Content-Length: %d\r\n\r\n".encode()


_HEAD = head_of(PATH, {"Content-Type": "application/json", SECRET_HEADER: SECRET})


def _length(head: bytes | bytearray) -> int:
    _, found, after = bytes(head).lower().partition(b"content-length:")
    return int(after.split(b"\r\n", 1)[0]) if found else 0


class Listener(asyncio.Protocol):
    """Hears every send that the stand-in accepts, as one mapping each."""

    def __init__(self, heard: Callable[[Json], None], listening: "asyncio.Future[None]") -> None:
        self._heard = heard
        self._listening = listening
        self._rest = b""
        self._transport: asyncio.Transport

    @classmethod
    async def to(cls, port: int, heard: Callable[[Json], None]) -> "Listener":
        """Returns once the stand-in has us on its list: nothing said afterwards is missed."""
        loop = asyncio.get_running_loop()
        listening: asyncio.Future[None] = loop.create_future()
        made = await loop.create_connection(lambda: cls(heard, listening), "127.0.0.1", port)
        await listening
        return made[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"GET /control/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        if not self._listening.done():
            self._listening.set_result(None)
        # Each chunk is one line of JSON, so that the framing is just lines of another kind.
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"{"):
                self._heard(json.loads(line))

    def close(self) -> None:
        self._transport.abort()
