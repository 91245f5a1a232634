"""The repositories that stack traces link to, in the admin and over the API."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from rest_framework.test import APIClient

from tenants.models import AuditEntry, SourceRepository
from tenants.models.source import validate_template
from tests.admin_pages import client_of
from tests.factories import make_project, role_client, token_client

URL = "/api/v1/source-repositories/"
GITHUB = "https://github.com/acme/shop"


@pytest.fixture
def client() -> APIClient:
    return token_client("project:write")


@pytest.mark.parametrize(
    "template",
    ["{url}/blob/{commit}/{path}#L{line}", "https://git.example/x/{path}"],
)
def test_a_template_is_accepted(template: str) -> None:
    validate_template(template)


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{url}/{file}/{path}", "{file} is unknown"),
        ("{url}/blob", "{path}"),
        ("javascript:alert(1)//{path}", "Begin with {url}"),
    ],
)
def test_a_template_that_makes_no_address_is_refused(template: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        validate_template(template)


@pytest.mark.django_db
def test_one_is_made_changed_and_deleted(client: APIClient) -> None:
    make_project(slug="shop")
    made = client.post(URL, {"project": "shop", "url": GITHUB, "prefix": "app:///"})
    address = f"{URL}{made.json()['id']}/"
    changed = client.patch(address, {"folder": "web/"})
    deleted = client.delete(address)
    assert (made.status_code, made.json()["kind"]) == (201, "github")
    assert changed.json()["folder"] == "web/"
    assert deleted.status_code == 204
    actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["added", "changed", "deleted"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "git@github.com:acme/shop.git"}, "url"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": GITHUB, "kind": "svn"}, "kind"),
        ({"url": GITHUB, "kind": "own", "template": "{url}/{x}/{path}"}, "template"),
        ({"url": GITHUB, "kind": "own"}, "request"),
        ({"url": GITHUB, "template": "{url}/{path}"}, "request"),
    ],
)
def test_a_wrong_one_is_named(
    client: APIClient, body: dict[str, Any], field: str
) -> None:
    make_project(slug="shop")
    answer = client.post(URL, {"project": "shop", **body})
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


@pytest.mark.django_db
@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("maintainer", 201)])
def test_maintainers_make_them(role: str, status: int) -> None:
    make_project(slug="shop")
    answer = role_client(role).post(URL, {"project": "shop", "url": GITHUB})
    assert answer.status_code == status


@pytest.mark.django_db
def test_the_admin_saves_one() -> None:
    project = make_project()
    page = reverse("admin:tenants_sourcerepository_add")
    form = {"project": project.pk, "url": GITHUB, "kind": "gitlab", "position": 0}
    client_of("maintainer").post(page, form)
    assert SourceRepository.objects.get().kind == "gitlab"
    assert client_of("responder").get(page).status_code == 403


@pytest.mark.django_db
def test_the_admin_refuses_an_own_template_without_one() -> None:
    form = {"project": make_project().pk, "url": GITHUB, "kind": "own", "position": 0}
    page = reverse("admin:tenants_sourcerepository_add")
    answer = client_of("maintainer").post(page, form)
    assert "Give a template for" in answer.content.decode()
    assert not SourceRepository.objects.exists()
