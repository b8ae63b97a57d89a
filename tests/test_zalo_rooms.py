"""A unit's room on Zalo: it reads, its members are told one by one, and they answer there in words."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bench.standin_zalo import webhook_more
from storage.database import Database
from tests.zalo_stage import ROOM
from tests.zalo_village import CODE, Village, village


@pytest_asyncio.fixture
async def zalo(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Village]:
    async with village(sqlite_database, tmp_path, "Dân", "Tư", "Năm", "Hạnh", "Lạ") as made:
        await made.member("Tư")
        await made.member("Năm")
        await made.member("Hạnh", "ubnd", "office")
        await made.bind()
        yield made
        await made.nothing_aside()


async def test_an_alert_is_read_in_the_room_and_answered_by_its_members(zalo: Village) -> None:
    await zalo.reports("Dân")
    (room,) = zalo.news(ROOM)
    assert (room.method, room.kind, room.buttons) == ("group", "text", ())
    assert room.text.startswith(f"🔔 {CODE}: ")
    assert f"Nhắn lời kèm mã, ví dụ: Nhận xử lý {CODE}" in room.text
    for who in ("Tư", "Năm"):
        (alert,) = zalo.news(who)
        assert (alert.method, alert.kind) == ("cs", "buttons")
        assert alert.text == room.text
        assert alert.actions[0] == f"#apx:take:{CODE}"
        assert len(alert.buttons) == 5
    assert zalo.news("Hạnh") == []


@pytest.mark.parametrize("said", [f"nhận {CODE}", f"Nhận xử lý {CODE}", f"toi nhan {CODE.lower()} nhe"])
async def test_a_member_takes_it_in_the_room_in_words(zalo: Village, said: str) -> None:
    await zalo.reports("Dân")
    for who in ("Dân", "Tư", "Năm", ROOM):
        zalo.news(who)
    await zalo.says_in_room("Tư", said)
    assert await zalo.status() == ("acknowledged", "Tư")
    (answer,) = zalo.texts(ROOM)
    assert answer.startswith(f"Tư đã nhận {CODE}")
    # In a room a bare number is nobody's answer: none is offered.
    assert "1. " not in answer
    assert f"Đã xử lý {CODE}" in answer
    assert [text.startswith(f"Tư đã nhận {CODE}") for who in ("Tư", "Năm") for text in zalo.texts(who)] == [
        True,
        True,
    ]
    assert len(zalo.texts("Dân")) == 1


async def test_the_first_to_take_wins(zalo: Village) -> None:
    await zalo.reports("Dân")
    await zalo.presses("Năm", f"take:{CODE}")
    assert await zalo.status() == ("acknowledged", "Năm")
    (told,) = [text for text in zalo.texts(ROOM) if "đã nhận" in text]
    assert told.startswith(f"Năm đã nhận {CODE}")
    zalo.news("Tư")
    await zalo.says_in_room("Tư", f"nhận {CODE}")
    assert await zalo.status() == ("acknowledged", "Năm")
    (late,) = zalo.texts(ROOM)
    assert "Năm" in late
    # Whoever taps often is told once more, and nothing else happens.
    for _ in range(3):
        await zalo.presses("Tư", f"take:{CODE}")
    assert await zalo.status() == ("acknowledged", "Năm")


async def test_a_room_that_chats_hears_nothing(zalo: Village) -> None:
    await zalo.reports("Dân")
    zalo.news(ROOM)
    for said in ("1", "chiều nay họp nhé", "rác ở cổng chợ thôn 3 nhiều quá", "#apx:send:1", "Gửi phản ánh"):
        await zalo.says_in_room("Tư", said)
        assert zalo.texts(ROOM) == []
    await zalo.happens(webhook_more.oa_group_said(zalo.origin("Tư"), ROOM, "text", "từ OA"))
    assert zalo.texts(ROOM) == []


@pytest.mark.parametrize("said", [f"nhận {CODE}", f"#apx:take:{CODE}"])
async def test_who_is_no_member_takes_nothing_there(zalo: Village, said: str) -> None:
    await zalo.reports("Dân")
    await zalo.says_in_room("Lạ", said)
    assert (await zalo.status())[0] == "sent"


async def test_a_room_that_is_gone_alerts_nobody_twice(zalo: Village) -> None:
    """Its members were told one by one already; the office hears that the room is lost."""
    zalo.oa.zalo.groups[ROOM].disabled = True
    await zalo.reports("Dân")
    for who in ("Tư", "Năm"):
        assert len([text for text in zalo.texts(who) if text.startswith("🔔")]) == 1
    assert len(zalo.texts("Hạnh")) == 1
    await zalo.says("Tư", f"nhận {CODE}")
    assert await zalo.status() == ("acknowledged", "Tư")


async def test_when_the_account_leaves_its_room_the_members_are_still_told(zalo: Village) -> None:
    ours = zalo.oa.zalo.oa.id
    await zalo.happens(webhook_more.group_event(zalo.origin("Tư"), "user_out_group", ROOM, ours))
    assert len(zalo.texts("Hạnh")) == 1
    zalo.oa.zalo.groups[ROOM].joined = False
    await zalo.reports("Dân")
    assert zalo.oa.zalo.errors == {}
    assert len(zalo.news("Tư")) == len(zalo.news("Năm")) == 1


async def test_a_member_who_leaves_the_room_is_no_news(zalo: Village) -> None:
    await zalo.happens(webhook_more.group_event(zalo.origin("Tư"), "user_out_group", ROOM, zalo.ids["Tư"]))
    await zalo.reports("Dân")
    assert len(zalo.news(ROOM)) == 1


async def test_a_room_where_nobody_can_act_leaves_it_to_the_office(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with village(sqlite_database, tmp_path, "Hạnh", "Dân") as zalo:
        await zalo.member("Hạnh", "ubnd", "office")
        await zalo.bind()
        await zalo.reports("Dân")
        (alert,) = zalo.texts("Hạnh")
        assert alert.startswith(f"🔔 {CODE}")
        await zalo.says("Hạnh", f"nhận {CODE}")
        assert await zalo.status() == ("acknowledged", "Hạnh")
        await zalo.nothing_aside()


async def test_a_room_is_bound_by_a_member(sqlite_database: Database, tmp_path: Path) -> None:
    async with village(sqlite_database, tmp_path, "Tư", "Lạ", "Dân") as zalo:
        await zalo.member("Tư")
        await zalo.says_in_room("Lạ", "/ketnoi")
        await zalo.says_in_room("Tư", "/ketnoi")
        await zalo.reports("Dân")
        assert any(text.startswith(f"🔔 {CODE}") for text in zalo.texts(ROOM))
        await zalo.nothing_aside()


async def test_a_report_is_closed_in_the_room(zalo: Village) -> None:
    await zalo.reports("Dân")
    await zalo.says_in_room("Tư", f"nhận {CODE}")
    for who in ("Dân", ROOM):
        zalo.news(who)
    await zalo.says_in_room("Tư", f"xong {CODE}")
    (asked,) = zalo.texts(ROOM)
    assert CODE in asked
    path = zalo.oa.zalo.files.put("/after.jpg", b"{}")
    photo = webhook_more.group_said(
        zalo.origin("Tư"),
        ROOM,
        "image",
        "",
        {"type": "image", "payload": {"url": f"{zalo.oa.url}{path}", "thumbnail": ""}},
    )
    await zalo.happens(photo)
    assert (await zalo.status())[0] == "resolved"
    # The picture is shown to who reported, in private: a room takes none.
    assert "image" in [sent.kind for sent in zalo.news("Dân")]
    assert {sent.kind for sent in zalo.news(ROOM)} == {"text"}


async def test_who_joins_is_called_by_their_name(sqlite_database: Database, tmp_path: Path) -> None:
    async with village(sqlite_database, tmp_path, "Tư", "Hạnh", "Dân") as zalo:
        await zalo.member("Hạnh", "ubnd", "office")
        await zalo.says("Hạnh", "mời thôn 3")
        await zalo.says("Tư", "xin chào", "M5T8-QXD7")
        zalo.oa.zalo.sent.clear()
        await zalo.reports("Dân")
        await zalo.says("Tư", f"nhận {CODE}")
        assert await zalo.status() == ("acknowledged", "Tư")
