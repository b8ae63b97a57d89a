"""The tokens of a Zalo Official Account: renewed once, written before use, never lost to an error or told."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog
from aiohttp import web
from sqlalchemy.exc import OperationalError

from bot.channels.vault import Vault, WrongKey
from bot.channels.zalo_login import Asked, WrongAddress, challenge, code_in, consent_link, draw
from bot.channels.zalo_oauth import UNTOLD_S, NoToken
from bot.channels.zalo_tokens import (
    LEASE_MS,
    REFUSED_REST_MS,
    SAVE_PAUSES,
    UNREACHABLE_REST_MS,
    Tokens,
)
from storage import tokens as stored
from storage.database import Database
from storage.tokens import Token
from tests.paper import PaperClock
from tests.zalo_door import APP_ID, APP_SECRET, Door, opened
from tests.zalo_racer import CALLS, SECRET_KEY, TASKS

ROOT = Path(__file__).resolve().parents[1]
NAME = f"zalo_oa/{APP_ID}"
HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)
T = TypeVar("T")


class Stage:
    """A door, a clock, a database; `another()` is what another process would have."""

    def __init__(self, door: Door, db: Database) -> None:
        self.door = door
        self.db = db
        self.clock = PaperClock(NOON)
        self.rests: list[float] = []
        self.tokens = self.another()

    def another(self, **settings: Any) -> Tokens:
        usual: dict[str, Any] = {
            "db": self.db,
            "vault": Vault(SECRET_KEY),
            "app_id": APP_ID,
            "app_secret": APP_SECRET,
            "oauth_url": self.door.url,
            "clock": self.clock,
            "rest": self.rest,
        }
        return Tokens(**usual | settings)

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.clock.move(timedelta(seconds=seconds))
        await asyncio.sleep(0)

    async def has(self, made: timedelta = timedelta(0), life: timedelta = 25 * HOUR) -> None:
        """A stored pair, made that long ago."""
        made_at = self.clock.ms() - _ms(made)
        await _put(self.db, self.door, made_at, _ms(life))

    async def row(self) -> Token:
        async with self.db.read() as conn:
            row = await stored.read(conn, NAME)
        assert row is not None
        return row


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


async def _put(db: Database, door: Door, made_at: int, life: int) -> None:
    sealed = Vault(SECRET_KEY).seal(json.dumps({"access": door.access, "refresh": door.refresh}))
    row = Token(sealed, made_at, made_at + life // 2, made_at + life, "")
    await db.write(lambda conn: stored.write(conn, NAME, row))


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with opened() as door:
        yield door


@pytest.fixture
async def stage(door: Door, sqlite_database: Database) -> AsyncIterator[Stage]:
    stage = Stage(door, sqlite_database)
    yield stage
    await stage.tokens.stop()


async def no_token(call: Awaitable[Any]) -> str:
    with pytest.raises(NoToken) as caught:
        await call
    return caught.value.problem


# A pair in order -----------------------------------------------------------------------------------


async def test_a_fresh_token_is_asked_of_nobody(stage: Stage) -> None:
    await stage.has(made=12 * HOUR)
    assert await stage.tokens.access() == "MARKER-access-0"
    await stage.db.close()
    assert await stage.tokens.access() == "MARKER-access-0"
    assert stage.door.posts == []


async def test_at_half_life_it_is_renewed_and_kept(stage: Stage) -> None:
    await stage.has(made=12.5 * HOUR)
    assert await stage.tokens.access() == "MARKER-access-1"
    form = {"app_id": APP_ID, "grant_type": "refresh_token", "refresh_token": "MARKER-refresh-0"}
    assert stage.door.posts == [form]
    row = await stage.row()
    assert (row.made_at, row.problem) == (stage.clock.ms(), "")
    assert (row.renews_at - row.made_at, row.ends_at - row.made_at) == (_ms(12.5 * HOUR), _ms(25 * HOUR))
    assert await stage.another().access() == "MARKER-access-1"


async def test_while_one_renews_others_go_on(stage: Stage) -> None:
    await stage.has(made=13 * HOUR)
    stage.door.gate = asyncio.Event()
    first = asyncio.create_task(stage.tokens.access())
    await stage.door.asked.wait()
    assert await stage.tokens.access() == "MARKER-access-0"
    stage.door.gate.set()
    assert await first == "MARKER-access-1"
    assert await stage.tokens.access() == "MARKER-access-1"


async def test_whoever_meets_the_dead_token_meanwhile_waits_for_the_new_one(stage: Stage) -> None:
    await stage.has(made=13 * HOUR)
    stage.door.gate = asyncio.Event()
    first = asyncio.create_task(stage.tokens.access())
    await stage.door.asked.wait()
    others = [asyncio.create_task(stage.tokens.renewed("MARKER-access-0")) for _ in range(20)]
    stage.door.gate.set()
    assert set(await asyncio.gather(first, *others)) == {"MARKER-access-1"}
    assert len(stage.door.posts) == 1


async def test_another_process_renewed_it(stage: Stage) -> None:
    await stage.has()
    other = stage.another()
    assert await other.access() == await stage.tokens.access() == "MARKER-access-0"
    assert await stage.tokens.renewed("MARKER-access-0") == "MARKER-access-1"
    assert await other.renewed("MARKER-access-0") == "MARKER-access-1"
    assert len(stage.door.posts) == 1


async def test_a_slow_call_with_a_token_before_the_last_renews_nothing(stage: Stage) -> None:
    await stage.has()
    assert await stage.tokens.access() == "MARKER-access-0"
    assert await stage.tokens.renewed("MARKER-access-0") == "MARKER-access-1"
    assert await stage.tokens.renewed("MARKER-access-0") == "MARKER-access-1"
    assert len(stage.door.posts) == 1


async def test_two_renewals_in_one_millisecond_are_two(stage: Stage) -> None:
    await stage.has()
    for number in range(3):
        assert await stage.tokens.renewed(f"MARKER-access-{number}") == f"MARKER-access-{number + 1}"
    assert await stage.another().access() == "MARKER-access-3"


@pytest.mark.parametrize(
    ("told", "life"),
    [("90000", 90_000), (3600, 3_600), (None, UNTOLD_S), ("soon", UNTOLD_S), ("-5", UNTOLD_S)],
)
async def test_how_long_it_lasts_is_what_zalo_says(stage: Stage, told: object, life: int) -> None:
    stage.door.expires_in = told
    await stage.has(made=26 * HOUR)
    await stage.tokens.access()
    row = await stage.row()
    assert row.ends_at - row.made_at == life * 1000


async def test_a_clock_that_was_wrong_holds_nobody_up(stage: Stage) -> None:
    """Years ahead when it was claimed, and put right since."""
    await stage.has(made=26 * HOUR)
    row, far = await stage.row(), stage.clock.ms() + _ms(20_000 * HOUR)
    assert await stage.db.write(lambda conn: stored.claim(conn, NAME, row.made_at, far, far + LEASE_MS))
    assert await stage.tokens.access() == "MARKER-access-1"
    assert stage.rests == []


# Several at once -----------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [13, 26], ids=["half over", "over"])
async def test_two_processes_renew_once(database_url: str, door: Door, age: int) -> None:
    """One POST for each refresh token, every call answered; then the token dies of itself, and once more."""
    db = Database(database_url)
    now = int(datetime.now(UTC).timestamp() * 1000)
    await _put(db, door, now - _ms(age * HOUR), _ms(25 * HOUR))
    await db.close()
    await _race(database_url, door, rounds=3)
    assert door.refreshes == {"MARKER-refresh-0": 1, "MARKER-refresh-1": 1, "MARKER-refresh-2": 1}


async def test_two_processes_use_the_first_token_once(database_url: str, door: Door) -> None:
    await _race(database_url, door, "MARKER-refresh-0")
    assert door.refreshes == {"MARKER-refresh-0": 1}


async def _race(database_url: str, door: Door, *more: str, rounds: int = 1) -> None:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "tests.zalo_racer", database_url, door.url, *more)
    racers = [
        await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe) for _ in range(2)
    ]
    try:
        said = [await racer.stdout.readline() for racer in racers if racer.stdout]
        assert said == [b"ready\n"] * 2
        for _ in range(rounds):
            for racer in racers:
                assert racer.stdin is not None
                racer.stdin.write(b"go\n")
            said = [await racer.stdout.readline() for racer in racers if racer.stdout]
            assert said == [b"%d\n" % (TASKS * CALLS)] * 2
            door.kill()
    finally:
        # Their input ends, and so do they.
        await asyncio.gather(*(racer.communicate(b"") for racer in racers))
    assert [racer.returncode for racer in racers] == [0, 0]


async def test_who_cannot_claim_waits_for_the_new_pair(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    stage.door.gate = asyncio.Event()
    first = asyncio.create_task(stage.tokens.access())
    await stage.door.asked.wait()

    async def rest(seconds: float) -> None:
        assert stage.door.gate is not None
        stage.door.gate.set()
        await first

    assert await stage.another(rest=rest).access() == "MARKER-access-1"
    assert len(stage.door.posts) == 1


async def test_one_that_died_is_waited_for_a_minute_at_most(stage: Stage) -> None:
    """Killed before it asked: the next one asks."""
    await stage.has(made=26 * HOUR)
    row, now = await stage.row(), stage.clock.ms()
    assert await stage.db.write(lambda conn: stored.claim(conn, NAME, row.made_at, now, now + LEASE_MS))
    assert await stage.tokens.access() == "MARKER-access-1"
    assert sum(stage.rests) == LEASE_MS / 1000


# What goes wrong -----------------------------------------------------------------------------------


async def test_an_error_in_a_200_never_replaces_a_good_pair(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    before = await stage.row()
    stage.door.grant_with({"error": -14020, "access_token": "x", "refresh_token": "y", "expires_in": "9"})
    assert await no_token(stage.tokens.access()) == "refused:-14020"
    assert await stage.row() == replace(before, problem="refused:-14020")


async def test_a_refusal_is_everybodys_for_ten_minutes(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    stage.door.grant_with({"error": "-14020"})
    await no_token(stage.tokens.access())
    for tokens in (stage.tokens, stage.another()):
        assert await no_token(tokens.access()) == "refused:-14020"
        assert await no_token(tokens.renewed("MARKER-access-0")) == "refused:-14020"
        assert tokens.problem == "refused:-14020"
    assert (len(stage.door.posts), stage.rests) == (1, [])
    stage.clock.move(timedelta(milliseconds=REFUSED_REST_MS))
    assert await stage.tokens.access() == "MARKER-access-1"
    assert (await stage.row()).problem == stage.tokens.problem == ""


@pytest.mark.parametrize(
    "speaks",
    [
        lambda: web.Response(status=502, text="<html>"),
        lambda: web.Response(status=200, text="[]"),
        lambda: web.Response(status=302, headers={"Location": "https://example.org/"}),
        lambda: web.json_response({"access_token": "a"}),
        lambda: web.json_response({"access_token": "a\r\nb: c", "refresh_token": "b", "expires_in": "9"}),
        lambda: web.Response(body=b"[" * (2 << 20)),
    ],
    ids=["bad gateway", "no object", "elsewhere", "half a pair", "no header's value", "endless"],
)
async def test_nonsense_is_asked_again_soon(stage: Stage, speaks: Callable[[], web.Response]) -> None:
    await stage.has(made=26 * HOUR)
    before = await stage.row()
    stage.door.grants.append(speaks)
    assert await no_token(stage.tokens.access()) == "unreachable"
    assert await stage.row() == replace(before, problem="unreachable")
    assert await no_token(stage.another().access()) == "unreachable"
    assert len(stage.door.posts) == 1
    stage.clock.move(timedelta(milliseconds=UNREACHABLE_REST_MS))
    assert await stage.another().access() == "MARKER-access-1"


async def test_nobody_at_the_door(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    assert await no_token(stage.another(oauth_url="http://127.0.0.1:1").access()) == "unreachable"


async def test_an_old_token_serves_while_the_door_is_shut(stage: Stage) -> None:
    """Half its life is left, and the trouble is there for all to see."""
    await stage.has(made=13 * HOUR)
    stage.door.grant_with({"error": -14002})
    assert await stage.tokens.access() == await stage.tokens.access() == "MARKER-access-0"
    assert stage.tokens.problem == "refused:-14002"
    standing = await stage.tokens.standing()
    assert standing is not None
    assert standing.problem == "refused:-14002"
    stage.clock.move(13 * HOUR)
    assert await stage.tokens.access() == "MARKER-access-1"


async def test_a_dead_token_is_not_handed_out_again(stage: Stage) -> None:
    await stage.has()
    assert await stage.tokens.access() == "MARKER-access-0"
    stage.door.grant_with({"error": -14020})
    assert await no_token(stage.tokens.renewed("MARKER-access-0")) == "refused:-14020"
    assert await no_token(stage.tokens.access()) == "refused:-14020"


async def test_power_lost_between_the_answer_and_the_commit(stage: Stage) -> None:
    """The one thing nobody can prevent: said at once, healed by a login, also to those that run."""
    await stage.has(made=26 * HOUR)
    before = await stage.row()

    class Dies(Vault):
        def seal(self, text: str) -> str:
            raise KeyError("power")

    with pytest.raises(KeyError):
        await stage.another(vault=Dies(SECRET_KEY)).access()
    assert await stage.row() == before
    assert await no_token(stage.tokens.access()) == "refused:-14020"
    assert (await stage.row()).sealed == before.sealed
    stage.door.refresh = "MARKER-pasted"
    await stage.another().adopt("MARKER-pasted")
    assert await stage.tokens.access() == "MARKER-access-2"


async def test_who_gives_up_waiting_breaks_nothing_off(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    stage.door.gate = asyncio.Event()
    waiting = asyncio.create_task(stage.tokens.access())
    await stage.door.asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    stage.door.gate.set()
    await stage.tokens.stop()
    assert await stage.another().access() == "MARKER-access-1"
    assert len(stage.door.posts) == 1


class Stubborn(Database):
    """Takes no new pair for a while."""

    def __init__(self, db: Database, fails: int) -> None:
        self._db = db
        self.fails = fails
        self.sqlite = db.sqlite

    async def write(self, work: Callable[[Any], Awaitable[T]]) -> T:
        if "_save" in getattr(work, "__qualname__", "") and self.fails:
            self.fails -= 1
            raise OperationalError("", None, Exception("database is locked"))
        return await self._db.write(work)

    def read(self) -> Any:
        return self._db.read()


async def test_a_pair_that_cannot_be_written_is_not_thrown_away(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    tries = len(SAVE_PAUSES) + 1
    tokens = stage.another(db=Stubborn(stage.db, tries + 2))
    assert await no_token(tokens.access()) == "unsaved"
    assert tuple(stage.rests) == SAVE_PAUSES
    assert await tokens.access() == await stage.another().access() == "MARKER-access-1"
    assert len(stage.door.posts) == 1


async def test_one_that_was_frozen_overwrites_nothing_newer(stage: Stage) -> None:
    await stage.has()
    older = await stage.row()
    assert await stage.tokens.renewed("MARKER-access-0") == "MARKER-access-1"
    newer = await stage.row()
    await stage.db.write(lambda conn: stored.write(conn, NAME, older))
    await stage.db.write(lambda conn: stored.failed(conn, NAME, older.made_at, "unreachable", 1 << 50))
    assert await stage.row() == newer


# The first pair ------------------------------------------------------------------------------------


async def test_nobody_logged_in_yet(stage: Stage) -> None:
    assert await no_token(stage.tokens.access()) == "login"
    assert await stage.tokens.standing() is None
    assert stage.door.posts == []


async def test_the_settings_token_is_used_once(stage: Stage) -> None:
    assert await stage.another(first="MARKER-refresh-0").access() == "MARKER-access-1"
    again = stage.another(first="MARKER-refresh-0")
    assert await again.access() == "MARKER-access-1"
    assert await again.renewed("MARKER-access-1") == "MARKER-access-2"
    assert stage.door.refreshes == {"MARKER-refresh-0": 1, "MARKER-refresh-1": 1}


async def test_a_settings_token_that_was_used_up_asks_for_a_login(stage: Stage) -> None:
    tokens = stage.another(first="MARKER-spent")
    assert await no_token(tokens.access()) == await no_token(tokens.access()) == "refused:-14020"
    assert len(stage.door.posts) == 1
    await stage.another().adopt("MARKER-refresh-0")
    assert await tokens.access() == "MARKER-access-1"


async def test_a_code_with_its_verifier(stage: Stage) -> None:
    await stage.another().exchange("MARKER-code", "v" * 43)
    assert stage.door.posts[0]["grant_type"] == "authorization_code"
    assert await stage.tokens.access() == "MARKER-access-1"
    stage.door.code = ("MARKER-other", None)
    await stage.another().exchange("MARKER-other", None)
    assert "code_verifier" not in stage.door.posts[1]
    # The running one holds what Zalo no longer takes, and finds the new pair by itself.
    assert await stage.tokens.renewed("MARKER-access-1") == "MARKER-access-2"


async def test_a_login_that_fails_changes_nothing(stage: Stage) -> None:
    await stage.has()
    before = await stage.row()
    assert await no_token(stage.another().adopt("MARKER-spent")) == "refused:-14020"
    assert await stage.row() == before
    assert await stage.tokens.renewed("MARKER-access-0") == "MARKER-access-1"
    assert stage.rests == []


async def test_a_login_waits_for_a_renewal_under_way(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    row, now = await stage.row(), stage.clock.ms()
    assert await stage.db.write(lambda conn: stored.claim(conn, NAME, row.made_at, now, now + LEASE_MS))
    await stage.another().adopt("MARKER-refresh-0")
    assert sum(stage.rests) == LEASE_MS / 1000


# Secrets -------------------------------------------------------------------------------------------


async def test_another_secret_key(stage: Stage) -> None:
    await stage.has(made=26 * HOUR)
    before = await stage.row()
    wrong = stage.another(vault=Vault("another" * 8))
    assert await no_token(wrong.access()) == await no_token(wrong.renewed("x")) == "key"
    assert (await stage.row(), stage.door.posts) == (before, [])
    await wrong.adopt("MARKER-refresh-0")
    assert await wrong.access() == "MARKER-access-1"


def test_a_vault_opens_what_it_sealed() -> None:
    sealed = Vault(SECRET_KEY).seal("MARKER ơ")
    assert "MARKER" not in sealed
    assert sealed != Vault(SECRET_KEY).seal("MARKER ơ")
    assert Vault(SECRET_KEY).open(sealed) == "MARKER ơ"
    for vault, text in (
        (Vault(SECRET_KEY + "x"), sealed),
        (Vault(SECRET_KEY), sealed[:-2]),
        (Vault("k"), ""),
    ):
        with pytest.raises(WrongKey):
            vault.open(text)


def test_the_key_stays_the_same_for_ever() -> None:
    """Sealed by the first version: what is stored must open after any update."""
    assert Vault("0123456789abcdef0123456789abcdef").open(FIRST_SEALED) == "pair"


FIRST_SEALED = (
    "gAAAAABrBaRrSVg3dFxBqPvcp70A3uuLfROA85xahyBUR6zLHrWS-10V09qAD0m1VIjtJP7OBsmYLz434d3d0Y4Pfy1pqe9jnw=="
)


async def test_no_secret_is_told(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Neither by logs nor by errors, reprs or the database's file."""
    await stage.has(made=26 * HOUR)
    told: list[object] = []
    with structlog.testing.capture_logs() as logs:
        for answer in ({"error": -14020, "error_description": "MARKER"}, {"access_token": "MARKER"}):
            stage.door.grant_with(answer)
            stage.clock.move(timedelta(milliseconds=REFUSED_REST_MS))
            with pytest.raises(NoToken) as caught:
                await stage.tokens.access()
            told += [caught.value, caught.value.__cause__, caught.value.__context__]
        stage.clock.move(timedelta(milliseconds=REFUSED_REST_MS))
        assert await stage.tokens.access() == "MARKER-access-1"
    told += [logs, caplog.text, stage.tokens, stage.tokens._held, await stage.tokens.standing()]
    told += [Vault(SECRET_KEY), await stage.row(), Asked(draw(), "MARKER" * 7)]
    assert [one["event"] for one in logs] == ["No new token", "No new token", "Token renewed"]
    assert "MARKER" not in "".join(f"{one!r} {one}" for one in told)
    await stage.db.close()
    files = list(Path(str(stage.db.url.database)).parent.glob("anphuxanh.db*"))
    assert files
    assert not any(b"MARKER" in file.read_bytes() for file in files)


# The consent link ----------------------------------------------------------------------------------


def test_the_challenge_is_the_one_of_the_sheet() -> None:
    assert challenge("A" * 43) == "DwBzhbb51LfusnSGBa_hqYSgo7-j8BTQnip4TOnlzRo"


def test_the_link() -> None:
    asked = Asked("st&te", "A" * 43)
    link = consent_link("https://oauth.zaloapp.com", "12345", "https://a.vn/zalo?x=1", asked)
    assert link == (
        "https://oauth.zaloapp.com/v4/oa/permission?app_id=12345&redirect_uri=https%3A%2F%2Fa.vn%2Fzalo%3Fx%3D1"
        "&code_challenge=DwBzhbb51LfusnSGBa_hqYSgo7-j8BTQnip4TOnlzRo&state=st%26te"
    )
    assert "code_challenge" not in consent_link("https://o", "1", "https://a.vn", Asked("s", None))


def test_a_verifier_has_43_characters_and_is_new_each_time() -> None:
    drawn = {draw() for _ in range(100)}
    assert len(drawn) == 100
    for verifier in drawn:
        assert len(verifier) == 43
        assert set(verifier) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://a.vn/?code=abc&oa_id=1&state=other", "state"),
        ("https://a.vn/?code=abc&oa_id=1", "state"),
        ("https://a.vn/?code=abc&state=ổ", "state"),
        ("https://a.vn/?error=-14002&state=mine", "code"),
        ("https://[a.vn/?code=abc&state=mine", "code"),
        ("", "code"),
    ],
)
def test_an_address_that_does_not_answer_our_link(address: str, why: str) -> None:
    with pytest.raises(WrongAddress) as caught:
        code_in(address, Asked("mine", None))
    assert caught.value.why == why


def test_the_code_in_the_address() -> None:
    assert code_in(" https://a.vn/zalo?code=a%2Bb&oa_id=1&state=mine \n", Asked("mine", None)) == "a+b"
