"""Every story, played through the real loops on both databases, comes out to the letter."""

from pathlib import Path

import pytest

from storage.database import Database
from tests.script import Player, stories

LINES_MAX = 70
ENOUGH = 25


TEXTS = {story.stem: story.read_text(encoding="utf-8") for story in stories()}


@pytest.mark.parametrize("story", TEXTS)
async def test_story(story: str, database: Database, tmp_path: Path) -> None:
    assert await Player(database, tmp_path).play(TEXTS[story]) == TEXTS[story]


def test_stories_are_many_short_and_titled() -> None:
    assert len(TEXTS) >= ENOUGH
    for story, text in TEXTS.items():
        assert text.startswith("# "), story
        assert len(text.splitlines()) <= LINES_MAX, story
