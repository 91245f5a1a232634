from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from issues.alerts import reacting
from issues.alerts.asking import sentence
from issues.models import AlertRule
from tenants.models import AuditEntry
from tests.factories import (
    make_channel,
    make_issue,
    make_plan,
    make_project,
    make_user,
    role_client,
    token_client,
)
from tests.issues.alert_rules import make_rule, note_activity

pytestmark = pytest.mark.django_db

RULES, ALERTS = "/api/v1/alert-rules/", "/api/v1/alerts/"


@pytest.fixture
def client() -> APIClient:
    make_channel("on call")
    make_user("lea", email="lea@example.com")
    make_user("mute")
    return token_client("issue:write")


def write(client: APIClient, **fields: Any) -> Any:
    body = {"name": "new", "when": "new_issue", "channels": ["on call"], **fields}
    return client.post(RULES, body, format="json")


def test_a_rule_is_made_and_audited(client: APIClient) -> None:
    make_project(slug="shop")
    make_plan("Enterprise")
    given = {
        "project": "shop",
        "min_level": "error",
        "plan": "Enterprise",
        "people": ["lea"],
        "quiet_from": "22:00:00",
        "quiet_until": "07:00:00",
        "quiet_timezone": "Europe/Vienna",
    }

    response = write(client, **given)

    assert response.status_code == 201, response.json()
    shown = client.get(f"{RULES}{response.json()['id']}/").json()
    assert {name: shown[name] for name in given} == given
    assert shown["sentence"] == (
        "When an issue is new – if project Shop, level error or worse, a tenant on "
        "Enterprise – tell on call, lea, not from 22:00–07:00 Europe/Vienna."
    )
    changes = AuditEntry.objects.get(object_type="issues.alertrule").changes
    assert changes["channels"] == [None, ["on call"]]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"when": "impact"}, "Give the threshold"),
        ({"when": "impact", "threshold": 101}, "at most 100"),
        ({"when": "crash_free_users", "threshold": 101}, "at most 100"),
        ({"when": "crash_free_users"}, "Give the threshold"),
        ({"when": "crash_free_users", "threshold": 99, "minutes": 5}, "leave them"),
        ({"when": "events", "threshold": 0, "minutes": 5}, "above 0"),
        ({"when": "events", "threshold": 5}, "Give the minutes"),
        ({"when": "new_issue", "minutes": 5}, "leave them empty"),
        ({"when": "new_issue", "threshold": 5}, "leave it empty"),
        ({"when": "verdict", "tag_key": "carrier"}, "asked of issues only"),
        ({"when": "monitor", "release": "2.*"}, "knows of no release"),
        (
            {"when": "ingest_lag", "threshold": 60, "environment": "prod*"},
            "leave project and environment empty",
        ),
        ({"tag_value": "dhl"}, "Name the tag"),
        ({"environment": "*"}, "matches every text"),
        ({"quiet_from": "22:00"}, "both ends"),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "two different ones"),
        ({"quiet_timezone": "Mars"}, "no time zone"),
        ({"ignores_quiet_hours": True}, "opens critical incidents"),
        ({"opens_incident": True, "digest_minutes": 5}, "tells at once"),
        ({"repeat_minutes": 0}, "greater than or equal to 1"),
        ({"channels": ["nobody"]}, "nobody"),
        ({"enviroment": "production"}, "No such field; there are: name"),
        ({"people": ["mute"]}, "No e-mail address in the account of mute"),
    ],
)
def test_a_rule_that_makes_no_sense_is_a_problem(
    client: APIClient, fields: dict[str, Any], complaint: str
) -> None:
    response = write(client, **fields)

    assert response.status_code == 400
    assert complaint in str(response.json())
    assert not AlertRule.objects.exists()


def test_what_is_changed_is_audited(client: APIClient) -> None:
    pk = write(client).json()["id"]

    response = client.patch(f"{RULES}{pk}/", {"people": ["lea"]}, format="json")

    assert response.json()["people"] == ["lea"]
    assert response.json()["channels"] == ["on call"]
    changes = AuditEntry.objects.get(action="changed").changes
    assert changes["people"] == [[], ["lea"]]


def test_a_rule_is_deleted_with_its_alerts(client: APIClient) -> None:
    pk = write(client).json()["id"]
    note_activity()
    reacting.react_to_issues(timezone.now())

    assert client.delete(f"{RULES}{pk}/").status_code == 204
    assert client.get(ALERTS).json()["results"] == []


@pytest.mark.parametrize(("role", "status"), [("responder", 403), ("maintainer", 201)])
def test_rules_are_made_by_maintainers(
    client: APIClient, role: str, status: int
) -> None:
    assert write(role_client(role)).status_code == status


def test_a_preview_tells_what_would_have_been_told(client: APIClient) -> None:
    rule = make_rule()
    issue = make_issue(title="KeyError")
    note_activity(issue)

    found = client.get(f"{RULES}{rule.pk}/preview/").json()

    assert (found["causes"], found["message_count"]) == (1, 1)
    title = f"New issue: KeyError ({issue.short_id})"
    (message,) = found["messages"]
    assert (message["title"], message["alerts"]) == (title, 1)
    assert message["causes"] == [title]


def test_alerts_tell_the_message_that_told_them(client: APIClient) -> None:
    rule = make_rule()
    issue = make_issue()
    note_activity(issue)
    reacting.react_to_issues(timezone.now())

    query = {"issue": str(issue.pk), "state": "told"}
    (alert,) = client.get(ALERTS, query).json()["results"]

    assert (alert["rule"], alert["cause"]) == ("new_issue", f"issue:{issue.pk}")
    assert alert["message"].startswith(f"alert:{rule.pk}:")
    by_message = client.get(ALERTS, {"message": alert["message"]}).json()["results"]
    assert by_message == [alert]


@pytest.mark.parametrize("number", [1, 5])
def test_lists_take_as_many_queries_for_many_rows(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries, number: int
) -> None:
    for i in range(number):
        make_rule(name=f"rule {i}", project=make_project(), plan=make_plan(f"p{i}"))
    make_rule(name="all")
    for _ in range(number):
        note_activity()
    reacting.react_to_issues(timezone.now())

    with django_assert_num_queries(5):
        client.get(RULES)
    with django_assert_num_queries(2):
        client.get(ALERTS)


@pytest.mark.parametrize("threshold", [1e300, "nan", 0])
def test_a_threshold_out_of_bounds_is_refused(
    client: APIClient, threshold: object
) -> None:
    response = write(client, when="hit_list", threshold=threshold)

    assert response.status_code == 400
    assert AlertRule.objects.count() == 0


def test_the_usual_is_that_of_an_hour(client: APIClient) -> None:
    response = write(client, when="unusual", threshold=50, minutes=61)

    assert response.status_code == 400
    assert "at most 60 minutes" in str(response.json())


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"when": "tenants", "threshold": 20, "minutes": 10},
            "an issue hits at least 20 tenants within 10 min",
        ),
        (
            {"when": "unusual", "threshold": 50, "minutes": 60},
            "events within 60 min are 50 % above the usual",
        ),
        (
            {"when": "events", "threshold": 2_000_000, "minutes": 5},
            "events of an environment are at least 2,000,000 within 5 min",
        ),
        ({"when": "hit_list", "threshold": 4}, "its time, or stands for over 4 h"),
    ],
)
def test_a_threshold_stands_where_it_is_said(fields: dict[str, Any], text: str) -> None:
    assert text in sentence(make_rule(**fields))


def test_what_is_shown_may_be_sent_back(client: APIClient) -> None:
    shown = write(client).json()

    response = client.patch(f"{RULES}{shown['id']}/", shown, format="json")

    assert response.status_code == 200, response.json()
