"""Member management: what asks for it, who may, and what becomes of it when two are at it at once."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.config import load_commune
from bot.core.effects import Change, Dismiss, MakeInvite, Say
from bot.core.events import Address, Event, Incoming, Pressed, Words
from bot.core.facts import Desk, Facts, Me, Member, Role
from bot.core.invite import LIFE_MS, USUAL, digest
from bot.core.report import Report
from bot.core.session import EMPTY, Session
from bot.core.unitwords import Asked
from bot.core.words import Lexicon
from bot.handlers import Decision, World, decide, needs, read_press
from bot.messages import Messages
from bot.perform import draw_invite
from storage import people
from storage.database import Database
from storage.tables import invites, members
from tests.paper import ROOT, Stage
from tests.platforms import Deed
from tests.test_conversation import says, staged

COMMUNE = load_commune(ROOT / "commune.toml")
LEXICON = Lexicon(COMMUNE)
WORLD = World(COMMUNE, LEXICON)
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
HERE = Address("paper", "an")

# What is typed | what is wanted | the units, in order
ASKED = """
mời | usual |
mời thành viên ạ | usual |
tạo mã mời | usual |
moi thon 3 | usual | thon-03
mời thôn mười hai | usual | thon-12
mời bác Tư vào thôn 3 | usual | thon-03
mời trường 3 | usual | truong-03
mời phụ nữ | usual | hoi-phu-nu
mời văn phòng | usual | ubnd
mời thôn 3 và 4 | usual | thon-03 thon-04
mời trưởng thôn 3 | head | thon-03
moi truong thon 3 | head | thon-03
mời bác Tư làm trưởng thôn 5 | head | thon-05
mời trưởng công an | head | cong-an
mời chủ tịch hội phụ nữ | head | hoi-phu-nu
mời trưởng thôn | head |
mời lãnh đạo | lead | ubnd
mời chủ tịch xã | lead | ubnd
thành viên | members |
danh sách thành viên | members |
thanh vien thon 3 | members | thon-03
thành viên của công an xã | members | cong-an
"""
NOT_ASKED = (
    "mới thôn 3",
    "môi trường",
    "mời xã xuống xem rác ở thôn 3",
    "moi truong o nhiem qua",
    "mời thôn 25",
    "mọi người ơi",
    "rác ở thôn 3",
    "thành viên của tôi đâu hết rồi",
)


@pytest.mark.parametrize("line", ASKED.strip().splitlines())
def test_what_asks_for_members_or_invites(line: str) -> None:
    text, want, units = (part.strip() for part in line.split("|"))
    assert LEXICON.units.asked(text) == Asked(want, tuple(units.split()))


@pytest.mark.parametrize("text", NOT_ASKED)
def test_what_asks_for_something_else(text: str) -> None:
    assert LEXICON.units.asked(text) is None


def test_every_kind_of_unit_has_its_usual_role() -> None:
    assert {unit.kind for unit in COMMUNE.units.values()} <= set(USUAL)


def decided(event: Event, *roles: Role, session: Session = EMPTY, some: tuple[Member, ...] = ()) -> Decision:
    incoming = Incoming(1, NOW, HERE, "an", event, "An")
    desks = {COMMUNE.office: Desk(COMMUNE.office, members=(Address("paper", "ha"),))}
    facts = Facts(NOW, Me("paper:an", None, roles), desks=desks, members=some)
    return decide(incoming, session, facts, WORLD)


def made(decision: Decision) -> list[MakeInvite]:
    return [effect for effect in decision.effects if isinstance(effect, MakeInvite)]


def said(decision: Decision) -> list[str]:
    return [effect.message for effect in decision.effects if isinstance(effect, Say)]


OFFICE, HEAD5 = Role("ubnd", "office", "Hà"), Role("thon-05", "head", "Năm")
MONITOR5, LEADER = Role("thon-05", "monitor", "Tư"), Role("ubnd", "lead", "Chủ tịch")


@pytest.mark.parametrize(
    ("text", "role", "made_for"),
    [
        ("moi thon 5", OFFICE, ("thon-05", "monitor")),
        ("mời trưởng thôn 5", OFFICE, ("thon-05", "head")),
        ("mời công an", OFFICE, ("cong-an", "police")),
        ("mời trường 4", OFFICE, ("truong-04", "staff")),
        ("mời văn phòng", OFFICE, ("ubnd", "office")),
        ("mời lãnh đạo xã", OFFICE, ("ubnd", "lead")),
        ("mời", HEAD5, ("thon-05", "monitor")),
        ("moi thon 5", HEAD5, ("thon-05", "monitor")),
        ("moi thon 3", HEAD5, None),
        ("mời trưởng thôn 5", HEAD5, None),
        ("moi thon 5", MONITOR5, None),
        ("moi thon 5", LEADER, None),
    ],
)
def test_who_invites_whom(text: str, role: Role, made_for: tuple[str, str] | None) -> None:
    decision = decided(Words(text), role)
    if made_for is None:
        assert made(decision) == []
        assert said(decision) == ["join/no_right"]
    else:
        assert made(decision) == [MakeInvite(*made_for)]


def test_a_resident_who_says_so_is_no_member() -> None:
    for text in ("mời thành viên", "thành viên", "mời thôn 3"):
        assert not any(message.startswith("join/") for message in said(decided(Words(text))))
    for action in ("inv:thon-05:monitor", "mem:thon-05", "rmy:1", "uk:usual:village"):
        assert said(decided(Pressed(action))) == ["join/no_right"]


def test_an_open_question_takes_a_number_for_a_village_and_lets_go_of_other_matters() -> None:
    asked = decided(Words("mời"), OFFICE)
    data = {"want": "usual", "room": "", "opens": "uk:usual", "groups": ["village"]}
    buttons = Messages().render("join/which_unit", data | {"again": False, "likely": []})
    number = Incoming(2, NOW, HERE, "an", Words("1"))
    assert read_press(number, asked.session, buttons.buttons) == number
    assert made(decided(Words("1"), OFFICE, session=asked.session)) == [MakeInvite("thon-01", "monitor")]
    told = decided(Words("rác đổ trộm ở cổng chợ thôn 3"), OFFICE, session=asked.session)
    assert told.session.draft is not None
    # A report is told meanwhile: a number is its village again.
    assert made(decided(Words("3"), OFFICE, session=told.session)) == []
    school = decided(Pressed("uk:usual:school:0"), OFFICE)
    assert made(decided(Words("7"), OFFICE, session=school.session)) == [MakeInvite("truong-07", "staff")]


def test_a_person_with_two_roles_in_a_unit_leaves_it_whole() -> None:
    rows = (
        Member(1, "paper:an", "thon-05", "head", "Năm", 0),
        Member(2, "paper:tu", "thon-05", "monitor", "Tư", 0, chats=(("paper", "tu"),)),
        Member(3, "paper:tu", "thon-05", "staff", "Tư", 0, chats=(("paper", "tu"),)),
    )
    shown = decided(Pressed("mem:thon-05"), HEAD5, some=rows)
    (listed,) = [effect.data["listed"] for effect in shown.effects if isinstance(effect, Say)]
    assert [(one["id"], one["roles"]) for one in listed] == [(1, ["head"]), (2, ["monitor", "staff"])]
    gone = decided(Pressed("rmy:3"), HEAD5, some=rows)
    assert [e for e in gone.effects if isinstance(e, Dismiss)] == [Dismiss("paper:tu", "thon-05")]


def test_a_long_list_goes_on_page_by_page() -> None:
    rows = tuple(Member(n, f"paper:{n}", "thon-05", "monitor", "Nguyễn Văn " * 9, 0) for n in range(1, 31))
    for start, labels in ((0, "1234"), (28, ("29", "30"))):
        shown = decided(Pressed(f"mem:thon-05:{start}"), HEAD5, some=rows)
        (say,) = [effect for effect in shown.effects if isinstance(effect, Say)]
        message = Messages().render(say.message, say.data)
        assert len(message.text) < 2000
        assert len({button.label for button in message.buttons}) == len(message.buttons) <= 5
        assert all(len(button.label) <= 20 for button in message.buttons)
        assert [b.label.split()[1].rstrip(".") for b in message.buttons[:-1]] == list(labels)


def test_whoever_is_in_two_units_takes_a_report_for_the_right_one() -> None:
    report = Report(
        id=1,
        code="AP-26-00001",
        category="litter",
        field="sanitation",
        status="sent",
        desk="thon-05",
        unit="thon-05",
        landmark="",
        lat=None,
        lon=None,
        words="",
        hours="",
        private=False,
        person="paper:x",
        channel="paper",
        chat="x",
        filed_at=0,
        ack_by=0,
        fix_by=0,
        taken_by=None,
        taken_name="",
        closed_at=None,
        outcome="",
        reopened=0,
        alerted_at=0,
        version=0,
    )
    roles = (Role("thon-03", "monitor", "Lan thôn 3"), Role("thon-05", "monitor", "Lan thôn 5"))
    facts = Facts(NOW, Me("paper:an", None, roles), report=report)
    incoming = Incoming(1, NOW, HERE, "an", Pressed("take:AP-26-00001"))
    decision = decide(incoming, EMPTY, facts, WORLD)
    (change,) = [effect for effect in decision.effects if isinstance(effect, Change)]
    assert change.values["taken_name"] == "Lan thôn 5"
    (told,) = [e for e in decision.effects if isinstance(e, Say) and e.message == "resident/taken"]
    assert told.data["desk"]["name"] == "Thôn 5"


# Told for another --------------------------------------------------------------------------------


def test_only_a_member_tells_for_another() -> None:
    text = "báo hộ bà Lan: rác đổ trộm ở cổng chợ thôn 3"
    for roles, behalf in (((MONITOR5,), True), ((), False)):
        for words in (text, "báo hộ", "bao ho ba con", "báo hộ bà hàng xóm"):
            draft = decided(Words(words), *roles).session.draft
            assert draft is not None
            assert draft.behalf is behalf
        draft = decided(Pressed("behalf"), *roles).session.draft
        assert draft is not None
        assert draft.behalf is behalf
    own = decided(Words("báo hộ tôi với: rác ở cổng chợ thôn 3"), MONITOR5).session.draft
    assert own is not None
    assert not own.behalf
    told = decided(Words(text), MONITOR5).session.draft
    assert told is not None
    assert told.words == "rác đổ trộm ở cổng chợ thôn 3"
    linked = decided(Words("báo hộ https://maps.google.com/?q=20.98139,106.38851"), MONITOR5).session.draft
    assert linked is not None
    assert (linked.behalf, linked.unit) == (True, "thon-03")


def test_a_need_is_known_before_it_is_decided() -> None:
    def need(event: Event, session: Session = EMPTY) -> object:
        found = needs(Incoming(1, NOW, HERE, "an", event), session, WORLD)
        return set(found.members_of), found.my_members, found.member

    assert need(Words("thành viên")) == (set(), True, None)
    assert need(Words("thanh vien thon 3")) == ({"thon-03"}, True, None)
    assert need(Words("mời thôn 3")) == (set(), False, None)
    asked = decided(Words("thành viên"), OFFICE).session
    assert need(Words("3"), asked) == ({"thon-03"}, True, None)
    assert need(Pressed("mem:thon-03:4")) == ({"thon-03"}, False, None)
    assert need(Pressed("rm:12")) == (set(), False, 12)
    for odd in ("rm:", "rm:²", "rm:-1", "rm:" + "9" * 40):
        assert need(Pressed(odd)) == (set(), False, None)


# Through the loop --------------------------------------------------------------------------------


async def seated(stage: Stage, name: str, unit: str, role: str) -> None:
    await stage.db.write(lambda conn: people.meet(conn, [("paper", name, name)], 1))
    await stage.db.write(lambda conn: people.join(conn, f"paper:{name}", unit, role, name, 1))


async def test_a_code_that_could_not_be_kept_is_not_shown(database: Database, tmp_path: Path) -> None:
    """The first code drawn is another invite's: the transaction fails, and the next one is drawn."""
    stage = await staged(database, tmp_path)
    await seated(stage, "ha", "ubnd", "office")
    taken = digest("M5T8-QXD1")
    await database.write(lambda conn: people.make_invite(conn, taken, "cong-an", "police", 1, LIFE_MS))
    await says(stage, "ha", "moi thon 3")
    await stage.settle()
    shown = [one.text for one in await stage.news()]
    assert len(shown) == 2
    assert all("M5T8-QXD2" in text and "QXD1" not in text for text in shown)
    async with database.read() as conn:
        kept = {row.hash: row.unit for row in await conn.execute(sa.select(invites))}
    assert kept == {taken: "cong-an", digest("M5T8-QXD2"): "thon-03"}


async def test_two_who_remove_one_person_at_once(database: Database, tmp_path: Path) -> None:
    stage = await staged(database, tmp_path)
    for name, role in (("nam", "head"), ("sau", "head"), ("tu", "monitor")):
        await seated(stage, name, "thon-05", role)
    async with database.read() as conn:
        (row,) = [one for one in await people.all_members(conn, "thon-05") if one.name == "tu"]
    for name in ("nam", "sau"):
        await stage.platform.arrive(Deed(name, name, False, Pressed(f"rmy:{row.id}")), stage.take)
    await stage.settle()
    told = sorted((one.where, one.text[:6]) for one in await stage.news())
    assert [where for where, _ in told] == ["nam", "sau", "tu"]
    assert len({text for _, text in told}) == 3
    async with database.read() as conn:
        left = await conn.execute(sa.select(members.c.name).where(members.c.removed_at.is_(None)))
        assert sorted(left.scalars()) == ["nam", "sau"]


async def test_who_is_on_no_running_channel_is_not_written_to(database: Database, tmp_path: Path) -> None:
    stage = await staged(database, tmp_path)
    await seated(stage, "nam", "thon-05", "head")
    await database.write(lambda conn: people.meet(conn, [("webchat", "tu", "tu")], 1))
    await database.write(lambda conn: people.join(conn, "webchat:tu", "thon-05", "monitor", "Tư", 1))
    async with database.read() as conn:
        (row,) = [one for one in await people.all_members(conn, "thon-05") if one.name == "Tư"]
    await stage.platform.arrive(Deed("nam", "nam", False, Pressed(f"rmy:{row.id}")), stage.take)
    await stage.settle()
    assert [one.where for one in await stage.news()] == ["nam"]


def test_codes_are_drawn_so_that_they_are_heard_as_codes() -> None:
    for _ in range(200):
        assert any(char.isdigit() for char in draw_invite())
