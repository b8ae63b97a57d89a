"""What people are called on Zalo: asked in the background, once each, kept in memory only."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bench.standin_zalo import webhook, webhook_more
from bench.standin_zalo.webhook import Origin
from storage.database import Database
from tests.zalo_stage import LAN, MINH, NOW, OaStage, opened

AT = int(NOW.timestamp() * 1000)


@pytest_asyncio.fixture
async def oa(sqlite_database: Database) -> AsyncIterator[OaStage]:
    async with opened(sqlite_database) as stage:
        yield stage


def origin(message: str = "m1", user: str = LAN, **more: Any) -> Origin:
    return Origin(user, AT, message=message, **more)


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
    assert (oa.calls("/user/detail") > calls) == ("error" not in fault)


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


async def test_many_newcomers_are_asked_about_four_at_a_time(
    oa: OaStage, monkeypatch: pytest.MonkeyPatch
) -> None:
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

    monkeypatch.setattr(api, "call", call)
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
