"""Pictures to give to the studio, drawn here, and what became of them and of its worker."""

import io
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from bot.photos import Clean, PhotoTrouble, Studio

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 40), (30, 40, 220), (255, 255, 255)
MARK = b"CANARY-7f3a91"
MB = 1_000_000


@asynccontextmanager
async def working() -> AsyncIterator[Studio]:
    studio = Studio()
    yield studio
    await studio.stop()


def scene(size: tuple[int, int], seed: int = 1) -> Image.Image:
    """Soft blotches, as different from seed to seed as photos are."""
    small = Image.frombytes("RGB", (8, 6), random.Random(seed).randbytes(8 * 6 * 3))
    return small.resize(size, Image.Resampling.BICUBIC)


def corners(size: tuple[int, int] = (192, 128)) -> Image.Image:
    """Red, green / blue, white: every turn and mirror looks different."""
    image = Image.new("RGB", size, RED)
    middle = (size[0] // 2, size[1] // 2)
    image.paste(GREEN, (middle[0], 0, size[0], middle[1]))
    image.paste(BLUE, (0, middle[1], middle[0], size[1]))
    image.paste(WHITE, (*middle, *size))
    return image


def encoded(image: Image.Image, form: str, **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **how)
    return out.getvalue()


def seen(photo: Clean) -> list[str]:
    """The colours of the four corners, read by row."""
    names = {RED: "red", GREEN: "green", BLUE: "blue", WHITE: "white"}
    with Image.open(io.BytesIO(photo.jpeg)) as image:
        assert image.size == (photo.width, photo.height)
        right, bottom = image.width * 4 // 5, image.height * 4 // 5
        points = [(x, y) for y in (image.height // 5, bottom) for x in (image.width // 5, right)]
        return [names[min(names, key=lambda name: distance(name, image.getpixel(at)))] for at in points]


def distance(one: tuple[int, ...], other: object) -> int:
    assert isinstance(other, tuple)
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def marked_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = MARK.decode()
    exif.get_ifd(0x8769)[0x927C] = MARK
    exif.get_ifd(0x8825)[29] = MARK.decode()
    return exif


async def outcome(studio: Studio, data: bytes) -> str:
    """The problem word; empty when the photo could be kept."""
    try:
        await studio.clean(data)
    except PhotoTrouble as trouble:
        return trouble.problem
    return ""


def peak(studio: Studio) -> int:
    """Bytes the worker held at most."""
    return memory(studio.pid, "VmHWM")


def memory(pid: int | None, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) * 1024
