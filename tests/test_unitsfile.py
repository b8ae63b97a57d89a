"""A spreadsheet of units goes into commune.toml whole or not at all, and nothing else changes."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.config import load_commune
from bot.core.commune import Point
from bot.unitsfile import UnitsFileError, read_units, replace_units

ORIGINAL = (Path(__file__).parent.parent / "commune.toml").read_bytes()
HEADER = "id,name,aliases,lat,lon,polygon\n"
OUTLINE = '"POLYGON((106.38 20.97, 106.40 20.97, 106.40 20.99, 106.38 20.97))"'


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "commune.toml"
    path.write_bytes(ORIGINAL)
    return path


def sheet(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "units.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_rows_replace_units_and_nothing_else(toml: Path, tmp_path: Path) -> None:
    village = f"thon-01,Thôn Đông,xóm chùa; làng Đông,20.97,106.38,{OUTLINE}\n"
    text = f"{HEADER}{village}truong-02,Trường Mầm non A,,,,\n"
    replace_units(toml, sheet(tmp_path, text))
    unit = load_commune(toml).units["thon-01"]
    assert (unit.name, unit.aliases, unit.stand_in) == ("Thôn Đông", ("xóm chùa", "làng Đông"), False)
    assert unit.centre == Point(20.97, 106.38)
    assert unit.polygon == (Point(20.97, 106.38), Point(20.97, 106.4), Point(20.99, 106.4))
    assert unit.number == 1
    assert load_commune(toml).units["truong-02"].name == "Trường Mầm non A"
    old, new = ORIGINAL.decode(), toml.read_text()
    start = old.index('[[units]]\nid = "thon-01"')
    end = old.index('[[units]]\nid = "thon-02"')
    assert new[:start] == old[:start]
    middle = old[end : old.index('[[units]]\nid = "truong-02"')]
    assert middle in new
    assert new.endswith(old[old.index('[[units]]\nid = "truong-03"') :])


def test_again_changes_nothing(toml: Path, tmp_path: Path) -> None:
    path = sheet(tmp_path, f"{HEADER}thon-01,Thôn Đông,,20.97,106.38,\n")
    replace_units(toml, path)
    once = toml.read_bytes()
    replace_units(toml, path)
    assert toml.read_bytes() == once
    assert load_commune(toml).units["thon-01"].polygon == ()  # a made-up outline goes with the made-up centre


def test_excel(toml: Path, tmp_path: Path) -> None:
    text = 'id;name;aliases;lat;lon\r\nthon-05;Thôn Bắc;"xóm 1;xóm 2";20,97;106,38\r\n\r\n'
    replace_units(toml, sheet(tmp_path, text, "utf-8-sig"))
    unit = load_commune(toml).units["thon-05"]
    assert unit.aliases == ("xóm 1", "xóm 2")
    assert unit.centre == Point(20.97, 106.38)


def test_other_line_ends_comments_and_long_values_stay(toml: Path, tmp_path: Path) -> None:
    text = ORIGINAL.decode().replace(
        'name = "Thôn 1"\naliases = ["thon 1", "th1"]', 'name = "Thôn 1"\naliases = [\n  "a 1", # x\n]\n# giữ'
    )
    toml.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    replace_units(toml, sheet(tmp_path, f"{HEADER}thon-01,Thôn Đông,b,20.97,106.38,\n"))
    new = toml.read_bytes()
    assert new.startswith(b"\xef\xbb\xbf")
    assert b"\n" not in new.replace(b"\r\n", b"")
    assert "# giữ\r\n".encode() in new
    assert b'"a 1"' not in new


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("thon-99,X,,20.97,106.38,\n", "line 2: there is no unit 'thon-99'"),
        ("thon-01,X,,20.97,106.38,\nthon-01,Y,,20.97,106.38,\n", "line 3: thon-01 is already on line 2"),
        ("thon-01,,,20.97,106.38,\n", "line 2: name is empty"),
        (",X,,20.97,106.38,\n", "line 2: id is empty"),
        ("thon-01,X,,,,\n", "line 2: a village needs lat and lon"),
        ("thon-01,X,,20.97,,\n", "line 2: lat and lon"),
        ("thon-01,X,,106.38,20.97,\n", "line 2: 106.38, 20.97 is out of range"),
        ("thon-01,X,,north,106.38,\n", "line 2: lat 'north' is not a number"),
        ("thon-01,X,,nan,106.38,\n", "line 2: nan"),
        ("thon-01,X,,20.97,106.38,POINT(1 2)\n", "line 2: polygon"),
        ('thon-01,X,,20.97,106.38,"POLYGON((106 20, 107 20, 106 20))"\n', "line 2: polygon needs"),
        ('thon-01,X,,20.97,106.38,"POLYGON((106 20 5, 107 20, 106 21))"\n', "line 2: polygon"),
        (f"truong-01,X,,20.97,106.38,{OUTLINE}\n", "line 2: only a village"),
        ("thon-01,X,,20.97,106.38,,extra\n", "line 2: has more cells"),
        ("thon-01,Thôn 2,,20.97,106.38,\n", "already names"),
        ('thon-01,"X,,20.97,106.38,\n', "unexpected end"),
        ("", "there is no unit"),
    ],
)
def test_a_wrong_row_refuses_the_whole_file(toml: Path, tmp_path: Path, rows: str, said: str) -> None:
    good = "thon-07,Thôn Tốt,,20.97,106.38,\n" if rows else ""
    with pytest.raises(UnitsFileError) as caught:
        replace_units(toml, sheet(tmp_path, HEADER + rows + good))
    assert said in str(caught.value)
    assert toml.read_bytes() == ORIGINAL
    assert {path.name for path in tmp_path.iterdir()} == {"commune.toml", "units.csv"}


@pytest.mark.parametrize(
    "header", ["id,name\n", "id,name,aliases,lat,lon,colour\n", "id,id,name,aliases,lat,lon\n", ""]
)
def test_wrong_columns(tmp_path: Path, header: str) -> None:
    with pytest.raises(UnitsFileError, match="line 1"):
        read_units(sheet(tmp_path, header))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnitsFileError, match="cannot be read"):
        read_units(tmp_path / "units.csv")
    with pytest.raises(UnitsFileError, match="UTF-8"):
        read_units(sheet(tmp_path, HEADER + "thon-01,Thôn Đông,,,,\n", "utf-16"))


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_survives_or_is_refused(toml: Path, tmp_path: Path, name: str) -> None:
    toml.write_bytes(ORIGINAL)
    quoted = name.replace('"', '""')
    path = sheet(tmp_path, f'{HEADER}thon-01,"{quoted}",,20.97,106.38,\n')
    try:
        replace_units(toml, path)
    except UnitsFileError:
        assert toml.read_bytes() == ORIGINAL
    else:
        units = tomllib.loads(toml.read_text())["units"]
        assert units[0]["name"] == load_commune(toml).units["thon-01"].name
