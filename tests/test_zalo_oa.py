"""What a Zalo Official Account is sent: words, choices, pictures, rooms, approved texts, voices."""

import asyncio
import json
import unicodedata
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.standin_zalo.shapes import units
from bot.channels.base import Channel, Outcome, Refused, Sent
from bot.channels.zalo_oa import BUTTONS_MOST, KINDS, TITLE_LONGEST, ZaloOa
from bot.channels.zalo_oa_pictures import IMAGE_LARGEST
from bot.core.events import Address
from bot.core.message import Button, Message
from bot.core.window import Way
from bot.rows import as_json
from bot.rows import parts as split_rows
from storage import outbox, tables
from storage.database import Database
from storage.tables import OutboxState
from tests.zalo_calls import JPEG
from tests.zalo_stage import IN, LAN, MINH, PLACE, TO, VOICE, OaStage, opened

CODE = "AP-26-00001"
ALERT = (
    Button("Nhận xử lý", f"take:{CODE}"),
    Button("Đã xử lý", f"done:{CODE}"),
    Button("Hẹn ngày", f"later:{CODE}"),
)
YES_NO = (Button("Gửi phản ánh", "send:7"), Button("Sửa", "edit:7"))


@pytest_asyncio.fixture
async def oa(sqlite_database: Database) -> AsyncIterator[OaStage]:
    async with opened(sqlite_database) as stage:
        yield stage


def test_is_a_channel(oa: OaStage) -> None:
    made: Channel = oa.channel
    assert (made.name, oa.channel.forged, oa.channel.tried) == ("zalo_oa", 401, True)


def test_without_the_key_of_the_webhook_nobody_is_believed(oa: OaStage) -> None:
    with pytest.raises(ValueError, match="secret key"):
        oa.another(secret_key="")


# --- words


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("Xin chào", "Xin chào"),
        (unicodedata.normalize("NFD", "Đã nhận ở ngõ Mỗ"), "Đã nhận ở ngõ Mỗ"),
        ("Rác [@8101000000000000002] ở cổng", "Rác  ở cổng"),
        ("[@all]Rác", "Rác"),
        ("a [[@x]@7770001] b", "a  b"),
        ("a [@[@x]] b", "a ] b"),
        ("[ảnh] 1 [2]", "[ảnh] 1 [2]"),
        ("<b>Rác & 😀", "<b>Rác & 😀"),
    ],
)
@pytest.mark.parametrize("to", [TO, IN], ids=["person", "room"])
async def test_words(oa: OaStage, said: str, seen: str, to: Address) -> None:
    outcome = await oa.send(said, to)
    assert oa.last.text == seen
    assert outcome == Sent(oa.last.message_id)


async def test_choices_are_in_the_words_and_below_them(oa: OaStage) -> None:
    await oa.send("Gửi chứ?", buttons=YES_NO)
    assert oa.last.text == "Gửi chứ?\n1. Gửi phản ánh\n2. Sửa"
    assert [(b["title"], b["type"], b["payload"]) for b in oa.last.buttons] == [
        ("Gửi phản ánh", "oa.query.hide", "#apx:send:7"),
        ("Sửa", "oa.query.hide", "#apx:edit:7"),
    ]


async def test_an_alert_is_answered_with_its_code(oa: OaStage) -> None:
    """Never with a number, which could take the wrong one of two."""
    await oa.send(f"🔔 {CODE}: rác", buttons=ALERT, numbered=False)
    expected = f"🔔 {CODE}: rác\nNhắn lời kèm mã, ví dụ: Nhận xử lý {CODE} (hay: Đã xử lý / Hẹn ngày)."
    assert oa.last.text == expected
    assert oa.last.actions == [f"#apx:take:{CODE}", f"#apx:done:{CODE}", f"#apx:later:{CODE}"]


async def test_more_choices_than_buttons_are_all_in_the_words(oa: OaStage) -> None:
    many = tuple(Button(f"Thôn {n}", f"u:7:thon-{n:02d}") for n in range(1, 9))
    await oa.send("Thôn nào?", buttons=many, place_wanted=True)
    assert len(oa.last.buttons) == BUTTONS_MOST
    assert "8. Thôn 8" in oa.last.text


@pytest.mark.parametrize(
    "label",
    [
        "Ổ gà, mặt đường hư hỏng nặng",
        "✅ Đồng ý gửi phản ánh này",
        "😀" * 12,
        unicodedata.normalize("NFD", "ỗ" * 20),
    ],
)
async def test_a_title_is_cut_to_what_all_sources_allow(oa: OaStage, label: str) -> None:
    assert isinstance(await oa.send("Chọn:", buttons=(Button(label, "x:1"),)), Sent)
    assert units(oa.last.buttons[0]["title"]) <= TITLE_LONGEST
    assert unicodedata.normalize("NFC", label).startswith(oa.last.buttons[0]["title"])
    assert unicodedata.normalize("NFC", label) in oa.last.text


async def test_the_map_is_a_button_of_its_own(oa: OaStage) -> None:
    await oa.send("Ở đâu?", place_wanted=True)
    assert [(b["title"], b["type"], b["payload"]) for b in oa.last.buttons] == [
        ("Mở bản đồ", "oa.open.url", {"url": PLACE})
    ]
    await oa.send("Ở đâu?", place_wanted=True, buttons=YES_NO)
    assert [b["type"] for b in oa.last.buttons] == ["oa.query.hide", "oa.query.hide", "oa.open.url"]


LONG: Mapping[str, str] = {
    "words": "Rác đổ trộm ở cổng chợ. " * 200,
    "lines": "Rác đổ trộm ở cổng chợ\n" * 200,
    "paragraphs": ("Rác đổ trộm ở cổng chợ. " * 30 + "\n\n") * 8,
    "one word": "ộ" * 4100,
    "decomposed": unicodedata.normalize("NFD", "ộ" * 4100),
    "pictures": "😀" * 2100,
    "mixed": "😀 rác ộ " * 500,
}


@pytest.mark.parametrize("name", LONG)
async def test_a_long_text_becomes_several_and_the_last_has_the_choices(oa: OaStage, name: str) -> None:
    buttons = tuple(Button(f"Lựa chọn thứ {n} dài bằng ngần này chữ", f"{n}:{CODE}") for n in range(5))
    row: dict[str, Any] = {"text": LONG[name], "buttons": as_json(buttons), "key": "k", "wants_place": True}
    parts = split_rows(row, oa.channel.abilities)
    assert len(parts) > 1
    assert [part["buttons"] for part in parts[:-1]] == ["[]"] * (len(parts) - 1)
    assert len({part["key"] for part in parts}) == len(parts)
    for part in parts:
        shown = tuple(Button(*each) for each in json.loads(part["buttons"]))
        outcome = await oa.send(part["text"], buttons=shown, place_wanted=part["wants_place"])
        assert isinstance(outcome, Sent)
        assert units(oa.last.text) <= 2000
    assert len(oa.zalo.sent) == len(parts)
    assert oa.zalo.errors == {}
    whole = "".join(part["text"] for part in parts)
    wanted = unicodedata.normalize("NFC", LONG[name])
    assert "".join(whole.split()) == "".join(wanted.split())


# --- buttons that are not taken


@pytest.mark.parametrize("code", [-201, -233, -224])
async def test_refused_buttons_fall_back_to_words_and_that_is_remembered(oa: OaStage, code: int) -> None:
    oa.fault(path="/message/cs", error=code, count=1)
    assert isinstance(await oa.send("Gửi chứ?", buttons=YES_NO), Sent)
    assert (oa.last.kind, oa.last.text) == ("text", "Gửi chứ?\n1. Gửi phản ánh\n2. Sửa")
    assert oa.calls("/message/cs") == 2
    assert isinstance(await oa.send("Gửi chứ?", buttons=YES_NO), Sent)
    assert (oa.last.kind, oa.calls("/message/cs")) == ("text", 3)


async def test_where_buttons_are_refused_the_map_is_a_link(oa: OaStage) -> None:
    oa.fault(path="/message/cs", error=-201, count=1)
    await oa.send("Chỗ đó ở đâu ạ?", place_wanted=True)
    assert oa.last.kind == "text"
    first, link = oa.last.text.splitlines()
    assert first == "Chỗ đó ở đâu ạ?"
    assert link == f"Hoặc chỉ chỗ trên bản đồ, bấm vào đây: {PLACE}"


@pytest.mark.parametrize("code", [-201, -233])
async def test_one_persons_trouble_takes_nobodys_buttons(oa: OaStage, code: int) -> None:
    oa.fault(path="/message/cs", error=code, to=MINH)
    to = Address("zalo_oa", MINH)
    assert await oa.send("Gửi chứ?", to, buttons=YES_NO) == Refused("rejected", str(code))
    await oa.send("Gửi chứ?", buttons=YES_NO)
    assert oa.last.kind == "buttons"


async def test_a_package_with_words_only(oa: OaStage) -> None:
    oa.zalo.oa.tier = "text"
    assert isinstance(await oa.send("Gửi chứ?", buttons=YES_NO), Sent)
    assert await picture(oa) == Refused("rejected", "-224")


@pytest.mark.parametrize(("why", "said"), [("-321", "approved texts refused (-321)"), ("-230", "")])
async def test_money_that_is_missing_for_approved_texts_is_seen(oa: OaStage, why: str, said: str) -> None:
    """What is free still goes, so nothing is held back and nobody would notice."""
    row = {"lane": 2, "channel": "zalo_oa", "chat": LAN, "message": "resident/resolved", "text": "x"}
    row |= {"made_at": oa.clock.ms(), "due_at": oa.clock.ms()}

    async def unreached(conn: AsyncConnection) -> None:
        await outbox.promise(conn, [row])
        state = {"state": OutboxState.UNREACHABLE, "problem": f"window: {why}"}
        await conn.execute(sa.update(tables.outbox).values(**state))

    await oa.db.write(unreached)
    assert await oa.channel.trouble() == said
    oa.clock.move(timedelta(hours=2))
    assert await oa.channel.trouble() == ""


# --- pictures


async def picture(oa: OaStage, to: str = LAN, data: bytes = JPEG, text: str = "Chợ", key: int = 1) -> Outcome:
    message = Message(text, photo="2026/a.jpg", name="duty/photo")
    return await oa.channel.send(Address("zalo_oa", to), message, data, key)


async def test_a_picture_is_uploaded_once_for_many(oa: OaStage) -> None:
    readers = [LAN, MINH] * 5
    outcomes = await asyncio.gather(*(picture(oa, who, key=n) for n, who in enumerate(readers)))
    assert all(isinstance(one, Sent) for one in outcomes)
    assert oa.calls("/upload/image") == 1
    assert {(sent.kind, sent.text) for sent in oa.zalo.sent} == {("image", "Chợ")}
    # Another process, the next day: it is kept with the rest.
    again = oa.another()
    message = Message("", photo="2026/a.jpg")
    assert isinstance(await again.send(TO, message, JPEG, 1), Sent)
    await again.stop()
    assert oa.calls("/upload/image") == 1
    assert oa.last.text == ""


async def test_an_expired_picture_is_uploaded_again_once(oa: OaStage) -> None:
    await picture(oa)
    oa.zalo.assets.clear()
    oa.fault(path="/message/cs", error=-100, count=2)
    both = await asyncio.gather(picture(oa, LAN, key=1), picture(oa, MINH, key=2))
    assert all(isinstance(one, Sent) for one in both)
    assert oa.calls("/upload/image") == 2
    # Twice in a row is no accident.
    oa.fault(path="/message/cs", error=-100)
    assert await picture(oa) == Refused("rejected", "-100")
    assert oa.calls("/upload/image") == 3


async def test_what_is_too_large_is_not_even_asked_for(oa: OaStage) -> None:
    assert isinstance(await picture(oa, data=JPEG.ljust(IMAGE_LARGEST, b"\0")), Sent)
    refused = await picture(oa, data=JPEG.ljust(IMAGE_LARGEST + 1, b"\0"))
    assert refused == Refused("rejected", "the picture is too large for Zalo")
    assert oa.calls("/upload/image") == 1


async def test_a_voice_is_a_link(oa: OaStage) -> None:
    message = Message("Ghi âm:", photo="2026/a.ogg")
    assert isinstance(await oa.channel.send(TO, message, b"OggS", 1), Sent)
    assert oa.last.text == f"Ghi âm:\nNghe ở đây, trong 7 ngày: {VOICE}2026/a.ogg"
    assert oa.calls("/upload/image") == 0


# --- rooms


async def test_a_room_reads_words_only(oa: OaStage) -> None:
    """Nothing but words is taken there, and a bare number is said by people to each other."""
    assert isinstance(await oa.send(f"🔔 {CODE}", IN, buttons=ALERT, place_wanted=True), Sent)
    assert (oa.last.method, oa.last.kind, oa.last.to) == ("group", "text", IN.chat)
    assert oa.last.text == (
        f"🔔 {CODE}\nNhắn lời kèm mã, ví dụ: Nhận xử lý {CODE} (hay: Đã xử lý / Hẹn ngày)."
    )
    assert not oa.channel.abilities.rooms_act


# --- approved texts


def templated(oa: OaStage) -> ZaloOa:
    return oa.another(templates={"received": "T1", "alert": "T1"})


async def test_an_approved_text_has_two_gaps(oa: OaStage) -> None:
    zalo = templated(oa)
    message = Message(
        f"Đã nhận {CODE}.\n\nCảm ơn bà con.",
        YES_NO,
        name="resident/receipt",
        way=Way.TEMPLATE,
        place_wanted=True,
    )
    assert isinstance(await zalo.send(TO, message, None, 1), Sent)
    await zalo.stop()
    assert (oa.last.method, oa.last.about, oa.last.billed) == ("template", "T1", True)
    assert oa.last.data == {"ma": CODE, "noi_dung": f"Đã nhận {CODE}. Cảm ơn bà con."}


@pytest.mark.parametrize("text", ["ộ" * 200, unicodedata.normalize("NFD", "Rác " * 60)])
async def test_what_is_too_long_for_its_gap_is_cut(oa: OaStage, text: str) -> None:
    zalo = templated(oa)
    message = Message(f"{CODE} {text}", name="duty/alert", way=Way.TEMPLATE)
    assert isinstance(await zalo.send(TO, message, None, 1), Sent)
    await zalo.stop()
    note = oa.last.data["noi_dung"]
    assert len(note) <= 100
    assert note.endswith("…")
    assert unicodedata.is_normalized("NFC", note)


def test_only_what_has_an_approved_text_goes_when_the_window_is_closed(oa: OaStage) -> None:
    window = templated(oa).abilities.window
    assert window is not None
    ready = {name for name, kind in KINDS.items() if kind in ("received", "alert")}
    assert window.templates == ready
    assert oa.channel.abilities.window is not None
    assert oa.channel.abilities.window.templates == frozenset()
