"""The pages behind signed links: one place each, a recording for a week, and nothing for strangers."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest
import sqlalchemy as sa
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from bot import linkpage
from bot.app import PLACED, running
from bot.channels import zalo_bot_read, zalo_oa_read
from bot.channels.base import Links
from bot.config import ConfigError
from bot.core.events import Address, PlaceSent
from bot.inbox import Inbox
from bot.linkpage.pace import REMEMBERED, WINDOW_S, Pace
from bot.linkpage.routes import BODY_MAX, LOOKS_A_MINUTE, POSTS_A_MINUTE, WORDS
from bot.platforms import links_of
from bot.settings import Settings
from bot.signed import Signer
from storage.database import Database
from storage.files import Files
from storage.tables import inbox
from tests.paper import PaperClock, spoken_ogg
from tests.test_chatpage_browser import COMMUNE, VILLAGES

KEY = "k" * 32
LAN = Address("zalo_oa", "246845883529197922")
CENTRE = VILLAGES[6].centre
assert CENTRE is not None
HERE = {"lat": round(CENTRE.lat, 6), "lon": round(CENTRE.lon, 6)}
VOICE = spoken_ogg(7)
AMR = b"#!AMR\n" + bytes(200)


@dataclass
class Door:
    client: TestClient[web.Request, web.Application]
    db: Database
    files: Files
    clock: PaperClock
    signer: Signer
    links: Links
    woken: list[None]

    async def get(self, path: str, **more: Any) -> ClientResponse:
        return await self.client.get(path, **more)

    async def send(self, path: str, place: object = HERE) -> ClientResponse:
        return await self.client.post(path, json=place)

    async def stored(self) -> list[sa.Row[Any]]:
        async with self.db.read() as conn:
            return list(await conn.execute(sa.select(inbox).order_by(inbox.c.id)))

    def wait(self, **time: float) -> None:
        self.clock.move(timedelta(**time))

    def place(self, to: Address = LAN) -> str:
        return self.links.place(to)

    def forged(self, path: str) -> str:
        return path[:-1] + ("A" if path[-1] != "A" else "B")


@pytest.fixture
async def door(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    clock = PaperClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    files, woken = Files(str(tmp_path / "photos")), list[None]()
    signer = Signer(KEY, clock.ms)
    app = web.Application()
    linkpage.add_routes(
        app,
        signer=signer,
        inbox=Inbox(database, clock, lambda: woken.append(None)),
        db=database,
        files=files,
        commune=COMMUNE,
        placed=PLACED,
        clock=clock,
    )
    client = TestClient(TestServer(app))
    await client.start_server()
    yield Door(client, database, files, clock, signer, linkpage.links(signer, ""), woken)
    await client.close()


async def said(answer: ClientResponse) -> str:
    """What a person reads, whichever way it is told."""
    if answer.content_type == "application/json":
        told = await answer.json()
        return f"{told['title']} {told['text']}"
    html = re.sub(r"(?s)<head>.*</head>|<script.*?</script>|<[^>]+>", " ", await answer.text())
    return " ".join(html.split())


# --- the map


async def test_a_place_comes_in_as_the_platform_would_tell_it(door: Door) -> None:
    answer = await door.send(door.place())
    assert answer.status == 200
    assert await said(answer) == "Đã nhận chỗ rồi. Bà con quay lại Zalo, bấm nút quay lại."
    (row,) = await door.stored()
    assert (row.channel, row.chat) == ("zalo_oa", LAN.key)
    assert row.event.startswith("map/")
    parsed = zalo_oa_read.parse(row.raw)
    assert parsed is not None
    assert (parsed.address, parsed.account) == (LAN, LAN.chat)
    assert parsed.event == PlaceSent(HERE["lat"], HERE["lon"])
    assert door.woken


async def test_a_place_for_a_platform_that_keeps_places_to_itself(door: Door) -> None:
    ted = Address("zalo_bot", "6ede9afa66b88fe6d6a9")
    assert (await door.send(door.place(ted))).status == 200
    (row,) = await door.stored()
    parsed = zalo_bot_read.parse(row.raw)
    assert parsed is not None
    assert (parsed.address, parsed.account) == (ted, ted.chat)
    assert parsed.event == PlaceSent(HERE["lat"], HERE["lon"])


async def test_a_link_sends_one_place(door: Door) -> None:
    link = door.place()
    await door.send(link)
    second = await door.send(link, {"lat": 20.9, "lon": 106.4})
    assert second.status == 410
    assert "Đã nhận chỗ rồi" in await said(second)
    again = await door.get(link)
    assert again.status == 410
    assert "Đã nhận chỗ rồi" in await said(again)
    (row,) = await door.stored()
    parsed = zalo_oa_read.parse(row.raw)
    assert parsed is not None
    assert parsed.event == PlaceSent(HERE["lat"], HERE["lon"])


async def test_two_presses_at_once_are_one_place(door: Door) -> None:
    link = door.place()
    places = [{"lat": 20.9, "lon": 106.4 + number / 1000} for number in range(5)]
    answers = await asyncio.gather(*(door.send(link, place) for place in places))
    assert sorted(answer.status for answer in answers) == [200, 410, 410, 410, 410]
    (row,) = await door.stored()
    parsed = zalo_oa_read.parse(row.raw)
    (taken,) = (place for answer, place in zip(answers, places, strict=True) if answer.status == 200)
    assert parsed is not None
    assert parsed.event == PlaceSent(taken["lat"], taken["lon"])


async def test_another_link_is_another_place(door: Door) -> None:
    for _ in range(2):
        assert (await door.send(door.place())).status == 200
    assert len(await door.stored()) == 2


async def test_looking_uses_nothing_up(door: Door) -> None:
    link = door.place()
    for _ in range(3):
        assert (await door.client.head(link)).status == 200
        assert (await door.get(link, headers={"User-Agent": "ZaloPreview/1.0 (bot)"})).status == 200
    assert await door.stored() == []
    assert (await door.send(link)).status == 200


async def test_outside_the_commune_is_said_and_sent(door: Door) -> None:
    answer = await door.send(door.place(), {"lat": 21.5, "lon": 105})
    assert answer.status == 200
    assert "nằm ngoài An Phú" in await said(answer)
    assert len(await door.stored()) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        (b"[" * BODY_MAX, 400),
        (b"\xff", 400),
        (b'{"lat": 20.9}', 400),
        (b'{"lat": "20.9", "lon": "106.4"}', 400),
        (b'{"lat": true, "lon": true}', 400),
        (b'{"lat": NaN, "lon": 106.4}', 400),
        (b'{"lat": 20.9, "lon": Infinity}', 400),
        (b'{"lat": 1e999, "lon": 106.4}', 400),
        (b'{"lat": 1' + b"0" * 900 + b', "lon": 106.4}', 400),
        (b'{"lat": 90.1, "lon": 106.4}', 400),
        (b'{"lat": 20.9, "lon": -180.1}', 400),
        (b" " * (BODY_MAX + 1), 413),
    ],
)
async def test_what_is_no_place_is_not_taken(door: Door, body: bytes, status: int) -> None:
    link, kind = door.place(), {"Content-Type": "application/json"}
    answer = await door.client.post(link, data=body, headers=kind)
    assert answer.status == status
    assert "Chưa gửi được" in await said(answer)
    assert await door.stored() == []
    assert (await door.send(link)).status == 200


async def test_a_form_of_another_site_is_not_taken(door: Door) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        body, told = json.dumps(HERE).encode(), {"Content-Type": kind}
        assert (await door.client.post(door.place(), data=body, headers=told)).status == 415
    assert await door.stored() == []


async def test_after_a_day_it_is_over(door: Door) -> None:
    link = door.place()
    door.wait(hours=23, minutes=59)
    assert (await door.get(link)).status == 200
    door.wait(minutes=1)
    for answer in (await door.get(link), await door.send(link)):
        assert answer.status == 410
        assert "Bản đồ này hết hạn rồi. Bà con quay lại Zalo" in await said(answer)
    assert await door.stored() == []


async def test_nobody_else_makes_a_link(door: Door) -> None:
    link = door.place()
    foreign = f"/cho/{Signer('q' * 32, door.clock.ms).sign('place', LAN.key, 3600)}"
    voice = door.links.voice("reports/9.ogg").replace("/nghe/", "/cho/")
    other = f"/cho/{door.signer.sign('place', 'viber:1', 3600)}"
    for path in (door.forged(link), foreign, voice, other, "/cho/x", "/cho/%00", "/cho/%C4%91"):
        for answer in (await door.get(path), await door.send(path)):
            assert answer.status == 404
            assert "Không mở được bản đồ này. Bà con quay lại Zalo" in await said(answer)
    assert await door.stored() == []


async def test_too_many_presses_wait_a_minute(door: Door) -> None:
    link, other = door.place(), door.place()
    for _ in range(POSTS_A_MINUTE):
        assert (await door.send(link, {})).status == 400
    hasty = await door.send(link)
    assert hasty.status == 429
    assert "Xin chờ một phút" in await said(hasty)
    assert (await door.send(other)).status == 200
    door.wait(seconds=WINDOW_S)
    assert (await door.send(link)).status == 200


async def test_a_database_that_is_away_is_said(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise OSError("away")

    link = door.place()
    with monkeypatch.context() as broken:
        broken.setattr(Inbox, "take", away)
        answer = await door.send(link)
    assert answer.status == 503
    assert "Máy đang bận" in await said(answer)
    assert (await door.send(link)).status == 200


async def test_a_group_has_no_link(door: Door) -> None:
    with pytest.raises(ValueError, match="one person"):
        door.place(Address("zalo_oa", "g1", True))


# --- the recording


async def test_a_recording_plays_as_often_as_one_likes_for_a_week(door: Door) -> None:
    await door.files.put("reports/9.ogg", VOICE)
    link = door.links.voice("reports/9.ogg")
    for _ in range(2):
        page = await door.get(link)
        assert page.status == 200
        assert "<audio controls" in await page.text()
        played = await door.get(f"{link}/tep")
        assert played.status == 200
        assert played.content_type == "audio/ogg"
        assert played.headers["Content-Disposition"] == 'inline; filename="loi.ogg"'
        assert played.headers["Accept-Ranges"] == "bytes"
        assert await played.read() == VOICE
        door.wait(days=3)
    door.wait(days=1)
    for path in (link, f"{link}/tep"):
        over = await door.get(path)
        assert over.status == 410
        assert "Đã quá 7 ngày" in await said(over)


async def test_a_piece_of_it_can_be_asked_for(door: Door) -> None:
    await door.files.put("reports/9.ogg", VOICE)
    tep = f"{door.links.voice('reports/9.ogg')}/tep"
    piece = await door.get(tep, headers={"Range": "bytes=4-9"})
    assert piece.status == 206
    assert piece.headers["Content-Range"] == f"bytes 4-9/{len(VOICE)}"
    assert await piece.read() == VOICE[4:10]
    end = await door.get(tep, headers={"Range": "bytes=-5"})
    assert (end.status, await end.read()) == (206, VOICE[-5:])
    for wrong in ("bytes=9999-", "lines=1-2", "bytes=9-4"):
        whole = await door.get(tep, headers={"Range": wrong})
        assert (whole.status, await whole.read()) == (200, VOICE)


async def test_what_browsers_cannot_play_is_taken_home(door: Door) -> None:
    await door.files.put("reports/8.amr", AMR)
    link = door.links.voice("reports/8.amr")
    page = await (await door.get(link)).text()
    assert "<audio" not in page
    assert "Tải về máy" in page
    tep = await door.get(f"{link}/tep")
    assert tep.content_type == "audio/amr"
    assert tep.headers["Content-Disposition"] == 'attachment; filename="loi.amr"'


async def test_a_recording_that_was_erased_is_said(door: Door) -> None:
    await door.files.put("reports/7.ogg", b"no recording")
    for stored in ("reports/9.ogg", "reports/7.ogg", "../secret", ""):
        gone = await door.get(door.links.voice(stored))
        assert gone.status == 410
        assert "không còn được giữ" in await said(gone)


async def test_nobody_else_hears_it(door: Door) -> None:
    await door.files.put("reports/9.ogg", VOICE)
    link = door.links.voice("reports/9.ogg")
    token = door.signer.sign("place", "reports/9.ogg", 3600)
    for path in (door.forged(link), f"/nghe/{token}", f"{door.forged(link)}/tep", "/nghe/x"):
        answer = await door.get(path)
        assert answer.status == 404
        assert "Không mở được lời này" in await said(answer)


async def test_a_link_is_not_hammered(door: Door) -> None:
    await door.files.put("reports/9.ogg", VOICE)
    link = door.links.voice("reports/9.ogg")
    for _ in range(LOOKS_A_MINUTE):
        assert (await door.client.head(link)).status == 200
    assert (await door.get(link)).status == 200, "a preview counts apart from a person"
    assert (await door.client.head(link)).status == 429


# --- both


async def test_every_answer_is_private(door: Door) -> None:
    await door.files.put("reports/9.ogg", VOICE)
    voice = door.links.voice("reports/9.ogg")
    answers = [
        await door.get(path)
        for path in (door.place(), "/cho/x", voice, f"{voice}/tep", "/nghe/x", "/trang/map.js", "/trang/x")
    ]
    for answer in [*answers, await door.send(door.place()), await door.send("/cho/x")]:
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in answer.headers


async def test_pages_stay_with_us_below_any_path(door: Door) -> None:
    """A proxy may put the program below a path of its own: no address begins at the root."""
    await door.files.put("reports/9.ogg", VOICE)
    for path in (door.place(), door.links.voice("reports/9.ogg"), "/cho/x", "/nghe/x/tep"):
        html = await (await door.get(path)).text()
        found = re.findall(r'(?:src|href)="([^"]+)"', html)
        assert found
        assert [one for one in found if one.startswith("/") or ":" in one] == []
        for one in found:
            assert (await door.get(urljoin(path, one))).status == 200, one


async def test_a_village_cannot_break_out_of_the_page(door: Door) -> None:
    html = await (await door.get(door.place())).text()
    (data,) = re.findall(r'(?s)<script type="application/json" id="villages">(.*?)</script>', html)
    assert [one["id"] for one in json.loads(data)] == [unit.id for unit in VILLAGES]
    assert "<" not in data


def test_words_are_whole() -> None:
    for words in WORDS.values():
        assert set(words) == {"title", "text"}
        assert all(text.endswith(".") for text in words.values())


def test_pace_forgets_the_longest_silent() -> None:
    pace = Pace(lambda: 0.0)
    assert pace.allows("a", 1)
    assert not pace.allows("a", 1)
    for number in range(REMEMBERED):
        pace.allows(str(number), 1)
    assert pace.allows("a", 1)


# --- in the whole program


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(_env_file=None, data_dir=folder, http_port=0, **more)


async def test_the_program_has_the_pages_when_it_can_sign(tmp_path: Path) -> None:
    clock = PaperClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    whole = settings(tmp_path, public_url="https://bot.example/xa/", secret_key=KEY, webchat="off")
    await Files(whole.photos).put("reports/9.ogg", VOICE)
    links = links_of(whole, clock)
    assert links.place(LAN).startswith("https://bot.example/xa/cho/")
    voice, place = (
        made.removeprefix(str(whole.public_url)) for made in (links.voice("reports/9.ogg"), links.place(LAN))
    )
    async with running(whole, clock) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        async with http.get(f"{voice}/tep") as played:
            assert await played.read() == VOICE
        # Nobody is on that platform while it is not set up: what came in could not be read.
        async with http.post(place, json=HERE) as sent:
            assert sent.status == 404


async def test_without_a_key_there_are_no_pages(tmp_path: Path) -> None:
    clock = PaperClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    bare = settings(tmp_path, public_url="https://bot.example", webchat="off")
    with pytest.raises(ConfigError, match="SECRET_KEY"):
        links_of(bare, clock)
    async with running(bare, clock) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        for path in ("/cho/x", "/nghe/x", "/trang/map.js"):
            async with http.get(path) as answer:
                assert answer.status == 404
