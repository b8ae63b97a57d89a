"""Photos: what is kept is upright, small and nothing but pixels; what is not is refused without harm."""

import asyncio
import io
import os
import random
import select
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from bot import photo_worker, photos, workers
from bot.photos import PROBLEMS, Clean, PhotoTrouble, Studio
from tests.heic import heic

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 40), (30, 40, 220), (255, 255, 255)
MARK = b"CANARY-7f3a91"
MB = 1_000_000
ROOT = Path(__file__).parents[1]


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
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


def pixel(photo: Clean, at: tuple[int, int] = (5, 5)) -> object:
    with Image.open(io.BytesIO(photo.jpeg)) as image:
        assert image.mode == "RGB"
        return image.getpixel(at)


def bits_apart(one: Clean, other: Clean) -> int:
    return (int(one.fingerprint, 16) ^ int(other.fingerprint, 16)).bit_count()


def segments(jpeg: bytes) -> list[int]:
    """The marker of each segment up to the scan; nothing may follow the end of the image."""
    assert jpeg.startswith(b"\xff\xd8")
    assert jpeg.endswith(b"\xff\xd9")
    at, found = 2, []
    while jpeg[at + 1] != 0xDA:
        found.append(jpeg[at + 1])
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    assert jpeg.index(b"\xff\xd9", at) == len(jpeg) - 2
    return found


# Upright


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_every_orientation_comes_out_upright(studio: Studio, orientation: int) -> None:
    back = {**photo_worker.TURNS, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    turn = back.get(orientation)
    stored = corners() if turn is None else corners().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for form in ("JPEG", "PNG", "WEBP"):
        photo = await studio.clean(encoded(stored, form, exif=exif))
        assert (photo.width, photo.height) == (192, 128)
        assert seen(photo) == ["red", "green", "blue", "white"]


async def test_a_nonsense_orientation_changes_nothing(studio: Studio) -> None:
    exif = Image.Exif()
    exif[0x0112] = 99
    assert seen(await studio.clean(encoded(corners(), "JPEG", exif=exif)))[0] == "red"


async def test_heic_is_turned_once(studio: Studio) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = corners().transpose(Image.Transpose.ROTATE_90)
    photo = await studio.clean(heic(stored, quarter_turns=3, exif=exif.tobytes()))
    assert (photo.width, photo.height) == (192, 128)
    assert seen(photo) == ["red", "green", "blue", "white"]


# Small


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        ((1600, 1200), (1600, 1200)),
        ((40, 30), (40, 30)),
        ((4032, 3024), (1600, 1200)),
        ((1512, 2016), (1200, 1600)),
        ((1601, 1601), (1600, 1600)),
        ((9000, 2), (1600, 1)),
        ((1, 1), (1, 1)),
    ],
)
async def test_the_longest_side_is_at_most_1600(
    studio: Studio, size: tuple[int, int], kept: tuple[int, int]
) -> None:
    for form in ("JPEG", "PNG"):
        photo = await studio.clean(encoded(corners(size), form, compress_level=1))
        assert (photo.width, photo.height) == kept


async def test_colours_come_out_as_they_looked(studio: Studio) -> None:
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    palette = clear.quantize(4)
    deep = Image.new("I;16", (64, 64), 128 * 257)
    ink = Image.new("CMYK", (64, 64), (0, 255, 255, 0))
    grey = Image.new("LA", (64, 64), (0, 0))
    dim = Image.new("L", (64, 64), 200)
    assert pixel(await studio.clean(encoded(clear, "PNG"))) == WHITE
    assert pixel(await studio.clean(encoded(clear, "WEBP", lossless=True))) == WHITE
    assert pixel(await studio.clean(encoded(palette, "PNG"))) == WHITE
    assert pixel(await studio.clean(encoded(grey, "PNG"))) == WHITE
    assert distance((128, 128, 128), pixel(await studio.clean(encoded(deep, "PNG")))) <= 6
    assert distance((255, 0, 0), pixel(await studio.clean(encoded(ink, "JPEG")))) <= 12
    assert distance((200, 200, 200), pixel(await studio.clean(encoded(dim, "JPEG")))) <= 6


async def test_a_foreign_colour_profile_is_applied(studio: Studio) -> None:
    # sRGB with its red and green primaries exchanged: what is stored as red looks green.
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"____").replace(b"gXYZ", b"rXYZ").replace(b"____", b"gXYZ")
    for name in (b"sRGB", "sRGB".encode("utf-16-be")):
        swapped = swapped.replace(name, bytes(len(name)))
    for form in ("JPEG", "PNG", "WEBP"):
        told = await studio.clean(encoded(Image.new("RGB", (64, 64), RED), form, icc_profile=swapped))
        assert distance((30, 220, 30), pixel(told)) < 60


async def test_mpo_of_a_phone_is_a_jpeg(studio: Studio) -> None:
    second = Image.new("RGB", (64, 64), BLUE)
    data = encoded(corners(), "MPO", save_all=True, append_images=[second])
    photo = await studio.clean(data)
    assert seen(photo) == ["red", "green", "blue", "white"]
    assert len(photo.jpeg) < len(data)


# Place


def placed(lat: object, north: str, lon: object, east: str) -> bytes:
    """EXIF written by hand: Pillow would not write 0/0."""
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<HHHIII", 1, 0x8825, 4, 1, 26, 0)
    entries = struct.pack("<HHHI4s", 4, 1, 2, 2, north.encode()) + struct.pack("<HHII", 2, 5, 3, 80)
    entries += struct.pack("<HHI4s", 3, 2, 2, east.encode()) + struct.pack("<HHII", 4, 5, 3, 104)
    return head + entries + struct.pack("<I", 0) + rationals(lat) + rationals(lon)


def rationals(parts: object) -> bytes:
    assert isinstance(parts, tuple)
    return b"".join(struct.pack("<II", *(part if isinstance(part, tuple) else (part, 1))) for part in parts)


HANOI = ((20, 58, (4830, 100)), "N", (106, 23, 24), "E")


@pytest.mark.parametrize(
    ("told", "place"),
    [
        (HANOI, (20.980083, 106.39)),
        (((20, 30, 0), "S", (106, 15, 0), "W"), (-20.5, -106.25)),
        ((((41, 2), 0, 0), "N", ((213, 2), 0, 0), "E"), (20.5, 106.5)),
        (((20, 58, (0, 0)), "N", (106, 23, 24), "E"), None),
        ((((20, 0), 58, 0), "N", (106, 23, 24), "E"), None),
        (((0, 0, 0), "N", (0, 0, 0), "E"), None),
        (((91, 0, 0), "N", (106, 0, 0), "E"), None),
        (((20, 0, 0), "N", (181, 0, 0), "E"), None),
        (((20, 99, 0), "N", (106, 0, 0), "E"), None),
        (((20, 0, 0), "", (106, 0, 0), "E"), None),
        (((20, 0, 0), "X", (106, 0, 0), "E"), None),
        (((20, 0, 0), "N", (106, 0, 0), "N"), None),
    ],
)
async def test_the_place_is_read_when_it_makes_sense(
    studio: Studio, told: tuple[object, str, object, str], place: tuple[float, float] | None
) -> None:
    exif = placed(*told)
    image = corners()
    for data in (
        encoded(image, "JPEG", exif=b"Exif\0\0" + exif),
        encoded(image, "PNG", exif=b"Exif\0\0" + exif),
        encoded(image, "WEBP", exif=exif),
        heic(image, exif=b"Exif\0\0" + exif),
    ):
        photo = await studio.clean(data)
        if place is None:
            assert (photo.lat, photo.lon) == (None, None)
        else:
            assert (photo.lat, photo.lon) == pytest.approx(place, abs=1e-6)


async def test_broken_exif_does_not_cost_the_photo(studio: Studio) -> None:
    exif = placed(*HANOI)
    for cut in range(0, len(exif), 7):
        photo = await studio.clean(encoded(corners(), "JPEG", exif=b"Exif\0\0" + exif[:cut]))
        assert photo.width == 192


# Nothing but pixels


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + jpeg[2:]


def marked_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = MARK.decode()
    exif.get_ifd(0x8769)[0x927C] = MARK
    exif.get_ifd(0x8825)[29] = MARK.decode()
    return exif


def marked_png() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", MARK.decode())
    text.add_text("Zipped", MARK.decode(), zip=True)
    text.add_itxt("XML:com.adobe.xmp", MARK.decode())
    return encoded(corners(), "PNG", pnginfo=text, exif=marked_exif()) + MARK


def carriers() -> dict[str, bytes]:
    plain = encoded(corners(), "JPEG")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + MARK
    hidden = encoded(corners(), "JPEG", comment=MARK)
    return {
        "exif": encoded(corners(), "JPEG", exif=marked_exif()),
        "xmp": encoded(corners(), "JPEG", xmp=MARK),
        "comment": hidden,
        "icc": encoded(corners(), "JPEG", icc_profile=profile),
        "iptc": with_segment(plain, 0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x20" + MARK),
        "other application": with_segment(plain, 0xEB, MARK),
        "second image": encoded(corners(), "MPO", save_all=True, append_images=[corners()]) + hidden,
        "trailing": plain + MARK + b"PK\x03\x04<script>" + MARK,
        "png": marked_png(),
        "webp": encoded(corners(), "WEBP", exif=marked_exif(), xmp=MARK) + MARK,
        "heic": heic(corners(), exif=marked_exif().tobytes()) + MARK,
    }


@pytest.mark.parametrize("carrier", carriers())
async def test_no_marker_survives(studio: Studio, carrier: str) -> None:
    data = carriers()[carrier]
    assert MARK in data
    photo = await studio.clean(data)
    for hidden in (MARK, MARK.decode().encode("utf-16-le"), MARK.decode().encode("utf-16-be")):
        assert hidden not in photo.jpeg
    assert set(segments(photo.jpeg)) == {0xE0, 0xDB, 0xC0, 0xC4}
    assert segments(photo.jpeg).count(0xE0) == 1
    with Image.open(io.BytesIO(photo.jpeg)) as image:
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert not image.getexif()


# Fingerprint


async def test_near_copies_are_near_and_others_far(studio: Studio) -> None:
    first = await studio.clean(encoded(scene((1200, 900)), "JPEG", quality=92))
    again = await studio.clean(encoded(scene((1200, 900)), "JPEG", quality=60))
    small = await studio.clean(encoded(scene((1200, 900)).resize((600, 450)), "JPEG", quality=70))
    other = await studio.clean(encoded(scene((1200, 900), seed=2), "JPEG", quality=92))
    assert len(first.fingerprint) == 64
    assert bits_apart(first, again) <= 30
    assert bits_apart(first, small) <= 30
    assert bits_apart(first, other) >= 70


# Refused


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


async def outcome(studio: Studio, data: bytes) -> str:
    """The problem word; empty when the photo could be kept."""
    try:
        await studio.clean(data)
    except PhotoTrouble as trouble:
        return trouble.problem
    return ""


# The worker


async def started(studio: Studio) -> int:
    await studio.clean(encoded(corners(), "JPEG"))
    assert studio.pid is not None
    return studio.pid


def wait_for_end(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:  # ended and reaped already
        return
    assert select.select([handle], [], [], 10)[0]
    os.close(handle)


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_a_worker_killed_over_a_photo_costs_that_photo_only(studio: Studio) -> None:
    worker = await started(studio)
    os.kill(worker, signal.SIGSTOP)
    photo = asyncio.ensure_future(studio.clean(encoded(scene((4000, 3000)), "JPEG", quality=95)))
    waiting = asyncio.ensure_future(studio.clean(encoded(corners(), "JPEG")))
    await asyncio.sleep(0)
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(PhotoTrouble) as caught:
        await photo
    assert caught.value.problem == "broken"
    assert seen(await waiting)[0] == "red"
    assert studio.pid != worker


async def test_a_worker_killed_between_photos_costs_none(studio: Studio) -> None:
    worker = await started(studio)
    os.kill(worker, signal.SIGKILL)
    wait_for_end(worker)
    assert await outcome(studio, encoded(corners(), "JPEG")) == ""
    assert studio.pid != worker


async def test_a_worker_that_hangs_is_too_slow() -> None:
    studio = Studio(seconds=0.7)
    worker = await started(studio)
    os.kill(worker, signal.SIGSTOP)
    assert await outcome(studio, encoded(corners(), "JPEG")) == "too_slow"
    assert not exists(worker)
    assert await outcome(studio, encoded(corners(), "JPEG")) == ""
    await studio.stop()


async def test_a_cancelled_photo_leaves_a_working_studio(studio: Studio) -> None:
    worker = await started(studio)
    os.kill(worker, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(studio.clean(encoded(corners(), "JPEG")), 0.05)
    assert not exists(worker)
    assert await outcome(studio, encoded(corners(), "JPEG")) == ""


async def test_too_little_memory_refuses_instead_of_growing() -> None:
    studio = Studio(memory=90 * 1024 * 1024)
    assert await outcome(studio, encoded(corners((4000, 3000)), "PNG")) == "too_big"
    assert await outcome(studio, encoded(corners(), "PNG")) == ""
    assert peak(studio) < 90 * MB
    await studio.stop()


async def test_a_worker_retires_after_its_share(studio: Studio) -> None:
    worker = await started(studio)
    tiny = encoded(Image.new("RGB", (8, 8)), "JPEG")
    for _ in range(photo_worker.RETIRE_AFTER):
        await studio.clean(tiny)
    assert studio.pid != worker


async def test_several_at_once_come_out_right(studio: Studio) -> None:
    data = [encoded(Image.new("RGB", (8 * n, 8)), "JPEG") for n in range(1, 20)]
    done = await asyncio.gather(*map(studio.clean, data))
    assert [photo.width for photo in done] == [8 * n for n in range(1, 20)]


async def test_stop_ends_the_worker_and_may_be_repeated(studio: Studio) -> None:
    worker = await started(studio)
    await studio.stop()
    await studio.stop()
    assert studio.pid is None
    assert not exists(worker)


async def test_a_worker_that_cannot_start_is_nobodys_photo(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(photos, "WORKER", tmp_path / "not there.py")
    with pytest.raises(OSError, match="does not start"):
        await studio.clean(encoded(corners(), "JPEG"))
    assert studio.pid is None


@pytest.mark.parametrize(
    "answer",
    [
        photos.ANSWER.pack(b"", 9, 9, bytes(32), 1.0, 1.0, False, 2**32 - 1),
        photos.ANSWER.pack(b"", 9, 9, bytes(32), 1.0, 1.0, False, 6) + b"<html>",
        photos.ANSWER.pack(b"", 9999, 9, bytes(32), 1.0, 1.0, False, 5) + b"\xff\xd8\xff\xff\xd9",
        photos.ANSWER.pack(b"\xff\xfe", 9, 9, bytes(32), 1.0, 1.0, False, 0),
        photos.ANSWER.pack(b"owned", 9, 9, bytes(32), 1.0, 1.0, False, 0),
        b"short",
    ],
)
async def test_a_worker_taken_over_is_not_believed(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: bytes
) -> None:
    liar = tmp_path / "liar.py"
    liar.write_text(f"import os; os.write(1, {workers.READY + answer!r}); os.read(0, 9)")
    monkeypatch.setattr(photos, "WORKER", liar)
    assert await outcome(studio, encoded(corners(), "JPEG")) == "broken"
    assert studio.pid is None


async def test_the_worker_gets_no_secrets(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_TOKEN", "a secret of the bot")
    worker = await started(studio)
    assert environment(worker) <= {*workers.ENVIRONMENT, *workers.PASSED_ON}
    assert "PATH" in environment(worker)


def environment(pid: int) -> set[str]:
    """The names a process was started with."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return {pair.partition("=")[0] for pair in pairs if pair}


ATTEMPTS = """
import os, socket, sys
sys.path.insert(0, sys.argv[1])
from bot import photo_worker
photo_worker.STATM = os.open("/proc/self/statm", os.O_RDONLY)
photo_worker.lock_down(256 * 1024 * 1024)
for attempt in (
    lambda: socket.socket(),
    lambda: open(sys.argv[1] + "/pyproject.toml"),
    lambda: open("/dev/shm/made", "w"),
    lambda: os.unlink("/dev/shm/made"),
    lambda: os.listdir("/"),
    lambda: os.fork(),
    lambda: os.execv("/bin/true", ["true"]),
    lambda: os.kill(os.getppid(), 0),
    lambda: bytearray(300_000_000),
):
    try:
        attempt()
    except (OSError, MemoryError):
        continue
    os.write(1, b"succeeded ")
os.write(1, b"done")
"""


def test_the_worker_can_open_start_and_reach_nothing() -> None:
    tried = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, str(ROOT)], capture_output=True, check=True, timeout=20
    )
    assert (tried.stdout, tried.stderr) == (b"done", b"")


PARENT = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from bot.photos import Studio
async def main():
    studio = Studio()
    await studio.clean(sys.stdin.buffer.read(int(sys.argv[2])))
    print(studio.pid, "PIL" in sys.modules or "pi_heif" in sys.modules, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_the_worker_ends_with_a_killed_bot_and_the_bot_never_loads_pillow() -> None:
    data = encoded(corners(), "JPEG")
    command = [sys.executable, "-c", PARENT, str(ROOT), str(len(data))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdin.write(data)
        parent.stdin.flush()
        pid, loaded = parent.stdout.readline().decode().split()
        worker = os.pidfd_open(int(pid))
        parent.kill()
    assert loaded == "False"
    ended, _, _ = select.select([worker], [], [], 10)
    os.close(worker)
    assert ended


def test_both_sides_speak_the_same_protocol() -> None:
    assert photos.ANSWER.format == photo_worker.ANSWER.format
    assert workers.LENGTH.format == photo_worker.LENGTH.format
    assert workers.READY == photo_worker.READY
    assert photos.MAX_SIDE == photo_worker.LONGEST


# Memory


def peak(studio: Studio) -> int:
    """Bytes the worker held at most."""
    return memory(studio.pid, "VmHWM")


def memory(pid: int | None, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) * 1024


def wide(size: tuple[int, int]) -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert("RGB")


def glass(size: tuple[int, int]) -> Image.Image:
    image = wide(size)
    image.putalpha(Image.radial_gradient("L").resize(size))
    return image


WORST: dict[str, Callable[[], bytes]] = {
    "jpeg 50 MP": lambda: encoded(wide((8160, 6120)), "JPEG", quality=60),
    "jpeg 50 MP progressive": lambda: encoded(wide((8160, 6120)), "JPEG", quality=75, progressive=True),
    "png 40 MP with alpha": lambda: encoded(glass((7300, 5470)), "PNG", compress_level=1),
    "webp 12 MP with alpha": lambda: encoded(glass((4032, 3024)), "WEBP", lossless=True, quality=0, method=0),
    "heic 12 MP": lambda: heic(wide((4032, 3008))),
    "heic 24 MP": lambda: heic(wide((5728, 4288)), depth=4),
}


@pytest.mark.parametrize("name", WORST)
async def test_the_largest_photos_fit_into_256_megabytes(studio: Studio, name: str) -> None:
    data = WORST[name]()
    photo = await studio.clean(data)
    assert max(photo.width, photo.height) == 1600
    assert peak(studio) <= 256 * MB


async def test_the_bot_does_not_grow(studio: Studio) -> None:
    data = encoded(scene((4032, 3024)), "JPEG", quality=95)
    await studio.clean(data)
    before = memory(os.getpid(), "VmRSS")
    for _ in range(20):
        await studio.clean(data)
    assert memory(os.getpid(), "VmRSS") - before <= 20 * MB
