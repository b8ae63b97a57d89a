"""The tokens of a Zalo Official Account when something goes wrong: no error costs a good pair."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from aiohttp import web
from sqlalchemy.exc import OperationalError

from bot.channels.vault import Vault
from bot.channels.zalo_tokens import REFUSED_REST_MS, SAVE_PAUSES, UNREACHABLE_REST_MS
from storage import tokens as stored
from storage.database import Database
from tests.zalo_pair import HOUR, NAME, Stage, no_token, staged
from tests.zalo_racer import SECRET_KEY

T = TypeVar("T")


@pytest.fixture
async def stage(sqlite_database: Database) -> AsyncIterator[Stage]:
    async with staged(sqlite_database) as made:
        yield made


async def test_an_error_in_a_200_never_replaces_a_good_pair(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    before = await stage.row()
    stage.door.grant_with({"error": -14020, "access_token": "x", "refresh_token": "y", "expires_in": "9"})
    assert await no_token(stage.tokens.access()) == "refused:-14020"
    assert await stage.row() == replace(before, problem="refused:-14020")


async def test_a_refusal_is_everybodys_for_ten_minutes(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    stage.door.grant_with({"error": "-14020"})
    await no_token(stage.tokens.access())
    for tokens in (stage.tokens, stage.another()):
        assert await no_token(tokens.access()) == "refused:-14020"
        assert await no_token(tokens.renewed("MARKER-access-0")) == "refused:-14020"
        assert tokens.problem == "refused:-14020"
    assert (len(stage.door.posts), stage.rests) == (1, [])
    stage.clock.move(timedelta(milliseconds=REFUSED_REST_MS))
    assert await stage.tokens.access() == "MARKER-access-1"
    assert (await stage.row()).problem == stage.tokens.problem == ""


@pytest.mark.parametrize(
    "speaks",
    [
        lambda: web.Response(status=502, text="<html>"),
        lambda: web.Response(status=200, text="[]"),
        lambda: web.Response(status=302, headers={"Location": "https://example.org/"}),
        lambda: web.json_response({"access_token": "a"}),
        lambda: web.json_response({"access_token": "a\r\nb: c", "refresh_token": "b", "expires_in": "9"}),
        lambda: web.Response(body=b"[" * (2 << 20)),
    ],
    ids=["bad gateway", "no object", "elsewhere", "half a pair", "no header's value", "endless"],
)
async def test_nonsense_is_asked_again_soon(stage: Stage, speaks: Callable[[], web.Response]) -> None:
    await stage.has(made=26 * HOUR)
    before = await stage.row()
    stage.door.grants.append(speaks)
    assert await no_token(stage.tokens.access()) == "unreachable"
    assert await stage.row() == replace(before, problem="unreachable")
    assert await no_token(stage.another().access()) == "unreachable"
    assert len(stage.door.posts) == 1
    stage.clock.move(timedelta(milliseconds=UNREACHABLE_REST_MS))
    assert await stage.another().access() == "MARKER-access-1"


async def test_nobody_at_the_door(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    assert await no_token(stage.another(oauth_url="http://127.0.0.1:1").access()) == "unreachable"


async def test_an_old_token_serves_while_the_door_is_shut(stage: Stage) -> None:
    """Half its life is left, and the trouble is there for all to see."""
    await stage.has(made=13 * HOUR)
    stage.door.grant_with({"error": -14002})
    assert await stage.tokens.access() == await stage.tokens.access() == "MARKER-access-0"
    assert stage.tokens.problem == "refused:-14002"
    standing = await stage.tokens.standing()
    assert standing is not None
    assert standing.problem == "refused:-14002"
    stage.clock.move(13 * HOUR)
    assert await stage.tokens.access() == "MARKER-access-1"


async def test_a_dead_token_is_not_handed_out_again(stage: Stage) -> None:
    await stage.has()
    assert await stage.tokens.access() == "MARKER-access-0"
    stage.door.grant_with({"error": -14020})
    assert await no_token(stage.tokens.renewed("MARKER-access-0")) == "refused:-14020"
    assert await no_token(stage.tokens.access()) == "refused:-14020"


async def test_power_lost_between_the_answer_and_the_commit(stage: Stage) -> None:
    """The one thing nobody can prevent: said at once, healed by a login, also to those that run."""
    await stage.has(made=26 * HOUR)
    before = await stage.row()

    class Dies(Vault):
        def seal(self, text: str) -> str:
            raise KeyError("power")

    with pytest.raises(KeyError):
        await stage.another(vault=Dies(SECRET_KEY)).access()
    assert await stage.row() == before
    assert await no_token(stage.tokens.access()) == "refused:-14020"
    assert (await stage.row()).sealed == before.sealed
    stage.door.refresh = "MARKER-pasted"
    await stage.another().adopt("MARKER-pasted")
    assert await stage.tokens.access() == "MARKER-access-2"


async def test_who_gives_up_waiting_breaks_nothing_off(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    stage.door.gate = asyncio.Event()
    waiting = asyncio.create_task(stage.tokens.access())
    await stage.door.asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    stage.door.gate.set()
    await stage.tokens.stop()
    assert await stage.another().access() == "MARKER-access-1"
    assert len(stage.door.posts) == 1


class Stubborn(Database):
    """Takes no new pair for a while."""

    def __init__(self, db: Database, fails: int) -> None:
        self._db = db
        self.fails = fails
        self.sqlite = db.sqlite

    async def write(self, work: Callable[[Any], Awaitable[T]]) -> T:
        if "_save" in getattr(work, "__qualname__", "") and self.fails:
            self.fails -= 1
            raise OperationalError("", None, Exception("database is locked"))
        return await self._db.write(work)

    def read(self) -> Any:
        return self._db.read()


async def test_a_pair_that_cannot_be_written_is_not_thrown_away(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    tries = len(SAVE_PAUSES) + 1
    tokens = stage.another(db=Stubborn(stage.db, tries + 2))
    assert await no_token(tokens.access()) == "unsaved"
    assert tuple(stage.rests) == SAVE_PAUSES
    assert await tokens.access() == await stage.another().access() == "MARKER-access-1"
    assert len(stage.door.posts) == 1


async def test_one_that_was_frozen_overwrites_nothing_newer(stage: Stage) -> None:
    await stage.has()
    older = await stage.row()
    assert await stage.tokens.renewed("MARKER-access-0") == "MARKER-access-1"
    newer = await stage.row()
    await stage.db.write(lambda conn: stored.write(conn, NAME, older))
    await stage.db.write(lambda conn: stored.failed(conn, NAME, older.made_at, "unreachable", 1 << 50))
    assert await stage.row() == newer
