"""A channel that others tell through is not deleted from under them."""

import pytest
from django.urls import reverse
from django.utils import timezone

from issues.models import EscalationStep, IncidentPolicy, WeeklyReport
from tenants.channels.usage import users_of
from tenants.delivery import send_test
from tenants.models import Channel
from tests.admin_pages import client_of
from tests.factories import ANNA, make_channel, token_client
from tests.issues.alert_rules import make_rule

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel() -> Channel:
    return make_channel("on call")


def test_rules_policies_steps_and_reports_use_a_channel(channel: Channel) -> None:
    policy = IncidentPolicy.objects.create(severity="high")
    step = EscalationStep.objects.create(policy=policy)
    report = WeeklyReport.objects.create(name="weekly")
    rule = make_rule(channels=[channel])
    policy.channels.add(channel)
    step.channels.add(channel)
    report.channels.add(channel)

    assert set(users_of(channel)) == {rule, policy, step, report}


def test_a_channel_in_use_is_not_deleted_over_rest(channel: Channel) -> None:
    make_rule(name="wide", channels=[channel])

    response = token_client("channel:write").delete(f"/api/v1/channels/{channel.pk}/")

    assert response.status_code == 400
    assert response.json()["detail"] == (
        "on call is still named by wide: change that first."
    )
    assert Channel.objects.exists()


def test_a_channel_in_use_is_not_deleted_in_the_admin(channel: Channel) -> None:
    make_rule(name="wide", channels=[channel])
    url = reverse("admin:tenants_channel_delete", args=[channel.pk])

    response = client_of("owner").post(url, {"post": "yes"})

    assert "Alert rule: wide" in response.content.decode()
    assert Channel.objects.exists()


def test_a_channel_that_nobody_uses_is_deleted(channel: Channel) -> None:
    client = token_client("channel:write")

    assert client.delete(f"/api/v1/channels/{channel.pk}/").status_code == 204


def test_the_admin_deletes_a_channel_with_its_messages(channel: Channel) -> None:
    send_test(channel, ANNA, timezone.now())
    url = reverse("admin:tenants_channel_delete", args=[channel.pk])

    client_of("owner").post(url, {"post": "yes"})

    assert not Channel.objects.exists()
