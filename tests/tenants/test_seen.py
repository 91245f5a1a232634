from datetime import timedelta

import pytest
from django.utils import timezone

from tenants.models import KeyMinute, Project, ProjectKey, Tenant
from tenants.seen import events_since, mark_public, mark_seen, resolve_tenants

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def key() -> ProjectKey:
    project = Project.objects.create(name="Shop", slug="shop")
    return ProjectKey.objects.create(project=project, new_tenants_per_hour=2)


def test_a_tenant_is_made_the_first_time_it_is_seen(key: ProjectKey) -> None:
    first = resolve_tenants({"a": key.pk}, NOW)
    assert resolve_tenants({"a": key.pk}, NOW) == first
    assert Tenant.objects.get().source == Tenant.Source.EVENT


def test_past_the_cap_new_tenants_are_the_unknown_one(key: ProjectKey) -> None:
    resolve_tenants({"a": key.pk}, NOW)
    found = resolve_tenants({"a": key.pk, "b": key.pk, "c": key.pk}, NOW)
    assert Tenant.objects.get(pk=found["c"]).key == "(unknown)"
    assert Tenant.objects.filter(key="b").exists()


def test_the_cap_opens_again_after_an_hour(key: ProjectKey) -> None:
    resolve_tenants({"a": key.pk, "b": key.pk}, NOW - timedelta(minutes=61))
    resolve_tenants({"c": key.pk}, NOW)
    assert Tenant.objects.filter(key="c").exists()


def test_an_imported_tenant_needs_no_place_under_the_cap(key: ProjectKey) -> None:
    Tenant.objects.create(key="known", source=Tenant.Source.IMPORT)
    resolve_tenants({"known": key.pk}, NOW)
    assert KeyMinute.objects.count() == 0


def test_last_seen_moves_at_most_once_a_minute() -> None:
    tenant = Tenant.objects.create(key="a", last_seen=NOW)
    mark_seen({tenant.pk}, NOW + timedelta(seconds=30))
    tenant.refresh_from_db()
    assert tenant.last_seen == NOW
    mark_seen({tenant.pk}, NOW + timedelta(seconds=90))
    tenant.refresh_from_db()
    assert tenant.last_seen == NOW + timedelta(seconds=90)


def test_events_of_a_key_add_up_over_minutes(key: ProjectKey) -> None:
    for ago in (0, 1, 5):
        KeyMinute.objects.create(
            key_id=key.pk, minute=NOW - timedelta(minutes=ago), events=10
        )
    assert events_since(key.pk, NOW - timedelta(minutes=2)) == 20


def test_only_the_named_keys_become_public(key: ProjectKey) -> None:
    other = ProjectKey.objects.create(project=key.project)
    mark_public({key.pk})
    key.refresh_from_db()
    other.refresh_from_db()
    assert (key.is_public, other.is_public) == (True, False)
