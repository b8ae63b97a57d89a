"""A report all the way through the program: told, sent, taken, closed, judged; once, and over a restart."""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from bot.core.invite import LIFE_MS, digest
from storage import people
from tests.web_program import Bot, Heard, Standin, photo, press, started, words

pytestmark = pytest.mark.usefixtures("nothing_set")


@pytest.fixture
async def bot(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Bot]:
    async with started(tmp_path, sqlite_template) as made:
        yield made


def picture(colour: tuple[int, int, int] = (120, 160, 90)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(buffer, "JPEG")
    return buffer.getvalue()


async def tell(bot: Bot, chat: int) -> None:
    """Up to the summary."""
    bot.platform.files["before"] = ("photos/1.jpg", picture(), len(picture()))
    await bot.post(words(chat, "Rác đổ bừa bãi ở cổng chợ thôn 3"))
    await bot.hears(chat, 1)
    await bot.post(photo(chat, "before"))
    await bot.until(lambda: any(offers(one, "send:") for one in bot.platform.accepted(chat)))


def offers(one: Heard, verb: str) -> bool:
    return any(action.startswith(verb) for action in one.buttons)


def code_in(bot: Bot, chat: int) -> str:
    texts = " ".join(one.text for one in bot.platform.accepted(chat))
    at = texts.index("AP-")
    return texts[at : at + len("AP-26-00001")]


async def invited(bot: Bot, chat: int, unit: str, role: str, code: str) -> None:
    now = int(datetime.now(UTC).timestamp() * 1000)
    await bot.writes(lambda c: people.make_invite(c, digest(code), unit, role, now, now + LIFE_MS))
    await bot.post(words(chat, code))
    await bot.hears(chat, 1)


async def test_a_report_goes_all_the_way(bot: Bot) -> None:
    """Told, photographed, sent, alerted, taken, closed with a photo, judged."""
    resident, officer = 7, 9
    await invited(bot, officer, "thon-03", "monitor", "7K3M-9QXA")
    await tell(bot, resident)
    await bot.presses(resident, "send:")
    await bot.until(lambda: any(offers(one, "take:") for one in bot.platform.accepted(officer)))
    await bot.until(lambda: any(one.method == "sendphoto" for one in bot.platform.accepted(officer)))
    code = code_in(bot, resident)
    alert = next(one for one in bot.platform.accepted(officer) if offers(one, "take:"))
    assert code in alert.text
    assert "Lan" not in alert.text
    await bot.presses(officer, "take:")
    await bot.until(lambda: sum(code in one.text for one in bot.platform.accepted(resident)) >= 2)
    await bot.presses(officer, "done:")
    await bot.until(lambda: any(offers(one, "out:") for one in bot.platform.accepted(officer)))
    bot.platform.files["after"] = ("photos/2.jpg", picture((200, 200, 200)), len(picture()))
    await bot.post(photo(officer, "after"))
    await bot.until(lambda: any(offers(one, "good:") for one in bot.platform.accepted(resident)))
    await bot.until(lambda: sum(one.method == "sendphoto" for one in bot.platform.accepted(resident)) == 2)
    many = len(bot.platform.accepted(resident))
    await bot.presses(resident, "good:")
    await bot.hears(resident, many + 1)
    ((status, outcome),) = bot.rows("SELECT status, outcome FROM reports WHERE code = ?", code)
    assert (status, outcome) == ("confirmed", "photo")
    actions = [row[0] for row in bot.rows("SELECT action FROM history ORDER BY id")]
    assert actions == ["file", "take", "close", "confirm"]
    assert bot.aside() == 0
    # What went out of the store is a picture of ours: not the bytes that came in.
    assert len(list((bot.folder / "photos").rglob("*.jpg"))) == 2


async def test_a_restart_in_the_middle_forgets_nothing(tmp_path: Path, sqlite_template: Path) -> None:
    """A1 in small: the draft goes on, an update delivered before and after the restart is one."""
    platform = Standin()
    update = words(7, "Rác đổ bừa bãi ở cổng chợ thôn 3")
    async with started(tmp_path, sqlite_template, platform=platform) as bot:
        await bot.post(update)
        await bot.hears(7, 1)
    async with started(tmp_path, sqlite_template, platform=platform) as bot:
        await bot.post(update)
        await bot.presses(7, "no:")
        await bot.until(lambda: any(offers(one, "send:") for one in platform.accepted(7)))
        await bot.presses(7, "send:")
        await bot.until(lambda: any("AP-" in one.text for one in platform.accepted(7)))
        assert len(platform.accepted(7)) == 3
        assert len(bot.rows("SELECT code FROM reports")) == 1


async def test_a_hundred_presses_of_send_file_once(bot: Bot) -> None:
    """E6, L11: the button again and again, at once and later, is one report."""
    await tell(bot, 7)
    action = next(a for one in bot.platform.accepted(7) for a in one.buttons if a.startswith("send:"))
    await asyncio.gather(*(bot.post(press(7, action)) for _ in range(10)))
    await bot.until(lambda: any("AP-" in one.text for one in bot.platform.accepted(7)))
    await bot.post(press(7, action))
    many = len(bot.platform.accepted(7))
    await bot.post(words(7, "/tracuu"))
    await bot.until(lambda: len(bot.platform.accepted(7)) > many)
    assert bot.rows("SELECT code FROM reports") == [(code_in(bot, 7),)]
