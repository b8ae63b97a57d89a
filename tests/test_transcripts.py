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
from tests.paper import OnPaper
from tests.platforms import Platform
from tests.postgres import create_database, drop_database
from tests.script import Player, stories, without

LINES_MAX = 80
ENOUGH = 25

TEXTS = {story.stem: story.read_text(encoding="utf-8") for story in stories()}
PLATFORMS: dict[str, type[Platform]] = {"paper": OnPaper, "telegram": OnTelegram, "webchat": OnWebchat}

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
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("story", TEXTS)
async def test_story(story: str, platform: str, shared: Database, tmp_path: Path) -> None:
    await empty(shared)
    text = fitted(story, platform)
    assert await Player(shared, tmp_path, PLATFORMS[platform]).play(text) == text


def fitted(story: str, platform: str) -> str:
    """The story as it can be told on that platform."""
    return without(TEXTS[story], PLATFORMS[platform].lacks)[0]


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
