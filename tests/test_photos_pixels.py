"""What is kept of a photo: upright, small, in the colours that it showed, and known again."""

import io
from collections.abc import AsyncIterator

import pytest
from PIL import Image, ImageCms

from bot import photo_worker
from bot.photos import Clean, Studio
from tests.heic import heic
from tests.scenes import BLUE, RED, WHITE, corners, distance, encoded, scene, seen, working


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with working() as studio:
        yield studio


# Upright -------------------------------------------------------------------------------------------


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


# Small ---------------------------------------------------------------------------------------------


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


# In its colours ------------------------------------------------------------------------------------


def pixel(photo: Clean, at: tuple[int, int] = (5, 5)) -> object:
    with Image.open(io.BytesIO(photo.jpeg)) as image:
        assert image.mode == "RGB"
        return image.getpixel(at)


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


# Known again ---------------------------------------------------------------------------------------


def bits_apart(one: Clean, other: Clean) -> int:
    return (int(one.fingerprint, 16) ^ int(other.fingerprint, 16)).bit_count()


async def test_near_copies_are_near_and_others_far(studio: Studio) -> None:
    first = await studio.clean(encoded(scene((1200, 900)), "JPEG", quality=92))
    again = await studio.clean(encoded(scene((1200, 900)), "JPEG", quality=60))
    small = await studio.clean(encoded(scene((1200, 900)).resize((600, 450)), "JPEG", quality=70))
    other = await studio.clean(encoded(scene((1200, 900), seed=2), "JPEG", quality=92))
    assert len(first.fingerprint) == 64
    assert bits_apart(first, again) <= 30
    assert bits_apart(first, small) <= 30
    assert bits_apart(first, other) >= 70
