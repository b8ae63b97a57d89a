"""The commune from its file, commune.toml; a wrong key stops the start with a sentence."""

import tomllib
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import product
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, StringConstraints, ValidationError
from pydantic import Field as Limit

from bot import planfile
from bot.core.commune import LEAD, Category, Commune, Field, Partner, Point, Rules, Unit
from bot.core.text import fold
from bot.planfile import RawIndicator, RawKind, RawPlan
from bot.tomltypes import STRICT, Clock, Degrees, Id, Label, Pair, Text, UnitKind, repeated

USUAL = Rules()
# One button each, and one to choose none.
PARTNERS_MAX = 4


class ConfigError(Exception):
    """The start cannot go on; the message is one sentence for each thing to put right."""


class _Table(BaseModel):
    model_config = STRICT


class _Unit(_Table):
    id: Id
    kind: UnitKind
    name: Text
    aliases: list[Text] = []
    number: Annotated[int, Limit(ge=1, le=99)] | None = None
    centre: Degrees | None = None
    polygon: list[Degrees] = []
    stand_in: bool = False


class _Category(_Table):
    id: Id
    field: Id
    label: Label
    name: Text
    words: list[Text]
    pairs: list[Pair] = []
    hints: list[Text] = []
    desk: Id | None = None
    photo: bool = True


class _Field(_Table):
    id: Id
    label: Label
    name: Text
    desk: Id
    told: list[Id] = []
    ack_hours: Annotated[float, Limit(gt=0)]
    fix_days: Annotated[int, Limit(gt=0)]
    ack_from: Clock | None = None
    ack_to: Clock | None = None
    hidden: bool = False
    digest: list[Id] = []


class _Partner(_Table):
    id: Id
    label: Label
    name: Text


class _Rules(_Table):
    quiet_from: Clock = USUAL.quiet_from
    quiet_to: Clock = USUAL.quiet_to
    silent_from: Clock = USUAL.silent_from
    silent_to: Clock = USUAL.silent_to
    digest_at: Clock = USUAL.digest_at
    shift_hours: Annotated[int, Limit(ge=1, le=168)] = USUAL.shift_hours
    reports_hour: Annotated[int, Limit(gt=0)] = USUAL.reports_hour
    reports_day: Annotated[int, Limit(gt=0)] = USUAL.reports_day
    alerts_minute: Annotated[int, Limit(gt=0)] = USUAL.alerts_minute
    same_days: Annotated[int, Limit(ge=0, le=90)] = USUAL.same_days


class _Policy(_Table):
    version: Text = "1"
    contact: str = ""


class _Commune(_Table):
    name: Text
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,4}$")]
    office: Id
    police: Id
    phones: dict[str, Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 .]{1,18}[0-9]$")]]
    units: list[_Unit]
    categories: list[_Category]
    fields: list[_Field]
    days_off: list[date] = []
    days_worked: list[date] = []
    words: dict[str, list[Text]] = {}
    policy: _Policy = _Policy()
    landmarks: list[Text] = []
    lead: Text = LEAD
    partners: list[_Partner] = []
    rules: _Rules = _Rules()
    plan: RawPlan = RawPlan()
    activities: list[RawKind] = []
    indicators: list[RawIndicator] = []


def _where(parts: Sequence[int | str], raw: object) -> str:
    """`units[thon-03].centre`: a place in the file, by id where there is one."""
    said = ""
    for part in parts:
        if isinstance(part, int):
            raw = raw[part] if isinstance(raw, list) and part < len(raw) else None
            name = raw.get("id", part + 1) if isinstance(raw, dict) else part + 1
            said += f"[{name}]"
        else:
            raw = raw.get(part) if isinstance(raw, dict) else None
            said += f".{part}" if said else part
    return said


_PLAIN = {"extra_forbidden": "is not a known key", "missing": "is missing"}


def plain_reason(kind: str, message: str) -> str:
    return _PLAIN.get(kind) or message.removeprefix("Value error, ").rstrip(".")


def _schema_problems(error: ValidationError, raw: object) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_input=False):
        yield f"{_where(problem['loc'], raw)}: {plain_reason(problem['type'], problem['msg'])}"


def _unit_problems(units: Sequence[_Unit]) -> Iterator[str]:
    yield from repeated("units", (unit.id for unit in units))
    names: dict[str, str] = {}
    numbers: dict[int, str] = {}
    for unit in units:
        for name in (unit.name, *unit.aliases):
            if not (plain := fold(name)):
                yield f"units[{unit.id}].aliases: {name!r} has no letter or digit"
            elif names.setdefault(plain, unit.id) != unit.id:
                yield f"units[{unit.id}].aliases: {name!r} already names {names[plain]}"
        if unit.number is not None and numbers.setdefault(unit.number, unit.id) != unit.id:
            yield f"units[{unit.id}].number: {unit.number} is already that of {numbers[unit.number]}"
        yield from _shape_problems(unit)


def _shape_problems(unit: _Unit) -> Iterator[str]:
    if unit.polygon and unit.kind != "village":
        yield f"units[{unit.id}].polygon: only a village has an outline"
    corners = unit.polygon[:-1] if unit.polygon and unit.polygon[0] == unit.polygon[-1] else unit.polygon
    if unit.polygon and len({tuple(corner) for corner in corners}) < 3:
        yield f"units[{unit.id}].polygon: needs at least 3 different points"
    for key, points in (("centre", [unit.centre] if unit.centre else []), ("polygon", unit.polygon)):
        for lat, lon in points:
            if not (-90 <= lat <= 90 and -180 <= lon <= 180):
                yield f"units[{unit.id}].{key}: {lat}, {lon} is out of range (latitude first, then longitude)"


def _field_problems(raw: _Commune, desks: set[str]) -> Iterator[str]:
    yield from repeated("fields", (field.id for field in raw.fields))
    if not raw.fields:
        yield "fields: there must be at least one"
    for field in raw.fields:
        for key, unit in (
            ("desk", field.desk),
            *(("told", told) for told in field.told),
            *(("digest", d) for d in field.digest),
        ):
            if unit not in desks:
                yield f"fields[{field.id}].{key}: there is no unit {unit!r}"
        if (field.ack_from is None) != (field.ack_to is None):
            yield f"fields[{field.id}].ack_from: ack_from and ack_to are given together or not at all"
        elif field.ack_from is not None and field.ack_to is not None and field.ack_from >= field.ack_to:
            yield f"fields[{field.id}].ack_from: must be before ack_to"


def _category_problems(raw: _Commune, desks: set[str]) -> Iterator[str]:
    yield from repeated("categories", (category.id for category in raw.categories))
    if not raw.categories:
        yield "categories: there must be at least one"
    fields = {field.id for field in raw.fields}
    labels: dict[str, str] = {}
    for category in raw.categories:
        if category.field not in fields:
            yield f"categories[{category.id}].field: there is no field {category.field!r}"
        if category.desk is not None and category.desk not in desks:
            yield f"categories[{category.id}].desk: there is no unit {category.desk!r}"
        if labels.setdefault(fold(category.label), category.id) != category.id:
            yield f"categories[{category.id}].label: {category.label!r} is also that of another category"


def _commune_problems(raw: _Commune) -> Iterator[str]:
    units = {unit.id: unit.kind for unit in raw.units}
    desks = {*units, "village", LEAD}
    yield from _unit_problems(raw.units)
    for key, unit in (("office", raw.office), ("police", raw.police)):
        if units.get(unit) != key:
            yield f"{key}: there is no unit {unit!r} of kind {key!r}"
    if "village" not in units.values():
        yield "units: there must be at least one of kind 'village'"
    yield from _field_problems(raw, desks)
    yield from _category_problems(raw, desks)
    yield from repeated("partners", (partner.id for partner in raw.partners))
    if len(raw.partners) > PARTNERS_MAX:
        yield f"partners: at most {PARTNERS_MAX}, one button each"
    yield from planfile.problems(raw.plan, raw.activities, raw.indicators, units)
    for day in sorted(set(raw.days_off) & set(raw.days_worked)):
        yield f"days_worked: {day} is also in days_off"


def _point(pair: list[float]) -> Point:
    return Point(pair[0], pair[1])


def _unit(raw: _Unit) -> Unit:
    corners = tuple(map(_point, raw.polygon))
    return Unit(
        id=raw.id,
        kind=raw.kind,
        name=raw.name,
        aliases=tuple(raw.aliases),
        number=raw.number,
        centre=_point(raw.centre) if raw.centre else None,
        polygon=corners[:-1] if corners and corners[0] == corners[-1] else corners,
        stand_in=raw.stand_in,
    )


def _field(raw: _Field) -> Field:
    return Field(
        id=raw.id,
        label=raw.label,
        name=raw.name,
        desk=raw.desk,
        told=tuple(raw.told),
        ack_hours=raw.ack_hours,
        fix_days=raw.fix_days,
        ack_from=raw.ack_from,
        ack_to=raw.ack_to,
        hidden=raw.hidden,
        digest=tuple(raw.digest),
    )


def _category(raw: _Category) -> Category:
    return Category(
        id=raw.id,
        field=raw.field,
        label=raw.label,
        name=raw.name,
        words=tuple(raw.words),
        pairs=tuple(f"{one} … {other}" for pair in raw.pairs for one, other in product(*pair)),
        hints=tuple(raw.hints),
        desk=raw.desk,
        photo=raw.photo,
    )


def _commune(raw: _Commune) -> Commune:
    return Commune(
        name=raw.name,
        prefix=raw.prefix,
        office=raw.office,
        police=raw.police,
        phones=dict(raw.phones),
        units={unit.id: _unit(unit) for unit in raw.units},
        categories={category.id: _category(category) for category in raw.categories},
        fields={field.id: _field(field) for field in raw.fields},
        days_off=frozenset(raw.days_off),
        days_worked=frozenset(raw.days_worked),
        words={kind: tuple(words) for kind, words in raw.words.items()},
        policy_version=raw.policy.version,
        policy_contact=raw.policy.contact,
        landmarks=tuple(raw.landmarks),
        lead=raw.lead,
        partners=tuple(Partner(**partner.model_dump()) for partner in raw.partners),
        rules=Rules(**raw.rules.model_dump()),
        plan=planfile.plan_of(raw.plan, raw.activities, raw.indicators),
    )


def parse_commune(text: str, name: str = "commune.toml") -> Commune:
    """The commune that the text of such a file describes."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: is not TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{name}: is nested too deeply") from None
    try:
        raw = _Commune.model_validate(values)
    except ValidationError as error:
        problems = list(_schema_problems(error, values))
    else:
        problems = list(_commune_problems(raw))
        if not problems:
            return _commune(raw)
    raise ConfigError("\n".join(f"{name}: {problem}." for problem in problems))


def load_commune(path: Path) -> Commune:
    """The commune of a file, or a `ConfigError` that names each key that is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8.") from None
    return parse_commune(text, path.name)
