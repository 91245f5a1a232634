from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues.alerts import reacting
from issues.models import Alert, AlertRule
from tenants.models import AuditEntry
from tests.admin_pages import client_of, page
from tests.factories import make_channel, make_issue
from tests.issues.alert_rules import NOW, make_rule, note_activity

pytestmark = pytest.mark.django_db

ADD = "admin:issues_alertrule_add"
LIST, PREVIEW = "issues_alertrule_changelist", "issues_alertrule_preview"
TYPED = {
    "name": "wide",
    "is_active": "on",
    "when": "tenants",
    "threshold": "20",
    "minutes": "10",
    "min_level": "40",
    "severity": "high",
    "repeat_minutes": "60",
    "digest_minutes": "0",
    "quiet_timezone": "UTC",
}


@pytest.fixture
def maintainer() -> Client:
    return client_of("maintainer")


def test_a_rule_is_saved_and_audited(maintainer: Client) -> None:
    channel = make_channel()

    response = maintainer.post(reverse(ADD), {**TYPED, "channels": [channel.pk]})

    assert response.status_code == 302, response.context["errors"]
    rule = AlertRule.objects.get()
    assert (rule.when, rule.threshold, rule.minutes) == ("tenants", 20, 10)
    assert list(rule.channels.all()) == [channel]
    assert AuditEntry.objects.get().action == "added"


def test_what_the_kind_does_not_have_counts_as_left_empty(maintainer: Client) -> None:
    maintainer.post(reverse(ADD), {**TYPED, "when": "verdict", "path": "/x"})

    rule = AlertRule.objects.get()
    assert (rule.threshold, rule.minutes, rule.path, rule.min_level) == (
        *(None, None, "", 10),
    )


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"threshold": ""}, "Give the threshold"),
        ({"minutes": ""}, "Give the minutes"),
        ({"ignores_quiet_hours": "on"}, "opens critical incidents"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    maintainer: Client, typed: dict[str, Any], complaint: str
) -> None:
    response = maintainer.post(reverse(ADD), {**TYPED, **typed})

    assert complaint in response.content.decode()
    assert not AlertRule.objects.exists()


def test_the_list_tells_each_rule_as_when_if_then(maintainer: Client) -> None:
    make_rule(environment="prod*", opens_incident=True, severity="critical")
    make_rule("impact", threshold=50, channels=[])

    html = page(maintainer, LIST)

    assert "an issue is new" in html
    assert "environment prod*" in html
    assert "open a critical incident, tell team" in html
    assert "the impact of an issue is at least 50" in html
    assert "list it, and tell nobody" in html


@pytest.mark.parametrize("number", [1, 5])
def test_the_lists_take_as_many_queries_for_many_rows(
    maintainer: Client, django_assert_num_queries: DjangoAssertNumQueries, number: int
) -> None:
    for i in range(number):
        make_rule(name=f"rule {i}")
        note_activity()
    reacting.react_to_issues(timezone.now())

    with django_assert_num_queries(10):
        page(maintainer, LIST)
    with django_assert_num_queries(8):
        page(maintainer, "issues_alert_changelist")


def test_the_preview_shows_messages_and_writes_nothing() -> None:
    rule = make_rule(is_active=False)
    note_activity(make_issue(title="KeyError"))

    html = page(client_of("viewer"), PREVIEW, rule.pk)

    assert "1 cause, 1 message" in html
    assert "New issue: KeyError" in html
    assert "switched off" in html
    assert not Alert.objects.exists()


def test_a_rule_that_would_have_told_nothing_says_so(maintainer: Client) -> None:
    assert "told nobody" in page(maintainer, PREVIEW, make_rule("verdict").pk)


@pytest.mark.parametrize(
    ("when", "numbers", "rough"),
    [
        ("impact", {"threshold": 60}, "By the highest score of each hour"),
        ("tenants", {"threshold": 3, "minutes": 10}, "By whole minutes"),
        ("ingest_lag", {"threshold": 60}, "By the longest wait of each minute"),
    ],
)
def test_a_preview_says_what_is_rough(
    maintainer: Client, when: str, numbers: dict[str, int], rough: str
) -> None:
    html = page(maintainer, PREVIEW, make_rule(when, **numbers).pk)

    assert rough in html
    assert "told nobody" in html


def test_the_form_of_a_rule_links_to_its_preview(maintainer: Client) -> None:
    rule = make_rule()

    html = page(maintainer, "issues_alertrule_change", rule.pk)

    assert reverse(f"admin:{PREVIEW}", args=[rule.pk]) in html
    assert '["tenants"' in html.replace("&quot;", '"')


def test_alerts_of_a_message_are_listed() -> None:
    make_rule(digest_minutes=1)
    for title in ("first fault", "second fault"):
        note_activity(make_issue(title=title))
    now = timezone.now()
    reacting.react_to_issues(now)
    Alert.objects.filter(title__contains="second").update(message="alert:1:1")
    viewer = client_of("viewer")

    html = page(viewer, "issues_alert_changelist", message="alert:1:1")

    assert "second fault" in html
    assert "first fault" not in html
    alert = Alert.objects.get(message="alert:1:1")
    assert "second fault" in page(viewer, "issues_alert_change", alert.pk)


def test_a_rule_is_deleted_with_what_it_found() -> None:
    rule = make_rule()
    note_activity()
    reacting.react_to_issues(NOW)

    client_of("maintainer").post(
        reverse("admin:issues_alertrule_delete", args=[rule.pk]), {"post": "yes"}
    )

    assert not AlertRule.objects.exists()
    assert not Alert.objects.exists()
