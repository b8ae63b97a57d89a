"""One of several processes on one pair of tokens: `python -m tests.zalo_racer DATABASE_URL DOOR_URL`.

Says "ready"; for each line that it reads, fifty tasks call Zalo three times each, and it says how many calls
went well.
"""

import asyncio
import sys

import structlog

from bot.channels.vault import Vault
from bot.channels.zalo_http import Ok, OpenApi
from bot.channels.zalo_tokens import Tokens
from bot.clock import SystemClock
from storage.database import Database
from tests.zalo_door import APP_ID, APP_SECRET

SECRET_KEY = "MARKER-key-" + "k" * 32
TASKS, CALLS = 50, 3


async def main(database_url: str, door_url: str, first: str | None) -> None:
    # What it says on stdout is only the counts.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    db = Database(database_url)
    tokens = Tokens(
        db,
        Vault(SECRET_KEY),
        app_id=APP_ID,
        app_secret=APP_SECRET,
        oauth_url=door_url,
        clock=SystemClock(),
        first=first,
    )
    api = OpenApi(door_url, tokens)

    async def task() -> int:
        answers = [await api.call("GET", "/v2.0/oa/getoa") for _ in range(CALLS)]
        return sum(isinstance(answer, Ok) for answer in answers)

    print("ready", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(sum(await asyncio.gather(*(task() for _ in range(TASKS)))), flush=True)
    await tokens.stop()
    await api.stop()
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
