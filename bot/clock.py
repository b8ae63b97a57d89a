"""The one place where the program asks what time it is."""

import time
from datetime import UTC, datetime


class Clock:
    """Wall time for what people see, monotonic time for waiting."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()
