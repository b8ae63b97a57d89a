"""The channel of the local chat: who sits at the page, what is understood, what is shown once."""

from pathlib import Path

import pytest

from bot.channels.base import Channel, Failed, FileTrouble, Malformed, Parsed, Refused, Sent
from bot.channels.webchat import MAX_TEXT, Webchat, envelope, seats_for
from bot.core.commune import Point, Unit
from bot.core.events import Address, Event, FileRef, PhotoSent, PlaceSent, Pressed, Words
from bot.core.message import Button, Message
from storage.database import Database
from storage.files import Files
from tests.webchat_page import NOON, UNITS, commune, files_in, picture, seated


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return files_in(tmp_path)


@pytest.fixture
def channel(sqlite_database: Database, tmp_path: Path) -> Webchat:
    return seated(sqlite_database, tmp_path)


def channel_of(webchat: Webchat) -> Channel:
    """That it is one, for the type checker."""
    return webchat


# Who sits at the page ------------------------------------------------------------------------------


def test_five_people_sit_at_the_page() -> None:
    seats = seats_for(commune(*UNITS))
    assert [(seat.id, seat.account, seat.kind, seat.group, seat.unit, seat.role) for seat in seats] == [
        ("dan-1", "dan-1", "resident", False, None, None),
        ("dan-2", "dan-2", "resident", False, None, None),
        ("phong-thon-03", "gs-thon-03", "room", True, "thon-03", "monitor"),
        ("cong-an-1", "cong-an-1", "member", False, "cong-an", "police"),
        ("ubnd-1", "ubnd-1", "member", False, "ubnd", "office"),
    ]
    assert seats[2].role_line == "Nhóm giám sát Thôn 3"


def test_another_commune_gets_the_people_it_has() -> None:
    village = Unit("lang-a", "village", "Làng A", centre=Point(10.0, 106.0))
    assert [seat.id for seat in seats_for(commune(UNITS[0], village))] == ["dan-1", "dan-2", "phong-lang-a"]


# The channel's table -------------------------------------------------------------------------------


PHOTO = {"file": "webchat/in/dan-1/k", "size": 5, "caption": "rac", "album": None, "reply": None}
UNDERSTOOD: list[tuple[str, dict[str, object], Event]] = [
    ("say", {"text": "rac o cong cho"}, Words("rac o cong cho")),
    ("say", {"text": "<b>&\u202e"}, Words("<b>&\u202e")),
    ("press", {"action": "send:7", "of": 3}, Pressed("send:7")),
    ("press", {"action": "a" * 64}, Pressed("a" * 64)),
    ("place", {"lat": 20.9, "lon": 106}, PlaceSent(20.9, 106.0)),
    ("place", {"lat": 220.9, "lon": -1e6}, PlaceSent(220.9, -1e6)),
    ("photo", PHOTO, PhotoSent(FileRef("webchat/in/dan-1/k", 5, as_file=True), "rac")),
    (
        "photo",
        {**PHOTO, "album": "album-0001", "caption": ""},
        PhotoSent(FileRef("webchat/in/dan-1/k", 5, as_file=True), "", "album-0001"),
    ),
]


@pytest.mark.parametrize(("kind", "fields", "event"), UNDERSTOOD)
def test_what_is_understood(channel: Webchat, kind: str, fields: dict[str, object], event: Event) -> None:
    received = channel.receive(envelope("dan-1", kind, "key-0001", **fields))
    assert (received.event, received.chat) == ("dan-1:key-0001", "dan-1")
    assert channel.parse(received.raw) == Parsed(Address("webchat", "dan-1"), "dan-1", event, "Bà Lan")


def test_the_room_is_a_group_with_a_speaker(channel: Webchat) -> None:
    received = channel.receive(envelope("phong-thon-03", "say", "key-0001", text="nhận", reply=12))
    assert channel.parse(received.raw) == Parsed(
        Address("webchat", "phong-thon-03", group=True), "gs-thon-03", Words("nhận"), "Bác Tư", replied="12"
    )


MALFORMED = [
    b"",
    b"\xff\xfe",
    '{"key": "key-0001"}'.encode("utf-16"),
    b"[" * 100_000,
    b'"words"',
    b"[]",
    b"9" * 5_000,
    b'{"key": "key-0001", "seat": "dan-1", "kind": "say", "fields": []}',
    b'{"key": "key-0001", "seat": "dan-1", "kind": "say"}',
    b'{"key": "key-0001", "seat": "dan-1", "kind": "place", "fields": {"lat": NaN, "lon": 1}}',
    b'{"key": "key-0001", "seat": "dan-1", "kind": "place", "fields": {"lat": 1'
    + b"0" * 400
    + b', "lon": 1}}',
    envelope("nobody", "say", "key-0001", text="x"),
    envelope("dan-1", "shout", "key-0001", text="x"),
    envelope("dan-1", "say", "short", text="x"),
    envelope("dan-1", "say", "KEY/../0001", text="x"),
    envelope("dan-1", "say", "key-0001", text=""),
    envelope("dan-1", "say", "key-0001", text=7),
    envelope("dan-1", "say", "key-0001", text="a\0b"),
    envelope("dan-1", "say", "key-0001", text="\ud800"),
    envelope("dan-1", "say", "key-0001", text="x" * (MAX_TEXT + 1)),
    envelope("dan-1", "say", "key-0001", text="x", reply="1"),
    envelope("dan-1", "say", "key-0001", text="x", reply=-1),
    envelope("dan-1", "say", "key-0001", text="x", reply=2**63),
    envelope("dan-1", "press", "key-0001", action="ộ" * 22),
    envelope("dan-1", "press", "key-0001", action=""),
    envelope("dan-1", "press", "key-0001", action="x", of=True),
    envelope("dan-1", "place", "key-0001", lat="20", lon=106),
    envelope("dan-1", "place", "key-0001", lat=True, lon=106),
    envelope("dan-1", "photo", "key-0001", **{**PHOTO, "file": "webchat/out/1.jpg"}),
    envelope("dan-1", "photo", "key-0001", **{**PHOTO, "size": -1}),
    envelope("dan-1", "photo", "key-0001", **{**PHOTO, "album": "../x"}),
    envelope("dan-1", "photo", "key-0001", **{**PHOTO, "album": 3}),
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_not_ours_is_malformed(channel: Webchat, body: bytes) -> None:
    with pytest.raises(Malformed):
        channel.receive(body)


# Sending -------------------------------------------------------------------------------------------


async def test_sent_twice_is_shown_once(channel: Webchat, files: Files) -> None:
    to = Address("webchat", "dan-1")
    message = Message("Chỗ đó ở đâu ạ?", (Button("Chọn thôn", "place"),), place_wanted=True)
    first = await channel.send(to, message, picture("JPEG"), 41)
    again = await channel.send(to, message, picture("JPEG"), 41)
    shown = await channel.since(0, 10)
    assert first == again == Sent(str(shown[0].id))
    assert len(shown) == 1
    assert (shown[0].key, shown[0].photo, shown[0].at) == ("bot:41", "webchat/out/41.jpg", NOON)
    assert await files.get("webchat/out/41.jpg") == picture("JPEG")


async def test_nobody_sits_there(channel: Webchat) -> None:
    sent = await channel.send(Address("webchat", "khac"), Message("x"), None, 1)
    assert sent == Refused("gone", "no such seat")


async def test_what_failed_may_be_tried_again(channel: Webchat, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(self: Files, key: str, data: bytes) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(Files, "put", full)
        sent = await channel.send(Address("webchat", "dan-1"), Message("x"), b"jpeg", 1)
    assert sent == Failed("OSError", delivered_maybe=False)
    assert await channel.since(0, 10) == []


async def test_downloads_only_what_people_sent(channel: Webchat, files: Files) -> None:
    await files.put("webchat/in/dan-1/key-0001", b"12345")
    await files.put("secret", b"12345")
    assert await channel.download(FileRef("webchat/in/dan-1/key-0001"), 5) == b"12345"
    for file, limit, problem in (
        ("webchat/in/dan-1/key-0001", 4, "too_big"),
        ("webchat/in/dan-1/key-0002", 5, "missing"),
        ("webchat/in/../../secret", 5, "missing"),
        ("secret", 5, "missing"),
    ):
        with pytest.raises(FileTrouble, match=problem) as trouble:
            await channel.download(FileRef(file), limit)
        assert trouble.value.final
