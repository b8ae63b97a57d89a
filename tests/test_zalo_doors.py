"""What Zalo posts to us: stored before it is answered, forged by nobody, once; and the files it names."""

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

from bench.standin_zalo import OfficialAccount, Served, webhook, webhook_bot, webhook_more
from bench.standin_zalo.shapes import Json
from bench.standin_zalo.webhook import Origin
from bench.standin_zalo.webhook_bot import Chat
from bot.channels import media
from bot.channels.base import FileTrouble
from bot.channels.media import Media, allowed
from bot.channels.zalo_bot import ZaloBot
from bot.core.events import FileRef
from bot.inbox import Inbox
from bot.web import BODY_MAX, Figures, Hook, add_hook, application
from storage.database import Database
from storage.tables import InboxState, inbox
from tests.zalo_stage import LAN, MINH, NOW, OaStage, labels, opened

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
    await oa.db.close()

    class Away(Database):
        async def write(self, work: Any) -> Any:
            raise OSError("no disk")

    box = Inbox(Away(f"sqlite+aiosqlite:///{'x'}"), oa.clock, lambda: None)
    async with standing(oa.channel, box, oa.db) as door:
        assert await door.told(webhook.user_text(origin(), "Rác")) == 503


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


# --- names


async def asked(oa: OaStage, *users: str) -> None:
    for user in users:
        oa.channel.arrivals(webhook.raw(webhook.follow(origin(user=user))))
    await oa.channel.people.settle()


async def test_who_arrives_is_asked_about_once(oa: OaStage) -> None:
    oa.zalo.users[LAN].name = "Chị Lan"
    body = webhook.raw(webhook.user_text(origin(), "M5T8-QXD7"))
    (received,) = oa.channel.arrivals(body)
    early = oa.channel.parse(received.raw)
    await oa.channel.people.settle()
    late = oa.channel.parse(received.raw)
    assert early is not None
    assert late is not None
    assert (early.name, late.name) == ("", "Chị Lan")
    for _ in range(5):
        await asked(oa, LAN)
    assert oa.calls("/user/detail") == 1


@pytest.mark.parametrize(
    "fault",
    [{"error": -224}, {"error": -213}, {"reset": "after"}, {"body": "<html>"}, {"status": 500, "body": ""}],
)
async def test_a_name_that_is_not_told_stops_nobody(oa: OaStage, fault: dict[str, Any]) -> None:
    oa.fault(path="/user/detail", **fault)
    await asked(oa, LAN)
    assert not oa.channel.people.names.get(LAN)
    calls = oa.calls("/user/detail")
    await asked(oa, LAN)
    # A refusal is an answer; a broken line is asked again with the next message.
    assert oa.calls("/user/detail") == calls + ("error" not in fault)


@pytest.mark.parametrize(
    "data", [None, [], {"display_name": 7}, {}, {"display_name": "Lan", "is_sensitive": True}]
)
async def test_a_name_that_is_none(oa: OaStage, data: object) -> None:
    oa.fault(path="/user/detail", body={"error": 0, "data": data})
    await asked(oa, LAN)
    assert oa.channel.people.names == {LAN: ""}


async def test_without_a_token_nobody_is_asked_about(oa: OaStage) -> None:
    oa.zalo.tokens.refresh["refresh-1"].used = True
    await asked(oa, LAN)
    assert oa.channel.people.names == {}


async def test_many_newcomers_are_asked_about_four_at_a_time(oa: OaStage) -> None:
    crowd = [str(8_200_000_000_000_000_000 + n) for n in range(300)]
    most = now = 0
    api = oa.channel.people._api
    plain = api.call

    async def call(*given: Any, **more: Any) -> Any:
        nonlocal most, now
        now += 1
        most = max(most, now)
        try:
            return await plain(*given, **more)
        finally:
            now -= 1

    api.call = call  # type: ignore[method-assign]
    oa.zalo.meet(*crowd)
    await asked(oa, *crowd)
    assert most == 4
    assert len(oa.channel.people.names) == 200
    await asked(oa, *crowd)
    assert len(oa.channel.people.names) == 300


async def test_only_so_many_names_are_kept_and_who_goes_is_forgotten(oa: OaStage) -> None:
    names = oa.channel.people.names
    names.update({str(n): "x" for n in range(5000)})
    await asked(oa, "0", LAN)
    assert len(names) == 5000
    assert "0" in names
    assert "1" not in names
    assert names[LAN] == "Zalo User"
    for event in (webhook.withdraw, webhook.unfollow):
        await asked(oa, LAN)
        assert LAN in names
        oa.channel.arrivals(webhook.raw(event(origin())))
        await oa.channel.people.settle()
        assert LAN not in names


async def test_rooms_and_what_cannot_be_read_ask_nothing(oa: OaStage) -> None:
    oa.channel.arrivals(webhook.raw(webhook_more.group_said(origin(), "777", "text", "nhận")))
    oa.channel.arrivals(webhook.raw(webhook_more.oa_sent(origin(user=MINH), "text", "Chào", "admin-1")))
    oa.channel.arrivals(webhook.raw(webhook.user_location(origin(), "x", "y")))
    await oa.channel.people.settle()
    assert oa.calls("/user/detail") == 0


# --- files

HOSTS = ("zdn.vn", "zadn.vn", "zaloapp.com")
FETCHED = (
    "http://f6.photo.talk.zdn.vn/a.jpg",
    "https://zdn.vn/a.jpg",
    "https://F1.ZDN.VN/a.jpg",
    "http://f1.zdn.vn:80/a.jpg",
    "https://f1.zdn.vn:443/a.jpg",
    "https://s120-ava-talk.zadn.vn/1.jpg?x=1",
)
REFUSED = (
    "http://127.0.0.1",
    "http://127.0.0.1:8080/a.jpg",
    "http://localhost/a.jpg",
    "http://[::1]/a.jpg",
    "http://2130706433/a.jpg",
    "http://0x7f000001/a.jpg",
    "http://0177.0.0.1/a.jpg",
    "http://169.254.169.254/latest/meta-data",
    "http://zdn.vn.evil.example/a.jpg",
    "http://evil.example/zdn.vn",
    "http://evil.example/?.zdn.vn",
    "http://evil.example#.zdn.vn",
    "http://evilzdn.vn/a.jpg",
    "http://zdn.vn@evil.example/a.jpg",
    "http://me@f1.zdn.vn/a.jpg",
    "http://me:word@f1.zdn.vn/a.jpg",
    "http://:word@f1.zdn.vn/a.jpg",
    "http://@f1.zdn.vn/a.jpg",
    "http://evil.example\\@f1.zdn.vn/a.jpg",
    "http://evil.example%2f.zdn.vn/a.jpg",
    "http://evil.example%00.zdn.vn/a.jpg",
    "http://evil.example\\.zdn.vn/a.jpg",
    "http://f1.zdn.vn:22/a.jpg",
    "http://f1.zdn.vn:8080/a.jpg",
    "http://f1.zdn.vn:99999/a.jpg",
    "http://f1.zdn.vn:x/a.jpg",
    "http://f1.zdn.vn./a.jpg",
    "http://.zdn.vn/a.jpg",
    "http://ｅvil.zdn.vn/a.jpg",
    "ftp://f1.zdn.vn/a.jpg",
    "file:///etc/passwd",
    "//f1.zdn.vn/a.jpg",
    "f1.zdn.vn/a.jpg",
    "javascript:alert(1)",
    "http://[f1.zdn.vn/a.jpg",
    "",
)


@pytest.mark.parametrize("url", FETCHED)
def test_zalos_own_hosts_may_be_asked(url: str) -> None:
    assert allowed(url, HOSTS)


@pytest.mark.parametrize("url", REFUSED)
async def test_nobody_else_is_asked(oa: OaStage, url: str) -> None:
    assert not allowed(url, HOSTS)
    with pytest.raises(FileTrouble) as trouble:
        await oa.another(media=Media(HOSTS)).download(FileRef(url), 1000)
    assert trouble.value.final


async def test_a_file(oa: OaStage) -> None:
    url = f"{oa.url}{oa.zalo.files.put('/a.jpg', b'picture')}"
    assert await oa.channel.download(FileRef(url), 7) == b"picture"
    assert await oa.channel.download(FileRef(url, 7), 7) == b"picture"


BAD: dict[str, tuple[Served, str, bool]] = {
    "too big": (Served(b"x" * 101), "too_big", True),
    "endless": (Served(b"x" * 100, times=50, claims=-1), "too_big", True),
    "claims too much": (Served(b"x", claims=5000), "too_big", True),
    "claims more than comes": (Served(b"x", claims=50), "missing", False),
    "gone": (Served(b"x", status=404), "missing", True),
    "forbidden": (Served(b"x", status=403), "missing", True),
    "partly": (Served(b"x", status=206), "missing", True),
    "broken": (Served(b"x", status=500), "missing", False),
    "too many": (Served(b"x", status=429), "missing", False),
    "elsewhere": (Served(location="/b.jpg"), "missing", True),
    "inside": (Served(location="http://127.0.0.1:1/", status=307), "missing", True),
    "drips": (Served(b"x" * 90, chunk=1, drip=0.05, claims=-1), "missing", False),
    "silent": (Served(b"x", delay=5), "missing", False),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_file(oa: OaStage, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(media, "SECONDS", 0.2)
    served, problem, final = BAD[name]
    oa.zalo.files.put("/b.jpg", b"should not be read")
    url = f"{oa.url}{oa.zalo.files.put('/a.jpg', served)}"
    with pytest.raises(FileTrouble) as trouble:
        await oa.channel.download(FileRef(url), 100)
    assert (trouble.value.problem, trouble.value.final) == (problem, final)
    assert [path for _, path in oa.zalo.files.fetched] == ["/a.jpg"]


async def test_what_says_it_is_too_big_is_not_asked_for(oa: OaStage) -> None:
    with pytest.raises(FileTrouble, match="too_big"):
        await oa.channel.download(FileRef(f"{oa.url}/a.jpg", 101), 100)
    assert oa.zalo.files.fetched == []


async def test_nobody_there_may_come_back(oa: OaStage) -> None:
    fetcher = Media({"127.0.0.1:1"})
    with pytest.raises(FileTrouble) as trouble:
        await fetcher.fetch("http://127.0.0.1:1/a.jpg", 100)
    assert not trouble.value.final
    await fetcher.stop()
