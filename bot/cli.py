"""python -m bot [run|invite|members|remove|import|doctor|backup]: what an operator does at the keyboard."""

import asyncio
import contextlib
import logging
import os
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.table import Table

from bot import app as program
from bot.clock import SystemClock
from bot.config import ConfigError
from bot.core.commune import Commune
from bot.core.invite import LIFE_MS, ROLES, digest
from bot.messages import Messages
from bot.perform import draw_invite
from bot.settings import Settings, load_settings
from bot.unitsfile import UnitsFileError, replace_units
from storage import inbox, migrate, outbox, people
from storage.database import Database

app = typer.Typer(no_args_is_help=False, add_completion=False, pretty_exceptions_enable=False)
words = Messages()
PATIENCE_S = 5.0
out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)


def _say(message: str, **data: Any) -> None:
    out.print(words.render(f"operator/{message}", data).text, markup=False, highlight=False)


def _fail(message: str, **data: Any) -> typer.Exit:
    err.print(words.render(f"operator/{message}", data).text, markup=False, highlight=False)
    return typer.Exit(2)


def _settings() -> Settings:
    try:
        return load_settings()
    except ConfigError as error:
        raise _fail("wrong_settings", problem=str(error)) from None


def _commune(settings: Settings) -> Commune:
    try:
        return program.commune_of(settings)
    except ConfigError as error:
        raise _fail("wrong_settings", problem=str(error)) from None


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


def _with_database(settings: Settings, work: Callable[[Database], Awaitable[Any]]) -> Any:
    """Open the database beside a running bot, do the work, close."""

    async def go() -> Any:
        db = program.open_database(settings)
        try:
            await program.prepare(db)
            return await work(db)
        finally:
            await db.close()

    try:
        return asyncio.run(go())
    except ConfigError as error:
        raise _fail("wrong_settings", problem=str(error)) from None
    except migrate.NewerSchema:
        raise _fail("newer_schema") from None


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """An Phú Xanh."""
    if context.invoked_subcommand is None:
        run()


@app.command()
def run() -> None:
    """Serve until stopped."""
    settings = _settings()
    configure_logging(settings.log_level)
    try:
        asyncio.run(program.serve(settings))
    except ConfigError as error:
        raise _fail("wrong_settings", problem=str(error)) from None
    except migrate.NewerSchema:
        raise _fail("newer_schema") from None


@app.command()
def invite(
    unit: Annotated[str, typer.Option(help="unit id, e.g. thon-03")],
    role: Annotated[str, typer.Option(help=" | ".join(ROLES))],
) -> None:
    """Make an invite; the code is the last line."""
    settings = _settings()
    commune = _commune(settings)
    if unit not in commune.units:
        raise _fail("unknown_unit", unit=unit)
    if role not in ROLES:
        raise _fail("unknown_role", role=role, roles=", ".join(ROLES))
    code, now = draw_invite(), SystemClock().ms()

    async def work(db: Database) -> str | None:
        await db.write(lambda c: people.make_invite(c, digest(code), unit, role, now, now + LIFE_MS))
        return await _bot_name(settings)

    _say("invited", unit=commune.units[unit].name, role=role, code=code, bot=_with_database(settings, work))
    typer.echo(code)


async def _bot_name(settings: Settings) -> str | None:
    """For the link; an invite without it is as good."""
    telegram = program.telegram_of(settings)
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
    settings = _settings()

    async def work(db: Database) -> list[people.Member]:
        async with db.read() as conn:
            return await people.all_members(conn, unit)

    table = Table("number", "unit", "role", "name")
    for member in _with_database(settings, work):
        table.add_row(str(member.id), member.unit, member.role, member.name)
    out.print(table)


@app.command()
def remove(member: Annotated[int, typer.Argument(help="the number that `members` shows")]) -> None:
    """Remove a member; their buttons stop working at once."""

    async def work(db: Database) -> bool:
        return await db.write(lambda conn: people.remove(conn, member, SystemClock().ms()))

    if not _with_database(_settings(), work):
        raise _fail("unknown_member", member=member)
    _say("removed", member=member)


@app.command("import")
def import_(units: Annotated[Path, typer.Argument(help="units.csv")]) -> None:
    """Replace stand-in names and coordinates of units by real ones."""
    settings = _settings()
    try:
        replace_units(settings.commune, units)
    except (UnitsFileError, ConfigError, OSError) as error:
        raise _fail("wrong_units", problem=str(error)) from None
    _say("imported", file=units.name)


@app.command()
def doctor() -> None:
    """Say what is missing or wrong; exit 1 when something must be done before real use."""
    settings = _settings()
    commune = _commune(settings)

    telegram = settings.telegram_bot_token is not None

    async def work(db: Database) -> dict[str, Any]:
        async with db.read() as conn:
            ears = [(unit, channel) for unit, channel, _ in await people.rooms_of(conn, list(commune.units))]
            ears += [(ear.unit, ear.channel) for ear in await people.ears_of(conn, list(commune.units))]
            # The seats of the training page are nobody once a platform is set.
            heard = {unit for unit, channel in ears if not telegram or channel != "webchat"}
            return {
                "deaf": [u.name for u in commune.units.values() if u.id not in heard],
                "quarantined": await inbox.count_quarantined(conn),
                "waiting": sum(count for _, count, _ in await outbox.depth(conn)),
            }

    found = _with_database(settings, work)
    stand_ins = [unit.name for unit in commune.units.values() if unit.stand_in]
    _say("doctor", stand_ins=stand_ins, telegram=telegram, **found)
    if stand_ins or found["deaf"]:
        raise typer.Exit(1)


@app.command()
def backup(folder: Annotated[Path | None, typer.Argument(help="default: DATA_DIR/backups")] = None) -> None:
    """Copy the SQLite database beside a running bot. Photos are files: copy their folder too."""
    settings = _settings()
    if settings.database_url is not None:
        raise _fail("backup_postgres")
    source = settings.data_dir / "anphuxanh.db"
    if not source.exists():
        raise _fail("no_database", path=str(source))
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
    _say("backed_up", path=str(target))
