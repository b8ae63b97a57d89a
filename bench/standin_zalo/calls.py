"""One HTTP call as the platform sees it, and what it answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple
from urllib.parse import parse_qsl

from bench.standin_zalo.errors import Refused, invalid
from bench.standin_zalo.ledger import Sent
from bench.standin_zalo.shapes import Json, mapping


class Upload(NamedTuple):
    name: str
    data: bytes


@dataclass
class Call:
    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    # What came of it, for the ledger.
    sent: Sent | None = None

    @cached_property
    def arguments(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True)) if self.query else {}

    @cached_property
    def form(self) -> dict[str, str]:
        if not self._kind.startswith("application/x-www-form-urlencoded"):
            return {}
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @cached_property
    def given(self) -> Json:
        """A POST's JSON body, or the one `data` parameter of a GET."""
        if self.method == "GET":
            return _object(self.arguments.get("data", "{}"), "data")
        if not self._kind.startswith("application/json"):
            raise invalid("Content-Type")
        return _object(self.body, "body")

    @cached_property
    def anyhow(self) -> Json:
        """Every way the Bot platform takes parameters: query, form, multipart or JSON."""
        if self._kind.startswith("application/json") and self.body:
            return self.arguments | _object(self.body, "body")
        parts = {name: part.data.decode("utf-8", "replace") for name, part in self.parts.items()}
        return {**self.arguments, **self.form, **parts}

    @cached_property
    def parts(self) -> dict[str, Upload]:
        if not self._kind.startswith("multipart/form-data"):
            return {}
        boundary = b"--" + self._kind.partition("boundary=")[2].partition(";")[0].strip('"').encode()
        return dict(_part(chunk) for chunk in self.body.split(boundary)[1:-1])

    @property
    def name(self) -> str:
        """Without the Bot's token."""
        return self.path.rpartition("/")[2] if self.path.startswith("/bot") else self.path

    @property
    def to(self) -> str:
        """Whom it is for, whatever the call; for faults and the ledger, which refuse nothing."""
        try:
            return _recipient(self.anyhow if self.path.startswith("/bot") else self.given)
        except (Refused, ValueError):
            return ""

    @property
    def _kind(self) -> str:
        return self.headers.get("Content-Type", "")


@dataclass
class Answer:
    body: Json
    code: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def _object(text: str | bytes, name: str) -> Json:
    try:
        return mapping(json.loads(text), name)
    except ValueError:
        raise invalid(name) from None


def _part(chunk: bytes) -> tuple[str, Upload]:
    head, _, data = chunk.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    words = head.decode("utf-8", "replace")
    name = words.partition(' name="')[2].partition('"')[0]
    return name, Upload(words.partition('filename="')[2].partition('"')[0], data.removesuffix(b"\r\n"))


def _recipient(given: Json) -> str:
    named = given.get("recipient")
    place = named if isinstance(named, dict) else given
    return next((str(place[key]) for key in ("user_id", "group_id", "chat_id") if key in place), "")
