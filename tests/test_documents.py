"""What is written is true: every message exists, is used and fits; what the README says is so."""

import ast
import asyncio
import json
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from typer import Typer

from bot.cli import app
from bot.core.message import Button
from bot.messages import Messages
from bot.settings import Settings
from storage.database import Database
from storage.tables import OutboxState, outbox
from tests.paper import OnPaper
from tests.script import Player, stories

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / "bot").rglob("*.py"))}
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
ENV_EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")

TEXT_LONGEST, BUTTONS_MOST, LABEL_LONGEST = 2000, 5, 20
# Audiences whose messages are part of the talk, and so of the stories.
TALKED = ("resident", "duty", "join", "campaign", "activity", "task")
# Code that says something itself: where in the arguments the message's name stands.
SAYING = {
    "answer": 0,
    "ask": 0,
    "Say": 1,
    "Broadcast": 1,
    "ShowPhotos": 1,
    "ShowEvidence": 1,
    "tell_reporter": 1,
    "render": 0,
}
OPERATOR = {"say", "fail"}
# Names that are made while running, and what can be filled in.
MADE = {"resident/ask_{}", "operator/{}"}

ENGLISH_WORDS = """
about added address admin again alert already answer bad button cancel cancelled category click close
closed code confirm confirmed deadline default delete delivered done draft error exception failed failure
false field file filed follow forward forwarded here hour hours invalid invite key lane link list loading
location member message missing monitor name none null number okay open order office officer outbox paper
password phone photo photos place please police press private reject rejected reminder reopened report
reporter reports resident resolved retry role room sanitation secret send sending sent server session
sorry staff status street submit success summary system text thanks timeout token traceback true undefined
undelivered unit unknown update user village warning webhook welcome wrong you your
"""
ENGLISH = frozenset(ENGLISH_WORDS.split())
# Internal names and numbers of errors: "thon-03", "ack_by", "E104", "HTTP 500", "0x1f", "{{ … }}".
CODES = re.compile(
    r"\b(?:thon|truong)-\d\d\b|\b[a-z]+_[a-z_]+\b|\b[A-Z]+\d{2,}\b|\bHTTP\b|\b0x[0-9a-f]+\b|\{[{%]|[%}]\}"
    r"|\b(?:cong-an|ubnd|phong-kinh-te)\b|\bNone\b|\blỗi (?:số )?\d+"
)


# Messages ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Named:
    """A message's name as the code says it."""

    name: str
    where: str


@cache
def named_in_code() -> list[Named]:
    """Each literal that is handed to something that speaks, or that has the form of a message's name."""
    found: list[Named] = []
    for path, source in SOURCES.items():
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            for name in _names(node):
                found.append(Named(name, f"{path}:{getattr(node, 'lineno', 0)}"))
    return found


@cache
def audiences() -> set[str]:
    return {name.partition("/")[0] for name in Messages().names()}


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        audience, slash, name = node.value.partition("/")
        # "resident/ask_" is the beginning of a name that is made below.
        if slash and audience in audiences() and re.fullmatch(r"\w*[^\W_]", name):
            yield node.value
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in OPERATOR:
            yield from (f"operator/{name}" for name in _literals(node, 0))
        elif called in SAYING:
            yield from _literals(node, SAYING[called])
    if isinstance(node, ast.JoinedStr):
        yield from _made(node)


def _literals(call: ast.Call, place: int) -> Iterator[str]:
    arguments = [*call.args[place : place + 1], *(k.value for k in call.keywords if k.arg == "message")]
    for argument in arguments:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value


def _made(node: ast.JoinedStr) -> Iterator[str]:
    parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
    pattern = "".join(map(str, parts))
    if pattern == "resident/ask_{}":
        yield from (f"resident/ask_{slot}" for slot in slots() - {"summary"})
    elif pattern.partition("/")[0] in {*TALKED, "operator"}:
        assert pattern in MADE, f"{pattern}: which messages are these?"


def slots() -> set[str]:
    """Every slot that core/form.py may ask for next."""
    tree = ast.parse((ROOT / "bot/core/form.py").read_text(encoding="utf-8"))
    (ask,) = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "next_slot")
    returned = [n.value for n in ast.walk(ask) if isinstance(n, ast.Return)]
    return {str(value.value) for value in returned if isinstance(value, ast.Constant)}


def test_the_form_has_the_slots_we_know() -> None:
    assert {"category", "place", "photo", "summary"} <= slots()


def test_every_message_named_in_code_exists() -> None:
    names = set(Messages().names())
    assert [f"{one.where}: {one.name}" for one in named_in_code() if one.name not in names] == []


def test_every_message_is_used() -> None:
    used = {one.name for one in named_in_code()}
    assert sorted(set(Messages().names()) - used) == []


def test_only_known_names_are_made_while_running() -> None:
    made = set()
    for path in SOURCES.values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
                made.add("".join(map(str, parts)))
    assert {name for name in made if name.partition("/")[0] in {*TALKED, "operator", "channel"}} == MADE


@pytest.mark.parametrize("path", sorted((ROOT / "templates").rglob("*.txt")), ids=lambda path: path.stem)
def test_a_template_is_plain_nfc_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert unicodedata.is_normalized("NFC", text)
    assert not re.search(r"[^\S\n ]|\u200b|\ufeff", text)
    assert text.endswith("\n")
    # Plain text is sent: markup would be read as it stands.
    assert not re.search(r"</?[a-z]+>|\*\*|__|\]\(", text)


# Transcripts ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """A message that the bot sent in a story."""

    story: str
    name: str
    text: str
    buttons: tuple[Button, ...]


@pytest.fixture(scope="module")
def told(sqlite_template: Path) -> list[Told]:
    """Everything said in all stories, with the template it came from."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, _played(sqlite_template)).result()


async def _played(template: Path) -> list[Told]:
    found: list[Told] = []
    for story in stories():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copyfile(template, folder / "anphuxanh.db")
            db = Database.in_folder(folder)
            try:
                await Player(db, folder, OnPaper).play(story.read_text(encoding="utf-8"))
                found += [_told(story.stem, row) for row in await _sent(db)]
            finally:
                await db.close()
    return found


async def _sent(db: Database) -> list[sa.Row[Any]]:
    async with db.read() as conn:
        return list(await conn.execute(sa.select(outbox).where(outbox.c.state == OutboxState.SENT)))


def _told(story: str, row: sa.Row[Any]) -> Told:
    return Told(story, row.message, row.text, tuple(Button(*pair) for pair in json.loads(row.buttons)))


# Said on one platform only, so that no story has it; each names the test that hears it.
HEARD_ELSEWHERE = {"resident/introduction": "tests/test_zalo_bot.py"}


def test_every_message_of_the_talk_is_said_in_a_story(told: list[Told]) -> None:
    talked = {name for name in Messages().names() if name.partition("/")[0] in TALKED}
    assert sorted(talked - {one.name for one in told}) == sorted(HEARD_ELSEWHERE)
    for name, test in HEARD_ELSEWHERE.items():
        assert name in (ROOT / test).read_text(encoding="utf-8")


def test_every_message_said_fits_every_channel(told: list[Told]) -> None:
    assert told
    wrong = []
    for one in told:
        if not one.text.strip() or len(one.text) > TEXT_LONGEST:
            wrong.append(f"{one.story}: {one.name}: {len(one.text)} characters")
        if len(one.buttons) > BUTTONS_MOST:
            wrong.append(f"{one.story}: {one.name}: {len(one.buttons)} buttons")
        wrong += [
            f"{one.story}: {one.name}: [{button.label}]"
            for button in one.buttons
            if not 0 < len(button.label) <= LABEL_LONGEST or len(button.action.encode()) > 64
        ]
        labels = [button.label for button in one.buttons]
        if len(set(labels)) < len(labels):
            wrong.append(f"{one.story}: {one.name}: two buttons alike")
    assert wrong == []


def test_every_message_said_is_vietnamese(told: list[Told]) -> None:
    """No English, no error codes, no names of the inside. What people wrote is quoted, and theirs."""
    wrong = []
    for one in told:
        own = re.sub(r"“[^”]*”|Lời: .*", "", one.text)
        spoken = "\n".join([own, *(button.label for button in one.buttons)])
        without_codes = re.sub(r"\bAP-\d\d-\d{5}\b", "", spoken)
        words = {word.lower() for word in re.findall(r"(?<!\w)[A-Za-z_]+(?!\w)", without_codes)}
        wrong += [f"{one.story}: {one.name}: {word}" for word in sorted(words & ENGLISH)]
        wrong += [f"{one.story}: {one.name}: {found}" for found in CODES.findall(without_codes)]
    assert sorted(set(wrong)) == []


def test_every_message_said_is_nfc_and_tidy(told: list[Told]) -> None:
    for one in told:
        for text in (one.text, *(button.label for button in one.buttons)):
            assert unicodedata.is_normalized("NFC", text), (one.story, one.name)
            assert text == text.strip(), (one.story, one.name)
            assert not re.search(r"  |\n{3}| [,.?!:]|\.\.(?!\.)", text), (one.story, one.name, text)


def test_every_report_named_is_in_one_form(told: list[Told]) -> None:
    for one in told:
        for code in re.findall(r"\bAP-[\d-]+\b", one.text):
            assert re.fullmatch(r"AP-\d\d-\d{5}", code), (one.story, one.name, code)


def test_who_is_told_what_matters_hears_the_code(told: list[Told]) -> None:
    """The receipt and the alert: product, section 7."""
    for name in ("resident/receipt", "duty/alert"):
        said = [one for one in told if one.name == name]
        assert said, name
        assert all(re.search(r"\bAP-\d\d-\d{5}\b", one.text) for one in said), name


# The README ----------------------------------------------------------------------------------------


def ticked() -> list[str]:
    """What stands between backticks, and where links of ours lead; a story states no facts."""
    text = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    return [*re.findall(r"`([^`\n]+)`", text), *links]


def table_rows() -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in README.splitlines()
        if line.lstrip().startswith("|")
    ]


def test_every_setting_is_told_and_every_told_one_is() -> None:
    settings = {name.upper() for name in Settings.model_fields}
    example = re.findall(r"^([A-Z_]+)=", ENV_EXAMPLE, re.MULTILINE)
    assert sorted(example) == sorted(settings)
    firsts = [re.fullmatch(r"`([A-Z][A-Z0-9_]+)`", row[0]) for row in table_rows()]
    assert sorted(found[1] for found in firsts if found) == sorted(settings)


def test_the_defaults_told_are_the_defaults() -> None:
    told = dict(re.findall(r"^([A-Z_]+)=(.*)$", ENV_EXAMPLE, re.MULTILINE))
    readme = {row[0].strip("`"): row[1].strip("`") for row in table_rows() if len(row) == 3}
    for name, field in Settings.model_fields.items():
        key, default = name.upper(), _plain(field.default)
        assert told[key].removeprefix("./") == default, key
        # An empty setting may be explained by what takes its place.
        shown = readme[key].removeprefix("./").replace("trống", "")
        assert shown == default or (default == "" and shown.startswith("DATA_DIR/")), key


def _plain(default: object) -> str:
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    assert not isinstance(default, SecretStr)
    if isinstance(default, tuple | dict):
        return ",".join(default)
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_every_line_of_the_example_says_what_it_is_for() -> None:
    lines = ENV_EXAMPLE.splitlines()
    for before, line in pairwise(lines):
        if re.match(r"[A-Z_]+=", line):
            assert before.startswith("# "), line


def test_every_make_target_is_told_and_every_told_one_is() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    targets = set(phony.split()) - {"help", "rebuild"}
    mentioned = set(re.findall(r"`make ([a-z][a-z-]*)", README))
    assert mentioned == targets
    helped = set(re.findall(r"  make ([a-z][a-z-]*)", MAKEFILE))
    assert helped == targets


def test_every_command_is_told_and_every_told_one_is() -> None:
    groups = {str(group.name): group.typer_instance for group in app.registered_groups}
    commands = _commands(app)
    assert set(re.findall(r"python -m bot ([a-z]+)", README)) == commands | set(groups)
    for name, group in groups.items():
        assert group is not None
        assert set(re.findall(rf"python -m bot {name} ([a-z]+)", README)) == _commands(group)


def _commands(of: Typer) -> set[str]:
    return {one.name or one.callback.__name__ for one in of.registered_commands if one.callback}


def test_every_path_told_exists() -> None:
    # Made by the person who follows the README, not part of the tree.
    theirs = {"units.csv", ".env", ".venv"}
    kinds = (".py", ".md", ".toml", ".txt", ".service", ".timer", ".lock", ".png", ".example")
    missing = []
    for said in ticked():
        if not re.fullmatch(r"[A-Za-z.][\w.-]*(/[\w.-]+)*/?", said) or said in theirs:
            continue
        if said.startswith(("./", "DATA_DIR/", ".venv/")):
            continue
        ours = "/" in said or said.endswith(kinds) or said in ("Makefile", "Containerfile")
        if ours and not (ROOT / said).exists():
            missing.append(said)
    assert missing == []


def test_the_map_leaves_no_part_out() -> None:
    """Each folder of the tree, and each file of bot/ that is not only the start, has its word."""
    said = {one.rstrip("/") for one in ticked()}
    tops = ["bot", "storage", "templates", "tests", "bench", "docs", "deploy"]
    packages = [f"bot/{p.parent.name}" for p in (ROOT / "bot").glob("*/__init__.py")]
    loops = [f"bot/{name}.py" for name in ("conversation", "delivery", "fetching", "reminders")]
    wanted = {*packages, *loops, *tops} - {"bot", "templates"}
    assert sorted(one for one in wanted if one not in said) == []


# The words of the product, each with the Vietnamese that a reader of the README must find beside it.
GLOSSARY = {
    "resident": "bà con",
    "unit": "đơn vị",
    "member": "thành viên",
    "role": "vai trò",
    "room": "nhóm chat",
    "report": "phản ánh",
    "category": "loại",
    "hotspot": "điểm nóng",
    "campaign": "đợt tổng vệ sinh",
    "task": "nhiệm vụ",
    "participation": "kết quả tham gia",
    "activity": "hoạt động",
    "indicator": "chỉ tiêu",
    "outbox": "hàng đợi gửi",
}


def test_the_words_of_the_code_are_explained() -> None:
    rows = [row for row in table_rows() if len(row) >= 3]
    for word, vietnamese in GLOSSARY.items():
        fitting = [row for row in rows if word in re.split(r"[\s,]+", row[0])]
        assert any(vietnamese in row[1] for row in fitting), word


def test_there_is_a_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert re.search(r"^## ", text, re.MULTILINE)
    assert re.search(r"^- ", text, re.MULTILINE)


def test_the_architecture_of_languages() -> None:
    """The README speaks Vietnamese; one paragraph tells in English what this is."""
    assert len(re.findall(r"[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", README)) > 500
