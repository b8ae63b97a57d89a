"""Groups that Zalo's Official Account made: which there are, and how one becomes a unit's room."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.standin_zalo import Fault, Group, OfficialAccount, Zalo, webhook
from bench.standin_zalo.webhook import Origin
from bench.standin_zalo.webhook_more import group_event, group_said
from bot.channels.zalo_oa import ZaloOa
from bot.channels.zalo_oa_groups import GroupList
from bot.channels.zalo_oa_read import PREFIX
from bot.core import facts
from bot.core.events import Address, Words
from bot.handlers.rooms import key_of
from storage import groups, people
from storage.database import Database
from storage.files import Files
from tests.on_zalo import OnZalo
from tests.paper import PaperClock, Stage
from tests.platforms import Cast, Deed, World

ROOM, OTHER = "7770001", "7770002"


@dataclass
class Commune:
    """The program on a Zalo account of a commune, with an officer, a monitor and somebody else."""

    db: Database
    stage: Stage
    platform: OnZalo
    told: int = 0

    @property
    def zalo(self) -> Zalo:
        return self.platform._zalo

    @property
    def channel(self) -> ZaloOa:
        assert self.platform._channel is not None
        return self.platform._channel

    @property
    def groups(self) -> GroupList:
        return self.channel._groups

    async def says(self, who: str, words: str) -> None:
        await self.platform.arrive(Deed(who, who, False, Words(words)), self.stage.take)
        await self.stage.settle()

    async def says_there(self, who: str, group: str, words: str) -> None:
        self.told += 1
        origin = Origin(self.platform.chat(who), self.stage.clock.ms(), message=f"g{self.told}")
        await self.hears(group_said(origin, group, "text", words))

    async def hears(self, event: dict[str, object]) -> None:
        for received in self.channel.arrivals(webhook.raw(event)):
            await self.stage.take(received)
        await self.stage.settle()

    async def join(self, who: str, unit: str, role: str) -> None:
        now, account = self.stage.clock.ms(), self.platform.account(who)

        async def work(conn: AsyncConnection) -> None:
            await people.meet(conn, [("zalo_oa", account, account)], now)
            await people.join(conn, f"zalo_oa:{account}", unit, role, who, now)
            await people.wrote(conn, [("zalo_oa", account, now)])

        await self.db.write(work)

    def texts(self, to: str) -> list[str]:
        return [sent.text for sent in self.zalo.sent if sent.to == to]

    async def known(self) -> list[tuple[str, str, str | None]]:
        async with self.db.read() as conn:
            return [(one.chat, one.name, one.unit) for one in await groups.known(conn)]


@pytest_asyncio.fixture
async def commune(database: Database, tmp_path: Path) -> AsyncIterator[Commune]:
    clock, files = PaperClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC)), Files(str(tmp_path / "photos"))
    platform = OnZalo(World(Cast(("Hạnh", "Tư", "Dân"), {}), database, files, clock))
    stage = Stage(platform, database, files, clock)
    await stage.start()
    for who in ("Hạnh", "Tư", "Dân"):
        platform.account(who)
    yield Commune(database, stage, platform)
    await platform.close()


async def test_all_pages_are_read_and_kept_as_they_are_now(commune: Commune) -> None:
    commune.zalo.add(*(Group(f"9{number:03}", f"Nhóm {number}") for number in range(120)))
    await commune.groups.look()
    assert len(await commune.known()) == 120
    # One was called otherwise, one ran out of its package, one was given up.
    commune.zalo.groups["9000"].name = "Nhóm Thôn 3"
    commune.zalo.groups["9001"].disabled = True
    commune.zalo.groups["9002"].joined = False
    await commune.groups.look()
    now = {chat: name for chat, name, _ in await commune.known()}
    assert now["9000"] == "Nhóm Thôn 3"
    assert len(now) == 118
    assert not now.keys() & {"9001", "9002"}


@pytest.mark.parametrize("code", [-224, -32, -200])
async def test_what_zalo_does_not_tell_changes_nothing(commune: Commune, code: int) -> None:
    commune.zalo.add(Group(ROOM, "Thôn 3"))
    await commune.groups.look()
    commune.zalo.faults.append(Fault(path="/getgroupsofoa", error=code))
    with structlog.testing.capture_logs() as logs:
        await commune.groups.look()
    assert await commune.known() == [(ROOM, "Thôn 3", None)]
    assert [line["code"] for line in logs if line["action"] == "zalo_no_groups"] == [code]
    assert "Thôn 3" not in str(logs)


async def test_nonsense_is_no_groups(commune: Commune) -> None:
    for body in ({"error": 0, "data": []}, {"error": 0, "data": {"groups": "none"}}, "<html>"):
        commune.zalo.faults = [Fault(path="/getgroupsofoa", body=body)]
        await commune.groups.look()
        assert await commune.known() == []
    odd = [{"group_id": None}, "x", {"group_id": ROOM}, {"group_id": OTHER, "name": " Thôn 5 "}]
    commune.zalo.faults = [Fault(path="/getgroupsofoa", body={"error": 0, "data": {"groups": odd}})]
    await commune.groups.look()
    assert await commune.known() == [(ROOM, "…770001", None), (OTHER, "Thôn 5", None)]


async def test_it_asks_at_the_start_and_when_a_group_was_made(commune: Commune) -> None:
    await commune.channel.start()
    try:
        await _until(commune, 1)
        commune.zalo.add(Group(ROOM, "Thôn 3"))
        origin = Origin(commune.platform.chat("Hạnh"), commune.stage.clock.ms(), oa=OfficialAccount.id)
        await commune.hears(group_event(origin, "create_group", ROOM))
        await _until(commune, 2)
    finally:
        await commune.channel._groups.stop()
    assert await commune.known() == [(ROOM, "Thôn 3", None)]


async def _until(commune: Commune, asked: int) -> None:
    for _ in range(500):
        if sum(count for name, count in commune.zalo.counts.items() if "getgroupsofoa" in name) >= asked:
            break
        await asyncio.sleep(0.01)
    # What was answered has to be written.
    await asyncio.sleep(0.1)


async def test_the_office_chooses_a_group_and_the_group_is_told(commune: Commune) -> None:
    await commune.join("Hạnh", "ubnd", "office")
    await commune.join("Tư", "thon-03", "monitor")
    commune.zalo.add(Group(ROOM, "Nhóm giám sát môi trường Thôn 3", members=[commune.platform.chat("Tư")]))
    await commune.groups.look()
    office = commune.platform.chat("Hạnh")
    await commune.says("Hạnh", "noi nhom zalo")
    assert "1. Nhóm giám sát môi trường Thôn 3" in commune.texts(office)[-1]
    await commune.says("Hạnh", "1")
    assert "của đơn vị nào" in commune.texts(office)[-1]
    # While villages are numbered, a number is a village.
    await commune.says("Hạnh", "3")
    assert await commune.known() == [(ROOM, "Nhóm giám sát môi trường Thôn 3", "thon-03")]
    (told,) = commune.texts(ROOM)
    assert "tin báo của Thôn 3 sẽ về nhóm này" in told
    assert "nhắn kèm mã" in told
    assert "bấm nút, hoặc trả lời" not in told


async def test_an_alert_reaches_the_group_and_is_taken_there_by_words(commune: Commune) -> None:
    await commune.join("Hạnh", "ubnd", "office")
    await commune.join("Tư", "thon-03", "monitor")
    commune.zalo.add(Group(ROOM, "Thôn 3", members=[commune.platform.chat("Tư")]))
    await commune.groups.look()
    for words in ("noi nhom", "Thôn 3", "3"):
        await commune.says("Hạnh", words)
    for words in ("rac do o cong cho thon 3", "khong", "gui"):
        await commune.says("Dân", words)
    assert any("AP-26-00001" in text for text in commune.texts(ROOM))
    assert any("AP-26-00001" in text for text in commune.texts(commune.platform.chat("Tư")))
    await commune.says_there("Tư", ROOM, "nhận AP-26-00001")
    assert any("AP-26-00001" in text and "Tư" in text for text in commune.texts(ROOM)[-2:])
    assert "nhận" in commune.texts(commune.platform.chat("Dân"))[-1]


async def test_a_member_binds_it_by_writing_in_it(commune: Commune) -> None:
    await commune.join("Tư", "thon-03", "monitor")
    commune.zalo.add(Group(ROOM, "Thôn 3", members=[commune.platform.chat("Tư")]))
    await commune.says_there("Dân", ROOM, "/ketnoi")
    assert "Chỉ thành viên" in commune.texts(ROOM)[-1]
    await commune.says_there("Tư", ROOM, "/ketnoi")
    assert "tin báo của Thôn 3 sẽ về nhóm này" in commune.texts(ROOM)[-1]
    assert "nhắn kèm mã" in commune.texts(ROOM)[-1]
    async with commune.db.read() as conn:
        assert await people.rooms_of(conn, ["thon-03"]) == [("thon-03", "zalo_oa", ROOM)]


async def test_what_waited_for_somebody_is_told_to_the_new_room(commune: Commune) -> None:
    for words in ("rac do o cong cho thon 3", "khong", "gui"):
        await commune.says("Dân", words)
    await commune.join("Hạnh", "ubnd", "office")
    commune.zalo.add(Group(ROOM, "Thôn 3"))
    await commune.groups.look()
    for words in ("noi nhom", "Thôn 3", "3"):
        await commune.says("Hạnh", words)
    assert "AP-26-00001" not in commune.texts(commune.platform.chat("Hạnh"))[-1]
    # An alert goes before all else.
    assert ["AP-26-00001" in text for text in commune.texts(ROOM)] == [True, False]


async def test_only_the_office_chooses_however_it_is_pressed(commune: Commune) -> None:
    await commune.join("Tư", "thon-03", "head")
    commune.zalo.add(Group(ROOM, "Thôn 3"))
    await commune.groups.look()
    key = key_of(facts.Group(Address("zalo_oa", ROOM, group=True), "Thôn 3"))
    for action in (
        "rl",
        "rl:bound:0",
        f"rk:{key}",
        f"ru:{key}:village",
        f"rb:{key}:thon-03:yes",
        "rb",
        "rk:x",
    ):
        await commune.says("Tư", f"{PREFIX}{action}")
        assert "việc của văn phòng xã" in commune.texts(commune.platform.chat("Tư"))[-1]
    assert await commune.known() == [(ROOM, "Thôn 3", None)]


async def test_old_buttons_of_a_group_that_is_gone_show_what_there_is(commune: Commune) -> None:
    await commune.join("Hạnh", "ubnd", "office")
    for action in ("rk:0123456789", "rb:0123456789:thon-03", "ru:0123456789:village:x"):
        await commune.says("Hạnh", f"{PREFIX}{action}")
        assert "Chưa thấy nhóm" in commune.texts(commune.platform.chat("Hạnh"))[-1]
    commune.zalo.add(Group(ROOM, "Thôn 3"))
    await commune.groups.look()
    for action in ("rl:free:99999", "rl:free:4", "rb:0123456789:thon-03", "rl:x:y"):
        await commune.says("Hạnh", f"{PREFIX}{action}")
        assert "Tin báo về nhóm nào" in commune.texts(commune.platform.chat("Hạnh"))[-1]


async def test_many_groups_come_by_pages_and_no_two_look_alike(commune: Commune) -> None:
    await commune.join("Hạnh", "ubnd", "office")
    commune.zalo.add(*(Group(f"9{number:03}", f"Nhóm giám sát Thôn {number}") for number in range(1, 13)))
    commune.zalo.add(Group("9900", "Nhóm giám sát Thôn 1"), Group("9901", "Nhóm | lạ [@all]\nhai dòng"))
    await commune.groups.look()
    await commune.says("Hạnh", "noi nhom")
    seen: list[str] = []
    for _ in range(4):
        last = commune.zalo.sent[-1]
        labels = [button["title"] for button in last.buttons]
        assert len(set(labels)) == len(labels) == 5 or labels[-1] == "Xem tiếp"
        assert all(0 < len(label) <= 20 for label in labels)
        seen += [str(button["payload"]) for button in last.buttons[:-1]]
        await commune.says("Hạnh", "Xem tiếp")
    assert len(set(seen)) == 14
