"""What a unit said of a clean-up day or of a task, from its row."""

from typing import Any

import sqlalchemy as sa

from bot.core.amounts import Amounts
from bot.core.facts import Result


def result_of(row: sa.Row[Any]) -> Result:
    return Result(
        row.unit,
        row.accepted_at,
        row.accepted_by,
        row.reported_at,
        row.reported_by,
        Amounts(row.households, row.of_households, row.people, row.kg, row.trees),
        row.note,
    )
