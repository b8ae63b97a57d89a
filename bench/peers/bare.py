"""The floor: an aiohttp server that knows the five steps by heart and keeps nothing at all."""

import asyncio

import aiohttp
from aiohttp import web

from bench.peers.talk import CHOICES, STEPS, Alerts, listening, options
from bench.scene import PATH, TOKEN, Json


class Bare:
    def __init__(self, api: str) -> None:
        self._url = f"{api}/bot{TOKEN}/sendMessage"
        self._alerts = Alerts()
        self._steps: dict[int, int] = {}
        self._session: aiohttp.ClientSession | None = None

    async def post(self, request: web.Request) -> web.Response:
        update: Json = await request.json()
        chat = _chat(update)
        step = self._steps.pop(chat, 0)
        await self._send(chat, STEPS[step], CHOICES[step])
        if step + 1 < len(STEPS):
            self._steps[chat] = step + 1
        else:
            await self._send(self._alerts.next_chat(), self._alerts.text(), ())
        return web.Response()

    async def _send(self, chat: int, text: str, choices: tuple[tuple[str, str], ...]) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100))
        body: Json = {"chat_id": chat, "text": text}
        if choices:
            body["reply_markup"] = {
                "inline_keyboard": [[{"text": label, "callback_data": data}] for label, data in choices]
            }
        async with self._session.post(self._url, json=body) as response:
            await response.read()


def _chat(update: Json) -> int:
    message = update["callback_query"]["message"] if "callback_query" in update else update["message"]
    return int(message["chat"]["id"])


async def main() -> None:
    app = web.Application()
    app.router.add_post(PATH, Bare(options().api).post)
    await listening(app)


if __name__ == "__main__":
    asyncio.run(main())
