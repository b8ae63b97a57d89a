"""Keeps the cleaned photos: a local folder or an S3 bucket, behind three verbs."""

import asyncio
import os
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from obstore.store import LocalStore, ObjectStore, S3Store

# Only names we make ourselves: no absolute path, no empty, hidden or climbing part.
PART = r"(?!\.)(?:(?!\.\.)[a-z0-9_.-])+"
KEY = re.compile(rf"{PART}(?:/{PART})*", re.ASCII)
LONGEST_KEY = 512


class Files:
    """Whole files by key. `url`: "./data/photos", "file:///srv/photos", "/srv/photos" or "s3://bucket/prefix".

    A folder is made when it is not there. S3 takes the usual AWS_* environment
    (AWS_ENDPOINT_URL and AWS_ALLOW_HTTP=true for a server of one's own).
    """

    def __init__(self, url: str) -> None:
        """ValueError for a scheme that is neither file nor s3."""
        self._store, self._folder = _store(url)

    async def put(self, key: str, data: bytes) -> None:
        """Write or overwrite, on disk when it returns; a reader sees the old bytes or the new.

        ValueError for a foreign key.
        """
        await self._store.put_async(_checked(key), data)
        if self._folder is not None:
            await asyncio.to_thread(_sync, self._folder / key)

    async def get(self, key: str) -> bytes:
        """The whole file. FileNotFoundError when there is none, ValueError for a foreign key."""
        found = await self._store.get_async(_checked(key))
        return bytes(await found.bytes_async())

    async def delete(self, key: str) -> None:
        """Gone afterwards, whether or not it was there. ValueError for a foreign key."""
        with suppress(FileNotFoundError):
            await self._store.delete_async(_checked(key))


def _checked(key: str) -> str:
    if len(key) > LONGEST_KEY or not KEY.fullmatch(key):
        raise ValueError(f"not a key of ours: {key[:80]!r}")
    return key


def _sync(path: Path) -> None:
    """The store renames but does not sync: a power cut would lose a photo that the database knows of."""
    for place in (path, path.parent):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _store(url: str) -> tuple[ObjectStore, Path | None]:
    scheme, colon, _ = url.partition("://")
    if not colon:
        return _folder(Path(url))
    if scheme == "file":
        return _folder(Path(unquote(urlsplit(url).path)))
    if scheme == "s3":
        return S3Store.from_url(url), None
    raise ValueError(f"a photo store is a folder, file:// or s3://, not {scheme}://")


def _folder(path: Path) -> tuple[ObjectStore, Path]:
    return LocalStore(prefix=path.absolute(), mkdir=True), path.absolute()
