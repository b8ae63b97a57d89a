"""The kinds of values that commune.toml is made of, and how what is wrong with them is said."""

import re
from collections.abc import Iterable, Iterator
from datetime import time
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, StringConstraints
from pydantic import Field as Limit


def _clock(value: object) -> object:
    """TOML 1.0 wants seconds in its times, people do not."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError('must be a time of day such as "06:00"')
    return time.fromisoformat(value)


Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([-_][a-z0-9]+)*$", max_length=40)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Pair = Annotated[list[list[Text]], Limit(min_length=2, max_length=2)]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20)]
Clock = Annotated[time, BeforeValidator(_clock)]
Degrees = Annotated[list[float], Limit(min_length=2, max_length=2)]
UnitKind = Literal["village", "school", "police", "office", "department", "association"]


# What every table of the file is read with: no key that nobody reads, no text where a number belongs.
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def repeated(kind: str, ids: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            yield f"{kind}[{one}].id: is used twice"
        seen.add(one)
