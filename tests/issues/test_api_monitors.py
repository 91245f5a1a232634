from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from issues.models import Monitor
from tenants.models import AuditEntry
from tests.factories import (
    make_check_in,
    make_issue,
    make_place,
    make_project,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/monitors/"
NOW = timezone.now().replace(microsecond=0)
HOUR = timedelta(hours=1)


@pytest.fixture
def client() -> APIClient:
    return token_client("project:write")


def slugs(response: Any) -> list[str]:
    assert response.status_code == 200, response.json()
    return [row["slug"] for row in response.json()["results"]]


def test_a_monitor_tells_how_it_fares(client: APIClient) -> None:
    root = make_issue()
    issue = make_issue(merged_into=root)
    place = make_place(
        every=(2, "hour"),
        project=make_project(slug="shop"),
        last_status="error",
        last_check_in=NOW,
        expected_at=NOW + HOUR,
        failing_since=NOW,
        failures=3,
        issue=issue,
    )
    told = client.get(f"{URL}{place.monitor_id}/").json()
    assert (told["project"], told["slug"], told["schedule"]) == (
        *("shop", "nightly", "every 2 hours"),
    )
    assert told["environments"] == [
        {
            "environment": "production",
            "state": "error",
            "last_check_in": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
            "next_expected": f"{NOW + HOUR:%Y-%m-%dT%H:%M:%SZ}",
            "failing_since": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
            "failures": 3,
            "issue": root.pk,
        }
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"project": "shop"},
        {"search": "want"},
        {"environment": "staging"},
        {"state": "missed"},
        {"state": "failing"},
        {"is_muted": "true"},
    ],
)
def test_the_list_is_narrowed_down(client: APIClient, query: dict[str, str]) -> None:
    project = make_project(slug="shop")
    told: dict[str, Any] = {"last_status": "missed", "failing_since": NOW}
    make_place("staging", slug="wanted", project=project, **told)
    Monitor.objects.update(is_muted=True)
    make_place(slug="other", last_status="ok")
    assert slugs(client.get(URL, query)) == ["wanted"]


@pytest.mark.parametrize("count", [1, 5])
def test_the_list_takes_a_fixed_number_of_queries(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    for number in range(count):
        make_place(slug=f"job-{number}")
    client.get(URL)
    with django_assert_num_queries(3):
        assert len(slugs(client.get(URL))) == count


def test_a_monitor_is_made(client: APIClient) -> None:
    make_project(slug="shop")
    body = {"project": "shop", "slug": "sync", "name": "Sync", "crontab": "@daily"}
    answer = client.post(URL, {**body, "timezone": "Europe/Vienna"})
    assert answer.status_code == 201
    assert answer.json()["schedule"] == "@daily (Europe/Vienna)"
    assert AuditEntry.objects.get().action == "added"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"crontab": "0 3 *"}, "crontab"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"interval_value": 5}, "interval_value"),
        ({"crontab": "@daily", "interval_value": 5, "interval_unit": "day"}, "request"),
        ({"slug": "nightly"}, "request"),
        ({"slug": "a b"}, "slug"),
        ({"recovery_threshold": 0}, "recovery_threshold"),
    ],
)
def test_a_monitor_that_cannot_be_kept_is_refused(
    client: APIClient, changes: dict[str, Any], field: str
) -> None:
    make_place(project=make_project(slug="shop"))
    body = {"project": "shop", "slug": "sync", "name": "Sync", **changes}
    answer = client.post(URL, body)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_a_change_of_the_schedule_expects_runs_anew(client: APIClient) -> None:
    place = make_place(every=(1, "hour"), expected_at=NOW, missed_at=NOW)
    url = f"{URL}{place.monitor_id}/"
    told = client.patch(url, {"interval_value": 3}).json()
    assert told["schedule"] == "every 3 hours"
    assert told["environments"][0]["next_expected"] > f"{NOW + 2 * HOUR:%Y-%m-%dT%H}"
    assert AuditEntry.objects.get().changes == {"interval_value": [1, 3]}


def test_a_patch_leaves_what_it_does_not_name(client: APIClient) -> None:
    place = make_place(every=(1, "hour"))
    told = client.patch(f"{URL}{place.monitor_id}/", {"is_muted": True}).json()
    assert (told["is_muted"], told["schedule"]) == (True, "every hour")


def test_a_monitor_keeps_its_slug_and_project(client: APIClient) -> None:
    url = f"{URL}{make_place().monitor_id}/"
    make_project(slug="other")
    for changes in ({"slug": "else"}, {"project": "other"}):
        assert client.patch(url, changes).status_code == 400


def test_a_monitor_is_deleted(client: APIClient) -> None:
    assert client.delete(f"{URL}{make_place().monitor_id}/").status_code == 204
    assert not Monitor.objects.exists()


@pytest.mark.parametrize(
    ("role", "patched", "deleted"),
    [("viewer", 403, 403), ("responder", 200, 403), ("maintainer", 200, 204)],
)
def test_roles(role: str, patched: int, deleted: int) -> None:
    client, url = role_client(role), f"{URL}{make_place().monitor_id}/"
    assert client.get(url).status_code == 200
    assert client.patch(url, {"is_muted": True}).status_code == patched
    assert client.delete(url).status_code == deleted


def test_the_runs_of_a_monitor_newest_first(client: APIClient) -> None:
    place = make_place()
    staging = make_place("staging", monitor=place.monitor)
    make_check_in(place, status="ok", started=NOW - HOUR, duration=1.5)
    make_check_in(staging, status="error", started=NOW, check_in_id=UUID(int=7))
    make_check_in(make_place(slug="other"))
    url = f"{URL}{place.monitor_id}/check-ins/"
    first, second = client.get(url).json()["results"]
    assert first.pop("id")
    assert first == {
        "check_in_id": UUID(int=7).hex,
        "environment": "staging",
        "status": "error",
        "started": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
        "finished": None,
        "duration": None,
        "expected_at": None,
        "release": "",
    }
    assert (second["status"], second["duration"]) == ("ok", 1.5)
    for query in (
        {"status": "error"},
        {"environment": "staging"},
        {"started_after": f"{NOW - HOUR / 2:%Y-%m-%dT%H:%M:%SZ}"},
    ):
        (row,) = client.get(url, query).json()["results"]
        assert row["status"] == "error"


def test_runs_of_no_monitor_are_not_found(client: APIClient) -> None:
    assert client.get(f"{URL}99/check-ins/").status_code == 404


def test_sentry_cli_lists_monitors() -> None:
    off = make_place(slug="off").monitor
    Monitor.objects.filter(pk=off.pk).update(is_disabled=True)
    monitor = make_place(slug="nightly").monitor
    url = "/api/0/organizations/rush/monitors/?cursor="
    answer = token_client("release:read").get(url)
    assert answer.json() == [
        {
            "id": str(monitor.pk),
            "slug": "nightly",
            "name": "nightly",
            "status": "active",
        }
    ]
    assert token_client("event:read").get(url).status_code == 403
