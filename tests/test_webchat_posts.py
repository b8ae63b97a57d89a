"""What the page of the local chat posts: taken once, shown as it was written, refused with a sentence."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.channels.webchat import MAX_TEXT, envelope
from bot.chatpage.routes import SENTENCES
from bot.core.events import Address, Words
from bot.core.message import Button, Message
from storage.database import Database
from tests.webchat_page import Door, opened, seated


@pytest.fixture
async def door(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    door = await opened(seated(sqlite_database, tmp_path), any_host=False)
    yield door
    await door.client.close()


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
