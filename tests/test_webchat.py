"""The local chat without a browser: what is stored once, what is refused, what is told live."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, FormData, web
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.channels.base import Channel, Failed, FileTrouble, Malformed, Parsed, Received, Refused, Sent
from bot.channels.webchat import MAX_TEXT, Webchat, envelope, seats_for
from bot.chatpage import add_routes
from bot.chatpage.routes import MAX_PHOTO, SENTENCES
from bot.core.commune import Commune, Point, Unit
from bot.core.events import Address, Event, FileRef, PhotoSent, PlaceSent, Pressed, VoiceSent, Words
from bot.core.message import Button, Message
from storage import bubbles
from storage.database import Database
from storage.files import Files
from tests.paper import spoken_ogg

NOON = 1_780_000_000_000
SQUARE = (Point(20.9, 106.4), Point(20.9, 106.41), Point(20.89, 106.41), Point(20.89, 106.4))
UNITS = (
    Unit("thon-01", "village", "Thôn 1", number=1),
    Unit("thon-03", "village", "Thôn 3", number=3, centre=Point(20.895, 106.405), polygon=SQUARE),
    Unit("cong-an", "police", "Công an xã"),
    Unit("ubnd", "office", "Văn phòng UBND"),
)


def commune(*units: Unit) -> Commune:
    return Commune(
        name="An Phú",
        prefix="AP",
        office="ubnd",
        police="cong-an",
        phones={},
        units={unit.id: unit for unit in units},
        categories={},
        fields={},
    )


def picture(kind: str) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (8, 6), "#7a9").save(held, kind)
    return held.getvalue()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(str(tmp_path / "files"))


@pytest.fixture
def channel(sqlite_database: Database, files: Files) -> Webchat:
    return Webchat(sqlite_database, files, seats_for(commune(*UNITS)), lambda: NOON)


def channel_of(webchat: Webchat) -> Channel:
    """That it is one, for the type checker."""
    return webchat


# ── Who sits at the page ─────────────────────────────────────────────────────


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


# ── The channel's table ──────────────────────────────────────────────────────

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


# ── Sending ──────────────────────────────────────────────────────────────────


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


# ── Bubbles, on both databases ───────────────────────────────────────────────


async def add(db: Database, seat: str, key: str) -> int | None:
    async def work(conn: AsyncConnection) -> int | None:
        return await bubbles.add(conn, seat=seat, mine=True, author="", text=key, key=key, at=NOON)

    return await db.write(work)


async def test_a_key_is_kept_once(database: Database) -> None:
    ids = await asyncio.gather(*(add(database, "dan-1", "same") for _ in range(8)))
    assert ids.count(None) == 7
    async with database.read() as conn:
        assert len(await bubbles.since(conn, 0, 10)) == 1


async def test_bubbles_by_order_and_by_seat(database: Database) -> None:
    for number in range(1, 5):
        await add(database, "dan-1", f"a{number}")
        await add(database, "dan-2", f"b{number}")
    async with database.read() as conn:
        everything = await bubbles.since(conn, 0, 100)
        assert [bubble.text for bubble in everything] == ["a1", "b1", "a2", "b2", "a3", "b3", "a4", "b4"]
        assert await bubbles.since(conn, everything[2].id, 2) == everything[3:5]
        assert await bubbles.last(conn, 1) == everything[-2:]
        assert await bubbles.before(conn, "dan-1", everything[6].id, 2) == [everything[2], everything[4]]
        assert await bubbles.by_key(conn, "b2") == await bubbles.one(conn, everything[3].id) == everything[3]
        assert await bubbles.one(conn, 10_000) is None


# ── The routes ───────────────────────────────────────────────────────────────

Client = TestClient[web.Request, web.Application]


@dataclass
class Door:
    """The routes, and what went through them."""

    client: Client
    channel: Webchat
    taken: list[Received] = field(default_factory=list)

    async def say(self, text: str, key: str = "key-0001", **more: Any) -> ClientResponse:
        return await self.client.post("/chat/dan-1/say", json={"key": key, "text": text}, **more)

    async def shown(self, query: str = "") -> list[dict[str, Any]]:
        answered = await (await self.client.get(f"/chat/bubbles{query}")).json()
        return list(answered["bubbles"])


async def opened(channel: Webchat, *, any_host: bool) -> Door:
    app = web.Application()
    taken: list[Received] = []

    async def take(received: Received) -> None:
        assert await channel.since(0, 1), "shown before it is taken"
        taken.append(received)

    add_routes(app, channel=channel, take=take, commune=commune(*UNITS), any_host=any_host)
    client = TestClient(TestServer(app))
    await client.start_server()
    return Door(client, channel, taken)


@pytest.fixture
async def door(channel: Webchat) -> AsyncIterator[Door]:
    door = await opened(channel, any_host=False)
    yield door
    await door.client.close()


def form(key: str, data: bytes, *, kind: str = "image/jpeg", **fields: str) -> FormData:
    filled = FormData(default_to_multipart=True)
    for name, value in {"key": key, **fields}.items():
        filled.add_field(name, value)
    filled.add_field("photo", io.BytesIO(data), filename="photo", content_type=kind)
    return filled


async def test_a_double_tap_is_one_event(door: Door) -> None:
    answers = await asyncio.gather(*(door.say("rac") for _ in range(3)))
    assert len({(await answer.json())["id"] for answer in answers}) == 1
    assert {(taken.event, taken.chat) for taken in door.taken} == {("dan-1:key-0001", "dan-1")}
    shown = await door.shown()
    assert [(bubble["text"], bubble["mine"], bubble["key"]) for bubble in shown] == [
        ("rac", True, "key-0001")
    ]


async def test_a_lost_answer_is_made_good_by_sending_again(door: Door) -> None:
    await door.channel.show(door.channel.receive(envelope("dan-1", "say", "key-0001", text="rac")))
    assert (await door.say("rac")).status == 200
    assert len(door.taken) == len(await door.shown()) == 1


async def test_words_stay_words(door: Door) -> None:
    assert (await door.say("<script>\0\ud800x</script>")).status == 200
    assert [bubble["text"] for bubble in await door.shown()] == ["<script>?x</script>"]
    parsed = door.channel.parse(door.taken[0].raw)
    assert parsed is not None
    assert parsed.event == Words("<script>?x</script>")


async def test_long_words_go_on_and_endless_ones_do_not(door: Door) -> None:
    assert (await door.say("ộ" * MAX_TEXT)).status == 200
    for length in (MAX_TEXT + 1, 3_000_000):
        body = io.BytesIO(json.dumps({"key": "key-0002", "text": "x" * length}).encode())
        kind = {"Content-Type": "application/json"}
        refused = await door.client.post("/chat/dan-1/say", data=body, headers=kind)
        assert (refused.status, (await refused.json())["sentence"]) == (413, SENTENCES["too_long"])
    assert len(door.taken) == 1


async def test_a_press_shows_its_label(door: Door) -> None:
    await door.channel.send(
        Address("webchat", "dan-1"), Message("Gửi nhé?", (Button("Gửi phản ánh", "send"),)), None, 5
    )
    [question] = await door.shown()
    assert question["buttons"] == [{"label": "Gửi phản ánh", "action": "send"}]
    pressed = {"key": "key-0001", "action": "send", "of": question["id"]}
    assert (await door.client.post("/chat/dan-1/press", json=pressed)).status == 200
    [_, mine] = await door.shown()
    assert (mine["text"], mine["pressed"]) == ("Gửi phản ánh", {"of": question["id"], "action": "send"})


BAD_POSTS: list[tuple[str, str, str, int]] = [
    ("/chat/nobody/say", "application/json", '{"key": "key-0001", "text": "x"}', 404),
    ("/chat/dan-1/say", "text/plain", '{"key": "key-0001", "text": "x"}', 415),
    ("/chat/dan-1/say", "application/json", "{", 400),
    ("/chat/dan-1/say", "application/json", "[" * 100_000, 400),
    ("/chat/dan-1/say", "application/json", "[]", 400),
    ("/chat/dan-1/say", "application/json", '{"text": "x"}', 400),
    ("/chat/dan-1/say", "application/json", '{"key": "key-0001", "text": "  "}', 400),
    ("/chat/dan-1/press", "application/json", '{"key": "key-0001"}', 400),
    ("/chat/dan-1/press", "application/json", json.dumps({"key": "key-0001", "action": "x" * 65}), 400),
    ("/chat/dan-1/place", "application/json", '{"key": "key-0001", "lat": "a", "lon": 1}', 400),
    ("/chat/dan-1/photo", "application/json", "{}", 415),
    ("/chat/dan-1/photo", "multipart/form-data", "x", 400),
    ("/chat/dan-1/photo", "multipart/form-data; boundary=b", "x", 400),
    ("/chat/dan-1/photo", "multipart/form-data; boundary=b", "--b\r\n\r\nx\r\n--b--\r\n", 400),
]


@pytest.mark.parametrize(("path", "kind", "body", "status"), BAD_POSTS, ids=range(len(BAD_POSTS)))
async def test_bad_posts_change_nothing(door: Door, path: str, kind: str, body: str, status: int) -> None:
    answered = await door.client.post(path, data=body.encode(), headers={"Content-Type": kind})
    assert answered.status == status
    assert (await answered.json())["sentence"]
    assert door.taken == []
    assert await door.shown() == []


# ── Photos ───────────────────────────────────────────────────────────────────


async def test_a_photo_comes_in_whole_and_goes_out_safely(door: Door) -> None:
    data = picture("JPEG")
    sent = form("key-0001", data, caption="bãi rác", album="album-0001")
    assert (await door.client.post("/chat/dan-1/photo", data=sent)).status == 200
    parsed = door.channel.parse(door.taken[0].raw)
    assert parsed is not None
    assert isinstance(parsed.event, PhotoSent)
    assert (parsed.event.caption, parsed.event.album) == ("bãi rác", "album-0001")
    assert (parsed.event.file.as_file, parsed.event.file.size) == (True, len(data))
    assert await door.channel.download(parsed.event.file, MAX_PHOTO) == data
    [bubble] = await door.shown()
    shown = await door.client.get(f"/chat/photo/{bubble['id']}")
    assert await shown.read() == data
    assert shown.content_type == "image/jpeg"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Content-Disposition"].startswith("attachment")


async def test_the_first_copy_of_a_photo_stays(door: Door) -> None:
    for data in (picture("JPEG"), picture("PNG")):
        assert (await door.client.post("/chat/dan-1/photo", data=form("key-0001", data))).status == 200
    [bubble] = await door.shown()
    assert (await door.client.get(f"/chat/photo/{bubble['id']}")).content_type == "image/jpeg"


async def test_a_drawn_picture_goes_out_as_what_it_is(door: Door) -> None:
    await door.channel.send(Address("webchat", "dan-2"), Message("x"), picture("PNG"), 7)
    [bubble] = await door.shown()
    shown = await door.client.get(f"/chat/photo/{bubble['id']}")
    assert (shown.content_type, await shown.read()) == ("image/png", picture("PNG"))
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
async def test_other_pictures_are_shown_to_their_owner_only(door: Door, kind: str) -> None:
    await door.client.post("/chat/dan-1/photo", data=form("key-0001", picture(kind)))
    await door.channel.send(Address("webchat", "dan-2"), Message("x"), picture(kind), 7)
    mine, bots = await door.shown()
    assert (await door.client.get(f"/chat/photo/{mine['id']}")).content_type == f"image/{kind.lower()}"
    assert (await door.client.get(f"/chat/photo/{bots['id']}")).content_type == "image/svg+xml"


@pytest.mark.parametrize(
    "data", [b"<html><script>alert(1)</script>", b"<svg onload='alert(1)'/>", b"\0\0\0\x18ftypheic"]
)
async def test_what_is_no_picture_is_kept_but_never_shown(door: Door, data: bytes) -> None:
    assert (await door.client.post("/chat/dan-1/photo", data=form("key-0001", data))).status == 200
    [bubble] = await door.shown()
    shown = await door.client.get(f"/chat/photo/{bubble['id']}")
    assert data not in await shown.read()
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]


async def test_a_photo_too_big_is_refused_with_a_sentence(door: Door) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="photo"; filename="p"\r\n\r\n'
        for _ in range(MAX_PHOTO // 65_536 + 2):
            yield bytes(65_536)

    known = form("key-0001", bytes(MAX_PHOTO + 2_000_000))
    unknown = {"Content-Type": "multipart/form-data; boundary=b"}
    for answered in (
        await door.client.post("/chat/dan-1/photo", data=known),
        await door.client.post("/chat/dan-1/photo", data=endless(), headers=unknown),
    ):
        assert answered.status == 413
        assert (await answered.json())["sentence"] == SENTENCES["too_big"]
    assert (
        await door.client.post("/chat/dan-1/photo", data=form("key-0001", bytes(MAX_PHOTO)))
    ).status == 200


async def test_a_photo_that_was_erased_leaves_a_placeholder(door: Door, files: Files) -> None:
    await door.client.post("/chat/dan-1/photo", data=form("key-0001", picture("JPEG")))
    await files.delete("webchat/in/dan-1/key-0001")
    [bubble] = await door.shown()
    assert (await door.client.get(f"/chat/photo/{bubble['id']}")).content_type == "image/svg+xml"


async def test_an_empty_photo_and_a_missing_one(door: Door) -> None:
    answered = await door.client.post("/chat/dan-1/photo", data=form("key-0001", b""))
    assert (answered.status, (await answered.json())["sentence"]) == (400, SENTENCES["no_photo"])
    for bubble in ("999", "x", "-1", "9" * 30):
        assert (await door.client.get(f"/chat/photo/{bubble}")).status in {400, 404}


# ── Voice messages ───────────────────────────────────────────────────────────


async def test_a_recording_comes_in_and_plays(door: Door) -> None:
    data = spoken_ogg(20)
    sent = form("key-0001", data, caption="rác ở cổng chợ")
    assert (await door.client.post("/chat/dan-1/photo", data=sent)).status == 200
    parsed = door.channel.parse(door.taken[0].raw)
    assert parsed is not None
    assert isinstance(parsed.event, VoiceSent)
    assert (parsed.event.caption, parsed.event.seconds) == ("rác ở cổng chợ", 20)
    assert await door.channel.download(parsed.event.file, MAX_PHOTO) == data
    [bubble] = await door.shown()
    assert (bubble["voice"], bubble["photo"], bubble["text"]) == (True, False, "rác ở cổng chợ")
    played = await door.client.get(f"/chat/photo/{bubble['id']}")
    assert await played.read() == data
    assert (played.content_type, played.headers["Accept-Ranges"]) == ("audio/ogg", "bytes")
    piece = await door.client.get(f"/chat/photo/{bubble['id']}", headers={"Range": "bytes=4-9"})
    assert (piece.status, await piece.read()) == (206, data[4:10])
    assert piece.headers["Content-Range"] == f"bytes 4-9/{len(data)}"
    for odd in ("bytes=999999-", "bytes=9-4", "words"):
        whole = await door.client.get(f"/chat/photo/{bubble['id']}", headers={"Range": odd})
        assert (whole.status, await whole.read()) == (200, data)


async def test_what_calls_itself_a_recording_is_one_that_does_not_play(door: Door) -> None:
    broken = form("key-0001", b"<script>alert(1)</script>", kind="audio/ogg")
    assert (await door.client.post("/chat/dan-1/photo", data=broken)).status == 200
    parsed = door.channel.parse(door.taken[0].raw)
    assert parsed is not None
    assert isinstance(parsed.event, VoiceSent)
    [bubble] = await door.shown()
    assert (await door.client.get(f"/chat/photo/{bubble['id']}")).status == 404


@pytest.mark.parametrize(("ending", "kind"), [("ogg", "audio/ogg"), ("m4a", "audio/ogg")])
async def test_the_bots_recordings_are_heard(door: Door, ending: str, kind: str) -> None:
    """What it is, its bytes say; that it is to be heard, the name it was stored by."""
    message = Message("AP-26-00001", photo=f"reports/9.{ending}")
    await door.channel.send(Address("webchat", "dan-2"), message, spoken_ogg(7), 7)
    [bubble] = await door.shown()
    assert (bubble["voice"], bubble["photo"]) == (True, False)
    played = await door.client.get(f"/chat/photo/{bubble['id']}")
    assert (played.content_type, await played.read()) == (kind, spoken_ogg(7))


# ── Who may ask ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8080", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8080", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("localhost@evil.example", 403),
        ("evil@localhost", 403),
        ("127.0.0.1/x", 403),
        ("192.168.1.5:8080", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
async def test_a_name_pointed_here_is_refused(door: Door, host: str, status: int) -> None:
    for path in ("/", "/chat/bubbles", "/chat/people"):
        assert (await door.client.get(path, headers={"Host": host})).status == status
    live = await door.client.get("/chat/live", headers={"Host": host})
    assert live.status == status
    live.close()


async def test_with_any_host_other_computers_come_in(channel: Webchat) -> None:
    door = await opened(channel, any_host=True)
    assert (await door.client.get("/", headers={"Host": "may-xa.lan:8080"})).status == 200
    own = {"Host": "may-xa.lan:8080", "Origin": "http://may-xa.lan:8080", "Sec-Fetch-Site": "same-origin"}
    assert (await door.say("rac", headers=own)).status == 200
    foreign = {"Host": "may-xa.lan:8080", "Origin": "http://evil.example"}
    assert (await door.say("rac", headers=foreign)).status == 403
    await door.client.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_another_site_cannot_post(door: Door, headers: dict[str, str]) -> None:
    assert (await door.say("rac", headers=headers)).status == 403
    sent = form("key-0001", picture("JPEG"))
    assert (await door.client.post("/chat/dan-1/photo", data=sent, headers=headers)).status == 403
    assert door.taken == []


async def test_every_answer_says_what_a_browser_may_do(door: Door) -> None:
    for path in ("/", "/chat/static/page.js", "/chat/static/nothing", "/chat/people", "/chat/map"):
        headers = (await door.client.get(path)).headers
        assert headers["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'self'; style-src 'self'; "
            "img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'"
        )
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


async def test_the_page_brings_everything_itself(door: Door) -> None:
    for name in ("", "chat/static/page.css", "chat/static/page.js"):
        text = await (await door.client.get(f"/{name}")).text()
        assert "//cdn" not in text
        assert "style=" not in text
        assert "innerHTML" not in text
    assert (await door.client.get("/chat/static/routes.py")).status == 404


async def test_people_and_map_tell_only_what_is_drawn(door: Door) -> None:
    people = await (await door.client.get("/chat/people")).json()
    assert people["commune"] == "An Phú"
    assert [set(seat) for seat in people["seats"]] == [{"id", "name", "role_line", "kind", "group"}] * 5
    villages = (await (await door.client.get("/chat/map")).json())["villages"]
    assert villages[1]["centre"] == [20.895, 106.405]
    assert len(villages[1]["polygon"]) == 4


# ── History and live ─────────────────────────────────────────────────────────


async def test_history_forward_and_back(door: Door) -> None:
    for number in range(4):
        await door.say(f"tin {number}", key=f"key-000{number}")
    everything = await door.shown()
    assert await door.shown(f"?after={everything[1]['id']}") == everything[2:]
    assert await door.shown(f"?seat=dan-1&before={everything[1]['id']}") == everything[:1]
    assert (await door.client.get("/chat/bubbles?after=x")).status == 400
    assert (await door.client.get("/chat/bubbles?seat=nobody&before=1")).status == 404


async def test_people_who_left_are_not_shown(door: Door, sqlite_database: Database) -> None:
    await add(sqlite_database, "da-nghi", "old")
    await door.say("rac")
    assert [bubble["text"] for bubble in await door.shown()] == ["rac"]


async def heard(answered: ClientResponse, count: int) -> list[tuple[int, str]]:
    """The next events of a stream: id and text."""
    found: list[tuple[int, str]] = []
    number = 0
    async with asyncio.timeout(5):
        while len(found) < count:
            line = (await answered.content.readline()).decode()
            if line.startswith("id: "):
                number = int(line[4:])
            elif line.startswith("data: "):
                found.append((number, json.loads(line[6:])["text"]))
    return found


async def test_live_goes_on_where_it_was(door: Door) -> None:
    await door.say("mot", key="key-0001")
    live = await door.client.get("/chat/live?after=0")
    assert live.content_type == "text/event-stream"
    [(first, text)] = await heard(live, 1)
    assert text == "mot"
    await door.say("hai", key="key-0002")
    assert [text for _, text in await heard(live, 1)] == ["hai"]
    live.close()
    await door.say("ba", key="key-0003")
    again = await door.client.get("/chat/live?after=0", headers={"Last-Event-ID": str(first)})
    assert [text for _, text in await heard(again, 2)] == ["hai", "ba"]
    again.close()


async def test_many_pages_listen_and_are_forgotten(door: Door) -> None:
    streams = [await door.client.get("/chat/live?after=0") for _ in range(12)]
    await door.say("mot")
    for stream in streams:
        assert [text for _, text in await heard(stream, 1)] == ["mot"]
        stream.close()
    async with asyncio.timeout(5):
        while door.channel.listeners:
            door.channel.wake()
            await asyncio.sleep(0)


async def test_open_pages_do_not_hold_up_the_end(channel: Webchat) -> None:
    door = await opened(channel, any_host=False)
    live = await door.client.get("/chat/live?after=0")
    await door.say("mot")
    await heard(live, 1)
    async with asyncio.timeout(5):
        await door.client.server.close()
    assert channel.listeners == 0
    await door.client.close()


async def test_another_process_is_seen_too(door: Door, sqlite_database: Database) -> None:
    live = await door.client.get("/chat/live?after=0")
    await add(sqlite_database, "dan-2", "tu may khac")
    assert [text for _, text in await heard(live, 1)] == ["tu may khac"]
    live.close()
