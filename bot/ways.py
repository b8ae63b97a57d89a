"""How each message may go out now, where a platform lets us write to people only for some time."""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.channels.base import Channel
from bot.core import when
from bot.core.window import Way
from storage import counters, people
from storage.outbox import Row


def billed_counter(channel: str, now: int) -> str:
    """Counts what the channel has cost on that day."""
    return f"billed/{channel}/{when.local(now).date().isoformat()}"


async def ways_of(
    conn: AsyncConnection, channel: Channel, rows: Sequence[Row], now: int
) -> Mapping[int, Way]:
    """The way of each row by its id; what is billed is counted here, in the transaction that claims it."""
    window = channel.abilities.window
    if window is None or not rows:
        return {}
    wrote = await people.wrote_in(conn, channel.name, {row.chat for row in rows if not row.grouped})
    day = billed_counter(channel.name, now)
    before = billed = await counters.drawn(conn, day)
    ways: dict[int, Way] = {}
    for row in rows:
        way = window.way(row.message, wrote.get(row.chat), now, billed=billed, group=row.grouped)
        billed += way == Way.BILLED
        ways[row.id] = way
    if billed > before:
        await counters.draw(conn, day, billed - before)
    return ways
