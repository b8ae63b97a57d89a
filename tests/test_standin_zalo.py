"""The stand-in for Zalo as a server: its faults, files, control paths and ledger."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.standin_zalo import Fault, Served, Serving, Zalo, serve, webhook_bot
from tests.zalo_calls import CS, WHO, Clock, commune

TEXT = {"recipient": {"user_id": WHO}, "message": {"text": "Xin chào"}}


@pytest.fixture
def zalo() -> Zalo:
    return commune(Clock())


@pytest.fixture
async def serving(zalo: Zalo) -> AsyncIterator[Serving]:
    serving = await serve(zalo)
    yield serving
    await serving.close()


@pytest.fixture
async def session(serving: Serving) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(serving.url) as session:
        yield session


async def send(session: aiohttp.ClientSession, body: object = TEXT) -> Any:
    async with session.post(CS, json=body, headers={"access_token": "access-1"}) as response:
        return await response.json()


async def test_faults_hit_whom_they_are_meant_for(zalo: Zalo, session: aiohttp.ClientSession) -> None:
    zalo.faults += [Fault("/message/cs", to="1", error=-32), Fault(CS, to=WHO, count=1, error=-211)]
    zalo.faults.append(Fault("/message/cs", count=1, status=502, body="<html>"))
    assert (await send(session))["error"] == -211
    with pytest.raises(aiohttp.ContentTypeError):
        await send(session)
    assert zalo.sent == []
    assert (await send(session))["data"]["user_id"] == WHO
    zalo.faults.append(Fault(count=1, error=-200, accept=True))
    assert (await send(session))["error"] == -200
    assert len(zalo.sent) == 2


@pytest.mark.parametrize(("reset", "accepted"), [("before", 0), ("after", 1)])
async def test_a_connection_breaks(
    zalo: Zalo, session: aiohttp.ClientSession, reset: str, accepted: int
) -> None:
    zalo.faults.append(Fault(count=1, reset=reset))
    with pytest.raises(aiohttp.ClientError):
        await send(session)
    assert len(zalo.sent) == accepted


async def test_files_under_any_host(zalo: Zalo, session: aiohttp.ClientSession) -> None:
    zalo.files.put("/1.jpg", Served(b"jpeg", delay=0.001, drip=0.001, chunk=1))
    async with session.get("/1.jpg?x=1", headers={"Host": "f6.photo.talk.zdn.vn"}) as response:
        assert await response.read() == b"jpeg"
    assert zalo.files.fetched == [("f6.photo.talk.zdn.vn", "/1.jpg")]
    zalo.files.put("/away", Served(location="http://169.254.169.254/"))
    async with session.get("/away", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "http://169.254.169.254/")
    async with session.get("/missing") as response:
        assert response.status == 404


async def test_a_size_can_be_a_lie(zalo: Zalo, session: aiohttp.ClientSession) -> None:
    zalo.files.put("/large", Served(b"jpeg", claims=1 << 30))
    async with session.get("/large") as response:
        assert response.content_length == 1 << 30
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    zalo.files.put("/untold", Served(b"jpeg", claims=-1, times=1000))
    async with session.get("/untold") as response:
        assert response.content_length is None
        assert len(await response.read()) == 4000


async def test_a_poll_waits_for_news(zalo: Zalo, session: aiohttp.ClientSession) -> None:
    path = f"/bot{zalo.bot.token}/getUpdates"
    assert (await poll(session, path, "0"))["error_code"] == 408
    event = webhook_bot.bot_text(webhook_bot.Chat("6ede9afa66b88fe6d6a9", 1), "một")
    news = session.post("/control/update", json=event)
    answer, _ = await asyncio.gather(poll(session, path, "30"), news)
    assert answer["result"] == event


async def poll(session: aiohttp.ClientSession, path: str, seconds: str) -> Any:
    async with session.post(path, json={"timeout": seconds}) as response:
        return await response.json()


async def test_as_its_own_process(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    arguments = ("--port", "0", "--ledger", str(ledger), "--access", "access-1", "--rate", "0")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.standin_zalo",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        await _visit(session)
    process.terminate()
    assert await process.wait() == 0
    lines = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
    found = [(line["answer"], line["accepted"], line["delivered"]) for line in lines if line["method"] == CS]
    assert found == [(-213, False, True), (0, True, True), (0, True, False), (-220, False, True)]


async def _visit(session: aiohttp.ClientSession) -> None:
    async def control(path: str, body: object) -> Any:
        async with session.post(f"/control/{path}", json=body) as response:
            return response.status, await response.json()

    async with session.get("/control/stream") as stream:
        assert (await send(session))["error"] == -213
        assert await control("user", {"id": WHO, "ago": 49 * 3600}) == (200, True)
        assert "quota" not in (await send(session))["data"]
        assert json.loads(await stream.content.readline())["billed"] is True
    await control("fault", {"path": "/message/cs", "count": 1, "reset": "after"})
    with pytest.raises(aiohttp.ClientError):
        await send(session)
    await control("expire", {})
    assert (await send(session))["error"] == -220
    assert (await control("oa", {"tiers": "free"}))[0] == 400
    assert (await control("oa", {"tier": "free"}))[0] == 200
    async with session.post("/control/file?path=/1.jpg&delay=0.001&claims=4", data=b"jpeg") as response:
        assert await response.json() == "/1.jpg"
    async with session.get("/1.jpg") as response:
        assert await response.read() == b"jpeg"
    async with session.get("/control/state") as response:
        assert (await response.json())["counts"] == {CS: 4}
