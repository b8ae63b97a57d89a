"""The process that touches strangers' pictures: bytes in, a clean JPEG out, nothing else.

Run by path (`python -I photo_worker.py MEMORY SECONDS`), never imported by the bot: Pillow stays out of it.
Each photo in: u32 length, bytes. Each answer out: `ANSWER`, then the JPEG. It ends when stdin does.
"""

import ctypes
import errno
import importlib
import math
import os
import resource
import struct
import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO

import pi_heif
from PIL import Image, ImageCms, JpegImagePlugin

LENGTH = struct.Struct("!I")
# problem (empty when clean), width, height, fingerprint, lat, lon (NaN: none), worker's last answer, bytes
ANSWER = struct.Struct("!10sHH32sdd?I")
READY = b"\x01"

LONGEST = 1600
QUALITY = 82
# What a decoder holds decides: JPEG shrinks while it reads; PNG takes 4 bytes a pixel, HEIC 6, WebP 16.
PIXELS = {"JPEG": 50_000_000, "PNG": 40_000_000, "HEIF": 26_000_000, "WEBP": 12_600_000}
# A progressive JPEG keeps all its coefficients until the last scan.
COEFFICIENTS = 144 * 1024 * 1024
HEIF_BRANDS = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
)
ROWS = 32

ORIENTATION, GPS = 0x0112, 0x8825
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

RETIRE_AFTER = 200
RETIRE_ABOVE = 112 * 1024 * 1024
# For pages of the libraries that are first touched later.
SLACK = 16 * 1024 * 1024
PAGE = resource.getpagesize()


@dataclass(frozen=True, slots=True)
class Calls:
    """System call numbers of one kind of machine: four groups allowed as they are, two looked into."""

    machine: int
    memory: tuple[int, ...]
    files: tuple[int, ...]
    ends: tuple[int, ...]
    waits: tuple[int, ...]
    clone: int
    prlimit: int


# In this order: mmap mprotect munmap brk mremap madvise rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack;
# read write close fstat poll lseek pread64 sched_yield getpid gettid; exit exit_group gettimeofday getrusage
# getrlimit setrlimit prctl; futex sched_getaffinity restart_syscall clock_gettime clock_nanosleep
# set_robust_list getrandom rseq.
CALLS = {
    "x86_64": Calls(
        machine=0xC000003E,
        memory=(9, 10, 11, 12, 25, 28, 13, 14, 15, 131),
        files=(0, 1, 3, 5, 7, 8, 17, 24, 39, 186),
        ends=(60, 231, 96, 98, 97, 160, 157),
        waits=(202, 204, 219, 228, 230, 273, 318, 334),
        clone=56,
        prlimit=302,
    ),
    "aarch64": Calls(
        machine=0xC00000B7,
        memory=(222, 226, 215, 214, 216, 233, 134, 135, 139, 132),
        files=(63, 64, 57, 80, 73, 62, 67, 124, 172, 178),
        ends=(93, 94, 169, 165, 163, 164, 167),
        waits=(98, 123, 128, 113, 115, 99, 278, 293),
        clone=220,
        prlimit=261,
    ),
}
CLONE3, CLONE_THREAD = 435, 0x10000


class Refused(Exception):
    """`problem`: a word of bot.photos.PROBLEMS."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture whose header was read. `pixels` decodes to a small one; `exif` and `icc` are for us alone."""

    exif: Image.Exif
    icc: bytes | None
    pixels: Callable[[], Image.Image]


def clean(source: BytesIO) -> tuple[bytes, int, int, bytes, float, float]:
    """JPEG, width, height, fingerprint, lat, lon (NaN: unknown). Refused, or whatever a decoder raises."""
    opened = _open(source)
    lat, lon = gps(opened.exif)
    small = _srgb(opened.pixels(), opened.icc)
    small = small.resize(fitted(small.size), Image.Resampling.BICUBIC)
    turn = TURNS.get(orientation(opened.exif))
    fresh = _fresh(small.transpose(turn) if turn is not None else small)
    out = BytesIO()
    fresh.save(out, "JPEG", quality=QUALITY)
    return out.getvalue(), fresh.width, fresh.height, dhash(fresh), lat, lon


def fitted(size: tuple[int, int]) -> tuple[int, int]:
    """The size with its longest side at most LONGEST, never enlarged."""
    longest = max(size)
    if longest <= LONGEST:
        return size
    width, height = (max(1, round(side * LONGEST / longest)) for side in size)
    return width, height


def orientation(exif: Image.Exif) -> int:
    value = exif.get(ORIENTATION)
    return value if isinstance(value, int) else 1


def gps(exif: Image.Exif) -> tuple[float, float]:
    """Degrees, or two NaN: half a place, an impossible one and 0,0 (a phone without a fix) are no place."""
    nowhere = (math.nan, math.nan)
    try:
        block = exif.get_ifd(GPS)
        lat, lon = _degrees(block[2], block[1], "N", "S"), _degrees(block[4], block[3], "E", "W")
    except Exception:  # a broken GPS block is only a photo without a place
        return nowhere
    possible = abs(lat) <= 90 and abs(lon) <= 180 and (lat, lon) != (0.0, 0.0)
    return (lat, lon) if possible else nowhere


def _degrees(parts: Iterable[float], reference: str | bytes, positive: str, negative: str) -> float:
    """ValueError when it is not three sane numbers and a side of the world (0/0 reads as NaN)."""
    degrees, minutes, seconds = (float(part) for part in parts)
    if not (degrees >= 0 and 0 <= minutes < 60 and 0 <= seconds < 60):
        raise ValueError("degrees, minutes, seconds")
    letter = (reference.decode("ascii") if isinstance(reference, bytes) else reference).strip("\0 ").upper()
    sign = {positive: 1, negative: -1}[letter]
    return sign * (degrees + minutes / 60 + seconds / 3600)


def dhash(image: Image.Image) -> bytes:
    """256 bits: is each of 16x16 cells brighter than its right neighbour. Near copies differ in few bits."""
    grey = image.convert("L").resize((17, 16), Image.Resampling.LANCZOS, reducing_gap=3.0).tobytes()
    bits = 0
    for row in range(0, 17 * 16, 17):
        for at in range(row, row + 16):
            bits = bits << 1 | (grey[at] > grey[at + 1])
    return bits.to_bytes(32, "big")


def _open(source: BytesIO) -> Opened:
    match kind(source.read(12)):
        case "JPEG":
            return _open_jpeg(source)
        case "HEIF":
            return _open_heif(source)
        case other:
            return _open_whole(source, other)


def kind(start: bytes) -> str:
    """By the first bytes, never by a name or a claimed type. Refused when it is not one of ours."""
    if start.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if start[:4] == b"RIFF" and start[8:] == b"WEBP":
        return "WEBP"
    if start[4:8] == b"ftyp" and start[8:] in HEIF_BRANDS:
        return "HEIF"
    raise Refused("wrong_kind")


def _header(source: BytesIO, form: str) -> Image.Image:
    # Pillow refuses above twice its limit, and before a decoder makes room for the picture.
    Image.MAX_IMAGE_PIXELS = PIXELS[form] // 2
    return Image.open(source, formats=[form])


def _open_jpeg(source: BytesIO) -> Opened:
    image = _header(source, "JPEG")
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        raise Refused("broken")
    if image.info.get("progressive") and _coefficients(image) > COEFFICIENTS:
        raise Refused("too_big")
    # Both sides must still cover the target, so the true target is asked for, not a square.
    image.draft("RGB", fitted(image.size))
    return Opened(_exif(image), image.info.get("icc_profile"), lambda: _loaded(image))


def _coefficients(image: JpegImagePlugin.JpegImageFile) -> int:
    """Bytes: two for each sample of each component."""
    factors = [(across, down) for _, across, down, _ in image.layer]
    whole = max(across for across, _ in factors) * max(down for _, down in factors)
    return 2 * image.width * image.height * sum(across * down for across, down in factors) // max(1, whole)


def _open_whole(source: BytesIO, form: str) -> Opened:
    image = _header(source, form)
    if form == "WEBP":  # its decoder took a copy, and needs all the room there is
        source.seek(0)
        source.truncate()

    def pixels() -> Image.Image:
        image.load()
        return banded(image.size, lambda top, bottom: image.crop((0, top, image.width, bottom)))

    return Opened(_exif(image), image.info.get("icc_profile"), pixels)


def _open_heif(source: BytesIO) -> Opened:
    file = pi_heif.open_heif(source.getvalue())
    image = file[file.primary_index]
    _few_enough(image.size)
    info = image.info
    # The decoder has already turned it; this sets the EXIF orientation to 1 as Pillow's own opener would.
    pi_heif.set_orientation(info)
    exif = Image.Exif()
    with suppress(Exception):
        exif.load(info.get("exif") or b"")

    def pixels() -> Image.Image:
        rows, stride, mode = memoryview(image.data), image.stride, image.mode
        width = image.size[0]
        _few_enough(image.size)

        def band(top: int, bottom: int) -> Image.Image:
            return Image.frombytes(
                mode, (width, bottom - top), rows[top * stride : bottom * stride], "raw", mode, stride
            )

        return banded(image.size, band)

    return Opened(exif, info.get("icc_profile"), pixels)


def _few_enough(size: tuple[int, int]) -> None:
    if size[0] * size[1] > PIXELS["HEIF"]:
        raise Refused("too_big")


def _exif(image: Image.Image) -> Image.Exif:
    try:
        return image.getexif()
    except Exception:  # unreadable EXIF is no EXIF; the picture is still a picture
        return Image.Exif()


def _loaded(image: Image.Image) -> Image.Image:
    image.load()
    return image


def banded(size: tuple[int, int], band: Callable[[int, int], Image.Image]) -> Image.Image:
    """On white, in RGB, reduced by a whole factor towards LONGEST; row by row, so no second full copy."""
    width, height = size
    factor = max(1, max(size) // LONGEST)
    out = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for top in range(0, height, factor * ROWS):
        piece = _on_white(band(top, min(height, top + factor * ROWS)))
        out.paste(piece.reduce(factor), (0, top // factor))
    return out


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey: convert() alone would clip them to white
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image)
    return white


def _srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """RGB as screens expect it: wide-gamut and CMYK photos lose their profile, so their pixels must move."""
    if icc and b"sRGB" not in icc and "sRGB".encode("utf-16-be") not in icc:
        with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            profile = ImageCms.ImageCmsProfile(BytesIO(icc))
            moved = ImageCms.profileToProfile(image, profile, SRGB, outputMode="RGB")
            return moved if moved is not None else image.convert("RGB")
    return image.convert("RGB")


def _fresh(image: Image.Image) -> Image.Image:
    """The pixels alone: `save` would carry a comment or a profile over from `info`."""
    fresh = Image.new("RGB", image.size)
    fresh.paste(image)
    return fresh


SRGB = ImageCms.createProfile("sRGB")


def answer(source: BytesIO) -> tuple[str, tuple[bytes, int, int, bytes, float, float]]:
    """A problem word ("" when clean) and what `clean` made. Nothing a picture does gets past here."""
    nothing = (b"", 0, 0, bytes(32), math.nan, math.nan)
    try:
        return "", clean(source)
    except Refused as refused:
        return refused.problem, nothing
    except (MemoryError, Image.DecompressionBombError):
        return "too_big", nothing
    except Exception:  # decoders raise everything from OSError to struct.error; all of it means this
        return "broken", nothing


def warm_up() -> None:
    """Load what Pillow loads lazily: afterwards no file can be opened any more."""
    Image.preinit()
    for name in ("MpoImagePlugin", "PngImagePlugin", "TiffImagePlugin", "WebPImagePlugin"):
        importlib.import_module(f"PIL.{name}")
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    for form in ("JPEG", "PNG", "WEBP"):
        out = BytesIO()
        Image.new("RGBA" if form != "JPEG" else "RGB", (40, 20)).save(out, form, exif=exif)
        clean(BytesIO(out.getvalue()))
    answer(BytesIO(b"\0\0\0\x18ftypheic" + bytes(40)))
    _srgb(Image.new("RGB", (4, 4)), ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes())


def lock_down(memory: int) -> None:
    """From here on: no new file or socket, no writing to files, no child, no more than `memory` bytes.

    The address space may grow by what is left between the pages in use now and `memory`, so what
    is merely mapped (Python itself, the decoders) is not counted against the photo.
    """
    mapped, used = usage()
    room = mapped + memory - used - SLACK
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    if not refuse_system_calls():
        sys.stderr.write("photo worker: no system call filter here, only limits\n")


def refuse_system_calls() -> bool:
    """From here on only what decoding needs; anything else fails with EPERM. False where there is no filter.

    https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html
    """
    machine = os.uname().machine
    if machine not in CALLS:
        return False
    program = filter_program(CALLS[machine])
    code = ctypes.create_string_buffer(program, len(program))
    header = Program(len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_filter = 38, 22
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0:
        return False
    return int(libc.prctl(set_filter, 2, ctypes.byref(header), 0, 0)) == 0


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def filter_program(calls: Calls) -> bytes:
    load, equal, mask, give = 0x20, 0x15, 0x54, 0x06
    allow, refuse, absent = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
    number, machine, first_argument = 0, 4, 16
    steps = [(load, 0, 0, machine), (equal, 1, 0, calls.machine), (give, 0, 0, refuse), (load, 0, 0, number)]
    for call in (*calls.memory, *calls.files, *calls.ends, *calls.waits):
        steps += [(equal, 0, 1, call), (give, 0, 0, allow)]
    # Threads yes, processes no (glibc asks clone3 first); limits of our own, not the bot's.
    steps += [(equal, 0, 1, CLONE3), (give, 0, 0, absent)]
    for call, bits, wanted in ((calls.clone, CLONE_THREAD, CLONE_THREAD), (calls.prlimit, 0xFFFFFFFF, 0)):
        steps += [(equal, 0, 5, call), (load, 0, 0, first_argument), (mask, 0, 0, bits)]
        steps += [(equal, 0, 1, wanted), (give, 0, 0, allow), (give, 0, 0, refuse)]
    steps.append((give, 0, 0, refuse))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def usage() -> tuple[int, int]:
    """Bytes mapped and bytes in use."""
    mapped, used = os.pread(STATM, 100, 0).split()[:2]
    return int(mapped) * PAGE, int(used) * PAGE


def allow_time(seconds: float) -> None:
    """CPU seconds from now; the kernel ends the process should the parent be gone and a decoder spin."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(spent.ru_utime + spent.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def serve(memory: int, seconds: float) -> None:
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    warnings.simplefilter("ignore")
    # One decoder thread: threads are slower to account for, and each maps room of its own.
    pi_heif.options.DECODE_THREADS = 1
    pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = pi_heif.options.AUX_IMAGES = False
    warm_up()
    lock_down(memory)
    sink.write(READY)
    sink.flush()
    served = 0
    while len(head := source.read(LENGTH.size)) == LENGTH.size:
        allow_time(seconds)
        problem, (jpeg, width, height, mark, lat, lon) = answer(BytesIO(source.read(LENGTH.unpack(head)[0])))
        served += 1
        last = served >= RETIRE_AFTER or usage()[1] > RETIRE_ABOVE
        sink.write(ANSWER.pack(problem.encode(), width, height, mark, lat, lon, last, len(jpeg)) + jpeg)
        sink.flush()


if __name__ == "__main__":
    STATM = os.open("/proc/self/statm", os.O_RDONLY)
    serve(int(sys.argv[1]), float(sys.argv[2]))
