"""Events and sessions of environments, as rules on rates ask for them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issues.alerts import counters
from issues.alerts.conditions import Asked
from tests.factories import make_environment, make_minute, make_project, make_release
from tests.issues.alert_rules import NOW

pytestmark = pytest.mark.django_db

START, END = NOW - timedelta(hours=1), NOW + timedelta(minutes=1)


@pytest.mark.parametrize(("release", "events", "rows"), [("", 30, 1), ("*@2.*", 20, 2)])
def test_releases_are_apart_only_for_who_asks_for_one(
    release: str, events: int, rows: int
) -> None:
    project = make_project()
    place = make_environment(project)
    for version, count in (("shop@1.0", 10), ("shop@2.0", 20)):
        make_minute(make_release(project, version), place, NOW, events=count)
    asked = Asked(release=release)

    (counted,) = counters.counted(asked, START, END).values()
    with CaptureQueriesContext(connection) as captured:
        (minutes,) = counters.by_minute(asked, START, END).values()

    assert [counted.events, *(m.events for m in minutes.values())] == [events] * 2
    with connection.cursor() as cursor:
        cursor.execute(captured[0]["sql"])
        assert len(cursor.fetchall()) == rows
