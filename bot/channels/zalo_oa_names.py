"""What people of a Zalo Official Account are called: webhooks do not tell, so it is asked, once each.

Kept in memory only, and logged nowhere: whoever joins a unit with a code is greeted by it.
"""

import asyncio
from collections import OrderedDict
from typing import Any

import structlog

from bot.channels.zalo_http import ApiError, Ok, OpenApi
from bot.channels.zalo_oa_read import NAME
from bot.channels.zalo_oauth import NoToken

DETAIL = "/v3.0/oa/user/detail"
KEPT_MOST = 5000
AT_ONCE = 4
# Who finds the queue full is asked about with their next message.
WAITING_MOST = 200

log = structlog.get_logger()


class Names(OrderedDict[str, str]):
    """By user id; an empty one was asked for in vain. Who was heard of last stays."""

    def __setitem__(self, user: str, name: str) -> None:
        super().__setitem__(user, name)
        while len(self) > KEPT_MOST:
            self.popitem(last=False)


class Acquaintance:
    """Asks in the background; the talk goes on without a name when it does not come in time."""

    def __init__(self, api: OpenApi) -> None:
        self.names = Names()
        self._api = api
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._asked: dict[str, asyncio.Task[None]] = {}

    def meet(self, user: str) -> None:
        if user in self.names:
            self.names.move_to_end(user)
        elif user not in self._asked and len(self._asked) < WAITING_MOST:
            task = self._asked[user] = asyncio.create_task(self._ask(user))
            task.add_done_callback(lambda _: self._asked.pop(user, None))

    def forget(self, user: str) -> None:
        self.names.pop(user, None)
        task = self._asked.get(user)
        if task is not None:
            task.cancel()

    async def stop(self) -> None:
        tasks = list(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Until everybody who was asked about is known."""
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def _ask(self, user: str) -> None:
        try:
            async with self._gate:
                answer = await self._api.call("GET", DETAIL, data={"user_id": user})
        except NoToken:
            return
        except Exception as error:
            log.warning("a name is not told", action="no_name", channel=NAME, kind=type(error).__name__)
            return
        if isinstance(answer, Ok | ApiError):
            self.names[user] = _name(answer.data) if isinstance(answer, Ok) else ""


def _name(data: Any) -> str:
    """Of people whom the platform protects, nothing more is kept than we need."""
    if not isinstance(data, dict) or data.get("is_sensitive"):
        return ""
    name = data.get("display_name")
    return name if isinstance(name, str) else ""
