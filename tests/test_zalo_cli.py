"""`python -m bot zalo`: a login by link or by refresh token, and what may be told about it."""

import asyncio
import re
import shutil
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from typer.testing import CliRunner, Result

from bot.channels import zalo_login
from bot.cli import app
from bot.clock import SystemClock
from bot.config import load_commune
from bot.settings import Settings
from bot.ways import billed_counter
from storage import counters, people
from storage.database import Database
from storage.tables import OutboxState, outbox
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
        return self.runs("zalo", *words, pastes=pastes, **settings)

    def runs(self, *words: str, pastes: str = "", **settings: str) -> Result:
        result = CliRunner().invoke(app, words, env=self.settings | settings, input=pastes)
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
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_template: Path, door: Door) -> Operator:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    drawn = iter([STATE, VERIFIER] * 5)
    monkeypatch.setattr("bot.cli_zalo.draw", lambda: next(drawn))
    made = Operator(tmp_path, door)
    made.data.mkdir()
    shutil.copyfile(sqlite_template, made.data / "anphuxanh.db")
    return made


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


# The doctor ----------------------------------------------------------------------------------------

ACCOUNT = {"oaid": "7", "name": "UBND xã An Phú", "is_verified": True, "oa_type": 4, "linked_ZCA": "zca-1"}
TEMPLATES = "received:1,resolved:2,reminder:3,alert:4"


@pytest.fixture
def in_order(operator: Operator, door: Door, tmp_path: Path) -> Operator:
    """Real names, everybody listens, the account is logged in: a doctor would have nothing to say."""
    text = (ROOT / "commune.toml").read_text(encoding="utf-8")
    (tmp_path / "commune.toml").write_text(text.replace("stand_in = true\n", ""), encoding="utf-8")
    operator.settings |= {"COMMUNE": str(tmp_path / "commune.toml"), "ZALO_TEMPLATES": TEMPLATES}

    async def join(conn: AsyncConnection) -> None:
        for number, unit in enumerate(load_commune(ROOT / "commune.toml").units):
            await people.meet(conn, [("zalo_oa", str(number), str(number))], 1)
            await people.join(conn, f"zalo_oa:{number}", unit, "staff", "Ai đó", 1)

    in_database(operator, join)
    operator.says("login", "--refresh-token", pastes="MARKER-refresh-0\n")
    return operator


def in_database(operator: Operator, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    async def go() -> None:
        db = Database.in_folder(operator.data)
        try:
            await db.write(work)
        finally:
            await db.close()

    asyncio.run(go())


def examined(operator: Operator, door: Door, exit_code: int, body: object = None, **settings: str) -> str:
    door.answers.clear()
    door.answer_with(body or {"error": 0, "data": ACCOUNT | {"package_name": "Tăng trưởng"}})
    result = operator.runs("doctor", **settings)
    assert result.exit_code == exit_code, result.output
    return result.stdout


def test_an_account_in_order_needs_no_doctor(in_order: Operator, door: Door) -> None:
    said = examined(in_order, door, 0)
    for word in (
        "UBND xã An Phú",
        "cơ quan nhà nước",
        "đã xác thực",
        "Tăng trưởng",
        "đã liên kết Zalo Cloud",
    ):
        assert word in said
    for word in (
        "https://anphu.example.vn/zalo/oa",
        "Mẫu ZBS: đủ",
        "0 người",
        "nhiều nhất 100",
        "Zalo Bot: chưa đặt",
    ):
        assert word in said
    assert len(re.findall(r"\d\d:\d\d \d\d/\d\d/\d{4}", said)) == 2
    assert "Cần làm" not in said


def test_what_the_doctor_finds_in_the_account(in_order: Operator, door: Door) -> None:
    """-221 and -320 are seen before the first message is refused for them."""
    unverified = {"error": 0, "data": ACCOUNT | {"is_verified": False, "linked_ZCA": ""}}
    said = examined(in_order, door, 1, unverified)
    assert "-221" in said
    assert "-320" in said
    # Nobody needs a cloud account who has no templates.
    said = examined(in_order, door, 1, unverified, ZALO_TEMPLATES="received:1")
    assert "resolved, reminder, alert" in said
    assert "-320" not in examined(in_order, door, 1, unverified, ZALO_TEMPLATES="")


@pytest.mark.parametrize("code", [-224, -209, -212, -223, -999])
def test_the_doctor_says_why_zalo_refuses_us(in_order: Operator, door: Door, code: int) -> None:
    assert f"({code})".strip("()") in examined(in_order, door, 1, {"error": code, "message": "MARKER"})


def test_the_doctor_knows_what_held_messages_back(in_order: Operator, door: Door) -> None:
    """The account looks well, and yet: what was sent came back, or had nowhere to go."""
    now = SystemClock().ms()
    row = {"lane": 1, "channel": "zalo_oa", "message": "m", "text": "t", "made_at": now, "due_at": now}
    states = ((OutboxState.DUE, "-224"), (OutboxState.DUE, "flood"), (OutboxState.DUE, "-211"))
    unpaid, lost = ((OutboxState.UNREACHABLE, f"window: {code}") for code in (-321, -230))

    async def work(conn: AsyncConnection) -> None:
        rows = [
            row | {"chat": str(n), "state": s, "problem": p}
            for n, (s, p) in enumerate((*states, unpaid, lost))
        ]
        await conn.execute(outbox.insert(), [{"buttons": "[]", **one} for one in rows])
        await counters.draw(conn, billed_counter("zalo_oa", now), 7)

    in_database(in_order, work)
    said = examined(in_order, door, 1)
    assert [said.count(code) for code in ("-224", "-211", "-321", "flood", "-230")] == [1, 1, 1, 0, 0]
    assert "2 người" in said
    assert "hôm nay: 7" in said


def test_the_doctor_without_a_network(in_order: Operator, door: Door) -> None:
    """It passes by itself: nobody need do anything in the settings."""
    nowhere = "http://127.0.0.1:1"
    bot = {"ZALO_BOT_TOKEN": "1:MARKER", "ZALO_BOT_WEBHOOK_SECRET": "MARKER-1", "ZALO_BOT_API_URL": nowhere}
    said = examined(in_order, door, 0, ZALO_OA_API_URL=nowhere, **bot)
    assert said.count("đường mạng") == 2


def test_the_doctor_before_a_login(operator: Operator, door: Door) -> None:
    said = examined(operator, door, 1)
    assert "zalo login" in said


def test_the_doctor_wants_a_secure_address(in_order: Operator, door: Door) -> None:
    assert "PUBLIC_URL" in examined(in_order, door, 1, PUBLIC_URL="http://127.0.0.1:8080")


def test_the_doctor_asks_the_bot_platform(in_order: Operator, door: Door) -> None:
    bot = {"ZALO_BOT_TOKEN": "1:MARKER", "ZALO_BOT_WEBHOOK_SECRET": "MARKER-1", "ZALO_BOT_API_URL": door.url}
    said = examined(in_order, door, 0, **bot)
    assert "bot.AnPhu" in said
    assert "https://anphu.example.vn/zalo/bot" in said
    door.bot = {"ok": False, "error_code": 401, "description": "MARKER"}
    assert "ZALO_BOT_TOKEN" in examined(in_order, door, 1, **bot)
