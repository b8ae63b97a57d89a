"""What an operator types does what it says, beside a running bot; what is wrong is said in one sentence."""

import asyncio
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from typer.testing import CliRunner, Result

from bot import app as program
from bot.cli import app
from bot.config import load_commune
from bot.core.invite import ROLES, SYMBOLS, digest
from bot.settings import Settings
from storage import people
from storage.database import Database
from tests.bot_process import PASSED_ON, BotProcess

ROOT = Path(__file__).resolve().parents[1]
T = TypeVar("T")
CODE = re.compile(rf"[{SYMBOLS}]{{4}}-[{SYMBOLS}]{{4}}")
# Parts of secrets: wherever one of these is seen, a secret was told.
PATIENCE_S = 15.0
MARKS = ("MARKER", "S3CRET", "p4ssw0rd")


class Operator:
    """Somebody at the keyboard, in a folder of their own, with nothing set but what is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.settings = {"DATA_DIR": str(self.data), "COMMUNE": str(ROOT / "commune.toml")}

    def types(self, *words: str, **settings: str) -> Result:
        return CliRunner().invoke(app, words, env=self.settings | settings)

    def says(self, *words: str, **settings: str) -> str:
        """What a command that goes well prints."""
        result = self.types(*words, **settings)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    def database(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async def go() -> T:
            db = Database.in_folder(self.data)
            try:
                return await db.write(work)
            finally:
                await db.close()

        return asyncio.run(go())

    def joins(self, account: str, unit: str, role: str, name: str) -> None:
        async def work(conn: AsyncConnection) -> None:
            await people.meet(conn, [("t", account, account)], 1)
            await people.join(conn, f"t:{account}", unit, role, name, 1)

        self.database(work)


async def start_and_stop(settings: Settings) -> None:
    """Like `serve`, for as long as it takes to start: what is wrong must show until then."""
    async with asyncio.timeout(PATIENCE_S), program.running(settings):
        return


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_template: Path) -> Operator:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    # Elsewhere than at the root, where a developer's .env would be read; wide, so that no line is broken.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(program, "serve", start_and_stop)
    # It would hold on to this test's stdout for the rest of the session.
    monkeypatch.setattr("bot.cli.configure_logging", lambda level: None)
    made = Operator(tmp_path)
    made.data.mkdir()
    shutil.copyfile(sqlite_template, made.data / "anphuxanh.db")
    return made


def refused(result: Result, *named: str) -> str:
    """Exit 2, all of it on stderr, in one sentence that names what is wrong and tells no secret."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    for name in named:
        assert name in result.stderr
    assert "Traceback" not in result.stderr
    assert not [mark for mark in MARKS if mark in result.stderr]
    return result.stderr


# Invites and members -------------------------------------------------------------------------------


def test_an_invite_ends_with_its_code(operator: Operator) -> None:
    said = operator.says("invite", "--unit", "thon-03", "--role", "monitor")
    code = said.strip().splitlines()[-1]
    assert CODE.fullmatch(code)
    assert "Thôn 3" in said
    found = operator.database(lambda conn: people.find_invite(conn, digest(code)))
    assert found is not None
    assert (found[0], found[1], found[3]) == ("thon-03", "monitor", False)


def test_invites_differ_and_are_not_kept_in_clear(operator: Operator) -> None:
    codes = {operator.says("invite", "--unit", "ubnd", "--role", "office").split()[-1] for _ in range(5)}
    assert len(codes) == 5
    kept = b"".join(path.read_bytes() for path in operator.data.iterdir())
    for code in codes:
        assert code.encode() not in kept
        assert code.replace("-", "").encode() not in kept


@pytest.mark.parametrize("role", ROLES)
def test_every_role_can_be_invited(operator: Operator, role: str) -> None:
    assert CODE.search(operator.says("invite", "--unit", "cong-an", "--role", role))


@pytest.mark.parametrize(
    ("unit", "role", "named"), [("thon-99", "monitor", "thon-99"), ("thon-03", "king", "king")]
)
def test_who_does_not_exist_is_not_invited(operator: Operator, unit: str, role: str, named: str) -> None:
    refused(operator.types("invite", "--unit", unit, "--role", role), named)
    count = operator.database(_count_invites)
    assert count == 0


async def _count_invites(conn: AsyncConnection) -> int:
    return int((await conn.exec_driver_sql("SELECT count(*) FROM invites")).scalar_one())


def test_an_invite_on_an_empty_machine(tmp_path: Path, operator: Operator) -> None:
    """Before the first start: the database is made on the way."""
    new = tmp_path / "new"
    assert CODE.search(operator.says("invite", "--unit", "ubnd", "--role", "office", DATA_DIR=str(new)))
    assert (new / "anphuxanh.db").exists()


def test_members_are_listed_and_removed(operator: Operator) -> None:
    operator.joins("1", "thon-03", "monitor", "Bác Tư")
    operator.joins("2", "cong-an", "police", "Anh Ba [đội phó]")
    listed = operator.says("members")
    assert re.search(r"2\W+cong-an\W+police\W+Anh Ba \[đội phó\]", listed)
    assert re.search(r"1\W+thon-03\W+monitor\W+Bác Tư", listed)
    assert "Bác Tư" not in operator.says("members", "--unit", "cong-an")
    operator.says("remove", "1")
    assert "Bác Tư" not in operator.says("members")
    assert "Anh Ba" in operator.says("members")
    refused(operator.types("remove", "1"), "1")
    refused(operator.types("remove", "77"), "77")


async def test_commands_work_beside_a_running_bot(tmp_path: Path) -> None:
    """The same SQLite file, another process; and the copy made meanwhile is whole."""
    bot = BotProcess(tmp_path, {"WEBCHAT": "off"})
    await bot.start()
    try:
        code = await bot.invite("thon-03", "monitor")
        assert CODE.fullmatch(code)
        said = await bot.command("backup", str(tmp_path / "copies"))
        assert "backups" not in said
    finally:
        await bot.stop()
    (copy,) = (tmp_path / "copies").glob("*.db")
    assert _query(copy, "SELECT unit, hash FROM invites") == [("thon-03", digest(code))]


# Units ---------------------------------------------------------------------------------------------


@pytest.fixture
def commune(operator: Operator, tmp_path: Path) -> Path:
    """A commune.toml that may be changed."""
    copy = tmp_path / "commune.toml"
    shutil.copyfile(ROOT / "commune.toml", copy)
    operator.settings["COMMUNE"] = str(copy)
    return copy


HEADER = "id,name,aliases,lat,lon,polygon\n"


def test_real_names_replace_stand_ins(operator: Operator, commune: Path, tmp_path: Path) -> None:
    before = tomllib.loads(commune.read_text(encoding="utf-8"))
    file = tmp_path / "units.csv"
    file.write_text(
        HEADER + 'thon-03,Thôn Đông Phú,"thon dong;đông phú",20.9914,106.3888,\n', encoding="utf-8"
    )
    assert "units.csv" in operator.says("import", str(file))
    unit = load_commune(commune).units["thon-03"]
    assert (unit.name, unit.stand_in) == ("Thôn Đông Phú", False)
    assert unit.centre is not None
    assert (unit.centre.lat, unit.centre.lon) == (20.9914, 106.3888)
    after = tomllib.loads(commune.read_text(encoding="utf-8"))
    others = [[u for u in text["units"] if u["id"] != "thon-03"] for text in (before, after)]
    assert others[0] == others[1]
    assert {k: v for k, v in before.items() if k != "units"} == {
        k: v for k, v in after.items() if k != "units"
    }


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (HEADER + "thon-99,Thôn Lạ,,20.99,106.38,\n", "thon-99"),
        (HEADER + "thon-03,Thôn Ba,,106.38,20.99,\n", "line 2"),
        (HEADER + "thon-03,Thôn Ba,,hai mươi,106.38,\n", "hai mươi"),
        (HEADER + "thon-03,Thôn 4,,20.99,106.38,\n", "Thôn 4"),
        ("name;id\nThôn Ba;thon-03\n", "id"),
        ("", "line 1"),
    ],
    ids=["unknown unit", "turned round", "no number", "another's name", "other columns", "empty"],
)
def test_a_bad_spreadsheet_changes_nothing(
    operator: Operator, commune: Path, tmp_path: Path, content: str, named: str
) -> None:
    before = commune.read_bytes()
    file = tmp_path / "units.csv"
    file.write_text(content, encoding="utf-8")
    refused(operator.types("import", str(file)), named)
    assert commune.read_bytes() == before


def test_a_missing_spreadsheet_is_named(operator: Operator, commune: Path) -> None:
    refused(operator.types("import", "nothing.csv"), "nothing.csv")


# Doctor --------------------------------------------------------------------------------------------


def test_the_doctor_says_what_is_missing(operator: Operator) -> None:
    result = operator.types("doctor")
    assert result.exit_code == 1
    for named in ("Thôn 3", "import", "Telegram"):
        assert named in result.stdout


def test_a_commune_in_order_needs_no_doctor(operator: Operator, commune: Path) -> None:
    commune.write_text(commune.read_text(encoding="utf-8").replace("stand_in = true\n", ""), encoding="utf-8")
    for number, unit in enumerate(load_commune(commune).units):
        operator.joins(str(number), unit, "staff", "Ai đó")
    result = operator.types("doctor", TELEGRAM_BOT_TOKEN="1:MARKER")
    assert result.exit_code == 0, result.stdout
    assert not [mark for mark in MARKS if mark in result.output]


# Backup --------------------------------------------------------------------------------------------


def test_a_backup_is_whole_and_can_be_put_back(operator: Operator, tmp_path: Path) -> None:
    operator.joins("1", "thon-03", "monitor", "Bác Tư")
    said = operator.says("backup")
    (copy,) = (operator.data / "backups").iterdir()
    assert str(copy) in said
    assert copy.stat().st_mode & 0o077 == 0
    assert _query(copy, "PRAGMA integrity_check") == [("ok",)]
    restored = tmp_path / "restored"
    restored.mkdir()
    shutil.copyfile(copy, restored / "anphuxanh.db")
    assert "Bác Tư" in operator.says("members", DATA_DIR=str(restored))


def test_two_backups_stand_side_by_side(operator: Operator) -> None:
    for _ in range(2):
        operator.says("backup", str(operator.folder / "copies"))
    left = list((operator.folder / "copies").iterdir())
    # Nothing but copies: no log of a connection that was left open, no half of one.
    assert {path.suffix for path in left} == {".db"}
    assert all(_query(copy, "PRAGMA integrity_check") == [("ok",)] for copy in left)


def test_nothing_to_back_up(operator: Operator, tmp_path: Path) -> None:
    empty = str(tmp_path / "empty")
    refused(operator.types("backup", DATA_DIR=empty), empty)
    refused(operator.types("backup", DATABASE_URL="postgresql+asyncpg://u:p4ssw0rd@127.0.0.1/x"), "pg_dump")


def _query(file: Path, statement: str) -> list[tuple[object, ...]]:
    conn = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return list(conn.execute(statement))
    finally:
        conn.close()


# Wrong settings ------------------------------------------------------------------------------------

WRONG: list[tuple[str, dict[str, str]]] = [
    ("TELEGRAM_BOT_TOKEN", {"TELEGRAM_BOT_TOKEN": "MARKER token"}),
    ("TELEGRAM_API_URL", {"TELEGRAM_API_URL": "ftp://MARKER"}),
    ("TELEGRAM_WEBHOOK_SECRET", {"TELEGRAM_WEBHOOK_URL": "https://bot.example.org/telegram"}),
    ("TELEGRAM_WEBHOOK_SECRET", {"TELEGRAM_WEBHOOK_SECRET": "S3CRET có dấu"}),
    ("TELEGRAM_WEBHOOK_URL", {"TELEGRAM_WEBHOOK_URL": "bot", "TELEGRAM_WEBHOOK_SECRET": "S3CRET"}),
    ("TELEGRAM_RATE", {"TELEGRAM_RATE": "nan"}),
    ("TELEGRAM_CHAT_RATE", {"TELEGRAM_CHAT_RATE": "0"}),
    ("TELEGRAM_CHAT_BURST", {"TELEGRAM_CHAT_BURST": "1.5"}),
    ("TELEGRAM_GROUP_RATE", {"TELEGRAM_GROUP_RATE": "nhiều"}),
    ("TELEGRAM_PROXY", {"TELEGRAM_PROXY": "socks5://user:p4ssw0rd@127.0.0.1:1080"}),
    ("HTTP_PORT", {"HTTP_PORT": "99999"}),
    ("HTTP_PORT", {"HTTP_PORT": "tám nghìn"}),
    ("HTTP_HOST", {"HTTP_HOST": "0.0.0.0"}),
    ("WEBCHAT", {"WEBCHAT": "maybe"}),
    ("WEBCHAT_ANY_HOST", {"WEBCHAT_ANY_HOST": "perhaps"}),
    ("LOG_LEVEL", {"LOG_LEVEL": "loud"}),
    ("COMMUNE", {"COMMUNE": "/nowhere/commune.toml"}),
    ("DATABASE_URL", {"DATABASE_URL": "p4ssw0rd"}),
    ("DATABASE_URL", {"DATABASE_URL": "postgresql://user:p4ssw0rd@127.0.0.1/x"}),
    ("DATABASE_URL", {"DATABASE_URL": "mysql+aiomysql://user:p4ssw0rd@127.0.0.1/x"}),
    ("DATABASE_URL", {"DATABASE_URL": "postgresql+asyncpg://user:p4ssw0rd@127.0.0.1:1/x"}),
    ("PHOTO_STORE", {"PHOTO_STORE": "ftp://p4ssw0rd@example.org/photos"}),
    ("DATA_DIR", {"DATA_DIR": "/proc/nowhere"}),
]


@pytest.mark.parametrize(("named", "settings"), WRONG, ids=[" ".join(s.values()) for _, s in WRONG])
def test_a_wrong_setting_stops_the_start(operator: Operator, named: str, settings: dict[str, str]) -> None:
    """O3, F6: named, in a sentence, in time; nothing secret is printed, and nothing is half begun."""
    said = refused(operator.types("run", **{"HTTP_PORT": "0"} | settings), named)
    assert len([line for line in said.splitlines() if named in line]) == 1


def test_a_data_folder_that_is_a_file(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(operator.types("run", DATA_DIR=str(tmp_path / "file"), HTTP_PORT="0"), "DATA_DIR")


def test_a_wrong_commune_names_what_is_wrong(operator: Operator, commune: Path) -> None:
    text = commune.read_text(encoding="utf-8")
    commune.write_text(text.replace('prefix = "AP"', 'prefix = "ap"'), encoding="utf-8")
    refused(operator.types("run", HTTP_PORT="0"), "commune.toml", "prefix")
    refused(operator.types("invite", "--unit", "thon-03", "--role", "monitor"), "prefix")


def test_a_port_in_use_is_named(operator: Operator, taken_port: int) -> None:
    refused(operator.types("run", HTTP_PORT=str(taken_port)), str(taken_port), "HTTP_PORT")


@pytest.fixture
def taken_port() -> Iterator[int]:

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_newer_database_is_left_alone(operator: Operator) -> None:
    file = operator.data / "anphuxanh.db"
    conn = sqlite3.connect(file)
    conn.execute("UPDATE alembic_version SET version_num = '9999'")
    conn.commit()
    conn.close()
    refused(operator.types("run", HTTP_PORT="0"))
    refused(operator.types("members"))
    assert _query(file, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_as_people_start_it(tmp_path: Path) -> None:
    """`python -m bot` itself: the sentence, the exit code, and no trace of the program's inside."""
    result = run_module(tmp_path, {"TELEGRAM_BOT_TOKEN": "MARKER token", "DATA_DIR": str(tmp_path / "data")})
    assert result.returncode == 2
    assert result.stdout == ""
    assert "TELEGRAM_BOT_TOKEN" in result.stderr
    assert "MARKER" not in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "data").exists()


def run_module(folder: Path, settings: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":

    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {"PYTHONPATH": str(ROOT), "COMMUNE": str(ROOT / "commune.toml"), **settings}
    return subprocess.run(
        [sys.executable, "-m", "bot"],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
