"""One activity as it is recorded: who told it, what it came to, and whether somebody else confirmed it."""

from dataclasses import dataclass

TOLD, CONFIRMED, DOUBTED, STRUCK = "told", "confirmed", "doubted", "struck"
EVIDENCE = "activity/"


@dataclass(frozen=True, slots=True)
class Activity:
    """`id` is the number that people say; `told_by` the person, None once they are erased; `at` in ms.

    `photos` are those that prove it, as far as they could be opened, and `evidence` their purpose;
    `partners` the units that worked along.
    """

    id: int
    kind: str
    unit: str
    year: int
    number: float | None
    of: float | None
    measure: str
    name: str
    words: str
    state: str
    told_by: str | None
    told_name: str
    at: int
    checked_name: str = ""
    evidence: str = ""
    partners: tuple[str, ...] = ()
    photos: int = 0
    version: int = 0

    @property
    def confirmed(self) -> bool:
        return self.state == CONFIRMED

    @property
    def counts(self) -> bool:
        return self.state != STRUCK


def evidence(telling: int) -> str:
    """The purpose of the photos of what is being told: by it they find their activity."""
    return f"{EVIDENCE}{telling}"
