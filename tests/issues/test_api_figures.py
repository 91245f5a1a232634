import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from issues.incidents import steps
from issues.incidents.steps import Fire, open_incident
from issues.models import Incident
from tests.admin_pages import client_of, page
from tests.factories import (
    ANNA,
    make_deploy,
    make_project,
    make_release,
    make_watch,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/figures/"
WEDNESDAY = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
RANGE: dict[str, Any] = {"weeks": 2, "until": "2026-11-20"}


def burn(minutes: float = 4, at: datetime = WEDNESDAY, **fields: Any) -> Incident:
    fire = Fire(
        title="Checkout is broken",
        cause=f"rule:{Incident.objects.count()}",
        source=Incident.Source.RULE,
        began_at=at,
        **fields,
    )
    incident, _ = open_incident(fire, ANNA, at)
    steps.mitigate(incident, ANNA, at + timedelta(minutes=minutes))
    return incident


def read(client: APIClient, **query: Any) -> Any:
    response = client.get(URL, {**RANGE, **query})
    assert response.status_code == 200, response.content
    return response.json()


@pytest.fixture
def client() -> APIClient:
    return token_client("issue:read")


def test_the_figures_of_some_weeks(client: APIClient) -> None:
    shop = make_project(slug="shop")
    for minutes in (1, 2, 3, 4, 15):
        burn(minutes, project=shop)
    burn(at=WEDNESDAY - timedelta(weeks=2))  # before
    deploy = make_deploy(make_release(shop), started_at=WEDNESDAY)
    make_watch(deploy, verdict="degraded")

    told = read(client)

    (of_all,) = told["all"]
    assert of_all["mitigate"] == {
        "count": 5,
        "p50": 180.0,
        "p90": None,
        "least": 60.0,
        "most": 900.0,
    }
    assert of_all["in_ten_minutes"] == {"part": 4, "whole": 5, "share": 0.8}
    assert of_all["failures"] == {"part": 1, "whole": 1, "share": None}
    assert told["deploys_a_week"] == 0.5
    assert [(g["name"], g["incidents"]) for g in told["week"]] == [
        ("2026-W46", 0),
        ("2026-W47", 5),
    ]
    assert [g["name"] for g in told["project"]] == ["shop"]
    assert [g["name"] for g in told["severity"]] == ["critical", "high", "low"]
    assert told["source"][0]["deploys"] is None


def test_of_one_project(client: APIClient) -> None:
    burn(project=make_project(slug="shop"))
    burn()

    assert read(client, project="shop")["all"][0]["incidents"] == 1


@pytest.mark.parametrize("accepts", [True, False])
def test_they_come_as_csv(client: APIClient, accepts: bool) -> None:
    burn(2, project=make_project(slug="shop"))

    if accepts:
        response = client.get(URL, RANGE, headers={"Accept": "text/csv"})
    else:
        response = client.get(URL, {**RANGE, "format": "csv"})

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    kinds = [row["by"] for row in rows]
    assert kinds[:4] == ["all", "week", "week", "project"]
    assert (rows[0]["mitigate_count"], rows[0]["mitigate_most"]) == ("1", "120.0")
    assert (rows[0]["mitigate_p50"], rows[0]["in_target_whole"]) == ("", "1")
    assert rows[3]["name"] == "shop"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"weeks": 0}, "weeks"),
        ({"weeks": 105}, "weeks"),
        ({"until": "soon"}, "until"),
        ({"project": "no"}, "project"),
        ({"project": "no", "format": "csv"}, "project"),
    ],
)
def test_a_wrong_query_names_its_field(
    client: APIClient, query: dict[str, Any], field: str
) -> None:
    response = client.get(URL, query)

    assert response.status_code == 400
    assert set(response.json()["errors"]) == {field}


def test_who_sees_incidents_sees_figures() -> None:
    assert token_client("release:read").get(URL).status_code == 403
    assert role_client("viewer").get(URL).status_code == 200


@pytest.mark.parametrize("number", [1, 6])
def test_it_takes_a_fixed_number_of_queries(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries, number: int
) -> None:
    for _ in range(number):
        burn()
    read(client)

    # Token, incidents, deploys.
    with django_assert_num_queries(3):
        read(client)


@pytest.fixture
def viewer() -> Client:
    return client_of("viewer")


def test_the_page_tells_few_incidents_as_few(viewer: Client) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    shop = make_project(slug="shop", name="Shop")
    for minutes in (2, 5, 15):
        burn(minutes, at=now, project=shop)

    html = page(viewer, "issues_figures_changelist")

    assert 'rm-figure">2:00 to 15:00<' in html
    assert ">3 incidents, from detected<" in html
    assert "2 of 3" in html
    assert "3 incidents, 1 over the target</title>" in html
    assert ">67%<" not in html


def test_the_page_is_filtered(viewer: Client) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    burn(at=now, project=make_project(slug="shop"))
    burn(at=now - timedelta(weeks=8))

    assert ">1 incident</div>" in page(viewer, "issues_figures_changelist", weeks="4")
    assert ">2 incidents</div>" in page(viewer, "issues_figures_changelist", weeks="x")
    html = page(viewer, "issues_figures_changelist", project="shop")
    assert ">1 incident</div>" in html
    assert "format=csv&amp;weeks=12&amp;project=shop" in html


def test_the_page_of_nothing(viewer: Client) -> None:
    html = page(viewer, "issues_figures_changelist", weeks="52")

    assert "No incident and no deploy in this time." in html
    assert "NaN" not in html


@pytest.mark.parametrize("until", ["9999-12-31", "0001-01-01"])
def test_a_day_at_the_end_of_the_calendar_is_refused(until: str) -> None:
    response = token_client("issue:read").get(URL, {"until": until})

    assert response.status_code == 400
    assert "until" in response.json()["errors"]


def test_a_rule_that_knows_no_beginning_says_nothing_of_the_time_to_detect() -> None:
    burn()

    assert read(token_client("issue:read"))["all"][0]["detect"]["count"] == 0
