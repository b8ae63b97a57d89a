"""What can go wrong on purpose: by path, recipient and count."""

import random
from dataclasses import dataclass, field
from typing import Any

from bench.standin_zalo.calls import Call


@dataclass
class Fault:
    """`path` is how the call's path ends, e.g. "/message/cs" or "/sendMessage"; `to` whom it is for.

    `error` answers with that code in the platform's own envelope; `status`, `body`, `headers` with anything.
    `delay` waits before anything happens, `hold` after it was done; `reset` breaks the connection "before"
    or "after"; `accept` does what was asked and answers otherwise; `silent` never answers.
    """

    path: str | None = None
    to: str | None = None
    count: int | None = None
    probability: float = 1.0
    error: int | None = None
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    hold: float = 0.0
    reset: str | None = None
    accept: bool = False
    silent: bool = False

    def hits(self, call: Call) -> bool:
        if self.count == 0 or (self.path and not call.path.endswith(self.path)):
            return False
        if self.to is not None and call.to != self.to:
            return False
        if self.probability < 1 and random.random() >= self.probability:
            return False
        if self.count is not None:
            self.count -= 1
        return True

    @property
    def replaces(self) -> bool:
        """It answers something else than the platform would."""
        return bool(self.reset) or self.error is not None or self.status is not None or self.body is not None

    @property
    def accepts(self) -> bool:
        return not self.replaces or self.accept or self.reset == "after"
