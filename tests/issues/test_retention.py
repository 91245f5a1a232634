from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from issues import partitions, retention
from issues.models import (
    AlertRule,
    DeadLetter,
    Feedback,
    IngestLagMinute,
    IssueMinute,
    ScoreHour,
    SeenEvent,
)
from releases.models import ReleaseNetwork, ReleaseUser, TrafficMinute
from tests.factories import make_feedback, make_watch

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def apply(
    *, dead_letter_bytes: int = 1 << 30, disk_use: Callable[[], float] = lambda: 0.0
) -> dict[str, int]:
    return retention.apply(
        NOW,
        event_days=30,
        seen_days=7,
        dead_letter_days=30,
        dead_letter_bytes=dead_letter_bytes,
        seconds=10.0,
        disk_use=disk_use,
    )


def minute_of(hours_ago: int) -> None:
    IssueMinute.objects.create(
        issue_id=hours_ago,
        minute=NOW - timedelta(hours=hours_ago),
        environment_id=1,
        release_id=0,
        tenant_id=0,
        events=1,
        unhandled=0,
        level=40,
        path_weight=1.0,
    )


def letter(size: int) -> DeadLetter:
    return DeadLetter.objects.create(
        project_id=1,
        key_id=1,
        kind="envelope",
        received=NOW,
        size=size,
        body=b"x" * size,
        error="broken",
    )


def test_issue_minutes_are_kept_for_8_days() -> None:
    minute_of(8 * 24 - 1)
    minute_of(8 * 24 + 1)
    apply()
    assert list(IssueMinute.objects.values_list("issue_id", flat=True)) == [191]


def test_peaks_and_lags_are_kept_for_8_days() -> None:
    for days in (7, 9):
        at = NOW - timedelta(days=days)
        ScoreHour.objects.create(issue_id=days, hour=at, at=at, score=1.0)
        IngestLagMinute.objects.create(minute=at, seconds=days)
    apply()
    assert ScoreHour.objects.get().issue_id == 7
    assert IngestLagMinute.objects.get().seconds == 7


def test_event_ids_are_remembered_for_seven_days() -> None:
    for days in (6, 8):
        SeenEvent.objects.create(
            project_id=days,
            event_id="0" * 32,
            received=NOW - timedelta(days=days),
        )
    apply()
    assert SeenEvent.objects.get().project_id == 6


def test_partitions_past_retention_are_dropped_and_those_ahead_made() -> None:
    old = NOW.date() - timedelta(days=31)
    kept = NOW.date() - timedelta(days=30)
    partitions.create(old)
    partitions.create(kept)
    apply()
    days = partitions.existing()
    assert old not in days
    assert {kept, NOW.date() + timedelta(days=14)} <= days


def test_while_the_disk_is_high_the_oldest_days_go_before_their_time() -> None:
    days = [NOW.date() - timedelta(days=age) for age in (20, 10, 5)]
    for day in days:
        partitions.create(day)
    uses = iter([0.9, 0.86, 0.84])
    gone = apply(disk_use=lambda: next(uses))
    assert gone["issues_event"] == 2
    assert days[2] in partitions.existing()
    assert not {days[0], days[1]} & partitions.existing()


def test_a_full_disk_never_costs_the_events_of_today() -> None:
    apply(disk_use=lambda: 0.99)
    assert NOW.date() in partitions.existing()


def test_the_oldest_dead_letters_go_beyond_their_bytes() -> None:
    first, second, third = letter(600), letter(300), letter(300)
    apply(dead_letter_bytes=700)
    left = set(DeadLetter.objects.values_list("pk", flat=True))
    assert left == {second.pk, third.pk}
    assert first.pk not in left


def test_networks_and_users_of_releases_are_kept_for_15_days() -> None:
    for days in (14, 16):
        seen = NOW - timedelta(days=days)
        ids = {"release_id": days, "environment_id": 1}
        ReleaseNetwork.objects.create(network="a", first_seen=seen, **ids)
        ReleaseUser.objects.create(user=1, day=seen.date(), crashed=False, **ids)
    apply()
    assert ReleaseNetwork.objects.get().release_id == 14
    assert ReleaseUser.objects.get().release_id == 14


def test_what_sources_told_of_traffic_is_kept_for_48_hours() -> None:
    for hours in (47, 49):
        TrafficMinute.objects.create(
            project_id=1,
            release_id=hours,
            environment_id=1,
            minute=NOW - timedelta(hours=hours),
            source="proxy",
            requests=1.0,
            posted_at=NOW,
        )
    apply()
    assert TrafficMinute.objects.get().release_id == 47


def test_the_looks_at_a_watch_are_kept_for_90_days() -> None:
    watch = make_watch()
    for days in (89, 91):
        watch.evaluations.create(
            at=NOW - timedelta(days=days), minutes=days, errors=0, exposure=0.0
        )
    apply()
    assert watch.evaluations.get().minutes == 89


def test_alerts_are_kept_for_90_days() -> None:
    rule = AlertRule.objects.create(name="new", when="new_issue")
    for days in (89, 91):
        rule.alerts.create(at=NOW - timedelta(days=days), cause=days, about=days)
    apply()
    assert rule.alerts.get().cause == "89"


def test_what_was_deleted_is_reported() -> None:
    minute_of(200)
    assert apply() == {"issues_issueminute": 1}


def test_feedback_goes_with_the_days_of_events() -> None:
    make_feedback(received=NOW - timedelta(days=31))
    kept = make_feedback(received=NOW - timedelta(days=29))
    assert apply() == {"issues_feedback": 1}
    assert list(Feedback.objects.all()) == [kept]
