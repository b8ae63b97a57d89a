"""Every story comes out to the letter: through every channel, on both databases."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa

from storage.database import Database
from storage.tables import metadata
from tests.on_telegram import OnTelegram
from tests.on_webchat import OnWebchat
from tests.on_zalo import OnZalo
from tests.on_zalo_bot import OnZaloBot
from tests.paper import OnPaper
from tests.platforms import Platform
from tests.postgres import create_database, drop_database
from tests.script import Player, stories, without

LINES_MAX = 80
ENOUGH = 25

TEXTS = {story.stem: story.read_text(encoding="utf-8") for story in stories()}
PLATFORMS: dict[str, type[Platform]] = {
    "paper": OnPaper,
    "telegram": OnTelegram,
    "webchat": OnWebchat,
    "zalo": OnZalo,
    "zalo bot": OnZaloBot,
}


def fitted(story: str, platform: str) -> str:
    """The story as it can be told on that platform."""
    return without(TEXTS[story], PLATFORMS[platform].lacks)[0]


# The kinds of line that are left out of a story, with what the bot says to them; each platform's `lacks`
# says why. Nothing else may be missing, and a platform lacks nothing that no story needs.
LEFT_OUT: dict[tuple[str, str], list[str]] = {
    ("telegram", "34-tin-qua-dai"): ["long words"],
    ("webchat", "21-them-anh"): ["edited"],
    ("webchat", "28-vao-nhom"): ["membership", "second speaker"],
    ("webchat", "32-hoi-chuyen-khac"): ["unsupported", "unsupported", "unsupported"],
    ("webchat", "53-chuyen-phong"): ["membership"],
    ("webchat", "65-noi-chuyen-trong-nhom"): ["second speaker", "second speaker"],
    ("webchat", "66-mat-phong-giua-chung"): ["membership", "membership"],
    ("webchat", "67-khong-phai-cua-minh"): ["second speaker"],
    ("webchat", "78-sua-tin-dang-viet"): ["edited"],
    ("zalo", "105-cong-an-qua-han"): ["rooms"],
    ("zalo", "106-muoi-bon-ngay"): ["window"],
    ("zalo", "112-bi-lai"): ["window"],
    ("zalo", "115-de-lai-so-may"): ["rooms"],
    ("zalo", "121-so-may-mot-minh"): ["rooms"],
    ("zalo", "125-chon-nhom"): ["rooms"],
    ("zalo", "15-nhan-va-khep"): ["rooms"],
    ("zalo", "16-nhan-bang-loi"): ["rooms"],
    ("zalo", "18-khong-co-quyen"): ["rooms"],
    ("zalo", "21-them-anh"): ["edited"],
    ("zalo", "28-vao-nhom"): ["rooms"],
    ("zalo", "31-nhom-mat"): ["rooms"],
    ("zalo", "34-tin-qua-dai"): ["long words"],
    ("zalo", "47-qua-14-ngay"): ["window"],
    ("zalo", "51-anh-khac-trong-nhom"): ["rooms"],
    ("zalo", "53-chuyen-phong"): ["rooms"],
    ("zalo", "54-hai-don-vi"): ["rooms"],
    ("zalo", "55-lo-ma"): ["rooms"],
    ("zalo", "65-noi-chuyen-trong-nhom"): ["rooms"],
    ("zalo", "66-mat-phong-giua-chung"): ["rooms"],
    ("zalo", "67-khong-phai-cua-minh"): ["rooms"],
    ("zalo", "78-sua-tin-dang-viet"): ["edited"],
    ("zalo", "81-moi-thanh-vien"): ["rooms"],
    ("zalo", "85-van-phong-nghe-ho"): ["rooms"],
    ("zalo", "86-noi-them"): ["rooms"],
    ("zalo", "87-thoai-hong"): ["rooms"],
    ("zalo bot", "04-vi-tri-truoc"): ["place"],
    ("zalo bot", "05-album"): ["album"],
    ("zalo bot", "06-anh-co-gps"): ["file"],
    ("zalo bot", "105-cong-an-qua-han"): ["rooms"],
    ("zalo bot", "108-tin-don"): ["album"],
    ("zalo bot", "111-khong-cung-cho"): ["place"],
    ("zalo bot", "114-khong-ve-can-bo"): ["old button"],
    ("zalo bot", "115-de-lai-so-may"): ["rooms"],
    ("zalo bot", "121-so-may-mot-minh"): ["rooms"],
    ("zalo bot", "122-co-khan-cap-khong"): ["old button"],
    ("zalo bot", "123-van-phong-quyet"): ["forged"],
    ("zalo bot", "125-chon-nhom"): ["rooms"],
    ("zalo bot", "140-bao-hoat-dong"): ["forged"],
    ("zalo bot", "142-chua-dung"): ["forged"],
    ("zalo bot", "143-mot-nguoi"): ["file"],
    ("zalo bot", "148-so-la-cau-tra-loi"): ["album"],
    ("zalo bot", "15-nhan-va-khep"): ["old button", "rooms"],
    ("zalo bot", "16-nhan-bang-loi"): ["rooms"],
    ("zalo bot", "18-khong-co-quyen"): ["old button", "rooms"],
    ("zalo bot", "21-them-anh"): ["edited"],
    ("zalo bot", "25-anh-hong"): ["file"],
    ("zalo bot", "26-ngoai-xa"): ["place"],
    ("zalo bot", "28-vao-nhom"): ["old button", "rooms"],
    ("zalo bot", "29-bam-hai-lan"): ["old button"],
    ("zalo bot", "31-nhom-mat"): ["rooms"],
    ("zalo bot", "32-hoi-chuyen-khac"): ["unsupported", "unsupported", "unsupported"],
    ("zalo bot", "34-tin-qua-dai"): ["long words"],
    ("zalo bot", "35-nut-cu"): ["old button"],
    ("zalo bot", "47-qua-14-ngay"): ["old button"],
    ("zalo bot", "51-anh-khac-trong-nhom"): ["old button", "rooms"],
    ("zalo bot", "52-anh-sau-hong"): ["album", "file"],
    ("zalo bot", "53-chuyen-phong"): ["rooms"],
    ("zalo bot", "54-hai-don-vi"): ["rooms"],
    ("zalo bot", "55-lo-ma"): ["rooms"],
    ("zalo bot", "56-viec-khac"): ["place"],
    ("zalo bot", "57-qua-nhieu-anh"): ["album"],
    ("zalo bot", "58-ma-trong-cau"): ["file"],
    ("zalo bot", "65-noi-chuyen-trong-nhom"): ["rooms"],
    ("zalo bot", "66-mat-phong-giua-chung"): ["rooms"],
    ("zalo bot", "67-khong-phai-cua-minh"): ["old button", "rooms"],
    ("zalo bot", "70-anh-hong-cua-viec-sau"): ["file"],
    ("zalo bot", "71-nut-het-han"): ["old button"],
    ("zalo bot", "78-sua-tin-dang-viet"): ["edited"],
    ("zalo bot", "80-sau-anh"): ["album"],
    ("zalo bot", "81-moi-thanh-vien"): ["rooms"],
    ("zalo bot", "82-go-thanh-vien"): ["old button"],
    ("zalo bot", "84-noi-truoc"): ["voices"],
    ("zalo bot", "85-van-phong-nghe-ho"): ["rooms", "voices"],
    ("zalo bot", "86-noi-them"): ["rooms", "voices"],
    ("zalo bot", "87-thoai-hong"): ["rooms", "voices"],
    ("zalo bot", "93-noi-chua-duoc"): ["voices"],
    ("zalo", "132-nhac-va-tong-hop"): ["window"],
    ("zalo", "154-bang-dot-ve-sinh"): ["window"],
    ("zalo", "157-thong-ke-trong-nhom"): ["rooms"],
    ("zalo bot", "157-thong-ke-trong-nhom"): ["rooms"],
    ("webchat", "157-thong-ke-trong-nhom"): ["second speaker"],
    ("zalo", "133-doi-ngay"): ["window"],
    ("zalo", "170-nhac-viec-da-giao"): ["window"],
    ("zalo", "179-tat-may-ca-tuan"): ["window"],
    ("zalo bot", "130-bay-ngay-truoc"): ["old button"],
    ("zalo bot", "167-diem-don-bang-so"): ["file"],
    ("zalo bot", "171-viec-duoc-giao"): ["old button"],
    ("zalo bot", "135-bai-phat-thanh"): ["file"],
    ("zalo bot", "162-chua-duyet"): ["old button"],
    ("zalo bot", "158-sua-khi-cho"): ["old button"],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgres"])
async def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Database]:
    """One database for all stories, emptied before each: opening one costs more than most stories."""
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("stories")
        template = request.getfixturevalue("sqlite_template")
        shutil.copyfile(template, folder / template.name)
        db = Database.in_folder(folder)
        yield db
        await db.close()
        return
    server, template = (
        request.getfixturevalue("postgres_server"),
        request.getfixturevalue("postgres_template"),
    )
    name = f"anphuxanh_stories_{os.getpid()}"
    db = Database(await create_database(server.url, name, template))
    yield db
    await db.close()
    await drop_database(server.url, name)


async def empty(db: Database) -> None:
    tables = metadata.sorted_tables
    async with db.engine.begin() as conn:
        if not db.sqlite:
            names = ", ".join(table.name for table in tables)
            await conn.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY"))
            return
        for table in reversed(tables):
            await conn.execute(sa.delete(table))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("story", "platform"), [(story, name) for story in TEXTS for name in PLATFORMS if fitted(story, name)]
)
async def test_story(story: str, platform: str, shared: Database, tmp_path: Path) -> None:
    await empty(shared)
    text = fitted(story, platform)
    assert await Player(shared, tmp_path, PLATFORMS[platform]).play(text) == text


def test_nothing_else_is_left_out() -> None:
    found = {
        (name, story): left_out
        for name, platform in PLATFORMS.items()
        for story, text in TEXTS.items()
        if (left_out := without(text, platform.lacks)[1])
    }
    assert found == LEFT_OUT
    for name, platform in PLATFORMS.items():
        used = {kind for (where, _), missed in found.items() if where == name for kind in missed}
        assert used == set(platform.lacks), name


def test_stories_are_many_short_and_titled() -> None:
    assert len(TEXTS) >= ENOUGH
    for story, text in TEXTS.items():
        assert text.startswith("# "), story
        assert len(text.splitlines()) <= LINES_MAX, story
