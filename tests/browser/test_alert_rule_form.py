"""The form of an alert rule in a real browser."""

import pytest
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from issues.models import AlertRule
from tests.admin_pages import client_of
from tests.factories import make_channel

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_form_shows_what_the_kind_asks_and_saves_it(
    opened: Page, live_server: LiveServer, troubles: list[str]
) -> None:
    session = client_of("maintainer").cookies[settings.SESSION_COOKIE_NAME]
    opened.context.add_cookies(
        [{"name": session.key, "value": session.value, "url": live_server.url}]
    )
    channel = make_channel()
    opened.goto(reverse("admin:issues_alertrule_add"))
    opened.fill("#id_name", "wide")

    opened.select_option("#id_when", "ingest_lag")
    expect(opened.locator("#id_minutes")).to_be_hidden()
    expect(opened.locator("#id_environment")).to_be_hidden()
    opened.select_option("#id_when", "crash_free_users")
    expect(opened.locator("#id_threshold")).to_be_visible()
    expect(opened.locator("#id_release")).to_be_visible()
    expect(opened.locator("#id_minutes")).to_be_hidden()
    expect(opened.locator("#id_tenant")).to_be_hidden()
    opened.select_option("#id_when", "tenants")
    expect(opened.locator("#id_environment")).to_be_visible()
    opened.fill("#id_threshold", "20")
    opened.fill("#id_minutes", "10")
    opened.fill("#id_environment", "prod*")
    opened.select_option("#id_channels", str(channel.pk))
    opened.get_by_role("button", name="Save", exact=True).click()
    opened.wait_for_url("**/alertrule/")

    rule = AlertRule.objects.get()
    assert (rule.threshold, rule.minutes, rule.environment) == (20, 10, "prod*")
    assert list(rule.channels.all()) == [channel]
    assert troubles == []
