"""Writes small but real HEIC files: HEVC with every block as plain samples (PCM), so no encoder is needed.

ITU-T H.265 (7.3 syntax, 9.3 arithmetic coding) and ISO/IEC 23008-12 (boxes). One intra picture of
32x32 blocks. In a stream of nothing but PCM blocks the arithmetic coder says one thing for each block, in
nine bits that depend only on how many blocks went before, so the coder is a table.
"""

import re
import struct

from PIL import Image

BLOCK = 32
# Pixels: decoders refuse a NAL unit of many megabytes.
SLICE = 16 * BLOCK
# Table 9-52, rangeTabLps, the column of the widest ranges: what is left of the range as the coder grows sure.
UNLIKELY = bytes.fromhex(
    "f0e3d8cdc3b9afa69e968e87807a746e68635e5955504c4845413e3b38353230"
    "2d2b29272523211f1e1c1b19181716151413121110 0f0e0e0d0c0c0b0b0a09"
)


class Bits:
    def __init__(self) -> None:
        self.text = ""

    def u(self, width: int, *values: int) -> "Bits":
        self.text += "".join(f"{value:0{width}b}" for value in values)
        return self

    def ue(self, *values: int) -> "Bits":
        """Exp-Golomb; 0 is also the signed 0."""
        for value in values:
            code = f"{value + 1:b}"
            self.text += "0" * (len(code) - 1) + code
        return self

    def end(self) -> bytes:
        """A one, and zeros up to the next byte."""
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big")


def heic(image: Image.Image, *, exif: bytes = b"", quarter_turns: int = 0, depth: int = 8) -> bytes:
    """Sides: multiples of 32. `quarter_turns`: an irot box, anticlockwise; `depth`: bits kept of a sample."""
    width, height = image.size
    parameters = [_nal(32, _vps()), _nal(33, _sps(width, height, depth)), _nal(34, _pps())]
    pixels = image.convert("YCbCr")
    slices = [_nal(19, _slice(pixels, top, depth)) for top in range(0, height, SLICE)]
    picture = b"".join(struct.pack(">I", len(nal)) + nal for nal in slices)
    items = [picture] + ([struct.pack(">I", 0) + exif] if exif else [])
    return _boxes(width, height, parameters, items, quarter_turns)


def _nal(kind: int, payload: bytes) -> bytes:
    return bytes((kind << 1, 1)) + re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", payload)


def _level(bits: Bits) -> Bits:
    """profile_tier_level: Main Still Picture, level 6."""
    return bits.u(8, 3).u(32, 0x70000000).u(4, 0b1001).u(44, 0).u(8, 180)


def _vps() -> bytes:
    bits = Bits().u(4, 0).u(2, 3).u(6, 0).u(3, 0).u(1, 1).u(16, 0xFFFF)
    return _level(bits).u(1, 1).ue(0, 0, 0).u(6, 0).ue(0).u(1, 0, 0).end()


def _sps(width: int, height: int, depth: int) -> bytes:
    bits = _level(Bits().u(4, 0).u(3, 0).u(1, 1)).ue(0, 1, width, height).u(1, 0).ue(0, 0, 0)
    # Ordering; coding blocks of exactly 32; transforms 4 to 32; no scaling list, AMP or SAO.
    bits.u(1, 1).ue(0, 0, 0).ue(2, 0, 0, 3, 0, 0).u(1, 0, 0, 0)
    # PCM of exactly 32, not smoothed afterwards.
    bits.u(1, 1).u(4, depth - 1, depth - 1).ue(2, 0).u(1, 1)
    return bits.ue(0).u(1, 0, 0, 0, 0, 0).end()


def _pps() -> bytes:
    bits = Bits().ue(0, 0).u(1, 0, 0).u(3, 0).u(1, 0, 0).ue(0, 0, 0).u(1, 0, 0, 0).ue(0, 0)
    return bits.u(1, *[0] * 10).ue(0).u(1, 0, 0).end()


def _slice(image: Image.Image, top: int, depth: int) -> bytes:
    header = Bits().u(1, top == 0, 0).ue(0)
    if top:
        across, down = image.width // BLOCK, image.height // BLOCK
        header.u((across * down - 1).bit_length(), top // BLOCK * across)
    rows = image.crop((0, top, image.width, min(image.height, top + SLICE)))
    return header.ue(2, 0).end() + b"".join(_blocks(rows, depth))


def _blocks(image: Image.Image, depth: int) -> list[bytes]:
    luma, blue, red = image.split()
    half = (image.width // 2, image.height // 2)
    planes = ((luma, BLOCK), (blue.resize(half), BLOCK // 2), (red.resize(half), BLOCK // 2))
    out = []
    for count, (y, x) in enumerate(
        (y, x) for y in range(image.height // BLOCK) for x in range(image.width // BLOCK)
    ):
        wide = 510 if count == 0 else 508
        word = (wide - UNLIKELY[min(count, 62)] - 2) | 1
        out.append(struct.pack(">H", word << 7))
        for plane, side in planes:
            out.append(_samples(plane.crop((x * side, y * side, (x + 1) * side, (y + 1) * side)), depth))
    return [*out, struct.pack(">H", 509 << 7)]


def _samples(block: Image.Image, depth: int) -> bytes:
    if depth == 8:
        return block.tobytes()
    assert depth == 4
    text = block.tobytes().hex()[::2]
    return bytes.fromhex(text)


def _box(kind: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind.encode()) + body


def _full(kind: str, *parts: bytes, version: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24), *parts)


def _boxes(width: int, height: int, parameters: list[bytes], items: list[bytes], turns: int) -> bytes:
    brands = _box("ftyp", b"heic", bytes(4), b"mif1heic")
    # The boxes are as long wherever the items lie.
    start = len(brands) + len(_meta(width, height, parameters, items, turns, 0)) + 8
    return brands + _meta(width, height, parameters, items, turns, start) + _box("mdat", *items)


def _meta(
    width: int, height: int, parameters: list[bytes], items: list[bytes], turns: int, start: int
) -> bytes:
    kinds = (b"hvc1", b"Exif")[: len(items)]
    entries = [
        _full("infe", struct.pack(">HH4sB", number, 0, kind, 0), version=2)
        for number, kind in enumerate(kinds, 1)
    ]
    places, at = [], start
    for number, item in enumerate(items, 1):
        places.append(struct.pack(">HHHII", number, 0, 1, at, len(item)))
        at += len(item)
    about = [_box("cdsc", struct.pack(">HHH", 2, 1, 1))] if len(items) == 2 else []
    properties = [_configuration(parameters), _full("ispe", struct.pack(">II", width, height))]
    # sRGB, BT.601, full range
    properties += [_box("colr", b"nclx", struct.pack(">HHHB", 1, 13, 6, 0x80))]
    properties += [_box("irot", bytes((turns,)))] if turns else []
    links = bytes(0x80 | number for number in range(1, len(properties) + 1))
    return _full(
        "meta",
        _full("hdlr", bytes(4), b"pict", bytes(13)),
        _full("pitm", struct.pack(">H", 1)),
        _full("iinf", struct.pack(">H", len(entries)), *entries),
        *([_full("iref", *about)] if about else []),
        _box(
            "iprp",
            _box("ipco", *properties),
            _full("ipma", struct.pack(">IHB", 1, 1, len(links)), links),
        ),
        _full("iloc", b"\x44\x00", struct.pack(">H", len(items)), *places),
    )


def _configuration(parameters: list[bytes]) -> bytes:
    fixed = struct.pack(
        ">BBIIHBHBBBBHBB", 1, 3, 0x70000000, 0x90000000, 0, 180, 0xF000, 0xFC, 0xFD, 0xF8, 0xF8, 0, 0x0F, 3
    )
    arrays = [struct.pack(">BHH", 0x80 | nal[0] >> 1, 1, len(nal)) + nal for nal in parameters]
    return _box("hvcC", fixed, *arrays)
