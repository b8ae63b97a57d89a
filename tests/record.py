"""make record: plays every story and writes down what the bot says now."""

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import structlog

from storage import migrate
from storage.database import Database
from tests import readme
from tests.paper import OnPaper
from tests.script import Player, stories


async def played(text: str) -> str:
    """The story as it comes out now, on a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        db = Database.in_folder(Path(folder))
        await migrate.upgrade(db)
        try:
            return await Player(db, Path(folder), OnPaper).play(text)
        finally:
            await db.close()


def record(story: Path) -> bool:
    """Rewrite one story; says whether it changed."""
    before = story.read_text(encoding="utf-8")
    after = asyncio.run(played(before))
    story.write_text(after, encoding="utf-8")
    return after != before


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    wanted = sys.argv[1:]
    for story in stories():
        if not wanted or any(part in story.name for part in wanted):
            changed = record(story)
            print(f"{'recorded' if changed else 'as before'}  {story.name}")
    readme.fill()


if __name__ == "__main__":
    main()
