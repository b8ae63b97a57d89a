"""`python -m bot zalo`: a login by link or by refresh token, and what may be told about it."""

import asyncio
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from typer.testing import CliRunner, Result

from bot.channels import zalo_login
from bot.cli import app
from bot.settings import Settings
from tests.zalo_door import APP_ID, APP_SECRET, Door, opened

ROOT = Path(__file__).resolve().parents[1]
VERIFIER = "v" * 43
STATE = "s" * 43


@pytest.fixture
def door() -> Iterator[Door]:
    """In a thread of its own: a command runs a loop of its own."""
    ready, over = threading.Event(), asyncio.Event()
    found: list[Door] = []

    async def serve() -> None:
        found.append(loop_door := Door())
        async with opened(loop_door):
            ready.set()
            await over.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield found[0]
    loop.call_soon_threadsafe(over.set)
    thread.join(10)
    loop.close()


class Operator:
    def __init__(self, folder: Path, door: Door) -> None:
        self.data = folder / "data"
        self.settings = {
            "DATA_DIR": str(self.data),
            "COMMUNE": str(ROOT / "commune.toml"),
            "PUBLIC_URL": "https://anphu.example.vn",
            "SECRET_KEY": "MARKER" * 8,
            "ZALO_OA_APP_ID": APP_ID,
            "ZALO_OA_APP_SECRET": APP_SECRET,
            "ZALO_OA_SECRET_KEY": "MARKER-webhook",
            "ZALO_OA_API_URL": door.url,
            "ZALO_OAUTH_URL": door.url,
        }

    def types(self, *words: str, pastes: str = "", **settings: str) -> Result:
        result = CliRunner().invoke(app, ["zalo", *words], env=self.settings | settings, input=pastes)
        assert "MARKER" not in result.output
        assert "Traceback" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    def says(self, *words: str, pastes: str = "", **settings: str) -> str:
        result = self.types(*words, pastes=pastes, **settings)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    def is_refused(self, *words: str, pastes: str = "", **settings: str) -> str:
        result = self.types(*words, pastes=pastes, **settings)
        assert result.exit_code == 2, result.output
        return result.stderr


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_template: Path, door: Door
) -> Iterator[Operator]:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    drawn = iter([STATE, VERIFIER] * 5)
    monkeypatch.setattr("bot.cli_zalo.draw", lambda: next(drawn))
    made = Operator(tmp_path, door)
    made.data.mkdir()
    shutil.copyfile(sqlite_template, made.data / "anphuxanh.db")
    yield made
    structlog.reset_defaults()


def address(**query: str) -> str:
    return "https://anphu.example.vn/?" + "&".join(f"{key}={value}" for key, value in query.items()) + "\n"


def test_a_login_by_link(operator: Operator, door: Door) -> None:
    said = operator.says("login", pastes=address(code="MARKER-code", oa_id="7", state=STATE))
    found = re.search(rf"{door.url}\S+", said)
    assert found is not None
    query = {key: values[0] for key, values in parse_qs(urlsplit(found[0]).query).items()}
    assert query == {
        "app_id": APP_ID,
        "redirect_uri": "https://anphu.example.vn",
        "code_challenge": zalo_login.challenge(VERIFIER),
        "state": STATE,
    }
    assert door.posts[0]["code_verifier"] == VERIFIER
    assert "zalo status" in said


def test_the_callback_and_the_verifier_saved_at_zalo(operator: Operator, door: Door) -> None:
    saved = "w" * 43
    door.code = ("MARKER-code", saved)
    more = ("--callback", "https://a.vn/zalo", "--verifier", saved)
    said = operator.says("login", *more, pastes=address(code="MARKER-code", state=STATE))
    assert "redirect_uri=https%3A%2F%2Fa.vn%2Fzalo&" in said
    door.code = ("MARKER-code", None)
    said = operator.says("login", "--verifier", "none", pastes=address(code="MARKER-code", state=VERIFIER))
    assert "code_challenge" not in said
    assert "code_verifier" not in door.posts[1]


@pytest.mark.parametrize(
    "pasted",
    ["", address(state=STATE), address(code="MARKER-code", state="other")],
    ids=["nothing", "no code", "another state"],
)
def test_another_address_is_not_taken(operator: Operator, door: Door, pasted: str) -> None:
    assert operator.is_refused("login", pastes=pasted)
    assert door.posts == []


def test_a_login_by_refresh_token(operator: Operator, door: Door) -> None:
    operator.says("login", "--refresh-token", pastes="  MARKER-refresh-0\n")
    assert door.refreshes == {"MARKER-refresh-0": 1}
    assert b"MARKER" not in b"".join(path.read_bytes() for path in operator.data.iterdir())


def test_a_token_that_zalo_does_not_take(operator: Operator, door: Door) -> None:
    assert "-14020" in operator.is_refused("login", "--refresh-token", pastes="MARKER-spent\n")
    assert operator.is_refused("login", "--refresh-token", pastes="x\n", ZALO_OAUTH_URL="http://127.0.0.1:1")


def test_nothing_to_log_in_to(operator: Operator) -> None:
    assert "ZALO_OA_APP_ID" in operator.is_refused("login", ZALO_OA_APP_ID="")
    assert "ZALO_OA_APP_ID" in operator.is_refused("status", ZALO_OA_APP_ID="")
    assert "PUBLIC_URL" in operator.is_refused("login", PUBLIC_URL="")


def test_the_status_of_an_account_in_order(operator: Operator, door: Door) -> None:
    operator.says("login", "--refresh-token", pastes="MARKER-refresh-0\n")
    account = {"oaid": "7", "name": "UBND xã An Phú", "is_verified": True, "oa_type": 4}
    door.answer_with({"error": 0, "data": account | {"package_name": "Tăng trưởng"}})
    said = operator.says("status")
    assert len(re.findall(r"\d\d:\d\d \d\d/\d\d/\d{4}", said)) == 2
    for word in ("UBND xã An Phú", "cơ quan nhà nước", "đã xác thực", "Tăng trưởng"):
        assert word in said


def test_the_status_before_a_login(operator: Operator) -> None:
    result = operator.types("status")
    assert result.exit_code == 1
    assert "zalo login" in result.stdout


def test_the_status_when_something_is_wrong(operator: Operator, door: Door) -> None:
    operator.says("login", "--refresh-token", pastes="MARKER-refresh-0\n")
    door.answer_with({"error": -224, "message": "upgrade"})
    for settings, word in (
        ({}, "-224"),
        ({"SECRET_KEY": "MARKER-other" * 4}, "SECRET_KEY"),
        ({"ZALO_OA_API_URL": "http://127.0.0.1:1"}, "mạng"),
    ):
        result = operator.types("status", **settings)
        assert (result.exit_code, word in result.stdout) == (1, True), result.output
    door.kill()
    door.refresh = "MARKER-elsewhere"
    assert "-14020" in operator.types("status").stdout
