"""Voice messages: what a recording is by its first bytes, how long it is, and why one cannot be kept."""

import struct
from typing import Final

PROBLEMS: Final = ("broken", "too_big", "too_long", "wrong_kind", "missing")
"""broken: no recording that we know. wrong_kind: a film. missing: no bytes at all."""

MAX_BYTES: Final = 5 * 1024 * 1024
MAX_SECONDS: Final = 5 * 60
TYPES: Final = {
    "ogg": "audio/ogg",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "webm": "audio/webm",
    "amr": "audio/amr",
    "aac": "audio/aac",
}
"""What each kind is called on the web, by the ending of its file."""

_LOOK: Final = 4096
# https://www.rfc-editor.org/rfc/rfc7845#section-4: Opus counts 48,000 a second, whatever went in.
_OPUS_RATE: Final = 48_000
_PAGE: Final = struct.Struct("<4xBBqIIIB")
# https://www.rfc-editor.org/rfc/rfc3533#section-6: all ones where no packet ends.
_NO_END: Final = -1
# Phones and their browsers write these; HEIC pictures have brands of their own.
# https://mp4ra.org/registered-types/brands
_BRANDS: Final = (b"M4A ", b"M4B ", b"mp41", b"mp42", b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"dash")
# https://www.rfc-editor.org/rfc/rfc4867#section-5: what Zalo's accounts are sent.
_AMR: Final = (b"#!AMR\n", b"#!AMR-WB\n")
_OLD_PHONES: Final = b"3gp"
_FILMS: Final = (b"V_VP8", b"V_VP9", b"V_AV1", b"V_MPEG4")


class VoiceTrouble(Exception):
    """The voice message cannot be kept. `problem`: one of PROBLEMS."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def refused(size: int | None, seconds: int) -> str | None:
    """Why it need not even be fetched: what the platform tells of it is beyond our limits."""
    if seconds > MAX_SECONDS:
        return "too_long"
    return "too_big" if size is not None and size > MAX_BYTES else None


def checked(data: bytes) -> str:
    """The ending of the file it may be stored in. Raises VoiceTrouble."""
    if not data:
        raise VoiceTrouble("missing")
    if len(data) > MAX_BYTES:
        raise VoiceTrouble("too_big")
    ending = kind_of(data)
    if ending is None:
        raise VoiceTrouble("broken")
    if _is_film(data, ending):
        raise VoiceTrouble("wrong_kind")
    if seconds_of(data) > MAX_SECONDS:
        raise VoiceTrouble("too_long")
    return ending


def kind_of(data: bytes) -> str | None:
    """The ending that fits its first bytes (OGG with Opus or Vorbis, MP3, M4A, WebM, AMR, AAC), or None."""
    if data.startswith(b"OggS"):
        return "ogg" if b"OpusHead" in data[:_LOOK] or b"\x01vorbis" in data[:_LOOK] else None
    if data.startswith(_AMR):
        return "amr"
    if _is_adts_frame(data):
        return "aac"
    if data.startswith(b"ID3") or _is_mpeg_frame(data):
        return "mp3"
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        return "m4a" if brand in _BRANDS or brand.startswith(_OLD_PHONES) else None
    if data.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm" if b"webm" in data[:_LOOK] else None
    return None


def seconds_of(data: bytes) -> int:
    """How long it plays, where that is easily told (OGG with Opus); 0 elsewhere."""
    if not data.startswith(b"OggS") or b"OpusHead" not in data[:_LOOK]:
        return 0
    last = data.rfind(b"OggS")
    while last > 0:
        if len(data) - last >= _PAGE.size:
            _, _, granule, *_ = _PAGE.unpack_from(data, last)
            if granule != _NO_END:
                return max(0, int(granule // _OPUS_RATE))
        last = data.rfind(b"OggS", 0, last)
    return 0


def _is_mpeg_frame(data: bytes) -> bool:
    """The head of an MPEG audio frame: eleven ones, then a layer, a rate and a frequency that exist."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return False
    version, layer = data[1] >> 3 & 3, data[1] >> 1 & 3
    return version != 1 and layer != 0 and data[2] >> 4 != 15 and data[2] >> 2 & 3 != 3


def _is_adts_frame(data: bytes) -> bool:
    """Twelve ones and layer 0, as no MPEG audio frame has: what Zalo's bots are sent."""
    return len(data) > 7 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0


def _is_film(data: bytes, ending: str) -> bool:
    """Whether there are pictures in it: a film would show who filmed, and where."""
    if ending == "m4a":
        return b"vide" in data and b"vmhd" in data
    return ending == "webm" and any(
        codec in data[:_LOOK] for codec in (b"V_VP8", b"V_VP9", b"V_AV1", b"V_MPEG4")
    )
