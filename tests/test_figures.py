"""Figures: counted as by hand, on both databases, and shown to nobody whom they do not concern."""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from bot import figures
from bot.core.commune import LEAD
from bot.core.effects import Say
from bot.core.events import Address, Incoming, Words
from bot.core.figures import (
    BOARD,
    NOW,
    TARGETS,
    VIEWS,
    VILLAGES,
    VILLAGES_MS,
    WEEK,
    WEEK_MS,
    WEEKS_SHOWN,
    Figures,
    Open,
    Scope,
    Waits,
    scope_of,
)
from bot.core.session import EMPTY
from bot.core.when import ZONE, ms
from bot.handlers import needs, stats
from storage import migrate, reports, statistics
from storage.database import Database
from storage.statistics import SOLVED, UNANSWERED, Within
from storage.tables import OPEN
from storage.tables import reports as reports_table
from tests import samples
from tests.drawing import COMMUNE, MESSAGES, WORLD

NOW_AT = datetime(2026, 9, 10, 14, 5, tzinfo=ZONE)
MONDAY = ms(datetime(2026, 9, 7, tzinfo=ZONE))
MIDNIGHT = ms(datetime(2026, 9, 10, tzinfo=ZONE))
HOUR = 3600 * 1000
Row = dict[str, Any]
ROLES: dict[str, tuple[tuple[str, str], ...]] = {
    "monitor": (("thon-03", "monitor"),),
    "two villages": (("thon-03", "head"), ("thon-05", "monitor")),
    "police": (("cong-an", "police"),),
    "department": (("phong-kinh-te", "staff"),),
    "office": (("ubnd", "office"),),
    "lead": (("ubnd", "lead"),),
    "school": (("truong-01", "head"),),
    "resident": (),
}


def scattered(count: int = 700) -> list[Row]:
    """Reports of twelve weeks, of every kind, from every village and from nowhere."""
    rng = random.Random(11)
    desks = ["thon-03", "thon-05", "cong-an", "phong-kinh-te", "ubnd", LEAD]
    statuses = sorted({*OPEN, *SOLVED, "rejected", "duplicate"})
    found = []
    for number in range(1, count + 1):
        filed = ms(NOW_AT) - rng.randint(0, 12 * WEEK_MS)
        status = rng.choice(statuses)
        closed = None if status in OPEN else filed + rng.randint(1, 300) * HOUR // 2
        taken = filed + rng.randint(1, 100) * HOUR // 3 if rng.random() < 0.7 else None
        row: Row = {"code": f"AP-26-{number:05}", "category": "litter", "status": status}
        row |= {"field": rng.choice(["sanitation", "order", "lighting", "other", "official", "emergency"])}
        row |= {"desk": rng.choice(desks), "unit": rng.choice(["thon-03", "thon-05", "thon-11", None])}
        row |= {"private": rng.random() < 0.3, "filed_at": filed, "closed_at": closed, "taken_at": taken}
        row |= {"ack_by": filed + 24 * HOUR, "fix_by": filed + 72 * HOUR, "alerted_at": filed}
        row |= dict.fromkeys(("landmark", "words", "hours", "taken_name", "outcome"), "")
        found.append(row | {"reopened": 0, "version": 0, "lat": None, "lon": None})
    return found


@pytest.fixture
async def filed(database: Database) -> tuple[Database, list[Row]]:
    rows = scattered()
    await database.write(lambda conn: reports.add(conn, rows))
    return database, rows


# By hand --------------------------------------------------------------------------------------------


def may_see(role: str) -> Callable[[Row], bool]:
    """Said once more, in other words than the program's."""

    def sees(row: Row) -> bool:
        if role == "lead":
            return True
        if row["desk"] == LEAD:
            return False
        match role:
            case "office":
                return True
            case "monitor":
                return row["unit"] == "thon-03" and not row["private"]
            case "two villages":
                return row["unit"] in ("thon-03", "thon-05") and not row["private"]
            case "police":
                theirs = row["field"] in ("order", "emergency") and not row["private"]
                return theirs or bool(row["desk"] == "cong-an")
            case "department":
                theirs = row["field"] in ("sanitation", "lighting") and not row["private"]
                return theirs or bool(row["desk"] == "phong-kinh-te")
        return not row["private"]

    return sees


def ranks(waits: Iterable[int]) -> tuple[int, int] | None:
    """Nearest rank: the least that so many are not above."""
    ordered = sorted(waits)
    if not ordered:
        return None

    def at(tenths: int) -> int:
        return next(value for rank, value in enumerate(ordered, 1) if 10 * rank >= tenths * len(ordered))

    return at(5), at(9)


def by_hand(rows: list[Row]) -> statistics.Waited:
    answers = [row["taken_at"] - row["filed_at"] for row in rows if row["taken_at"] is not None]
    solved = [row for row in rows if row["status"] in SOLVED and row["closed_at"] is not None]
    solves = [row["closed_at"] - row["filed_at"] for row in solved]
    return statistics.Waited(len(rows), len(answers), ranks(answers), len(solves), ranks(solves))


@pytest.mark.parametrize("role", ROLES)
async def test_what_is_counted_is_what_one_may_see(filed: tuple[Database, list[Row]], role: str) -> None:
    db, rows = filed
    seen = [row for row in rows if may_see(role)(row)]
    async with db.read() as conn:
        asked = stats.asked_view(WORLD, NOW)
        found = await figures.gather(conn, asked, ROLES[role], NOW_AT)
    now = ms(NOW_AT)
    for tally, (start, end) in (
        (found.today, (MIDNIGHT, now + 1)),
        (found.week, (MONDAY, now + 1)),
        (found.before, (MONDAY - WEEK_MS, MONDAY)),
    ):
        assert tally.filed == sum(start <= row["filed_at"] < end for row in seen)
        closed = [row["closed_at"] for row in seen if row["closed_at"] is not None]
        assert tally.closed == sum(start <= at < end for at in closed)
    open_ = [row for row in seen if row["status"] in OPEN]
    late = [
        row for row in open_ if row["fix_by"] < now or (row["ack_by"] < now and row["status"] in UNANSWERED)
    ]
    assert sum(one.open for one in found.open) == len(open_)
    assert sum(one.late for one in found.open) == len(late)
    assert {one.unit: one.open for one in found.open} == {
        unit: sum(row["unit"] == unit for row in open_) for unit in {row["unit"] for row in open_}
    }
    assert found.scope.public == (role in ("school", "resident"))
    assert bool(found.weeks) != found.scope.public
    for start, waits in found.weeks:
        week = [row for row in seen if start <= row["filed_at"] < min(start + WEEK_MS, now + 1)]
        assert waits == figures._waits(by_hand(week))
    if found.weeks:
        assert len(found.weeks) == WEEKS_SHOWN
        assert found.weeks[-1][0] == MONDAY


@pytest.mark.parametrize("role", ["office", "lead", "police", "two villages"])
async def test_villages_and_fields_are_counted(filed: tuple[Database, list[Row]], role: str) -> None:
    db, rows = filed
    seen = [row for row in rows if may_see(role)(row)]
    now = ms(NOW_AT)
    async with db.read() as conn:
        four = await figures.gather(conn, stats.asked_view(WORLD, VILLAGES), ROLES[role], NOW_AT)
        week = await figures.gather(conn, stats.asked_view(WORLD, WEEK), ROLES[role], NOW_AT)
    lately = [row for row in seen if now + 1 - VILLAGES_MS <= row["filed_at"] <= now]
    assert dict(four.villages) == {
        unit: figures._waits(by_hand([row for row in lately if row["unit"] == unit]))
        for unit in {row["unit"] for row in lately}
    }
    this = [row["field"] for row in seen if MONDAY <= row["filed_at"] <= now]
    assert dict(week.fields) == {name: this.count(name) for name in set(this)}
    assert [count for _, count in week.fields] == sorted((c for _, c in week.fields), reverse=True)


async def test_one_village_and_not_a_private_matter(filed: tuple[Database, list[Row]]) -> None:
    db, rows = filed
    async with db.read() as conn:
        asked = stats.asked_view(WORLD, NOW, "thon-03")
        office = await figures.gather(conn, asked, ROLES["office"], NOW_AT)
        village = await figures.gather(conn, asked, ROLES["monitor"], NOW_AT)
        lead = await figures.gather(conn, asked, ROLES["lead"], NOW_AT)
    here = [row for row in rows if row["unit"] == "thon-03" and row["status"] in OPEN]
    counted = [sum(one.open for one in found.open) for found in (village, office, lead)]
    known = [row for row in here if row["desk"] != LEAD]
    assert counted == [sum(not row["private"] for row in known), len(known), len(here)]
    assert counted[0] < counted[1] < counted[2]


async def test_of_nothing_there_are_figures_too(database: Database) -> None:
    async with database.read() as conn:
        for view in VIEWS:
            for roles in ROLES.values():
                found = await figures.gather(conn, stats.asked_view(WORLD, view), roles, NOW_AT)
                assert found.today.filed == 0
                assert all(waits.answer is None for _, waits in found.weeks)


async def test_the_first_answer_is_the_one_that_counts(database: Database) -> None:
    row = scattered(1)[0] | {"status": "sent", "closed_at": None, "taken_at": None}
    ids = await database.write(lambda conn: reports.add(conn, [row]))
    report = ids[row["code"]]
    steps: list[tuple[str, int]] = [
        ("forwarded", 5),
        ("acknowledged", 10),
        ("resolved", 20),
        ("reopened", 30),
        ("in_progress", 40),
    ]
    seen = []
    for version, (status, at) in enumerate(steps):
        work = partial(reports.change, report=report, version=version, values={"status": status}, now=at)
        await database.write(work)
        async with database.read() as conn:
            seen.append((await conn.execute(sa.select(reports_table.c.taken_at))).scalar())
    assert seen == [None, 10, 10, 10, 10]


async def test_what_was_taken_before_this_program_is_known(database_url: str) -> None:
    """The history tells it, when the column is added."""
    db = Database(database_url)
    try:
        rows = [row | {"taken_at": None} for row in scattered(4)]
        ids = list((await db.write(lambda conn: reports.add(conn, rows))).values())
        lines = [("file", 1), ("forward", 2), ("take", 7), ("close", 9)]
        told = [{"report": ids[0], "at": at, "action": action} for action, at in lines]
        told.append({"report": ids[1], "at": 4, "action": "close"})
        told.append({"report": ids[2], "at": 3, "action": "forward"})
        await db.write(lambda conn: reports.note(conn, told))
        async with db.engine.begin() as conn:
            await conn.run_sync(lambda c: command.downgrade(migrate._config(c), "0005"))
        await migrate.upgrade(db)
        async with db.read() as conn:
            query = sa.select(reports_table.c.taken_at).order_by(reports_table.c.id)
            assert list((await conn.execute(query)).scalars()) == [7, 4, None, None]
    finally:
        await db.close()


# Who sees what --------------------------------------------------------------------------------------


def scope(role: str, place: str | None = None) -> Scope:
    return scope_of(ROLES[role], stats.asked_view(WORLD, NOW, place))


def test_only_those_who_lead_see_what_is_about_officials() -> None:
    assert [role for role in ROLES if scope(role).leads] == ["lead"]
    assert [role for role in ROLES if figures.within(scope(role)).without is None] == ["lead"]
    assert [role for role in ROLES if scope(role).whole] == ["office", "lead"]


def test_another_village_is_shown_to_nobody_who_has_one() -> None:
    assert (scope("monitor").place, scope("monitor").own) == ("thon-03", False)
    assert (scope("monitor", "thon-05").place, scope("monitor", "thon-05").own) == ("thon-03", True)
    assert scope("two villages", "thon-05").place == "thon-05"
    assert scope("two villages", "thon-11").villages == {"thon-03", "thon-05"}
    assert scope("office", "thon-11").place == "thon-11"
    assert scope("police", "thon-11").place == "thon-11"


def test_nothing_is_counted_of_nothing() -> None:
    """A scope without anything in it is nobody's; it must not become everything."""
    compiled = str(Within().where().compile(compile_kwargs={"literal_binds": True}))
    assert "1 = 1" not in compiled
    assert "false" in compiled or "1 = 0" in compiled or "IN (NULL)" in compiled


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("view", [BOARD, TARGETS])
def test_boards_are_the_offices(role: str, view: str) -> None:
    known = dict(samples.figures())[view]
    found = stats.show(samples.talk(replace(known, scope=scope(role))))
    shown = [e for e in found.effects if isinstance(e, Say) and e.picture is not None]
    assert bool(shown) == (role in ("office", "lead"))


def test_in_a_group_nobody_is_told_what_is_everybodys() -> None:
    talk = samples.talk(Figures(NOW, Scope(all=True, public=True)))
    incoming = Incoming(1, samples.AT, Address("paper", "room", group=True), "a", Words("/thongke"))
    grouped = replace(talk, incoming=incoming)
    assert stats.show(grouped).effects == ()
    assert len(stats.show(talk).effects) == 1


# Words ----------------------------------------------------------------------------------------------

HEARD: list[tuple[str, str, str | None]] = [
    ("thong ke", NOW, None),
    ("Thống kê", NOW, None),
    ("so lieu", NOW, None),
    ("/thongke", NOW, None),
    ("/thongke@AnPhuXanhBot tuan", WEEK, None),
    ("/thongke gì đó", NOW, None),
    ("thống kê ạ", NOW, None),
    ("thong ke hom nay", NOW, None),
    ("thong ke tuan nay", WEEK, None),
    ("thống kê tuần này ạ", WEEK, None),
    ("so lieu theo thon", VILLAGES, None),
    ("thong ke cac thon", VILLAGES, None),
    ("thong ke thon 3", NOW, "thon-03"),
    ("số liệu thôn 12", NOW, "thon-12"),
    ("thong ke dot ve sinh", BOARD, None),
    ("thong ke tong ve sinh", BOARD, None),
    ("thống kê chỉ tiêu", TARGETS, None),
    ("so lieu ke hoach", TARGETS, None),
]


@pytest.mark.parametrize(("text", "view", "place"), HEARD)
def test_figures_are_asked_for_in_plain_words(text: str, view: str, place: str | None) -> None:
    asked = stats.asked(text, WORLD)
    assert asked is not None
    assert (asked.view, asked.place) == (view, place)
    assert needs(Incoming(1, NOW_AT, samples.HERE, "a", Words(text)), EMPTY, WORLD).figures == asked


@pytest.mark.parametrize(
    "text",
    [
        "rác đổ ở thôn 3",
        "tổng vệ sinh hôm nào",
        "số liệu điện nhà tôi sai",
        "thong ke rac o thon 3 di nhe",
        "tuần này chưa ai dọn rác thôn 3",
        "thôn 3",
        "thông báo",
    ],
)
def test_other_words_ask_for_no_figures(text: str) -> None:
    assert stats.asked(text, WORLD) is None


# What is said ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("view", VIEWS)
def test_every_answer_fits_and_a_picture_never_comes_alone(role: str, view: str) -> None:
    """With everything there is to say: twenty villages, all of them late, long names, large numbers."""
    shown = dict(samples.figures())
    villages: dict[str | None, Waits] = {unit.id: shown[NOW].weeks[-1][1] for unit in COMMUNE.villages}
    open_ = tuple(Open(unit.id, 123, 45) for unit in COMMUNE.villages)
    fields = tuple((name, 1234) for name in COMMUNE.fields)
    told = Figures(
        view,
        scope(role),
        open=open_,
        fields=fields,
        weeks=shown[NOW].weeks,
        villages=villages,
        campaigns=shown[BOARD].campaigns,
    )
    says = [effect for effect in stats.show(samples.talk(told)).effects if isinstance(effect, Say)]
    assert says
    assert says[0].picture is None
    for say in says:
        message = MESSAGES.render(say.message, say.data)
        assert 0 < len(message.text) <= 2000
        assert len(message.buttons) <= 5
        assert all(0 < len(button.label) <= 20 for button in message.buttons)
        # Telegram's captions are shorter than its messages.
        assert say.picture is None or len(message.text) <= 1024


def test_the_same_picture_has_the_same_name_and_another_minute_another() -> None:
    one, other = samples.pictures(), samples.pictures()
    assert one == other
    talk = samples.talk(dict(samples.figures())[NOW])
    later = replace(talk, facts=replace(talk.facts, now=talk.facts.now + timedelta(minutes=1)))
    says = [effect for effect in stats.show(later).effects if isinstance(effect, Say)]
    (picture,) = [say.picture for say in says if say.picture is not None]
    assert samples.drawn(picture).key != one[NOW].key
