from datetime import timedelta

import pytest
from django.utils import timezone

from issues import hitlist, workflow
from issues.hitlist import HitListError
from issues.models import HitListEntry, HitRule, Issue, IssueActivity
from tests.factories import ANNA, make_hit, make_issue, make_project, make_user

pytestmark = pytest.mark.django_db

NOW = timezone.now()
HOUR = timedelta(hours=1)
Kind = IssueActivity.Kind


def listed_by_rules() -> list[int]:
    entries = hitlist.apply_rules(None, timezone.now())
    return [entry.issue_id for entry in entries]


def test_an_issue_is_put_on_the_list_with_its_reason() -> None:
    issue, owner = make_issue(), make_user("bert")

    entry = hitlist.add(issue, ANNA, owner=owner, reason="shops complain")

    assert (entry.added_by, entry.owner, entry.rule) == ("anna", owner, None)
    activity = IssueActivity.objects.get(kind=Kind.LISTED)
    assert (activity.issue, activity.text) == (issue, "shops complain")


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        ("open", " ", "Say in a few words"),
        ("open", "x" * 501, "at most 500"),
        ("resolved", "why", "reopen it"),
    ],
)
def test_an_unfit_entry_is_refused(status: str, reason: str, message: str) -> None:
    with pytest.raises(HitListError, match=message):
        hitlist.add(make_issue(status=status), ANNA, owner=None, reason=reason)


def test_a_merged_issue_is_refused() -> None:
    project = make_project()
    merged = make_issue(project, merged_into=make_issue(project))

    with pytest.raises(HitListError, match="list that one"):
        hitlist.add(merged, ANNA, owner=None, reason="why")


def test_an_issue_stands_on_the_list_once() -> None:
    issue = make_issue()
    make_hit(issue)

    with pytest.raises(HitListError, match="already"):
        hitlist.add(issue, ANNA, owner=None, reason="why")


def test_an_expiry_in_the_past_is_refused() -> None:
    with pytest.raises(HitListError, match="past"):
        hitlist.add(make_issue(), ANNA, owner=None, reason="y", expires_at=NOW - HOUR)


def test_an_entry_is_taken_off_with_a_reason() -> None:
    entry = make_hit(make_issue())

    hitlist.remove(entry, ANNA, "a false alarm")

    entry.refresh_from_db()
    assert entry.removed_at is not None
    assert entry.removed_reason == "a false alarm"
    assert IssueActivity.objects.get().kind == Kind.UNLISTED


def test_an_entry_is_taken_off_once() -> None:
    entry = make_hit(make_issue())
    hitlist.remove(entry, ANNA, "a false alarm")

    with pytest.raises(HitListError, match="already"):
        hitlist.remove(entry, ANNA, "again")


def test_taking_off_needs_a_reason() -> None:
    with pytest.raises(HitListError, match="Say in a few words"):
        hitlist.remove(make_hit(make_issue()), ANNA, "")


def test_an_entry_expires() -> None:
    make_hit(make_issue(), expires_at=NOW - HOUR)
    make_hit(make_issue(), expires_at=NOW + HOUR)
    make_hit(make_issue())

    (entry,) = hitlist.expire(NOW)

    assert entry.removed_reason == "expired"
    assert HitListEntry.objects.filter(removed_at=None).count() == 2


def test_the_next_to_fix_has_the_highest_impact() -> None:
    project = make_project()
    make_hit(make_issue(project, stats={"exponent": 1.0}))
    worst = make_hit(make_issue(project, stats={"exponent": 9.0}))
    make_hit(make_issue(stats={"exponent": 99.0}), removed_at=NOW)

    assert hitlist.next_to_fix() == worst


def test_the_next_to_fix_of_a_project_is_its_own() -> None:
    entry = make_hit(make_issue(stats={"exponent": 1.0}))
    make_hit(make_issue(stats={"exponent": 9.0}))

    assert hitlist.next_to_fix(entry.issue.project) == entry


def test_nothing_is_next_on_an_empty_list() -> None:
    assert hitlist.next_to_fix() is None


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ({"min_score": 50}, True),
        ({"min_score": 51}, False),
        ({"min_tenants": 12}, True),
        ({"min_tenants": 13}, False),
        ({"pattern": "*checkout*"}, True),
        ({"pattern": "keyerror*"}, True),
        ({"pattern": "views.checkout"}, True),
        ({"pattern": "views?checkout"}, True),
        ({"pattern": "checkout"}, False),
        ({"pattern": "views.[c]heckout"}, False),
        ({"min_score": 50, "pattern": "*refund*"}, False),
        ({"min_score": 50, "is_active": False}, False),
    ],
)
def test_a_rule_lists_what_meets_all_its_conditions(
    rule: dict[str, object], wanted: bool
) -> None:
    make_issue(
        title="KeyError: price",
        culprit="views.checkout",
        stats={"score": 50, "tenants": 40, "parts": {"tenants_60m": 12}},
    )
    HitRule.objects.create(name="rule", **rule)

    assert bool(listed_by_rules()) is wanted


def test_before_the_first_scoring_all_tenants_count() -> None:
    make_issue(stats={"tenants": 40})
    HitRule.objects.create(name="rule", min_tenants=40)

    assert len(listed_by_rules()) == 1


def test_an_entry_by_rule_explains_itself() -> None:
    make_issue(stats={"score": 62.4, "parts": {"tenants_60m": 12}})
    owner = make_user("bert")
    HitRule.objects.create(name="hot", min_score=50, min_tenants=10, owner=owner)

    (entry,) = hitlist.apply_rules(None, NOW)

    assert entry.reason == "Rule hot: score 62 ≥ 50, 12 tenants ≥ 10"
    assert (entry.owner, entry.added_by) == (owner, "rule hot")
    assert entry.expires_at == NOW + 72 * HOUR
    activity = IssueActivity.objects.get()
    assert (activity.kind, activity.actor) == (Kind.LISTED, "rule hot")


def test_a_rule_of_a_project_leaves_others_alone() -> None:
    issue = make_issue()
    make_issue()
    HitRule.objects.create(name="rule", pattern="*", project=issue.project)

    assert listed_by_rules() == [issue.pk]


def test_rules_look_only_at_the_named_issues() -> None:
    make_issue()
    issue = make_issue()
    HitRule.objects.create(name="rule", pattern="*")

    (entry,) = hitlist.apply_rules([issue.pk], NOW)

    assert entry.issue == issue


def test_rules_list_only_open_issues_that_stand_for_themselves() -> None:
    root = make_issue(status="resolved")
    make_issue(root.project, merged_into=root)
    HitRule.objects.create(name="rule", pattern="*")

    assert listed_by_rules() == []


def test_of_two_rules_the_first_lists_the_issue() -> None:
    make_issue()
    HitRule.objects.create(name="b", pattern="*")
    HitRule.objects.create(name="a", pattern="*")

    (entry,) = hitlist.apply_rules(None, NOW)

    assert entry.added_by == "rule a"


def test_a_rule_does_not_list_an_issue_twice() -> None:
    make_issue()
    HitRule.objects.create(name="rule", pattern="*")
    hitlist.apply_rules(None, NOW)

    assert hitlist.apply_rules(None, NOW) == []


def test_a_rule_respects_that_a_person_took_the_issue_off() -> None:
    make_issue()
    HitRule.objects.create(name="rule", pattern="*", expires_after_hours=2)
    (entry,) = hitlist.apply_rules(None, NOW)
    hitlist.remove(entry, ANNA, "known")

    assert hitlist.apply_rules(None, timezone.now() + HOUR) == []
    assert len(hitlist.apply_rules(None, timezone.now() + 3 * HOUR)) == 1


def test_a_rule_lists_an_issue_again_after_it_came_back() -> None:
    issue = make_issue()
    HitRule.objects.create(name="rule", pattern="*")
    hitlist.apply_rules(None, NOW)
    workflow.resolve([issue], ANNA)
    Issue.objects.update(status="open")

    assert listed_by_rules() == [issue.pk]
