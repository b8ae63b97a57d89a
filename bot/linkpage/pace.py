"""How often one link may be asked for in a minute, by this process."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

WINDOW_S: Final = 60.0
REMEMBERED: Final = 10_000


class Pace:
    """Counts each key by windows; forgets the longest silent when too many are known. In seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def allows(self, key: str, most: int) -> bool:
        now = self._monotonic()
        began, count = self._seen.get(key, (now, 0))
        if now - began >= WINDOW_S:
            began, count = now, 0
        self._seen[key] = began, count + 1
        self._seen.move_to_end(key)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return count < most
