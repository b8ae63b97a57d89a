"""What Zalo posts to us: stored before it is answered, forged by nobody, kept once."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import sqlalchemy as sa
from aiohttp import web

from bench.standin_zalo import OfficialAccount, webhook, webhook_bot, webhook_more
from bench.standin_zalo.shapes import Json
from bench.standin_zalo.webhook import Origin
from bench.standin_zalo.webhook_bot import Chat
from bot.channels.base import Received
from bot.channels.media import Media
from bot.channels.zalo_bot import ZaloBot
from bot.inbox import Inbox
from bot.web import BODY_MAX, Figures, Hook, add_hook, application
from storage.database import Database
from storage.tables import InboxState, inbox
from tests.zalo_stage import LAN, NOW, OaStage, labels, opened

AT = int(NOW.timestamp() * 1000)
OURS, SECRET = OfficialAccount.secret, "secret-of-the-bot"
JSON = {"Content-Type": "application/json"}


class Door:
    """A channel behind the real door, over HTTP."""

    def __init__(self, http: aiohttp.ClientSession, db: Database) -> None:
        self.http, self.db = http, db

    async def post(self, body: bytes, headers: Mapping[str, str] = JSON) -> tuple[int, str]:
        async with self.http.post("/zalo", data=body, headers=headers) as answer:
            return answer.status, await answer.text()

    async def told(self, event: Json) -> int:
        status, text = await self.post(*webhook.signed(event))
        assert text == ""
        return status

    async def rows(self) -> list[tuple[str, str, int]]:
        query = sa.select(inbox.c.event, inbox.c.chat, inbox.c.state).order_by(inbox.c.id)
        async with self.db.read() as conn:
            return [(row.event, row.chat, row.state) for row in await conn.execute(query)]


@asynccontextmanager
async def standing(hook: Hook, box: Inbox, db: Database) -> AsyncIterator[Door]:
    async def look() -> Figures:
        return Figures()

    app = application(look)
    add_hook(app, "/zalo", hook, box)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as http:
        yield Door(http, db)
    await runner.cleanup()


@pytest_asyncio.fixture
async def oa(sqlite_database: Database) -> AsyncIterator[OaStage]:
    async with opened(sqlite_database) as stage:
        yield stage


@pytest_asyncio.fixture
async def door(oa: OaStage) -> AsyncIterator[Door]:
    box = Inbox(oa.db, oa.clock, lambda: None)
    async with standing(oa.channel, box, oa.db) as made:
        yield made


@pytest_asyncio.fixture
async def bot_door(oa: OaStage) -> AsyncIterator[Door]:
    token = oa.zalo.bot.token
    zalo = ZaloBot(token=token, api_url=oa.url, media=Media(()), choices=labels().choices, secret=SECRET)
    async with standing(zalo, Inbox(oa.db, oa.clock, lambda: None), oa.db) as made:
        yield made


def origin(message: str = "m1", user: str = LAN, **more: Any) -> Origin:
    return Origin(user, AT, message=message, **more)


# --- the Official Account's door


async def test_what_is_told_is_stored_before_it_is_answered(door: Door) -> None:
    assert await door.told(webhook.user_text(origin(), "Rác ở cổng chợ")) == 200
    assert await door.rows() == [("m1", f"zalo_oa:{LAN}", InboxState.NEW)]


async def test_a_database_that_is_away_is_an_honest_not_now(oa: OaStage) -> None:
    class Away(Inbox):
        async def take(self, channel: str, received: Received) -> None:
            raise OSError("no disk")

    async with standing(oa.channel, Away(oa.db, oa.clock, lambda: None), oa.db) as door:
        assert await door.told(webhook.user_text(origin(), "Rác")) == 503
        assert await door.rows() == []


async def test_what_comes_again_is_stored_once(door: Door) -> None:
    body, headers = webhook.signed(webhook.user_text(origin(), "Rác"))
    for retry in range(6):
        status, _ = await door.post(body, {**headers, "num_retry": str(retry)})
        assert status == 200
    # Also all at once, and after more than the hour that Zalo tries for: an old moment is no forgery.
    together = await asyncio.gather(*(door.post(body, headers) for _ in range(20)))
    assert {status for status, _ in together} == {200}
    assert len(await door.rows()) == 1


async def test_several_photos_of_one_event_are_rows_of_their_own(door: Door) -> None:
    urls = [f"http://f1.photo.talk.zdn.vn/{n}.jpg" for n in range(3)]
    for _ in range(2):
        assert await door.told(webhook.user_image(origin(), *urls, caption="rác")) == 200
    assert [event for event, _, _ in await door.rows()] == ["m1", "m1/1", "m1/2"]


async def test_a_thousand_forgeries(door: Door) -> None:
    draw = random.Random(7)
    body, headers = webhook.signed(webhook.user_text(origin(), "Rác"))
    name, right = "X-ZEvent-Signature", headers["X-ZEvent-Signature"]
    forged: list[tuple[bytes, dict[str, str]]] = [
        (body, JSON),
        (body, {**JSON, name: ""}),
        (body, {**JSON, name: "mac="}),
        (body, {**JSON, name: right[:-1]}),
        (body, {**JSON, name: f"{right}0"}),
        (body, {**JSON, name: f"{right},{right}"}),
        (body + b" ", {**JSON, name: right}),
        (b"{}", {**JSON, name: right}),
        (b"x" * 1000, {**JSON, name: right}),
        webhook.signed(webhook.user_text(origin(), "Rác"), "app-secret"),
        webhook.signed(webhook.user_text(origin(), "Rác"), ""),
        webhook.signed(webhook.user_text(origin(app="999"), "Rác")),
    ]
    while len(forged) < 1000:
        spoiled = bytearray(body)
        spoiled[draw.randrange(len(spoiled))] ^= 1 << draw.randrange(8)
        forged.append((bytes(spoiled), {**JSON, name: right}))
        mac = "".join(draw.choice("0123456789abcdef") for _ in range(64))
        forged.append((body, {**JSON, name: f"mac={mac}"}))
    statuses = [await door.post(*one) for one in forged[:1000]]
    assert set(statuses) == {(401, "")}
    assert await door.rows() == []
    # Without the beginning that documents and the platform disagree about, it is the same proof.
    assert await door.post(body, {**JSON, name: right.removeprefix("mac=")}) == (200, "")


async def test_two_proofs_are_none(door: Door) -> None:
    body, headers = webhook.signed(webhook.user_text(origin(), "Rác"))
    twice = [*headers.items(), ("X-ZEvent-Signature", headers["X-ZEvent-Signature"])]
    async with door.http.post("/zalo", data=body, headers=twice) as answer:
        assert answer.status == 401


async def test_the_console_tries_the_address(door: Door, bot_door: Door) -> None:
    for one in (door, bot_door):
        for method in ("GET", "HEAD"):
            async with one.http.request(method, "/zalo") as answer:
                assert (answer.status, await answer.text()) == (200, "")
        for body in (b"", b" \n"):
            assert await one.post(body) == (200, "")
        for method in ("PUT", "DELETE"):
            async with one.http.request(method, "/zalo") as answer:
                assert answer.status == 405
        assert await one.rows() == []


async def test_what_cannot_be_read_is_set_aside_once(door: Door) -> None:
    event = webhook.user_text(origin(), "x") | {"event_name": 7}
    for _ in range(2):
        assert await door.told(event) == 200
    assert [(chat, state) for _, chat, state in await door.rows()] == [("zalo_oa:?", InboxState.QUARANTINED)]
    body, headers = webhook.signed(webhook.user_text(origin(), "x" * BODY_MAX))
    status, _ = await door.post(body, headers)
    assert status == 413


ELSEWHERE: dict[str, Json] = {
    "words": webhook.user_text(origin(oa="111"), "Rác"),
    "photo": webhook.user_image(origin(oa="111"), "http://f1.zdn.vn/1.jpg"),
    "follow": webhook.follow(origin(oa="111")),
    "withdraw": webhook.withdraw(origin(oa="111")),
    "by hand": webhook_more.oa_sent(origin(oa="111"), "text", "Chào bác", "admin-1"),
    "room": webhook_more.group_said(origin(oa="111"), "777", "text", "nhận"),
    "room by hand": webhook_more.oa_group_said(origin(oa="111"), "777", "text", "chào"),
    "new room": webhook_more.group_event(origin(oa="111"), "create_group", "777", LAN),
}


@pytest.mark.parametrize("name", ELSEWHERE)
async def test_another_account_of_the_app_is_not_ours(oa: OaStage, door: Door, name: str) -> None:
    # Before Zalo told us who we are, all are heard.
    assert await door.told(ELSEWHERE[name]) == 200
    assert len(await door.rows()) == 1
    await oa.channel.start()
    assert oa.channel._greeting is not None
    await oa.channel._greeting
    again = ELSEWHERE[name] | {"timestamp": str(AT + 1)}
    if "msg_id" in again.get("message", {}):
        again["message"] = again["message"] | {"msg_id": "m2"}
    assert await door.told(again) == 200
    assert len(await door.rows()) == 1


@pytest.mark.parametrize("name", ELSEWHERE)
async def test_ours_is_ours(oa: OaStage, door: Door, name: str) -> None:
    await oa.channel.start()
    assert oa.channel._greeting is not None
    await oa.channel._greeting
    told = json.loads(json.dumps(ELSEWHERE[name]).replace('"111"', f'"{OfficialAccount.id}"'))
    assert await door.told(told) == 200
    assert len(await door.rows()) == 1


# --- the Bot's door


async def test_the_bots_door(bot_door: Door) -> None:
    chat = Chat("6ede9afa66b88fe6d6a9", AT, message="b1")
    event = webhook_bot.bot_text(chat, "Rác")
    for body in (event, webhook_bot.wrapped(event)):
        answer = await bot_door.post(webhook.raw(body), webhook_bot.secret_headers(SECRET))
        assert answer == (200, "")
    assert await bot_door.rows() == [("b1", f"zalo_bot:{chat.id}", InboxState.NEW)]


@pytest.mark.parametrize("secret", ["", "x", SECRET[:-1], f"{SECRET}1", SECRET.upper(), f"{SECRET},{SECRET}"])
async def test_the_bots_secret(bot_door: Door, secret: str) -> None:
    body = webhook.raw(webhook_bot.bot_text(Chat("6ede", AT), "Rác"))
    assert await bot_door.post(body, webhook_bot.secret_headers(secret)) == (403, "")
    assert await bot_door.post(body) == (403, "")
    assert await bot_door.rows() == []
