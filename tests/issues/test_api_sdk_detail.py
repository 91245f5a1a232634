"""What an SDK's wrapper is told: by a DSN's key or a token, small, cacheable."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tenants.models import ProjectKey
from tests.factories import (
    make_detail_rule,
    make_key,
    make_plan,
    make_project,
    make_release,
    make_tenant,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/detail/"
ANY = {"min_level": "debug", "max_level": "fatal", "tag": "", "value": ""}
BUILT_IN = [
    {**ANY, "max_level": "info", "detail": "standard"},
    {**ANY, "detail": "full"},
]


@pytest.fixture
def key() -> ProjectKey:
    return make_key(make_project(slug="shop", tenant_tags=["shop"]))


def ask(key: ProjectKey, **query: str) -> Any:
    response = Client().get(URL, {"sentry_key": key.public_key, **query})
    assert response.status_code == 200, response.json()
    return response.json()


def details(key: ProjectKey, **query: str) -> list[str]:
    return [rule["detail"] for rule in ask(key, **query)["rules"]]


def test_without_rules_the_built_in_ones_are_told(key: ProjectKey) -> None:
    assert ask(key) == {
        "max_age": 300,
        "tenant_tags": ["shop"],
        "by_tenant": False,
        "rules": BUILT_IN,
    }


def test_levels_and_tags_are_left_to_the_wrapper(key: ProjectKey) -> None:
    make_detail_rule(
        detail="minimal", max_level=30, tag_key="template", tag_value="preview-*"
    )

    assert ask(key)["rules"][0] == {
        **{"min_level": "debug", "max_level": "warning"},
        **{"tag": "template", "value": "preview-*", "detail": "minimal"},
    }


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({}, ["standard", "full"]),
        ({"tenant": "Acme.Example"}, ["minimal"]),
        ({"tenant": "beta.example"}, ["standard", "full"]),
    ],
)
def test_rules_of_other_tenants_are_not_told(
    key: ProjectKey, query: dict[str, str], told: list[str]
) -> None:
    make_detail_rule(detail="minimal", tenant="acme.*")

    assert details(key, **query) == told
    assert ask(key, **query)["by_tenant"] is True


def test_the_answer_names_no_tenant_and_no_plan(key: ProjectKey) -> None:
    make_detail_rule(name="secret name", tenant="secret-tenant")
    make_detail_rule(plan=make_plan("secret plan"))
    make_tenant("acme.example")

    response = Client().get(URL, {"sentry_key": key.public_key, "tenant": "acme"})

    assert "secret" not in response.content.decode()


def test_the_plan_of_the_tenant_counts(key: ProjectKey) -> None:
    free = make_plan("Free")
    make_detail_rule(detail="minimal", plan=free)
    make_tenant("free.example", plan=free)
    make_tenant("acme.example", plan=make_plan("Pro"))

    assert details(key, tenant="free.example") == ["minimal"]
    assert details(key, tenant="acme.example") == ["standard", "full"]
    assert details(key, tenant="new.example") == ["standard", "full"]


def test_the_environment_is_production_unless_told(key: ProjectKey) -> None:
    make_detail_rule(detail="minimal", environment="production")

    assert details(key) == ["minimal"]
    assert details(key, environment="staging") == ["standard", "full"]


def test_the_release_counts_by_its_age(key: ProjectKey) -> None:
    make_detail_rule(detail="full", younger_hours=24)
    now = timezone.now()
    make_release(key.project, "old", first_seen=now - timedelta(hours=25))
    make_release(key.project, "new", first_seen=now - timedelta(hours=23))

    assert details(key, release="old") == ["standard", "full"]
    assert details(key, release="new") == ["full"]
    assert details(key, release="never heard of") == ["full"]
    assert details(key) == ["standard", "full"]


def test_rules_of_other_projects_and_those_switched_off_are_not_told(
    key: ProjectKey,
) -> None:
    make_detail_rule(detail="minimal", project=make_project())
    make_detail_rule(detail="minimal", is_active=False)

    assert details(key) == ["standard", "full"]


def test_what_follows_a_rule_for_every_event_is_not_told(key: ProjectKey) -> None:
    make_detail_rule(detail="minimal")
    make_detail_rule(detail="full", tag_key="template")

    assert details(key) == ["minimal"]


def test_an_answer_that_is_known_is_not_sent_again(key: ProjectKey) -> None:
    query = {"sentry_key": key.public_key}
    first = Client().get(URL, query)
    etag = first["ETag"]

    same = Client().get(URL, query, headers={"If-None-Match": f'"x", W/{etag}'})
    make_detail_rule(detail="minimal")
    changed = Client().get(URL, query, headers={"If-None-Match": etag})

    assert first["Cache-Control"] == "max-age=300"
    assert (same.status_code, same.content, same["ETag"]) == (304, b"", etag)
    assert (changed.status_code, changed["ETag"] == etag) == (200, False)


@pytest.mark.parametrize("name", ["X-Sentry-Auth", "Authorization"])
def test_the_key_stands_where_sdks_put_it(key: ProjectKey, name: str) -> None:
    told = f"Sentry sentry_version=7, sentry_key={key.public_key}"

    assert Client().get(URL, headers={name: told}).status_code == 200


@pytest.mark.parametrize("sentry_key", ["x", "0" * 32])
def test_a_key_that_nobody_has_is_refused(sentry_key: str) -> None:
    response = Client().get(URL, {"sentry_key": sentry_key})

    assert response.status_code == 401
    assert "DSN" in response.json()["detail"]


def test_a_key_that_is_switched_off_is_refused(key: ProjectKey) -> None:
    ProjectKey.objects.update(is_active=False)

    response = Client().get(URL, {"sentry_key": key.public_key})

    assert response.status_code == 401


def test_any_page_may_read_the_answer(key: ProjectKey) -> None:
    origin = {"Origin": "https://acme.example"}
    response = Client().get(URL, {"sentry_key": key.public_key}, headers=origin)

    assert response["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("origin", "status"), [("https://a.example", 200), ("https://evil.test", 403)]
)
def test_a_key_with_origins_is_for_their_pages(
    key: ProjectKey, origin: str, status: int
) -> None:
    ProjectKey.objects.update(allowed_origins=["*.example", "a.example"])

    response = Client().get(
        URL, {"sentry_key": key.public_key}, headers={"Origin": origin}
    )

    assert response.status_code == status
    allowed = response.headers.get("Access-Control-Allow-Origin")
    assert allowed == (origin if status == 200 else None)
    if status == 200:
        assert "Origin" in response["Vary"]


def test_a_token_names_the_project(key: ProjectKey) -> None:
    client = token_client("project:read")

    assert client.get(URL, {"project": "shop"}).json()["rules"] == BUILT_IN
    assert client.get(URL).json()["errors"] == {"project": "Name the project."}
    assert client.get(URL, {"project": "x"}).status_code == 400


def test_a_token_needs_its_scope_and_a_person_a_role(key: ProjectKey) -> None:
    query = {"project": "shop"}

    assert token_client("event:read").get(URL, query).status_code == 403
    assert role_client("viewer").get(URL, query).status_code == 200
    assert Client().get(URL, query).status_code == 401


@pytest.mark.parametrize("text", ["\0", "x" * 5000, "*"])
def test_odd_names_match_nothing(key: ProjectKey, text: str) -> None:
    make_detail_rule(detail="minimal", tenant="a", environment="b", older_hours=1)
    make_detail_rule(detail="minimal", plan=make_plan())

    told = details(key, tenant=text, release=text, environment=text)

    assert told == ["standard", "full"]


def test_an_answer_takes_few_queries(
    key: ProjectKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_detail_rule(plan=make_plan(), younger_hours=1)

    # Key with project, rules, release, tenant.
    with django_assert_num_queries(4):
        ask(key, tenant="acme.example", release="shop@1")
