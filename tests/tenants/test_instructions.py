import pytest
from django.conf import LazySettings
from pytest_django import DjangoAssertNumQueries

from tenants.instructions import active_keys, instructions_for
from tests.factories import make_key, make_project

pytestmark = pytest.mark.django_db


def test_the_facts_are_those_of_the_key_and_its_project(settings: LazySettings) -> None:
    settings.BASE_URL, settings.ORGANIZATION_SLUG = "https://rush.example", "acme"
    key = make_key(make_project(slug="shop", tenant_tags=["brand", "shop"]))

    facts = instructions_for(key).facts

    assert facts.dsn == f"https://{key.public_key}@rush.example/{key.project_id}"
    assert (facts.slug, facts.tag, facts.organization) == ("shop", "brand", "acme")


def test_keys_that_may_send_come_oldest_first(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    project = make_project()
    first, _, third = (
        make_key(project),
        make_key(project, is_active=False),
        make_key(project),
    )
    make_key()

    with django_assert_num_queries(1):
        keys = active_keys(project)
        instructions_for(keys[1])

    assert keys == [first, third]
