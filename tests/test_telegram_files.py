"""Telegram, files: downloaded up to a limit, from nowhere else, and whether to ask again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bot.channels.base import FileTrouble
from bot.core.events import FileRef
from tests.telegram_stage import Stage, opened

LIMIT = 1 << 20


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    async with opened() as made:
        yield made


async def test_download(stage: Stage) -> None:
    stage.platform.files["f"] = ("photos/file_1.jpg", b"jpeg" * 1000, 4000)
    assert await stage.channel.download(FileRef("f"), LIMIT) == b"jpeg" * 1000


@pytest.mark.parametrize(
    ("size", "path", "content", "told", "problem", "final"),
    [
        (LIMIT + 1, "a.jpg", b"x", 1, "too_big", True),
        (None, "a.jpg", b"x", LIMIT + 1, "too_big", True),
        (None, "a.jpg", b"x", 21 << 20, "too_big", True),
        (None, "a.jpg", b"x" * (LIMIT + 1), 1, "too_big", True),
        (None, "/var/lib/bots/1:A/photos/a.jpg", b"x", 1, "missing", True),
        (None, "../../bot1:A/logOut", b"x", 1, "missing", True),
        (None, "http://169.254.169.254/", b"x", 1, "missing", True),
        (None, "", b"x", 1, "missing", True),
    ],
)
async def test_download_refused(
    stage: Stage, size: int | None, path: str, content: bytes, told: int, problem: str, final: bool
) -> None:
    stage.platform.files["f"] = (path, content, told)
    with pytest.raises(FileTrouble) as trouble:
        await stage.channel.download(FileRef("f", size), LIMIT)
    assert (trouble.value.problem, trouble.value.final) == (problem, final)


@pytest.mark.parametrize(
    ("fault", "final"),
    [
        ({"status": 400, "body": {"ok": False, "error_code": 400, "description": "invalid file_id"}}, True),
        ({"status": 401, "body": {"ok": False, "error_code": 401, "description": "Unauthorized"}}, False),
        ({"status": 429, "body": {"ok": False, "error_code": 429}}, False),
        ({"status": 500, "body": "<html>"}, False),
        ({"body": "<html>"}, False),
        ({"reset": "before"}, False),
        ({"silent": True}, False),
        ({"body": {"ok": True, "result": {"file_id": "f", "file_path": "photos/gone.jpg"}}}, True),
        ({"body": {"ok": True, "result": 5}}, True),
    ],
)
async def test_download_trouble(stage: Stage, fault: dict[str, Any], final: bool) -> None:
    stage.fault(method="getfile", **fault)
    with pytest.raises(FileTrouble) as trouble:
        await stage.channel.download(FileRef("f"), LIMIT)
    assert (trouble.value.problem, trouble.value.final) == ("missing", final)


async def test_unknown_file_may_come_back(stage: Stage) -> None:
    with pytest.raises(FileTrouble) as trouble:
        await stage.channel.download(FileRef("f"), LIMIT)
    assert not trouble.value.final


@pytest.mark.parametrize(
    ("answer", "problem", "final"),
    [
        (b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n", "missing", False),
        (b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", "missing", True),
        (b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nshort", "missing", False),
        (b"HTTP/1.1 200 X\r\n\r\n" + b"x" * (LIMIT + 1), "too_big", True),
    ],
)
async def test_file_server_misbehaves(stage: Stage, answer: bytes, problem: str, final: bool) -> None:
    told = b'{"ok":true,"result":{"file_id":"f","file_path":"a.jpg"}}'

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        known = b"HTTP/1.1 200 X\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told)
        writer.write(answer if head.startswith(b"GET") else known)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    other = stage.another(api_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(FileTrouble) as trouble:
        await other.download(FileRef("f"), LIMIT)
    await other.stop()
    server.close()
    assert (trouble.value.problem, trouble.value.final) == (problem, final)
