import json
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from issues.models import DeadLetter, InboxEnvelope, Outcome
from issues.sealed_envelopes import Sender
from tenants.models import AuditEntry
from tests.envelopes import sealed
from tests.factories import (
    make_dead_letter,
    make_project,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

LETTERS = "/api/v1/dead-letters/"
OUTCOMES = "/api/v1/outcomes/"


@pytest.fixture
def client() -> APIClient:
    return token_client("project:write")


def test_dead_letters_are_listed_newest_first(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    project = make_project(slug="shop")
    letters = [make_dead_letter(project).pk for _ in range(3)]
    make_dead_letter(make_project())
    client.get(LETTERS)

    # Token, project, list.
    with django_assert_num_queries(3):
        rows = client.get(LETTERS, {"project": "shop"}).json()["results"]

    assert [row["id"] for row in rows] == letters[::-1]
    assert "traceback" not in rows[0]


def test_a_dead_letter_shows_its_traceback(client: APIClient) -> None:
    letter = make_dead_letter(make_project(), traceback="Traceback: …")

    body = client.get(f"{LETTERS}{letter.pk}/").json()

    assert body["traceback"] == "Traceback: …"


def test_a_dead_letter_shows_its_contents_scrubbed(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    text = b'{"password": "hunter2", "order": 7}'
    letter = make_dead_letter(
        make_project(ip_addresses="truncated"), body=sealed(text, Sender("192.0.2.77"))
    )
    client.get(LETTERS)

    # Token, letter, project, its rules.
    with django_assert_num_queries(4):
        body = client.get(f"{LETTERS}{letter.pk}/").json()

    assert body["contents"]["sender"]["remote_addr"] == "192.0.2.0"
    [part] = body["contents"]["parts"]
    assert json.loads(part["text"]) == {"password": "[Filtered]", "order": 7}


def test_letters_are_put_back_into_the_inbox(client: APIClient) -> None:
    project = make_project()
    letters = [make_dead_letter(project).pk for _ in range(3)]

    response = client.post(
        f"{LETTERS}digest-again/", {"ids": letters[:2]}, format="json"
    )

    assert response.json() == {"moved": 2}
    assert list(DeadLetter.objects.values_list("pk", flat=True)) == [letters[2]]
    assert InboxEnvelope.objects.count() == 2
    assert AuditEntry.objects.filter(actor="token ci").count() == 2


@pytest.mark.parametrize("ids", [[], ["x"], [0], "1", list(range(1, 1002))])
def test_wrong_ids_are_named(client: APIClient, ids: object) -> None:
    response = client.post(f"{LETTERS}digest-again/", {"ids": ids}, format="json")

    assert response.status_code == 400
    assert "ids" in response.json()["errors"]


@pytest.mark.parametrize(("role", "status"), [("responder", 403), ("maintainer", 200)])
def test_people_digest_again_by_their_role(role: str, status: int) -> None:
    letter = make_dead_letter(make_project())

    response = role_client(role).post(
        f"{LETTERS}digest-again/", {"ids": [letter.pk]}, format="json"
    )

    assert response.status_code == status


def add_outcome(project_id: int, quantity: int, hours_ago: int = 1) -> None:
    Outcome.objects.create(
        project_id=project_id,
        key_id=1,
        minute=timezone.now() - timedelta(hours=hours_ago),
        category="error",
        reason="rate_limit",
        quantity=quantity,
    )


def test_outcomes_are_summed_over_the_last_day(client: APIClient) -> None:
    project = make_project()
    for hours, quantity in ((1, 5), (2, 6), (30, 100)):
        add_outcome(project.pk, quantity, hours)

    assert client.get(OUTCOMES).json() == [
        {
            "project_id": project.pk,
            "key_id": 1,
            "category": "error",
            "reason": "rate_limit",
            "quantity": 11,
            "explanation": "over a limit: events counted, their bodies dropped",
        }
    ]


def test_outcomes_reach_back_as_far_as_asked(client: APIClient) -> None:
    add_outcome(make_project().pk, 7, hours_ago=30)
    since = (timezone.now() - timedelta(hours=48)).isoformat()

    (row,) = client.get(OUTCOMES, {"after": since}).json()

    assert row["quantity"] == 7


@pytest.mark.parametrize(
    ("before", "status"),
    [("3551-04-05T15:32:54+18:02", 200), ("0001-01-01T00:00:00+10:00", 400)],
)
def test_times_may_have_any_offset(client: APIClient, before: str, status: int) -> None:
    assert client.get(OUTCOMES, {"before": before}).status_code == status


def test_outcomes_are_filtered(client: APIClient) -> None:
    project = make_project(slug="shop")
    add_outcome(project.pk, 1)
    add_outcome(make_project().pk, 2)

    (row,) = client.get(OUTCOMES, {"project": "shop"}).json()

    assert row["quantity"] == 1


def test_a_wrong_filter_of_outcomes_is_named(client: APIClient) -> None:
    response = client.get(OUTCOMES, {"cat": "error"})

    assert "cat" in response.json()["errors"]
