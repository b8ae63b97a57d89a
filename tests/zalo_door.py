"""Zalo's OAuth door and a few of its calls, as strict as zalo.md says: what tests of the credentials need."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

APP_ID, APP_SECRET = "1234567890", "MARKER-app-secret"
USED = {"error": -14020, "error_name": "Invalid refresh token", "error_reason": "MARKER", "ref_doc": ""}
Speaks = Callable[[], web.StreamResponse]


class Door:
    """One pair lives at a time; a refresh token opens once; the access token before dies at once.

    `grants` are answered at the door instead of its own, `answers` to calls; `gate`, while it is set to an
    event, is waited for before a new pair is handed out (but after it was made).
    """

    def __init__(self) -> None:
        self.url = ""
        self.count = 0
        self.access = "MARKER-access-0"
        self.refresh = "MARKER-refresh-0"
        self.code: tuple[str, str | None] = ("MARKER-code", "v" * 43)
        self.expires_in: Any = "90000"
        self.posts: list[dict[str, str]] = []
        self.calls: list[web.Request] = []
        self.bodies: list[Any] = []
        self.grants: list[Speaks] = []
        self.answers: list[Speaks] = []
        self.gate: asyncio.Event | None = None
        # What the Bot Platform answers, whatever it is asked.
        self.bot: Any = {"ok": True, "result": {"account_name": "bot.AnPhu"}}
        self.asked = asyncio.Event()

    @property
    def refreshes(self) -> "Counter[str]":
        return Counter(post["refresh_token"] for post in self.posts if "refresh_token" in post)

    def answer_with(self, body: Any, status: int = 200, **more: Any) -> None:
        self.answers.append(lambda: web.json_response(body, status=status, **more))

    def grant_with(self, body: Any) -> None:
        self.grants.append(lambda: web.json_response(body))

    def kill(self) -> None:
        """As when somebody logs in elsewhere."""
        self.access = "MARKER-nobody-knows"

    async def token(self, request: web.Request) -> web.StreamResponse:
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.posts.append(form)
        self.asked.set()
        if self.grants:
            return self.grants.pop(0)()
        if request.headers.get("secret_key") != APP_SECRET or form.get("app_id") != APP_ID:
            return web.json_response({"error": -14004, "error_name": "Invalid secret key"})
        given = (form.get("code"), form.get("code_verifier"))
        if form.get("refresh_token") != self.refresh and given != self.code:
            return web.json_response(USED)
        body = self._next()
        if self.gate is not None:
            await self.gate.wait()
        return web.json_response(body)

    def _next(self) -> dict[str, Any]:
        self.count += 1
        self.access, self.refresh = f"MARKER-access-{self.count}", f"MARKER-refresh-{self.count}"
        return {
            "access_token": self.access,
            "refresh_token": self.refresh,
            "expires_in": self.expires_in,
        }

    async def api(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(request)
        self.bodies.append(await self._body(request))
        if self.answers:
            return self.answers.pop(0)()
        if request.headers.get("access_token") != self.access:
            return web.json_response({"error": -216, "message": "Access token is invalid"})
        return web.json_response({"data": {"path": request.path}, "error": 0, "message": "Success"})

    async def bot_api(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self.bot)

    async def _body(self, request: web.Request) -> Any:
        if not request.content_type.startswith("multipart/"):
            return await request.read()
        return [(p.name, p.filename, p.content_type, p.file.read()) for p in _files(await request.post())]


def _files(form: Any) -> list[web.FileField]:
    return [part for part in form.values() if isinstance(part, web.FileField)]


@asynccontextmanager
async def opened(door: Door | None = None) -> AsyncIterator[Door]:
    door = door or Door()
    app = web.Application(client_max_size=8 << 20)
    app.router.add_post("/v4/oa/access_token", door.token)
    app.router.add_route("*", "/{path:v[23].0/.*}", door.api)
    app.router.add_post("/{path:bot.*}", door.bot_api)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    door.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield door
    finally:
        await runner.cleanup()
