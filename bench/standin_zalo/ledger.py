"""Who was sent what: a list for tests, a file for benchmarks, a stream for whoever listens."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TextIO

from bench.standin_zalo.shapes import Json

TOLD = ("kind", "text", "actions", "buttons", "image", "message_id", "billed", "about", "data")


@dataclass(frozen=True, slots=True)
class Sent:
    """`image`: the attachment's id, token or address; `about`: the template, or the message reacted to."""

    method: str
    kind: str
    to: str
    message_id: str
    text: str = ""
    buttons: tuple[Json, ...] = ()
    image: str = ""
    billed: bool = False
    about: str = ""
    data: Json = field(default_factory=dict)

    @property
    def actions(self) -> list[str]:
        """What comes back when a button is pressed; links bring nothing back."""
        return [button["payload"] for button in self.buttons if isinstance(button["payload"], str)]


@dataclass
class Ledger:
    file: TextIO | None = None
    sent: list[Sent] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    listeners: set[asyncio.Queue[bytes]] = field(default_factory=set)
    # A long benchmark in a process of its own reads the file, not the list.
    keep: bool = True

    def wants(self, sent: Sent | None) -> bool:
        return self.file is not None or (sent is not None and bool(self.listeners))

    def accept(self, sent: Sent) -> Sent:
        if self.keep:
            self.sent.append(sent)
        return sent

    def note(self, method: str, to: str, sent: Sent | None, code: int, delivered: bool | None) -> None:
        """`delivered` None: the answer is under way."""
        line = json.dumps(_entry(method, to, sent, code, delivered), ensure_ascii=False)
        if self.file is not None:
            self.lines.append(line)
        if sent is not None:
            for listener in self.listeners:
                listener.put_nowait(line.encode("utf-8", "replace") + b"\n")

    def flush(self) -> None:
        lines, self.lines = self.lines, []
        if self.file is not None and lines:
            self.file.write("\n".join(lines) + "\n")
            self.file.flush()


def _entry(method: str, to: str, sent: Sent | None, code: int, delivered: bool | None) -> Json:
    entry: Json = {"t": time.monotonic(), "method": method, "chat": to, "answer": code}
    entry |= {"accepted": sent is not None, "delivered": delivered}
    if sent is not None:
        entry |= {name: getattr(sent, name) for name in TOLD}
    return entry
