"""Who withdraws is erased: no row says any more who they were or what they wrote, but what they reported."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio
import sqlalchemy as sa

from bench.standin_zalo import webhook, webhook_more
from storage.database import Database
from storage.tables import InboxState, OutboxState, inbox, metadata, photos, reports
from storage.tables import outbox as outbox_table
from tests.zalo_stage import ROOM
from tests.zalo_village import CODE, Village, village


@pytest_asyncio.fixture
async def zalo(database: Database, tmp_path: Path) -> AsyncIterator[Village]:
    async with village(database, tmp_path, "Dân", "Tư", "Hạnh") as made:
        await made.member("Tư")
        await made.member("Hạnh", "ubnd", "office")
        await made.bind()
        yield made


async def traces(zalo: Village, *marks: str) -> list[str]:
    """Where one of these words still stands, in any column of any table."""
    found: list[str] = []
    async with zalo.oa.db.read() as conn:
        for table in metadata.sorted_tables:
            for row in await conn.execute(sa.select(table)):
                for name, value in row._mapping.items():
                    if any(mark in str(value) for mark in marks):
                        found.append(f"{table.name}.{name}")
    return sorted(set(found))


async def withdraws(zalo: Village, who: str) -> None:
    await zalo.happens(webhook.withdraw(zalo.origin(who)))


async def test_nothing_is_left_of_who_withdraws_but_the_report(zalo: Village) -> None:
    await zalo.shows("Dân", "rac do o cong cho thon 3 DAU-HIEU")
    await zalo.says("Dân", "gui")
    await zalo.says_in_room("Dân", "chào cả nhà VET")
    await zalo.says("Tư", f"nhận {CODE}")
    # Another draft, with a photo that never went anywhere; and a message that waits to be sent.
    await zalo.says("Dân", "xin chao", "den hong o nga ba thon 5 VET")
    await zalo.shows("Dân")
    await zalo.by_hand("Dân", "chào bác")
    zalo.oa.fault(path="/message/cs", to=zalo.ids["Dân"], error=-200)
    await zalo.presses("Dân", "mine")
    zalo.oa.zalo.faults.clear()
    assert await traces(zalo, zalo.ids["Dân"]) != []
    await withdraws(zalo, "Dân")
    assert await traces(zalo, zalo.ids["Dân"], "VET") == []
    # What the report says is the commune's matter, and stays: nobody knows whose it was.
    assert "reports.words" in await traces(zalo, "DAU-HIEU")
    (row,) = await zalo.rows(sa.select(reports.c.person, reports.c.channel, reports.c.chat, reports.c.status))
    assert tuple(row) == (None, None, None, "acknowledged")
    left = [tuple(row) for row in await zalo.rows(sa.select(photos.c.report).order_by(photos.c.id))]
    assert [report is not None for (report,) in left] == [True]
    await zalo.nothing_aside()


async def test_nobody_is_told_that_they_are_gone_and_nothing_is_sent(zalo: Village) -> None:
    await zalo.reports("Dân")
    zalo.news("Dân")
    await withdraws(zalo, "Dân")
    await zalo.says("Tư", f"nhận {CODE}")
    await zalo.says("Tư", f"xong {CODE}")
    await zalo.later(timedelta(days=2))
    assert zalo.news("Dân") == []


async def test_it_is_asked_for_again_and_again(zalo: Village) -> None:
    await zalo.reports("Dân")
    event = webhook.withdraw(zalo.origin("Dân"))
    await zalo.happens(event, event)
    await withdraws(zalo, "Dân")
    assert await traces(zalo, zalo.ids["Dân"]) == []


async def test_a_message_that_comes_again_does_not_bring_them_back(zalo: Village) -> None:
    event = webhook.user_text(zalo.origin("Dân"), "rac do o cong cho thon 3")
    await zalo.happens(event)
    await withdraws(zalo, "Dân")
    zalo.news("Dân")
    await zalo.happens(event)
    assert await traces(zalo, zalo.ids["Dân"]) == []
    assert zalo.news("Dân") == []


async def test_who_writes_again_begins_anew(zalo: Village) -> None:
    await zalo.reports("Dân")
    await zalo.happens(webhook.withdraw(zalo.origin("Dân")), webhook.user_text(zalo.origin("Dân"), "tra cuu"))
    assert not any(CODE in text for text in zalo.texts("Dân")[-1:])
    await zalo.says("Dân", "den hong o nga ba thon 5", "khong", "gui")
    assert any("AP-26-00002" in text for text in zalo.texts("Dân"))


async def test_what_was_written_after_it_is_not_lost(zalo: Village) -> None:
    """More waits than one batch takes: what is younger than the wish is left alone."""
    for event in (
        webhook.user_text(zalo.origin("Dân"), "xin chao"),
        webhook.withdraw(zalo.origin("Dân")),
        webhook.user_text(zalo.origin("Dân"), "rac do o cong cho thon 3"),
    ):
        for received in zalo.oa.channel.arrivals(webhook.raw(event)):
            await zalo.parts.inbox.take("zalo_oa", received)
    await zalo.oa.channel.people.settle()
    # One at a time, as when a batch failed.
    await zalo.parts.conversation._one_by_one()
    await zalo.settle()
    await zalo.nothing_aside()
    query = sa.select(sa.func.count()).where(inbox.c.state == InboxState.NEW)
    assert (await zalo.rows(query))[0][0] == 0
    assert "sessions.chat" in await traces(zalo, zalo.ids["Dân"])


async def test_a_member_is_let_go_with_the_rest(zalo: Village) -> None:
    await zalo.reports("Dân")
    await zalo.says_in_room("Tư", f"nhận {CODE}")
    await zalo.says("Tư", f"xong {CODE}")
    await withdraws(zalo, "Tư")
    assert await traces(zalo, zalo.ids["Tư"]) == []
    assert await zalo.status() == ("acknowledged", "")


async def test_a_message_in_the_air_is_not_sent_again(zalo: Village) -> None:
    await zalo.says("Dân", "xin chao")
    row = sa.select(outbox_table.c.id).order_by(outbox_table.c.id.desc()).limit(1)
    last = (await zalo.rows(row))[0].id
    flying = {"state": OutboxState.SENDING}
    change = sa.update(outbox_table).where(outbox_table.c.id == last).values(**flying)
    await zalo.oa.db.write(lambda conn: conn.execute(change))
    await withdraws(zalo, "Dân")
    delivery = zalo.parts.deliveries["zalo_oa"]
    delivery._state.marks.append({"row": last, "to_state": OutboxState.DUE})
    sent = len(zalo.oa.zalo.sent)
    await zalo.settle()
    assert len(zalo.oa.zalo.sent) == sent
    states = await zalo.rows(sa.select(outbox_table.c.state).where(outbox_table.c.id == last))
    assert [each.state for each in states] == [OutboxState.SUPERSEDED]


async def test_who_unfollows_is_not_written_to_and_comes_back_by_writing(zalo: Village) -> None:
    await zalo.says("Dân", "xin chao")
    await zalo.happens(webhook.unfollow(zalo.origin("Dân")))
    reach = sa.text("SELECT reachable FROM accounts WHERE account = :who").bindparams(who=zalo.ids["Dân"])
    async with zalo.oa.db.read() as conn:
        assert [bool(value) for value in (await conn.execute(reach)).scalars()] == [False]
    await zalo.happens(webhook.unfollow(zalo.origin("Tư")))
    await zalo.reports("Dân")
    assert zalo.news("Tư") == []
    assert len(zalo.news(ROOM)) == 1
    await zalo.says("Tư", f"nhận {CODE}")
    assert await zalo.status() == ("acknowledged", "Tư")


async def test_rooms_know_nobody(zalo: Village) -> None:
    await zalo.happens(webhook_more.group_event(zalo.origin("Dân"), "user_join_group", ROOM, zalo.ids["Dân"]))
    await zalo.says_in_room("Dân", "chào cả nhà")
    await withdraws(zalo, "Dân")
    assert await traces(zalo, zalo.ids["Dân"]) == []
