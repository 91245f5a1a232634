"""Who is who in Slack: the admin's pages and the API."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from tenants.models import AuditEntry, SlackAccount
from tests.admin_pages import client_of, page
from tests.factories import make_user, role_client, token_client
from tests.slack_server import TEAM

pytestmark = pytest.mark.django_db

URL = "/api/v1/slack-accounts/"
ADD = "admin:tenants_slackaccount_add"
ANNA = {"team": TEAM, "slack_user": "U012AB3CD", "user": "anna"}


def make_account(slack_user: str = "U012AB3CD", **fields: object) -> SlackAccount:
    user = make_user(role="responder")
    return SlackAccount.objects.create(
        team=TEAM, slack_user=slack_user, user=user, **fields
    )


@pytest.fixture
def owner() -> Client:
    return client_of("owner", "olga")


def test_an_owner_maps_somebody_on_the_page_that_was_linked(owner: Client) -> None:
    user = make_user("anna")
    shown = owner.get(reverse(ADD), {"team": TEAM, "slack_user": "U012AB3CD"})
    assert f'value="{TEAM}"' in shown.content.decode()

    form = {"team": TEAM, "slack_user": "U012AB3CD", "user": user.pk}
    response = owner.post(reverse(ADD), form)

    assert response.status_code == 302, response.content.decode()
    assert SlackAccount.objects.get().user == user
    assert AuditEntry.objects.get(action="added").actor == "olga"


def test_a_slack_user_has_one_account(owner: Client) -> None:
    row = make_account()
    form = {"team": TEAM, "slack_user": row.slack_user, "user": row.user_id}

    html = owner.post(reverse(ADD), form).content.decode()

    assert "has an account already" in html


@pytest.mark.parametrize("role", ["viewer", "responder", "maintainer"])
def test_only_owners_map(role: str) -> None:
    row = make_account()
    client = client_of(role)

    assert row.slack_user in page(client, "tenants_slackaccount_changelist")
    assert client.get(reverse(ADD)).status_code == 403
    assert role_client(role).post(URL, ANNA).status_code == 403


def test_it_is_mapped_changed_and_taken_away_over_rest() -> None:
    client, user = role_client("owner"), make_user("anna")
    make_user("bert")

    made = client.post(URL, ANNA, format="json")
    assert made.status_code == 201, made.json()
    row = SlackAccount.objects.get()
    assert row.user == user
    again = client.post(URL, ANNA, format="json")
    assert (again.status_code, "already" in str(again.json())) == (400, True)
    SlackAccount.objects.update(by_email=True)
    changed = client.patch(f"{URL}{row.pk}/", {"user": "bert"}, format="json").json()
    assert (changed["user"], changed["by_email"]) == ("bert", False)
    assert client.delete(f"{URL}{row.pk}/").status_code == 204
    actions = AuditEntry.objects.filter(object_type="tenants.slackaccount")
    assert set(actions.values_list("action", flat=True)) == {
        "added",
        "changed",
        "deleted",
    }


def test_no_token_says_who_somebody_is() -> None:
    assert token_client("channel:write").get(URL).status_code == 403


@pytest.mark.parametrize("number", [1, 5])
def test_the_list_takes_a_fixed_number_of_queries(
    django_assert_num_queries: DjangoAssertNumQueries, number: int
) -> None:
    client = role_client("owner")
    for i in range(number):
        make_account(f"U{i}")
    client.get(URL)

    # Session, user, permissions of the user and its groups, accounts.
    with django_assert_num_queries(5):
        assert len(client.get(URL).json()["results"]) == number
