from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection

from issues import partitions
from issues.models import Event

pytestmark = pytest.mark.django_db

OLD = date(2020, 5, 17)


def store(issue_id: int, day: date = OLD, release_id: int | None = None) -> int:
    moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return Event.objects.create(
        event_id=uuid4(),
        project_id=1,
        issue_id=issue_id,
        received=moment,
        occurred=moment,
        level=40,
        unhandled=False,
        release_id=release_id,
        user="",
        transaction="",
        title="KeyError",
        tags=[],
        body=b"x",
    ).pk


def kept() -> list[int]:
    return sorted(Event.objects.values_list("pk", flat=True))


def test_partitions_lie_fourteen_days_ahead() -> None:
    made = partitions.ensure_ahead(OLD)
    assert made == [OLD + timedelta(days) for days in range(15)]
    assert partitions.ensure_ahead(OLD) == []


def test_an_event_of_a_day_without_partition_fails_loudly() -> None:
    with pytest.raises(IntegrityError, match="no partition"):
        store(1, date(2019, 1, 1))


def test_analyze_holds_few_rows_of_a_day_in_memory() -> None:
    partitions.create(OLD)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT attstattarget FROM pg_attribute WHERE attnum > 0"
            " AND attrelid = %s::regclass",
            [partitions.name_of(OLD)],
        )
        assert cursor.fetchall() == [(partitions.TARGET,)]


def test_first_newest_and_one_per_release_stay_as_samples() -> None:
    partitions.create(OLD)
    first = store(1)
    store(1)
    of_release = store(1, release_id=5)
    store(1, release_id=5)
    newest = store(1)
    partitions.retire_before(OLD + timedelta(1))
    assert kept() == [first, of_release, newest]


def test_the_newest_of_a_day_is_no_sample_when_newer_days_have_events() -> None:
    partitions.create(OLD)
    partitions.create(OLD + timedelta(1))
    first = store(1)
    store(1)
    later = store(1, OLD + timedelta(1))
    partitions.retire_before(OLD + timedelta(1))
    assert kept() == [first, later]


def test_a_release_is_sampled_once_over_days() -> None:
    for day in (OLD, OLD + timedelta(1), OLD + timedelta(2)):
        partitions.create(day)
    first = store(1, release_id=5)
    store(1, OLD + timedelta(1), release_id=5)
    last = store(1, OLD + timedelta(2), release_id=5)
    partitions.retire_before(OLD + timedelta(2))
    assert kept() == [first, last]


def test_a_retired_day_has_no_partition_of_its_own() -> None:
    partitions.create(OLD)
    assert partitions.retire_before(OLD + timedelta(1)) == [OLD]
    assert OLD not in partitions.existing()
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('issues_event_samples')")
        assert cursor.fetchone() == ("issues_event_samples",)
