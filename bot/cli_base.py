"""What every command needs: words on the terminal, the settings, the database beside a running bot."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
import typer
from rich.console import Console

from bot import app as program
from bot.config import ConfigError
from bot.core.commune import Commune
from bot.messages import Messages
from bot.settings import Settings, load_settings
from storage import migrate
from storage.database import Database

words = Messages()
out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)


def say(message: str, **data: Any) -> None:
    out.print(words.render(f"operator/{message}", data).text, markup=False, highlight=False)


def fail(message: str, **data: Any) -> typer.Exit:
    err.print(words.render(f"operator/{message}", data).text, markup=False, highlight=False)
    return typer.Exit(2)


def settings_or_exit() -> Settings:
    try:
        return load_settings()
    except ConfigError as error:
        raise fail("wrong_settings", problem=str(error)) from None


def commune_or_exit(settings: Settings) -> Commune:
    try:
        return program.commune_of(settings)
    except ConfigError as error:
        raise fail("wrong_settings", problem=str(error)) from None


def quiet() -> None:
    """What goes wrong is said in words; log lines are for the program that runs."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def with_database(settings: Settings, work: Callable[[Database], Awaitable[Any]]) -> Any:
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
        raise fail("wrong_settings", problem=str(error)) from None
    except migrate.NewerSchema:
        raise fail("newer_schema") from None
