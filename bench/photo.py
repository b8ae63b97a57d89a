"""Bench `photo`: a 12-megapixel photo cleaned by the worker, beside what Pillow alone needs for the same."""

import asyncio
import io
import os
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from bench.result import Row
from bench.servers import rss
from bot.photos import MAX_SIDE, Studio

RATIO, WORKER_MB, GROWTH_MB = 1.6, 256.0, 20.0
SIZE = (4000, 3000)
FITTED = (MAX_SIDE, MAX_SIDE * 3 // 4)
QUALITY = 82
LOOK_EVERY_S = 0.002


def photograph() -> bytes:
    """12 megapixels, 3 to 5 MB, as a telephone makes them: soft shapes, fine noise, EXIF with a place."""
    noise = Image.frombytes("RGB", (500, 375), os.urandom(500 * 375 * 3))
    image = noise.resize(SIZE, Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    gps = exif.get_ifd(0x8825)
    gps.update({1: "N", 2: (20.0, 58.0, 53.0), 3: "E", 4: (106.0, 23.0, 18.0)})
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88, exif=exif)
    return out.getvalue()


def plain(data: bytes) -> bytes:
    """What nobody can leave out: draft decoding, one resize, encoding."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", FITTED)
        out = io.BytesIO()
        image.resize(FITTED, Image.Resampling.BICUBIC).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


class Watch:
    """The most memory that a process held while it was watched."""

    def __init__(self, pid: int) -> None:
        self.most = 0.0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self.most = max(self.most, rss(self._pid))


async def run(folder: Path, *, quick: bool) -> list[Row]:
    data = photograph()
    studio = Studio()
    try:
        await studio.clean(data)
        return await _measure(studio, data, pairs=5 if quick else 15)
    finally:
        await studio.stop()


async def _measure(studio: Studio, data: bytes, pairs: int) -> list[Row]:
    loop = asyncio.get_running_loop()
    ours, theirs, ratios = [], [], []
    with ThreadPoolExecutor(1) as pool:
        await loop.run_in_executor(pool, plain, data)
        # The pool's own copies are made by now; what is added from here on is ours.
        before = rss(os.getpid())
        for _ in range(pairs):
            theirs.append(await _timed(loop.run_in_executor(pool, plain, data)))
            ours.append(await _timed(asyncio.ensure_future(studio.clean(data))))
            ratios.append(ours[-1] / theirs[-1])
    pid = studio.pid
    assert pid is not None
    with Watch(pid) as worker, Watch(os.getpid()) as us:
        for _ in range(pairs):
            await studio.clean(data)
    ratio, held, growth = statistics.median(ratios), worker.most, max(0.0, us.most - before)
    return [
        Row(
            f"photo: {SIZE[0] * SIZE[1] / 1e6:.0f} MP, {len(data) / 1e6:.1f} MB",
            f"{statistics.median(ours) * 1000:.0f} ms ({ratio:.2f}×)",
            f"Pillow alone: {statistics.median(theirs) * 1000:.0f} ms",
            f"≤ {RATIO}×",
            ratio <= RATIO,
        ),
        Row("photo: worker's memory", f"{held:.0f} MB", "", f"≤ {WORKER_MB:.0f} MB", held <= WORKER_MB),
        Row("photo: growth of the bot", f"{growth:.0f} MB", "", f"≤ {GROWTH_MB:.0f} MB", growth <= GROWTH_MB),
    ]


async def _timed(work: "asyncio.Future[object]") -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began
