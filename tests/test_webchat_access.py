"""Who may ask for the page of the local chat, and what its answers allow a browser to do."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.channels.webchat import Webchat
from storage.database import Database
from tests.webchat_page import Door, form, opened, picture, seated


@pytest.fixture
def channel(sqlite_database: Database, tmp_path: Path) -> Webchat:
    return seated(sqlite_database, tmp_path)


@pytest.fixture
async def door(channel: Webchat) -> AsyncIterator[Door]:
    door = await opened(channel, any_host=False)
    yield door
    await door.client.close()


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
