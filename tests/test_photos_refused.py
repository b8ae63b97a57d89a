"""What is no photo of ours is refused without harm: bombs, other kinds, broken bytes."""

import random
import struct
import zlib
from collections.abc import AsyncIterator, Callable

import pytest
from PIL import Image, PngImagePlugin

from bot.photos import PROBLEMS, PhotoTrouble, Studio
from tests.heic import heic
from tests.scenes import MB, corners, encoded, marked_exif, outcome, peak, scene, working


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with working() as studio:
        yield studio


def png_of(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99)))


def zipped_text_bomb() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add(b"zTXt", b"k\0\0" + zlib.compress(bytes(90 * MB), 1))
    return encoded(corners(), "PNG", pnginfo=text)


def jpeg_of(width: int, height: int) -> bytes:
    return encoded(corners(), "JPEG").replace(
        struct.pack(">HH", 128, 192), struct.pack(">HH", height, width), 1
    )


def big_webp() -> bytes:
    data = encoded(corners(), "WEBP", exif=marked_exif())
    canvas = (191).to_bytes(3, "little") + (127).to_bytes(3, "little")
    return data.replace(canvas, (16383).to_bytes(3, "little") * 2, 1)


def big_heic() -> bytes:
    return heic(corners()).replace(struct.pack(">II", 192, 128), struct.pack(">II", 9000, 9000), 1)


REFUSED: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "png 9400": (lambda: encoded(Image.new("1", (9400, 9400)), "PNG", compress_level=1), {"too_big"}),
    "png 13000": (lambda: encoded(Image.new("1", (13000, 13000)), "PNG", compress_level=1), {"too_big"}),
    "png 20000": (lambda: png_of(20000, 20000), {"too_big"}),
    "png thin": (lambda: png_of(1, 2**31 - 1), {"too_big", "broken"}),
    "png text bomb": (zipped_text_bomb, {"broken", "too_big"}),
    "jpeg 65000": (lambda: jpeg_of(65000, 65000), {"too_big"}),
    "jpeg 9000": (lambda: jpeg_of(9000, 9000), {"too_big"}),
    "webp 16384": (big_webp, {"too_big"}),
    "heic 9000": (big_heic, {"too_big"}),
    "20 MiB and a byte": (lambda: encoded(corners(), "JPEG") + bytes(20 * 1024 * 1024), {"too_big"}),
    "gif": (lambda: encoded(corners(), "GIF"), {"wrong_kind"}),
    "gif many": (
        lambda: encoded(corners((8, 8)), "GIF", save_all=True, append_images=[corners((8, 8))] * 500),
        {"wrong_kind"},
    ),
    "tiff": (lambda: encoded(corners(), "TIFF"), {"wrong_kind"}),
    "bmp": (lambda: encoded(corners(), "BMP"), {"wrong_kind"}),
    "avif": (lambda: encoded(corners(), "AVIF"), {"wrong_kind"}),
    "jpeg 2000": (lambda: encoded(corners(), "JPEG2000"), {"wrong_kind"}),
    "ico": (lambda: encoded(corners(), "ICO"), {"wrong_kind"}),
    "ppm": (lambda: encoded(corners(), "PPM"), {"wrong_kind"}),
    "pdf": (lambda: encoded(corners(), "PDF"), {"wrong_kind"}),
    "eps": (lambda: encoded(corners(), "EPS"), {"wrong_kind"}),
    "svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>', {"wrong_kind"}),
    "html as jpg": (lambda: b"<!doctype html><img src=x>", {"wrong_kind"}),
    "zip": (lambda: b"PK\x03\x04" + bytes(60), {"wrong_kind"}),
    "html after a jpeg's first bytes": (lambda: b"\xff\xd8\xff\xe0<html>", {"broken"}),
    "avif called mif1": (lambda: b"\0\0\0\x18ftypmif1" + bytes(12), {"broken"}),
    "random": (lambda: random.Random(5).randbytes(5000), {"wrong_kind"}),
    "one byte": (lambda: b"\xff", {"wrong_kind"}),
    "empty": (lambda: b"", {"missing"}),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_no_photo_of_ours_is_refused(studio: Studio, name: str) -> None:
    make, words = REFUSED[name]
    data = make()
    await studio.clean(encoded(corners(), "JPEG"))
    worker = studio.pid
    with pytest.raises(PhotoTrouble) as caught:
        await studio.clean(data)
    assert caught.value.problem in words
    assert set(words) <= set(PROBLEMS)
    assert studio.pid == worker
    assert peak(studio) < 150 * MB


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "HEIC"])
async def test_cut_or_flipped_bytes_harm_nobody(studio: Studio, form: str) -> None:
    image = scene((192, 128))
    data = heic(image) if form == "HEIC" else encoded(image, form)
    chance = random.Random(form)
    for percent in range(1, 100, 4):
        assert await outcome(studio, data[: len(data) * percent // 100]) in ("", *PROBLEMS)
    for _ in range(40):
        flipped = bytearray(data)
        for _ in range(3):
            flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        assert await outcome(studio, bytes(flipped)) in ("", *PROBLEMS)
    assert await outcome(studio, data) == ""


async def test_a_photo_cut_in_half_is_broken(studio: Studio) -> None:
    image = scene((400, 300))
    for data in (encoded(image, "JPEG"), encoded(image, "PNG"), encoded(image, "WEBP"), heic(corners())):
        assert await outcome(studio, data[: len(data) // 2]) == "broken"
