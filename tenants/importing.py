"""Sets plans, revenue and dates of many tenants at once, from CSV or from rows."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction
from django.utils.dateparse import parse_date, parse_datetime

from tenants.audit import Actor, record_import
from tenants.models import Plan, Tenant
from tenants.refusals import Refusal

KEY = "key"
COLUMNS = (
    KEY,
    "name",
    "plan",
    "weight_factor",
    "monthly_revenue",
    "installed_at",
    "uninstalled_at",
)
# What a row may change, as model fields.
FIELDS = (*(name for name in COLUMNS if name not in {KEY, "plan"}), "plan_id", "source")
MOST_ROWS = 100_000

# A row as parsed: what is given, by model field.
Given = dict[str, Any]


class ImportRefusedError(Refusal):
    """The file as a whole cannot be read."""


class RowError(ValueError):
    """One row cannot be used; the others go in."""


@dataclass(slots=True)
class ImportResult:
    """What an import did; ``errors`` are (row number, message)."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)


def read_csv(data: str | bytes) -> list[dict[str, str]]:
    """The rows of a CSV with a header line; commas, semicolons or tabs.

    Raises ImportRefusedError for what is no UTF-8, has no ``key`` column or an unknown
    one. The first row is line 2 of the file: tell ``upsert`` so.
    """
    text = _decoded(data)
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    names = [name.strip().lower() for name in reader.fieldnames or []]
    _refuse_header(names)
    reader.fieldnames = names
    try:
        return [_cells(row) for row in reader]
    except csv.Error as error:
        raise ImportRefusedError(
            f"Line {reader.line_num} is no CSV: {error}."
        ) from error


def _decoded(data: str | bytes) -> str:
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportRefusedError(
            f"The file is not UTF-8 (byte {error.start}): save it as CSV UTF-8."
        ) from error


def _refuse_header(names: list[str]) -> None:
    if KEY not in names:
        raise ImportRefusedError(
            "The first line must name the columns, with key among them: "
            f"{', '.join(COLUMNS)}."
        )
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise ImportRefusedError(
            f"Column {unknown[0]!r} is not known; the columns are {', '.join(COLUMNS)}."
        )
    if len(set(names)) < len(names):
        raise ImportRefusedError("A column stands twice in the first line.")


def _cells(row: dict[str | Any, str | Any]) -> dict[str, str]:
    # DictReader: surplus cells stand under None, missing ones are None.
    surplus = row.pop(None, None)
    cells = {name: value for name, value in row.items() if value is not None}
    return {**cells, "": "surplus"} if surplus else cells


@transaction.atomic
def upsert(
    rows: Iterable[Mapping[str, Any]],
    actor: Actor,
    *,
    create_plans: bool = False,
    first_row: int = 1,
) -> ImportResult:
    """Make or change the tenants of ``rows`` (columns: COLUMNS), a few statements all.

    A column that is there speaks: blank or null clears it; one that is not there leaves
    the tenant as it is. Rows that cannot be used are listed and the others go in. A
    plan that is not known is an error, or made with weight 1 by ``create_plans``.
    ``first_row`` is the number of the first row in the caller's eyes.
    """
    result = ImportResult()
    parsed = _parse(rows, result, first_row)
    _resolve_plans(parsed, result, create_plans)
    wanted = {given[KEY]: given for given in parsed.values()}
    # In id order, as digest locks them when it marks tenants as seen.
    known = {
        tenant.key: tenant
        for tenant in Tenant.objects.select_for_update()
        .filter(key__in=wanted)
        .order_by("pk")
    }
    changes = _changes(wanted, known, result)
    _write(wanted, known, changes)
    if changes:
        created = sorted(wanted.keys() - known.keys())
        _record(actor, result, created, changes)
    result.errors.sort()
    return result


def _parse(
    rows: Iterable[Mapping[str, Any]], result: ImportResult, first_row: int
) -> dict[int, Given]:
    """The usable rows by number; the others go to the result's errors."""
    parsed: dict[int, Given] = {}
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=first_row):
        if number - first_row >= MOST_ROWS:
            raise ImportRefusedError(
                f"More than {MOST_ROWS:,} rows: split them into several imports."
            )
        try:
            given = _parse_row(row)
        except RowError as error:
            result.errors.append((number, str(error)))
            continue
        first = seen.setdefault(given[KEY], number)
        if first == number:
            parsed[number] = given
        else:
            message = f"{given[KEY]} stands in row {first} already."
            result.errors.append((number, message))
    return parsed


def _parse_row(row: Any) -> Given:
    if not isinstance(row, Mapping):
        raise RowError("This is no object with a key.")
    if unknown := [name for name in row if name not in COLUMNS]:
        if unknown[0] == "":
            raise RowError("The row has more cells than the first line.")
        raise RowError(f"{unknown[0]!r} is not known; there are {', '.join(COLUMNS)}.")
    if KEY not in row:
        raise RowError("key is missing: it names the tenant, as events do.")
    return {name: PARSERS[name](_plain(value), name) for name, value in row.items()}


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise RowError(f"{value!r} is neither text nor a number.")
    return str(value).strip()


def _text(value: str, name: str) -> str:
    if len(value) > 200:
        raise RowError(f"{name} has {len(value)} characters; 200 are the most.")
    if "\0" in value:
        raise RowError(f"{name} holds a NUL character.")
    return value


def _key(value: str, name: str) -> str:
    if not value:
        raise RowError("key is empty: it names the tenant, as events do.")
    if not value.isprintable():
        raise RowError("key holds a line break or what else cannot be printed.")
    # As digest writes it.
    return _text(value.lower(), name)


def _number(value: str, name: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise RowError(
            f"{name} {value!r} is no number: write it like 1234.50."
        ) from error
    if not number.is_finite() or number < 0:
        raise RowError(f"{name} {value!r} must be 0 or more.")
    return number


def _factor(value: str, name: str) -> float:
    factor = float(_number(value, name)) if value else 1.0
    if not math.isfinite(factor):
        raise RowError(f"{name} {value!r} is too large.")
    return factor


def _money(value: str, name: str) -> Decimal | None:
    if not value:
        return None
    number = _number(value, name)
    if number >= 10**10:
        raise RowError(f"{name} {value!r} is too large: below 10,000,000,000.")
    return number.quantize(Decimal("0.01"))


def _moment(value: str, name: str) -> datetime | None:
    if not value:
        return None
    try:
        moment = parse_datetime(value)
        day = parse_date(value) if moment is None else None
    except ValueError:
        moment = day = None
    if day:
        moment = datetime.combine(day, time())
    if moment is None:
        raise RowError(
            f"{name} {value!r} is no date: write 2026-11-23 or 2026-11-23T12:00:00Z."
        )
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        # PostgreSQL knows no offset beyond ±15:59, which Python does.
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise RowError(f"{name} {value!r} is out of range.") from error


PARSERS: Mapping[str, Callable[[str, str], Any]] = {
    KEY: _key,
    "name": _text,
    "plan": _text,
    "weight_factor": _factor,
    "monthly_revenue": _money,
    "installed_at": _moment,
    "uninstalled_at": _moment,
}


def _resolve_plans(
    parsed: dict[int, Given], result: ImportResult, create_plans: bool
) -> None:
    """Put plan ids in place of names; names ignore case."""
    plans = {plan.name.lower(): plan.pk for plan in Plan.objects.all()}
    names = {given.get("plan", "") for given in parsed.values()} - {""}
    if create_plans:
        for name in sorted(names):
            if name.lower() not in plans and len(name) <= 100:
                plans[name.lower()] = Plan.objects.get_or_create(name=name)[0].pk
    offered = ", ".join(sorted(Plan.objects.values_list("name", flat=True))) or "none"
    for number, given in list(parsed.items()):
        if "plan" not in given:
            continue
        name = given.pop("plan")
        if name and name.lower() not in plans:
            message = f"There is no plan {name!r}; the plans are: {offered}."
            result.errors.append((number, message))
            del parsed[number]
        else:
            given["plan_id"] = plans[name.lower()] if name else None


def _changes(
    wanted: Mapping[str, Given], known: Mapping[str, Tenant], result: ImportResult
) -> dict[str, dict[str, list[Any]]]:
    """Per tenant key what changes, each field with [before, after]."""
    changes = {}
    for key, given in wanted.items():
        given["source"] = Tenant.Source.IMPORT.value
        tenant = known.get(key)
        if tenant is None:
            result.created += 1
            changes[key] = {n: [None, v] for n, v in given.items() if n in FIELDS}
            continue
        changed = {
            name: [getattr(tenant, name), value]
            for name, value in given.items()
            if name != KEY and getattr(tenant, name) != value
        }
        if changed:
            result.updated += 1
            changes[key] = changed
        else:
            result.unchanged += 1
    return changes


def _write(
    wanted: Mapping[str, Given], known: Mapping[str, Tenant], changed: Iterable[str]
) -> None:
    """One upsert for all: a tenant that digest has just made is no obstacle."""
    tenants = []
    for key in sorted(changed):
        before = known.get(key) or Tenant(key=key)
        values = {name: getattr(before, name) for name in FIELDS} | wanted[key]
        tenants.append(Tenant(**values))
    Tenant.objects.bulk_create(
        tenants,
        update_conflicts=True,
        unique_fields=["key"],
        update_fields=["plan" if name == "plan_id" else name for name in FIELDS],
        batch_size=5000,
    )


def _record(
    actor: Actor,
    result: ImportResult,
    created: list[str],
    changes: Mapping[str, dict[str, list[Any]]],
) -> None:
    counts = {
        "created": result.created,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "refused": len(result.errors),
    }
    updated = {key: changes[key] for key in sorted(changes) if key not in set(created)}
    record_import(
        actor,
        Tenant,
        f"{len(changes):,} tenants",
        {"counts": counts, "created": created, "updated": updated},
    )
