"""One server that is all of Zalo's hosts; which one is meant is told by the path."""

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from bench.standin_zalo import control, files, oa, oauth, zbot
from bench.standin_zalo.calls import Answer, Call
from bench.standin_zalo.faults import Fault
from bench.standin_zalo.world import Zalo

BACKLOG = 4096
# Seconds for what is under way; 0 would wait for ever.
GRACE = 0.01

Api = Callable[[Zalo, Call], Answer]


@dataclass
class Serving:
    """A server that listens; `close` also ends what is under way."""

    listening: asyncio.Server
    server: web.Server
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def close(self) -> None:
        self.listening.close()
        await self.server.shutdown(GRACE)


async def serve(zalo: Zalo, port: int = 0) -> Serving:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await _handle(zalo, request)

    server = web.Server(handle, access_log=None, tcp_keepalive=False)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", port, backlog=BACKLOG)
    return Serving(listening, server, listening.sockets[0].getsockname()[1])


async def _handle(zalo: Zalo, request: web.BaseRequest) -> web.StreamResponse:
    path, _, query = request.raw_path.partition("?")
    if path == "/control/stream":
        return await _stream(zalo, request)
    api = _api(path)
    if api is None and not path.startswith("/control/"):
        return await files.respond(zalo.files, request)
    call = Call(request.method, path, query, request.headers, await request.content.read())
    if api is None:
        return _controlled(zalo, call)
    zalo.counts[call.name] += 1
    return await _answered(zalo, request, call, api)


def _api(path: str) -> Api | None:
    if path.startswith(("/v2.0/", "/v3.0/")):
        return oa.answer
    if path.startswith("/v4/"):
        return oauth.answer
    return zbot.answer if path.startswith(zbot.PREFIX) else None


async def _answered(zalo: Zalo, request: web.BaseRequest, call: Call, api: Api) -> web.StreamResponse:
    fault = next((each for each in zalo.faults if each.hits(call)), None) if zalo.faults else None
    if fault is not None:
        return await _faulty(zalo, request, call, api, fault)
    answer = await _answer(zalo, call, api)
    _note(zalo, call, answer.code, delivered=_open(request))
    return _response(answer)


async def _answer(zalo: Zalo, call: Call, api: Api) -> Answer:
    if call.path.endswith("/getUpdates"):
        await zbot.arrival(zalo, call)
    answer = api(zalo, call)
    if answer.code:
        zalo.errors[answer.code] += 1
    return answer


async def _faulty(
    zalo: Zalo, request: web.BaseRequest, call: Call, api: Api, fault: Fault
) -> web.StreamResponse:
    if fault.delay:
        await asyncio.sleep(fault.delay)
    if fault.silent:
        await asyncio.Event().wait()
    answer = await _answer(zalo, call, api) if fault.accepts else Answer({})
    told = _told(zalo, api, fault) if fault.replaces else _response(answer)
    code = fault.error or fault.status or answer.code
    _note(zalo, call, 0 if fault.reset else code, None if fault.hold else not fault.reset)
    if fault.hold:
        await asyncio.sleep(random.uniform(0, fault.hold))
    if fault.reset and request.transport is not None:
        request.transport.abort()
    return told


def _told(zalo: Zalo, api: Api, fault: Fault) -> web.Response:
    if fault.error is None:
        body = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
        return web.Response(status=fault.status or 200, text=body, headers=fault.headers)
    answer = _failure(zalo, api, fault.error)
    answer.status = fault.status or answer.status
    answer.headers |= fault.headers
    return _response(answer)


def _failure(zalo: Zalo, api: Api, code: int) -> Answer:
    if api is oauth.answer:
        return oauth.failure(code)
    return oa.failure(code) if api is oa.answer else zbot.failure(zalo, code)


def _response(answer: Answer) -> web.Response:
    body = json.dumps(answer.body, ensure_ascii=False).encode("utf-8", "replace")
    kind = {"Content-Type": "application/json"}
    return web.Response(status=answer.status, body=body, headers=kind | answer.headers)


def _note(zalo: Zalo, call: Call, code: int, delivered: bool | None) -> None:
    if zalo.ledger.wants(call.sent):
        zalo.ledger.note(call.name, call.to, call.sent, code, delivered)


def _open(request: web.BaseRequest) -> bool:
    return request.transport is not None and not request.transport.is_closing()


def _controlled(zalo: Zalo, call: Call) -> web.Response:
    try:
        found = control.answer(zalo, call)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
    return web.json_response(found) if found is not None else web.Response(status=404)


async def _stream(zalo: Zalo, request: web.BaseRequest) -> web.StreamResponse:
    """Every accepted send as one JSON line, while the connection lasts."""
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    zalo.ledger.listeners.add(lines)
    try:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(await lines.get())
    finally:
        zalo.ledger.listeners.discard(lines)
    return response
