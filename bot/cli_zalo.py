"""python -m bot zalo [login|status]: the Official Account's leave to speak, given and looked at."""

import getpass
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from bot.channels.zalo_http import ApiError, Ok, OpenApi
from bot.channels.zalo_login import Asked, WrongAddress, code_in, consent_link, draw
from bot.channels.zalo_oauth import REFUSED, UNREACHABLE, NoToken
from bot.channels.zalo_tokens import Standing, Tokens
from bot.cli_base import fail, quiet, say, settings_or_exit, with_database
from bot.clock import SystemClock
from bot.core.when import local
from bot.platforms import zalo_tokens_of
from bot.settings import Settings
from storage.database import Database

app = typer.Typer(help="The Zalo Official Account.", no_args_is_help=True)
# zalo.md 6.6: the name differs between the documentation and what was seen.
CLOUD = ("linked_zca", "linked_ZCA")
NO_VERIFIER = "none"


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of the account without any secret; `seen` is Zalo's getoa, None when it was not told."""

    standing: Standing | None
    seen: dict[str, Any] | None
    problem: str

    @property
    def verified(self) -> bool:
        return (self.seen or {}).get("is_verified") is True

    @property
    def cloud(self) -> bool:
        """Whether a Zalo Cloud Account pays for templates."""
        return any((self.seen or {}).get(name) for name in CLOUD)


@app.command()
def login(
    refresh_token: Annotated[
        bool, typer.Option("--refresh-token", help="read a refresh token, unseen, instead of showing a link")
    ] = False,
    callback: Annotated[
        str | None, typer.Option(help="the Callback URL saved at Zalo; default: PUBLIC_URL")
    ] = None,
    verifier: Annotated[
        str | None, typer.Option(help="the one whose challenge is saved at Zalo, or none; default: drawn")
    ] = None,
) -> None:
    """Get the first tokens, or new ones when Zalo takes the old ones no longer."""
    settings = _zalo_settings()
    if refresh_token:
        say("zalo_paste_token")
        pasted = _unseen()
        _log_in(settings, lambda tokens: tokens.adopt(pasted))
    else:
        code, proof = _consent(settings, callback, verifier)
        _log_in(settings, lambda tokens: tokens.exchange(code, proof))
    say("zalo_logged_in")


@app.command()
def status() -> None:
    """Say how long the tokens last and what Zalo knows of the account; exit 1 when something is wrong."""
    settings = _zalo_settings()

    async def work(db: Database) -> Account:
        return await account_of(settings, tokens_of(settings, db))

    account: Account = with_database(settings, work)
    say_status(account)
    if account.problem:
        raise typer.Exit(1)


def say_status(account: Account) -> None:
    """The tokens, never in clear, and what Zalo says of the account."""
    standing, seen, told = account.standing, account.seen or {}, _told(account.problem)
    say(
        "zalo_status",
        made=standing and standing.made_at and f"{local(standing.made_at):%H:%M %d/%m/%Y}",
        ends=standing and f"{local(standing.ends_at):%H:%M %d/%m/%Y}",
        seen=account.seen is not None,
        name=str(seen.get("name") or ""),
        package=str(seen.get("package_name") or ""),
        until=str(seen.get("package_valid_through_date") or ""),
        verified=account.verified,
        kind=str(seen.get("oa_type")).lower(),
        cloud=account.cloud,
        problem=told["problem"],
    )
    if told["problem"] == REFUSED:
        say_refusal(told["code"])


def say_refusal(code: str) -> None:
    """What a code of Zalo's means, and what to do."""
    say("zalo_refused", code=code)


def tokens_of(settings: Settings, db: Database) -> Tokens:
    """The credentials as the settings say; they have been looked over already."""
    tokens = zalo_tokens_of(settings, db, SystemClock())
    if tokens is None:
        raise AssertionError("settings see to it")
    return tokens


def _zalo_settings() -> Settings:
    settings = settings_or_exit()
    quiet()
    if settings.zalo_oa_app_id is None:
        raise fail("zalo_not_set")
    return settings


def _consent(settings: Settings, callback: str | None, verifier: str | None) -> tuple[str, str | None]:
    """The code that the administrator's consent gives, and the verifier that goes with it."""
    callback = callback or settings.public_url
    if callback is None:
        raise fail("zalo_no_callback")
    asked = Asked(draw(), None if verifier == NO_VERIFIER else verifier or draw())
    link = consent_link(settings.zalo_oauth_url, str(settings.zalo_oa_app_id), callback, asked)
    say("zalo_consent", link=link, callback=callback)
    try:
        return code_in(sys.stdin.readline(), asked), asked.verifier
    except WrongAddress as wrong:
        raise fail("zalo_wrong_address", other=wrong.why == "state") from None


def _unseen() -> str:
    """A line that the terminal does not show; or from a pipe, where there is nothing to show."""
    return (getpass.getpass("") if sys.stdin.isatty() else sys.stdin.readline()).strip()


def _log_in(settings: Settings, step: Callable[[Tokens], Awaitable[None]]) -> None:
    async def work(db: Database) -> str:
        try:
            await step(tokens_of(settings, db))
        except NoToken as none:
            return none.problem
        return ""

    problem = with_database(settings, work)
    if problem:
        raise fail("zalo_login_failed", **_told(problem))


async def account_of(settings: Settings, tokens: Tokens) -> Account:
    """Asks Zalo; whatever goes wrong is the account's problem."""
    api = OpenApi(settings.zalo_oa_api_url, tokens)
    seen, problem = None, ""
    try:
        match await api.call("GET", "/v2.0/oa/getoa"):
            case Ok(dict() as data):
                seen = data
            case ApiError(code):
                problem = f"{REFUSED}:{code}"
            case _:
                problem = UNREACHABLE
    except NoToken as none:
        problem = none.problem
    finally:
        await api.stop()
    return Account(await tokens.standing(), seen, problem or tokens.problem)


def _told(problem: str) -> dict[str, str]:
    """A problem for a message: its kind, and the number that Zalo gave."""
    kind, _, code = problem.partition(":")
    return {"problem": kind, "code": code}
