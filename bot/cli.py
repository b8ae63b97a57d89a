"""python -m bot [run|invite|members|remove|import|doctor|backup|zalo]: what an operator does there."""

import asyncio
import contextlib
import logging
import os
import sqlite3
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.table import Table

from bot import app as program
from bot import cli_doctor, cli_zalo
from bot.cli_base import commune_or_exit, fail, out, say, settings_or_exit, with_database
from bot.clock import SystemClock
from bot.config import ConfigError
from bot.core.invite import LIFE_MS, ROLES, digest
from bot.perform import draw_invite
from bot.platforms import telegram_of
from bot.settings import Settings
from bot.unitsfile import UnitsFileError, replace_units
from storage import migrate, people
from storage.database import Database

app = typer.Typer(no_args_is_help=False, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(cli_zalo.app, name="zalo")
PATIENCE_S = 5.0


def configure_logging(level: str) -> None:
    """JSON lines on stdout: a short sentence and fields."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """An Phú Xanh."""
    if context.invoked_subcommand is None:
        run()


@app.command()
def run() -> None:
    """Serve until stopped."""
    settings = settings_or_exit()
    configure_logging(settings.log_level)
    try:
        asyncio.run(program.serve(settings))
    except ConfigError as error:
        raise fail("wrong_settings", problem=str(error)) from None
    except migrate.NewerSchema:
        raise fail("newer_schema") from None


@app.command()
def invite(
    unit: Annotated[str, typer.Option(help="unit id, e.g. thon-03")],
    role: Annotated[str, typer.Option(help=" | ".join(ROLES))],
) -> None:
    """Make an invite; the code is the last line."""
    settings = settings_or_exit()
    commune = commune_or_exit(settings)
    if unit not in commune.units:
        raise fail("unknown_unit", unit=unit)
    if role not in ROLES:
        raise fail("unknown_role", role=role, roles=", ".join(ROLES))
    code, now = draw_invite(), SystemClock().ms()

    async def work(db: Database) -> str | None:
        await db.write(lambda c: people.make_invite(c, digest(code), unit, role, now, now + LIFE_MS))
        return await _bot_name(settings)

    say("invited", unit=commune.units[unit].name, role=role, code=code, bot=with_database(settings, work))
    typer.echo(code)


async def _bot_name(settings: Settings) -> str | None:
    """For the link; an invite without it is as good."""
    telegram = telegram_of(settings)
    if telegram is None:
        return None
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await telegram.whoami()
    except TimeoutError:
        return None
    finally:
        await telegram.stop()


@app.command()
def members(unit: Annotated[str | None, typer.Option()] = None) -> None:
    """List members with their numbers."""
    settings = settings_or_exit()

    async def work(db: Database) -> list[people.Member]:
        async with db.read() as conn:
            return await people.all_members(conn, unit)

    table = Table("number", "unit", "role", "name")
    for member in with_database(settings, work):
        table.add_row(str(member.id), member.unit, member.role, member.name)
    out.print(table)


@app.command()
def remove(member: Annotated[int, typer.Argument(help="the number that `members` shows")]) -> None:
    """Remove a member; their buttons stop working at once."""

    async def work(db: Database) -> bool:
        return await db.write(lambda conn: people.remove(conn, member, SystemClock().ms()))

    if not with_database(settings_or_exit(), work):
        raise fail("unknown_member", member=member)
    say("removed", member=member)


@app.command("import")
def import_(units: Annotated[Path, typer.Argument(help="units.csv")]) -> None:
    """Replace stand-in names and coordinates of units by real ones."""
    settings = settings_or_exit()
    try:
        replace_units(settings.commune, units)
    except (UnitsFileError, ConfigError, OSError) as error:
        raise fail("wrong_units", problem=str(error)) from None
    say("imported", file=units.name)


app.command()(cli_doctor.doctor)


@app.command()
def backup(folder: Annotated[Path | None, typer.Argument(help="default: DATA_DIR/backups")] = None) -> None:
    """Copy the SQLite database beside a running bot. Photos are files: copy their folder too."""
    settings = settings_or_exit()
    if settings.database_url is not None:
        raise fail("backup_postgres")
    source = settings.data_dir / "anphuxanh.db"
    if not source.exists():
        raise fail("no_database", path=str(source))
    folder = folder or settings.data_dir / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"anphuxanh-{SystemClock().now():%Y%m%d-%H%M%S-%f}.db"
    # Only a whole copy gets a name that looks like one.
    part = target.with_suffix(".part")
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as db,
        contextlib.closing(sqlite3.connect(part)) as copy,
    ):
        os.chmod(part, 0o600)
        db.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    part.rename(target)
    say("backed_up", path=str(target))
