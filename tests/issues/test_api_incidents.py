from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from issues.incidents.by_hand import open_by_hand
from issues.models import Incident
from tenants.delivery import NOT_OFFERED
from tenants.models import AuditEntry, Delivery
from tests.factories import (
    ANNA,
    make_channel,
    make_issue,
    make_project,
    make_user,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/incidents/"
NOW = timezone.now()


@pytest.fixture
def client() -> APIClient:
    return token_client("issue:write")


def burn(minutes_ago: float = 4, **fields: Any) -> Incident:
    fields.setdefault("title", "Checkout fails")
    at = timezone.now() - timedelta(minutes=minutes_ago)
    return open_by_hand(ANNA, at, **fields)[0]


def ids(response: Any) -> list[int]:
    assert response.status_code == 200, response.json()
    return [row["id"] for row in response.json()["results"]]


def do(client: APIClient, incident: Incident, step: str, **body: Any) -> Any:
    response = client.post(f"{URL}{incident.pk}/{step}/", body, format="json")
    assert response.status_code == 200, response.json()
    return response.json()


def test_the_newest_comes_first_with_its_clock(client: APIClient) -> None:
    old, new = burn(20), burn(4)

    rows = client.get(URL).json()["results"]

    assert [row["id"] for row in rows] == [new.pk, old.pk]
    clock = rows[0]["clock"]
    assert (clock["running"], clock["kept"]) == (True, True)
    assert clock["spent_seconds"] + clock["left_seconds"] == 600
    assert (rows[1]["clock"]["kept"], rows[1]["clock"]["left_seconds"] < 0) == (
        False,
        True,
    )


@pytest.mark.parametrize("number", [1, 6])
def test_the_list_takes_a_fixed_number_of_queries(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries, number: int
) -> None:
    for _ in range(number):
        burn(project=make_project(), issues=[make_issue().pk])
    client.get(URL)

    # Token, incidents, entries.
    with django_assert_num_queries(3):
        assert len(ids(client.get(URL))) == number


@pytest.mark.parametrize("number", [1, 6])
def test_the_detail_takes_a_fixed_number_of_queries(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries, number: int
) -> None:
    channels = [make_channel(f"team {i}") for i in range(number)]
    issues = [make_issue().pk for _ in range(number)]
    incident = burn(issues=issues, channels=channels)
    client.get(URL)

    # Token, incident, entries of the clock; channels, issues, timeline, deliveries.
    with django_assert_num_queries(7):
        assert client.get(f"{URL}{incident.pk}/").status_code == 200


def test_the_list_is_filtered(client: APIClient) -> None:
    issue = make_issue(make_project(slug="shop"))
    mine = burn(30, severity="critical", project=issue.project, issues=[issue.pk])
    do(client, mine, "resolve")
    other = burn(4)

    for query in (
        {"state": "resolved"},
        {"severity": "critical"},
        {"project": "shop"},
        {"issue": issue.pk},
        {"detected_before": (timezone.now() - timedelta(minutes=10)).isoformat()},
    ):
        assert ids(client.get(URL, query)) == [mine.pk], query
    after = (timezone.now() - timedelta(minutes=10)).isoformat()
    assert ids(client.get(URL, {"detected_after": after})) == [other.pk]
    assert ids(client.get(URL, {"state": ["open", "resolved"]})) == [other.pk, mine.pk]


def test_an_incident_is_opened_by_hand(client: APIClient) -> None:
    issue, channel = make_issue(), make_channel()
    body = {
        "title": "Checkout fails",
        "severity": "critical",
        "project": issue.project.slug,
        "began_at": (NOW - timedelta(minutes=7)).isoformat(),
        "issues": [issue.pk],
        "channels": ["team"],
    }

    response = client.post(URL, body, format="json")

    assert response.status_code == 201, response.json()
    told = response.json()
    assert (told["state"], told["opened_by"]) == ("open", "token ci")
    assert [row["short_id"] for row in told["issues"]] == [issue.short_id]
    assert [row["channel"] for row in told["deliveries"]] == [channel.name]
    assert told["deliveries"][0]["title"] == "CRITICAL: Checkout fails"
    assert told["clock"]["since_began_seconds"] >= 420


def test_the_same_cause_joins_what_stands(client: APIClient) -> None:
    body = {"title": "Carrier down", "cause": "carrier"}
    first = client.post(URL, body)

    second = client.post(URL, body)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]


def test_a_wrong_incident_names_its_fields(client: APIClient) -> None:
    response = client.post(
        URL, {"severity": "odd", "project": "no", "issues": [99], "channels": ["no"]}
    )

    assert response.status_code == 400
    fields = {"title", "severity", "project", "issues", "channels"}
    assert set(response.json()["errors"]) == fields


def test_it_goes_from_open_to_resolved_and_back(client: APIClient) -> None:
    incident = burn()

    assert do(client, incident, "acknowledge")["state"] == "acknowledged"
    mitigated = do(client, incident, "mitigate", text="Switched it off.")
    assert (mitigated["state"], mitigated["clock"]["running"]) == ("mitigated", False)
    assert mitigated["timeline"][-1]["text"] == "Switched it off."
    assert do(client, incident, "resolve")["state"] == "resolved"
    again = do(client, incident, "reopen", text="Again.")
    assert (again["state"], again["reopened"]) == ("acknowledged", 1)


def test_a_step_that_is_done_changes_nothing(client: APIClient) -> None:
    incident = burn()
    do(client, incident, "acknowledge")

    told = do(client, incident, "acknowledge")

    assert [row["kind"] for row in told["timeline"]] == ["detected", "acknowledged"]


def test_a_refused_step_is_a_problem(client: APIClient) -> None:
    old = burn(cause="carrier")
    do(client, old, "resolve")
    burn(cause="carrier")

    response = client.post(f"{URL}{old.pk}/reopen/")

    assert response.status_code == 400
    assert "of the same cause is open" in response.json()["detail"]


def test_it_is_assigned_noted_and_changed(client: APIClient) -> None:
    incident = burn()
    make_user("bert")

    assert do(client, incident, "assign", owner="bert")["owner"] == "bert"
    assert do(client, incident, "assign", owner=None)["owner"] is None
    noted = do(client, incident, "note", text="Odd.")["timeline"]
    assert [row["text"] for row in noted if row["kind"] == "note"] == ["Odd."]
    changed = do(client, incident, "change", severity="low", target_seconds=900)
    assert (changed["severity"], changed["clock"]["target_seconds"]) == ("low", 900)


def test_issues_join_and_leave(client: APIClient) -> None:
    incident, issue = burn(), make_issue()

    assert len(do(client, incident, "join", issues=[issue.pk])["issues"]) == 1
    assert do(client, incident, "remove-issue", issue=issue.pk)["issues"] == []


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ("note", "text"),
        ("join", "issues"),
        ("remove-issue", "issue"),
        ("assign", "owner"),
    ],
)
def test_a_step_says_what_it_lacks(client: APIClient, step: str, field: str) -> None:
    response = client.post(f"{URL}{burn().pk}/{step}/", {}, format="json")

    assert response.status_code == 400
    assert set(response.json()["errors"]) == {field}


def test_an_unknown_incident_is_not_found(client: APIClient) -> None:
    assert client.get(f"{URL}999/").status_code == 404
    assert client.post(f"{URL}999/acknowledge/").status_code == 404


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("responder", 200)])
def test_people_work_incidents_by_their_role(role: str, status: int) -> None:
    url = f"{URL}{burn().pk}/acknowledge/"

    assert role_client(role).post(url).status_code == status


def test_a_step_is_audited_with_the_token(client: APIClient) -> None:
    do(client, burn(), "acknowledge")

    assert AuditEntry.objects.filter(actor="token ci", action="acknowledged").exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"began_at": "1990-11-27T14:30:00Z"},
        {"began_at": (NOW + timedelta(days=1)).isoformat()},
        {"beganat": NOW.isoformat()},
    ],
)
def test_a_beginning_that_cannot_be_is_a_problem(
    client: APIClient, fields: dict[str, str]
) -> None:
    response = client.post(URL, {"title": "Checkout fails", **fields}, format="json")

    assert response.status_code == 400
    assert not Incident.objects.exists()


@pytest.mark.parametrize("told", NOT_OFFERED)
def test_what_a_channel_does_not_offer_was_not_sent(
    client: APIClient, told: str
) -> None:
    channel = make_channel()
    incident = burn(channels=[channel])
    rows = Delivery.objects.filter(subject=incident.subject)
    rows.update(state=Delivery.State.SKIPPED, told=told)

    assert client.get(f"{URL}{incident.pk}/").json()["deliveries"] == []
