"""The doors: webhooks (a body is stored before it is answered), health and metrics."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from bot.channels.base import Headers, Malformed, Received
from bot.inbox import Inbox

log = structlog.get_logger()

# Telegram's own server drops updates over 64 KiB (tdlib/telegram-bot-api, Client.cpp).
BODY_MAX = 256 * 1024
# Platforms wait two seconds (Zalo) to sixty (Telegram) for an answer.
PATIENCE_S = 1.5


@dataclass(frozen=True, slots=True)
class Figures:
    """What /metrics and /readyz show. Lanes as (lane, waiting, seconds the oldest is overdue)."""

    lanes: tuple[tuple[str, int, float], ...] = ()
    updates: int = 0
    duplicates: int = 0
    quarantined: int = 0
    floods: int = 0
    unknown: int = 0
    problems: tuple[str, ...] = ()


Look = Callable[[], Awaitable[Figures]]


class Hook(Protocol):
    """A channel that posts to us; `forged` is what a post without its proof is answered.

    `tried`: the platform tries the address with a GET, or with a post that holds nothing.
    """

    name: str
    forged: int
    tried: bool

    def verify(self, headers: Headers, body: bytes) -> bool: ...

    def arrivals(self, body: bytes) -> Sequence[Received]: ...

    def answer(self, raw: str) -> dict[str, str] | None: ...


def application(look: Look) -> web.Application:
    app = web.Application(client_max_size=BODY_MAX)

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(PATIENCE_S):
                problems = (await look()).problems
        except Exception as error:
            log.error("not ready", action="not_ready", kind=type(error).__name__)
            problems = (f"database: {type(error).__name__}",)
        status = 503 if problems else 200
        return web.json_response({"ready": not problems, "problems": problems}, status=status)

    async def metrics(_: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(PATIENCE_S):
                seen = await look()
        except Exception as error:
            log.error("no figures", action="not_ready", kind=type(error).__name__)
            return web.Response(status=503)
        registry = CollectorRegistry()
        registry.register(_Snapshot(seen))
        return web.Response(body=generate_latest(registry), content_type="text/plain", charset="utf-8")

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


class _Snapshot:
    """One look at the program, as prometheus-client collects it."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> list[Metric]:
        seen = self._figures
        depth = GaugeMetricFamily("outbox_depth", "Messages waiting.", labels=["lane"])
        oldest = GaugeMetricFamily("outbox_oldest_seconds", "How overdue the oldest is.", labels=["lane"])
        for lane, waiting, seconds in seen.lanes:
            depth.add_metric([lane], waiting)
            oldest.add_metric([lane], seconds)
        return [
            depth,
            oldest,
            CounterMetricFamily("updates", "Events stored.", value=seen.updates),
            CounterMetricFamily("duplicates", "Events delivered again.", value=seen.duplicates),
            CounterMetricFamily("quarantined", "Events set aside.", value=seen.quarantined),
            CounterMetricFamily("platform_429", "Times a platform said wait.", value=seen.floods),
            CounterMetricFamily("send_unknown", "Messages perhaps sent.", value=seen.unknown),
        ]


def add_hook(app: web.Application, path: str, hook: Hook, inbox: Inbox) -> None:
    """Mount a webhook: 403 or 401 without proof, 200 once stored or set aside, 503 if it cannot be."""

    async def post(request: web.Request) -> web.Response:
        body = await request.read()
        if hook.tried and not body.strip():
            return web.Response()
        if not hook.verify(request.headers, body):
            return web.Response(status=hook.forged)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return _answered(await _stored(hook, inbox, body))
        except Exception as error:
            # An honest "not now": the platform keeps it and comes again.
            kind = type(error).__name__
            log.error("could not store", action="store_failed", channel=hook.name, kind=kind)
            return web.Response(status=503)

    async def tried(_: web.Request) -> web.Response:
        return web.Response()

    app.router.add_post(path, post)
    if hook.tried:
        app.router.add_get(path, tried)


async def _stored(hook: Hook, inbox: Inbox, body: bytes) -> dict[str, str] | None:
    """Store a body, or set it aside; returns what the platform may be told in return."""
    try:
        arrived = hook.arrivals(body)
    except Malformed as error:
        await inbox.set_aside_body(hook.name, body, str(error))
        return None
    # Each photo of an event stands for itself; they share a commit all the same.
    await asyncio.gather(*(inbox.take(hook.name, received) for received in arrived))
    return hook.answer(arrived[0].raw) if arrived else None


def _answered(answer: dict[str, str] | None) -> web.Response:
    if answer is None:
        return web.Response()
    return web.Response(text=json.dumps(answer), content_type="application/json")
