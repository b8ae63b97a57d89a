"""Migrations: their files are named by what they hold, and a start that has nothing to migrate loads none."""

import subprocess
import sys
from pathlib import Path

from alembic.script import ScriptDirectory

from storage import migrate
from storage.database import Database


def test_files_begin_with_their_revision() -> None:
    walked = ScriptDirectory.from_config(migrate._config()).walk_revisions()
    assert migrate.revisions() == [script.revision for script in walked][::-1]


LOOKS = """
import asyncio, sys
from storage import migrate
from storage.database import Database

async def main():
    db = Database(sys.argv[1])
    await migrate.upgrade(db)
    await db.close()

asyncio.run(main())
print("alembic" in sys.modules)
"""


def test_a_start_with_nothing_to_migrate_loads_none(sqlite_database: Database, tmp_path: Path) -> None:
    def loaded(url: str) -> str:
        told = subprocess.run([sys.executable, "-c", LOOKS, url], capture_output=True, text=True, check=True)
        return told.stdout.strip()

    assert loaded(sqlite_database.url.render_as_string(hide_password=False)) == "False"
    assert loaded(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}") == "True"
