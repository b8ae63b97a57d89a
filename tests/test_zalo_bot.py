"""The Zalo Bot platform: what it is told, and that whoever writes first hears that no person answers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.core.events import Words
from bot.messages import Messages
from storage.database import Database
from storage.files import Files
from tests.on_zalo_bot import OnZaloBot
from tests.paper import PaperClock, Stage
from tests.platforms import Cast, Deed, World

INTRODUCTION = Messages().render("resident/introduction", {}).text


async def test_a_stranger_is_told_once_that_no_person_answers(database: Database, tmp_path: Path) -> None:
    clock, files = PaperClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC)), Files(str(tmp_path / "photos"))
    platform = OnZaloBot(World(Cast(("Dân",), {}), database, files, clock))
    stage = Stage(platform, database, files, clock)
    await stage.start()
    try:
        for text in ("xin chao", "rac o cong cho thon 3"):
            await platform.arrive(Deed("Dân", "Dân", False, Words(text)), stage.take)
            await stage.settle()
            clock.move(timedelta(minutes=5))
        said = [sent.text for sent in platform.sent]
    finally:
        await platform.close()
    assert said[0] == INTRODUCTION
    assert said.count(INTRODUCTION) == 1
    assert len(said) >= 3
