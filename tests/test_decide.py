"""Whatever arrives in whatever state: a decision is made, and keeps what people are promised."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings, target
from hypothesis import strategies as st

from bot import voices
from bot.config import load_commune
from bot.core.commune import LEAD
from bot.core.deadlines import next_due
from bot.core.effects import (
    VOICE,
    AttachPhotos,
    Bind,
    Change,
    Consent,
    Dismiss,
    FileReport,
    Heard,
    Join,
    KeepPhoto,
    Lane,
    MakeInvite,
    Say,
    ShowPhotos,
)
from bot.core.events import (
    Address,
    DraftDue,
    Edited,
    Entered,
    Event,
    FileRef,
    Incoming,
    Left,
    LinkReady,
    Moved,
    Overlooked,
    PhotoReady,
    PhotoSent,
    PlaceSent,
    Pressed,
    ReportDue,
    Undelivered,
    Unsupported,
    VoiceSent,
    Words,
)
from bot.core.facts import Desk, Facts, Invite, Me, Member, Needs, PhotoFact, Refusal, Role
from bot.core.form import next_slot
from bot.core.invite import USUAL
from bot.core.message import Button, Message
from bot.core.report import NUMBERED, OPEN, OUTCOMES, STATUSES, STEPS, Report
from bot.core.session import DRAFT_LIFE_MS, EMPTY, PHOTOS_MAX, VOICES_MAX, Closing, Draft, Session, dump, load
from bot.core.text import clean
from bot.core.when import ZONE
from bot.core.words import Lexicon
from bot.handlers import Decision, World, decide, needs, read_press
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
_CODE = re.compile(r"AP-\d\d-\d{5}")
CODES = ("AP-26-00001", "AP-26-00002", "AP-26-00044")

# Who can hear -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Town:
    """Which units can be told: by their room, by their members, or not at all."""

    desks: Mapping[str, Desk]

    def ears(self, unit: str) -> tuple[Address, ...]:
        return self.desks.get(unit, Desk(unit)).ears

    @property
    def village_ears(self) -> frozenset[Address]:
        return frozenset(ear for unit in VILLAGES for ear in _everybody(self.desks[unit]))

    @property
    def officers(self) -> frozenset[Address]:
        return frozenset(ear for desk in self.desks.values() for ear in _everybody(desk))


def _everybody(desk: Desk) -> tuple[Address, ...]:
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


def _drafts(session: Session) -> tuple[Draft, ...]:
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
    mine = [photo for draft in _drafts(session) for photo in (*draft.photos, *draft.voices)]
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
        (1, _places),
        (1, st.builds(Edited, _text)),
        (1, _unsupported),
        (1, _own),
    )
    event: Event = draw(draw(st.sampled_from([kind for weight, kind in kinds for _ in range(weight)])))
    return event


# A talk, step by step -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One decision with all that led to it, and its messages as they would be sent."""

    incoming: Incoming
    before: Session
    facts: Facts
    town: Town
    decision: Decision
    said: tuple[tuple[Say, Message], ...]

    @property
    def event(self) -> Event:
        return self.incoming.event

    @property
    def after(self) -> Session:
        return self.decision.session

    @property
    def here(self) -> Address:
        return self.incoming.address

    @property
    def verb(self) -> str:
        """What was pressed, with the slot for "ed"."""
        if not isinstance(self.event, Pressed):
            return ""
        verb, _, rest = self.event.action.partition(":")
        return f"ed:{rest.partition(':')[2]}" if verb == "ed" else verb

    @property
    def filed(self) -> FileReport | None:
        found = [e for e in self.decision.effects if isinstance(e, FileReport)]
        assert len(found) <= 1
        return found[0] if found else None

    def known(self, report: int | None) -> Report | None:
        every = (self.facts.report, *self.facts.open_here, *self.facts.unheard, *self.facts.mine)
        return next((r for r in every if r is not None and r.id == report), None)


@st.composite
def facts_for(
    draw: st.DrawFn, incoming: Incoming, session: Session, town: Town, consent: str | None, now: datetime
) -> Facts:
    """What `bot.facts` would find: only what was asked for, whatever it may be."""
    need = needs(incoming, session, WORLD)
    me = Me(f"paper:{incoming.account}" if incoming.account else "", consent)
    room = next((u for u, desk in town.desks.items() if incoming.address in desk.rooms), None)
    report, photo, refusal = None, None, None
    if need.answered is not None:
        report = draw(st.none() | reports())
    if report is None and need.code is not None and _CODE.fullmatch(need.code):
        report = draw(st.one_of(st.none(), reports(need.code), reports(need.code, me.person or None)))
    if need.photo is not None or need.outbox is not None:
        report = draw(st.none() | reports())
    if need.photo is not None and draw(st.booleans()):
        spoken = any(need.photo in draft.voices for draft in _drafts(session))
        purpose = draw(st.sampled_from(["before", "after", VOICE])) if report else "before"
        at = int(now.timestamp() * 1000) - draw(st.sampled_from([0, 10**6]))
        photo = PhotoFact(need.photo, VOICE if spoken else purpose, report.id if report else None, at=at)
    if need.outbox is not None and draw(st.booleans()):
        lane = draw(st.sampled_from([int(Lane.ALERT), int(Lane.ANSWER)]))
        refusal = Refusal("duty/alert", incoming.address, lane, report.id if report else None)
    if incoming.account:
        me = replace(me, roles=draw(st.sampled_from(ROLES) | st.just(_desk_role(report))))
    some = st.lists(reports(), max_size=3, unique_by=(_id_of, _code_of)).map(tuple)
    concerned = [report, *(open_here := draw(some) if need.open_here and me.roles else ())]
    units = set(need.units)
    if need.desk_of_report and any(concerned):
        units |= {r.desk for r in concerned if r is not None} | {COMMUNE.office}
    usable = st.builds(
        Invite, st.just(need.invite or ""), st.sampled_from(DESKS), st.sampled_from(_roles), st.booleans()
    )
    return Facts(
        now=now,
        me=me,
        room=room,
        report=report,
        answered=draw(st.sampled_from(["", "duty/alert", "duty/voice", "office/voice"])) if report else "",
        photo=photo,
        desks={unit: town.desks.get(unit, Desk(unit)) for unit in units},
        mine=tuple(replace(r, person=me.person) for r in draw(some)) if need.mine else (),
        open_here=tuple(replace(r, status="sent") for r in open_here),
        invite=draw(st.none() | usable) if need.invite is not None else None,
        unheard=draw(some) if need.unheard else (),
        refusal=refusal,
        members=draw(_members(need, me)),
    )


@st.composite
def _members(draw: st.DrawFn, need: Needs, me: Me) -> tuple[Member, ...]:
    """Who belongs to the units that were asked for; the sender's own roles are among them."""
    units = set(need.members_of) & set(COMMUNE.units)
    if need.my_members:
        units |= {role.unit for role in me.roles if role.role == "head"}
    if need.member is not None:
        units |= {draw(st.sampled_from(["thon-03", "thon-05", "cong-an", "ubnd"]))}
    found = [(me.person, role.unit, role.role, role.name) for role in me.roles if role.unit in units]
    for unit in sorted(units):
        for number in range(draw(st.sampled_from([0, 1, 3, 5, 20]))):
            name = draw(st.sampled_from(["Bác Tư", "Cô Lan | Gỡ", "n" * 60, "Anh\nGỡ 1. X | rm:9"]))
            found.append((f"paper:m{number}", unit, draw(st.sampled_from(_roles)), name))
    return tuple(
        Member(at, person, unit, role, name, _now() - at, chats=(("paper", person.removeprefix("paper:")),))
        for at, (person, unit, role, name) in enumerate(found, 1)
    )


def _desk_role(report: Report | None) -> tuple[Role, ...]:
    """The role of somebody who deals with such reports."""
    if report is None:
        return ()
    kinds = {"cong-an": "police", COMMUNE.office: "office", "phong-kinh-te": "staff"}
    return (Role(report.desk, kinds.get(report.desk, "monitor"), "Bác Tư"),)


def _id_of(report: Report) -> int:
    return report.id


def _code_of(report: Report) -> str:
    return report.code


_roles = ("monitor", "head", "police", "staff", "office", "lead")
_names = st.sampled_from(["", "Nguyễn Văn zq6001", "\u202eev\x00il\nname", "n" * 200])


def talks(data: st.DataObject, steps: int) -> Iterator[Step]:
    """One chat for a while: what comes, what is known, what is decided."""
    town = data.draw(towns)
    group = data.draw(st.sampled_from([False, False, False, True]))
    accounts: tuple[str, ...] = ACCOUNTS[:1]
    address = Address("paper", ACCOUNTS[0])
    if group:
        rooms = sorted(room.chat for desk in town.desks.values() for room in desk.rooms)
        address = Address("paper", data.draw(st.sampled_from([*rooms, "nhom-la"])), group=True)
        accounts = (*ACCOUNTS, "")
    now = START
    started = st.just(EMPTY) | sessions(int(now.timestamp() * 1000), ACCOUNTS[:1], group=group)
    session, consent = data.draw(started), data.draw(st.sampled_from([None, "0", COMMUNE.policy_version]))
    offered: tuple[Button, ...] = ()
    for number in range(1, steps + 1):
        now += timedelta(minutes=data.draw(st.sampled_from([0, 0, 1, 40, 25 * 60])))
        event = data.draw(events(session, offered))
        incoming = Incoming(
            number,
            now,
            address,
            data.draw(st.sampled_from(accounts)),
            event,
            data.draw(_names),
            data.draw(st.sampled_from([None, None, None, "m7"])),
        )
        incoming = read_press(incoming, session, offered)
        facts = data.draw(facts_for(incoming, session, town, consent, now))
        decision = decide(incoming, session, facts, WORLD)
        step = Step(incoming, session, facts, town, decision, _spoken(decision))
        yield step
        lists = [
            m.buttons for say, m in step.said if say.to == address and m.buttons and say.lane != Lane.ALERT
        ]
        offered = lists[-1] if lists else offered
        session = decision.session
        if step.filed is not None:
            session, consent = replace(session, last="AP-26-00001"), COMMUNE.policy_version


def _spoken(decision: Decision) -> tuple[tuple[Say, Message], ...]:
    said = []
    for effect in decision.effects:
        if isinstance(effect, Say):
            data = {**effect.data, "code": "AP-26-00001"} if effect.fresh else effect.data
            said.append((effect, MESSAGES.render(effect.message, data)))
    return tuple(said)


# What always holds --------------------------------------------------------------------------------


def is_a_decision_that_survives_a_restart(step: Step) -> None:
    assert isinstance(step.decision, Decision)
    assert load(dump(step.after)) == step.after
    dump(step.after).encode()


def answers_whoever_speaks(step: Step) -> None:
    """In private nobody who says or does something is left without a word."""
    if step.here.group or any(say.to == step.here for say, _ in step.said):
        return
    draft = step.before.draft
    match step.event:
        case Entered() | Left() | Moved() | Undelivered() | Overlooked():
            return
        case DraftDue():
            due = step.before.wake_at
            assert due is None or step.facts.now_ms < due
        case LinkReady():
            assert draft is None or draft.lat is not None
        case PhotoReady(photo=photo, problem=problem):
            ours = any(photo in one.photos for one in _drafts(step.before))
            whose = step.facts.photo if step.facts.report is not None else None
            if whose is None:
                assert problem is None or not ours
            else:
                assert problem is None or whose.purpose == "after"
        case Edited(text):
            # Of a message that belongs to nothing open: there is nothing it could change.
            assert not clean(text).strip() or (draft is None and not _still_adding(step))
        case _:
            raise AssertionError(f"no answer to {step.event}")


def _still_adding(step: Step) -> bool:
    report, session = step.facts.report, step.before
    return (
        report is not None
        and report.code == session.last
        and report.person == step.facts.me.person
        and report.is_open
        and step.facts.now_ms - session.last_at <= 30 * 60_000
    )


def says_what_every_channel_can_show(step: Step) -> None:
    for say, message in step.said:
        assert say.message in NAMES
        assert 1 <= len(message.text) <= 2000, say.message
        assert len(message.buttons) <= 5, say.message
        labels = [button.label for button in message.buttons]
        assert len(set(labels)) == len(labels), labels
        for button in message.buttons:
            assert 1 <= len(button.label) <= 20, button
            assert 1 <= len(button.action.encode()) <= 64, button
        message.text.encode()
    for effect in step.decision.effects:
        if isinstance(effect, ShowPhotos):
            assert MESSAGES.render(effect.message, {**effect.data, "code": effect.code or "AP-26-00001"}).text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)


def keeps_only_clean_text(step: Step) -> None:
    """Nothing invisible, nothing that a database or a screen could choke on."""
    kept: list[str] = []
    for effect in step.decision.effects:
        match effect:
            case Change(values=values, note=note):
                kept += [note, *_texts(values)]
            case FileReport(draft=draft):
                kept += [draft.words, draft.landmark, draft.hours]
            case Join(name=name):
                kept.append(name)
            case Say(data=data):
                kept += list(_texts(data))
    assert [text for text in kept if clean(text) != text] == []


def moves_reports_along_the_table(step: Step) -> None:
    changes = [e for e in step.decision.effects if isinstance(e, Change)]
    assert len(changes) <= 1
    for change in changes:
        report = step.known(change.report)
        assert report is not None
        assert (change.version, change.before) == (report.version, report.status)
        assert change.after in STATUSES
        if change.action not in STEPS:
            assert change.after == change.before
            assert "status" not in change.values
            continue
        rule = STEPS[change.action]
        assert change.before in rule.before
        assert change.after == change.values["status"]
        going_on = change.action in ("postpone", "ask_help") and change.before == "in_progress"
        assert change.after == (change.before if going_on else rule.after)
        closed = change.values.get("closed_at", "as it was")
        if change.action in ("close", "reject", "withdraw"):
            assert isinstance(closed, int)
        else:
            assert closed == (None if change.action == "reopen" else "as it was")
        # Only what has nothing left to wait for goes on waiting for nothing.
        waits = change.values["due_at"] is not None or change.after not in OPEN | {"resolved"}
        assert waits or report.due_at is None
    told = [e for e in step.decision.effects if isinstance(e, Heard | AttachPhotos)]
    assert all(not isinstance(e, AttachPhotos) or step.known(e.report) is not None for e in told)


def lets_only_those_change_a_report_who_may(step: Step) -> None:
    me = step.facts.me
    for change in step.decision.effects:
        if not isinstance(change, Change):
            continue
        report = step.known(change.report)
        assert report is not None
        own = change.action.startswith("due_") or change.action == "settle"
        if own:
            assert isinstance(step.event, ReportDue)
            continue
        dealing = change.action in ("propose", "keep_open")
        if dealing or (change.action in STEPS and STEPS[change.action].who in ("desk", "office")):
            office = tuple(
                r for r in me.roles if r.role == LEAD or (r.unit, r.role) == (COMMUNE.office, "office")
            )
            roles = me.of(report.desk) + office
            if report.desk == LEAD:
                roles = tuple(role for role in me.roles if role.role == LEAD)
            assert roles, "somebody without a role dealt with a report"
            if change.action in ("reject", "keep_open"):
                assert any(r.unit == COMMUNE.office or r.role == LEAD for r in roles), (
                    "only the office decides"
                )
            if change.action == "close":
                _closed_properly(step, change, {role.role for role in roles})
        elif change.action == "typed":
            listens = me.of(COMMUNE.office) or (report.desk == COMMUNE.police and me.of(COMMUNE.police))
            leads = any(role.role == "lead" for role in me.roles)
            assert leads if report.desk == "lead" else listens, "somebody typed what they may not hear"
        else:
            assert report.person == me.person, "somebody else's report was judged or added to"
        if change.action == "reopen":
            assert step.before.complaint == report.code


def _closed_properly(step: Step, change: Change, roles: set[str]) -> None:
    outcome = change.values["outcome"]
    if outcome == "photo":
        assert isinstance(step.event, PhotoReady)
        assert step.event.problem is None
        assert step.facts.photo is not None
        assert step.facts.photo.purpose == "after"
        return
    assert OUTCOMES[outcome] & roles, "a result that this role may not record"
    assert outcome not in NUMBERED or any(c.isdigit() for c in change.note)


def never_asks_or_loses_what_was_given(step: Step) -> None:
    before, after = step.before.draft, step.after.draft
    if after is None or step.here.group:
        return
    # A draft that this very event began is another one, whatever number it was drawn with.
    same = before is not None and before.id == after.id != step.incoming.id
    if not same or before is None or before.asked != after.asked:
        opened = {
            "category": ("f", "ed:category"),
            "place": ("us", "ed:place"),
            "photo": ("ed:photo",),
        }
        given = {
            "category": after.category is not None,
            "place": after.placed,
            "landmark": bool(after.landmark) or after.lat is not None,
            "photo": bool(after.photos),
            "hours": bool(after.hours),
        }
        asked = after.asked or ""
        assert not given.get(asked, False) or step.verb in opened.get(asked, ()), f"asked twice: {asked}"
    if not same or before is None:
        return
    if step.verb != "ed:category":
        assert before.category is None or after.category is not None
    if step.verb != "ed:place":
        assert not before.placed or after.placed
        # A mark that was given with another village stood there.
        assert not before.landmark or after.landmark or before.unit not in (None, after.unit)
    if step.verb != "ed:photo":
        broken = {step.event.photo} if isinstance(step.event, PhotoReady) and step.event.problem else set()
        assert set(before.photos) - broken <= set(after.photos)
    if step.verb != "ed:mute":
        broken = {step.event.photo} if isinstance(step.event, PhotoReady) and step.event.problem else set()
        assert set(before.voices) - broken <= set(after.voices)
    if before.asked != "words":
        assert after.words.startswith(before.words.removesuffix("…"))
    if before.hours:
        assert after.hours
    if not step.verb.startswith("ed:"):
        assert before.skipped <= after.skipped


def keeps_a_draft_until_it_is_sent_or_let_go(step: Step) -> None:
    before, after = step.before.draft, step.after.draft
    were, are = {d.id for d in _drafts(step.before)}, {d.id for d in _drafts(step.after)}
    assert are - were <= {step.incoming.id}
    gone = were - are
    if before is None or not gone:
        # One that was hardly begun waits behind another that is whole, and is told so.
        behind = any(say.message == "resident/set_behind" for say, _ in step.said)
        same = before is None or (after is not None and after.id == before.id)
        assert same or (behind and before in step.after.later), "an open draft was pushed aside"
        return
    assert len(gone) == 1
    if step.verb == "merge":
        assert isinstance(step.event, Pressed)
        assert step.event.action == f"merge:{gone.pop()}"
        return
    assert gone == {before.id}
    given_up = step.verb == "cancel" or (isinstance(step.event, Words) and _cancels(step.event.text))
    ended = isinstance(step.event, DraftDue) and step.facts.now_ms >= before.touched_at + DRAFT_LIFE_MS
    # Nothing but photos: they go with the judgement of what was closed last.
    attached = any(isinstance(e, AttachPhotos) and e.photos == before.photos for e in step.decision.effects)
    judged = before.bare and attached
    assert given_up or ended or judged or step.verb == "add" or step.filed is not None
    # The one told after it comes up.
    assert (after.id if after is not None else None) == next((d.id for d in step.before.later), None)


def _cancels(text: str) -> bool:
    return WORLD.lexicon.command(clean(text).strip()) == "huy"


def files_only_what_is_whole_and_agreed(step: Step) -> None:
    filed, draft = step.filed, step.before.draft
    if filed is None:
        return
    assert not step.here.group
    assert draft is not None
    assert filed.draft == draft
    assert next_slot(draft, COMMUNE) == "summary"
    assert step.verb == "send" or (isinstance(step.event, Words) and draft.asked == "summary")
    agreed = any(
        isinstance(e, Consent) and e.version == COMMUNE.policy_version for e in step.decision.effects
    )
    assert agreed or step.facts.me.consent == COMMUNE.policy_version
    receipts = [say for say, _ in step.said if say.message == "resident/receipt"]
    assert [(say.to, say.fresh) for say in receipts] == [(step.here, True)]
    assert step.facts.now_ms < filed.ack_by
    assert step.facts.now_ms < filed.fix_by


def alerts_whoever_can_hear_of_a_new_report(step: Step) -> None:
    filed = step.filed
    if filed is None or filed.draft.category is None:
        return
    category = COMMUNE.categories[filed.draft.category]
    desk = COMMUNE.office if filed.draft.private else COMMUNE.desk_of(category, filed.draft.unit)
    # Whoever really hears of it deals with it: the office, where nobody is bound; never of its own officials.
    if desk != LEAD and not step.town.ears(desk) and step.town.ears(COMMUNE.office):
        desk = COMMUNE.office
    assert (filed.desk, filed.field) == (desk, category.field)
    ears = step.town.ears(desk)
    alerts = [say for say, _ in step.said if say.message == "duty/alert"]
    assert filed.alerted == bool(ears)
    assert sorted(say.to.key for say in alerts) == sorted(ear.key for ear in ears)
    assert all(say.fresh and say.lane == Lane.ALERT for say in alerts)
    if filed.draft.private:
        assert not any(say.to in step.town.village_ears for say, _ in step.said)


def keeps_order_matters_from_the_village(step: Step) -> None:
    """Neighbours know each other's angle and hand: a village hears category and place, nothing more."""
    if any(isinstance(e, Bind) for e in step.decision.effects):
        return  # the room is another unit's from now on
    for say, message in step.said:
        field, secrets, place = _told_about(step, say)
        if say.to in step.town.village_ears and field == "order":
            shown = SECRET.findall(message.text)
            assert not set(shown) & (secrets - place), say.message
            assert say.message != "duty/alert"
    for effect in step.decision.effects:
        if isinstance(effect, ShowPhotos) and effect.to in step.town.village_ears:
            report = step.known(effect.report)
            field = report.field if report is not None else step.filed.field if step.filed else ""
            assert field != "order"


def _told_about(step: Step, say: Say) -> tuple[str, set[str], set[str]]:
    """The field of the report a message is about, the marks of its words and hours, and of its place."""
    report = step.known(say.report)
    if say.fresh and step.filed is not None:
        draft = step.filed.draft
        return (
            step.filed.field,
            set(SECRET.findall(draft.words + draft.hours)),
            set(SECRET.findall(draft.landmark)),
        )
    if report is None:
        return str(say.data.get("field", "")), set(), set()
    typed = step.event.text if isinstance(step.event, Words | Edited) else ""
    secrets = SECRET.findall(f"{report.words} {report.hours} {typed}")
    return report.field, set(secrets), set(SECRET.findall(report.landmark))


def lets_only_the_office_and_the_police_listen(step: Step) -> None:
    """And of what is about officials, those who lead alone."""
    if any(isinstance(e, Bind | Join) for e in step.decision.effects):
        return  # the chat is another unit's from now on
    listening = {ear for u in (COMMUNE.office, COMMUNE.police) for ear in _everybody(step.town.desks[u])}
    for effect in step.decision.effects:
        if not isinstance(effect, ShowPhotos) or effect.purpose != VOICE:
            continue
        report = step.known(effect.report)
        desk = report.desk if report is not None else step.filed.desk if step.filed else ""
        assert effect.to in listening or (effect.to == step.here and step.facts.me.roles)
        assert effect.to not in step.town.village_ears or effect.to == step.here
        assert desk != "lead" or any(role.role == "lead" for role in step.facts.me.roles)
        assert (
            not effect.to.group
            or effect.to in step.town.desks[COMMUNE.office].rooms + step.town.desks[COMMUNE.police].rooms
        )


def asks_again_after_a_voice(step: Step) -> None:
    """It answers nothing: neither what it is nor where."""
    before, after = step.before.draft, step.after.draft
    if not isinstance(step.event, VoiceSent) or step.event.caption or after is None:
        return
    assert len(after.voices) <= VOICES_MAX
    if before is not None:
        assert (before.category, before.unit, before.landmark) == (
            after.category,
            after.unit,
            after.landmark,
        )
        assert before.words == after.words


def never_names_the_reporter_to_a_desk(step: Step) -> None:
    names = {*ACCOUNTS, OTHER_REPORTER}
    if step.incoming.name and not step.facts.me.roles:
        names.add(step.incoming.name)
    for say, message in step.said:
        if say.to in step.town.officers:
            shown = message.text + json.dumps([[b.label, b.action] for b in message.buttons])
            assert not [name for name in names if name in shown], say.message


def takes_no_reports_in_a_group(step: Step) -> None:
    if not step.here.group:
        return
    assert step.after.draft is None
    before_photos = [e for e in step.decision.effects if isinstance(e, KeepPhoto) and e.purpose == "before"]
    assert before_photos == []
    if isinstance(step.event, Pressed) and step.verb in ("take", "done", "out", "bind"):
        assert any(say.to == step.here for say, _ in step.said)


def lets_only_heads_and_the_office_manage_members(step: Step) -> None:
    """An invite or a removal is the doing of the unit's head or of the office, in private."""
    done = [e for e in step.decision.effects if isinstance(e, MakeInvite | Dismiss)]
    if not done:
        return
    assert len(done) == 1
    assert not step.here.group
    office = any(role.role == "office" for role in step.facts.me.of(COMMUNE.office))
    heads = any(role.role == "head" for role in step.facts.me.of(done[0].unit))
    assert office or heads
    if isinstance(done[0], MakeInvite):
        unit, role = COMMUNE.units[done[0].unit], done[0].role
        assert role == USUAL[unit.kind] or office
        assert role in (USUAL[unit.kind], "head") or (role == "lead" and unit.id == COMMUNE.office)
        assert [say.message for say, _ in step.said if say.fresh] == ["join/invited", "join/invitation"]
        assert all(say.to == step.here for say, _ in step.said if say.fresh)
    else:
        assert step.verb == "rmy"
        assert any((m.person, m.unit) == (done[0].person, done[0].unit) for m in step.facts.members)


def tells_for_another_only_as_a_member(step: Step) -> None:
    if step.filed is not None and step.filed.values["behalf"]:
        assert step.facts.me.roles
        assert step.filed.draft.behalf


RULES: tuple[Callable[[Step], None], ...] = (
    is_a_decision_that_survives_a_restart,
    answers_whoever_speaks,
    says_what_every_channel_can_show,
    keeps_only_clean_text,
    moves_reports_along_the_table,
    lets_only_those_change_a_report_who_may,
    never_asks_or_loses_what_was_given,
    keeps_a_draft_until_it_is_sent_or_let_go,
    files_only_what_is_whole_and_agreed,
    alerts_whoever_can_hear_of_a_new_report,
    keeps_order_matters_from_the_village,
    lets_only_the_office_and_the_police_listen,
    asks_again_after_a_voice,
    never_names_the_reporter_to_a_desk,
    takes_no_reports_in_a_group,
    lets_only_heads_and_the_office_manage_members,
    tells_for_another_only_as_a_member,
)
slow_is_fine = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@settings(slow_is_fine, max_examples=140)
@given(st.data())
def test_every_decision_keeps_the_rules(data: st.DataObject) -> None:
    for step in talks(data, 12):
        for rule in RULES:
            rule(step)


@settings(slow_is_fine, max_examples=100)
@given(st.data(), towns, st.sampled_from([None, "0", COMMUNE.policy_version]), st.booleans())
def test_sending_any_whole_draft_keeps_the_rules(
    data: st.DataObject, town: Town, consent: str | None, typed: bool
) -> None:
    """Every category, private or not, with whoever can hear."""
    category = data.draw(st.sampled_from(sorted(COMMUNE.categories)))
    told: dict[str, Any] = {"category": category, "unit": data.draw(st.sampled_from(VILLAGES))}
    draft = replace(data.draw(drafts(_now())), **told, asked="summary")
    draft = replace(draft, skipped=frozenset({"landmark", "photo", "hours"}))
    address, session = Address("paper", ACCOUNTS[0]), Session(draft=draft)
    event = Words("gửi") if typed else Pressed(f"send:{draft.id}")
    incoming = Incoming(1, START, address, ACCOUNTS[0], event)
    facts = data.draw(facts_for(incoming, session, town, consent, START))
    decision = decide(incoming, session, facts, WORLD)
    step = Step(incoming, session, facts, town, decision, _spoken(decision))
    assert step.filed is not None
    for rule in RULES:
        rule(step)


@pytest.mark.parametrize("role", [*_roles, "nobody"])
@pytest.mark.parametrize("deed", [*OUTCOMES, "take", "done", "good", "bad", "15/QĐ-XPHC", "ảnh"])
@settings(slow_is_fine, max_examples=8)
@given(data=st.data(), town=towns)
def test_dealing_with_any_report_keeps_the_rules(
    data: st.DataObject, town: Town, deed: str, role: str
) -> None:
    """Every status, every role or none, by a press, a number or a photo that was looked at."""
    report, me = data.draw(reports(CODES[0])), Me(f"paper:{ACCOUNTS[0]}")
    if role in _roles:
        me = replace(me, roles=(Role(report.desk, role, "Bác Tư"),))
    status = data.draw(st.sampled_from(["sent", "acknowledged", report.status]))
    report = clocked(replace(report, status=status))
    if data.draw(st.booleans()):
        report = replace(report, field="order", category="parking")
    if deed in ("good", "bad") and data.draw(st.booleans()):
        report = replace(report, person=me.person)
    photo: PhotoFact | None = None
    happened: Event = Pressed(f"out:{report.code}:{deed}" if deed in OUTCOMES else f"{deed}:{report.code}")
    if deed == "ảnh":
        photo = PhotoFact(7, "after", report.id)
        happened = PhotoReady(7, data.draw(st.sampled_from([None, None, "broken"])))
    elif deed[0].isdigit():
        happened = Words(deed)
    step = "number" if deed[0].isdigit() else "checking"
    owed = Closing(report.code, ACCOUNTS[0], step, "fined", _now())
    session = replace(data.draw(sessions(_now(), ACCOUNTS[:1], group=False)), closings=(owed,))
    incoming = Incoming(1, START, Address("paper", ACCOUNTS[0]), ACCOUNTS[0], happened)
    facts = Facts(START, me, report=report, photo=photo, desks=town.desks)
    decision = decide(incoming, session, facts, WORLD)
    for rule in RULES:
        rule(Step(incoming, session, facts, town, decision, _spoken(decision)))


@pytest.mark.parametrize("role", [*_roles, "nobody"])
@settings(slow_is_fine, max_examples=60)
@given(data=st.data(), town=towns)
def test_managing_members_keeps_the_rules(data: st.DataObject, town: Town, role: str) -> None:
    """Every role or none, by every press and word that invites, lists or removes."""
    unit = data.draw(st.sampled_from(["thon-05", "ubnd"]))
    me = Me(f"paper:{ACCOUNTS[0]}", None, (Role(unit, role, "Bác Tư"),) if role in _roles else ())
    words = ("mời", "moi thon 5", "mời trưởng thôn 5", "thành viên", "5", "uỷ ban xã", "thôi")
    event = data.draw(
        st.builds(Pressed, st.sampled_from(MANAGING)) | st.builds(Words, st.sampled_from(words))
    )
    session = data.draw(sessions(_now(), ACCOUNTS[:1], group=False))
    incoming = Incoming(1, START, Address("paper", ACCOUNTS[0]), ACCOUNTS[0], event)
    need = needs(incoming, session, WORLD)
    facts = Facts(START, me, desks=town.desks, members=data.draw(_members(need, me)))
    decision = decide(incoming, session, facts, WORLD)
    step = Step(incoming, session, facts, town, decision, _spoken(decision))
    for rule in RULES:
        rule(step)
    target(float(any(isinstance(e, MakeInvite | Dismiss) for e in decision.effects)))


# What a single rule cannot see -----------------------------------------------------------------------


def _one(data: st.DataObject, event: Event, session: Session, report: Report | None, me: Me) -> Decision:
    town = data.draw(towns)
    incoming = Incoming(1, START, Address("paper", ACCOUNTS[0]), ACCOUNTS[0], event)
    return decide(incoming, session, Facts(START, me, report=report, desks=town.desks), WORLD)


def _now() -> int:
    return int(START.timestamp() * 1000)


@settings(slow_is_fine, max_examples=40)
@given(st.data())
def test_keeping_a_draft_as_it_was_changes_nothing_in_it(data: st.DataObject) -> None:
    """ "Sửa", "Sửa lời", then "Thôi, giữ như cũ"."""
    draft = data.draw(drafts(_now()))
    session, me = Session(draft=draft), Me(f"paper:{ACCOUNTS[0]}")
    for action in (f"edit:{draft.id}", f"ed:{draft.id}:words", f"keep:{draft.id}"):
        session = _one(data, Pressed(action), session, None, me).session
    kept = session.draft
    assert kept is not None
    assert replace(kept, asked=draft.asked, touched_at=draft.touched_at, nudged=draft.nudged) == draft


@settings(slow_is_fine, max_examples=40)
@given(st.data(), st.booleans())
def test_the_word_after_not_yet_reopens_the_report(data: st.DataObject, photo: bool) -> None:
    """Whatever else the person is in the middle of."""
    me = Me(f"paper:{ACCOUNTS[0]}")
    found = replace(data.draw(reports(CODES[0], me.person)), status="resolved", closed_at=_now() - 60_000)
    texts = ["vẫn còn rác"] if found.field == "sanitation" else []
    text = data.draw(st.sampled_from([*texts, "chưa ai làm gì cả", "nguyên như cũ"]))
    session = replace(data.draw(sessions(_now(), ACCOUNTS[:1], group=False)), closings=())
    asked = _one(data, Pressed(f"bad:{found.code}"), session, found, me).session
    assert asked.complaint == found.code
    event = PhotoSent(FileRef("f1"), text) if photo else Words(text)
    incoming = Incoming(2, START, Address("paper", ACCOUNTS[0]), ACCOUNTS[0], event)
    assert needs(incoming, asked, WORLD).code == found.code
    decision = _one(data, event, asked, found, me)
    changes = [e for e in decision.effects if isinstance(e, Change)]
    assert [(e.action, e.note) for e in changes] == [("reopen", text)]
    assert decision.session.draft == session.draft
    assert decision.session.complaint is None


@settings(slow_is_fine, max_examples=40)
@given(st.data())
def test_the_number_of_a_decision_is_never_taken_for_something_else(data: st.DataObject) -> None:
    me = Me(f"paper:{ACCOUNTS[0]}", None, (Role("cong-an", "police", "Anh Dũng"),))
    found = replace(data.draw(reports(CODES[0])), field="order", category="parking", desk="cong-an")
    session = data.draw(sessions(_now(), ACCOUNTS[:1], group=False))
    session = replace(session, closings=(Closing(found.code, ACCOUNTS[0], "number", "fined", _now()),))
    event = Words("15/QĐ-XPHC")
    incoming = Incoming(1, START, Address("paper", ACCOUNTS[0]), ACCOUNTS[0], event)
    assert needs(incoming, session, WORLD).code == found.code
    decision = _one(data, event, session, found, me)
    changes = [e for e in decision.effects if isinstance(e, Change)]
    assert decision.session.draft == session.draft
    assert [(e.values["outcome"], e.note) for e in changes] == [("fined", event.text)] * found.is_open


@settings(slow_is_fine, max_examples=40)
@given(st.data(), st.sampled_from([10.0, 91.0, -91.0, float("nan"), float("inf"), float("-inf")]))
def test_a_point_that_is_none_is_refused_and_changes_nothing(data: st.DataObject, odd: float) -> None:
    session = data.draw(sessions(_now(), ACCOUNTS[:1], group=False))
    event = PlaceSent(*data.draw(st.sampled_from([(odd, 200.0), (odd, float("nan"))])))
    decision = _one(data, event, session, None, Me(f"paper:{ACCOUNTS[0]}"))
    assert decision.session == session
    assert [e.message for e in decision.effects if isinstance(e, Say)] == ["resident/bad_place"]
