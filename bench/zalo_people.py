"""Who is there when bench `zalo` begins, known to the bot and to the stand-in; and what they may be told."""

import argparse
import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import count, islice
from pathlib import Path

import aiohttp
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.channels.zalo_oa_read import NAME
from bot.core.effects import Lane
from storage import migrate, outbox, people
from storage.database import Database

FIRST_RESIDENT = 7_000_000_000_000_000_001
FIRST_LISTENER = 7_100_000_000_000_000_001
FIRST_MONITOR = 7_200_000_000_000_000_001
LISTENERS = 20_000
MONITORS = 20
CHUNK = 500
AGO_S = 3600
NEWS = (
    "Thông báo của UBND xã An Phú: sáng Chủ nhật này cả xã tổng vệ sinh, bắt đầu lúc 7 giờ tại nhà văn hoá "
    "mỗi thôn. Mời mỗi nhà một người, mang theo chổi, xẻng, bao tải. Xin cảm ơn bà con!"
)


def numbers(first: int, most: int) -> list[str]:
    return [str(number) for number in range(first, first + most)]


def _chunks(ids: Sequence[str], size: int = CHUNK) -> Iterator[list[str]]:
    rest = iter(ids)
    while piece := list(islice(rest, size)):
        yield piece


async def settle(folder: Path) -> None:
    """Listeners who wrote an hour ago, and a monitor in each village; the bot is not running yet."""
    db = Database.in_folder(folder)
    now = int(time.time() * 1000)
    try:
        await migrate.upgrade(db)
        for piece in _chunks(numbers(FIRST_LISTENER, LISTENERS) + numbers(FIRST_MONITOR, MONITORS)):
            await db.write(partial(_meet, ids=piece, now=now))
        await db.write(lambda conn: _appoint(conn, now))
    finally:
        await db.close()


async def _meet(conn: AsyncConnection, ids: Sequence[str], now: int) -> None:
    await people.meet(conn, [(NAME, each, each) for each in ids], now)
    await people.wrote(conn, [(NAME, each, now - AGO_S * 1000) for each in ids])


async def _appoint(conn: AsyncConnection, now: int) -> None:
    for village, each in enumerate(numbers(FIRST_MONITOR, MONITORS), start=1):
        await people.join(conn, f"{NAME}:{each}", f"thon-{village:02d}", "monitor", "Bác Tư", now)


async def introduce(standin: str, residents: int) -> None:
    """To Zalo they all wrote lately, too: nobody's window is closed."""
    everybody = [
        *numbers(FIRST_RESIDENT, residents),
        *numbers(FIRST_LISTENER, LISTENERS),
        *numbers(FIRST_MONITOR, MONITORS),
    ]
    async with aiohttp.ClientSession() as session:
        for piece in _chunks(everybody, 5000):
            told = [{"id": each, "ago": AGO_S} for each in piece]
            async with session.post(f"{standin}/control/user", json=told) as answer:
                answer.raise_for_status()


async def broadcast(folder: Path, seconds: float) -> list[float]:
    """Promise all listeners the news, in pieces spread over so long; how long each piece took, in ms."""
    db = Database.in_folder(folder)
    pieces = list(_chunks(numbers(FIRST_LISTENER, LISTENERS)))
    began, took = time.monotonic(), []
    try:
        for number, piece in zip(count(), pieces, strict=False):
            await asyncio.sleep(max(0.0, began + number * seconds / len(pieces) - time.monotonic()))
            started = time.monotonic()
            await _promise(db, piece)
            took.append((time.monotonic() - started) * 1000)
    finally:
        await db.close()
    return took


async def _promise(db: Database, ids: Sequence[str]) -> None:
    now = int(time.time() * 1000)
    common = {"lane": Lane.REMINDER, "channel": NAME, "message": "duty/digest", "text": NEWS}
    rows = [common | {"chat": each, "key": f"news/{each}", "made_at": now, "due_at": now} for each in ids]
    while True:
        # SQLite does not queue who waits: a busy bot may be ahead for longer than our patience.
        with suppress(OperationalError):
            await db.write(lambda conn: outbox.promise(conn, rows))
            return


def main() -> None:
    parser = argparse.ArgumentParser(description="The broadcast, as a process of its own.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(broadcast(options.folder, options.seconds))))


if __name__ == "__main__":
    main()
