from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from tenants.importing import ImportRefusedError, read_csv, upsert
from tenants.models import AuditEntry, Plan, Tenant
from tests.factories import ANNA, make_plan, make_tenant

pytestmark = pytest.mark.django_db


def test_a_row_makes_a_tenant() -> None:
    make_plan("Pro")
    row = {
        "key": " Acme.Example ",
        "name": "Acme",
        "plan": "pro",
        "weight_factor": "2.5",
        "monthly_revenue": "1234.5",
        "installed_at": "2026-01-31",
        "uninstalled_at": "",
    }

    result = upsert([row], ANNA)

    assert (result.created, result.errors) == (1, [])
    tenant = Tenant.objects.select_related("plan").get(key="acme.example")
    assert (tenant.name, tenant.plan and tenant.plan.name) == ("Acme", "Pro")
    assert (tenant.weight_factor, tenant.monthly_revenue) == (2.5, Decimal("1234.50"))
    assert tenant.installed_at == datetime(2026, 1, 31, tzinfo=UTC)
    assert (tenant.uninstalled_at, tenant.source) == (None, "import")


def test_a_row_changes_only_the_columns_that_it_has() -> None:
    make_tenant("acme", name="Acme", monthly_revenue=Decimal(10), plan=make_plan())

    result = upsert([{"key": "acme", "monthly_revenue": 20}], ANNA)

    assert result.updated == 1
    tenant = Tenant.objects.get()
    assert (tenant.name, tenant.monthly_revenue) == ("Acme", Decimal(20))
    assert tenant.plan is not None


def test_a_blank_cell_clears() -> None:
    make_tenant("acme", name="Acme", weight_factor=3.0, plan=make_plan())

    upsert([{"key": "acme", "name": "", "plan": None, "weight_factor": ""}], ANNA)

    tenant = Tenant.objects.get()
    assert (tenant.name, tenant.plan, tenant.weight_factor) == ("", None, 1.0)


def test_a_tenant_keeps_when_it_was_seen() -> None:
    before = make_tenant("acme")

    upsert([{"key": "acme", "name": "Acme"}], ANNA)

    after = Tenant.objects.get()
    assert (after.pk, after.first_seen, after.last_seen) == (
        before.pk,
        before.first_seen,
        before.last_seen,
    )


def test_importing_the_same_again_changes_nothing() -> None:
    row = {"key": "acme", "name": "Acme", "monthly_revenue": "10.00"}
    upsert([row], ANNA)

    result = upsert([row], ANNA)

    assert (result.created, result.updated, result.unchanged) == (0, 0, 1)
    assert AuditEntry.objects.count() == 1


def test_a_tenant_that_an_event_made_counts_as_imported_from_now_on() -> None:
    make_tenant("acme")

    assert upsert([{"key": "acme"}], ANNA).updated == 1
    assert Tenant.objects.get().source == "import"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"name": "Acme"}, "key is missing"),
        ({"key": " "}, "key is empty"),
        ({"key": "x" * 201}, "201 characters"),
        ({"key": "a\0b"}, "cannot be printed"),
        ({"key": "a", "name": "a\0b"}, "NUL"),
        ({"key": "a", "plan": "Gold"}, "no plan 'Gold'; the plans are: Free, Pro."),
        ({"key": "a", "monthly_revenue": "1.234,50"}, "write it like 1234.50"),
        ({"key": "a", "monthly_revenue": "-1"}, "0 or more"),
        ({"key": "a", "monthly_revenue": "1e12"}, "too large"),
        ({"key": "a", "weight_factor": "NaN"}, "0 or more"),
        ({"key": "a", "weight_factor": "1e999"}, "too large"),
        ({"key": "a", "weight_factor": True}, "neither text nor a number"),
        ({"key": "a", "installed_at": "31.01.2026"}, "write 2026-11-23"),
        ({"key": "a", "installed_at": "2026-13-01"}, "write 2026-11-23"),
        ({"key": "a", "installed_at": "0001-01-01T00:00+10:00"}, "out of range"),
        ({"key": "a", "revenue": 1}, "'revenue' is not known"),
        ("acme", "no object"),
    ],
)
def test_a_row_that_cannot_be_used_is_listed_and_the_others_go_in(
    row: Any, message: str
) -> None:
    make_plan("Pro")
    make_plan("Free")

    result = upsert([{"key": "first"}, row, {"key": "last"}], ANNA)

    ((number, text),) = result.errors
    assert number == 2
    assert message in text
    assert set(Tenant.objects.values_list("key", flat=True)) == {"first", "last"}


def test_a_date_may_have_any_offset() -> None:
    upsert([{"key": "a", "installed_at": "2026-01-02T00:00:00+18:02"}], ANNA)

    installed = Tenant.objects.get().installed_at
    assert installed == datetime(2026, 1, 1, 5, 58, tzinfo=UTC)


def test_a_key_that_stands_twice_goes_in_once() -> None:
    result = upsert([{"key": "acme"}, {"key": "ACME", "name": "B"}], ANNA, first_row=2)

    assert result.errors == [(3, "acme stands in row 2 already.")]
    assert Tenant.objects.get().name == ""


def test_missing_plans_are_made_when_asked() -> None:
    result = upsert([{"key": "a", "plan": "Gold"}], ANNA, create_plans=True)

    assert result.errors == []
    assert Plan.objects.get().name == "Gold"


def test_an_import_leaves_one_audit_row_with_every_change() -> None:
    make_tenant("old", name="Old", source="import")

    upsert([{"key": "new"}, {"key": "old", "name": "New"}, {"key": ""}], ANNA)

    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == ("anna", "import")
    assert (entry.object_type, entry.object_label) == ("tenants.tenant", "2 tenants")
    assert entry.changes == {
        "counts": {"created": 1, "updated": 1, "unchanged": 0, "refused": 1},
        "created": ["new"],
        "updated": {"old": {"name": ["Old", "New"]}},
    }


def test_five_thousand_tenants_go_in_with_a_few_statements(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_plan("Pro")
    rows = [
        {"key": f"shop{n}.example", "plan": "Pro", "monthly_revenue": str(n)}
        for n in range(5000)
    ]
    upsert(rows[::2], ANNA)
    changed = [{**row, "monthly_revenue": "7"} for row in rows]

    # Savepoint, plans twice, lock, upsert, audit, end of the savepoint.
    with django_assert_num_queries(7):
        result = upsert(changed, ANNA)

    assert (result.created, result.updated) == (2500, 2500)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_is_read_with_any_usual_delimiter(delimiter: str) -> None:
    text = "Key,Name\r\nacme,Acme\r\n\r\nbeta,\r\n".replace(",", delimiter)

    assert read_csv(text) == [
        {"key": "acme", "name": "Acme"},
        {"key": "beta", "name": ""},
    ]


def test_a_csv_of_a_spreadsheet_may_begin_with_a_mark() -> None:
    assert read_csv("\ufeffkey\nacme\n".encode()) == [{"key": "acme"}]


def test_quoted_cells_may_hold_the_delimiter() -> None:
    assert read_csv('key,name\nacme,"Acme, Inc."\n')[0]["name"] == "Acme, Inc."


def test_a_line_with_too_many_cells_is_an_error_of_its_row() -> None:
    result = upsert(read_csv("key,name\na,b,c\nd,e\n"), ANNA, first_row=2)

    assert result.errors == [(2, "The row has more cells than the first line.")]
    assert result.created == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "must name the columns"),
        ("name\nAcme\n", "key among them"),
        ("key,revenue\na,1\n", "'revenue' is not known"),
        ("key,key\na,b\n", "twice"),
        ("key\nM\xfcller\n".encode("latin-1"), "not UTF-8"),
        ("key\n" + "x" * 200_000, "no CSV"),
    ],
)
def test_a_file_that_is_no_tenant_csv_is_refused(
    data: str | bytes, message: str
) -> None:
    with pytest.raises(ImportRefusedError, match=message):
        read_csv(data)


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenants.importing.MOST_ROWS", 2)

    with pytest.raises(ImportRefusedError, match="More than 2 rows"):
        upsert([{"key": str(n)} for n in range(3)], ANNA)

    assert not Tenant.objects.exists()
