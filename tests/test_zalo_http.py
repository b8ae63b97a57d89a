"""Calls of Zalo's OpenAPI: shapes, dead tokens, refusals, and what is unknown after a broken connection."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web

from bot.channels import zalo_http, zalo_wire
from bot.channels.vault import Vault
from bot.channels.zalo_http import ApiError, Ok, OpenApi, Rate, Upload
from bot.channels.zalo_oauth import NoToken
from bot.channels.zalo_tokens import Tokens
from bot.channels.zalo_wire import ANSWER_LIMIT, MaybeSent, NotSent
from storage.database import Database
from tests.paper import PaperClock
from tests.zalo_door import APP_ID, APP_SECRET, Door, opened
from tests.zalo_racer import SECRET_KEY

PATH = "/v3.0/oa/message/cs"


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with opened() as door:
        yield door


@pytest.fixture
async def tokens(door: Door, sqlite_database: Database) -> Tokens:
    tokens = Tokens(
        sqlite_database,
        Vault(SECRET_KEY),
        app_id=APP_ID,
        app_secret=APP_SECRET,
        oauth_url=door.url,
        clock=PaperClock(datetime(2026, 11, 2, tzinfo=UTC)),
    )
    await tokens.adopt("MARKER-refresh-0")
    return tokens


@pytest.fixture
async def api(door: Door, tokens: Tokens) -> AsyncIterator[OpenApi]:
    api = OpenApi(door.url, tokens)
    yield api
    await api.stop()


async def test_a_get_carries_one_parameter(door: Door, api: OpenApi) -> None:
    asked = {"user_id": "2512523625412515", "tag": "thôn & 3"}
    assert await api.call("GET", "/v3.0/oa/user/detail", data=asked) == Ok({"path": "/v3.0/oa/user/detail"})
    (call,) = door.calls
    assert (call.method, set(call.query)) == ("GET", {"data"})
    assert json.loads(call.query["data"]) == asked
    assert call.headers["access_token"] == "MARKER-access-1"
    assert "Authorization" not in call.headers


async def test_a_post_carries_json(door: Door, api: OpenApi) -> None:
    said = {"recipient": {"user_id": "1"}, "message": {"text": "Đã nhận"}}
    assert await api.call("POST", PATH, json=said) == Ok({"path": PATH})
    assert door.calls[0].content_type == "application/json"
    assert json.loads(door.bodies[0]) == said


async def test_a_file_is_the_field_file(door: Door, api: OpenApi) -> None:
    photo = Upload("a.jpg", b"\xff\xd8" + bytes(1 << 20), "image/jpeg")
    assert isinstance(await api.call("POST", "/v2.0/oa/upload/image", form=photo), Ok)
    ((part,),) = door.bodies
    assert part[:3] == ("file", "a.jpg", "image/jpeg")
    # Not compared by the assertion itself, which would print it all.
    same = part[3] == photo.content
    assert same


async def test_what_is_left_of_the_minute(door: Door, api: OpenApi) -> None:
    await api.call("GET", PATH)
    assert api.rate is None
    headers = {"X-RateLimit-Limit": "4000", "X-RateLimit-Remain": "17"}
    door.answer_with({"error": -32, "message": "reached limit call api"}, headers=headers)
    assert await api.call("GET", PATH) == ApiError(-32, "reached limit call api")
    assert api.rate == Rate(4000, 17)
    await api.call("GET", PATH)
    assert api.rate == Rate(4000, 17)


# Dead tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status"),
    [({"error": -216}, 200), ({"error": "-220"}, 200), ({"error": -216}, 401), ("Unauthorized", 401)],
)
async def test_a_dead_token_is_renewed_once(door: Door, api: OpenApi, body: Any, status: int) -> None:
    door.answer_with(body, status)
    assert await api.call("POST", PATH, json={"a": "b"}) == Ok({"path": PATH})
    assert [call.headers["access_token"] for call in door.calls] == ["MARKER-access-1", "MARKER-access-2"]
    assert door.bodies == [b'{"a":"b"}'] * 2


async def test_a_file_can_be_sent_again(door: Door, api: OpenApi) -> None:
    door.kill()
    assert isinstance(await api.call("POST", "/v2.0/oa/upload/file", form=Upload("a", b"x", "a/b")), Ok)
    assert door.bodies[0] == door.bodies[1] == [("file", "a", "a/b", b"x")]


async def test_it_is_renewed_no_second_time(door: Door, api: OpenApi) -> None:
    """Zalo also says so of an app that was removed: a loop would burn tokens."""
    for _ in range(2):
        door.answer_with({"error": -216, "message": "Access token is invalid"})
    before = len(door.posts)
    answer = await api.call("POST", PATH, json={})
    assert answer == ApiError(-216, "Access token is invalid")
    assert (len(door.calls), len(door.posts) - before) == (2, 1)


async def test_no_token_no_call(door: Door, api: OpenApi) -> None:
    door.kill()
    door.refresh = "MARKER-elsewhere"
    with pytest.raises(NoToken, match="refused:-14020"):
        await api.call("GET", PATH)
    assert len(door.calls) == 1
    with pytest.raises(NoToken):
        await api.call("GET", PATH)
    assert len(door.calls) == 1


# Refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a_refusal_is_told_by_its_number(door: Door, api: OpenApi, status: int) -> None:
    door.answer_with({"error": -230, "message": "User has not interacted", "data": {}}, status)
    assert await api.call("POST", PATH, json={}) == ApiError(-230, "User has not interacted")


async def test_a_refusal_that_quotes_the_token_does_not_tell_it(door: Door, api: OpenApi) -> None:
    door.answer_with({"error": -1, "message": "x" * 195 + "MARKER-access-1" + "y" * 500})
    answer = await api.call("POST", PATH, json={})
    assert isinstance(answer, ApiError)
    assert (answer.text[:196], len(answer.text)) == ("x" * 195 + "…", zalo_http.TEXT_LONGEST)


Expected = NotSent | MaybeSent
FOREIGN: list[tuple[Callable[[], web.Response], Expected]] = [
    (lambda: web.Response(status=502, text="<html>"), MaybeSent("status 502")),
    (lambda: web.Response(status=200, text="ok"), MaybeSent("status 200")),
    (lambda: web.json_response({"data": {}}), MaybeSent("status 200")),
    (lambda: web.json_response({"error": 0}, status=500), MaybeSent("status 500")),
    (lambda: web.json_response({"error": True}), MaybeSent("status 200")),
    (lambda: web.Response(text="[" * 100_000), MaybeSent("status 200")),
    (lambda: web.Response(text='{"error":' + "1" * 9_999 + "}"), MaybeSent("status 200")),
    (lambda: web.Response(body=bytes(ANSWER_LIMIT + 1)), MaybeSent("answer too long")),
    (lambda: web.Response(status=503), NotSent("status 503")),
    (lambda: web.Response(status=403, text="<html>"), NotSent("status 403")),
    (lambda: web.Response(status=429, headers={"Retry-After": "7"}), NotSent("status 429", 7.0)),
    (lambda: web.Response(status=429, headers={"Retry-After": "nan"}), NotSent("status 429")),
]


@pytest.mark.parametrize(("speaks", "expected"), FOREIGN)
async def test_what_is_not_zalos_own_form(
    door: Door, api: OpenApi, speaks: Callable[[], web.Response], expected: Expected
) -> None:
    door.answers.append(speaks)
    assert await api.call("POST", PATH, json={}) == expected


async def test_no_redirect_is_followed(door: Door, api: OpenApi) -> None:
    """It would carry the token to somebody else."""
    door.answers.append(lambda: web.Response(status=307, headers={"Location": door.url + "/v2.0/else"}))
    assert await api.call("POST", PATH, json={}) == NotSent("status 307")
    assert len(door.calls) == 1


# Connections ---------------------------------------------------------------------------------------


async def test_nobody_there(tokens: Tokens) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    api = OpenApi(f"http://127.0.0.1:{port}", tokens)
    assert await api.call("POST", PATH, json={}) == NotSent("ClientConnectorError")
    await api.stop()
    assert await api.call("POST", PATH, json={}) == NotSent("stopped")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", MaybeSent("ServerDisconnectedError")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", MaybeSent("ClientPayloadError")),
        (b"nonsense\r\n\r\n", MaybeSent("ClientResponseError")),
        (None, MaybeSent("timeout")),
    ],
    ids=["hangs up", "half an answer", "no HTTP", "silence"],
)
async def test_a_connection_that_breaks_after_the_request(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch, answer: bytes | None, expected: Expected
) -> None:
    monkeypatch.setattr(zalo_http, "TIMEOUT", 0.3)
    over = asyncio.Event()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await over.wait()
        writer.write(answer or b"")
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    api = OpenApi(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", tokens)
    try:
        assert await api.call("POST", PATH, json={}) == expected
    finally:
        over.set()
        await api.stop()
        server.close()
        await server.wait_closed()


async def test_a_connection_that_never_opens(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """All connections are taken: nothing was written."""
    monkeypatch.setattr(zalo_wire, "CONNECT_TIMEOUT", 0.1)

    class Full(aiohttp.TCPConnector):
        async def _create_connection(self, *_: Any) -> Any:
            await asyncio.Event().wait()

    api = OpenApi("http://127.0.0.1:1", tokens, lambda: aiohttp.ClientSession(connector=Full()))
    assert await api.call("POST", PATH, json={}) == NotSent("connect timeout")
    await api.stop()


async def test_no_secret_is_told(door: Door, api: OpenApi, caplog: pytest.LogCaptureFixture) -> None:
    with structlog.testing.capture_logs() as logs:
        door.kill()
        said = [await api.call("POST", PATH, json={"text": "MARKER"})]
        door.answers.append(lambda: web.Response(status=502, text="MARKER"))
        said.append(await api.call("POST", PATH, json={"text": "MARKER"}))
    assert "MARKER" not in f"{logs} {caplog.text} {said} {api!r}"
