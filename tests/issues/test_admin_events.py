import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues import partitions
from issues.models import Event
from tests.admin_pages import client_of, page
from tests.envelopes import event as payload_of
from tests.factories import (
    make_event,
    make_issue,
    make_project,
    make_release,
    make_tenant,
)

pytestmark = pytest.mark.django_db

LIST = "issues_event_changelist"
NOW = timezone.now()


@pytest.fixture
def viewer() -> Client:
    return client_of("viewer")


def shown(client: Client, **query: Any) -> list[Event]:
    response = client.get(reverse(f"admin:{LIST}"), query)
    assert response.status_code == 200
    return list(response.context["events"])


def test_the_newest_events_lead(viewer: Client) -> None:
    issue = make_issue()
    old, new = make_event(issue), make_event(issue)

    assert shown(viewer) == [new, old]


@pytest.mark.parametrize("by", ["project", "issue", "tenant", "release", "event_id"])
def test_events_are_narrowed_down(viewer: Client, by: str) -> None:
    project = make_project()
    issue = make_issue(project)
    wanted = make_event(
        issue,
        release=make_release(project, "shop@2"),
        tenant=make_tenant("acme.example"),
    )
    make_event(make_issue())
    value: Any = {
        "project": project.pk,
        "issue": issue.pk,
        "tenant": "acme.example",
        "release": "shop@2",
        "event_id": wanted.event_id.hex,
    }[by]

    assert shown(viewer, **{by: value}) == [wanted]


def test_the_list_looks_back_a_day_unless_told(viewer: Client) -> None:
    issue = make_issue()
    late = NOW.replace(hour=12) - timedelta(days=1, hours=13)
    partitions.create(late.date())
    old = make_event(issue, received=late)

    assert shown(viewer) == []
    assert shown(viewer, period="7d") == [old]
    assert shown(viewer, issue=issue.pk) == [old]
    start, end = late - timedelta(hours=1), late + timedelta(hours=1)
    span = {"start": f"{start:%Y-%m-%dT%H:%M}", "end": f"{end:%Y-%m-%dT%H:%M}"}
    assert shown(viewer, period="custom", **span) == [old]


def test_events_of_merged_issues_lead_to_the_issue_that_shows_them(
    viewer: Client,
) -> None:
    root = make_issue()
    child = make_issue(merged_into=root)
    event = make_event(child)

    html = page(viewer, LIST, issue=root.pk)

    link = reverse("admin:issues_issue_change", args=[root.pk])
    assert f'{link}?event={event.pk}"' in html


def test_older_events_follow_on_the_next_page(viewer: Client) -> None:
    issue = make_issue()
    events = [make_event(issue) for _ in range(51)]

    first = shown(viewer)
    second = shown(viewer, before=first[-1].pk)

    assert first == events[:0:-1]
    assert second == [events[0]]


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({"tenant": "nobody.example"}, "No tenant has the key nobody.example"),
        ({"release": "nope"}, "No release is called nope"),
        ({"issue": "999999"}, "No issue has the number 999999"),
        ({"issue": "x"}, "Enter a whole number"),
        ({"event_id": "12"}, "32 hex digits"),
        ({"period": "century"}, "Select a valid choice"),
    ],
)
def test_a_filter_that_cannot_be_understood_is_told(
    viewer: Client, query: dict[str, str], complaint: str
) -> None:
    assert complaint in page(viewer, LIST, **query)


def test_an_event_is_found_by_its_event_id(viewer: Client) -> None:
    event = make_event(make_issue(), payload=payload_of())

    html = page(viewer, "issues_event_change", event.event_id.hex)

    assert event.event_id.hex in html
    assert "RATES[currency]" in html


def test_the_raw_event_is_a_download_that_no_browser_renders(viewer: Client) -> None:
    payload = payload_of(message="<script>alert(1)</script>")
    event = make_event(make_issue(), payload=payload)

    response = viewer.get(reverse("admin:issues_event_json", args=[event.pk]))

    assert json.loads(response.content) == payload
    assert response["Content-Type"] == "application/json"
    assert response["Content-Disposition"].startswith("attachment; filename=")
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("body", [None, b"damaged"])
def test_a_body_that_is_not_there_cannot_be_downloaded(
    viewer: Client, body: bytes | None
) -> None:
    event = make_event(make_issue(), body=body)

    response = viewer.get(reverse("admin:issues_event_json", args=[event.pk]))

    assert response.status_code == 404


@pytest.mark.parametrize("address", ["0", "x", "f" * 32, "9" * 40])
def test_an_unknown_event_is_not_found(viewer: Client, address: str) -> None:
    response = viewer.get(reverse("admin:issues_event_change", args=[address]))

    assert response.status_code == 404


def test_staff_without_a_role_sees_no_events() -> None:
    nobody, event = client_of(""), make_event(make_issue(), payload={"a": 1})

    for name, args in ((LIST, []), ("issues_event_change", [event.pk])):
        assert nobody.get(reverse(f"admin:{name}", args=args)).status_code == 403
    raw = reverse("admin:issues_event_json", args=[event.pk])
    assert nobody.get(raw).status_code == 403


@pytest.mark.parametrize("events", [1, 30])
def test_the_list_takes_the_same_queries_however_much_it_shows(
    viewer: Client, django_assert_num_queries: DjangoAssertNumQueries, events: int
) -> None:
    for _ in range(events):
        make_event(make_issue(), tenant=make_tenant())

    # Session, person, two of permissions, dead letters; projects, ids, events; and the
    # savepoint around the two with its time limit, set and released.
    with django_assert_num_queries(11):
        page(viewer, LIST)
