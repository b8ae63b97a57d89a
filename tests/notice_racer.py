"""One of several programs on one database: `python -m tests.notice_racer DATABASE_URL`.

Says "ready"; when it reads a line, it decides whatever waits in the inbox and says "done".
"""

import asyncio
import sys
import tempfile
from datetime import UTC, datetime

import structlog

from bot import app
from bot.config import load_commune
from bot.core.commune import Point
from storage.database import Database
from storage.files import Files
from tests.paper import ROOT, Paper, PaperClock, PaperPainter, PaperStudio


async def main(database_url: str, at: str) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    db = Database(database_url)

    async def follow(_: str) -> Point | None:
        return None

    with tempfile.TemporaryDirectory() as folder:
        parts = app.build(
            db,
            load_commune(ROOT / "commune.toml"),
            [Paper()],
            files=Files(folder),
            studio=PaperStudio(),
            painter=PaperPainter(),
            follow=follow,
            clock=PaperClock(datetime.fromtimestamp(int(at) / 1000, UTC)),
        )
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        while await parts.conversation.step():
            pass
        print("done", flush=True)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
