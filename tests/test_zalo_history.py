"""What was written while the bot was down is read back: once, in order, and within bounds."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
import structlog

from bench.standin_zalo import User, webhook, webhook_more
from bench.standin_zalo.shapes import Json
from bench.standin_zalo.webhook import Origin
from bot.channels import zalo_oa_history as history
from bot.channels import zalo_oa_read
from bot.channels.base import Received
from bot.channels.zalo_oa_history import History, NotTold, retold
from bot.core.when import ZONE
from bot.inbox import Inbox
from storage.database import Database
from storage.tables import inbox
from tests.zalo_stage import LAN, MINH, OaStage, opened

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PHOTO = "http://f6.photo.talk.zdn.vn/{}.jpg"


class Village:
    """A stand-in whose webhook is heard only while the bot is up."""

    def __init__(self, oa: OaStage) -> None:
        self.oa = oa
        self.inbox = Inbox(oa.db, oa.clock, lambda: None)
        self.told = 0
        self.rounds = 0
        self.disk_fails = 0

    def origin(self, user: str = LAN) -> Origin:
        self.told += 1
        self.oa.clock.move(timedelta(seconds=10))
        return Origin(user, self.oa.clock.ms(), message=f"m{self.told}")

    async def tell(self, event: Json, *, up: bool = True) -> None:
        self.oa.zalo.heard(event)
        if up:
            for received in self.oa.channel.arrivals(webhook.raw(event)):
                await self.inbox.take("zalo_oa", received)

    async def says(self, text: str, user: str = LAN, *, up: bool = True) -> None:
        await self.tell(webhook.user_text(self.origin(user), text), up=up)

    async def store(self, received: list[Received], malformed: list[bytes]) -> None:
        assert not malformed
        if self.disk_fails:
            self.disk_fails -= 1
            raise OSError("no disk")
        await asyncio.gather(*(self.inbox.take("zalo_oa", one) for one in received))

    async def rows(self) -> list[tuple[str, str]]:
        query = sa.select(inbox.c.event, inbox.c.raw).order_by(inbox.c.id)
        async with self.oa.db.read() as conn:
            found = (await conn.execute(query)).all()
        return [(row.event, json.loads(row.raw)["message"].get("text", "")) for row in found]

    async def restarts(self, looks: int = 1) -> None:
        """Until it has looked so often."""
        seen = 0

        async def rest(seconds: float) -> None:
            nonlocal seen
            self.oa.pauses.append(seconds)
            if seconds == history.LOOK_S:
                seen += 1
                if seen == looks:
                    raise asyncio.CancelledError
                self.oa.clock.move(timedelta(seconds=seconds))
            await asyncio.sleep(0)

        channel = self.oa.another(rest=rest)
        with pytest.raises(asyncio.CancelledError):
            await channel.catch_up(self.store)
        await channel.stop()


@pytest_asyncio.fixture
async def village(sqlite_database: Database) -> AsyncIterator[Village]:
    async with opened(sqlite_database) as stage:
        yield Village(stage)


async def test_three_messages_of_a_silent_hour_arrive_once_and_in_order(village: Village) -> None:
    await village.says("xin chào")
    for text in ("rác ở cổng chợ", "thôn 3", "gửi"):
        await village.says(text, up=False)
    village.oa.clock.move(HOUR)
    await village.restarts(looks=3)
    wanted = [("m1", "xin chào"), ("m2", "rác ở cổng chợ"), ("m3", "thôn 3"), ("m4", "gửi")]
    assert await village.rows() == wanted
    # And Zalo, which tries for an hour, brings one of them after all.
    await village.tell(webhook.user_text(Origin(LAN, village.oa.clock.ms(), message="m3"), "thôn 3"))
    await village.restarts()
    assert await village.rows() == wanted


async def test_what_was_said_before_we_came_is_not_ours(village: Village) -> None:
    await village.says("chuyện năm ngoái", up=False)
    await village.restarts()
    assert await village.rows() == []
    assert village.oa.calls("/listrecentchat") == 0
    await village.says("xin chào")
    await village.restarts()
    assert await village.rows() == [("m2", "xin chào")]


async def test_only_the_last_days_are_read_back(village: Village) -> None:
    await village.says("xin chào")
    await village.says("lâu rồi", up=False)
    village.oa.clock.move(4 * DAY)
    await village.says("mới đây", MINH, up=False)
    await village.restarts()
    assert await village.rows() == [("m1", "xin chào"), ("m3", "mới đây")]


async def test_everything_that_can_be_said_comes_back_as_the_webhook_tells_it(village: Village) -> None:
    await village.says("xin chào")
    several = [PHOTO.format(n) for n in range(3)]
    events = [
        webhook.user_text(village.origin(), "#apx:send:7"),
        webhook.user_image(village.origin(), *several, caption="rác"),
        webhook.user_image(village.origin(), PHOTO.format(9)),
        webhook.user_audio(village.origin(), "http://f1.zdn.vn/a.amr"),
        webhook.user_location(village.origin(), 20.98, 106.39),
        webhook.user_sticker(village.origin(), "http://f1.zdn.vn/s.png"),
        webhook.user_video(village.origin(), "http://f1.zdn.vn/v.mp4"),
        webhook.user_gif(village.origin(), "http://f1.zdn.vn/g.gif"),
        webhook.user_link(village.origin(), "https://maps.app.goo.gl/x"),
    ]
    for event in events:
        await village.tell(event, up=False)
    await village.restarts()
    wanted = [row for event in events for row in zalo_oa_read.receive_all(webhook.raw(event))]
    query = sa.select(inbox.c.event, inbox.c.chat, inbox.c.raw).order_by(inbox.c.id).offset(1)
    async with village.oa.db.read() as conn:
        found = (await conn.execute(query)).all()
    assert [row.event for row in found] == [one.event for one in wanted]
    assert {row.chat for row in found} == {f"zalo_oa:{LAN}"}
    for row, one in zip(found, wanted, strict=True):
        assert zalo_oa_read.parse(row.raw) == zalo_oa_read.parse(one.raw)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ({"src": 0}, None),
        ({"src": "0"}, None),
        ({}, None),
        ({"type": "location", "location": '{"latitude":"20.9","longitude":"106.3"}'}, "PlaceSent"),
        ({"type": "GIF", "url": "http://f1.zdn.vn/g.gif"}, "PhotoSent"),
        ({"type": "links", "links": [{"url": "https://x.vn"}]}, "Words"),
        ({"type": "unheard-of", "message": "rác"}, "Words"),
        ({"type": "photo"}, "malformed"),
        ({"type": "location", "location": "x"}, "malformed"),
        ({"type": "text", "message": 7}, "nothing"),
    ],
)
def test_a_line(line: dict[str, Any], event: str | None) -> None:
    usual = {"src": 1, "time": 1759512710365, "from_id": LAN, "to_id": "1", "message_id": "m1"}
    body = retold([usual | line if line else {}])
    if event is None:
        assert body is None
        return
    assert body is not None
    (received,) = zalo_oa_read.receive_all(body)
    try:
        parsed = zalo_oa_read.parse(received.raw)
    except ValueError:
        assert event == "malformed"
        return
    assert ("nothing" if parsed is None else type(parsed.event).__name__) == event


async def test_a_line_that_is_read_twice_is_no_second_photo(village: Village) -> None:
    """Somebody writes between two pages, and the tenth line becomes the eleventh."""
    line = {"src": 1, "time": 5, "from_id": LAN, "to_id": "1", "message_id": "m1"}
    photo = line | {"type": "photo", "url": PHOTO.format(1)}
    body = retold([photo, photo])
    assert body is not None
    assert len(zalo_oa_read.receive_all(body)) == 1


# --- bounds


async def test_pages_of_ten_at_a_pace(village: Village) -> None:
    await village.says("xin chào")
    crowd = [str(8_300_000_000_000_000_000 + n) for n in range(25)]
    for user in crowd:
        village.oa.zalo.add(User(user))
        await village.says(f"rác {user}", user, up=False)
    for n in range(34):
        await village.says(f"thêm {n}", up=False)
    await village.restarts()
    rows = await village.rows()
    assert len(rows) == len(set(rows)) == 1 + 25 + 34
    assert [text for _, text in rows if text.startswith("thêm")] == [f"thêm {n}" for n in range(34)]
    asked = village.oa.calls("/listrecentchat") + village.oa.calls("/conversation")
    assert asked == 3 + 25 + 4
    assert village.oa.pauses.count(history.PAUSE_S) == asked


async def test_no_more_than_so_many_pages(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "RECENT_PAGES", 1)
    monkeypatch.setattr(history, "TALK_PAGES", 2)
    await village.says("xin chào")
    for n in range(30):
        await village.says(f"thêm {n}", up=False)
    await village.restarts()
    assert [text for _, text in (await village.rows())[1:]] == [f"thêm {n}" for n in range(10, 30)]


@pytest.mark.parametrize(
    "fault",
    [
        {"error": -32},
        {"error": -224},
        {"body": "<html>"},
        {"status": 500, "body": ""},
        {"body": {"error": 0}},
    ],
)
async def test_what_is_not_told_now_is_asked_for_with_the_next_look(
    village: Village, fault: dict[str, Any]
) -> None:
    await village.says("xin chào")
    await village.says("rác", up=False)
    village.oa.fault(path="/conversation", count=1, **fault)
    with structlog.testing.capture_logs() as logs:
        await village.restarts()
        assert len(await village.rows()) == 1
        village.oa.zalo.faults.clear()
        await village.restarts(looks=2)
    assert len(await village.rows()) == 2
    assert not any(mark in str(logs) for mark in (LAN, "rác"))


async def test_without_a_token_nothing_is_told(village: Village) -> None:
    village.oa.zalo.tokens.refresh["refresh-1"].used = True
    channel = village.oa.channel
    with pytest.raises(NotTold):
        await History(channel._api, zalo_oa_read.receive_all, village.oa.rest).since(0, village.store)


async def test_storage_that_fails_is_tried_again(village: Village) -> None:
    await village.says("xin chào")
    await village.says("rác", up=False)
    village.disk_fails = 1
    await village.restarts(looks=2)
    assert len(await village.rows()) == 2


@pytest.mark.parametrize(("hour", "again"), [(9, True), (23, False)])
async def test_two_silent_hours_of_the_day_are_suspicious(village: Village, hour: int, again: bool) -> None:
    village.oa.clock.at = datetime(2026, 3, 2, hour, 0, tzinfo=ZONE)
    await village.says("xin chào")
    await village.restarts(looks=12)
    # At the start; and after two hours without a word, in which eleven looks of ten minutes find nothing.
    assert village.oa.calls("/listrecentchat") == 1
    await village.restarts(looks=14)
    assert village.oa.calls("/listrecentchat") == (3 if again else 2)


async def test_by_hand_and_our_own_words_are_not_read_back(village: Village) -> None:
    await village.says("xin chào")
    await village.oa.send("Chào bà con")
    village.oa.zalo.heard(webhook_more.oa_sent(village.origin(), "text", "Chào bác", "admin-1"))
    await village.restarts()
    assert await village.rows() == [("m1", "xin chào")]
