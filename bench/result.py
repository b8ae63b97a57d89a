"""What a bench found: one row of the table."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`good` is None where nothing is required."""

    name: str
    ours: str
    peers: str = ""
    required: str = ""
    good: bool | None = None


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank; NaN of nothing."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(values: Sequence[float]) -> str:
    return f"p50 {percentile(values, 0.5):.0f}, p99 {percentile(values, 0.99):.0f} ms"
