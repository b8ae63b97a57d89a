"""python -m bot doctor: what is missing or wrong before real use, in the commune and on each platform."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.channels import zalo_oa_read
from bot.channels.zalo_oa_outcomes import MONEY, SETUP
from bot.channels.zalo_oauth import REFUSED, UNREACHABLE
from bot.cli_base import commune_or_exit, quiet, say, settings_or_exit, with_database
from bot.cli_zalo import Account, account_of, say_refusal, say_status, tokens_of
from bot.clock import SystemClock
from bot.core.commune import Commune
from bot.platforms import any_set, zalo_bot_of
from bot.settings import TEMPLATE_KINDS, Settings
from bot.ways import billed_counter
from storage import counters, inbox, outbox, people
from storage.database import Database

WEEK_MS = 7 * 24 * 3600 * 1000
UNVERIFIED, NO_CLOUD = "-221", "-320"


@dataclass(frozen=True, slots=True)
class ZaloSeen:
    """`held_by`: the codes for which Zalo takes nothing now."""

    account: Account
    held_by: Collection[str]
    unreached: int
    billed: int


def doctor() -> None:
    """Say what is missing or wrong; exit 1 when something must be done before real use."""
    settings = settings_or_exit()
    commune = commune_or_exit(settings)
    quiet()

    async def work(db: Database) -> tuple[dict[str, Any], ZaloSeen | None, str | int | None]:
        async with db.read() as conn:
            found = await _commune_seen(conn, commune, real=any_set(settings))
        zalo = None if settings.zalo_oa_app_id is None else await _zalo_seen(settings, db)
        return found, zalo, await _zalo_bot_says(settings)

    found, zalo, bot = with_database(settings, work)
    stand_ins = [unit.name for unit in commune.units.values() if unit.stand_in]
    say("doctor", stand_ins=stand_ins, telegram=settings.telegram_bot_token is not None, **found)
    todo = bool(stand_ins or found["deaf"])
    todo |= _tell_zalo(settings, zalo)
    todo |= _tell_zalo_bot(settings, bot)
    if todo:
        raise typer.Exit(1)


async def _commune_seen(conn: AsyncConnection, commune: Commune, *, real: bool) -> dict[str, Any]:
    ears = [(unit, channel) for unit, channel, _ in await people.rooms_of(conn, list(commune.units))]
    ears += [(ear.unit, ear.channel) for ear in await people.ears_of(conn, list(commune.units))]
    # The seats of the training page are nobody once a platform is set.
    heard = {unit for unit, channel in ears if not real or channel != "webchat"}
    return {
        "deaf": [u.name for u in commune.units.values() if u.id not in heard],
        "quarantined": await inbox.count_quarantined(conn),
        "waiting": sum(count for _, count, _ in await outbox.depth(conn)),
    }


# Zalo's Official Account ---------------------------------------------------------------------------


async def _zalo_seen(settings: Settings, db: Database) -> ZaloSeen:
    account = await account_of(settings, tokens_of(settings, db))
    name, now = zalo_oa_read.NAME, SystemClock().ms()
    async with db.read() as conn:
        told = {*await outbox.problems(conn, name), *await outbox.closed_by(conn, name, now - WEEK_MS)}
        held_by = told & {str(code) for code in SETUP | MONEY}
        unreached = dict(await outbox.unreachable(conn, now - WEEK_MS)).get(name, 0)
        billed = await counters.drawn(conn, billed_counter(name, now))
    return ZaloSeen(account, held_by | _implied(settings, account), unreached, billed)


def _implied(settings: Settings, account: Account) -> set[str]:
    """What Zalo would say to a message, from what it says of the account."""
    if account.seen is None:
        return set()
    found = set() if account.verified else {UNVERIFIED}
    return found | ({NO_CLOUD} if settings.zalo_templates and not account.cloud else set())


def _tell_zalo(settings: Settings, zalo: ZaloSeen | None) -> bool:
    """Whether something must be done: that the network is away passes by itself."""
    if zalo is None:
        say("doctor_zalo", set=False)
        return False
    problem = zalo.account.problem
    say_status(zalo.account)
    kind, _, code = problem.partition(":")
    for held in sorted(set(zalo.held_by) - ({code} if kind == REFUSED else set())):
        say_refusal(held)
    secure = _is_secure(settings)
    say(
        "doctor_zalo",
        set=True,
        url=settings.public_url,
        secure=secure,
        missing=[name for name in TEMPLATE_KINDS if name not in settings.zalo_templates],
        unreached=zalo.unreached,
        billed=zalo.billed,
        budget=settings.zalo_daily_budget,
    )
    return bool(zalo.held_by) or not secure or problem not in ("", UNREACHABLE)


def _is_secure(settings: Settings) -> bool:
    return settings.public_url is not None and settings.public_url.startswith("https://")


# The Bot Platform ----------------------------------------------------------------------------------


async def _zalo_bot_says(settings: Settings) -> str | int | None:
    """Its name, or the code that came instead; None when it is not set."""
    bot = zalo_bot_of(settings, SystemClock())
    if bot is None:
        return None
    try:
        return await bot.whoami()
    finally:
        await bot.stop()


def _tell_zalo_bot(settings: Settings, found: str | int | None) -> bool:
    secure = _is_secure(settings)
    name, code = (found, 0) if isinstance(found, str) else ("", found or 0)
    say(
        "doctor_zalo_bot",
        set=found is not None,
        name=name,
        code=code,
        url=settings.public_url,
        secure=secure,
    )
    insecure = settings.public_url is not None and not secure
    return found is not None and (insecure or code != 0)
