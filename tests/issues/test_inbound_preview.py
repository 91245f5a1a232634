from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues import inbound_preview
from issues.inbound_preview import Preview, preview
from issues.models import Event, Issue
from tenants.models import Filter, InboundFilters
from tests.factories import make_event, make_issue, make_project

pytestmark = pytest.mark.django_db

GOOGLEBOT = {"headers": {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}}


def stored(issue: Issue, value: str = "boom", **payload: Any) -> Event:
    raised = {"values": [{"type": "TypeError", "value": value}]}
    body = {"platform": "javascript", "exception": raised, **payload}
    return make_event(issue, payload=body, title=f"TypeError: {value}")


def tried(found: Preview) -> dict[tuple[str, str], int]:
    return {(t.name.value, t.pattern): t.matched for t in found.tried if t.matched}


def test_each_filter_and_pattern_is_tried_alone() -> None:
    issue = make_issue()
    stored(issue, "ResizeObserver loop limit exceeded", request=GOOGLEBOT)
    stored(issue, "ResizeObserver loop completed")
    stored(issue, "no price", release="web@0.3", user={"ip_address": "203.0.113.4"})
    filters = InboundFilters(
        project=issue.project,
        message_patterns=["*ResizeObserver*", "*limit*", "*never*"],
        release_patterns=["web@0.*"],
        address_patterns=["203.0.113.0/24"],
        releases=False,
        addresses=False,
    )

    found = preview(filters, timezone.now())

    assert tried(found) == {
        ("crawlers", ""): 1,
        ("messages", "*ResizeObserver*"): 2,
        ("messages", "*limit*"): 1,
        ("releases", "web@0.*"): 1,
        ("addresses", "203.0.113.0/24"): 1,
    }
    # The filters that are off drop nothing.
    assert (found.looked_at, found.dropped) == (3, 2)
    assert {t.name.value for t in found.tried if not t.is_on} == {
        *("releases", "addresses", "localhost"),
        *("chunk_load_errors", "hydration_errors"),
    }


def test_a_browser_is_tried_by_its_line() -> None:
    issue = make_issue()
    agent = "Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko"
    stored(issue, request={"headers": {"User-Agent": agent}})
    found = preview(InboundFilters(project=issue.project), timezone.now())
    assert tried(found) == {("legacy_browsers", "Internet Explorer"): 1}


def test_the_newest_matches_are_shown() -> None:
    issue = make_issue()
    ids = [stored(issue, f"needle {n}").pk for n in range(5)]
    filters = InboundFilters(project=issue.project, message_patterns=["*needle*"])
    (found,) = [t for t in preview(filters, timezone.now()).tried if t.matched]
    assert found.matched == 5
    assert [example.id for example in found.examples] == ids[:1:-1]
    assert found.examples[0].title == "TypeError: needle 4"


def test_events_without_a_body_are_told_apart() -> None:
    issue = make_issue()
    make_event(issue)
    stored(issue)
    found = preview(InboundFilters(project=issue.project), timezone.now())
    assert (found.looked_at, found.without_body) == (1, 1)


def test_only_the_newest_events_of_the_project_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inbound_preview, "SAMPLE", 3)
    project = make_project()
    now = timezone.now()
    old = make_issue(project, stats={"last_seen": now - timedelta(hours=1)})
    new = make_issue(project)
    stored(old, "needle")
    for _ in range(3):
        stored(new)
    stored(make_issue(), "needle")
    filters = InboundFilters(project=project, message_patterns=["*needle*"])
    found = preview(filters, now)
    assert (found.looked_at, found.dropped) == (3, 0)


def test_of_large_events_fewer_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    issue = make_issue()
    stored(issue, "needle")
    kept = [stored(issue) for _ in range(2)]
    sizes = [len(bytes(event.body or b"")) for event in kept]
    monkeypatch.setattr(inbound_preview, "MAX_BYTES", sum(sizes))
    filters = InboundFilters(project=issue.project, message_patterns=["*needle*"])
    found = preview(filters, timezone.now())
    assert (found.looked_at, found.dropped) == (2, 0)


def test_a_preview_costs_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    issue = make_issue()
    for _ in range(5):
        stored(issue)
    filters = InboundFilters(project=issue.project)
    with django_assert_num_queries(1):
        preview(filters, timezone.now())


def test_health_checks_are_not_tried_as_requests_are_not_stored() -> None:
    found = preview(InboundFilters(project=make_project()), timezone.now())
    assert Filter.HEALTH_CHECKS not in {t.name for t in found.tried}
