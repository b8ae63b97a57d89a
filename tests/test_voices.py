"""A recording is known by its first bytes, and what is none, is a film or is too much is refused."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import voices
from bot.voices import MAX_BYTES, MAX_SECONDS, VoiceTrouble, checked, kind_of, refused, seconds_of
from tests.paper import spoken_ogg

MP3 = b"\xff\xfb\x90\x64" + bytes(400)
TAGGED_MP3 = b"ID3\x04\x00\x00" + bytes(40) + MP3
WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm" + b"\x86\x86A_OPUS" + bytes(40)


def mp4(brand: bytes, handler: bytes = b"soun", header: bytes = b"smhd") -> bytes:
    """The head of an MPEG-4 file, and the words of its first track."""
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(12) + b"moov" + handler + header


@pytest.mark.parametrize(
    ("data", "ending"),
    [
        (spoken_ogg(7), "ogg"),
        (b"OggS" + bytes(24) + b"\x01vorbis" + bytes(20), "ogg"),
        (MP3, "mp3"),
        (TAGGED_MP3, "mp3"),
        (mp4(b"M4A "), "m4a"),
        (mp4(b"mp42"), "m4a"),
        (mp4(b"3gp4"), "m4a"),
        (WEBM, "webm"),
    ],
)
def test_what_phones_record_is_kept(data: bytes, ending: str) -> None:
    assert checked(data) == ending
    assert ending in voices.TYPES


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "missing"),
        (b"no recording", "broken"),
        (b"\xff\xd8\xff\xe0" + bytes(40), "broken"),  # JPEG
        (mp4(b"heic"), "broken"),
        (mp4(b"avif"), "broken"),
        (b"OggS" + bytes(24) + b"\x80theora" + bytes(20), "broken"),
        (b"RIFF\0\0\0\0WAVE", "broken"),
        (mp4(b"isom", b"vide", b"vmhd"), "wrong_kind"),
        (WEBM + b"\x86\x85V_VP8", "wrong_kind"),
        (spoken_ogg(MAX_SECONDS + 1), "too_long"),
        (spoken_ogg(9) + bytes(MAX_BYTES), "too_big"),
    ],
)
def test_what_is_none_is_refused_with_its_reason(data: bytes, problem: str) -> None:
    with pytest.raises(VoiceTrouble) as trouble:
        checked(data)
    assert trouble.value.problem == problem
    assert problem in voices.PROBLEMS


@pytest.mark.parametrize("seconds", [0, 1, 20, MAX_SECONDS])
def test_ogg_tells_how_long_it_plays(seconds: int) -> None:
    assert seconds_of(spoken_ogg(seconds)) == seconds
    assert checked(spoken_ogg(seconds)) == "ogg"


def test_a_page_without_an_end_of_packet_is_passed_over() -> None:
    unfinished = struct.pack("<4sBBqIIIBB", b"OggS", 0, 0, -1, 7, 2, 0, 1, 4) + bytes(4)
    assert seconds_of(spoken_ogg(20) + unfinished) == 20


@given(st.binary(max_size=300), st.integers(0, 200))
def test_no_bytes_do_harm(noise: bytes, cut: int) -> None:
    for data in (noise, spoken_ogg(7)[:cut] + noise, mp4(b"M4A ")[:cut] + noise, WEBM[:cut] + noise):
        assert seconds_of(data) >= 0
        assert kind_of(data) in (None, *voices.TYPES)


def test_what_the_platform_tells_is_believed_before_anything_is_fetched() -> None:
    assert refused(None, 0) is None
    assert refused(MAX_BYTES, MAX_SECONDS) is None
    assert refused(MAX_BYTES + 1, 20) == "too_big"
    assert refused(None, MAX_SECONDS + 1) == "too_long"
