from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from releases.models import Threshold
from tenants.models import AuditEntry
from tests.admin_pages import client_of, page
from tests.factories import make_environment, make_project, make_threshold
from tests.releases.scene import Scene

pytestmark = pytest.mark.django_db

ADD = "admin:releases_threshold_add"
TYPED = {
    "project": "",
    "environment": "production",
    "ratio": "2",
    "floor": "0.1",
    "confidence": "99.5",
    "tolerated_drift": "1.1",
    "min_events": "5",
    "min_tenants": "3",
    "grace_minutes": "2",
    "window_minutes": "60",
    "guard_new_issue": "on",
    "action": "rollback",
}


@pytest.fixture
def maintainer() -> Client:
    return client_of("maintainer")


def change(threshold: Threshold) -> str:
    return reverse("admin:releases_threshold_change", args=[threshold.pk])


def tried(client: Client, of: Threshold | None = None, **typed: str) -> Any:
    address = reverse("admin:releases_threshold_preview")
    query = f"?of={of.pk}" if of else ""
    return client.post(address + query, {**TYPED, **typed})


def test_percent_are_saved_as_fractions(maintainer: Client) -> None:
    maintainer.post(reverse(ADD), TYPED)

    threshold = Threshold.objects.get()
    assert (threshold.floor, threshold.confidence) == (0.001, 0.995)
    assert (threshold.guard_new_issue, threshold.guard_tenant) == (True, False)


def test_the_form_shows_percent(maintainer: Client) -> None:
    threshold = make_threshold(floor=0.0005, confidence=0.99999)

    html = maintainer.get(change(threshold)).content.decode()

    assert 'name="floor" value="0.05"' in html
    assert 'name="confidence" value="99.999"' in html


def test_a_form_that_was_not_changed_changes_nothing(maintainer: Client) -> None:
    threshold = make_threshold(environment="production")
    form = maintainer.get(change(threshold)).context["adminform"].form
    typed = {bound.name: bound.value() for bound in form if bound.value()}

    maintainer.post(change(threshold), typed)

    assert AuditEntry.objects.get().changes == {}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("confidence", "100", "Give 50 to 99.999 percent."),
        ("floor", "-1", "Give 0 to 100 percent."),
        ("tolerated_drift", "3", "The tolerated drift must not be above the ratio."),
        ("window_minutes", "2", "greater than or equal to 3"),
    ],
)
def test_a_wrong_number_is_told(
    maintainer: Client, field: str, value: str, message: str
) -> None:
    response = maintainer.post(reverse(ADD), {**TYPED, field: value})

    assert message in response.content.decode()
    assert not Threshold.objects.exists()


def test_a_place_has_one_threshold(maintainer: Client) -> None:
    make_threshold(environment="production")

    response = maintainer.post(reverse(ADD), TYPED)

    assert "have a threshold already" in response.content.decode()


def test_every_change_is_in_the_history(maintainer: Client) -> None:
    threshold = make_threshold(environment="production")

    maintainer.post(change(threshold), TYPED)

    html = maintainer.get(change(threshold)).content.decode()
    assert "confidence 0.99 → 0.995" in html
    assert "action alert → rollback" in html


def test_environments_are_suggested(maintainer: Client) -> None:
    make_environment(make_project(), "europe")
    make_environment(make_project(), "europe")

    html = page(maintainer, "releases_threshold_add")

    assert html.count('<option value="europe">') == 1


@pytest.mark.parametrize(
    ("role", "status"), [("viewer", 403), ("responder", 403), ("maintainer", 200)]
)
def test_thresholds_are_set_by_maintainers(role: str, status: int) -> None:
    client = client_of(role)

    assert client.get(reverse(ADD)).status_code == status
    assert tried(client).status_code == status


def test_a_viewer_reads_a_threshold(client: Client) -> None:
    response = client_of("viewer").get(change(make_threshold()))

    assert response.status_code == 200
    assert "Preview" not in response.content.decode()


def test_what_is_typed_is_tried_and_not_saved(maintainer: Client) -> None:
    scene = Scene()
    threshold = scene.threshold()

    response = tried(maintainer, threshold, project=str(scene.project.pk))

    assert response.context["preview"].environments[0].environment == scene.environment
    assert "Nothing to go by" in response.content.decode()
    threshold.refresh_from_db()
    assert threshold.ratio == 1.5


def test_what_is_typed_wrongly_is_told(maintainer: Client) -> None:
    response = tried(maintainer, ratio="1")

    assert response.context["preview"] is None
    assert "Ratio: Ensure this value" in response.content.decode()


@pytest.mark.parametrize("rows", [1, 9])
def test_the_list_takes_the_same_queries_however_long(
    maintainer: Client, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    for n in range(rows):
        make_threshold(project=make_project(), environment=f"e{n}")
    page(maintainer, "releases_threshold_changelist")

    # Session, person, two of permissions, dead letters; projects of the filter, the
    # count, the rows.
    with django_assert_num_queries(8):
        page(maintainer, "releases_threshold_changelist")
