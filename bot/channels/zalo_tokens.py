"""The access token of a Zalo Official Account: kept sealed, renewed in time, by one of us only."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeGuard

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.channels.vault import Vault, WrongKey
from bot.channels.zalo_oauth import REFUSED, UNREACHABLE, NoToken, OAuth
from bot.channels.zalo_wire import OpenSession, open_session
from bot.clock import Clock
from storage import tokens
from storage.database import Database
from storage.tokens import Token

# Four times as long as the request that it covers: who claimed and died is waited for no longer.
LEASE_MS = 60_000
# After a refusal a person must act; another look now and then costs nothing and heals by itself.
REFUSED_REST_MS = 600_000
UNREACHABLE_REST_MS = 10_000
POLL_S = 0.25
# A pair that could not be written is lost for good if we give up: a refresh token works only once.
SAVE_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
LOGIN: Final = "login"
KEY: Final = "key"
UNSAVED: Final = "unsaved"

log = structlog.get_logger()
Rest = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, repr=False)
class Pair:
    """No repr: it would end up in somebody's log."""

    access: str
    refresh: str
    made_at: int
    renews_at: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What may be told about the stored pair."""

    made_at: int
    ends_at: int
    problem: str


class Tokens:
    """Several processes may hold one of these each: they meet in the database only.

    `first` is the refresh token of the settings, for when there is no pair yet.
    """

    def __init__(
        self,
        db: Database,
        vault: Vault,
        *,
        app_id: str,
        app_secret: str,
        oauth_url: str,
        clock: Clock,
        first: str | None = None,
        open_session: OpenSession = open_session,
        rest: Rest = asyncio.sleep,
    ) -> None:
        self._db = db
        self._vault = vault
        self._oauth = OAuth(oauth_url, app_id, app_secret, open_session)
        self._clock = clock
        self._first = first
        self._rest = rest
        self._name = f"zalo_oa/{app_id}"
        self._held: Pair | None = None
        self._dead: str | None = None
        self._unsaved: Token | None = None
        self._renewing: asyncio.Task[Pair] | None = None
        self._problem = ""
        self._quiet_until = 0
        self._stopping = False

    @property
    def problem(self) -> str:
        """Why the last renewal here failed, though the token at hand may still work; else empty."""
        return self._problem

    async def trouble(self) -> str:
        """`problem`, unless somebody else has put it right in the meantime."""
        if self._problem:
            with contextlib.suppress(NoToken):
                await self._look()
        return self._problem

    async def access(self) -> str:
        """A token that should work. Raises NoToken."""
        if self._will_do(self._held):
            return self._held.access
        held = await self._look()
        if self._will_do(held):
            return held.access
        try:
            return (await self._renew(held)).access
        except NoToken:
            if not self._works(held):
                raise
            # Half its life is left for somebody to put it right; nobody need ask for each message.
            self._quiet_until = self._clock.ms() + UNREACHABLE_REST_MS
            return held.access

    async def renewed(self, dead: str) -> str:
        """Another token than the one that Zalo no longer takes. Raises NoToken."""
        if self._held is not None and self._held.access == dead:
            self._dead = dead
        held = self._held if self._works(self._held) else await self._look()
        if self._works(held) and held.access != dead:
            return held.access
        return (await self._renew(held)).access

    async def exchange(self, code: str, verifier: str | None) -> None:
        """The first pair, for the code that the consent page gave. Raises NoToken."""
        proof = {} if verifier is None else {"code_verifier": verifier}
        await self._log_in({"grant_type": "authorization_code", "code": code, **proof})

    async def adopt(self, refresh_token: str) -> None:
        """The first pair, for a refresh token that Zalo's page gave; it is used up. Raises NoToken."""
        await self._log_in({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def standing(self) -> Standing | None:
        """What there is; None before the first login."""
        async with self._db.read() as conn:
            row = await tokens.read(conn, self._name)
        return None if row is None else Standing(row.made_at, row.ends_at, row.problem)

    async def stop(self) -> None:
        """A renewal under way is brought to its end: broken off, its pair would be lost."""
        self._stopping = True
        if self._renewing is not None:
            await asyncio.wait({self._renewing})

    # The pair at hand ------------------------------------------------------------------------------

    def _works(self, pair: Pair | None) -> TypeGuard[Pair]:
        return pair is not None and pair.access != self._dead and self._clock.ms() < pair.ends_at

    def _will_do(self, pair: Pair | None) -> TypeGuard[Pair]:
        """Nothing is to be done for it, or somebody here does it already."""
        if not self._works(pair):
            return False
        return self._renewing is not None or self._clock.ms() < max(pair.renews_at, self._quiet_until)

    async def _look(self) -> Pair | None:
        async with self._db.read() as conn:
            row = await tokens.read(conn, self._name)
        return None if row is None or not row.made_at else self._hold(row)

    def _hold(self, row: Token) -> Pair:
        """Remember a row's pair, unless it was read before a newer one was made here."""
        try:
            opened = json.loads(self._vault.open(row.sealed))
        except WrongKey:
            raise self._trouble(KEY) from None
        pair = Pair(opened["access"], opened["refresh"], row.made_at, row.renews_at, row.ends_at)
        if self._held is None or self._held.made_at < pair.made_at:
            self._held, self._dead = pair, None
            self._problem, self._quiet_until = "", 0
        return self._held

    def _trouble(self, problem: str) -> NoToken:
        self._problem = problem
        return NoToken(problem)

    # Renewing --------------------------------------------------------------------------------------

    async def _renew(self, old: Pair | None) -> Pair:
        """One renewal for all who wait here. Who gives up waiting does not break it off."""
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew_once(old.made_at if old else 0))
            self._renewing.add_done_callback(self._over)
        return await asyncio.shield(self._renewing)

    def _over(self, task: "asyncio.Task[Pair]") -> None:
        self._renewing = None
        if not task.cancelled():
            # Looked at even when nobody waits any more, or asyncio would print it.
            task.exception()

    async def _renew_once(self, made_at: int) -> Pair:
        """Somebody renews the pair of that moment: we, or who holds the claim and is waited for."""
        if self._unsaved is not None:
            return await self._save(self._unsaved)
        while True:
            won, row = await self._db.write(lambda conn: self._claim(conn, made_at))
            if row is None:
                raise self._trouble(LOGIN)
            if row.made_at != made_at:
                return self._hold(row)
            if won:
                return await self._ask_and_save(row)
            if row.problem or self._stopping:
                raise self._trouble(row.problem or UNREACHABLE)
            await self._rest(POLL_S)

    async def _claim(self, conn: AsyncConnection, made_at: int) -> tuple[bool, Token | None]:
        if not made_at and self._first is None:
            row = await tokens.read(conn, self._name)
            return False, row if row and row.made_at else None
        if not made_at:
            await tokens.begin(conn, self._name)
        now = self._clock.ms()
        won = await tokens.claim(conn, self._name, made_at, now, now + LEASE_MS)
        return won, await tokens.read(conn, self._name)

    async def _ask_and_save(self, row: Token) -> Pair:
        refresh = self._hold(row).refresh if row.made_at else self._first or ""
        try:
            fresh = await self._ask({"grant_type": "refresh_token", "refresh_token": refresh}, row.made_at)
        except NoToken as trouble:
            problem = trouble.problem
            pause = REFUSED_REST_MS if problem.startswith(REFUSED) else UNREACHABLE_REST_MS
            until = self._clock.ms() + pause
            await self._db.write(lambda conn: tokens.failed(conn, self._name, row.made_at, problem, until))
            raise
        return await self._save(fresh)

    async def _log_in(self, grant: dict[str, str]) -> None:
        """A renewal under the same claim; but a refusal says nothing about the pair that we have."""
        row = await self._turn_to_log_in()
        try:
            fresh = await self._ask(grant, row.made_at)
        except NoToken:
            await self._db.write(lambda conn: tokens.failed(conn, self._name, row.made_at, row.problem, 0))
            raise
        await self._save(fresh)

    async def _turn_to_log_in(self) -> Token:
        while True:
            won, row = await self._db.write(self._claim_to_log_in)
            if won:
                return row
            await self._rest(POLL_S)

    async def _claim_to_log_in(self, conn: AsyncConnection) -> tuple[bool, Token]:
        await tokens.begin(conn, self._name)
        row = await tokens.read(conn, self._name)
        assert row is not None, "begun above, and rows are never deleted"
        if row.problem:
            # Nobody is renewing, they rest after a failure: this is what they rest for.
            await tokens.failed(conn, self._name, row.made_at, row.problem, 0)
        now = self._clock.ms()
        return await tokens.claim(conn, self._name, row.made_at, now, now + LEASE_MS), row

    # A new pair ------------------------------------------------------------------------------------

    async def _ask(self, grant: dict[str, str], after: int) -> Token:
        """A new pair, sealed, to be written before it is used. Raises NoToken."""
        now = self._clock.ms()
        try:
            granted = await self._oauth.ask(grant)
        except NoToken as trouble:
            self._problem = trouble.problem
            raise
        sealed = self._vault.seal(json.dumps({"access": granted.access, "refresh": granted.refresh}))
        # `made_at` also tells pairs apart, so it grows even when the clock went back.
        made_at, life = max(now, after + 1), granted.life_ms
        return Token(sealed, made_at, now + life // 2, now + life, "")

    async def _save(self, fresh: Token) -> Pair:
        """Until it is on disk nobody uses it; what cannot be written now is not thrown away."""
        self._unsaved = fresh
        for pause in (*SAVE_PAUSES, None):
            try:
                row = await self._db.write(lambda conn: self._write(conn, fresh))
            except (SQLAlchemyError, OSError) as error:
                log.error("Token not saved", action="renew", channel="zalo_oa", kind=type(error).__name__)
            else:
                self._unsaved = None
                log.info("Token renewed", action="renew", channel="zalo_oa")
                return self._hold(row)
            if pause is not None:
                await self._rest(pause)
        raise self._trouble(UNSAVED)

    async def _write(self, conn: AsyncConnection, fresh: Token) -> Token:
        await tokens.write(conn, self._name, fresh)
        row = await tokens.read(conn, self._name)
        assert row is not None, "written above"
        return row
