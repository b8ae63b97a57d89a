"""The OA's uploads: pictures and documents that can be sent for a week."""

from collections.abc import Callable

from bench.standin_zalo.calls import Call, Upload
from bench.standin_zalo.errors import Refused, invalid
from bench.standin_zalo.shapes import Json
from bench.standin_zalo.world import Asset, Zalo

IMAGE_LARGEST = 1 << 20
FILE_LARGEST = 5 << 20
JPEG, PNG, PDF, OLE, ZIP = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"%PDF-", b"\xd0\xcf\x11\xe0", b"PK\x03\x04"
# What a file's name ends in, and what it must begin with.
DOCUMENTS = {".pdf": PDF, ".doc": OLE, ".docx": ZIP, ".csv": b""}


def image(zalo: Zalo, call: Call) -> Json:
    kept = _kept(zalo, call, "image", IMAGE_LARGEST, lambda file: file.data.startswith((JPEG, PNG)))
    return {"attachment_id": kept}


def gif(zalo: Zalo, call: Call) -> Json:
    kept = _kept(zalo, call, "gif", FILE_LARGEST, lambda file: file.data.startswith((b"GIF87a", b"GIF89a")))
    return {"attachment_id": kept}


def document(zalo: Zalo, call: Call) -> Json:
    return {"token": _kept(zalo, call, "file", FILE_LARGEST, _is_document)}


def _is_document(file: Upload) -> bool:
    name = file.name.lower()
    return any(name.endswith(end) and file.data.startswith(magic) for end, magic in DOCUMENTS.items())


def _kept(zalo: Zalo, call: Call, kind: str, largest: int, fits: Callable[[Upload], bool]) -> str:
    file = call.parts.get("file")
    if file is None or not file.name or not fits(file):
        raise invalid("file")
    if len(file.data) > largest:
        raise Refused(-210)
    if zalo.oa.uploads_left <= 0:
        raise Refused(-211)
    zalo.oa.uploads_left -= 1
    name = zalo.next("asset-")
    zalo.assets[name] = Asset(kind, zalo.now(), file.data if zalo.keep_files else b"")
    return name
