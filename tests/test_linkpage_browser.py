"""The pages behind links in a real browser, as an old telephone shows them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, ConsoleMessage, Page, Request, Route, expect

from bot import linkpage
from bot.app import PLACED
from bot.channels import zalo_oa_read
from bot.channels.base import Links
from bot.core.commune import Point
from bot.core.events import Address, PlaceSent
from bot.core.places import contains
from bot.inbox import Inbox
from bot.signed import Signer
from storage import inbox
from storage.database import Database
from storage.files import Files
from storage.tables import metadata
from tests.browsing import chromium
from tests.paper import PaperClock
from tests.test_chatpage_browser import COMMUNE, SILENCE, VILLAGES, tap_map

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAN = Address("zalo_oa", "246845883529197922")
TARGET = 48


@dataclass
class Stage:
    url: str
    links: Links
    db: Database
    browser: Browser

    async def places(self) -> list[Point]:
        async with self.db.read() as conn:
            found = [zalo_oa_read.parse(row.raw) for row in await inbox.waiting(conn, 10)]
        events = [one.event for one in found if one is not None]
        return [Point(event.lat, event.lon) for event in events if isinstance(event, PlaceSent)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def stage(browser: Browser, tmp_path: Path) -> AsyncIterator[Stage]:
    db, files = Database.in_folder(tmp_path), Files(str(tmp_path / "photos"))
    async with db.engine.begin() as conn:
        await conn.run_sync(metadata.create_all)
    await files.put("reports/9.mp3", SILENCE)
    clock = PaperClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    signer = Signer("k" * 32, clock.ms)
    app = web.Application()
    linkpage.add_routes(
        app,
        signer=signer,
        inbox=Inbox(db, clock, lambda: None),
        db=db,
        files=files,
        commune=COMMUNE,
        placed=PLACED,
        clock=clock,
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield Stage(url, linkpage.links(signer, url), db, browser)
    await runner.cleanup()
    await db.close()


@asynccontextmanager
async def phone(stage: Stage, link: str, *, breaks: bool = False, width: int = 360) -> AsyncIterator[Page]:
    """`breaks`: the browser will complain, because the test takes its connection away."""
    context = await stage.browser.new_context(
        viewport={"width": width, "height": 740}, has_touch=True, is_mobile=True, locale="vi-VN"
    )
    wrong: list[str] = []
    page = await context.new_page()

    def hear(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            wrong.append(said.text)

    def follow(made: Request) -> None:
        if not made.url.startswith(stage.url):
            wrong.append(made.url)

    page.on("console", hear)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", follow)
    await page.goto(link)
    yield page
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await context.cookies() == []
    await context.close()
    assert breaks or wrong == []


async def test_a_tap_and_a_press_send_the_place(stage: Stage) -> None:
    tapped = VILLAGES[6]
    async with phone(stage, stage.links.place(LAN)) as page:
        send = page.get_by_role("button", name="Gửi chỗ này")
        await expect(send).to_be_disabled()
        await tap_map(page, tapped)
        await expect(page.locator("#pointed")).to_have_text("Ghim ở Thôn 7")
        await expect(page.locator("#village")).to_have_value("thon-07")
        await send.tap()
        await expect(page.locator("#done h1")).to_have_text("Đã nhận chỗ rồi.")
        await expect(page.locator("#done p")).to_have_text("Bà con quay lại Zalo, bấm nút quay lại.")
        await expect(page.locator("#ask")).to_be_hidden()
    (place,) = await stage.places()
    assert contains(tapped.polygon, place)


async def test_opened_again_it_says_that_it_was_sent(stage: Stage) -> None:
    link = stage.links.place(LAN)
    async with phone(stage, link) as one, phone(stage, link, breaks=True) as other:
        for page, village in ((one, VILLAGES[0]), (other, VILLAGES[9])):
            await tap_map(page, village)
            await page.locator("#send").tap()
            await expect(page.locator("#done h1")).to_have_text("Đã nhận chỗ rồi.")
        await expect(other.locator("#done p")).to_contain_text("chỉ gửi được một chỗ")
        await other.reload()
        await expect(other.locator("h1")).to_have_text("Đã nhận chỗ rồi.")
    (place,) = await stage.places()
    assert contains(VILLAGES[0].polygon, place)


async def test_where_the_person_stands_is_shown_before_it_is_sent(stage: Stage) -> None:
    village = VILLAGES[2]
    assert village.centre is not None
    async with phone(stage, stage.links.place(LAN)) as page:
        here = page.get_by_role("button", name="Chỗ tôi đang đứng")
        await here.tap()
        await expect(page.locator("#trouble")).to_contain_text("Máy không cho biết chỗ bà con đứng")
        await expect(page.locator("#send")).to_be_disabled()
        await page.context.grant_permissions(["geolocation"])
        await page.context.set_geolocation(
            {"latitude": village.centre.lat, "longitude": village.centre.lon, "accuracy": 15}
        )
        await here.tap()
        await expect(page.locator("#pointed")).to_have_text("Ghim ở Thôn 3")
        await expect(page.locator("#trouble")).to_be_hidden()
        await page.locator("#send").tap()
        await expect(page.locator("#done")).to_be_visible()
    (place,) = await stage.places()
    assert place == Point(round(village.centre.lat, 6), round(village.centre.lon, 6))


async def test_outside_and_roughly_is_said_and_can_be_sent(stage: Stage) -> None:
    async with phone(stage, stage.links.place(LAN)) as page:
        await page.context.grant_permissions(["geolocation"])
        await page.context.set_geolocation({"latitude": 21.2, "longitude": 106.1, "accuracy": 2000})
        await page.locator("#here").tap()
        await expect(page.locator("#pointed")).to_have_text("Ghim ở ngoài An Phú. Đúng chỗ thì cứ gửi.")
        await expect(page.locator("#trouble")).to_contain_text("áng chừng")
        await expect(page.locator("#pin")).to_be_visible()
        await page.locator("#send").tap()
        await expect(page.locator("#done p")).to_contain_text("nằm ngoài An Phú")
    assert await stage.places() == [Point(21.2, 106.1)]


async def test_a_lost_connection_loses_nothing(stage: Stage) -> None:
    async with phone(stage, stage.links.place(LAN), breaks=True) as page:
        lost: list[object] = []

        async def lose(route: Route) -> None:
            lost.append(json.loads(route.request.post_data or "null"))
            await (route.abort() if len(lost) == 1 else route.continue_())

        await page.locator("#village").select_option("thon-12")
        await page.route("**/cho/*", lose)
        await page.locator("#send").tap()
        await expect(page.locator("#trouble")).to_contain_text("Chưa gửi được, mạng yếu.")
        await page.get_by_role("button", name="Gửi chỗ này").tap()
        await expect(page.locator("#done h1")).to_have_text("Đã nhận chỗ rồi.")
        assert len(lost) == 2
        assert lost[0] == lost[1]
    assert len(await stage.places()) == 1


async def test_two_fingers_bring_the_map_nearer(stage: Stage) -> None:
    async with phone(stage, stage.links.place(LAN)) as page:
        width = "document.querySelector('#ground').viewBox.baseVal.width"
        before = await page.evaluate(width)
        await page.evaluate(
            """() => {
                const ground = document.querySelector('#ground');
                ground.setPointerCapture = () => {};
                const area = ground.getBoundingClientRect();
                const middle = [area.x + area.width / 2, area.y + area.height / 2];
                const tell = (kind, finger, away) => ground.dispatchEvent(new PointerEvent(kind, {
                    pointerId: finger, isPrimary: finger === 1, bubbles: true,
                    clientX: middle[0] + away, clientY: middle[1],
                }));
                tell('pointerdown', 1, -30);
                tell('pointerdown', 2, 30);
                tell('pointermove', 1, -60);
                tell('pointermove', 2, 60);
                tell('pointerup', 1, -60);
                tell('pointerup', 2, 60);
            }"""
        )
        assert await page.evaluate(width) == pytest.approx(before / 2, rel=0.01)
        await expect(page.locator("#send")).to_be_disabled()


@pytest.mark.parametrize("width", [320, 360, 1280])
async def test_everything_to_press_is_large(stage: Stage, width: int) -> None:
    async with phone(stage, stage.links.place(LAN), width=width) as page:
        await expect(page.locator("body.ready")).to_be_visible()
        pressed = page.locator("button:visible, select:visible")
        assert await pressed.count() == 5
        for one in await pressed.all():
            box = await one.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= TARGET
        assert await page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 18


async def test_a_recording_plays(stage: Stage) -> None:
    async with phone(stage, stage.links.voice("reports/9.mp3")) as page:
        length = await page.locator("audio").evaluate(
            "audio => new Promise(done => audio.readyState ? done(audio.duration)"
            " : audio.addEventListener('loadedmetadata', () => done(audio.duration)))"
        )
        assert 1.5 < length < 3
        async with page.expect_download() as saved:
            await page.get_by_role("link", name="Tải về máy").tap()
        assert (await saved.value).suggested_filename == "loi.mp3"


async def test_without_its_script_the_page_says_what_to_do(stage: Stage) -> None:
    context = await stage.browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(stage.links.place(LAN))
    await expect(page.locator("#slow")).to_be_visible(timeout=10_000)
    await expect(page.locator("#slow")).to_contain_text("nhắn tên thôn")
    await context.close()
