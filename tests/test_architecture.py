"""Imports go down only, core and handlers are pure, and words people read are not in the code."""

import ast
import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A module imports lower floors and its own package; a name stands for everything below it too.
# Between the ground and the trades lie the shapes that trades agree on: 1.5.
FLOORS: dict[str, float] = {
    "bot.__main__": 5,
    "bot.app": 5,
    "bot.cli": 5,
    "bot.cli_base": 5,
    "bot.cli_doctor": 5,
    "bot.cli_zalo": 5,
    "bot.platforms": 4.5,
    "bot.chatpage": 4,
    "bot.linkpage": 4,
    "bot.office": 4,
    "bot.web": 4,
    "bot.broadcasting": 3,
    "bot.conversation": 3,
    "bot.delivery": 3,
    "bot.fetching": 3,
    "bot.picturing": 3,
    "bot.reminders": 3,
    "bot.channels.base": 1.5,
    "bot.clock": 1.5,
    "bot.tomltypes": 1.2,
    "bot.planfile": 1.3,
    "bot.config": 1.5,
    "bot.channels": 2,
    "bot.assignments": 1.7,
    "bot.cleanups": 1.7,
    "bot.deeds": 1.7,
    "bot.drawings": 1,
    "bot.facts": 2,
    "bot.figures": 1.8,
    "bot.handlers": 2,
    "bot.inbox": 2,
    "bot.messages": 2,
    "bot.notices": 1.7,
    "bot.pages": 2,
    "bot.painting": 2,
    "bot.perform": 2,
    "bot.photo_worker": 2,
    "bot.photos": 2,
    "bot.results": 1.6,
    "bot.rows": 1.8,
    "bot.settings": 1.7,
    "bot.signed": 2,
    "bot.unitsfile": 2,
    "bot.voices": 1.5,
    "bot.ways": 1.6,
    "bot.workers": 1.5,
    "bot.core": 1,
    "storage": 1,
}

# Neighbours that may import each other all the same: (who, whom), each with its reason.
NEIGHBOURS: set[tuple[str, str]] = {
    ("bot.__main__", "bot.cli"),  # it is only the name that `python -m bot` asks for
    ("bot.cli", "bot.app"),  # `run` starts the program
    ("bot.cli_base", "bot.app"),  # the other commands open its database the same way
    ("bot.cli", "bot.cli_base"),  # what all commands share
    ("bot.cli_zalo", "bot.cli_base"),
    ("bot.cli", "bot.cli_zalo"),  # a group of commands is mounted
    ("bot.cli", "bot.cli_doctor"),  # a command too long to stand there
    ("bot.cli_doctor", "bot.cli_base"),
    ("bot.cli_doctor", "bot.cli_zalo"),  # the account is told in the same words
}

PURE = ("bot.core", "bot.handlers")
IMPURE = frozenset(
    {"sqlalchemy", "aiohttp", "telegram", "asyncio", "threading", "socket", "subprocess", "os", "pathlib"}
    | {"random", "secrets", "uuid", "time"}
)
CLOCKS = frozenset({"now", "utcnow", "today"})

# Where Vietnamese is the subject, not something said to somebody.
ABOUT_VIETNAMESE = frozenset({"bot.core.amountparts", "bot.core.amountwords", "bot.core.text"})
MAY_PRINT = "bot.cli"

# Any one of these marks makes a Latin letter Vietnamese; đ has no such parts.
MARKS = frozenset("\u0300\u0301\u0302\u0303\u0306\u0309\u031b\u0323")


def modules() -> dict[str, str]:
    """Name → source of every module in bot/ and storage/."""
    files = sorted(path for top in ("bot", "storage") for path in (ROOT / top).rglob("*.py"))
    return {_name(path): path.read_text(encoding="utf-8") for path in files}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def home(name: str) -> str | None:
    """The entry of FLOORS that a module belongs to."""
    return next((place for place in FLOORS if _inside(name, place)), None)


def _inside(name: str, *places: str) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def imported(tree: ast.Module) -> Iterator[str]:
    """What a module imports, in full names, wherever in it the import stands."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                # `from bot import config` imports bot.config; a relative one keeps its dots: a fault.
                yield from (f"{'.' * level}{module or ''}.{alias.name}" for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__")
            ):
                yield from (str(text.value) for text in node.args if isinstance(text, ast.Constant))


def unplaced(name: str, source: str) -> Iterator[str]:
    """A file nobody gave a floor; `bot` itself is an empty roof over all of them."""
    if home(name) is None and not (name == "bot" and not source.strip()):
        yield "stands on no floor: give it one in FLOORS"


def climbing(name: str, source: str) -> Iterator[str]:
    """Imports of the same floor or a higher one, outside the module's own package."""
    here = home(name)
    for target in imported(ast.parse(source)):
        there = home(target)
        if target.startswith("."):
            yield f"imports {target}: write the full name"
        elif _inside(target, "tests", "bench"):
            yield f"imports {target}: the program knows no tests"
        elif there is None and _inside(target, "bot"):
            yield f"imports {target}, which stands on no floor"
        elif here and there and here != there and not _may_import(here, there):
            yield f"imports {target}: floor {FLOORS[here]} may not know {there} on floor {FLOORS[there]}"


def _may_import(here: str, there: str) -> bool:
    return FLOORS[there] < FLOORS[here] or (here, there) in NEIGHBOURS


def impure(name: str, source: str) -> Iterator[str]:
    """In core and handlers: the outside world, a clock, chance, or waiting."""
    if not _inside(name, *PURE):
        return
    tree = ast.parse(source)
    for target in imported(tree):
        if target.partition(".")[0] in IMPURE:
            yield f"imports {target}"
    for node in ast.walk(tree):
        match node:
            case ast.AsyncFunctionDef() | ast.AsyncFor() | ast.AsyncWith() | ast.Await():
                yield f"line {node.lineno} waits"
            case ast.Call(func=ast.Attribute(attr=clock)) if clock in CLOCKS:
                yield f"line {node.lineno} asks the clock: {clock}()"
            # Handed on without a call: default_factory=datetime.now
            case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=clock) if clock in CLOCKS:
                yield f"line {node.lineno} hands on the clock: {clock}"
            case ast.Call(func=ast.Name(id="open" | "input")):
                yield f"line {node.lineno} reads from outside"


def speaking(name: str, source: str) -> Iterator[str]:
    """Vietnamese in the code: words people read live in templates/ and commune.toml."""
    if name in ABOUT_VIETNAMESE:
        return
    tree = ast.parse(source)
    explained = set(_docstrings(tree))
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if node not in explained and is_vietnamese(text):
                yield f"line {node.lineno} says {text!r}"


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """They are for developers, and may quote what somebody writes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body[:1]:
                case [ast.Expr(value=ast.Constant() as text)]:
                    yield text


def is_vietnamese(text: str) -> bool:
    letters = unicodedata.normalize("NFD", text)
    return any(letter in "đĐ" for letter in letters) or any(
        mark in MARKS and unicodedata.name(letter, "").startswith("LATIN")
        for letter, mark in pairwise(letters)
    )


def printing(name: str, source: str) -> Iterator[str]:
    """`print` outside the command line: what happens is logged, what is said goes through the outbox."""
    if _inside(name, MAY_PRINT):
        return
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="print" | "pprint")):
                yield f"line {node.lineno} prints"


def unexplained(name: str, source: str) -> Iterator[str]:
    """A module that does not open with one sentence on what it is for; an empty one needs none."""
    said = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")[0]
    if not source.strip():
        return
    if not said:
        yield "has no docstring"
    elif not said.endswith(".") or re.search(r"[.!?]\s+[A-ZĐ`]", said):
        yield "opens with something else than one sentence"


RULES = (unplaced, climbing, impure, speaking, printing, unexplained)
Rule = Callable[[str, str], Iterator[str]]


@pytest.mark.parametrize("rule", RULES)
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    faults = [f"{name} {fault}" for name, source in modules().items() for fault in rule(name, source)]
    assert faults == []


OFFENDERS: list[tuple[Rule, str, str]] = [
    (unplaced, "bot.gossip", ""),
    (unplaced, "bot", "x = 1"),
    (climbing, "bot.core.form", "from bot.messages import render"),
    (climbing, "bot.core.form", "from storage.tables import inbox"),
    (climbing, "storage.inbox", "import bot.core.events"),
    (climbing, "storage.inbox", "def f():\n    from bot.core import events"),
    (climbing, "bot.handlers.report", "from bot import facts"),
    (climbing, "bot.delivery", "from bot.conversation import Conversation"),
    (climbing, "bot.facts", "import importlib\nimportlib.import_module('bot.app')"),
    (climbing, "bot.web", "if TYPE_CHECKING:\n    from bot.app import App"),
    (climbing, "bot.handlers.report", "from . import start"),
    (climbing, "bot.handlers.report", "from .. import facts"),
    (climbing, "bot.app", "from tests.paper import Paper"),
    (climbing, "bot.app", "import bot.gossip"),
    (impure, "bot.core.form", "import sqlalchemy.ext.asyncio"),
    (impure, "bot.handlers.start", "from aiohttp import web"),
    (impure, "bot.handlers.start", "from telegram import Update"),
    (impure, "bot.core.form", "import asyncio"),
    (impure, "bot.core.form", "import random, re"),
    (impure, "bot.core.form", "from time import monotonic"),
    (impure, "bot.core.form", "from secrets import token_hex"),
    (impure, "bot.core.form", "import os.path"),
    (impure, "bot.core.form", "from pathlib import Path"),
    (impure, "bot.core.form", "async def f(): ..."),
    (impure, "bot.core.form", "now = datetime.now(UTC)"),
    (impure, "bot.core.form", "now = datetime.datetime.utcnow()"),
    (impure, "bot.core.form", "day = date.today()"),
    (impure, "bot.core.form", "at = field(default_factory=datetime.now)"),
    (impure, "bot.core.form", "words = open('x')"),
    (speaking, "bot.delivery", "x = 'Đã nhận'"),
    (speaking, "bot.delivery", "x = f'{n} phản ánh'"),
    (speaking, "storage.inbox", r"x = 'b\u00e1o'"),
    (speaking, "storage.inbox", r"x = 'ba\u0301o'"),
    (printing, "bot.delivery", "print('sent')"),
    (printing, "storage.inbox", "def f():\n    print()"),
    (unexplained, "bot.delivery", "x = 1"),
    (unexplained, "bot.delivery", '"""No full stop"""'),
    (unexplained, "bot.delivery", '"""One. Two."""'),
    (unexplained, "bot.delivery", '"""One\n\nAnd a chapter."""'),
]

FINE: list[tuple[Rule, str, str]] = [
    (unplaced, "bot.core.new", ""),
    (unplaced, "bot", ""),
    (climbing, "bot.handlers.report", "from bot.handlers.start import menu\nfrom bot.core.form import Form"),
    (climbing, "bot.facts", "from storage import reports\nfrom bot.core import facts"),
    (climbing, "bot.app", "import bot.web, aiohttp"),
    (impure, "bot.delivery", "import asyncio\nasync def f(): await g(datetime.now(UTC))"),
    (impure, "bot.core.when", "from datetime import date, time\nat = facts.now + wait\nday = self.today"),
    (speaking, "bot.core.text", "x = 'đ'"),
    (speaking, "bot.core.when", '"""Writes "Thứ Hai"."""\nx = "– “x” … · 5 °C"'),
    (printing, "bot.cli", "print('x')"),
    (unexplained, "bot.core", ""),
    (unexplained, "bot.delivery", '"""Claims e.g. rows, version 3.2: renders, sends\nand marks."""'),
]


@pytest.mark.parametrize(("rule", "name", "source"), OFFENDERS)
def test_the_rule_sees_an_offender(rule: Rule, name: str, source: str) -> None:
    assert list(rule(name, source)) != []


@pytest.mark.parametrize(("rule", "name", "source"), FINE)
def test_the_rule_leaves_others_alone(rule: Rule, name: str, source: str) -> None:
    assert list(rule(name, source)) == []


def test_every_rule_has_an_offender() -> None:
    assert {rule for rule, _, _ in OFFENDERS} == set(RULES)
