"""The parts of an answer that every page of ours needs: headers, files of the look, villages, recordings."""

from pathlib import Path
from typing import Any, Final

from aiohttp import web

from bot import voices
from bot.core.commune import Commune, Point

HERE: Final = Path(__file__).parent
KINDS: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FILES: Final = {path.name: path.read_bytes() for path in HERE.iterdir() if path.suffix in KINDS}
"""What the pages have in common, by name."""

# https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
CAREFUL: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def careful(response: web.StreamResponse) -> None:
    """Nothing from elsewhere, nothing kept, nothing told, unless the answer already says otherwise."""
    for name, value in CAREFUL.items():
        response.headers.setdefault(name, value)


def file_response(name: str, data: bytes) -> web.Response:
    """One of the files that make the look; its ending says what it is."""
    return web.Response(body=data, content_type=KINDS[Path(name).suffix], charset="utf-8")


def villages_of(commune: Commune) -> list[dict[str, Any]]:
    """What the map draws."""
    return [
        {
            "id": unit.id,
            "name": unit.name,
            "number": unit.number,
            "centre": None if unit.centre is None else _pair(unit.centre),
            "polygon": [_pair(corner) for corner in unit.polygon],
        }
        for unit in commune.villages
    ]


def _pair(point: Point) -> tuple[float, float]:
    return point.lat, point.lon


def played(request: web.Request, data: bytes, ending: str, disposition: str) -> web.Response:
    """A recording, or the piece of it that a player asks for: some play nothing from a server that cannot.

    https://developer.mozilla.org/docs/Web/HTTP/Guides/Range_requests
    """
    headers = {
        "Content-Disposition": f'{disposition}; filename="loi.{ending}"',
        "Accept-Ranges": "bytes",
    }
    start, stop = _range(request, len(data))
    if (start, stop) == (0, len(data)):
        return web.Response(body=data, content_type=voices.TYPES[ending], headers=headers)
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return web.Response(body=data[start:stop], status=206, content_type=voices.TYPES[ending], headers=headers)


def _range(request: web.Request, size: int) -> tuple[int, int]:
    """What is asked for, in bytes; everything when it is asked for in another way."""
    try:
        start, stop, _ = request.http_range.indices(size)
    except ValueError:
        return 0, size
    return (start, stop) if start < stop else (0, size)
