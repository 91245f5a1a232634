"""Alerts right after digest, and by their tick."""

from collections.abc import Iterator
from unittest import mock

import pytest
from django.db import DatabaseError

from issues import tasks
from issues.alerts import reacting
from issues.digest.batch import Digest
from issues.models import Alert, Event, IssueActivity
from tenants.models import Delivery
from tests.envelopes import put_event
from tests.factories import make_key
from tests.issues.alert_rules import make_rule, note_activity

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def digest(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One that has not seen other tests' projects."""
    fresh = Digest(500)
    monkeypatch.setattr(tasks, "_digest", fresh)
    yield
    fresh.close()


def test_a_new_issue_is_on_its_way_when_digest_ends() -> None:
    make_rule(environment="production")
    put_event(make_key())

    tasks.digest()

    title = Delivery.objects.get().message["title"]
    assert title.startswith("New issue: KeyError: 'CHF'")


def test_under_load_too_alerts_do_not_wait_for_the_end() -> None:
    make_rule()
    put_event(make_key())

    with (
        mock.patch.object(tasks, "SLICE_SECONDS", 0.0),
        mock.patch.object(tasks.digest, "apply_async") as again,
    ):
        note_activity()
        tasks.digest()

    again.assert_called_once()
    assert Alert.objects.count() == 1


def test_what_goes_wrong_with_alerts_is_left_to_the_tick() -> None:
    make_rule()
    put_event(make_key())
    with mock.patch.object(
        reacting, "react_to_issues", side_effect=DatabaseError("no")
    ):
        tasks.digest()
    assert Event.objects.count() == 1
    assert IssueActivity.objects.get().alerts_due

    tasks.alerts_tick()

    assert Delivery.objects.count() == 1
