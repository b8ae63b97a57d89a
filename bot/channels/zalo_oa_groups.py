"""The groups that a Zalo Official Account made, and may write to: asked for at the start and every hour."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from bot.channels.payloads import identity
from bot.channels.zalo_http import ApiError, Ok, OpenApi
from bot.channels.zalo_oa_read import NAME
from bot.channels.zalo_oauth import NoToken
from storage import groups
from storage.database import Database

LIST = "/v3.0/oa/group/getgroupsofoa"
PAGE, PAGES_MOST = 50, 100
HOUR_S = 3600.0
# What ran out of its package is listed, and takes no messages.
DISABLED = "disabled"
# Most accounts have no package with groups in it.
NO_PACKAGE = -224

log = structlog.get_logger()


class GroupList:
    """Without a package that has groups Zalo tells of none, and nothing is wrong: it is asked again."""

    def __init__(self, api: OpenApi, db: Database, clock: Callable[[], int]) -> None:
        self._api, self._db, self._clock = api, db, clock
        self._bell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def changed(self) -> None:
        """A group came or went: nobody waits an hour to choose it."""
        self._bell.set()

    async def _run(self) -> None:
        while True:
            self._bell.clear()
            await self.look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HOUR_S):
                    await self._bell.wait()

    async def look(self) -> None:
        """All of them, or what was known stays as it was."""
        try:
            found = await self._all()
            if found is not None:
                await self._db.write(lambda conn: groups.keep(conn, NAME, list(found.items()), self._clock()))
                log.info("groups", action="zalo_groups", channel=NAME, count=len(found))
        except NoToken as error:
            log.warning(
                "no token to ask for groups", action="zalo_no_groups", channel=NAME, code=error.problem
            )
        except Exception as error:
            kind = type(error).__name__
            log.error("groups could not be kept", action="zalo_no_groups", channel=NAME, kind=kind)

    async def _all(self) -> dict[str, str] | None:
        """Name by id."""
        found: dict[str, str] = {}
        for page in range(PAGES_MOST):
            asked = {"offset": page * PAGE, "count": PAGE}
            answer = await self._api.call("GET", LIST, data=asked)
            listed = answer.data.get("groups") if isinstance(answer, Ok) and _is_page(answer.data) else None
            if listed is None:
                code = answer.code if isinstance(answer, ApiError) else 0
                tell = log.info if code == NO_PACKAGE else log.warning
                tell("Zalo tells no groups", action="zalo_no_groups", channel=NAME, code=code)
                return None
            found |= dict(one for one in map(_group, listed) if one is not None)
            if len(listed) < PAGE:
                break
        return found


def _is_page(data: Any) -> bool:
    return isinstance(data, Mapping) and isinstance(data.get("groups"), list)


def _group(told: Any) -> tuple[str, str] | None:
    """Its id and name; one without a name goes by the end of its id."""
    chat = identity(told.get("group_id")) if isinstance(told, Mapping) else None
    if chat is None or told.get("status") == DISABLED:
        return None
    name = told.get("name")
    return chat, name.strip() if isinstance(name, str) and name.strip() else f"…{chat[-6:]}"
