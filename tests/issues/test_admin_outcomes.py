from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from issues.admin.outcomes import unstored
from issues.models import Outcome
from tests.admin_pages import client_of, page
from tests.factories import make_key, make_project

pytestmark = pytest.mark.django_db

NOW = timezone.now().replace(second=0, microsecond=0)


def test_what_was_not_stored_is_summed_by_reason() -> None:
    project = make_project(name="Shop")
    key = make_key(project, label="pages")
    for minute, reason, quantity in (
        (0, "rate_limit", 5),
        (1, "rate_limit", 7),
        (2, "client:sample_rate", 90),
        (60 * 30, "rate_limit", 1000),
    ):
        Outcome.objects.create(
            project_id=project.pk,
            key_id=key.pk,
            minute=NOW - timedelta(minutes=minute),
            category="error",
            reason=reason,
            quantity=quantity,
        )

    rows = unstored(NOW - timedelta(hours=24))

    assert [(row.project, row.key, row.reason, row.quantity) for row in rows] == [
        ("Shop", "pages", "client:sample_rate", 90),
        ("Shop", "pages", "rate_limit", 12),
    ]
    assert rows[0].explanation == "the SDK dropped them: its sample rate left them out"
    assert rows[1].last == NOW


def test_what_a_filter_dropped_is_explained() -> None:
    for reason in ("filtered:crawlers", "filtered:of another version"):
        Outcome.objects.create(
            project_id=1,
            key_id=1,
            minute=NOW,
            category="error",
            reason=reason,
            quantity=len(reason),
        )

    rows = unstored(NOW - timedelta(hours=24))

    assert [row.explanation for row in rows] == [
        "",
        "an inbound filter of the project drops these (crawlers)",
    ]


def test_each_key_has_its_own_row() -> None:
    project = make_project()
    known = make_key(project, label="pages")
    for key_id in (known.pk, known.pk + 1, 0):
        Outcome.objects.create(
            project_id=project.pk,
            key_id=key_id,
            minute=NOW,
            category="error",
            reason="client:network_error",
            quantity=1,
        )

    html = page(client_of("viewer"), "issues_outcome_changelist")

    assert f"number {known.pk + 1}" in html
    assert {"pages", "the server"} <= {
        row.key for row in unstored(NOW - timedelta(hours=1))
    }
    assert "the SDK dropped them: the network failed" in html


def test_the_page_says_when_everything_was_stored() -> None:
    html = page(client_of("viewer"), "issues_outcome_changelist", period="nonsense")

    assert "Everything was stored" in html


def test_staff_without_a_role_sees_no_outcomes() -> None:
    url = reverse("admin:issues_outcome_changelist")

    assert client_of("").get(url).status_code == 403
