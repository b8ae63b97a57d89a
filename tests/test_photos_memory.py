"""The largest photos that people send fit into the memory there is."""

import os
from collections.abc import AsyncIterator, Callable

import pytest
from PIL import Image

from bot.photos import Studio
from tests.heic import heic
from tests.scenes import MB, encoded, memory, peak, scene, working


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with working() as studio:
        yield studio


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
