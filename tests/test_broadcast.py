"""One message for thousands: promised once, in chunks; every recipient ends somewhere, the sum is right."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.broadcast import killed
from bot import app, broadcasting
from bot.app import Parts
from bot.channels.base import Abilities, Failed, Outcome, Pace, Parsed, Refused, Sent
from bot.channels.zalo_oa import PACE as ZALO
from bot.config import load_commune
from bot.core.commune import Point
from bot.core.effects import Broadcast, Effect, Lane
from bot.core.events import Address
from bot.core.message import Message
from bot.core.window import Window
from bot.delivery import Pacing
from bot.handlers import Decision
from storage import broadcasts, offers, outbox, people
from storage.broadcasts import GRACE_MS, Ledger
from storage.database import Database
from storage.files import Files
from storage.tables import BroadcastState, OutboxState
from storage.tables import broadcasts as broadcasts_table
from storage.tables import outbox as outbox_table
from storage.tables import people as people_table
from tests.paper import ROOT, Paper, PaperClock, PaperPainter, PaperStudio

COMMUNE = load_commune(ROOT / "commune.toml")
START = datetime(2026, 4, 29, 11, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
NO_PACE = Pace(1e6, 1e6, 10**6, 1e6)
# Any message whose words come from its data does.
MESSAGE = "join/bound"
CHUNK = 3


class Platform(Paper):
    """A paper channel under any name, which answers chat by chat as it was told."""

    def __init__(self, name: str, abilities: Abilities | None = None, pace: Pace = NO_PACE) -> None:
        super().__init__()
        self.name, self.abilities, self.pace = name, abilities or Abilities(), pace
        self.answers: dict[str, Outcome] = {}
        self.calls: list[tuple[str, str]] = []

    def parse(self, raw: str) -> Parsed | None:
        found = super().parse(raw)
        return found and replace(found, address=replace(found.address, channel=self.name))

    async def send(self, to: Address, message: Message, photo: bytes | None, key: int) -> Outcome:
        self.calls.append((to.chat, message.text))
        return self.answers.get(to.chat, Sent(f"m{key}"))


def unit(name: str) -> dict[str, Any]:
    return {"unit": {"kind": "village", "name": name}, "acts": True}


VILLAGES = {"": unit("mọi thôn"), "thon-03": unit("Thôn 3")}


@dataclass
class Commune:
    """The program with people who follow the reminders; its loops are turned by hand."""

    db: Database
    folder: Path
    platforms: Sequence[Platform]
    clock: PaperClock = field(default_factory=lambda: PaperClock(START))
    parts: Parts = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        async def follow(_: str) -> Point | None:
            return None

        self.parts = app.build(
            self.db,
            COMMUNE,
            self.platforms,
            files=Files(str(self.folder / "photos")),
            studio=PaperStudio(),
            painter=PaperPainter(),
            follow=follow,
            clock=self.clock,
        )

    async def person(self, name: str, village: str | None = "", *on: str, wrote: int = 1) -> None:
        """Somebody on these platforms, the last of which they wrote in last."""
        channels = on or (self.platforms[0].name,)
        first = f"{channels[0]}:{name}"

        async def work(conn: AsyncConnection) -> None:
            for number, channel in enumerate(channels):
                await people.meet(conn, [(channel, name, name)], wrote)
                at = self.clock.ms() if wrote == 1 else wrote
                await conn.execute(
                    sa.text(
                        "UPDATE accounts SET person = :person, wrote_at = :at"
                        " WHERE channel = :channel AND account = :name"
                    ),
                    {"person": first, "at": at + number, "channel": channel, "name": name},
                )
            who = sa.update(people_table).where(people_table.c.id == first)
            await conn.execute(who.values(reminded=village))

        await self.db.write(work)

    async def crowd(self, count: int) -> None:
        for number in range(count):
            await self.person(f"p{number:03d}", "thon-03" if number % 2 else "")

    async def decide(
        self, key: str = "k", data: Mapping[str, Mapping[str, Any]] = VILLAGES, hours: float = 5
    ) -> int:
        """An event whose decision is this broadcast; returns the id of what stands under the key."""
        until = self.clock.ms() + int(hours * 3_600_000)
        effects: tuple[Effect, ...] = (Broadcast(key, MESSAGE, data, until),)
        body = {"id": f"e{key}{self.clock.ms()}", "chat": "x", "group": False, "account": "x", "name": "X"}
        event = {"kind": "Words", "values": {"text": "x"}}
        channel = self.platforms[0]
        raw = json.dumps(body | {"event": event}).encode()
        await self.parts.inbox.take(channel.name, channel.receive(raw))
        with patch("bot.conversation.decide", lambda _, session, *__: Decision(session, effects)):
            while await self.parts.conversation.step():
                pass
        async with self.db.read() as conn:
            found = await broadcasts.find(conn, key)
        assert found is not None
        return found

    async def promise(self) -> list[int]:
        """Chunk after chunk; returns how many each had."""
        chunks = []
        while count := await self.parts.broadcasting.step():
            chunks.append(count)
        return chunks

    async def deliver(self) -> None:
        """Everything that can go out now goes, and what comes of it is decided."""
        quiet = 0
        for _ in range(100):
            calls = sum(len(one.calls) for one in self.platforms)
            for delivery in self.parts.deliveries.values():
                await delivery.step()
                await delivery.settle()
            decided = await self.parts.conversation.step()
            # One may have handed something on to another that had its turn.
            moved = decided or calls < sum(len(one.calls) for one in self.platforms)
            quiet = 0 if moved else quiet + 1
            if quiet == 2:
                return
        raise AssertionError("it does not come to rest")

    async def ledger(self, broadcast: int) -> Ledger:
        async with self.db.read() as conn:
            return await broadcasts.ledger(conn, broadcast)

    async def rows(self) -> list[sa.Row[Any]]:
        async with self.db.read() as conn:
            return list(await conn.execute(sa.select(outbox_table).order_by(outbox_table.c.id)))

    async def state(self, broadcast: int) -> sa.Row[Any]:
        query = sa.select(broadcasts_table).where(broadcasts_table.c.id == broadcast)
        async with self.db.read() as conn:
            return (await conn.execute(query)).one()

    async def following(self) -> set[str]:
        query = sa.select(people_table.c.id).where(people_table.c.reminded.is_not(None))
        async with self.db.read() as conn:
            return set((await conn.execute(query)).scalars())


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcasting, "CHUNK", CHUNK)


@pytest.fixture
async def commune(database: Database, tmp_path: Path) -> Commune:
    return Commune(database, tmp_path, [Platform("paper"), Platform("other")])


# Promised ------------------------------------------------------------------------------------------


async def test_each_village_is_told_its_own(commune: Commune) -> None:
    await commune.person("any")
    await commune.person("three", "thon-03")
    await commune.person("unlisted", "thon-07")
    await commune.person("nobody", None)
    found = await commune.decide()
    await commune.promise()
    await commune.deliver()
    told = {chat: "Thôn 3" in text for chat, text in commune.platforms[0].calls}
    assert told == {"any": False, "three": True, "unlisted": False}
    assert await commune.ledger(found) == Ledger(sent=3)
    assert (await commune.state(found)).promised == 3


async def test_only_the_villages_that_are_listed_without_a_text_for_all(commune: Commune) -> None:
    await commune.person("any")
    await commune.person("three", "thon-03")
    found = await commune.decide(data={"thon-03": unit("Thôn 3")})
    await commune.promise()
    assert [row.chat for row in await commune.rows()] == ["three"]
    assert (await commune.ledger(found)).total == (await commune.state(found)).promised == 1


async def test_a_key_is_broadcast_once_for_ever(commune: Commune) -> None:
    await commune.crowd(4)
    first = await commune.decide()
    await commune.promise()
    commune.clock.move(HOUR)
    commune.restart()
    assert await commune.decide(data={"": unit("khác")}) == first
    assert await commune.promise() == []
    assert (await commune.ledger(first)).total == 4
    assert all("khác" not in row.text for row in await commune.rows())


async def test_a_bad_template_writes_nothing(commune: Commune) -> None:
    await commune.crowd(2)
    with pytest.raises(AssertionError):
        await commune.decide(data={"": {}})
    assert await commune.promise() == []
    assert await commune.rows() == []


async def test_the_chat_they_wrote_in_last(commune: Commune) -> None:
    await commune.person("a", "", "paper", "other")
    await commune.person("b", "", "other", "paper")
    await commune.person("c", "", "elsewhere")
    await commune.person("d", "", "paper", "elsewhere")
    await commune.person("e", "", "other")
    await commune.db.write(lambda c: people.reach(c, "other", "e", False))
    found = await commune.decide()
    await commune.promise()
    told = sorted((row.chat, row.channel) for row in await commune.rows())
    assert told == [("a", "other"), ("b", "paper"), ("d", "paper")]
    assert (await commune.ledger(found)).total == 3


async def test_chunks_go_on_where_they_stopped(commune: Commune) -> None:
    await commune.crowd(3 * CHUNK + 1)
    found = await commune.decide()
    assert await commune.parts.broadcasting.step() == CHUNK
    commune.restart()
    assert await commune.parts.broadcasting.step() == CHUNK
    commune.restart()
    assert await commune.promise() == [CHUNK, 1]
    rows = await commune.rows()
    assert len({row.chat for row in rows}) == len(rows) == 3 * CHUNK + 1
    assert {row.key for row in rows} == {f"broadcast/{found}/paper:{row.chat}" for row in rows}
    assert {row.lane for row in rows} == {Lane.REMINDER}


async def test_two_processes_promise_nobody_twice(commune: Commune) -> None:
    await commune.crowd(20)
    found = await commune.decide()
    second = Database(commune.db.url.render_as_string(hide_password=False))
    try:
        other = Commune(second, commune.folder, commune.platforms, commune.clock)
        for _ in range(20):
            await asyncio.gather(commune.parts.broadcasting.step(), other.parts.broadcasting.step())
    finally:
        await second.close()
    assert (await commune.state(found)).state == BroadcastState.PROMISED
    assert (await commune.ledger(found)).total == (await commune.state(found)).promised == 20


async def test_a_text_too_long_for_one_message_counts_once(database: Database, tmp_path: Path) -> None:
    commune = Commune(database, tmp_path, [Platform("paper", Abilities(text_max=150))])
    await commune.crowd(4)
    found = await commune.decide(data={"": unit("Thôn rất dài " * 8)})
    await commune.promise()
    rows = await commune.rows()
    assert len(rows) > 4
    assert len({row.key for row in rows}) == len(rows)
    assert await commune.ledger(found) == Ledger(waiting=4)
    await commune.db.write(lambda c: broadcasts.stop(c, found))
    await commune.promise()
    assert {row.state for row in await commune.rows()} == {OutboxState.SUPERSEDED}
    assert await commune.ledger(found) == Ledger(stopped=4)


async def test_choices_are_answered_by_their_words_behind_those_of_the_talk(
    database: Database, tmp_path: Path
) -> None:
    commune = Commune(database, tmp_path, [Platform("paper", Abilities(numbered=True))])
    await commune.crowd(2)
    await database.write(lambda c: offers.save(c, {"paper:p000": '[["Gửi", "send:1"], ["Có", "old"]]'}))
    texts = {"": broadcasts.Text("chữ", '[["Có", "come:1"], ["Bận", "busy:1"]]')}
    now = commune.clock.ms()
    await database.write(lambda c: broadcasts.make(c, "k", MESSAGE, texts, now, now + 1000))
    await commune.promise()
    assert not any(row.numbered for row in await commune.rows())
    async with database.read() as conn:
        kept = await offers.load(conn, ["paper:p000", "paper:p001"])
    own = [["Có", "come:1"], ["Bận", "busy:1"]]
    assert json.loads(kept["paper:p000"]) == [["Gửi", "send:1"], *own]
    assert json.loads(kept["paper:p001"]) == own


# Delivered -----------------------------------------------------------------------------------------


async def test_every_recipient_ends_somewhere(commune: Commune) -> None:
    await commune.crowd(8)
    paper = commune.platforms[0]
    paper.answers = {
        "p001": Refused("blocked"),
        "p002": Refused("gone"),
        "p003": Refused("window"),
        "p004": Failed("reset", delivered_maybe=True),
        "p005": Refused("rejected"),
        "p006": Failed("down", delivered_maybe=False),
    }
    found = await commune.decide()
    await commune.promise()
    await commune.deliver()
    assert await commune.ledger(found) == Ledger(waiting=1, sent=2, refused=3, unreachable=1, unknown=1)
    paper.answers = {}
    commune.clock.move(HOUR)
    await commune.deliver()
    ledger = await commune.ledger(found)
    assert ledger == Ledger(sent=3, refused=3, unreachable=1, unknown=1)
    assert ledger.total == 8
    assert max(paper.calls.count(call) for call in set(paper.calls) if call[0] != "p006") == 1


async def test_who_blocked_us_is_unsubscribed_once(commune: Commune) -> None:
    await commune.crowd(4)
    await commune.person("both", "", "other", "paper")
    commune.platforms[0].answers = {"p001": Refused("blocked"), "both": Refused("gone")}
    first = await commune.decide("one")
    second = await commune.decide("two")
    await commune.promise()
    await commune.deliver()
    assert await commune.following() == {"paper:p000", "paper:p002", "paper:p003"}
    assert await commune.ledger(first) == Ledger(sent=3, refused=2)
    # Promised before: refused in the same breath, or taken back.
    ledger = await commune.ledger(second)
    assert (ledger.sent, ledger.refused + ledger.unwanted) == (3, 2)
    third = await commune.decide("three")
    await commune.promise()
    await commune.deliver()
    assert await commune.ledger(third) == Ledger(sent=3)


async def test_a_refused_answer_unsubscribes_nobody(commune: Commune) -> None:
    await commune.crowd(1)
    commune.platforms[0].answers = {"p000": Refused("blocked")}
    now = commune.clock.ms()
    row = {"lane": int(Lane.ANSWER), "channel": "paper", "chat": "p000", "message": MESSAGE, "text": "x"}
    await commune.db.write(lambda c: outbox.promise(c, [row | {"made_at": now, "due_at": now}]))
    await commune.deliver()
    assert await commune.following() == {"paper:p000"}
    # But nothing is promised where nothing arrives.
    found = await commune.decide()
    await commune.promise()
    assert (await commune.ledger(found)).total == 0


async def test_a_closed_window_is_told_elsewhere_and_counted_once(database: Database, tmp_path: Path) -> None:
    window = Window(1000, 2000, daily=0)
    zalo, tele = Platform("zalo", Abilities(window=window)), Platform("tele")
    commune = Commune(database, tmp_path, [tele, zalo])
    await commune.person("both", "", "tele", "zalo", wrote=2)
    await commune.person("only", "", "zalo", wrote=2)
    found = await commune.decide()
    await commune.promise()
    await commune.deliver()
    assert [chat for chat, _ in tele.calls] == ["both"]
    assert zalo.calls == []
    assert await commune.ledger(found) == Ledger(sent=1, unreachable=1)


async def test_an_alert_overtakes(database: Database, tmp_path: Path) -> None:
    pace = Pace(overall=30, chat=1, burst=3, group_minute=20)
    commune = Commune(database, tmp_path, [Platform("paper", pace=pace)])
    with patch.object(broadcasting, "CHUNK", 500):
        await commune.crowd(60)
        await commune.decide()
        await commune.promise()
    delivery, calls = commune.parts.deliveries["paper"], commune.platforms[0].calls
    await delivery.step()
    await delivery.settle()
    now = commune.clock.ms()
    row = {"lane": int(Lane.ALERT), "channel": "paper", "chat": "police", "message": "m", "text": "alert"}
    await commune.db.write(lambda c: outbox.promise(c, [row | {"made_at": now, "due_at": now}]))
    for _ in range(20):
        wait = await delivery.step()
        await delivery.settle()
        if "police" in {chat for chat, _ in calls}:
            break
        commune.clock.move(timedelta(seconds=wait, microseconds=1))
    assert "police" in {chat for chat, _ in calls}
    assert commune.clock.ms() - now <= 100


@pytest.mark.parametrize(("pace", "most"), [(Pace(30, 1, 3, 20), 1800), (ZALO, 4000)])
def test_the_pace_uses_what_is_permitted(pace: Pace, most: int) -> None:
    """At least 95 % of a minute's calls and never more than all, stalls of a third of a second included."""
    pacing, now, times = Pacing(pace, 0.0), 0.0, []
    while now < 180:
        for _ in range(pacing.allowed(now)):
            pacing.wait("c", False, now)
            pacing.take("c", now)
            times.append(now)
        # Every now and then we have no turn.
        now += 0.35 if len(times) % 97 == 0 else 0.01
    minutes = [sum(start <= at < start + 60 for at in times) for start in range(5, 115, 5)]
    assert min(minutes) >= 0.95 * most
    # Over any time no more than was permitted and half a second's, which the platform's own count forgives.
    assert max(minutes) <= pace.overall * 60.5
    assert most == 1800 or max(minutes) <= most
    assert max(sum(at <= one < at + 1 for one in times) for at in times[::50]) <= pace.overall * 1.1


# Stopped, late, unwanted ---------------------------------------------------------------------------


async def test_what_is_stopped_does_not_go_out(commune: Commune) -> None:
    await commune.crowd(3 * CHUNK)
    found = await commune.decide()
    await commune.parts.broadcasting.step()
    await commune.deliver()
    await commune.parts.broadcasting.step()
    await commune.db.write(lambda c: broadcasts.stop(c, found))
    assert await commune.promise() == [CHUNK]
    await commune.deliver()
    assert await commune.ledger(found) == Ledger(sent=CHUNK, stopped=CHUNK)
    assert len(commune.platforms[0].calls) == CHUNK


async def test_what_is_late_is_skipped_before_anything_is_sent(commune: Commune) -> None:
    await commune.crowd(2 * CHUNK + 1)
    found = await commune.decide(hours=1)
    await commune.parts.broadcasting.step()
    commune.clock.move(HOUR)
    commune.restart()
    await commune.parts.broadcasting.take_back()
    await commune.deliver()
    assert commune.platforms[0].calls == []
    assert await commune.ledger(found) == Ledger(skipped=CHUNK)
    assert (await commune.state(found)).state == BroadcastState.PROMISED
    commune.clock.move(timedelta(milliseconds=GRACE_MS))
    assert await commune.promise() == []
    assert (await commune.state(found)).state == BroadcastState.OVER


async def test_one_that_is_over_holds_up_no_other(commune: Commune) -> None:
    await commune.crowd(CHUNK)
    await commune.decide("late", hours=1)
    commune.clock.move(2 * HOUR)
    found = await commune.decide("next")
    await commune.promise()
    await commune.deliver()
    assert await commune.ledger(found) == Ledger(sent=CHUNK)
    assert len(commune.platforms[0].calls) == CHUNK


async def test_who_lets_it_be_meanwhile_is_not_told(commune: Commune) -> None:
    await commune.person("both", "", "other", "paper")
    await commune.person("stays", "thon-03")
    found = await commune.decide()
    await commune.promise()
    await commune.db.write(lambda c: broadcasts.unsubscribe(c, "other", "both"))
    await commune.deliver()
    assert [chat for chat, _ in commune.platforms[0].calls] == ["stays"]
    assert await commune.ledger(found) == Ledger(sent=1, unwanted=1)
    assert await commune.following() == {"paper:stays"}


# Killed --------------------------------------------------------------------------------------------


async def test_killed_twenty_times(tmp_path: Path) -> None:
    """Who is told twice: nobody; who is lost: nobody; who blocked the bot is let be."""
    verdict = await killed(tmp_path, people=2000, kills=20, seed=20260430)
    assert verdict.ledger.total == 2000
    assert verdict.ledger.waiting == 0
    assert verdict.ledger.sent > 0
    assert verdict.doubled == 0
    assert (verdict.not_taken, verdict.not_booked) == (0, 0)
    assert verdict.deaf == verdict.ledger.refused > 0
    assert verdict.still_following == 0
    assert verdict.floods == 0
