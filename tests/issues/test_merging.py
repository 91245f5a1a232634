from datetime import timedelta

import pytest
from django.utils import timezone

from issues import merging
from issues.merging import MergeError
from issues.models import HitListEntry, Issue, IssueActivity, IssueStats
from tenants.models import AuditEntry
from tests.factories import (
    ANNA,
    make_event,
    make_fingerprint,
    make_hit,
    make_issue,
    make_project,
)

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def events_of(issue: Issue) -> int:
    return IssueStats.objects.get(pk=issue.pk).events


def root_of(issue: Issue) -> int | None:
    return Issue.objects.get(pk=issue.pk).merged_into_id


def test_merging_points_the_others_to_the_target() -> None:
    project = make_project()
    target, other = make_issue(project), make_issue(project)

    root = merging.merge(target, [other], ANNA)

    assert root == target
    assert (root_of(other), root_of(target)) == (target.pk, None)


def test_the_target_counts_the_events_of_all() -> None:
    project = make_project()
    target = make_issue(project, stats={"events": 10})
    others = [make_issue(project, stats={"events": n}) for n in (5, 7)]

    merging.merge(target, others, ANNA)

    assert events_of(target) == 22
    assert [events_of(other) for other in others] == [5, 7]


def test_the_target_takes_the_newest_sight_and_is_due_for_scoring() -> None:
    project, now = make_project(), timezone.now()
    target = make_issue(project, stats={"last_seen": now - HOUR})
    other = make_issue(project, stats={"last_seen": now, "last_release_id": 7})

    stats = merging.merge(target, [other], ANNA).stats

    assert (stats.last_seen, stats.last_release_id) == (now, 7)
    assert stats.changed_at is not None


def test_the_target_takes_the_oldest_first_sight() -> None:
    project, now = make_project(), timezone.now()
    target = make_issue(project, first_seen=now)
    other = make_issue(project, first_seen=now - HOUR)

    assert merging.merge(target, [other], ANNA).first_seen == now - HOUR


def test_a_merged_issue_is_out_of_the_order_by_impact() -> None:
    project = make_project()
    target = make_issue(project)
    other = make_issue(
        project,
        stats={"score": 50, "exponent": 0.7, "changed_at": timezone.now()},
    )

    merging.merge(target, [other], ANNA)

    stats = IssueStats.objects.get(pk=other.pk)
    assert (stats.score, stats.exponent, stats.changed_at) == (0, 0, None)


def test_what_was_merged_into_an_issue_moves_along() -> None:
    project = make_project()
    target, middle, leaf = (
        make_issue(project, stats={"events": n}) for n in (100, 10, 1)
    )
    merging.merge(middle, [leaf], ANNA)

    merging.merge(target, [middle], ANNA)

    assert (root_of(middle), root_of(leaf)) == (target.pk, target.pk)
    assert [events_of(issue) for issue in (target, middle, leaf)] == [111, 10, 1]


def test_a_target_that_is_merged_stands_for_its_root() -> None:
    project = make_project()
    root, merged, other = (make_issue(project) for _ in range(3))
    merging.merge(root, [merged], ANNA)

    assert merging.merge(merged, [other], ANNA) == root
    assert root_of(other) == root.pk


def test_merging_again_what_is_merged_changes_only_the_new_one() -> None:
    project = make_project()
    root, merged, other = (make_issue(project, stats={"events": 1}) for _ in range(3))
    merging.merge(root, [merged], ANNA)

    merging.merge(root, [merged, other], ANNA)

    assert events_of(root) == 3


def test_issues_of_two_projects_are_refused() -> None:
    with pytest.raises(MergeError, match="only issues of one project"):
        merging.merge(make_issue(), [make_issue()], ANNA)


def test_an_issue_is_not_merged_into_itself() -> None:
    issue = make_issue()

    with pytest.raises(MergeError, match="into itself"):
        merging.merge(issue, [issue], ANNA)


def test_merging_nothing_is_refused() -> None:
    with pytest.raises(MergeError, match="at least one"):
        merging.merge(make_issue(), [], ANNA)


def test_an_issue_that_is_merged_elsewhere_is_refused() -> None:
    project = make_project()
    target, root, merged = (make_issue(project) for _ in range(3))
    merging.merge(root, [merged], ANNA)

    with pytest.raises(MergeError, match="unmerge it first"):
        merging.merge(target, [merged], ANNA)


def test_a_merged_issue_leaves_the_hit_list() -> None:
    project = make_project()
    target, other = make_issue(project), make_issue(project)
    make_hit(other)

    merging.merge(target, [other], ANNA)

    assert HitListEntry.objects.get().removed_reason == "merged"


def test_merging_writes_history_on_both() -> None:
    project = make_project(slug="shop")
    target, other = make_issue(project), make_issue(project)

    merging.merge(target, [other], ANNA)

    texts = dict(
        IssueActivity.objects.filter(kind="merged").values_list("issue_id", "text")
    )
    assert texts == {
        target.pk: f"SHOP-{other.pk} was merged into this issue",
        other.pk: f"merged into SHOP-{target.pk}",
    }
    assert AuditEntry.objects.count() == 2


def test_unmerging_gives_back_the_issue_and_its_events() -> None:
    project = make_project()
    target = make_issue(project, stats={"events": 10})
    other = make_issue(project, stats={"events": 5})
    merging.merge(target, [other], ANNA)

    issue = merging.unmerge(other, ANNA)

    assert issue.merged_into is None
    assert (events_of(target), events_of(other)) == (10, 5)


def test_unmerging_takes_along_what_came_after_the_merge() -> None:
    project = make_project()
    target = make_issue(project, stats={"events": 10})
    other = make_issue(project, stats={"events": 5})
    merging.merge(target, [other], ANNA)
    # As digest counts an event of the merged issue.
    IssueStats.objects.filter(pk=other.pk).update(events=6)
    IssueStats.objects.filter(pk=target.pk).update(events=16)

    merging.unmerge(other, ANNA)

    assert (events_of(target), events_of(other)) == (10, 6)


def test_unmerging_dates_the_root_by_what_remains() -> None:
    project, now = make_project(), timezone.now()
    target = make_issue(project, first_seen=now, stats={"last_seen": now - HOUR})
    make_fingerprint(target, first_seen=now)
    make_event(target, received=now - HOUR)
    other = make_issue(project, first_seen=now - HOUR, stats={"last_seen": now})
    make_event(other, received=now)
    merging.merge(target, [other], ANNA)

    merging.unmerge(other, ANNA)

    target = Issue.objects.select_related("stats").get(pk=target.pk)
    assert target.first_seen == now
    assert target.stats.last_seen == now - HOUR


def test_unmerging_makes_both_due_for_scoring() -> None:
    project = make_project()
    target, other = make_issue(project), make_issue(project)
    merging.merge(target, [other], ANNA)
    IssueStats.objects.update(changed_at=None)

    merging.unmerge(other, ANNA)

    assert not IssueStats.objects.filter(changed_at=None).exists()


def test_unmerging_what_is_not_merged_is_refused() -> None:
    with pytest.raises(MergeError, match="is not merged"):
        merging.unmerge(make_issue(), ANNA)
