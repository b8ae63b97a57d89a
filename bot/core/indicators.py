"""How far the commune is with each target of its plan, from what is recorded."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """One indicator: `done` of `target` (None: counted without one), both in `measure`.

    `done` is what was confirmed; `unconfirmed` what was told besides and nobody has confirmed yet.
    """

    id: str
    name: str
    done: float
    target: float | None
    measure: str
    unconfirmed: float = 0

    @property
    def share(self) -> float | None:
        """How much of the target is reached, at most 1; None without a target."""
        return min(1.0, self.done / self.target) if self.target else None
