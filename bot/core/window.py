"""When a platform lets us write to a person: free, billed, by an approved template, or not at all."""

from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """How a message may go out now. TEMPLATE: only as one of the texts that the platform approved before."""

    FREE = "free"
    BILLED = "billed"
    TEMPLATE = "template"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Window:
    """Since a person last wrote (ms): free for so long, then billed up to `daily` a day, then closed.

    `templates` are the names of the messages for which an approved text stands ready.
    """

    free: int
    hard: int
    daily: int
    templates: frozenset[str] = frozenset()

    def way(self, message: str, last: int | None, now: int, *, billed: int, group: bool) -> Way:
        """`last` is when the person last wrote, None when that is not known; `billed` what today has cost."""
        if group:
            return Way.FREE
        since = self.hard + 1 if last is None else now - last
        if since <= self.free:
            return Way.FREE
        if since <= self.hard and billed < self.daily:
            return Way.BILLED
        return Way.TEMPLATE if message in self.templates else Way.CLOSED
