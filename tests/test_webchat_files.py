"""Photos and voice messages in the local chat: whole when they come in, harmless when they go out."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.chatpage.routes import MAX_PHOTO, SENTENCES
from bot.core.events import Address, PhotoSent, VoiceSent
from bot.core.message import Message
from storage.database import Database
from storage.files import Files
from tests.paper import spoken_ogg
from tests.webchat_page import Door, files_in, form, opened, picture, seated


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return files_in(tmp_path)


@pytest.fixture
async def door(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    door = await opened(seated(sqlite_database, tmp_path), any_host=False)
    yield door
    await door.client.close()


# Photos --------------------------------------------------------------------------------------------


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


# Voice messages ------------------------------------------------------------------------------------


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
