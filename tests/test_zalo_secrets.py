"""What a Zalo Official Account is opened with: sealed by our key for ever, and told nowhere."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from bot.channels.vault import Vault, WrongKey
from bot.channels.zalo_login import Asked, draw
from bot.channels.zalo_oauth import NoToken
from bot.channels.zalo_tokens import REFUSED_REST_MS
from storage.database import Database
from tests.zalo_pair import HOUR, Stage, no_token, staged
from tests.zalo_racer import SECRET_KEY


@pytest.fixture
async def stage(sqlite_database: Database) -> AsyncIterator[Stage]:
    async with staged(sqlite_database) as made:
        yield made


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
