from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from tenants.audit import Actor, difference, record, record_import, values_of
from tenants.models import AuditEntry, Tenant
from tests.factories import make_plan, make_tenant, make_token, make_user

pytestmark = pytest.mark.django_db


def test_a_change_is_recorded_with_who_and_what() -> None:
    user = make_user("anna")
    plan = make_plan("Pro")

    record(Actor("anna", user, "192.0.2.1"), "changed", plan, {"weight": [1, 2]})

    entry = AuditEntry.objects.get()
    assert (entry.user, entry.actor, entry.remote_addr) == (user, "anna", "192.0.2.1")
    assert (entry.object_type, entry.object_id) == ("tenants.plan", str(plan.pk))
    assert (entry.object_label, entry.changes) == ("Pro", {"weight": [1, 2]})


def test_values_that_json_lacks_are_recorded_as_text() -> None:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    changes = {"revenue": [None, Decimal("9.50")], "at": {"to": moment}, "x": {1}}

    record(Actor("anna"), "changed", make_plan(), changes)

    assert AuditEntry.objects.get().changes == {
        "revenue": [None, "9.50"],
        "at": {"to": "2026-11-23T00:00:00Z"},
        "x": "{1}",
    }


def test_a_name_that_is_too_long_is_cut() -> None:
    record(Actor("token " + "x" * 300), "changed", make_plan(), {})

    assert len(AuditEntry.objects.get().actor) == 200


def test_an_import_is_recorded_without_an_object() -> None:
    record_import(Actor("anna"), Tenant, "5 tenants", {"created": ["a"]})

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_type, entry.object_id) == (
        "import",
        "tenants.tenant",
        "",
    )


def test_the_difference_names_what_changed() -> None:
    tenant = make_tenant("acme", name="A")
    before = values_of(tenant, ["name", "plan"])
    tenant.name = "B"

    assert difference(before, values_of(tenant, ["name", "plan"])) == {
        "name": ["A", "B"]
    }


def test_the_actor_is_the_person_behind_a_request() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")
    request.user = user = make_user("anna")

    assert Actor.of(request) == Actor("anna", user, "192.0.2.1")


def test_the_actor_is_the_token_behind_a_call() -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    request.auth = make_token("issue:read", name="ci")[0]  # type: ignore[attr-defined]

    assert Actor.of(request) == Actor("token ci", None, "127.0.0.1")
