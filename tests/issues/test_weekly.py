"""The figures of the week before, sent once."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse

from issues.incidents import steps, weekly
from issues.incidents.figures import week_name
from issues.incidents.steps import Fire, open_incident
from issues.models import Incident, WeeklyReport
from issues.tasks import weekly_tick
from rush_monitor.celery import app
from tenants.models import AuditEntry, Channel, Delivery
from tests.admin_pages import client_of
from tests.factories import ANNA, make_project, token_client

pytestmark = pytest.mark.django_db

BERLIN = "Europe/Berlin"
URL = "/api/v1/weekly-reports/"
W46 = date(2026, 11, 9)


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """In November 2026; the 16th is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "given", "due"),
    [
        (at(16, 7, 59), {}, None),
        (at(16, 8), {}, W46),
        (at(22, 23), {}, W46),
        (at(16, 8), {"last_week": "2026-W46"}, None),
        (at(16, 8), {"last_week": "2026-W45"}, W46),
        (at(16, 8), {"last_week": "2026-W47"}, None),
        # In Berlin it is an hour later.
        (at(16, 6, 59), {"zone": BERLIN}, None),
        (at(16, 7), {"zone": BERLIN}, W46),
        (at(15, 23, 30), {"zone": BERLIN, "hour": 0}, W46),
        (at(20, 7), {"weekday": 4}, None),
        (at(20, 8), {"weekday": 4}, W46),
        # Made on Wednesday: from the next Monday on.
        (at(18, 12), {"created": at(18, 11)}, None),
        (at(23, 8), {"created": at(18, 11)}, date(2026, 11, 16)),
    ],
)
def test_when_it_is_due(now: datetime, given: dict[str, Any], due: date | None) -> None:
    zone = ZoneInfo(given.pop("zone", "UTC"))
    usual = {"weekday": 0, "hour": 8, "created": at(1), "last_week": ""}
    assert weekly.week_due(now=now, zone=zone, **{**usual, **given}) == due


@pytest.mark.parametrize(
    ("last_week", "now", "due"),
    [
        ("2026-W53", datetime(2027, 1, 11, 9, tzinfo=UTC), date(2027, 1, 4)),
        ("2027-W01", datetime(2027, 1, 11, 9, tzinfo=UTC), None),
    ],
)
def test_the_first_week_of_a_year_follows_the_last_one(
    last_week: str, now: datetime, due: date | None
) -> None:
    found = weekly.week_due(
        now=now,
        zone=ZoneInfo("UTC"),
        weekday=0,
        hour=8,
        created=at(1),
        last_week=last_week,
    )
    assert found == due


@pytest.mark.parametrize("day", [29, 25])
def test_an_hour_that_the_clock_leaves_out_or_repeats_is_found_once(day: int) -> None:
    month = 3 if day == 29 else 10
    sunday = datetime(2026, month, day, tzinfo=UTC)
    found = []
    last = ""
    for half_hours in range(48):
        monday = weekly.week_due(
            now=sunday + timedelta(minutes=30 * half_hours),
            zone=ZoneInfo(BERLIN),
            weekday=6,
            hour=2,
            created=at(1).replace(year=2025),
            last_week=last,
        )
        if monday:
            found.append(monday)
            last = week_name(monday)
    assert len(found) == 1


def make_report(*channels: Channel, **fields: Any) -> WeeklyReport:
    fields = {"name": "team", "created": at(1), **fields}
    report = WeeklyReport.objects.create(**fields)
    report.channels.set(channels or [make_channel()])
    return report


def make_channel(name: str = "team") -> Channel:
    config = {"to": ["team@example.com"]}
    return Channel.objects.create(name=name, kind="email", config=config)


def burn(when: datetime, minutes: float, **fields: Any) -> None:
    fire = Fire(
        title="Checkout is broken",
        cause=f"rule:{Incident.objects.count()}",
        source=Incident.Source.RULE,
        began_at=when - timedelta(seconds=30),
        **fields,
    )
    incident, _ = open_incident(fire, ANNA, when)
    steps.mitigate(incident, ANNA, when + timedelta(minutes=minutes))


def test_the_week_is_told_beside_the_one_before() -> None:
    report = make_report()
    for minutes in (2, 15):
        burn(at(11), minutes)
    burn(at(4), 3)
    burn(at(16, 1), 1)  # this week

    assert weekly.send_due(at(16, 8)) == 1

    row = Delivery.objects.get()
    assert row.subject == f"weekly:{report.pk}:2026-W46"
    told = row.message
    assert told["title"] == (
        "Week 2026-W46, every project: 2 incidents, 1 of 2 within the target"
    )
    assert ["Incidents", "2; before: 1"] in told["facts"]
    assert [
        "Time to mitigate",
        "2:00 to 15:00 (2 incidents); before: 3:00 (1 incident)",
    ] in told["facts"]
    assert told["url"].endswith("/admin/issues/figures/")


def test_a_week_without_incidents_says_so() -> None:
    make_report(project=make_project(slug="shop", name="Shop"))

    weekly.send_due(at(16, 8))

    message = Delivery.objects.get().message
    assert message["title"] == "Week 2026-W46, Shop: 0 incidents"
    assert message["url"].endswith("?project=shop")


def test_it_is_sent_once_a_week_to_each_channel() -> None:
    make_report(make_channel(), make_channel("managers"))

    sent = [weekly.send_due(at(16, 8) + timedelta(hours=6 * i)) for i in range(40)]

    # From Monday 16th to Wednesday 25th: week 46 and week 47.
    assert (sum(sent), Delivery.objects.count()) == (2, 4)


def test_a_week_that_was_sent_before_the_process_died_is_not_sent_again() -> None:
    report = make_report()
    weekly.send_due(at(16, 8))
    WeeklyReport.objects.update(last_week="")

    weekly.send_due(at(16, 9))

    assert Delivery.objects.count() == 1
    report.refresh_from_db()
    assert report.last_week == "2026-W46"


def test_one_that_cannot_be_written_does_not_hold_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    WeeklyReport.objects.create(name="odd", time_zone="Nowhere", created=at(1))
    make_report()

    assert weekly.send_due(at(16, 8)) == 1

    assert "could not be written" in caplog.text


def test_one_that_is_off_is_not_sent() -> None:
    make_report(is_active=False)

    assert weekly.send_due(at(16, 8)) == 0


def test_beat_looks_each_minute() -> None:
    assert app.conf.beat_schedule["weekly"] == {
        "task": "issues.weekly",
        "schedule": 60.0,
    }
    make_report()
    weekly_tick()
    assert Delivery.objects.count() == 1


def test_it_is_made_over_rest_and_audited() -> None:
    make_channel()
    client = token_client("issue:write")
    body = {"name": "team", "channels": ["team"], "time_zone": BERLIN, "hour": 9}

    made = client.post(URL, body, format="json")

    assert made.status_code == 201, made.json()
    url = f"{URL}{made.json()['id']}/"
    changed = client.patch(url, {"weekday": 4, "channels": []}, format="json").json()
    assert (changed["weekday"], changed["hour"], changed["channels"]) == (4, 9, [])
    audit = AuditEntry.objects.get(action="changed")
    assert audit.changes == {"weekday": [0, 4], "channels": [["team"], []]}
    assert client.delete(url).status_code == 204


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"time_zone": "Berlin"}, "time_zone"),
        ({"time_zone": "../etc"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"hour": 24}, "hour"),
        ({"weekday": 7}, "weekday"),
        ({"channels": ["no"]}, "channels"),
        ({"name": ""}, "name"),
    ],
)
def test_a_wrong_one_names_its_field(body: dict[str, Any], field: str) -> None:
    client = token_client("issue:write")

    response = client.post(URL, {"name": "x", **body}, format="json")

    assert response.status_code == 400
    assert set(response.json()["errors"]) == {field}


def test_a_maintainer_makes_one_in_the_admin() -> None:
    channel, client = make_channel(), client_of("maintainer", "mia")
    form = {
        "name": "team",
        "channels": [channel.pk],
        "weekday": 0,
        "hour": 8,
        "time_zone": BERLIN,
        "is_active": "on",
    }
    add = reverse("admin:issues_weeklyreport_add")

    wrong = client.post(add, {**form, "time_zone": "Mars"}).content.decode()
    assert "is no time zone" in wrong
    assert client.post(add, form).status_code == 302

    assert list(WeeklyReport.objects.get().channels.all()) == [channel]
    responder: Client = client_of("responder")
    assert responder.get(add).status_code == 403
