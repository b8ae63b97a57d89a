"""A platform's body as JSON that any database can keep, and the plain values found in it."""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from bot.channels.base import Malformed

# What a payload of the wrong shape raises somewhere inside a library or here.
NONSENSE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
# An id is a key in tables: short, and nothing that would have to be escaped.
_ID: Final = re.compile(r"[!-~]{1,128}")
_NUMBER_LIMIT: Final = 1 << 63


def _not_a_number(word: str) -> None:
    raise Malformed(word)


_READER: Final = json.JSONDecoder(parse_constant=_not_a_number)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Whatever nonsense raises in here comes out as Malformed."""
    try:
        yield
    except Malformed:
        raise
    except NONSENSE as error:
        raise Malformed(type(error).__name__) from None


def opened(body: bytes) -> dict[str, Any]:
    """The object that a body holds, without NUL, which PostgreSQL stores neither in text nor in JSON.

    Raises NONSENSE.
    """
    payload = _READER.decode(body.decode("utf-8"))
    if not isinstance(payload, dict):
        raise Malformed("object")
    return payload if b"\\u0000" not in body else dict(_without_nul(payload))


def closed(payload: object) -> str:
    """As it is stored. Raises NONSENSE, also for the half of a surrogate pair, which no database takes."""
    raw = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    raw.encode("utf-8")
    return raw


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\0", "")
        case list():
            return [_without_nul(each) for each in value]
        case dict():
            return {_without_nul(name): _without_nul(each) for name, each in value.items()}
    return value


def looked_up(payload: object, *names: str) -> Any:
    """Walk into nested mappings; None where the path breaks."""
    here = payload
    for name in names:
        here = here.get(name) if isinstance(here, Mapping) else None
    return here


def identity(value: object) -> str | None:
    """An id, which platforms write as text and now and then as a number; None when it is none."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _NUMBER_LIMIT:
        return str(value)
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def required(value: object, what: str) -> str:
    """An id that has to be there. Raises Malformed."""
    found = identity(value)
    if found is None:
        raise Malformed(what)
    return found


def text(value: object) -> str:
    """Words that may be left out. Raises Malformed for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed("text")
    return value


def size(value: object) -> int | None:
    """Bytes, as a number or its digits. A wrong one is none: a photo is not lost for it."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 < value < _NUMBER_LIMIT else None
