"""How long events wait for digest is kept, the worst of each minute."""

from datetime import timedelta
from unittest import mock

import pytest
from django.db import DatabaseError

from issues.alerts import reacting
from issues.models import InboxEnvelope, IngestLagMinute
from releases.models import Watch
from tests.factories import make_watch
from tests.issues.alert_rules import NOW, make_rule, told

pytestmark = pytest.mark.django_db

MINUTE = NOW.replace(second=0)


def wait_since(seconds: int) -> None:
    """One envelope waits, received so many seconds after NOW."""
    InboxEnvelope.objects.all().delete()
    InboxEnvelope.objects.create(
        received=NOW + timedelta(seconds=seconds),
        project_id=1,
        key_id=1,
        kind="store",
        size=1,
        body=b"",
    )


def lags() -> list[tuple[int, float]]:
    rows = IngestLagMinute.objects.order_by("minute")
    return [((row.minute - MINUTE).seconds // 60, row.seconds) for row in rows]


def test_the_tick_keeps_the_worst_of_each_minute_without_a_rule() -> None:
    wait_since(-40)
    reacting.tick(NOW)
    wait_since(0)
    for seconds in (10, 40, 50):
        reacting.tick(NOW + timedelta(seconds=seconds))

    assert lags() == [(0, 40.0), (1, 50.0)]


def test_without_a_lag_nothing_is_kept() -> None:
    reacting.tick(NOW)
    wait_since(0)
    reacting.tick(NOW)

    assert lags() == []


def test_a_lag_that_cannot_be_kept_silences_no_rule() -> None:
    make_rule("verdict")
    make_watch(verdict=Watch.Verdict.DEGRADED, decided_at=NOW)

    with mock.patch.object(reacting, "keep_lag", side_effect=DatabaseError("no")):
        reacting.tick(NOW + timedelta(seconds=1))

    assert len(told()) == 1
