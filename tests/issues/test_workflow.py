from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues import workflow
from issues.models import HitListEntry, Issue, IssueActivity, IssueStats
from issues.workflow import WorkflowError
from releases.models import Deploy
from tenants.audit import SYSTEM, Actor
from tenants.models import AuditEntry
from tests.factories import (
    ANNA,
    make_deploy,
    make_environment,
    make_hit,
    make_issue,
    make_project,
    make_release,
    make_rollback,
    make_user,
)

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
Kind = IssueActivity.Kind
How = Issue.Resolution


def test_resolving_sets_the_status_and_writes_history() -> None:
    issue = make_issue()

    (activity,) = workflow.resolve([issue], ANNA, comment="deployed")

    issue.refresh_from_db()
    assert (issue.status, issue.resolution) == ("resolved", "now")
    assert (activity.kind, activity.actor) == (Kind.RESOLVED, "anna")
    assert activity.text == "resolved now\ndeployed"


def test_the_given_issue_is_brought_up_to_date() -> None:
    issue = make_issue()
    Issue.objects.filter(pk=issue.pk).update(title="ValueError")

    workflow.resolve([issue], ANNA)

    assert (issue.title, issue.status) == ("ValueError", "resolved")


def test_a_step_by_hand_leaves_an_audit_row() -> None:
    issue = make_issue()

    workflow.resolve([issue], Actor("anna", make_user("anna"), "192.0.2.1"))

    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == ("anna", "resolved")
    assert (entry.object_type, entry.object_id) == ("issues.issue", str(issue.pk))
    assert entry.remote_addr == "192.0.2.1"


def test_resolving_twice_writes_history_once() -> None:
    issue = make_issue()
    workflow.resolve([issue], ANNA)

    assert workflow.resolve([issue], ANNA) == []


def test_many_issues_are_resolved_in_a_fixed_number_of_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    project = make_project()
    issues = [make_issue(project) for _ in range(20)]

    # Savepoint, lock, update, history, audit, hit list, end of the savepoint.
    with django_assert_num_queries(7):
        workflow.resolve(issues, ANNA)


def test_resolving_in_a_release_remembers_it() -> None:
    project = make_project()
    release = make_release(project, "2.0.0")
    issue = make_issue(project)

    (activity,) = workflow.resolve([issue], ANNA, how=How.IN_RELEASE, release=release)

    assert Issue.objects.get(pk=issue.pk).resolution_release == release
    assert activity.text == "resolved in a release: 2.0.0"


def test_resolving_in_the_next_release_remembers_the_newest_of_its_project() -> None:
    project = make_project()
    now = timezone.now()
    make_release(project, "1.0.0", first_seen=now)
    newest = make_release(
        project, "1.1.0", first_seen=now - HOUR, released_at=now + HOUR
    )
    make_release(make_project(), "9.0.0", first_seen=now + 2 * HOUR)
    issue = make_issue(project)

    workflow.resolve([issue], ANNA, how=How.IN_NEXT_RELEASE)

    assert Issue.objects.get(pk=issue.pk).resolution_release == newest


def test_a_release_of_another_project_is_refused() -> None:
    release = make_release(make_project(), "2.0.0")

    with pytest.raises(WorkflowError, match="another project"):
        workflow.resolve([make_issue()], ANNA, how=How.IN_RELEASE, release=release)


def test_resolving_in_a_release_without_one_is_refused() -> None:
    with pytest.raises(WorkflowError, match="Name the release"):
        workflow.resolve([make_issue()], ANNA, how=How.IN_RELEASE)


def test_a_release_without_in_release_is_refused() -> None:
    project = make_project()

    with pytest.raises(WorkflowError, match="only to resolve"):
        workflow.resolve([make_issue(project)], ANNA, release=make_release(project))


def test_resolving_takes_the_issue_off_the_hit_list() -> None:
    issue = make_issue()
    make_hit(issue)

    workflow.resolve([issue], ANNA)

    assert HitListEntry.objects.get().removed_reason == "resolved"


def test_a_merged_issue_is_not_changed_by_itself() -> None:
    project = make_project()
    root = make_issue(project)
    merged = make_issue(project, merged_into=root)

    with pytest.raises(WorkflowError, match=f"merged into issue {root.pk}"):
        workflow.resolve([merged], ANNA)


def test_reopening_opens_and_forgets_the_resolution() -> None:
    project = make_project()
    issue = make_issue(project)
    workflow.resolve(
        [issue], ANNA, how=How.IN_RELEASE, release=make_release(project, "2.0.0")
    )

    (activity,) = workflow.reopen([issue], ANNA, "still there")

    issue.refresh_from_db()
    assert (issue.status, issue.resolution) == ("open", "")
    assert issue.resolution_release is None
    assert activity.text == "reopened\nstill there"


def test_reopening_an_open_issue_does_nothing() -> None:
    assert workflow.reopen([make_issue()], ANNA) == []


def test_archiving_stores_counts_from_now_on() -> None:
    issue = make_issue(stats={"events": 40, "tenants": 3})

    (activity,) = workflow.archive([issue], ANNA, more_events=100, more_tenants=5)

    issue.refresh_from_db()
    assert issue.status == "archived"
    assert (issue.archived_until_events, issue.archived_until_tenants) == (140, 8)
    assert activity.text == "archived until 100 more events or 5 more tenants"


def test_archiving_until_a_past_time_is_refused() -> None:
    with pytest.raises(WorkflowError, match="past"):
        workflow.archive([make_issue()], ANNA, until=timezone.now() - HOUR)


def test_archiving_until_no_more_events_is_refused() -> None:
    with pytest.raises(WorkflowError, match="at least 1"):
        workflow.archive([make_issue()], ANNA, more_events=0)


def test_assigning_names_the_person_and_unassigning_nobody() -> None:
    issue, user = make_issue(), make_user("bert")

    (given,) = workflow.assign([issue], ANNA, user)
    (taken,) = workflow.assign([issue], ANNA, None)

    assert (given.text, taken.text) == ("to bert", "to nobody")


def test_assigning_to_somebody_inactive_is_refused() -> None:
    with pytest.raises(WorkflowError, match="not active"):
        workflow.assign([make_issue()], ANNA, make_user("bert", is_active=False))


def test_an_empty_comment_is_refused() -> None:
    with pytest.raises(WorkflowError, match="empty"):
        workflow.comment(make_issue(), ANNA, " \0 ")


def test_a_comment_that_is_too_long_is_refused() -> None:
    with pytest.raises(WorkflowError, match=r"10,001 characters"):
        workflow.comment(make_issue(), ANNA, "x" * 10_001)


@pytest.mark.parametrize(
    ("limit", "stats", "reason"),
    [
        ({"more_events": 5}, {"events": 15}, "15 events, archived until 15"),
        ({"more_tenants": 2}, {"tenants": 4}, "4 tenants hit, archived until 4"),
    ],
)
def test_an_archived_issue_comes_back_when_a_count_is_reached(
    limit: dict[str, int], stats: dict[str, int], reason: str
) -> None:
    issue = make_issue(stats={"events": 10, "tenants": 2})
    workflow.archive(
        [issue],
        ANNA,
        more_events=limit.get("more_events"),
        more_tenants=limit.get("more_tenants"),
    )
    IssueStats.objects.filter(pk=issue.pk).update(**stats)

    (activity,) = workflow.reopen_due(timezone.now(), [issue.pk])

    issue.refresh_from_db()
    assert (issue.status, issue.archived_until_events) == ("open", None)
    assert (activity.kind, activity.text) == (Kind.UNARCHIVED, reason)


def test_an_archived_issue_stays_while_nothing_is_reached() -> None:
    issue = make_issue(stats={"events": 10})
    workflow.archive([issue], ANNA, more_events=5, until=timezone.now() + HOUR)

    assert workflow.reopen_due(timezone.now()) == []


def test_an_issue_archived_for_good_stays() -> None:
    issue = make_issue(stats={"events": 10})
    workflow.archive([issue], ANNA)

    assert workflow.reopen_due(timezone.now() + 9999 * HOUR) == []


def test_an_archived_issue_comes_back_when_its_time_is_over() -> None:
    issue = make_issue()
    workflow.archive([issue], ANNA, until=timezone.now() + HOUR)

    (activity,) = workflow.reopen_due(timezone.now() + 2 * HOUR)

    assert activity.issue_id == issue.pk
    assert activity.actor == SYSTEM.name


def test_events_of_a_merged_issue_bring_its_root_back() -> None:
    project = make_project()
    root = make_issue(project, stats={"events": 10})
    merged = make_issue(project, merged_into=root)
    workflow.archive([root], ANNA, more_events=1)
    IssueStats.objects.filter(pk=root.pk).update(events=11)

    (activity,) = workflow.reopen_due(timezone.now(), [merged.pk])

    assert activity.issue_id == root.pk


def test_only_the_named_issues_are_looked_at() -> None:
    issue = make_issue()
    workflow.archive([issue], ANNA, until=timezone.now() + HOUR)

    assert workflow.reopen_due(timezone.now() + 2 * HOUR, [issue.pk + 1]) == []


def test_the_system_leaves_no_audit_row() -> None:
    issue = make_issue(status="archived", archived_until=timezone.now() - HOUR)

    workflow.reopen_due(timezone.now())

    assert Issue.objects.get(pk=issue.pk).status == "open"
    assert not AuditEntry.objects.exists()


def test_an_event_in_the_release_with_the_fix_is_a_regression() -> None:
    project = make_project()
    fix = make_release(project, "2.0.0")
    environment = make_environment(project)
    issue = make_issue(project)
    workflow.resolve([issue], ANNA, how=How.IN_RELEASE, release=fix)
    now = timezone.now()

    (activity,) = workflow.regress([(issue.pk, fix.pk, environment.pk)], now)

    issue.refresh_from_db()
    assert (issue.status, issue.regressed_at) == ("open", now)
    assert activity.kind == Kind.REGRESSED
    assert activity.text == "It happened in 2.0.0, which has the fix."
    assert activity.data == {
        "release": "2.0.0",
        "environment_id": environment.pk,
        "resolution": "in_release",
        "resolution_release": "2.0.0",
    }


def test_an_event_of_an_older_release_leaves_the_issue_resolved() -> None:
    project = make_project()
    old = make_release(project, "1.0.0")
    fix = make_release(project, "2.0.0")
    issue = make_issue(project)
    workflow.resolve([issue], ANNA, how=How.IN_RELEASE, release=fix)

    assert workflow.regress([(issue.pk, old.pk, 1)], timezone.now()) == []


def fixed_between_deploys() -> tuple[Issue, Deploy, Deploy]:
    """An issue that is fixed in the second deploy, whose version is lower."""
    project = make_project()
    start = timezone.now() - timedelta(days=2)
    old = make_deploy(make_release(project, "2.1.0"), started_at=start)
    fix = make_deploy(make_release(project, "2.0.1"), started_at=start + HOUR)
    issue = make_issue(project)
    workflow.resolve([issue], ANNA, how=How.IN_RELEASE, release=fix.release)
    return issue, old, fix


def test_an_event_of_a_release_deployed_before_the_fix_is_no_regression() -> None:
    issue, old, _ = fixed_between_deploys()
    hits = [(issue.pk, old.release_id, old.environment_id)]

    assert workflow.regress(hits, timezone.now()) == []


def test_the_order_of_deploys_is_that_of_the_events_environment() -> None:
    issue, old, fix = fixed_between_deploys()
    staging = make_deploy(fix.release, "staging", started_at=old.started_at)
    make_deploy(old.release, staging.environment)
    hits = [(issue.pk, old.release_id, staging.environment_id)]

    (activity,) = workflow.regress(hits, timezone.now())

    assert activity.text == (
        "It happened in 2.1.0, newer than the fix in 2.0.1 by deploy order."
    )


def test_going_back_to_an_older_release_does_not_make_it_newer() -> None:
    issue, old, fix = fixed_between_deploys()
    rollback = make_rollback(fix)
    make_deploy(old.release, rollback=rollback)
    hits = [(issue.pk, old.release_id, old.environment_id)]

    assert workflow.regress(hits, timezone.now()) == []


@pytest.mark.parametrize(
    ("state", "reopens"), [("verified", False), ("called", True), ("refused", True)]
)
def test_events_of_a_release_that_was_rolled_back_are_no_regression(
    state: str, reopens: bool
) -> None:
    issue, _, fix = fixed_between_deploys()
    bad = make_deploy(make_release(issue.project, "2.0.2"))
    make_rollback(bad, state=state)
    hits = [(issue.pk, bad.release_id, fix.environment_id)]

    assert bool(workflow.regress(hits, timezone.now())) is reopens


def test_a_release_that_is_deployed_again_after_its_rollback_counts_again() -> None:
    issue, _, _ = fixed_between_deploys()
    bad = make_deploy(make_release(issue.project, "2.0.2"))
    make_rollback(bad, state="verified")
    make_deploy(bad.release)
    hits = [(issue.pk, bad.release_id, bad.environment_id)]

    assert len(workflow.regress(hits, timezone.now())) == 1


def test_regressions_cost_a_fixed_number_of_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    found = [fixed_between_deploys() for _ in range(3)]
    hits = [(issue.pk, old.release_id, old.environment_id) for issue, old, _ in found]

    # Savepoint, roots, issues, releases, deploys, end of the savepoint.
    with django_assert_num_queries(6):
        workflow.regress(hits, timezone.now())


def test_one_regressing_event_among_older_ones_is_enough() -> None:
    project = make_project()
    old = make_release(project, "1.0.0")
    fix = make_release(project, "2.0.0")
    issue = make_issue(project)
    workflow.resolve([issue], ANNA, how=How.IN_RELEASE, release=fix)
    hits = [(issue.pk, old.pk, 1), (issue.pk, fix.pk, 1), (issue.pk, fix.pk, 2)]

    assert len(workflow.regress(hits, timezone.now())) == 1


def test_events_of_open_and_archived_issues_are_no_regression() -> None:
    project = make_project()
    hits = [
        (make_issue(project).pk, 0, 1),
        (make_issue(project, status="archived").pk, 0, 1),
    ]

    assert workflow.regress(hits, timezone.now()) == []


def test_an_event_of_a_merged_issue_reopens_its_resolved_root() -> None:
    project = make_project()
    root = make_issue(project)
    merged = make_issue(project, merged_into=root)
    workflow.resolve([root], ANNA)

    (activity,) = workflow.regress([(merged.pk, 0, 1)], timezone.now())

    assert activity.issue_id == root.pk


def test_resolving_again_ends_the_regression() -> None:
    issue = make_issue(regressed_at=timezone.now())

    workflow.resolve([issue], ANNA)

    assert Issue.objects.get(pk=issue.pk).regressed_at is None
