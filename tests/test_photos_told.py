"""What a photo tells besides its pixels: the place is read when it makes sense, and none of it is kept."""

import io
import struct
from collections.abc import AsyncIterator

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from bot.photos import Studio
from tests.heic import heic
from tests.scenes import MARK, corners, encoded, marked_exif, working


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with working() as studio:
        yield studio


# Place ---------------------------------------------------------------------------------------------


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


# Nothing but pixels --------------------------------------------------------------------------------


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


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + jpeg[2:]


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
