"""Real names and outlines of the units, from a spreadsheet into commune.toml, leaving all else as it was."""

import contextlib
import csv
import io
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bot.config import ConfigError, parse_commune
from bot.core.commune import Point
from bot.core.places import valid
from bot.core.text import clean

COLUMNS: Final = ("id", "name", "aliases", "lat", "lon", "polygon")
_REPLACED: Final = ("name", "aliases", "centre", "polygon", "stand_in")
_OUTLINE: Final = re.compile(r"\s*POLYGON\s*\(\s*\(([^()]*)\)\s*\)\s*", re.IGNORECASE)
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


class UnitsFileError(Exception):
    """The spreadsheet was refused whole; the message has one sentence for each line that is wrong."""


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One line of the spreadsheet."""

    line: int
    id: str
    name: str
    aliases: tuple[str, ...]
    centre: Point | None
    polygon: tuple[Point, ...]


def _number(text: str, what: str) -> float:
    # a spreadsheet with Vietnamese settings writes 20,98
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise ValueError(f"{what} {text!r} is not a number") from None


def _point(lat: str, lon: str) -> Point:
    point = valid(_number(lat, "lat"), _number(lon, "lon"))
    if point is None:
        raise ValueError(f"{lat}, {lon} is out of range (latitude first, then longitude)")
    return point


def _outline(text: str) -> tuple[Point, ...]:
    if not text:
        return ()
    if not (found := _OUTLINE.fullmatch(text)):
        raise ValueError("polygon is not of the form POLYGON((lon lat, lon lat, …))")
    corners = []
    for pair in found[1].split(","):
        parts = pair.split()
        if len(parts) != 2:
            raise ValueError(f"polygon: {pair.strip()!r} is not a longitude and a latitude")
        corners.append(_point(parts[1], parts[0]))
    if corners[0] == corners[-1]:
        corners.pop()
    if len(set(corners)) < 3:
        raise ValueError("polygon needs at least 3 different points")
    return tuple(corners)


def _row(line: int, cells: Mapping[str, str]) -> UnitRow:
    if not cells["id"]:
        raise ValueError("id is empty")
    if not cells["name"]:
        raise ValueError("name is empty")
    if bool(cells["lat"]) != bool(cells["lon"]):
        raise ValueError("lat and lon are given together or not at all")
    aliases = tuple(dict.fromkeys(alias.strip() for alias in cells["aliases"].split(";") if alias.strip()))
    centre = _point(cells["lat"], cells["lon"]) if cells["lat"] else None
    return UnitRow(line, cells["id"], cells["name"], aliases, centre, _outline(cells["polygon"]))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UnitsFileError(f"{path.name}: cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UnitsFileError(f"{path.name}: is not UTF-8; save it as “CSV UTF-8”.") from None


def _header(cells: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    missing = [name for name in COLUMNS if name not in names and name != "polygon"]
    unknown = [name for name in names if name not in COLUMNS and name]
    if missing or unknown or len(set(names)) != len(names):
        wrong = "; ".join(
            said
            for said, names_ in (
                ("missing " + ", ".join(missing), missing),
                ("unknown " + ", ".join(unknown), unknown),
            )
            if names_
        )
        raise UnitsFileError(
            f"line 1: the columns must be {','.join(COLUMNS)} ({wrong or 'one is there twice'})."
        )
    return names


def read_units(csv_path: Path) -> tuple[UnitRow, ...]:
    """The rows of a spreadsheet saved as CSV; refused whole when one of them is wrong."""
    text = _text(csv_path)
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True)
    rows: list[UnitRow] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    try:
        names = _header(next(reader, []))
        for cells in reader:
            line = reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(names) and any(cells[len(names) :]):
                problems.append(f"line {line}: has more cells than the first line")
                continue
            filled = dict.fromkeys(COLUMNS, "") | {
                name: " ".join(clean(cell).split()) for name, cell in zip(names, cells, strict=False) if name
            }
            try:
                row = _row(line, filled)
            except ValueError as error:
                problems.append(f"line {line}: {error}")
                continue
            if row.id in seen:
                problems.append(f"line {line}: {row.id} is already on line {seen[row.id]}")
            seen.setdefault(row.id, line)
            rows.append(row)
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: {error}")
    if not rows and not problems:
        problems.append("line 1: there is no unit below it")
    if problems:
        raise UnitsFileError("\n".join(f"{problem}." for problem in problems))
    return tuple(rows)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _pair(point: Point) -> str:
    return f"[{point.lat!r}, {point.lon!r}]"


def _lines_for(row: UnitRow, end: str) -> dict[str, str]:
    """The new lines of a block, by key; a key that is not there goes away."""
    lines = {"name": f"name = {_quoted(row.name)}{end}"}
    if row.aliases:
        lines["aliases"] = f"aliases = [{', '.join(map(_quoted, row.aliases))}]{end}"
    if row.centre:
        lines["centre"] = f"centre = {_pair(row.centre)}{end}"
    if row.polygon:
        lines["polygon"] = f"polygon = [{', '.join(map(_pair, row.polygon))}]{end}"
    return lines


def _entries(lines: Sequence[str]) -> Iterator[tuple[str | None, str]]:
    """The lines of a block, those of one value together, with the key they set."""
    at = 0
    while at < len(lines):
        key = _KEY.match(lines[at])
        end = at + 1
        while key and end < len(lines) and not _is_toml("".join(lines[at:end])):
            end += 1
        yield key[1] if key else None, "".join(lines[at:end])
        at = end


def _is_toml(text: str) -> bool:
    with contextlib.suppress(tomllib.TOMLDecodeError):
        tomllib.loads(text)
        return True
    return False


def _rewritten(block: str, row: UnitRow) -> str:
    lines = block.splitlines(keepends=True)
    end = "\r\n" if lines[0].endswith("\r\n") else "\n"
    new = _lines_for(row, end)
    out: list[str] = []
    for key, text in _entries(lines):
        if key not in _REPLACED:
            out.append(text)
        elif key == "name":  # all that is new goes where the name stood
            out += new.values()
    return "".join(out)


def _blocks(text: str) -> Iterator[str]:
    """The file, cut before every line that begins a table."""
    starts = [0, *(match.start() for match in re.finditer(r"(?m)^[ \t]*\[\[?[A-Za-z]", text))]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        if start < end:
            yield text[start:end]


def _id_of(block: str) -> str | None:
    if not block.lstrip(" \t").startswith("[[units]]"):
        return None
    try:
        units = tomllib.loads(block).get("units", [{}])
    except tomllib.TOMLDecodeError:
        return None
    return str(units[0].get("id"))


def _wanted(values: dict[str, Any], rows: Mapping[str, UnitRow]) -> dict[str, Any]:
    """What the new file must say, as data."""
    units = []
    for unit in values["units"]:
        row = rows.get(unit["id"])
        kept = unit if row is None else {key: value for key, value in unit.items() if key not in _REPLACED}
        units.append(kept if row is None else kept | tomllib.loads("".join(_lines_for(row, "\n").values())))
    return values | {"units": units}


def _check(rows: Sequence[UnitRow], kinds: Mapping[str, str]) -> None:
    problems = []
    for row in rows:
        if row.id not in kinds:
            problems.append(f"line {row.line}: there is no unit {row.id!r}.")
        elif kinds[row.id] == "village" and row.centre is None:
            problems.append(f"line {row.line}: a village needs lat and lon.")
        elif kinds[row.id] != "village" and row.polygon:
            problems.append(f"line {row.line}: only a village has an outline.")
    if problems:
        raise UnitsFileError("\n".join(problems))


def _write(path: Path, data: bytes) -> None:
    """All or nothing, also when the power goes."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(path.stat().st_mode & 0o777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def replace_units(commune_toml: Path, units_csv: Path) -> None:
    """Put the rows of a spreadsheet into the commune's file; on any problem nothing is written."""
    path = commune_toml.resolve()  # a link stays a link
    rows = {row.id: row for row in read_units(units_csv)}
    raw = path.read_bytes()
    bom = b"\xef\xbb\xbf" if raw.startswith(b"\xef\xbb\xbf") else b""
    text = raw[len(bom) :].decode()
    commune = parse_commune(text, path.name)
    _check(list(rows.values()), {unit.id: unit.kind for unit in commune.units.values()})
    blocks = [
        _rewritten(block, rows[unit]) if (unit := _id_of(block)) in rows else block for block in _blocks(text)
    ]
    new = "".join(blocks)
    try:
        parse_commune(new, path.name)
        as_meant = tomllib.loads(new) == _wanted(tomllib.loads(text), rows)
    except ConfigError as error:
        raise UnitsFileError(f"{units_csv.name} does not fit: {error}") from None
    if not as_meant:
        raise UnitsFileError(f"{path.name}: each unit must be its own [[units]] block to be replaced.")
    _write(path, bom + new.encode())
