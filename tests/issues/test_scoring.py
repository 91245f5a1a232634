from datetime import datetime, timedelta
from unittest import mock

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues import scoring
from issues.impact import Impact
from issues.models import (
    Issue,
    IssueMinute,
    IssueStats,
    IssueTenant,
    IssueUser,
    ScoreHour,
)
from releases.models import ReleaseMinute
from tenants.models import Plan, Project, Tenant

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def project() -> Project:
    return Project.objects.create(name="Shop", slug="shop")


def make_issue(project: Project, *, merged_into: Issue | None = None) -> Issue:
    issue = Issue.objects.create(
        project=project, title="KeyError", merged_into=merged_into
    )
    IssueStats.objects.create(issue=issue, changed_at=NOW)
    return issue


def make_tenant(key: str, weight: float = 1.0) -> Tenant:
    plan, _ = Plan.objects.get_or_create(name=f"w{weight}", defaults={"weight": weight})
    return Tenant.objects.create(key=key, plan=plan, last_seen=NOW)


def minute(
    issue: Issue,
    *,
    events: int = 1,
    tenant: Tenant | None = None,
    ago: int = 5,
    level: int = 40,
    path_weight: float = 1.0,
) -> None:
    IssueMinute.objects.create(
        issue_id=issue.pk,
        minute=NOW - timedelta(minutes=ago),
        environment_id=1,
        release_id=1,
        tenant_id=tenant.pk if tenant else 0,
        events=events,
        unhandled=events,
        level=level,
        path_weight=path_weight,
    )


def scored(issue: Issue, now: datetime = NOW) -> IssueStats:
    scoring.rescore([issue.pk], now)
    return IssueStats.objects.get(pk=issue.pk)


def test_reach_weighs_each_tenant_by_plan_and_saturates_with_events(
    project: Project,
) -> None:
    for number in range(40):
        make_tenant(f"shop-{number}")
    big = make_tenant("big", weight=10.0)
    issue = make_issue(project)
    minute(issue, tenant=big, events=3)
    parts = scored(issue).parts
    assert parts["weight_hit"] == pytest.approx(10 * 0.63212, abs=1e-3)
    assert parts["weight_active"] == 50.0
    assert parts["basis"] == "tenants"


def test_the_parts_name_the_revenue_of_the_tenants_hit_once(project: Project) -> None:
    root = make_issue(project)
    child = make_issue(project, merged_into=root)
    payer, guest = make_tenant("payer"), make_tenant("guest")
    Tenant.objects.filter(pk=payer.pk).update(monthly_revenue="99.50")
    minute(root, tenant=payer)
    minute(child, tenant=payer)
    minute(root, tenant=guest)
    assert scored(root).parts["revenue_60m"] == 99.5


def test_events_older_than_an_hour_do_not_count(project: Project) -> None:
    issue = make_issue(project)
    minute(issue, tenant=make_tenant("a"), ago=61)
    assert scored(issue).score == 0.0


def test_a_score_decays_to_zero_when_the_hour_is_over(project: Project) -> None:
    issue = make_issue(project)
    minute(issue, tenant=make_tenant("a"))
    assert scored(issue).score > 0
    assert scored(issue, NOW + timedelta(minutes=56)).score == 0.0


def test_a_merged_issue_counts_for_the_one_that_shows_it(project: Project) -> None:
    root = make_issue(project)
    child = make_issue(project, merged_into=root)
    tenant = make_tenant("a")
    for issue in (root, child):
        minute(issue, tenant=tenant)
        IssueTenant.objects.create(
            issue_id=issue.pk,
            tenant_id=tenant.pk,
            events=1,
            first_seen=NOW,
            last_seen=NOW,
        )
        IssueUser.objects.create(
            issue_id=issue.pk, user=f"id:{issue.pk}", last_seen=NOW
        )
    stats = scored(root)
    assert stats.parts["events_60m"] == 2
    assert (stats.tenants, stats.users) == (1, 2)


def test_a_merged_issue_is_not_scored_itself(project: Project) -> None:
    child = make_issue(project, merged_into=make_issue(project))
    minute(child, tenant=make_tenant("a"))
    assert scored(child).scored_at is None


def test_without_tenants_users_are_the_measure(project: Project) -> None:
    issue = make_issue(project)
    minute(issue, events=4)
    for number in range(4):
        IssueUser.objects.create(issue_id=issue.pk, user=f"id:{number}", last_seen=NOW)
    parts = scored(issue).parts
    assert (parts["basis"], parts["reach"]) == ("users", 0.04)


def test_without_tenants_and_users_the_share_of_errors_is(project: Project) -> None:
    issue = make_issue(project)
    minute(issue, events=50)
    ReleaseMinute.objects.create(
        project_id=project.pk, release_id=1, environment_id=1, minute=NOW, errors=500
    )
    parts = scored(issue).parts
    assert (parts["basis"], parts["reach"]) == ("share", 0.1)


def test_path_weight_is_the_mean_over_events(project: Project) -> None:
    issue = make_issue(project)
    minute(issue, events=3, path_weight=1.0, tenant=make_tenant("a"))
    minute(issue, events=1, path_weight=5.0, tenant=make_tenant("b"))
    assert scored(issue).parts["path"] == 2.0


def test_scoring_settles_counters_that_did_not_move(project: Project) -> None:
    assert scored(make_issue(project)).changed_at is None


def test_due_are_changed_issues_and_those_that_must_decay(project: Project) -> None:
    fresh = make_issue(project)
    settled = make_issue(project)
    decaying = make_issue(project)
    young = make_issue(project)
    old = NOW - timedelta(minutes=2)
    IssueStats.objects.filter(pk=settled.pk).update(changed_at=None, scored_at=old)
    IssueStats.objects.filter(pk=decaying.pk).update(
        changed_at=None, scored_at=old, exponent=1.0
    )
    IssueStats.objects.filter(pk=young.pk).update(scored_at=NOW)
    assert scoring.due(NOW) == [fresh.pk, decaying.pk]


def test_scoring_many_issues_costs_a_fixed_number_of_queries(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    tenant = make_tenant("a")
    issues = [make_issue(project) for _ in range(50)]
    for issue in issues:
        minute(issue, tenant=tenant)
    with django_assert_num_queries(5):
        scoring.rescore([issue.pk for issue in issues], NOW)


HOUR = NOW.replace(minute=0, second=0, microsecond=0)


def score(issue: Issue, number: float, minutes: int) -> None:
    """Judge that the issue has this score so many minutes after HOUR."""
    judged = Impact(score=number, exponent=1.0, parts={})
    with mock.patch.object(scoring, "impact", return_value=judged):
        scoring.rescore([issue.pk], HOUR + timedelta(minutes=minutes))


def peaks() -> list[tuple[int, int, float]]:
    """The hour and the moment of each, in minutes after HOUR, and the score."""
    rows = ScoreHour.objects.order_by("hour")
    step = timedelta(minutes=1)
    return [((r.hour - HOUR) // step, (r.at - HOUR) // step, r.score) for r in rows]


def test_the_highest_score_of_each_hour_is_kept(project: Project) -> None:
    issue = make_issue(project)
    for number, minutes in ((20.0, 2), (63.0, 4), (50.0, 59), (40.0, 60), (0.0, 130)):
        score(issue, number, minutes)
    assert peaks() == [(0, 4, 63.0), (60, 60, 40.0)]
    assert IssueStats.objects.get().score == 0.0


def test_a_peak_is_not_written_again_by_a_score_that_is_no_higher(
    project: Project,
) -> None:
    issue = make_issue(project)
    score(issue, 63.0, 2)
    before = versions_of_peaks()
    score(issue, 63.0, 4)
    score(issue, 50.0, 6)
    assert versions_of_peaks() == before


def versions_of_peaks() -> list[tuple[str, str]]:
    """Where the rows lie, and what has locked them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ctid::text, xmax::text FROM issues_scorehour")
        return list(cursor.fetchall())
