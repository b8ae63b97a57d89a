"""What becomes of a message to Zalo: every error code, broken connections, dead tokens, nonsense."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import structlog

from bench.standin_zalo import Template
from bot.channels.base import Failed, Flood, Outcome, Refused, Sent, Unauthorized
from bot.channels.zalo_oa_outcomes import SETUP_REST_S
from bot.core.events import Address
from bot.core.message import Message
from bot.core.window import Way
from storage.database import Database
from tests.zalo_calls import JPEG
from tests.zalo_stage import IN, LAN, TO, OaStage, opened

CS, GROUP, TEMPLATE, IMAGE = "/message/cs", "/group/message", "/message/template", "/upload/image"


@pytest_asyncio.fixture
async def oa(sqlite_database: Database) -> AsyncIterator[OaStage]:
    async with opened(sqlite_database) as stage:
        yield stage


def setup(code: int) -> Unauthorized:
    return Unauthorized(str(code), SETUP_REST_S)


def window(code: int) -> Refused:
    return Refused("window", str(code))


# Section 8 of the sheet, in its order: a free message in words to a person.
CODES: dict[int, Outcome] = {
    -32: Flood(41.0),
    -200: Failed("-200", delivered_maybe=False),
    -201: Refused("rejected", "-201"),
    -202: Refused("rejected", "-202"),
    -204: setup(-204),
    -205: setup(-205),
    -209: setup(-209),
    -210: Refused("rejected", "-210"),
    -211: setup(-211),
    -212: setup(-212),
    -213: window(-213),
    -214: Refused("rejected", "-214"),
    -216: setup(-216),
    -217: Refused("blocked", "-217"),
    -218: window(-218),
    -219: setup(-219),
    -220: setup(-220),
    -221: setup(-221),
    -223: setup(-223),
    -224: setup(-224),
    -227: window(-227),
    -230: window(-230),
    -232: window(-232),
    -233: Refused("rejected", "-233"),
    -234: window(-234),
    -235: setup(-235),
    -240: setup(-240),
    -242: setup(-242),
    -244: Refused("blocked", "-244"),
    -248: setup(-248),
    -249: Refused("rejected", "-249"),
    -305: window(-305),
    -311: window(-311),
    -320: setup(-320),
    -321: setup(-321),
    -1340: Refused("rejected", "-1340"),
    -1341: Refused("rejected", "-1341"),
    -99999: Refused("rejected", "-99999"),
}
ROOMS: dict[int, Outcome] = {
    -237: Refused("gone", "-237"),
    -238: Refused("gone", "-238"),
    -241: Refused("gone", "-241"),
    -403: Refused("gone", "-403"),
    -32: Flood(41.0),
    -224: setup(-224),
    -201: Refused("rejected", "-201"),
}
# What costs something, and cannot be paid for, is no reason to be silent to everybody.
PAID: dict[tuple[Way, int], Outcome] = {
    (Way.BILLED, -211): window(-211),
    (Way.BILLED, -321): window(-321),
    (Way.BILLED, -230): window(-230),
    (Way.BILLED, -224): setup(-224),
    (Way.TEMPLATE, -320): window(-320),
    (Way.TEMPLATE, -321): window(-321),
    (Way.TEMPLATE, -224): window(-224),
    (Way.TEMPLATE, -249): window(-249),
    (Way.TEMPLATE, -109): window(-109),
    (Way.TEMPLATE, -118): window(-118),
    (Way.TEMPLATE, -146): window(-146),
    (Way.TEMPLATE, -1124): window(-1124),
    (Way.TEMPLATE, -217): Refused("blocked", "-217"),
    (Way.TEMPLATE, -32): Flood(41.0),
    (Way.TEMPLATE, -216): setup(-216),
}
PICTURES: dict[tuple[str, int], Outcome] = {
    (IMAGE, -211): Refused("rejected", "-211"),
    (IMAGE, -224): Refused("rejected", "-224"),
    (IMAGE, -210): Refused("rejected", "-210"),
    (IMAGE, -32): Flood(41.0),
    (IMAGE, -219): setup(-219),
    (CS, -224): Refused("rejected", "-224"),
    (CS, -230): window(-230),
    (CS, -217): Refused("blocked", "-217"),
}


@pytest.mark.parametrize("code", CODES)
async def test_every_code(oa: OaStage, code: int) -> None:
    oa.fault(path=CS, error=code)
    assert await oa.send() == CODES[code]
    assert oa.zalo.sent == []


@pytest.mark.parametrize("code", ROOMS)
async def test_every_code_of_a_room(oa: OaStage, code: int) -> None:
    oa.fault(path=GROUP, error=code)
    assert await oa.send(to=IN) == ROOMS[code]


@pytest.mark.parametrize(("way", "code"), PAID)
async def test_every_code_of_what_costs_something(oa: OaStage, way: Way, code: int) -> None:
    zalo = oa.another(templates={"received": "T1"})
    oa.fault(path=TEMPLATE if way == Way.TEMPLATE else CS, error=code)
    message = Message("Đã nhận AP-26-00001", name="resident/receipt", way=way)
    assert await zalo.send(TO, message, None, 1) == PAID[way, code]
    await zalo.stop()


@pytest.mark.parametrize(("path", "code"), PICTURES)
async def test_every_code_of_a_picture(oa: OaStage, path: str, code: int) -> None:
    oa.fault(path=path, error=code)
    assert await picture(oa) == PICTURES[path, code]


async def test_what_the_stand_in_itself_refuses(oa: OaStage) -> None:
    assert await oa.send(to=Address("zalo_oa", "404")) == window(-213)
    assert await oa.send(to=Address("zalo_oa", "404", group=True)) == Refused("gone", "-403")
    oa.zalo.users[LAN].last_interaction = oa.clock.monotonic() - 8 * 24 * 3600
    assert await oa.send() == window(-230)
    oa.zalo.add(Template("T1", refuses=-131))
    zalo = oa.another(templates={"received": "T1"})
    message = Message("Đã nhận AP-26-00001", name="resident/receipt", way=Way.TEMPLATE)
    assert await zalo.send(TO, message, None, 1) == window(-131)
    await zalo.stop()


async def picture(oa: OaStage, key: int = 1) -> Outcome:
    return await oa.channel.send(TO, Message("Chợ", photo="2026/a.jpg"), JPEG, key)


# --- again, but not for ever


@pytest.mark.parametrize(("wall", "wait"), [(0.0, 61.0), (20.0, 41.0), (59.5, 1.5), (119.0, 2.0)])
async def test_a_full_minute_is_waited_out(oa: OaStage, wall: float, wait: float) -> None:
    oa.zalo.app.rate = 0
    oa.wall = wall
    assert await oa.send() == Flood(wait)


async def test_what_failed_twice_is_let_go(oa: OaStage) -> None:
    oa.fault(path=CS, error=-200, count=4)
    assert await oa.send(key=1) == Failed("-200", delivered_maybe=False)
    assert await oa.send(key=2) == Failed("-200", delivered_maybe=False)
    assert await oa.send(key=1) == Refused("rejected", "-200")
    assert await oa.send(key=1) == Failed("-200", delivered_maybe=False)
    assert isinstance(await oa.send(key=1), Sent)
    oa.fault(path=CS, error=-200, count=1)
    assert await oa.send(key=1) == Failed("-200", delivered_maybe=False)


# --- tokens


@pytest.mark.parametrize("dead", [{"error": -216}, {"error": -220}, {"status": 401, "body": ""}])
async def test_a_dead_token_is_renewed_once(oa: OaStage, dead: dict[str, Any]) -> None:
    assert isinstance(await oa.send(), Sent)
    oa.fault(path=CS, count=1, **dead)
    assert isinstance(await oa.send(), Sent)
    assert oa.zalo.tokens.refreshes == {"refresh-1": 1, **rest(oa)}
    assert sum(oa.zalo.tokens.refreshes.values()) == 2
    oa.fault(path=CS, **dead)
    assert isinstance(await oa.send(), Unauthorized)
    assert sum(oa.zalo.tokens.refreshes.values()) == 3


def rest(oa: OaStage) -> dict[str, int]:
    return {token: count for token, count in oa.zalo.tokens.refreshes.items() if token != "refresh-1"}


async def test_an_expired_token_of_the_platform_is_renewed(oa: OaStage) -> None:
    assert isinstance(await oa.send(), Sent)
    oa.zalo.tokens.expire(oa.clock.monotonic())
    assert isinstance(await oa.send(), Sent)
    assert isinstance(await picture(oa), Sent)


async def test_no_token_is_nobodys_fault_but_ours(oa: OaStage) -> None:
    oa.zalo.tokens.refresh["refresh-1"].used = True
    assert isinstance(await oa.send(), Unauthorized)
    assert isinstance(await picture(oa), Unauthorized)
    assert oa.zalo.sent == []
    await oa.channel.start()
    await oa.channel.stop()


# --- the line breaks

BROKEN: dict[str, tuple[dict[str, Any], Outcome]] = {
    "reset before": ({"reset": "before"}, Failed("ServerDisconnectedError", delivered_maybe=True)),
    "reset after": ({"reset": "after"}, Failed("ServerDisconnectedError", delivered_maybe=True)),
    "bad gateway": ({"status": 502, "body": "<html>"}, Failed("status 502", delivered_maybe=True)),
    "broken": ({"status": 500, "body": ""}, Failed("status 500", delivered_maybe=True)),
    "gateway timeout": ({"status": 504, "body": ""}, Failed("status 504", delivered_maybe=True)),
    "not now": ({"status": 503, "body": ""}, Failed("status 503", delivered_maybe=False)),
    "later": ({"status": 503, "body": "", "headers": {"Retry-After": "7"}}, Flood(7.0)),
    "too many": ({"status": 429, "body": "", "headers": {"Retry-After": "3"}}, Flood(3.0)),
    "no number": ({"status": 429, "body": "", "headers": {"Retry-After": "x"}}, Failed("status 429", False)),
    "moved": ({"status": 302, "body": "", "headers": {"Location": "/x"}}, Failed("status 302", False)),
    "blocked": ({"status": 403, "body": "<html>blocked"}, Failed("status 403", delivered_maybe=False)),
    "a page": ({"body": "<html>"}, Failed("status 200", delivered_maybe=True)),
    "nothing": ({"body": ""}, Failed("status 200", delivered_maybe=True)),
    "a list": ({"body": []}, Failed("status 200", delivered_maybe=True)),
    "no code": ({"body": {"data": {}}}, Failed("status 200", delivered_maybe=True)),
    "a word for a code": ({"body": {"error": "no"}}, Failed("status 200", delivered_maybe=True)),
    "true for a code": ({"body": {"error": True}}, Failed("status 200", delivered_maybe=True)),
    "deep": ({"body": "[" * 100_000}, Failed("status 200", delivered_maybe=True)),
    "code as text": ({"body": {"error": "-230"}}, window(-230)),
    "endless": ({"body": "x" * (2 << 20)}, Failed("answer too long", delivered_maybe=True)),
    "done, without a word": ({"body": {"error": 0}, "accept": True}, Sent(None)),
    "done, and a list": ({"body": {"error": 0, "data": [1]}, "accept": True}, Sent(None)),
    "done, a number": ({"body": {"error": 0, "data": {"message_id": 7}}}, Sent("7")),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_broken(oa: OaStage, name: str) -> None:
    fault, outcome = BROKEN[name]
    oa.fault(path=CS, **fault)
    assert await oa.send() == outcome


@pytest.mark.parametrize("name", ["reset before", "reset after", "bad gateway", "a page", "no code"])
async def test_a_broken_upload_has_reached_nobody(oa: OaStage, name: str) -> None:
    fault, _ = BROKEN[name]
    oa.fault(path=IMAGE, **fault)
    outcome = await picture(oa)
    assert isinstance(outcome, Failed)
    assert not outcome.delivered_maybe


@pytest.mark.parametrize("data", [None, [], {}, {"attachment_id": 7}, {"attachment_id": ""}, "x"])
async def test_an_upload_without_a_handle_is_tried_again(oa: OaStage, data: object) -> None:
    oa.fault(path=IMAGE, body={"error": 0, "data": data}, count=1)
    assert await picture(oa) == Failed("nonsense answer", delivered_maybe=False)
    assert isinstance(await picture(oa), Sent)


async def test_nobody_there_means_not_sent(oa: OaStage) -> None:
    assert isinstance(await oa.send(), Sent)
    nowhere = oa.another("http://127.0.0.1:1")
    assert await nowhere.send(TO, Message("Rác"), None, 1) == Failed("ClientConnectorError", False)
    await nowhere.stop()
    assert await nowhere.send(TO, Message("Rác"), None, 1) == Failed("stopped", delivered_maybe=False)


async def test_silence_is_not_waited_out_for_ever(oa: OaStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.channels.zalo_http.TIMEOUT", 0.05)
    monkeypatch.setattr("bot.channels.zalo_http.UPLOAD_TIMEOUT", 0.05)
    assert isinstance(await oa.send(), Sent)
    oa.fault(path=CS, silent=True, count=1)
    assert await oa.send() == Failed("timeout", delivered_maybe=True)
    oa.fault(path=IMAGE, silent=True, count=1)
    assert await picture(oa) == Failed("timeout", delivered_maybe=False)


# --- start


@pytest.mark.parametrize(
    "fault", [{}, {"error": -224}, {"body": "<html>"}, {"body": {"error": 0, "data": []}}]
)
async def test_start_says_what_the_account_is(oa: OaStage, fault: dict[str, Any]) -> None:
    if fault:
        oa.fault(path="/getoa", **fault)
    with structlog.testing.capture_logs() as logs:
        await oa.channel.start()
        assert oa.channel._greeting is not None
        await oa.channel._greeting
    (line,) = [line for line in logs if line["action"].startswith("zalo_oa")]
    assert line["action"] == ("zalo_oa_unknown" if fault else "zalo_oa")
    if not fault:
        told = (line["oa_type"], line["is_verified"], line["package_name"], line["linked_ZCA"])
        assert told == (4, True, "full", "zca-1")


async def test_logs_hold_no_words_no_ids_and_no_tokens(oa: OaStage) -> None:
    with structlog.testing.capture_logs() as logs:
        for fault in (
            {"error": -201, "count": 1},
            {"error": -224, "count": 1},
            {"reset": "after", "count": 1},
        ):
            oa.fault(path=CS, **fault)
            await oa.send("s3cret-words", buttons=())
        await picture(oa)
    told = json.dumps(logs)
    assert not any(mark in told for mark in ("s3cret-words", LAN, "access-1", "refresh-1"))
