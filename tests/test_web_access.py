"""Who may post to the program: nobody without the secret, and only at the right door."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from pydantic import ValidationError

from bot.channels.telegram import SECRET_HEADER, Telegram
from tests.web_program import SECRET, TOKEN, Bot, settings_for, started, words

pytestmark = pytest.mark.usefixtures("nothing_set")


@pytest.fixture
async def bot(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Bot]:
    async with started(tmp_path, sqlite_template) as made:
        yield made


REFUSED: dict[str, list[tuple[str, str]]] = {
    "none": [],
    "empty": [(SECRET_HEADER, "")],
    "wrong": [(SECRET_HEADER, "Webhook-Secret_2")],
    "prefix": [(SECRET_HEADER, SECRET[:-1])],
    "suffix": [(SECRET_HEADER, SECRET + "1")],
    "case": [(SECRET_HEADER, SECRET.swapcase())],
    "spaced": [(SECRET_HEADER, f"{SECRET[:4]} {SECRET[4:]}")],
    "doubled": [(SECRET_HEADER, SECRET * 2)],
    "listed": [(SECRET_HEADER, f"{SECRET}, {SECRET}")],
    "non-ASCII": [(SECRET_HEADER, "Bí-mật")],
    "long": [(SECRET_HEADER, "x" * 4000)],
    "elsewhere": [("Authorization", SECRET), ("X-Secret", SECRET)],
    "wrong then right": [(SECRET_HEADER, "wrong"), (SECRET_HEADER, SECRET)],
    "right then wrong": [(SECRET_HEADER, SECRET), (SECRET_HEADER, "wrong")],
    "right twice": [(SECRET_HEADER, SECRET), (SECRET_HEADER, SECRET)],
}


async def test_nobody_posts_without_the_secret(bot: Bot) -> None:
    """I1: 403, nothing stored, whatever the body is."""
    told: dict[str, int] = {}
    for name, headers in REFUSED.items():
        for body in (json.dumps(words(1, "/start")).encode(), b"", b"{", b"x" * 1000):
            status, _ = await bot.post(body, CIMultiDict(headers))
            told[name] = max(told.get(name, 0), status) if status != 403 else told.get(name, 403)
    assert told == dict.fromkeys(REFUSED, 403)
    assert bot.stored() == 0
    # A secret of a megabyte is not even read.
    status, _ = await bot.post(words(1, "/start"), {SECRET_HEADER: "x" * 2**20})
    assert 400 <= status < 500
    assert bot.stored() == 0
    # And with it all is well.
    assert await bot.post(words(1, "/start")) == (200, "")
    assert bot.stored() == 1


async def test_only_what_is_posted_to_the_right_door_comes_in(bot: Bot) -> None:
    for method in ("GET", "PUT", "DELETE", "TRACE"):
        async with bot.http.request(method, "/telegram", headers={SECRET_HEADER: SECRET}) as response:
            assert response.status == 405, method
    for path in ("/", "/telegram/", "/webhook", "/../etc/passwd", f"/{TOKEN}"):
        async with bot.http.post(path, json={}, headers={SECRET_HEADER: SECRET}) as response:
            assert response.status == 404, path
    assert bot.stored() == 0


def test_a_webhook_without_a_secret_is_refused(tmp_path: Path) -> None:
    """I2: fails closed, and names the setting."""
    with pytest.raises(ValidationError, match="TELEGRAM_WEBHOOK_SECRET"):
        settings_for(tmp_path, "http://127.0.0.1:1", telegram_webhook_secret=None)
    with pytest.raises(ValueError, match="secret"):
        Telegram(token="1:A", webhook_url="https://example.org/telegram", webhook_secret="")
    assert not Telegram(token="1:A").verify(CIMultiDictProxy(CIMultiDict({SECRET_HEADER: ""})), b"")
    assert not Telegram(token="1:A").verify(CIMultiDictProxy(CIMultiDict()), b"")


async def test_without_a_webhook_there_is_no_door(tmp_path: Path, sqlite_template: Path) -> None:
    async with started(tmp_path, sqlite_template, telegram_webhook_url=None) as bot:
        assert (await bot.post(words(1, "/start")))[0] == 404
        assert bot.stored() == 0
