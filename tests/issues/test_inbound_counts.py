from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from issues.inbound_counts import DAYS, counts_of, filtered_by_project
from issues.models import Outcome
from tenants.models import Filter

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 0, 0, 30, tzinfo=UTC)


def outcome(
    hours: float,
    reason: str = "filtered:crawlers",
    quantity: int = 1,
    category: str = "error",
    project_id: int = 1,
    key_id: int = 1,
) -> None:
    """So many ``hours`` ago."""
    minute = (NOW - timedelta(hours=hours)).replace(second=0)
    Outcome.objects.create(
        project_id=project_id,
        key_id=key_id,
        minute=minute,
        category=category,
        reason=reason,
        quantity=quantity,
    )


def test_a_day_is_the_last_24_hours() -> None:
    outcome(0, quantity=1)
    outcome(23.9, quantity=2)
    outcome(24, quantity=4)
    outcome(24 * 14 - 1, quantity=8)
    outcome(24 * 14, quantity=16)
    (crawlers,) = [c for c in counts_of(1, NOW) if c.name == Filter.CRAWLERS]
    assert (crawlers.errors[-1], crawlers.errors[-2], crawlers.errors[0]) == (3, 4, 8)
    assert (len(crawlers.days), crawlers.total) == (DAYS, 15)


def test_errors_and_requests_are_told_apart_and_keys_added_up() -> None:
    outcome(1, quantity=3)
    outcome(1, quantity=4, key_id=2)
    outcome(1, quantity=5, category="transaction")
    outcome(1, quantity=6, category="span")
    (crawlers,) = [c for c in counts_of(1, NOW) if c.total]
    assert (crawlers.errors[-1], crawlers.requests[-1], crawlers.days[-1]) == (
        7,
        11,
        18,
    )


def test_other_outcomes_and_other_projects_are_not_counted() -> None:
    outcome(1, reason="duplicate")
    outcome(1, reason="filtered:of another version")
    outcome(1, reason="client:filtered:crawlers")
    outcome(1, project_id=2)
    assert [count.total for count in counts_of(1, NOW)] == [0] * len(Filter)


def test_the_counts_of_a_project_cost_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    outcome(1)
    with django_assert_num_queries(1):
        counts_of(1, NOW)


def test_each_project_has_its_last_24_hours() -> None:
    outcome(1, quantity=3)
    outcome(2, reason="filtered:messages", quantity=4, category="transaction")
    outcome(25, quantity=9)
    outcome(1, reason="duplicate")
    outcome(1, quantity=5, project_id=2)
    assert filtered_by_project(NOW) == {1: 7, 2: 5}
