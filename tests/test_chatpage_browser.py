"""The chat page in a real browser: what a resident types, presses and taps, and what comes back live."""

import io
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from PIL import Image
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    FilePayload,
    Locator,
    Page,
    Request,
    Route,
    expect,
)

from bot.channels.base import Received
from bot.channels.webchat import Webchat, seats_for
from bot.chatpage import add_routes
from bot.core.commune import Commune, Point, Unit
from bot.core.events import Address, PhotoSent, PlaceSent, Pressed, VoiceSent, Words
from bot.core.message import Button, Message
from bot.core.places import contains
from storage.database import Database
from storage.files import Files
from storage.tables import metadata
from tests.browsing import chromium

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON = 2_000
START = 1_780_000_000_000


def crooked(row: int, column: int) -> Point:
    """A corner of a made-up commune: a grid that no ruler drew."""
    bend = math.sin(row * 2.1 + column * 1.3)
    return Point(
        20.90 - 0.009 * row + 0.0016 * bend, 106.40 + 0.011 * column + 0.002 * math.cos(bend * 3 + row)
    )


def village(number: int) -> Unit:
    row, column = divmod(number - 1, 4)
    corners = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)]
    polygon = tuple(crooked(*corner) for corner in corners)
    centre = Point(sum(p.lat for p in polygon) / 4, sum(p.lon for p in polygon) / 4)
    return Unit(
        f"thon-{number:02}", "village", f"Thôn {number}", number=number, centre=centre, polygon=polygon
    )


OTHERS = (Unit("cong-an", "police", "Công an xã"), Unit("ubnd", "office", "Văn phòng UBND"))
VILLAGES = tuple(village(number) for number in range(1, 21))
COMMUNE = Commune(
    name="An Phú",
    prefix="AP",
    office="ubnd",
    police="cong-an",
    phones={},
    units={unit.id: unit for unit in (*VILLAGES, *OTHERS)},
    categories={},
    fields={},
)
CHOICES = (Button("Gửi phản ánh", "send"), Button("Sửa", "edit"))


# Frames of silence, as real as any: 128 kbit/s at 44,100 a second are 417 bytes each.
SILENCE = (b"\xff\xfb\x90\x64" + bytes(413)) * 80


@dataclass
class Echo:
    """Answers what it hears with two choices; hears everything once, as the inbox does."""

    channel: Webchat
    heard: list[Received] = field(default_factory=list)

    async def take(self, received: Received) -> None:
        if received.event in {known.event for known in self.heard}:
            return
        self.heard.append(received)
        parsed = self.channel.parse(received.raw)
        assert parsed is not None
        match parsed.event:
            case Words(text):
                answer = Message(f"Bot nghe: {text}", CHOICES)
            case Pressed(action):
                answer = Message(f"Bot thấy nút: {action}")
            case PhotoSent(_, caption):
                answer = Message(f"Đã nhận 1 ảnh. {caption}".strip(), place_wanted=True)
            case VoiceSent(caption=caption):
                answer = Message(f"Đã giữ tin thoại. {caption}".strip())
            case PlaceSent(lat, lon):
                answer = Message(f"Chỗ ấy: {lat}, {lon}")
            case _:
                raise AssertionError(received.raw)
        await self.channel.send(parsed.address, answer, None, len(self.heard))


@dataclass
class Stage:
    url: str
    echo: Echo
    browser: Browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def stage(browser: Browser, tmp_path: Path) -> AsyncIterator[Stage]:
    db = Database.in_folder(tmp_path)
    async with db.engine.begin() as conn:
        await conn.run_sync(metadata.create_all)
    moments = iter(range(START, START + 10_000_000, 1000))
    channel = Webchat(db, Files(str(tmp_path / "photos")), seats_for(COMMUNE), lambda: next(moments))
    echo = Echo(channel)
    app = web.Application()
    add_routes(app, channel=channel, take=echo.take, commune=COMMUNE, any_host=False)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield Stage(f"http://127.0.0.1:{port}", echo, browser)
    await runner.cleanup()
    await db.close()


async def opened(context: BrowserContext, stage: Stage, wrong: list[str]) -> Page:
    """The page, live; everything it should not have done ends up in `wrong`."""
    page = await context.new_page()

    def hear(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            wrong.append(said.text)

    def follow(made: Request) -> None:
        if not made.url.startswith((stage.url, "blob:" + stage.url)):
            wrong.append(made.url)

    page.on("console", hear)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", follow)
    await page.goto(stage.url)
    await expect(page.locator(".phone")).to_have_count(5)
    return page


@asynccontextmanager
async def desk(stage: Stage, *, breaks: bool = False) -> AsyncIterator[Page]:
    """`breaks`: the browser will complain, because the test takes its connection away."""
    context = await stage.browser.new_context(viewport={"width": 1600, "height": 900}, locale="vi-VN")
    wrong: list[str] = []
    yield await opened(context, stage, wrong)
    await context.close()
    assert breaks or wrong == []


@asynccontextmanager
async def phone(stage: Stage) -> AsyncIterator[Page]:
    context = await stage.browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, locale="vi-VN"
    )
    wrong: list[str] = []
    yield await opened(context, stage, wrong)
    await context.close()
    assert wrong == []


def seat(page: Page, name: str) -> Locator:
    return page.locator(f'[data-seat="{name}"]')


async def say(page: Page, name: str, text: str) -> None:
    await seat(page, name).locator("textarea").fill(text)
    await seat(page, name).locator("textarea").press("Enter")


async def tap_map(page: Page, unit: Unit) -> None:
    """Tap the middle of a village, wherever the map drew it."""
    spot = await page.evaluate(
        """(id) => {
            const land = document.querySelector(`#ground [data-village="${id}"]`).getBoundingClientRect();
            return [land.x + land.width / 2, land.y + land.height / 2];
        }""",
        unit.id,
    )
    await page.mouse.click(*spot)


async def test_loads_five_people_and_nothing_from_elsewhere(stage: Stage) -> None:
    async with desk(stage) as page:
        await expect(page.locator("#commune")).to_have_text("An Phú Xanh")
        await expect(page.locator(".phone h2")).to_have_text(
            ["Bà Lan", "Anh Hùng", "Bác Tư", "Anh Dũng", "Chị Hạnh"]
        )
        await expect(page.locator("#live .up")).to_be_visible()


async def test_typing_shows_the_words_and_the_answer_live(stage: Stage) -> None:
    async with desk(stage) as page:
        await say(page, "dan-1", "rac o cong cho")
        await expect(seat(page, "dan-1").locator(".mine .text")).to_have_text("rac o cong cho", timeout=SOON)
        await expect(seat(page, "dan-1").locator(".bot .text")).to_have_text(
            "Bot nghe: rac o cong cho", timeout=SOON
        )
        await expect(seat(page, "dan-1").locator(".waiting")).to_have_count(0)
        await expect(seat(page, "dan-2").locator(".said")).to_have_count(0)


async def test_what_is_typed_stays_text(stage: Stage) -> None:
    attack = "<img src=x onerror=alert(1)><script>alert(2)</script> https://xau.example/"
    async with desk(stage) as page:
        await say(page, "dan-1", attack)
        await expect(seat(page, "dan-1").locator(".mine .text")).to_have_text(attack)
        await expect(seat(page, "dan-1").locator(".bot .text")).to_contain_text("<script>alert(2)</script>")
        assert await seat(page, "dan-1").locator(".talk script, .text img, .mine a").count() == 0


async def test_a_press_is_chosen_and_can_be_changed(stage: Stage) -> None:
    async with desk(stage) as page:
        await say(page, "dan-2", "den duong hong")
        send = seat(page, "dan-2").get_by_role("button", name="Gửi phản ánh")
        await send.click()
        await expect(seat(page, "dan-2").locator(".bot .text").last).to_have_text("Bot thấy nút: send")
        await expect(send).to_have_attribute("aria-pressed", "true")
        await expect(seat(page, "dan-2").locator(".mine .text").last).to_have_text("Gửi phản ánh")
        await seat(page, "dan-2").get_by_role("button", name="Sửa").click()
        await expect(seat(page, "dan-2").locator(".bot .text").last).to_have_text("Bot thấy nút: edit")
        await expect(send).to_have_attribute("aria-pressed", "false")


async def test_photos_go_with_their_words_and_are_shown(stage: Stage) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (320, 240), "#7a9").save(drawn, "JPEG")
    files: list[FilePayload] = [
        {"name": f"{number}.jpg", "mimeType": "image/jpeg", "buffer": drawn.getvalue()} for number in (1, 2)
    ]
    async with desk(stage) as page:
        await seat(page, "dan-1").locator("input[multiple]").set_input_files(files)
        await expect(seat(page, "dan-1").locator(".picked img")).to_have_count(2)
        await say(page, "dan-1", "bai rac cong cho")
        await expect(seat(page, "dan-1").locator(".bot .text")).to_have_count(2)
        await expect(seat(page, "dan-1").locator(".waiting")).to_have_count(0)
        shown = seat(page, "dan-1").locator(".mine img").first
        await expect(shown).to_have_attribute("src", "/chat/photo/1")
        await expect(shown).to_have_js_property("naturalWidth", 320)
    posted = [json.loads(heard.raw)["fields"] for heard in stage.echo.heard]
    assert [fields["caption"] for fields in posted] == ["bai rac cong cho", ""]
    assert posted[0]["album"] == posted[1]["album"] is not None


async def test_the_camera_takes_a_photo(stage: Stage) -> None:
    async with desk(stage) as page:
        await seat(page, "dan-1").locator(".shoot").click()
        await expect(page.locator("#camera video")).to_have_js_property("readyState", 4)
        await page.locator("#snap").click()
        await expect(seat(page, "dan-1").locator(".picked img")).to_have_count(1)
        await seat(page, "dan-1").locator(".send").click()
        await expect(seat(page, "dan-1").locator(".bot .text")).to_have_text("Đã nhận 1 ảnh.")


async def test_a_tap_on_the_map_is_a_place_in_that_village(stage: Stage) -> None:
    tapped = VILLAGES[6]
    async with desk(stage) as page:
        await seat(page, "dan-1").locator(".where").click()
        await expect(page.locator("#send-place")).to_be_disabled()
        await tap_map(page, tapped)
        await expect(page.locator("#pointed")).to_have_text("Ghim ở Thôn 7")
        await page.locator("#send-place").click()
        await expect(seat(page, "dan-1").locator(".mine .spot p")).to_have_text("Vị trí: Thôn 7")
        await expect(seat(page, "dan-1").locator(".bot .text")).to_contain_text("Chỗ ấy")
    fields = json.loads(stage.echo.heard[-1].raw)["fields"]
    assert contains(tapped.polygon, Point(fields["lat"], fields["lon"]))


async def test_the_map_works_from_the_keyboard(stage: Stage) -> None:
    async with desk(stage) as page:
        await seat(page, "dan-1").locator(".where").press("Enter")
        await page.locator("#village").select_option("thon-12")
        await expect(page.locator("#pointed")).to_have_text("Ghim ở Thôn 12")
        await page.locator("#ground").press("ArrowLeft")
        await page.locator("#ground").press("Enter")
        await expect(seat(page, "dan-1").locator(".mine .spot p")).to_have_text("Vị trí: Thôn 12")


async def test_in_the_room_a_message_can_be_answered(stage: Stage) -> None:
    async with desk(stage) as page:
        await say(page, "phong-thon-03", "chao ca nhom")
        room = seat(page, "phong-thon-03")
        await room.locator(".bot .bubble").click()
        await expect(room.locator(".quote .quoted")).to_have_text("Bot nghe: chao ca nhom")
        await say(page, "phong-thon-03", "nhan")
        await expect(room.locator(".mine .answers:visible span")).to_have_text("Bot nghe: chao ca nhom")
        await expect(room.locator(".bot .text").last).to_have_text("Bot nghe: nhan")
        answered = await room.locator(".bot").first.get_attribute("data-bubble")
    assert json.loads(stage.echo.heard[-1].raw)["fields"]["reply"] == int(answered or 0)


async def test_reload_keeps_everything(stage: Stage) -> None:
    async with desk(stage) as page:
        await say(page, "dan-1", "mot")
        await seat(page, "dan-1").get_by_role("button", name="Sửa").click()
        await expect(seat(page, "dan-1").locator(".bot .text")).to_have_count(2)
        before = await seat(page, "dan-1").locator(".text").all_text_contents()
        await page.reload()
        await expect(seat(page, "dan-1").locator(".text")).to_have_text(before)
        await expect(seat(page, "dan-1").get_by_role("button", name="Sửa")).to_have_attribute(
            "aria-pressed", "true"
        )


async def test_what_could_not_be_sent_waits_and_is_sent_once(stage: Stage) -> None:
    async with desk(stage, breaks=True) as page:
        keys: list[str] = []

        async def lose_the_answer(route: Route) -> None:
            keys.append((route.request.post_data_json or {})["key"])
            if len(keys) == 1:
                await route.fetch()
                await route.fulfill(status=502, content_type="text/plain", body="")
            else:
                await route.continue_()

        await page.context.route("**/say", lose_the_answer)
        await page.route("**/chat/live*", lambda route: route.abort())
        await page.reload()
        await say(page, "dan-1", "mang yeu")
        await seat(page, "dan-1").locator(".again").click()
        await expect(seat(page, "dan-1").locator(".waiting.sent")).to_have_count(1)
        await page.unroute("**/chat/live*")
        await expect(seat(page, "dan-1").locator(".bot .text")).to_have_text("Bot nghe: mang yeu")
        await expect(seat(page, "dan-1").locator(".mine")).to_have_count(1)
        assert len(set(keys)) == 1
        assert len(keys) == 2


async def test_two_windows_see_the_same(stage: Stage) -> None:
    async with desk(stage) as one, desk(stage) as other:
        await say(one, "dan-1", "hai cua so")
        for page in (one, other):
            await expect(seat(page, "dan-1").locator(".text")).to_have_text(
                ["hai cua so", "Bot nghe: hai cua so"], timeout=SOON
            )


async def test_on_a_phone_one_person_at_a_time(stage: Stage) -> None:
    async with phone(stage) as page:
        await expect(page.locator(".tab")).to_have_count(5)
        await expect(page.locator(".phone:visible")).to_have_count(1)
        overflow = "document.documentElement.scrollWidth > innerWidth"
        assert not await page.evaluate(overflow)
        await stage.echo.channel.send(Address("webchat", "cong-an-1"), Message("Có việc mới"), None, 900)
        police = page.get_by_role("button", name="Anh Dũng")
        await expect(police.locator(".unread")).to_be_visible()
        await police.tap()
        await expect(seat(page, "cong-an-1").locator(".bot .text")).to_be_visible()
        await expect(seat(page, "dan-1")).to_be_hidden()
        await expect(police.locator(".unread")).to_be_hidden()
        await say(page, "cong-an-1", "da ro " * 60)
        await expect(seat(page, "cong-an-1").locator(".bot")).to_have_count(2)
        assert not await page.evaluate(overflow)
        await seat(page, "cong-an-1").locator(".where").tap()
        await tap_map(page, VILLAGES[2])
        await expect(page.locator("#pointed")).to_have_text("Ghim ở Thôn 3")
        assert not await page.evaluate(overflow)


async def test_a_recording_is_sent_and_plays(stage: Stage) -> None:
    async with desk(stage) as page:
        mine, police = seat(page, "dan-1"), seat(page, "cong-an-1")
        await mine.locator(".file").first.set_input_files(
            {"name": "loi.mp3", "mimeType": "audio/mpeg", "buffer": SILENCE}
        )
        await expect(mine.locator(".picked .sound")).to_be_visible()
        await mine.locator("textarea").fill("rác ở cổng chợ")
        await mine.locator(".send").click()
        await expect(mine.get_by_text("Đã giữ tin thoại. rác ở cổng chợ")).to_be_visible()
        await expect(mine.locator("audio.voice:visible")).to_have_count(1)
        message = Message("AP-26-00001", photo="reports/9.mp3")
        await stage.echo.channel.send(Address("webchat", "cong-an-1"), message, SILENCE, 900)
        player = police.locator("audio.voice:visible")
        await expect(player).to_have_count(1)
        length = await player.evaluate(
            "audio => new Promise(done => audio.readyState ? done(audio.duration)"
            " : audio.addEventListener('loadedmetadata', () => done(audio.duration)))"
        )
        assert 1.5 < length < 3
        await page.reload()
        await expect(seat(page, "dan-1").locator("audio.voice:visible")).to_have_count(1)
