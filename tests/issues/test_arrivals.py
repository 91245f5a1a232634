from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues.arrivals import Unstored, arrival_at, silent_projects
from issues.models import Outcome
from issues.trial_event import LOGGER
from tenants.models import ProjectKey
from tests.factories import (
    make_dead_letter,
    make_environment,
    make_event,
    make_issue,
    make_key,
    make_minute,
    make_project,
    make_tenant,
)

pytestmark = pytest.mark.django_db


def outcome(key: ProjectKey, reason: str, quantity: int, minutes: int = 1) -> None:
    Outcome.objects.create(
        project_id=key.project_id,
        key_id=key.pk,
        minute=timezone.now() - timedelta(minutes=minutes),
        category="error",
        reason=reason,
        quantity=quantity,
    )


def test_nothing_has_arrived_at_a_fresh_project(key: ProjectKey) -> None:
    make_event(make_issue())

    arrival = arrival_at(key)

    assert (arrival.issue, arrival.event, arrival.connected) == (None, None, False)


def test_the_newest_event_is_named_with_its_issue(key: ProjectKey) -> None:
    now = timezone.now()
    newer = make_issue(key.project, stats={"last_seen": now})
    make_issue(key.project, stats={"last_seen": now - timedelta(hours=3)})
    make_event(newer)
    newest = make_event(newer, tenant=make_tenant("acme.example"))

    arrival = arrival_at(key)

    assert (arrival.issue, arrival.event) == (newer, newest)
    assert arrival.event is not None
    assert str(arrival.event.tenant) == "acme.example"


def test_an_issue_counts_when_its_events_have_gone(key: ProjectKey) -> None:
    issue = make_issue(key.project)

    arrival = arrival_at(key)

    assert (arrival.issue, arrival.event) == (issue, None)


def test_a_test_event_is_not_what_one_waits_for(key: ProjectKey) -> None:
    event = make_event(make_issue(key.project, logger=LOGGER))

    arrival = arrival_at(key, event.event_id)

    assert (arrival.issue, arrival.test) == (None, event)


def test_a_test_event_of_another_project_is_not_shown(key: ProjectKey) -> None:
    event = make_event(make_issue(logger=LOGGER))

    assert arrival_at(key, event.event_id).test is None


def test_sessions_or_requests_tell_that_the_sdk_is_connected(key: ProjectKey) -> None:
    make_minute(None, make_environment(key.project), timezone.now(), sessions=1)

    assert arrival_at(key).connected


def test_posted_traffic_tells_nothing_of_the_sdk(key: ProjectKey) -> None:
    make_minute(None, make_environment(key.project), timezone.now(), traffic=9)

    assert not arrival_at(key).connected


def test_what_came_in_vain_is_told(key: ProjectKey) -> None:
    outcome(key, "rate_limit", 2)
    outcome(key, "rate_limit", 3, minutes=2)
    outcome(key, "invalid", 1)
    outcome(key, "invalid", 9, minutes=61)
    outcome(make_key(key.project), "invalid", 9)
    make_dead_letter(key.project)
    make_dead_letter(make_project())

    arrival = arrival_at(key)

    assert arrival.unstored == [
        Unstored("error", "rate_limit", 5),
        Unstored("error", "invalid", 1),
    ]
    assert arrival.dead_letters == 1


def test_the_mark_changes_with_each_thing_that_happens(key: ProjectKey) -> None:
    test = make_event(make_issue(key.project, logger=LOGGER)).event_id
    marks = [arrival_at(key).mark, arrival_at(key, test).mark]
    outcome(key, "invalid", 1)
    marks.append(arrival_at(key, test).mark)
    make_minute(None, make_environment(key.project), timezone.now(), sessions=1)
    marks.append(arrival_at(key, test).mark)
    issue = make_issue(key.project)
    marks.append(arrival_at(key, test).mark)
    make_event(issue)
    marks.append(arrival_at(key, test).mark)
    make_event(issue)
    marks.append(arrival_at(key, test).mark)

    assert len(set(marks)) == 7
    assert arrival_at(key, test).mark == marks[-1]


def test_waiting_costs_four_queries(
    key: ProjectKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    # Issue, minutes, outcomes, dead letters.
    with django_assert_num_queries(4):
        arrival_at(key)


def test_what_has_arrived_costs_four_queries(
    key: ProjectKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_event(make_issue(key.project))

    # Issue, its family, its newest event, and what that names.
    with django_assert_num_queries(4):
        arrival_at(key)


def test_an_unknown_test_event_has_not_arrived(key: ProjectKey) -> None:
    assert arrival_at(key, uuid4()).test is None


def test_projects_that_nobody_reports_to_are_listed_newest_first(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    heard, switched_off, alive, tested, fresh = (make_project() for _ in range(5))
    make_project()  # has no key yet
    make_key(switched_off, is_active=False)
    for project in (heard, alive, tested, fresh):
        make_key(project)
        make_key(project)
    make_issue(heard)
    make_issue(tested, logger=LOGGER)
    make_minute(None, make_environment(alive), timezone.now(), transactions=1)

    with django_assert_num_queries(1):
        silent = silent_projects(9)

    assert silent == [fresh, tested]
    assert silent_projects(1) == [fresh]
