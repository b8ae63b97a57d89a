"""The whole program behind the page: one report from a resident to the room and back, in a browser."""

import re
from pathlib import Path

from playwright.async_api import FilePayload, Locator, Page, expect

from bot.app import running
from bot.settings import Settings
from tests.bot_process import awake_commune
from tests.browsing import chromium
from tests.paper import small_jpeg

# A photo goes through its worker, whose first start takes a moment.
PATIENT = 15_000
RESIDENT, ROOM = 0, 2


def phone(page: Page, number: int) -> Locator:
    return page.locator("section.phone").nth(number)


async def say(seat: Locator, words: str) -> None:
    await seat.locator("textarea").fill(words)
    await seat.locator("textarea").press("Enter")


async def send_photo(seat: Locator) -> None:
    photo = FilePayload(name="rac.jpg", mimeType="image/jpeg", buffer=small_jpeg())
    await seat.locator("input[type=file]").first.set_input_files(photo)
    await seat.locator("button.send").click()


async def press(seat: Locator, label: str) -> None:
    await seat.get_by_role("button", name=label, exact=True).last.click(timeout=PATIENT)


async def hears(seat: Locator, words: str) -> None:
    await expect(seat.get_by_text(re.compile(words)).last).to_be_visible(timeout=PATIENT)


async def test_a_report_goes_all_the_way(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path, http_port=0, commune=awake_commune(tmp_path))
    async with running(settings) as port, chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{port}/")
        resident, room = phone(page, RESIDENT), phone(page, ROOM)
        await say(resident, "rac o cong cho thon 3")
        await hears(resident, "1 ảnh")
        await send_photo(resident)
        await press(resident, "Đồng ý và gửi")
        await hears(resident, r"Mã AP-\d\d-00001")
        await hears(room, r"🔔 AP-\d\d-00001")
        await press(room, "Nhận xử lý")
        await hears(resident, "đã nhận việc")
        await press(room, "Đã xử lý")
        await hears(room, "sau khi xử lý")
        await send_photo(room)
        await hears(resident, "ảnh trước và sau ở dưới")
        await press(resident, "Được rồi")
        await hears(room, "được rồi")
        await page.reload()
        await hears(phone(page, RESIDENT), "xong rồi ạ")
        await browser.close()
