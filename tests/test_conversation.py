"""The first loop when things go wrong: an event is decided once, and what is in the air is not sent twice."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import AsyncMock, patch

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import perform
from bot.channels.base import Outcome
from bot.config import load_commune
from bot.core import form
from bot.core.events import Address, Words
from bot.core.message import Message
from bot.core.session import Draft, Session
from storage import inbox, people, sessions
from storage.database import Database
from storage.files import Files
from tests.paper import ROOT, OnPaper, Paper, PaperClock, Stage
from tests.platforms import Deed, World
from tests.script import cast_of

LONG_AGO = 1


class Slow(Paper):
    """Answers only when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def send(self, to: Address, message: Message, photo: bytes | None, key: int) -> Outcome:
        self.begun.set()
        await self.may_end.wait()
        return await super().send(to, message, photo, key)


async def staged(db: Database, folder: Path, paper: Paper | None = None) -> Stage:
    clock, files = PaperClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC)), Files(str(folder / "photos"))
    platform = OnPaper(World(cast_of([]), db, files, clock))
    platform._paper = paper or platform._paper
    stage = Stage(platform, db, files, clock)
    await stage.start()
    return stage


async def says(stage: Stage, who: str, words: str) -> None:
    await stage.platform.arrive(Deed(who, who, False, Words(words)), stage.take)


async def test_an_event_somebody_else_finished_is_not_decided_again(
    database: Database, tmp_path: Path
) -> None:
    """Two processes fall back to one by one at the same time: the second finds nothing to do."""
    stage = await staged(database, tmp_path)
    await says(stage, "lan", "/start")
    (row,) = await database.write(lambda conn: inbox.waiting(conn, 10))
    assert await stage.running.conversation.step() == 1
    assert await stage.running.conversation._alone(row)
    await stage.settle()
    assert len(await stage.news()) == 1


async def test_only_running_channels_have_ears(sqlite_database: Database, tmp_path: Path) -> None:
    """Members of the training chat are no ears any more once a real platform took its place."""
    stage = await staged(sqlite_database, tmp_path)

    async def seat(conn: AsyncConnection) -> None:
        await people.meet(conn, [("webchat", "old", "old"), ("paper", "hanh", "hanh")], LONG_AGO)
        await people.join(conn, "webchat:old", "thon-03", "monitor", "Cũ", LONG_AGO)
        await people.join(conn, "paper:hanh", "ubnd", "office", "Hạnh", LONG_AGO)

    await sqlite_database.write(seat)
    for words in ("rac o cong cho thon 3", "khong", "gui"):
        await says(stage, "lan", words)
        await stage.settle()
    assert any(said.where == "hanh" and "🔔" in said.text for said in await stage.news())


async def test_what_is_in_the_air_at_the_end_is_written_down(
    sqlite_database: Database, tmp_path: Path
) -> None:
    slow = Slow()
    stage = await staged(sqlite_database, tmp_path, slow)
    await says(stage, "lan", "/start")
    await stage.running.conversation.step()
    delivery = asyncio.create_task(stage.running.deliveries["paper"].run())
    await slow.begun.wait()
    delivery.cancel()
    slow.may_end.set()
    await asyncio.gather(delivery, return_exceptions=True)
    assert len(await stage.news()) == 1
    again = await staged(sqlite_database, tmp_path)
    await again.settle()
    assert await again.news() == []


async def test_a_full_disk_is_not_the_events_fault(sqlite_database: Database, tmp_path: Path) -> None:
    """However often it is tried while nothing can be written, the report is filed afterwards."""
    stage = await staged(sqlite_database, tmp_path)
    for words in ("rac o cong cho thon 3", "khong"):
        await says(stage, "lan", words)
        await stage.settle()
    await says(stage, "lan", "gui")
    conversation, write = stage.running.conversation, perform.write
    full = OperationalError("INSERT", None, Exception("database or disk is full"))
    with patch.object(perform, "write", AsyncMock(side_effect=full)):
        for _ in range(5):
            with pytest.raises(OperationalError):
                await conversation.step()
    assert perform.write is write
    await stage.settle()
    assert any("AP-26-00001" in said.text for said in await stage.news())


async def test_a_state_nobody_can_read_any_more_is_let_go(sqlite_database: Database, tmp_path: Path) -> None:
    stage = await staged(sqlite_database, tmp_path)
    broken = '{"draft": {"id": "of another time"}}'
    await sqlite_database.write(lambda conn: sessions.save(conn, [("paper:lan", broken, None)]))
    await says(stage, "lan", "/start")
    await stage.settle()
    assert len(await stage.news()) == 1


def test_what_the_commune_gave_up_is_asked_again() -> None:
    commune = load_commune(ROOT / "commune.toml")
    draft = Draft(1, 0, 0, category="gone", guesses=("gone", "litter"), unit="thon-99", units=("thon-01",))
    fitted = form.fitted(Session(draft, later=(draft,)), commune)
    assert fitted.draft is not None
    assert (fitted.draft.category, fitted.draft.unit) == (None, None)
    assert (fitted.draft.guesses, fitted.draft.units) == (("litter",), ("thon-01",))
    assert fitted.later == (fitted.draft,)
    assert commune.category("gone").name == "gone"
    assert commune.unit("thon-99").name == "thon-99"
    assert commune.field("gone").desk == commune.office
