from typing import Any

import pytest
from rest_framework.test import APIClient

from issues.models import EscalationStep, IncidentPolicy
from tenants.models import AuditEntry, Channel
from tests.factories import make_user, role_client, token_client

pytestmark = pytest.mark.django_db

URL = "/api/v1/incident-policies/"


@pytest.fixture
def client() -> APIClient:
    url = "https://hooks.example.com/"
    Channel.objects.create(name="on call", kind="webhook", config={"url": url})
    make_user("lea", email="lea@example.com")
    return token_client("issue:write")


def write(client: APIClient, **fields: Any) -> Any:
    body = {
        "severity": "critical",
        "channels": ["on call"],
        "steps": [{"after_seconds": 240, "people": ["lea"]}],
        **fields,
    }
    return client.post(URL, body, format="json")


def test_a_policy_is_made_with_its_steps_and_audited(client: APIClient) -> None:
    response = write(client)

    assert response.status_code == 201, response.json()
    assert client.get(URL).json()["results"] == [
        {
            "id": response.json()["id"],
            "project": None,
            "severity": "critical",
            "target_seconds": 600,
            "resolve_after_minutes": 30,
            "channels": ["on call"],
            "steps": [{"after_seconds": 240, "channels": [], "people": ["lea"]}],
        }
    ]
    changes = AuditEntry.objects.get(object_type="issues.incidentpolicy").changes
    assert changes["channels"] == [None, ["on call"]]


def test_a_second_policy_of_a_severity_is_a_problem(client: APIClient) -> None:
    write(client)

    response = write(client)

    assert response.status_code == 400
    assert "change that one" in str(response.json()["errors"])


def test_steps_are_replaced_as_a_whole_and_audited(client: APIClient) -> None:
    pk = write(client).json()["id"]

    steps = [{"after_seconds": 300, "channels": ["on call"]}]
    response = client.patch(f"{URL}{pk}/", {"steps": steps}, format="json")

    assert response.json()["steps"] == [
        {"after_seconds": 300, "channels": ["on call"], "people": []}
    ]
    assert list(AuditEntry.objects.get(action="changed").changes) == ["steps"]


def test_what_is_not_given_stays(client: APIClient) -> None:
    pk = write(client).json()["id"]

    client.patch(f"{URL}{pk}/", {"target_seconds": 900}, format="json")

    assert IncidentPolicy.objects.get().target_seconds == 900
    assert EscalationStep.objects.get().after_seconds == 240


def test_steps_of_the_same_time_are_a_problem(client: APIClient) -> None:
    response = write(client, steps=[{"after_seconds": 60, "people": ["lea"]}] * 2)

    assert response.status_code == 400
    assert "same time" in str(response.json()["errors"]["steps"])


def test_a_policy_is_deleted(client: APIClient) -> None:
    pk = write(client).json()["id"]

    assert client.delete(f"{URL}{pk}/").status_code == 204
    assert not IncidentPolicy.objects.exists()


@pytest.mark.parametrize(("role", "status"), [("responder", 403), ("maintainer", 201)])
def test_policies_are_made_by_maintainers(
    client: APIClient, role: str, status: int
) -> None:
    assert write(role_client(role)).status_code == status


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        ({"after_seconds": 240}, "Name channels or people"),
        ({"after_seconds": 240, "people": ["mute"]}, "No e-mail address"),
    ],
)
def test_a_step_that_would_tell_nobody_is_a_problem(
    client: APIClient, step: dict[str, Any], complaint: str
) -> None:
    make_user("mute")

    response = write(client, steps=[step])

    assert response.status_code == 400
    assert complaint in str(response.json())
