"""The lock files: names, versions and hashes, nothing of the machine that made them, and nothing missing."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")

PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[0-9][0-9a-z.+!]*)(?P<marker> ; [^/\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def strange_lines(lock: str) -> list[str]:
    return [line for line in lock.splitlines() if not PIN.fullmatch(line) and not HASH.fullmatch(line)]


def unhashed(lock: str) -> list[str]:
    return [
        line
        for line, below in pairwise([*lock.splitlines(), ""])
        if PIN.fullmatch(line) and not HASH.fullmatch(below)
    ]


def pins(lock: str) -> dict[str, Version]:
    found = filter(None, map(PIN.fullmatch, lock.splitlines()))
    return {canonicalize_name(pin["name"]): Version(pin["version"]) for pin in found}


def unmet(wanted: list[str], lock: str) -> list[str]:
    pinned = pins(lock)
    return [text for text in wanted if not _met(Requirement(text), pinned)]


def _met(wanted: Requirement, pinned: dict[str, Version]) -> bool:
    version = pinned.get(canonicalize_name(wanted.name))
    return version is not None and version in wanted.specifier


def _read(lock: str) -> str:
    return (ROOT / lock).read_text(encoding="utf-8")


def _wanted(lock: str) -> list[str]:
    project = tomllib.loads(_read("pyproject.toml"))["project"]
    run: list[str] = project["dependencies"]
    dev: list[str] = project["optional-dependencies"]["dev"]
    return run + dev if "dev" in lock else run


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_names_versions_and_hashes_only(lock: str) -> None:
    assert strange_lines(_read(lock)) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_what_the_project_asks_for(lock: str) -> None:
    assert unmet(_wanted(lock), _read(lock)) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    assert unhashed(_read(lock)) == []


def test_the_dev_lock_runs_the_same_versions() -> None:
    run, dev = (pins(_read(lock)) for lock in LOCKS)
    assert {name: dev.get(name) for name in run} == run


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example/simple",
        "--find-links /srv/wheels",
        "# via -r /home/me/pyproject.toml",
        "aiohttp @ https://packages.example/aiohttp.whl",
        "aiohttp==3.14.5",
        "aiohttp>=3.14 \\",
        "    --hash=md5:0123456789abcdef0123456789abcdef",
    ],
)
def test_the_check_sees_what_does_not_belong(line: str) -> None:
    good = "idna==3.20 \\\n    --hash=sha256:" + "0" * 64
    assert (strange_lines(good), strange_lines(f"{good}\n{line}")) == ([], [line])


def test_the_check_sees_what_is_missing_or_too_old() -> None:
    lock = "idna==3.20 \\\n    --hash=sha256:" + "0" * 64
    assert unmet(["idna[all]>=3", "idna>=4", "aiohttp"], lock) == ["idna>=4", "aiohttp"]


def test_the_check_sees_a_pin_without_a_hash() -> None:
    assert unhashed("idna==3.20 \\\nyarl==1.25.1 \\\n    --hash=sha256:" + "0" * 64) == ["idna==3.20 \\"]
