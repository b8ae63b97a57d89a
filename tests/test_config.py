"""A wrong setting or a wrong commune stops the start with a sentence that names it."""

import os
import re
from datetime import date, time
from pathlib import Path

import pytest

from bot.config import ConfigError, load_commune, parse_commune
from bot.settings import Settings, load_settings

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "commune.toml").read_text()


def test_an_phu() -> None:
    commune = load_commune(ROOT / "commune.toml")
    assert commune.prefix == "AP"
    assert len(commune.villages) == 20
    assert sum(unit.kind == "school" for unit in commune.units.values()) == 12
    assert commune.fields["order"].ack_from == time(6)
    assert commune.fields["order"].ack_to == time(22)
    assert commune.desk_of(commune.categories["litter"], "thon-03") == "thon-03"
    assert commune.desk_of(commune.categories["litter"], None) == "ubnd"
    assert commune.desk_of(commune.categories["parking"], "thon-03") == "cong-an"
    assert commune.told_of(commune.categories["parking"], "thon-03") == ("thon-03",)
    assert commune.units["thon-03"].number == 3
    assert commune.plan.exempt == {"school": frozenset({"5-6"})}
    assert commune.plan.indicators["trees"].target == 10_000
    assert {kind.id for kind in commune.plan.reported_by("cong-an", "police")} >= {"inspection", "talk"}
    assert len({category.label for category in commune.categories.values()}) == len(commune.categories)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('prefix = "AP"', 'prefix = "ap"', "prefix"),
        ('prefix = "AP"', 'prefix = "AP"\nnonsense = 1', "nonsense"),
        ('office = "ubnd"', 'office = "nobody"', "office"),
        ('police = "cong-an"', 'police = "ubnd"', "police"),
        ('police = "113"', 'police = "call us"', "phones.police"),
        ("days_off = []", 'days_off = ["soon"]', "days_off[1]"),
        (
            "days_off = []\ndays_worked = []",
            "days_off = [2026-01-02]\ndays_worked = [2026-01-02]",
            "days_worked",
        ),
        ('desk = "cong-an"', 'desk = "thon-99"', "fields[order].desk"),
        ('told = ["village"]', 'told = ["vilage"]', "fields[order].told"),
        ('ack_from = "06:00"', 'ack_from = "6 giờ"', "fields[order].ack_from"),
        ('ack_from = "06:00"', 'ack_from = "23:00"', "fields[order].ack_from"),
        ('ack_from = "06:00"\n', "", "fields[order].ack_from"),
        ("ack_hours = 2\n", "ack_hours = 0\n", "fields[order].ack_hours"),
        ("ack_hours = 2\n", "ack_hours = nan\n", "fields[order].ack_hours"),
        ("fix_days = 7", "fix_days = true", "fields[lighting].fix_days"),
        ('id = "lighting"', 'id = "order"', "fields[order].id"),
        ('field = "lighting"', 'field = "light"', "categories[streetlight].field"),
        ('label = "Rác bừa bãi"', 'label = "Rác bừa bãi ngoài đường"', "categories[litter].label"),
        ('label = "Rác bừa bãi"', 'label = " "', "categories[litter].label"),
        ('label = "Rác bừa bãi"', 'label = "Đốt rác"', "categories[burning].label"),
        ('id = "burning"', 'id = "litter"', "categories[litter].id"),
        ('id = "burning"', 'id = "Đốt rác"', "categories[Đốt rác].id"),
        ('id = "thon-02"', 'id = "thon-01"', "units[thon-01].id"),
        ('aliases = ["thon 2", "th2"]', 'aliases = ["THÔN 1"]', "units[thon-02].aliases"),
        ('aliases = ["thon 2", "th2"]', 'aliases = ["…"]', "units[thon-02].aliases"),
        ("number = 2\n", "number = 1\n", "units[thon-02].number"),
        ("number = 2\n", 'number = 2\ncolour = "red"\n', "units[thon-02].colour"),
        ('kind = "school"', 'kind = "pagoda"', "units[truong-01].kind"),
        (
            'kind = "school"',
            'kind = "school"\npolygon = [[1, 1], [1, 2], [2, 2]]',
            "units[truong-01].polygon",
        ),
        ('name = "Thôn 4"\n', "", "units[thon-04].name"),
        ("first = 2026", "first = 2031", "plan.first"),
        ('year_from = "15/12"', 'year_from = "31/11"', "plan.year_from"),
        ('year_from = "15/12"', 'year_from = "29/2"', "plan.year_from"),
        ("launch = 2026-05-15", 'launch = "tháng 5"', "plan.launch"),
        ('exempt.school = ["5-6"]', 'exempt.school = ["6-5"]', "plan.exempt.school"),
        ('exempt.school = ["5-6"]', 'exempt.pagoda = ["5-6"]', "plan.exempt.pagoda"),
        ('label = "Trồng cây"', 'label = "Tập huấn"', "activities[training].label"),
        ('label = "Trồng cây"', 'label = "Trồng cây xanh ven đường làng"', "activities[trees].label"),
        ('asks = "number"', 'asks = "how many"', "activities[trees].asks"),
        ('measures = ["cây"]\n', "", "activities[trees].measures"),
        ('by = ["police"]', 'by = ["polise"]', "activities[inspection].by"),
        ('by = ["police"]', "by = []", "activities[inspection].by"),
        ('id = "sorting_full"', 'id = "sorting"', "activities[sorting].id"),
        ('kinds = ["model_point"]', 'kinds = ["model"]', "indicators[model_points].kinds"),
        ('kinds = ["model_point"]', 'kinds = ["trees"]', "indicators[model_points].kinds"),
        ('kinds = ["model_point"]\n', "", "indicators[model_points].kinds"),
        ("target = 10000", "target = 0", "indicators[trees].target"),
        ("each = 2", "each = 2\ntarget = 64", "indicators[talks].target"),
        ('owed_by = ["village", "school"]\n', "", "indicators[talks].owed_by"),
        ("of = 5", "of = 5\neach = 1", "indicators[cleanups].each"),
        ('measure = "mô hình"', 'measure = "mô hình"\nplaces = ["Chợ"]', "indicators[model_points].places"),
        ('id = "cleanup_units"', 'id = "cleanups"', "indicators[cleanups].id"),
        ('way = "sum"', 'way = "count"', "indicators[trees].way"),
        ("number = 4\n", "number = 4\npolygon = 3\n", "TOML"),
    ],
)
def test_nonsense_is_refused_by_name(old: str, new: str, named: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError, match=re.escape(named)):
        parse_commune(TEXT.replace(old, new, 1))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("centre", "[106.39, 20.98]"),
        ("centre", "[20.98]"),
        ("centre", "[nan, 106.39]"),
        ("polygon", "[[20.98, 106.39], [20.99, 106.39]]"),
        ("polygon", "[[20.98, 106.39], [20.99, 106.39], [20.98, 106.39]]"),
        ("polygon", "[[106.39, 20.98], [106.4, 20.98], [106.4, 20.99]]"),
    ],
)
def test_impossible_shapes(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"units\[thon-01\]\.{key}"):
        parse_commune(re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", TEXT, count=1))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_commune(tmp_path / "nothing.toml")
    (tmp_path / "latin.toml").write_bytes(b"name = 'x\xe3'")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_commune(tmp_path / "latin.toml")
    with pytest.raises(ConfigError):
        parse_commune("a = " + "[" * 100_000)


def test_days() -> None:
    commune = parse_commune(TEXT.replace("days_off = []", "days_off = [2026-12-31]"))
    assert commune.days_off == {date(2026, 12, 31)}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings but those of the test."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_defaults() -> None:
    settings = load_settings()
    assert settings.http_port == 8080
    assert settings.webchat == "auto"
    assert settings.photos == str(Path("data") / "photos")
    assert settings.telegram_bot_token is None


def test_empty_counts_as_unset_and_unknown_is_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("HTTP_PORT=9000\nTELEGRAM_BOT_TOKEN=\nSOMETHING=else\n")
    monkeypatch.setenv("DATABASE_URL", "")
    settings = load_settings()
    assert settings.http_port == 9000
    assert settings.database_url is None
    assert settings.telegram_bot_token is None


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"HTTP_PORT": "65536"}, "HTTP_PORT"),
        ({"HTTP_PORT": "many"}, "HTTP_PORT"),
        ({"WEBCHAT": "maybe"}, "WEBCHAT"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        ({"TELEGRAM_RATE": "0"}, "TELEGRAM_RATE"),
        ({"TELEGRAM_CHAT_RATE": "inf"}, "TELEGRAM_CHAT_RATE"),
        ({"TELEGRAM_CHAT_BURST": "-1"}, "TELEGRAM_CHAT_BURST"),
        ({"TELEGRAM_GROUP_RATE": "nan"}, "TELEGRAM_GROUP_RATE"),
        ({"TELEGRAM_BOT_TOKEN": "hush hush"}, "TELEGRAM_BOT_TOKEN"),
        ({"TELEGRAM_WEBHOOK_URL": "https://x.example/t"}, "TELEGRAM_WEBHOOK_SECRET"),
        (
            {"TELEGRAM_WEBHOOK_URL": "http://x.example/t", "TELEGRAM_WEBHOOK_SECRET": "hush"},
            "TELEGRAM_WEBHOOK_URL",
        ),
        ({"TELEGRAM_WEBHOOK_URL": "https://[x/", "TELEGRAM_WEBHOOK_SECRET": "hush"}, "TELEGRAM_WEBHOOK_URL"),
        ({"TELEGRAM_WEBHOOK_SECRET": "hush hush"}, "TELEGRAM_WEBHOOK_SECRET"),
        ({"TELEGRAM_WEBHOOK_SECRET": "hush" * 65}, "TELEGRAM_WEBHOOK_SECRET"),
        ({"TELEGRAM_API_URL": "ftp://x.example"}, "TELEGRAM_API_URL"),
    ],
)
def test_wrong_settings(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], named: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=named) as caught:
        load_settings()
    assert "hush" not in str(caught.value)
    assert str(caught.value).endswith(".")


ZALO = {
    "ZALO_OA_APP_ID": "360846524940903967",
    "ZALO_OA_APP_SECRET": "hush",
    "ZALO_OA_SECRET_KEY": "hush",
    "SECRET_KEY": "h" * 32,
    "PUBLIC_URL": "https://bot.example",
}


@pytest.mark.parametrize("missing", sorted(ZALO.keys() - {"ZALO_OA_APP_ID"}))
def test_an_official_account_needs_all_of_it(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name, value in ZALO.items():
        monkeypatch.setenv(name, value)
    assert load_settings().zalo_oa_app_id == ZALO["ZALO_OA_APP_ID"]
    monkeypatch.delenv(missing)
    with pytest.raises(ConfigError, match=rf"ZALO_OA_APP_ID needs {missing}: \w+"):
        load_settings()


@pytest.mark.parametrize("host", ["127.0.0.1:8443", "localhost", "[::1]:80"])
def test_a_webhook_on_this_machine_may_be_plain(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("TELEGRAM_WEBHOOK_URL", f"http://{host}/t")
    monkeypatch.setenv("TELEGRAM_WEBHOOK_SECRET", "hush")
    settings = load_settings()
    assert settings.telegram_webhook_url == f"http://{host}/t"
    assert "hush" not in repr(settings)


def test_every_setting_is_in_the_example() -> None:
    text = (ROOT / ".env.example").read_text()
    assert re.findall(r"(?m)^([A-Z_]+)=", text) == [name.upper() for name in Settings.model_fields]
    comments = re.findall(r"(?m)^# .+\n[A-Z_]+=", text)
    assert len(comments) == len(Settings.model_fields)


def test_the_example_is_a_valid_env(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    assert load_settings() == Settings(_env_file=None)
    assert not any(name.upper() in os.environ for name in Settings.model_fields)
