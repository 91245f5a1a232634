"""A watch from the deploy to its verdict, by the counters."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from issues import tasks
from issues.models import InboxEnvelope, IssueMinute, Outcome
from releases.models import (
    Action,
    Evaluation,
    ReleaseMinute,
    TrafficMinute,
    Watch,
)
from tenants.models import Tenant
from tests.factories import make_issue
from tests.releases.scene import MINUTE, NOON, Scene

pytestmark = pytest.mark.django_db

Verdict = Watch.Verdict


@pytest.fixture
def scene() -> Scene:
    return Scene()


def wait_in_inbox(scene: Scene, received: datetime) -> None:
    """An envelope that digest has not reached yet."""
    InboxEnvelope.objects.create(
        project_id=scene.project.pk,
        key_id=1,
        kind="envelope",
        received=received,
        size=1,
        body=b"",
    )


class Clock:
    """Moves what the watch takes for now."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOON
        monkeypatch.setattr(timezone, "now", lambda: self.now)

    def look(self, watch: Watch, minutes: float) -> Watch:
        self.now = NOON + timedelta(minutes=minutes)
        tasks.watch_one(watch.pk)
        watch.refresh_from_db()
        return watch


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_release_five_times_worse_is_degraded_after_its_grace(
    scene: Scene, clock: Clock
) -> None:
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON, 5, errors=40)
    assert clock.look(watch, 2.5).verdict == Verdict.PENDING
    assert clock.look(watch, 3.4).verdict == Verdict.DEGRADED
    assert (watch.reason, watch.action) == ("global", Action.ALERT)
    assert watch.numbers["ratio"] > 4
    assert "degraded at minute 3" in watch.sentence


def test_a_minute_counts_once_it_is_closed(scene: Scene, clock: Clock) -> None:
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON, 5, errors=40)
    assert clock.look(watch, 3.2).verdict == Verdict.PENDING


def test_a_release_like_the_one_before_is_healthy_at_the_end(
    scene: Scene, clock: Clock
) -> None:
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON, 61)
    assert clock.look(watch, 30).verdict == Verdict.PENDING
    assert "healthy so far" in watch.sentence
    assert clock.look(watch, 61).verdict == Verdict.HEALTHY
    assert watch.baseline == scene.old


def test_every_look_is_kept(scene: Scene, clock: Clock) -> None:
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON, 61)
    for minute in (5, 10, 15):
        clock.look(watch, minute)
    assert Evaluation.objects.filter(watch=watch).count() == 3


def test_too_little_data_is_never_healthy(scene: Scene, clock: Clock) -> None:
    scene.history(errors=1, traffic=20)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 61, errors=0, traffic=0.5)
    assert clock.look(watch, 62).verdict == Verdict.INCONCLUSIVE
    assert "too little data" in watch.sentence


def test_a_release_that_is_never_heard_of_is_inconclusive(
    scene: Scene, clock: Clock
) -> None:
    scene.history()
    watch = scene.deploy()
    assert clock.look(watch, 30).verdict == Verdict.PENDING
    assert clock.look(watch, 63).verdict == Verdict.INCONCLUSIVE
    assert watch.reason == "no_data"


def test_the_first_release_ever_has_no_baseline(scene: Scene, clock: Clock) -> None:
    watch = scene.deploy()
    scene.count(scene.new, NOON, 70)
    assert clock.look(watch, 10).verdict == Verdict.PENDING
    assert clock.look(watch, 63).reason == "no_baseline"


def test_the_grace_begins_when_the_release_serves(scene: Scene, clock: Clock) -> None:
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON + 10 * MINUTE, 10, errors=40)
    assert clock.look(watch, 12.5).verdict == Verdict.PENDING
    assert watch.serving_since == NOON + 10 * MINUTE
    assert clock.look(watch, 13.5).verdict == Verdict.DEGRADED


@pytest.mark.parametrize(
    ("source", "closed", "open_still"),
    [("sessions", 4.3, 4.2), ("requests", 3.6, 3.4)],
)
def test_each_source_closes_its_minutes_in_its_time(
    scene: Scene, clock: Clock, source: str, closed: float, open_still: float
) -> None:
    scene.history(**{source: 1600})
    watch = scene.deploy()
    scene.count(scene.new, NOON, 5, errors=40, **{source: 1600})
    assert clock.look(watch, open_still).verdict == Verdict.PENDING
    assert clock.look(watch, closed).verdict == Verdict.DEGRADED
    assert watch.source == source


def test_sources_are_never_mixed(scene: Scene, clock: Clock) -> None:
    scene.history(sessions=1600)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 5, errors=40, traffic=1600)
    assert clock.look(watch, 5).verdict == Verdict.PENDING
    assert watch.serving_since is None


def test_what_is_not_digested_yet_is_not_judged(scene: Scene, clock: Clock) -> None:
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON, 5, errors=40)
    wait_in_inbox(scene, NOON + 2 * MINUTE)
    assert clock.look(watch, 5).verdict == Verdict.PENDING


def test_a_newer_deploy_supersedes_the_watch(scene: Scene, clock: Clock) -> None:
    scene.history()
    watch = scene.deploy()
    newer = scene.deploy(NOON + 5 * MINUTE, release=scene.old, name="back")
    watch.refresh_from_db()
    assert (watch.verdict, watch.reason) == (Verdict.INCONCLUSIVE, "superseded")
    assert newer.verdict == Verdict.PENDING


def test_a_deploy_posted_late_does_not_supersede_a_newer_one(scene: Scene) -> None:
    newer = scene.deploy(NOON)
    late = scene.deploy(NOON - 5 * MINUTE, release=scene.old)
    newer.refresh_from_db()
    assert newer.verdict == Verdict.PENDING
    assert late.reason == "superseded"


def test_a_superseded_release_is_no_baseline_but_a_healthy_one_is(
    scene: Scene, clock: Clock
) -> None:
    scene.history()
    first = scene.deploy(NOON - 120 * MINUTE, release=scene.old, name="old")
    Watch.objects.filter(pk=first.pk).update(verdict=Verdict.HEALTHY)
    unjudged = scene.deploy(NOON - 5 * MINUTE, release=scene.new)
    scene.count(scene.new, NOON - 5 * MINUTE, 5, errors=40)
    third = scene.project.releases.create(version="shop@1.2", first_seen=NOON)
    watch = scene.deploy(release=third)
    scene.count(third, NOON, 5)
    clock.look(watch, 5)
    unjudged.refresh_from_db()
    assert (unjudged.reason, watch.baseline) == ("superseded", scene.old)


def test_a_final_verdict_stays(scene: Scene, clock: Clock) -> None:
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON, 5, errors=40)
    decided = clock.look(watch, 4).decided_at
    assert clock.look(watch, 5).decided_at == decided
    assert Evaluation.objects.filter(watch=watch).count() == 1


def new_issue_of(scene: Scene, minutes: int, shops: int, **fields: Any) -> int:
    issue = make_issue(
        scene.project,
        first_seen=NOON + MINUTE,
        first_release=scene.new,
        stats={"last_seen": NOON + 60 * MINUTE},
        **fields,
    )
    IssueMinute.objects.bulk_create(
        IssueMinute(
            issue_id=issue.pk,
            minute=NOON + MINUTE * (2 + m),
            environment_id=scene.environment.pk,
            release_id=scene.new.pk,
            tenant_id=tenant,
            events=2,
            unhandled=2,
            level=40,
            path_weight=1.0,
        )
        for m in range(minutes)
        for tenant in scene.tenants[:shops]
    )
    return issue.pk


def test_a_new_issue_that_hits_many_shops_is_enough(scene: Scene, clock: Clock) -> None:
    scene.history()
    watch = scene.deploy()
    issue = new_issue_of(scene, 5, 10)
    scene.count(scene.new, NOON, 8)
    assert clock.look(watch, 8).verdict == Verdict.DEGRADED
    assert watch.reason == "new_issue"
    assert watch.suspects[0]["issue_id"] == issue
    assert watch.suspects[0]["share"] == pytest.approx(1.0)


def test_shops_that_appeared_after_the_deploy_do_not_count(
    scene: Scene, clock: Clock
) -> None:
    scene.history()
    watch = scene.deploy()
    new_issue_of(scene, 5, 10)
    scene.count(scene.new, NOON, 8)
    Tenant.objects.filter(pk__in=scene.tenants).update(
        source=Tenant.Source.EVENT, first_seen=NOON
    )
    assert clock.look(watch, 8).verdict == Verdict.PENDING


def test_dropped_errors_are_evidence_and_never_healthy(
    scene: Scene, clock: Clock
) -> None:
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON, 61)
    Outcome.objects.bulk_create(
        Outcome(
            project_id=scene.project.pk,
            key_id=1,
            minute=NOON + MINUTE * m,
            category="error",
            reason="client:network_error",
            quantity=1,
        )
        for m in range(20)
    )
    assert clock.look(watch, 62).verdict == Verdict.INCONCLUSIVE
    assert watch.reason == "incomplete"
    assert watch.numbers["errors"] == 58 * 6 + 18


def test_absurd_reports_of_drops_do_not_stop_a_watch(
    scene: Scene, clock: Clock
) -> None:
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON, 61)
    Outcome.objects.create(
        project_id=scene.project.pk,
        key_id=1,
        minute=NOON + 5 * MINUTE,
        category="error",
        reason="client:network_error",
        quantity=10**11,
    )
    assert clock.look(watch, 62).verdict == Verdict.HEALTHY


def test_one_watch_that_fails_does_not_keep_the_others_waiting(
    scene: Scene, clock: Clock
) -> None:
    broken, other = scene.deploy(), Scene()
    other.history()
    sound = other.deploy()
    other.count(other.new, NOON, 5, errors=40)
    Watch.objects.filter(pk=broken.pk).update(settings={"window": "soon"})
    clock.now = NOON + 5 * MINUTE
    tasks.watch_tick()
    sound.refresh_from_db()
    broken.refresh_from_db()
    assert sound.verdict == Verdict.DEGRADED
    assert broken.due_at > clock.now


def test_the_baseline_is_read_once_everything_before_is_digested(
    scene: Scene, clock: Clock
) -> None:
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON, 5)
    wait_in_inbox(scene, NOON - 30 * MINUTE)
    assert clock.look(watch, 4).serving_since is None
    InboxEnvelope.objects.all().delete()
    assert clock.look(watch, 4.5).serving_since == NOON


def test_posted_traffic_is_waited_for_where_the_baseline_has_it(
    scene: Scene, clock: Clock
) -> None:
    scene.history(traffic=1600, sessions=1600)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 1, sessions=1600)
    assert clock.look(watch, 2).source == ""
    scene.count(scene.new, NOON + MINUTE, 1, traffic=1600, sessions=1600)
    assert clock.look(watch, 2.5).source == "traffic"


def test_a_verdict_needs_the_whole_window(scene: Scene, clock: Clock) -> None:
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON, 61)
    wait_in_inbox(scene, NOON + 10 * MINUTE)
    assert clock.look(watch, 70).verdict == Verdict.INCONCLUSIVE
    assert watch.reason == "incomplete"


def posts(
    scene: Scene, source: str, first: int, last: int, requests: float = 1.0
) -> None:
    TrafficMinute.objects.bulk_create(
        TrafficMinute(
            project_id=scene.project.pk,
            release_id=scene.new.pk,
            environment_id=scene.environment.pk,
            minute=NOON + MINUTE * m,
            source=source,
            requests=requests,
            posted_at=NOON + MINUTE * (m + 1),
        )
        for m in range(first, last)
    )


def test_a_silent_source_turns_a_rollback_into_an_alert(
    scene: Scene, clock: Clock
) -> None:
    scene.threshold(action=Action.ROLLBACK)
    scene.history()
    posts(scene, "proxy-1", -30, 30)
    posts(scene, "proxy-2", -30, -20)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 10, errors=40)
    assert clock.look(watch, 10).action == Action.ALERT
    assert watch.numbers["silent_sources"] == ["proxy-2"]


def test_a_source_that_a_deploy_replaced_is_not_missed(
    scene: Scene, clock: Clock
) -> None:
    scene.threshold(action=Action.ROLLBACK)
    scene.history()
    posts(scene, "pod-1", -30, 0)
    posts(scene, "pod-2", 0, 30)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 10, errors=40)
    assert clock.look(watch, 10).action == Action.ROLLBACK


def test_a_source_that_begins_beside_the_others_is_never_healthy(
    scene: Scene, clock: Clock
) -> None:
    scene.history()
    posts(scene, "pod", -30, 62, requests=800)
    posts(scene, "proxy", 5, 62, requests=800)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 61)
    assert clock.look(watch, 61).verdict == Verdict.INCONCLUSIVE
    assert watch.reason == "added_sources"
    assert watch.numbers["added_sources"] == ["proxy"]
    assert "began during the watch" in watch.sentence


def test_one_process_more_of_many_leaves_a_release_healthy(
    scene: Scene, clock: Clock
) -> None:
    scene.history()
    for pod in range(15):
        posts(scene, f"pod-{pod}", -30, 62, requests=100)
    posts(scene, "pod-15", 20, 62, requests=100)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 61)
    assert clock.look(watch, 61).verdict == Verdict.HEALTHY


def test_as_many_sources_begin_as_end_in_a_deploy(scene: Scene, clock: Clock) -> None:
    scene.history()
    posts(scene, "pod-1", -30, 0, requests=1600)
    posts(scene, "pod-2", 0, 62, requests=1600)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 61)
    assert clock.look(watch, 61).verdict == Verdict.HEALTHY
    assert watch.numbers["added_sources"] == []


def test_a_canary_is_not_blamed_for_what_the_stable_release_meets(
    scene: Scene, clock: Clock
) -> None:
    scene.history()
    watch = scene.deploy(traffic_share=0.05)
    issue = new_issue_of(scene, 5, 10)
    IssueMinute.objects.create(
        issue_id=issue,
        minute=NOON + 3 * MINUTE,
        environment_id=scene.environment.pk,
        release_id=scene.old.pk,
        tenant_id=scene.tenants[50],
        events=1,
        unhandled=1,
        level=40,
        path_weight=1.0,
    )
    scene.count(scene.old, NOON, 8, traffic=1520)
    scene.count(scene.new, NOON, 8, errors=1, traffic=80)
    assert clock.look(watch, 8).verdict == Verdict.PENDING


def test_a_rise_in_other_projects_too_lies_outside(scene: Scene, clock: Clock) -> None:
    scene.history()
    other = Scene()
    other.history()
    other.count(other.old, NOON, 6, errors=40)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 6, errors=40)
    assert clock.look(watch, 6).verdict == Verdict.PENDING
    assert watch.numbers["held_back"] == "outside"


def test_errors_from_public_keys_and_one_network_only_alert(
    scene: Scene, clock: Clock
) -> None:
    scene.threshold(action=Action.ROLLBACK)
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON, 5, errors=40)
    ReleaseMinute.objects.filter(release_id=scene.new.pk).update(errors_public=40)
    assert clock.look(watch, 5).verdict == Verdict.DEGRADED
    assert watch.action == Action.ALERT
    assert "forge" in watch.sentence


def test_without_any_denominator_a_clear_rise_is_found(
    scene: Scene, clock: Clock
) -> None:
    scene.count(scene.old, NOON - timedelta(days=8), 8 * 24 * 60, errors=2, sessions=0)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 6, errors=40, sessions=0)
    assert clock.look(watch, 6).verdict == Verdict.DEGRADED
    assert watch.source == Watch.Source.NONE


def test_a_canary_is_compared_with_the_rest_at_the_same_time(
    scene: Scene, clock: Clock
) -> None:
    scene.history()
    watch = scene.deploy(traffic_share=0.05)
    scene.count(scene.old, NOON, 10, errors=30, traffic=1520)
    scene.count(scene.new, NOON, 10, errors=2, traffic=80)
    assert clock.look(watch, 10).verdict == Verdict.PENDING
    assert watch.numbers["concurrent"] is True


def test_the_tick_looks_at_what_is_due(scene: Scene, clock: Clock) -> None:
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON, 5, errors=40)
    clock.now = NOON + 5 * MINUTE
    tasks.watch_tick()
    watch.refresh_from_db()
    assert watch.verdict == Verdict.DEGRADED
