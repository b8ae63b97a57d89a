"""Somebody of the authority answers on Zalo's own page: the bot keeps still an hour, and keeps all."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa

from bench.standin_zalo import webhook, webhook_more
from storage.database import Database
from storage.tables import photos, reports
from tests.zalo_village import CODE, Village, village

HOUR = timedelta(hours=1)


@pytest_asyncio.fixture
async def zalo(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Village]:
    async with village(sqlite_database, tmp_path, "Dân", "Tư", "Hạnh") as made:
        await made.member("Tư")
        await made.member("Hạnh", "ubnd", "office")
        yield made
        await made.nothing_aside()


async def words(zalo: Village) -> str:
    (row,) = await zalo.rows(sa.select(reports.c.words))
    return str(row.words)


async def test_the_bot_keeps_still_and_the_draft_goes_on(zalo: Village) -> None:
    await zalo.says("Dân", "rac do o cong cho thon 3")
    assert len(zalo.texts("Dân")) == 1
    await zalo.by_hand("Dân", "Chào bác, bác cho xin ảnh ạ")
    await zalo.shows("Dân")
    await zalo.says("Dân", "nhieu lam, hoi tanh")
    assert zalo.texts("Dân") == []
    # A press is meant for the bot, and everything that was told meanwhile goes with it.
    (found,) = await zalo.rows(sa.select(photos.c.purpose, photos.c.problem))
    assert tuple(found) == ("before", None)
    zalo.oa.clock.move(HOUR + timedelta(minutes=1))
    await zalo.says("Dân", "gui")
    assert "hoi tanh" in await words(zalo)
    (kept,) = await zalo.rows(sa.select(photos.c.report))
    assert kept.report is not None
    assert any(CODE in text for text in zalo.texts("Dân"))
    assert zalo.news("Tư")


async def test_presses_work_all_the_while(zalo: Village) -> None:
    await zalo.says("Dân", "rac do o cong cho thon 3", "khong")
    send = [action for sent in zalo.news("Dân") for action in sent.actions if ":send:" in action][-1]
    await zalo.by_hand("Dân", "Bác cứ bấm gửi nhé")
    await zalo.says("Dân", send)
    assert any(CODE in text for text in zalo.texts("Dân"))
    await zalo.by_hand("Dân", "Cảm ơn bác")
    await zalo.presses("Dân", "mine")
    assert any(CODE in text for text in zalo.texts("Dân"))
    await zalo.presses("Dân", "stale:1")
    assert len(zalo.texts("Dân")) == 1


async def test_what_was_written_by_hand_is_in_the_reports_history(zalo: Village) -> None:
    await zalo.reports("Dân")
    await zalo.by_hand("Dân", "Chiều nay thôn dọn, bác nhé")
    await zalo.happens(webhook_more.oa_sent(zalo.origin("Dân"), "text", "tiếng vọng của máy"))
    assert await zalo.notes("by_hand") == ["Chiều nay thôn dọn, bác nhé"]
    zalo.news("Dân")
    # News of the report itself are no chatter: they come through.
    await zalo.says("Tư", f"nhận {CODE}")
    assert len(zalo.texts("Dân")) == 1


async def test_the_bots_own_echo_silences_nobody(zalo: Village) -> None:
    await zalo.happens(webhook_more.oa_sent(zalo.origin("Dân"), "text", "Xin chào bà con"))
    await zalo.says("Dân", "xin chao")
    assert len(zalo.texts("Dân")) == 1


@pytest.mark.parametrize("said", ["cuu voi chay nha o cho thon 3", "cháy nhà ở chợ thôn 3"])
async def test_danger_is_answered_at_once(zalo: Village, said: str) -> None:
    await zalo.by_hand("Dân", "Chào bác")
    await zalo.says("Dân", said)
    assert "114" in zalo.texts("Dân")[0]
    await zalo.says("Dân", "con nguoi ket o trong")
    assert len(zalo.texts("Dân")) == 1


async def test_after_an_hour_the_bot_is_back(zalo: Village) -> None:
    await zalo.by_hand("Dân", "Chào bác")
    await zalo.says("Dân", "xin chao")
    assert zalo.texts("Dân") == []
    zalo.oa.clock.move(timedelta(minutes=50))
    await zalo.by_hand("Dân", "Bác chờ chút")
    zalo.oa.clock.move(timedelta(minutes=50))
    await zalo.says("Dân", "xin chao")
    assert zalo.texts("Dân") == []
    zalo.oa.clock.move(timedelta(minutes=11))
    await zalo.says("Dân", "xin chao")
    assert len(zalo.texts("Dân")) == 1


async def test_what_comes_of_it_later_is_held_back_too(zalo: Village) -> None:
    """A nudge, and a photo that turned out to be none, would be talked into the same hour."""
    await zalo.says("Dân", "rac do o cong cho thon 3")
    zalo.news("Dân")
    await zalo.by_hand("Dân", "Bác gửi ảnh giúp")
    path = zalo.oa.zalo.files.put("/bad.jpg", b'{"problem": "broken"}')
    url = f"{zalo.oa.url}{path}"
    await zalo.happens(webhook.user_image(zalo.origin("Dân"), url))
    await zalo.later(timedelta(minutes=40))
    assert zalo.texts("Dân") == []


async def test_a_code_and_a_word_of_duty_are_meant_for_the_bot(zalo: Village) -> None:
    """The office writes the code by hand: who types it is greeted all the same."""
    await zalo.says("Hạnh", "mời thôn 5")
    await zalo.by_hand("Dân", "Mã của bác: M5T8-QXD7")
    await zalo.says("Dân", "M5T8-QXD7")
    assert len(zalo.texts("Dân")) == 1
    await zalo.by_hand("Tư", "Anh Tư xem giúp việc mới")
    await zalo.says("Tư", "nhận AP-26-00009")
    assert len(zalo.texts("Tư")) == 1
