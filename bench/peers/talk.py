"""The five-step talk that every peer holds: words as long as ours, the same button data, one alert."""

import argparse
import asyncio
import gc
import itertools
import signal
import sys

from aiohttp import web

from bench.scene import FIRST_MONITOR, MONITOR_CHATS

STEPS = (
    "Đã ghi vị trí. Bà con báo việc gì ạ? Bấm một dòng, hoặc nhắn vài chữ, ví dụ: rac do trom.",
    "Cụ thể là việc nào ạ?",
    "Vâng, rác đổ bừa bãi. Bà con gửi 1 ảnh chỗ đó được không ạ?",
    "Bà con xem đúng chưa:\n• Việc: rác đổ bừa bãi\n• Chỗ: Thôn 2, có vị trí trên bản đồ\n• Không có ảnh\n"
    "Nhóm giám sát Thôn 2 sẽ nhận, không thấy tên bà con.\n"
    "UBND xã giữ lời, ảnh, vị trí này để xử lý việc. Muốn xem kỹ, nhắn: quyen rieng tu.",
    "Đã nhận, cảm ơn bà con! Mã AP-26-00001.\n"
    "Nhóm giám sát Thôn 2 trả lời trước 2 giờ 35 chiều mai. Có thêm ảnh, lời, cứ gửi.",
)
CHOICES = (
    (
        ("Vệ sinh", "f:0:sanitation"),
        ("Trật tự", "f:0:order"),
        ("Đèn đường", "f:0:lighting"),
        ("Việc khác", "f:0:other"),
    ),
    (
        ("Rác bừa bãi", "c:0:litter"),
        ("Đốt rác", "c:0:burning"),
        ("Xác động vật", "c:0:carcass"),
        ("Cống mương tắc", "c:0:drain"),
        ("Loại khác", "f:0:sanitation:4"),
    ),
    (("Không có ảnh", "no:0:photo"),),
    (("Đồng ý và gửi", "send:0"), ("Sửa", "edit:0"), ("Không báo về thôn", "priv:0"), ("Huỷ", "cancel:0")),
    (("Việc tôi đã báo", "mine"),),
)


class Alerts:
    """Alerts go to the monitors' chats in turn, with a code each."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._chats = itertools.cycle(range(FIRST_MONITOR, FIRST_MONITOR + MONITOR_CHATS))

    def next_chat(self) -> int:
        return next(self._chats)

    def text(self) -> str:
        return (
            f"🔔 AP-26-{next(self._numbers):05d}: rác đổ bừa bãi, Thôn 2.\n"
            "Bản đồ: https://www.google.com/maps?q=21.0039,106.37765\nNhận trước 2 giờ 35 chiều mai."
        )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--api", required=True)
    parser.add_argument("--pickle", help="file that python-telegram-bot keeps its state in")
    return parser.parse_args()


async def listening(app: web.Application) -> None:
    """Serve on a free port, printed first, until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    # The same favour that our own bot does itself.
    gc.collect()
    gc.freeze()
    await stop.wait()
    await runner.cleanup()
