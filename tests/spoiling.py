"""Every payload, wrong in one place at a time: what a platform may never do and yet must not hurt."""

from collections.abc import Iterator
from typing import Any


def spoiled(value: Any) -> Iterator[Any]:
    """The value with each part of it replaced, in turn, by something of another kind."""
    yield from (None, 5, -(1 << 70), "x", "", [], {}, [None], True, 1.5)
    for key in (
        list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    ):
        for wrong in spoiled(value[key]):
            changed = value.copy()
            changed[key] = wrong
            yield changed
