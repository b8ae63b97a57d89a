"""Anything that can be on record or arrive, drawn at random: towns, reports, drafts, sessions, events."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from bot import voices
from bot.config import load_commune
from bot.core.deadlines import next_due
from bot.core.events import (
    Address,
    DraftDue,
    Edited,
    Entered,
    Event,
    FileRef,
    Left,
    LinkReady,
    Moved,
    Overlooked,
    PhotoReady,
    PhotoSent,
    PlaceSent,
    Pressed,
    Undelivered,
    Unsupported,
    VoiceSent,
    Words,
)
from bot.core.facts import Desk, Role
from bot.core.figures import VIEWS
from bot.core.form import next_slot
from bot.core.message import Button
from bot.core.notice import Composing
from bot.core.report import NUMBERED, OUTCOMES, STATUSES, Report
from bot.core.session import DRAFT_LIFE_MS, PHOTOS_MAX, VOICES_MAX, Closing, Draft, Session
from bot.core.when import ZONE
from bot.core.words import Lexicon
from bot.handlers import World
from bot.messages import Messages
from bot.photos import PROBLEMS
from tests.paper import ROOT

COMMUNE = load_commune(ROOT / "commune.toml")
WORLD = World(COMMUNE, Lexicon(COMMUNE))
MESSAGES = Messages()
NAMES = frozenset(MESSAGES.names())
START = datetime(2026, 3, 2, 8, 0, tzinfo=ZONE)
# Nothing in the templates or the commune's words looks like this: wherever it turns up, a person wrote it.
SECRET = re.compile(r"zq\d{4}")
ACCOUNTS = ("zq7001", "zq7002")
OTHER_REPORTER = "zq7009"
VILLAGES = ("thon-03", "thon-05")
DESKS = (*VILLAGES, "cong-an", "phong-kinh-te", "ubnd")
CODE = re.compile(r"AP-\d\d-\d{5}")
CODES = ("AP-26-00001", "AP-26-00002", "AP-26-00044")


def now_ms() -> int:
    return int(START.timestamp() * 1000)


# Who can hear -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Town:
    """Which units can be told: by their room, by their members, or not at all."""

    desks: Mapping[str, Desk]

    def ears(self, unit: str) -> tuple[Address, ...]:
        return self.desks.get(unit, Desk(unit)).ears

    @property
    def village_ears(self) -> frozenset[Address]:
        return frozenset(ear for unit in VILLAGES for ear in everybody(self.desks[unit]))

    @property
    def officers(self) -> frozenset[Address]:
        return frozenset(ear for desk in self.desks.values() for ear in everybody(desk))


def everybody(desk: Desk) -> tuple[Address, ...]:
    return desk.rooms + desk.members


def _desk(unit: str, rooms: int, members: int) -> Desk:
    return Desk(
        unit,
        tuple(Address("paper", f"phong-{unit}-{n}", group=True) for n in range(rooms)),
        tuple(Address("paper", f"can-bo-{unit}-{n}") for n in range(members)),
    )


towns = st.builds(
    lambda sizes: Town({u: _desk(u, *size) for u, size in zip(DESKS, sizes, strict=True)}),
    st.tuples(*(st.sampled_from([(0, 0), (1, 0), (0, 2), (1, 2)]) for _ in DESKS)),
)
ROLES: tuple[tuple[Role, ...], ...] = (
    (),
    (),
    (Role("thon-03", "monitor", "Bác Tư"),),
    (Role("thon-05", "head", "Ông Năm"),),
    (Role("cong-an", "police", "Anh Dũng"),),
    (Role("cong-an", "staff", "Anh Sơn"), Role("cong-an", "police", "Anh Sơn")),
    (Role("ubnd", "office", "Chị Hà"),),
    (Role("ubnd", "lead", "Ông Chủ tịch"),),
    (Role("thon-03", "monitor", "Cô Lan"), Role("thon-05", "monitor", "Cô Lan")),
    tuple(
        Role(unit, "staff", "Cô Mai")
        for unit in ("truong-01", "truong-02", "phong-kinh-te", "ubnd", "hoi-ccb", "tt-dvsnc")
    ),
)

# What can be on record ----------------------------------------------------------------------------

_landmarks = st.sampled_from(["", "cổng chợ", "sau nhà văn hoá", "đ" * 119 + "…"])
_stories = st.sampled_from(
    ["", "xe đỗ kín vỉa hè zq5501", "rác hôi lắm\nba hôm rồi zq5502", "dài " * 499 + "zq5"]
)
_points = st.sampled_from([None, (20.83, 106.58), (10.0, 105.0)])
_ids = st.integers(1, 2**40)


@st.composite
def reports(draw: st.DrawFn, code: str | None = None, person: str | None = None) -> Report:
    category = COMMUNE.categories[draw(st.sampled_from(sorted(COMMUNE.categories)))]
    unit = draw(st.sampled_from([*VILLAGES, "thon-11", None]))
    private = draw(st.booleans())
    status = draw(st.sampled_from(sorted(STATUSES)))
    point = draw(_points)
    someone = person or draw(st.sampled_from([f"paper:{ACCOUNTS[0]}", f"paper:{OTHER_REPORTER}", None]))
    filed = int(START.timestamp() * 1000) - draw(st.sampled_from([0, 3600_000, 40 * 24 * 3600_000]))
    closed = status in ("resolved", "confirmed", "rejected")
    took = draw(st.sampled_from([None, f"paper:{ACCOUNTS[1]}", "paper:khac"]))
    found = Report(
        id=draw(_ids),
        code=code or draw(st.sampled_from(CODES)),
        category=category.id,
        field=category.field,
        status=status,
        desk=COMMUNE.office if private else COMMUNE.desk_of(category, unit),
        unit=unit,
        landmark=draw(_landmarks),
        lat=point[0] if point else None,
        lon=point[1] if point else None,
        words=draw(_stories),
        hours=draw(st.sampled_from(["", "5 giờ sáng zq5503"])),
        private=private,
        person=someone,
        channel="paper" if someone else None,
        chat=someone.removeprefix("paper:") if someone else None,
        filed_at=filed,
        ack_by=filed + 24 * 3600_000,
        fix_by=filed + 72 * 3600_000,
        taken_by=took,
        taken_name="Anh Dũng" if took else "",
        closed_at=filed + draw(st.sampled_from([0, 26 * 24 * 3600_000])) if closed else None,
        outcome=draw(st.sampled_from(["photo", *OUTCOMES])) if closed else "",
        reopened=draw(st.integers(0, 3)),
        alerted_at=draw(st.sampled_from([None, filed])),
        version=draw(st.integers(0, 9)),
        photos=draw(st.integers(0, PHOTOS_MAX)),
        voices=draw(st.sampled_from([0, 0, 1, VOICES_MAX])),
    )
    return clocked(found)


def clocked(report: Report) -> Report:
    """The report with the moment that it waits for, as if nothing had come due yet."""
    due_at, due_step = next_due(report, COMMUNE)
    return replace(report, due_at=due_at, due_step=due_step)


@st.composite
def drafts(draw: st.DrawFn, now: int) -> Draft:
    """A draft as an earlier run of the program may have left it."""
    point = draw(_points)
    unit = draw(st.sampled_from([None, *VILLAGES, "thon-20"]))
    started = now - draw(st.sampled_from([0, 60_000, 20 * 3600_000, DRAFT_LIFE_MS * 2]))
    found = Draft(
        id=draw(_ids),
        started_at=started,
        touched_at=started,
        category=draw(st.sampled_from([None, *sorted(COMMUNE.categories)])),
        guesses=draw(st.sampled_from([(), ("litter", "parking"), ("litter", "vending", "parking")])),
        unit=unit,
        units=draw(st.sampled_from([(), VILLAGES, tuple(u.id for u in COMMUNE.villages)])),
        landmark=draw(_landmarks),
        lat=point[0] if point else None,
        lon=point[1] if point else None,
        outside=point is not None and unit is None,
        photos=tuple(draw(st.sets(st.integers(1, 40), max_size=PHOTOS_MAX))),
        voices=tuple(draw(st.sets(st.integers(41, 60), max_size=VOICES_MAX))),
        words=draw(_stories),
        hours=draw(st.sampled_from(["", "chiều tối zq5504"])),
        private=draw(st.booleans()),
        behalf=draw(st.sampled_from([False, False, True])),
        skipped=draw(st.frozensets(st.sampled_from(["photo", "hours", "landmark"]))),
        nudged=draw(st.booleans()),
    )
    asked = draw(
        st.sampled_from([next_slot(found, COMMUNE), next_slot(found, COMMUNE), "edit", "words", None])
    )
    return replace(found, asked=asked)


def _set_apart(now: int) -> st.SearchStrategy[Draft]:
    """A report told before the first was sent: it names its matter and place, and waits."""
    told: dict[str, Any] = {
        "category": "litter",
        "unit": "thon-05",
        "landmark": "cổng chợ",
        "asked": None,
        "units": (),
    }
    return drafts(now).map(lambda draft: replace(draft, id=draft.id + 2**41, **told))


def _draft_id(draft: Draft) -> int:
    return draft.id


@st.composite
def sessions(draw: st.DrawFn, now: int, accounts: tuple[str, ...], *, group: bool) -> Session:
    step = draw(st.sampled_from([None, "photo", "checking", "number", "later", "help", "review"]))
    outcome = draw(st.sampled_from(sorted(NUMBERED))) if step == "number" else ""
    code, account = draw(st.sampled_from(CODES)), draw(st.sampled_from(accounts))
    at = now - draw(st.sampled_from([0, 0, 2 * 3600_000]))
    closings = (Closing(code, account, step, outcome, at),) if step else ()
    if group:
        return Session(closings=closings)
    draft = draw(st.none() | drafts(now))
    return Session(
        draft=draft,
        later=draw(st.lists(_set_apart(now), max_size=2, unique_by=_draft_id).map(tuple)) if draft else (),
        closings=closings,
        last=draw(st.sampled_from([None, *CODES])),
        last_at=now - draw(st.sampled_from([0, 3600_000])),
        complaint=draw(st.sampled_from([None, *CODES])),
        complaint_at=at,
        urgent_at=draw(st.sampled_from([0, now])),
        alarm=draw(st.sampled_from(["", "đánh nhau zq5509"])),
        wrong_codes=tuple([now] * draw(st.sampled_from([0, 9, 12]))),
        choosing=draw(
            st.sampled_from(["", "", "usual", "head", "members", "usual:school", "members:village"])
        ),
        choosing_at=at,
        notice=draw(st.none() | st.none() | composings(now, account)),
    )


# What can arrive ----------------------------------------------------------------------------------

PHRASES = (
    "rác ở cổng chợ thôn 3",
    "rac o cong cho",
    "bãi rác tự phát zq5505",
    "xe đỗ kín vỉa hè cửa chợ thôn 5 zq5506",
    "ban hang lan duong zq5507",
    "đèn đường hỏng thôn ba",
    "thôn 3",
    "thon 5, sau nha van hoa",
    "thôn 7 hoặc thôn 8",
    "cổng chợ",
    "5 đến 7 giờ sáng zq5508",
    "không có ảnh",
    "khong",
    "ok",
    "dung",
    "đúng rồi ạ",
    "gửi",
    "gui phan anh",
    "đồng ý và gửi",
    "sửa",
    "huỷ",
    "báo một việc",
    "cảm ơn",
    "xin chào",
    "nhận",
    "nhận AP-26-00001",
    "hẹn thứ 6 chờ xe zq5510",
    "nhờ xã",
    "chuyển",
    "cần xem lại",
    "đang làm",
    "nhận ca",
    "hết ca",
    "cháy nhà ở thôn 3 cứu với",
    "trưởng thôn 3 đòi tiền zq5511",
    "0912 345 678",
    "xong",
    "xong ap2644",
    "đã xử lý",
    "AP-26-00002",
    "tìm AP-26-00001",
    "15/QĐ-XPHC",
    "/start",
    "/trogiup",
    "/tracuu",
    "/huy",
    "/ketnoi",
    "/quyenriengtu",
    "/xuatdulieu",
    "/xoadulieu",
    "/thongke",
    "thống kê tuần này",
    "thong ke theo thon",
    "số liệu thôn 3",
    "thống kê đợt vệ sinh",
    "thong ke chi tieu",
    "/tim AP-26-00044",
    "tra cuu",
    "làm giấy khai sinh ở đâu",
    "mời",
    "moi thon 3",
    "mời trưởng thôn 5",
    "mời lãnh đạo xã",
    "mời hội",
    "thành viên",
    "thanh vien thon 5",
    "/thongbao",
    "thong bao",
    "xin duyet",
    "duyet",
    "không duyệt",
    "?",
    "dung gui",
    "thon 3, 5, 7-9",
    "truong thon, cong an",
    "báo hộ",
    "báo hộ bà Lan: rác ở cổng chợ thôn 3",
    "A1B2-C3D4",
    "a1b2c3d4",
    "0",
    "1",
    "3",
    "20",
    "007",
    "٣",
    "99999999999999999999",
    "20.83, 106.58",
    "https://maps.google.com/?q=20.83,106.58",
    "https://maps.app.goo.gl/abc123",
    "http://maps.google.com/?q=nan,inf",
    "\u200b",
    "\u202etxet\x00\x07",
    "rác \ud800 thôn 3",
    "😀👍🏽",
    "rác " * 700,
    "x" * 5000,
)
_phrase = st.sampled_from(PHRASES)
_text = st.one_of(
    _phrase, _phrase, _phrase, st.builds("{} {}".format, _phrase, _phrase), st.text(max_size=60)
)
_lat = st.sampled_from([20.83, 20.8271, 10.0, 0.0, 91.0, float("nan"), float("inf")])
_lon = st.sampled_from([106.58, 106.5823, 105.0, 181.0, float("nan"), float("-inf")])
_places = st.builds(PlaceSent, _lat, _lon)
_files = st.builds(FileRef, st.just("f1"), st.sampled_from([None, 10, 10**9]), st.booleans())
_photos = st.builds(PhotoSent, _files, st.one_of(st.just(""), _text), st.sampled_from([None, "album"]))
_sounds = st.builds(FileRef, st.just("v1"), st.sampled_from([None, 10, 10**9]))
_voices = st.builds(VoiceSent, _sounds, st.sampled_from([0, 20, 301]), st.one_of(st.just(""), _text))
_gps = st.sampled_from([(None, None), (20.83, 106.58), (10.0, 105.0), (float("nan"), 106.0), (20.83, None)])
_kinds = ("video", "sticker", "contact", "document", "too_long", "other")
_unsupported = st.builds(Unsupported, st.sampled_from(_kinds))
_links = st.builds(lambda at: LinkReady(*at), _gps)
_own = st.one_of(
    st.builds(Undelivered, st.integers(1, 99), st.sampled_from(["blocked", "gone", "rejected"])),
    st.just(DraftDue()),
    st.builds(Overlooked, st.sampled_from(CODES)),
    st.just(Entered()),
    st.just(Left()),
    st.builds(Moved, st.sampled_from(["phong-moi", ""])),
)
VERBS = (
    "take",
    "out",
    "bad",
    "look",
    "bind",
    "new",
    "mine",
    "privacy",
    "help",
    "behalf",
    "mem",
    "rm",
    "rmy",
    "inv",
    "st",
)
MANAGING = (
    *(
        f"inv:{unit}:{role}"
        for unit in ("thon-03", "thon-05", "cong-an", "ubnd")
        for role in ("usual", "head", "lead")
    ),
    *(f"{verb}:{number}" for verb in ("rm", "rmy", "rm", "rmy") for number in range(1, 7)),
    *(f"mem:{unit}:{start}" for unit in ("thon-05", "ubnd") for start in (0, 4, 99)),
    *(
        f"uk:{want}:{group}:{start}"
        for want in ("usual", "head", "members", "")
        for group in ("school", "body", "x")
        for start in (0, 8)
    ),
)
FORM = (
    "f",
    "c",
    "kinds",
    "u",
    "us",
    "map",
    "no",
    "edit",
    "ed",
    "keep",
    "priv",
    "add",
    "send",
    "cancel",
    "merge",
)
ARGUMENTS = (
    "",
    *VIEWS,
    *COMMUNE.fields,
    *COMMUNE.categories,
    *VILLAGES,
    "cong-an",
    "order:4",
    "sanitation:" + "9" * 5000,
    "order:²",
    "photo",
    "hours",
    "landmark",
    "place",
    "words",
    "category",
    "a:b:c",
)
ON_A_REPORT = (
    *("take", "done", "good", "bad", "look", "start", "later", "help", "forward", "review"),
    *("agree", "refuse", "phone", "calm"),
)
_on_duty = st.builds(
    Pressed,
    st.one_of(
        st.builds("{}:{}".format, st.sampled_from(ON_A_REPORT), st.sampled_from(CODES)),
        st.builds("forward:{}:{}".format, st.sampled_from(CODES), st.sampled_from(["ubnd", "thon-05", "x"])),
        st.builds("later:{}:{}".format, st.sampled_from(CODES), st.sampled_from(["1", "7", "99", "²"])),
        st.builds("help:{}:{}".format, st.sampled_from(CODES), st.sampled_from(["power", "power:7", "no"])),
        st.builds("why:{}:{}".format, st.sampled_from(CODES), st.sampled_from(["0", "3", "77", ""])),
        st.builds("out:{}:{}".format, st.sampled_from(CODES), st.sampled_from([*OUTCOMES, "photo", ""])),
    ),
)
_managing = st.builds(Pressed, st.sampled_from(MANAGING))
NOTICING = (
    *("nt:text", "nt:whom", "nt:all", "nt:villages", "nt:roles", "nt:members", "nt:drop", "nt:"),
    *("nt:roles:head", "nt:roles:nobody", "nt:send:0", "nt:send:1", "nt:send:7", "nt:send:²"),
    *(f"nd:{deed}:7" for deed in ("ok", "no", "back", "edit", "stop", "stopyes", "keep", "look", "x")),
    *("nd:ok:", "nd:ok:²", "nd:ok:" + "9" * 40),
)
_noticing = st.builds(Pressed, st.sampled_from(NOTICING))
COMPOSING = ("text", "whom", "villages", "roles", "sure")


@st.composite
def composings(draw: st.DrawFn, now: int, account: str) -> Composing:
    """A notice as an earlier run of the program may have left it."""
    return Composing(
        account,
        now - draw(st.sampled_from([0, 3600_000, 3 * 3600_000])),
        draw(st.sampled_from(["", "Mai mất nước zq5520", "d" * 1500])),
        draw(st.sampled_from(["", "all", "villages:thon-03,thon-05", "roles:head"])),
        draw(st.sampled_from(COMPOSING)),
        draw(st.sampled_from([0, 1, 7])),
    )


_foreign = st.builds(
    Pressed,
    st.one_of(
        st.builds("{}:{}".format, st.sampled_from(VERBS), st.sampled_from([*DESKS, "", "x" * 60])),
        st.builds("{}:{}:{}".format, st.sampled_from(FORM), _ids, st.sampled_from(ARGUMENTS)),
        st.text(max_size=64),
    ),
)
ANSWERS = {
    "category": ("rác đổ bừa bãi", "xe đỗ kín vỉa hè zq5509"),
    "place": ("thôn 3 sau nhà văn hoá", "3", "thôn 5"),
    "landmark": ("cổng chợ", "không rõ"),
    "photo": ("không có ảnh",),
    "hours": ("5 giờ sáng zq5510", "không"),
    "summary": ("gửi", "đồng ý", "ok", "sửa", "gửi đi ạ"),
    "words": ("rác nhiều lắm zq5511",),
}


def open_drafts(session: Session) -> tuple[Draft, ...]:
    return (*((session.draft,) if session.draft is not None else ()), *session.later)


def _pressed_now(session: Session, offered: tuple[Button, ...]) -> st.SearchStrategy[Event]:
    """The buttons that stand open, and those of the form that could be typed by a forger."""
    draft = session.draft.id if session.draft is not None else 1
    own = [button.action for button in offered]
    forged = st.builds(f"{{}}:{draft}:{{}}".format, st.sampled_from(FORM), st.sampled_from(ARGUMENTS))
    merging = [f"merge:{later.id}" for later in session.later]
    return st.builds(Pressed, st.one_of(st.sampled_from([*own, *merging] or ["new"]), forged))


def _right_answer(session: Session) -> st.SearchStrategy[Event]:
    asked = session.draft.asked if session.draft is not None else None
    return st.builds(Words, st.sampled_from(ANSWERS.get(asked or "category", ("không",))))


def _fetched(session: Session) -> st.SearchStrategy[Event]:
    mine = [photo for draft in open_drafts(session) for photo in (*draft.photos, *draft.voices)]
    photo = st.sampled_from([*mine, 10**6])
    # What both photos and voice messages may suffer from: which one it is, the facts say.
    problem = st.sampled_from([None, None, *(set(PROBLEMS) & set(voices.PROBLEMS))])
    ready = st.builds(
        lambda p, why, at: PhotoReady(p, why, *(at if why is None else ())), photo, problem, _gps
    )
    return ready | ready | _links


@st.composite
def events(draw: st.DrawFn, session: Session, offered: tuple[Button, ...]) -> Event:
    """Those that lead somewhere come up more often."""
    kinds: tuple[tuple[int, st.SearchStrategy[Any]], ...] = (
        (5, _right_answer(session)),
        (4, _pressed_now(session, offered)),
        (3, st.builds(Words, _text)),
        (3, _on_duty),
        (2, _photos),
        (2, _voices),
        (2, _fetched(session)),
        (1, _foreign),
        (2, _managing),
        (1, _noticing),
        (1, _places),
        (1, st.builds(Edited, _text)),
        (1, _unsupported),
        (1, _own),
    )
    event: Event = draw(draw(st.sampled_from([kind for weight, kind in kinds for _ in range(weight)])))
    return event
