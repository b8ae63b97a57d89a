"""A voice message from beginning to end: where it is kept, who was sent it, and what became of its line."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from storage.database import Database
from storage.files import Files
from storage.tables import OutboxState, PhotoState, history, outbox, photos
from tests.paper import OnPaper, spoken_ogg
from tests.script import Player

CAST = """
Bác Tư là monitor của thon-03
Công an An là police của cong-an
Chị Hà là office của ubnd
Ông Chủ tịch là lead của ubnd
Phòng Nhóm giám sát Thôn 3 của thon-03
"""
DAY, NIGHT = "Lúc 2026-03-02 08:00\n", "Lúc 2026-03-02 23:00\n"
LITTER = """
Dân: rac o cong cho thon 3
Dân: (thoại 20 giây)
Dân: [Không có ảnh]
Dân: [Đồng ý và gửi]
"""


async def played(db: Database, folder: Path, story: str) -> Player:
    player = Player(db, folder, OnPaper)
    await player.play(story)
    return player


async def rows(db: Database, query: sa.Select[Any]) -> list[sa.Row[Any]]:
    async with db.read() as conn:
        return list(await conn.execute(query))


async def heard_by(db: Database) -> list[tuple[str, str]]:
    """Who was, or will be, sent a recording, and by which message."""
    query = sa.select(outbox.c.chat, outbox.c.message).where(outbox.c.photo.like("%.ogg"))
    return sorted((row.chat, row.message) for row in await rows(db, query))


async def test_it_is_kept_with_the_report_and_its_line_noted(database: Database, tmp_path: Path) -> None:
    await played(database, tmp_path, DAY + CAST + LITTER + "Chị Hà: ↩ chai lo vo, xe ba gac cho toi\n")
    [kept] = await rows(database, sa.select(photos))
    assert (kept.kind, kept.purpose, kept.state) == ("voice", "voice", PhotoState.READY)
    assert kept.report is not None
    assert kept.stored == f"reports/{kept.id}.ogg"
    assert await Files(str(tmp_path / "photos")).get(kept.stored) == spoken_ogg(20)
    assert await heard_by(database) == [("Chị Hà", "office/voice")]
    lines = await rows(database, sa.select(history).where(history.c.action == "typed"))
    assert [(line.person, line.note) for line in lines] == [("paper:Chị Hà", "chai lo vo, xe ba gac cho toi")]


async def test_the_office_is_not_woken_for_a_village(database: Database, tmp_path: Path) -> None:
    await played(database, tmp_path, NIGHT + CAST + LITTER)
    query = sa.select(outbox.c.state, outbox.c.due_at - outbox.c.made_at)
    [waits] = await rows(database, query.where(outbox.c.message == "office/voice"))
    assert waits == (OutboxState.DUE, pytest.approx(6.5 * 3600_000, abs=60_000))


async def test_the_police_hear_it_themselves(database: Database, tmp_path: Path) -> None:
    told = "Dân: xe do kin via he cua cho thon 3\nDân: (thoại)\nDân: khong\nDân: khong\nDân: gui\n"
    await played(database, tmp_path, DAY + CAST + told)
    assert await heard_by(database) == [("Công an An", "duty/voice")]


async def test_what_is_about_an_official_is_heard_by_those_who_lead(
    database: Database, tmp_path: Path
) -> None:
    told = "Dân: truong thon 3 vòi tiền mới cho đổ đất ra đường\nDân: (thoại)\n"
    told += "Dân: [Đúng, về cán bộ]\nDân: gui\n"
    await played(database, tmp_path, DAY + CAST + told + "Chị Hà: loi AP-26-00001: toi nghe roi\n")
    assert await heard_by(database) == [("Ông Chủ tịch", "duty/voice")]
    assert await rows(database, sa.select(history).where(history.c.action == "typed")) == []


async def test_whoever_gets_a_report_handed_on_may_listen(database: Database, tmp_path: Path) -> None:
    told = "Chị Hà: chuyển AP-26-00001\nChị Hà: [Công an xã]\n"
    await played(database, tmp_path, DAY + CAST + LITTER + told)
    assert await heard_by(database) == [("Chị Hà", "office/voice"), ("Công an An", "duty/voice")]
