"""The file hosts that photos and voices are fetched from: slow, endless, lying or pointing elsewhere."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import web

CHUNK = 64 << 10


@dataclass
class Served:
    """`times`: the data so often over; `claims`: the Content-Length that is told, -1 for none.

    `delay`: seconds before the answer; `drip`: seconds between chunks; `location`: a redirect.
    """

    data: bytes = b""
    kind: str = "image/jpeg"
    status: int = 200
    location: str = ""
    delay: float = 0.0
    drip: float = 0.0
    chunk: int = CHUNK
    times: int = 1
    claims: int | None = None

    @property
    def size(self) -> int:
        return len(self.data) * self.times


@dataclass
class Files:
    """By path only; `fetched` tells which Host was asked for what."""

    served: dict[str, Served] = field(default_factory=dict)
    fetched: list[tuple[str, str]] = field(default_factory=list)

    def put(self, path: str, file: Served | bytes) -> str:
        self.served[path] = file if isinstance(file, Served) else Served(file)
        return path


async def respond(files: Files, request: web.BaseRequest) -> web.StreamResponse:
    path = request.raw_path.partition("?")[0]
    files.fetched.append((request.host, path))
    found = files.served.get(path)
    if found is None:
        return web.Response(status=404)
    if found.delay:
        await asyncio.sleep(found.delay)
    if found.location:
        status = found.status if found.status != 200 else 302
        return web.Response(status=status, headers={"Location": found.location})
    return await _stream(found, request)


async def _stream(file: Served, request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(status=file.status, headers={"Content-Type": file.kind})
    told = file.size if file.claims is None else file.claims
    if told >= 0:
        response.content_length = told
    await response.prepare(request)
    if request.method != "HEAD":
        # Who asked may have gone in the middle of it.
        with suppress(ConnectionError):
            await _drip(file, response)
    if told > file.size and request.transport is not None:
        # Less came than was told: only the end of the connection says so.
        request.transport.close()
    return response


async def _drip(file: Served, response: web.StreamResponse) -> None:
    for _ in range(file.times):
        for start in range(0, len(file.data), file.chunk):
            await response.write(file.data[start : start + file.chunk])
            if file.drip:
                await asyncio.sleep(file.drip)
