"""The photo store keeps the same three promises in a folder and in a bucket, under our own keys only."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

from storage.files import Files

FOREIGN = [
    "", "/", "/etc/passwd", "../up", "a/../b", "a/..", "..", "a..b", ".hidden", "a/.b", "./a", "a//b", "a/",
    "A", "ảnh", "a b", "a\\b", "a\0b", "a\n", "a%2e", "c:x", "a" * 513,
]  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    port = _free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    if request.param == "folder":
        return Files(str(tmp_path / "made" / "when needed"))
    return _bucket(request.getfixturevalue("s3"), monkeypatch)


def _bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Files:
    """A fresh store in the bucket "photos", found through the environment alone."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    urlopen(Request(f"{endpoint}/photos", method="PUT")).close()
    return Files("s3://photos/commune/one")


def _listing(endpoint: str) -> bytes:
    with urlopen(f"{endpoint}/photos?list-type=2") as answer:
        return bytes(answer.read())


def _names(folder: Path) -> set[str]:
    """Everything below a folder, as relative paths."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


async def test_what_was_put_is_got(files: Files) -> None:
    await files.put("r/2026-03/a_1-2.jpg", b"\xff\xd8 one")
    assert await files.get("r/2026-03/a_1-2.jpg") == b"\xff\xd8 one"


async def test_put_again_overwrites(files: Files) -> None:
    await files.put("a.jpg", b"one")
    await files.put("a.jpg", b"two")
    assert await files.get("a.jpg") == b"two"


async def test_a_missing_file_is_said(files: Files) -> None:
    with pytest.raises(FileNotFoundError):
        await files.get("nothing/here.jpg")


async def test_delete_is_final_and_may_be_repeated(files: Files) -> None:
    await files.put("gone.jpg", b"x")
    await files.delete("gone.jpg")
    await files.delete("gone.jpg")
    with pytest.raises(FileNotFoundError):
        await files.get("gone.jpg")


@pytest.mark.parametrize("key", FOREIGN)
async def test_foreign_keys_are_refused(tmp_path: Path, key: str) -> None:
    files = Files(str(tmp_path / "inside"))
    with pytest.raises(ValueError, match="key"):
        await files.put(key, b"x")
    with pytest.raises(ValueError, match="key"):
        await files.get(key)
    with pytest.raises(ValueError, match="key"):
        await files.delete(key)
    assert _names(tmp_path) == {"inside"}


async def test_the_bucket_keeps_the_prefix(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await _bucket(s3, monkeypatch).put("prefixed.jpg", b"x")
    assert b"<Key>commune/one/prefixed.jpg</Key>" in _listing(s3)


async def test_folders_are_named_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("./near", str(tmp_path / "bare"), (tmp_path / "with space").as_uri()):
        await Files(url).put("a.jpg", b"x")
    assert {"near/a.jpg", "bare/a.jpg", "with space/a.jpg"} <= _names(tmp_path)


def test_other_stores_are_refused() -> None:
    with pytest.raises(ValueError, match="ftp"):
        Files("ftp://somewhere/photos")
