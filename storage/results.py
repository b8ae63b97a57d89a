"""What units say that they did, of a clean-up day or of a task: as it stands now, and all that was said."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert


async def tell(
    conn: AsyncConnection,
    table: sa.Table,
    history: sa.Table,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    told: Mapping[str, Any],
) -> None:
    """What the unit of that key says now, and a line: `told` has at, person, action and what was given."""
    statement = insert(conn, table).values(**key, **values)
    again = statement.on_conflict_do_update(
        index_elements=list(key), set_={**values, "version": table.c.version + 1}
    )
    await conn.execute(again)
    line = dict(key) | dict(told) | {"told": json.dumps(dict(values), ensure_ascii=False)}
    await conn.execute(sa.insert(history), line)
