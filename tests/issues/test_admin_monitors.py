from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues.models import Monitor, MonitorEnvironment
from tenants.models import AuditEntry
from tests.admin_pages import client_of, page, told
from tests.factories import (
    make_check_in,
    make_issue,
    make_key,
    make_place,
    make_project,
)

pytestmark = pytest.mark.django_db

LIST, CHANGE = "issues_monitor_changelist", "issues_monitor_change"
NOW = timezone.now()
HOUR = timedelta(hours=1)


@pytest.fixture
def viewer() -> Client:
    return client_of("viewer")


def slugs(client: Client, **query: Any) -> list[str]:
    response = client.get(reverse(f"admin:{LIST}"), query)
    assert response.status_code == 200
    return [monitor.slug for monitor in response.context["cl"].result_list]


def test_what_fails_leads_and_what_is_disabled_comes_last(viewer: Client) -> None:
    make_place(slug="a-fine")
    off = make_place(slug="b-off", failing_since=NOW).monitor
    Monitor.objects.filter(pk=off.pk).update(is_disabled=True)
    make_place(slug="c-failing", failing_since=NOW)
    assert slugs(viewer) == ["c-failing", "a-fine", "b-off"]


@pytest.mark.parametrize(
    ("state", "fields"),
    [
        ("failing", {"failing_since": NOW, "last_status": "error"}),
        ("late", {"expected_at": NOW - HOUR, "last_status": "ok"}),
        ("late", {"expected_at": NOW - HOUR}),
        ("in_progress", {"running_since": NOW, "last_status": "missed"}),
        ("ok", {"last_status": "ok", "expected_at": NOW + HOUR}),
        ("error", {"last_status": "error"}),
        ("missed", {"last_status": "missed", "expected_at": NOW - HOUR}),
        ("timeout", {"last_status": "timeout"}),
        ("unknown", {"last_status": "unknown"}),
        ("waiting", {}),
    ],
)
def test_the_list_is_narrowed_to_a_state_that_it_shows(
    viewer: Client, state: str, fields: dict[str, Any]
) -> None:
    make_place(slug="wanted", **fields)
    others = {"ok", "error"} - {state, fields.get("last_status")}
    make_place(slug="other", last_status=others.pop())
    assert slugs(viewer, state=state) == ["wanted"]
    if state != "failing":
        assert f"is-run-{state}" in page(viewer, LIST, state=state)


def test_the_list_is_narrowed_by_project_environment_switches_and_text(
    viewer: Client,
) -> None:
    project = make_project()
    place = make_place("staging", slug="wanted", project=project)
    Monitor.objects.filter(pk=place.monitor_id).update(is_muted=True, name="Sync")
    make_place(slug="other")
    for query in (
        {"project__id__exact": project.pk},
        {"environment": "staging"},
        {"state": "muted"},
        {"q": "sync"},
        {"q": "wanted"},
    ):
        assert slugs(viewer, **query) == ["wanted"]


@pytest.mark.parametrize("count", [1, 6])
def test_the_list_takes_a_fixed_number_of_queries(
    viewer: Client, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    project = make_project()
    for number in range(count):
        place = make_place(slug=f"job-{number}", project=project)
        make_check_in(place, status="ok")
    with django_assert_num_queries(11):
        html = page(viewer, LIST)
    assert html.count('class="rm-strip"') == count


def test_a_page_shows_the_runs_the_issue_and_how_to_check_in(viewer: Client) -> None:
    project = make_project()
    key, issue = make_key(project), make_issue(project)
    place = make_place(
        project=project,
        every=(1, "hour"),
        last_status="error",
        failing_since=NOW - HOUR,
        expected_at=NOW + HOUR,
        issue=issue,
    )
    make_check_in(place, status="error", started=NOW, duration=75, release="<b>1")
    html = page(viewer, CHANGE, place.monitor_id)
    assert "every hour" in html
    assert "75 s" in html
    assert "&lt;b&gt;1" in html
    assert reverse("admin:issues_issue_change", args=[issue.pk]) in html
    assert f"/api/{project.pk}/cron/nightly/{key.public_key}/?status=ok" in html
    assert "last 1 runs: 1 failed" in html


def fields_of(monitor: Monitor, **changes: Any) -> dict[str, Any]:
    names = ["name", "crontab", "interval_unit", "timezone", "margin_minutes"]
    names += ["max_runtime_minutes", "failure_threshold", "recovery_threshold"]
    told = {name: getattr(monitor, name) for name in names}
    return {**told, "interval_value": monitor.interval_value or "", **changes}


def test_a_responder_changes_the_schedule_and_runs_are_expected_anew() -> None:
    place = make_place(every=(1, "hour"), expected_at=NOW, missed_at=NOW)
    monitor, client = place.monitor, client_of("responder", "rita")
    changes = {"interval_value": "", "interval_unit": "", "crontab": " 0  0 1 1 * "}
    url = reverse(f"admin:{CHANGE}", args=[monitor.pk])
    assert client.post(url, fields_of(monitor, **changes)).status_code == 302
    monitor.refresh_from_db()
    place.refresh_from_db()
    assert (monitor.crontab, monitor.interval_value) == ("0 0 1 1 *", None)
    assert place.expected_at is not None
    assert (place.expected_at.month, place.expected_at.day) == (1, 1)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.changes["interval_value"]) == ("rita", [1, None])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crontab": "0 3 *"}, "is no crontab"),
        ({"crontab": "0 3 * * *", "timezone": "Mars/Base"}, "is no time zone"),
        ({"crontab": "0 3 * * *", "interval_value": "5"}, "or an interval with"),
        ({"interval_value": "5"}, "is no unit"),
        ({"failure_threshold": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    monitor = make_place().monitor
    url = reverse(f"admin:{CHANGE}", args=[monitor.pk])
    response = client_of("maintainer").post(url, fields_of(monitor, **changes))
    assert response.status_code == 200
    assert message in response.content.decode()


def test_a_viewer_changes_nothing(viewer: Client) -> None:
    monitor = make_place().monitor
    url = reverse(f"admin:{CHANGE}", args=[monitor.pk])
    assert viewer.post(url, fields_of(monitor, name="x")).status_code == 403
    ticked = {"action": "mute", "_selected_action": [monitor.pk]}
    viewer.post(reverse(f"admin:{LIST}"), ticked)
    assert not Monitor.objects.filter(is_muted=True).exists()


@pytest.mark.parametrize(
    ("action", "field", "before", "after", "word"),
    [
        ("mute", "is_muted", False, True, "Muted 1."),
        ("unmute", "is_muted", True, False, "Unmuted 1."),
        ("disable", "is_disabled", False, True, "Disabled 1."),
        ("enable", "is_disabled", True, False, "Enabled 1."),
    ],
)
def test_monitors_are_switched_in_the_list(
    action: str, field: str, before: bool, after: bool, word: str
) -> None:
    place = make_place(every=(1, "hour"), expected_at=NOW, missed_at=NOW)
    Monitor.objects.update(**{field: before})
    client = client_of("responder")
    ticked = {"action": action, "_selected_action": [place.monitor_id]}
    response = client.post(reverse(f"admin:{LIST}"), ticked)
    assert told(response) == [word]
    assert getattr(Monitor.objects.get(), field) is after
    assert AuditEntry.objects.get().changes == {field: [before, after]}
    place.refresh_from_db()
    assert (place.expected_at is None) is (action == "disable")


def test_a_maintainer_deletes_a_monitor_with_its_runs() -> None:
    place = make_place()
    make_check_in(place)
    url = reverse("admin:issues_monitor_delete", args=[place.monitor_id])
    assert client_of("responder").post(url, {"post": "yes"}).status_code == 403
    client_of("maintainer").post(url, {"post": "yes"})
    assert not MonitorEnvironment.objects.exists()
