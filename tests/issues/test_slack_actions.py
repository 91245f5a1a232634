"""Buttons of an incident's message, pressed over HTTP as Slack presses them."""

import time
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from issues.incidents import steps
from issues.incidents.steps import Fire, open_incident
from issues.models import Incident, Issue
from releases.models import Rollback
from tenants.audit import SYSTEM
from tenants.delivery import serve
from tenants.models import AuditEntry, Channel, SlackAccount, SlackPress
from tenants.slack_app.requests import (
    NotFromSlack,
    channels_that_signed,
    signature_of,
)
from tests.factories import (
    ANNA,
    make_deploy,
    make_issue,
    make_release,
    make_rollback_target,
    make_user,
    make_watch,
)
from tests.receiver import Reply
from tests.slack_pressing import (
    ANNA_THERE,
    URL,
    chosen,
    entered,
    named,
    post,
    pressed,
    submitted,
    user_info,
)
from tests.slack_server import TEAM, Slack, slack_running
from tests.tenants.sending import SIGNING_SECRET, slack_channel

pytestmark = pytest.mark.django_db

State = Incident.State
RESPONDER = ("change_incident", "change_issue", "add_rollback")


@pytest.fixture
def api(settings: Settings) -> Iterator[Slack]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    settings.BASE_URL = "https://rush.example.com"
    with slack_running() as running:
        yield running


@pytest.fixture
def channel(api: Slack) -> Channel:
    return slack_channel(api.api, signing_secret=SIGNING_SECRET)


@pytest.fixture
def anna() -> User:
    return mapped("anna", ANNA_THERE)


def mapped(name: str, slack_user: str, role: str = "") -> User:
    """An account with a role, or with the permissions of a responder: sooner made."""
    user = make_user(name, role=role, email=f"{name}@example.com")
    if not role:
        user.user_permissions.set(Permission.objects.filter(codename__in=RESPONDER))
    SlackAccount.objects.create(team=TEAM, slack_user=slack_user, user=user)
    return user


def burn(channel: Channel | None = None, **fields: Any) -> Incident:
    fire = Fire(
        title="Checkout is broken",
        cause="rule:1",
        source=Incident.Source.RULE,
        began_at=timezone.now(),
        channels=[channel] if channel else [],
        **fields,
    )
    return open_incident(fire, SYSTEM, timezone.now())[0]


def buttons(message: dict[str, Any]) -> dict[str, Any]:
    found = [b["elements"] for b in message["blocks"] if b["type"] == "actions"]
    return {button["action_id"]: button for button in (found[0] if found else [])}


def press(api: Slack, name: str, incident: Incident, **who: Any) -> list[str]:
    """Press, and return what was said to the person."""
    before = len(api.replies)
    response = post(pressed(api, name, incident.pk, **who))
    assert (response.status_code, response.content) == (200, b"")
    incident.refresh_from_db()
    return [reply["text"] for reply in api.replies[before:]]


def submit(api: Slack, name: str, incident: Incident, **given: Any) -> Any:
    """Open a dialog and submit it; what is answered, None where it closes."""
    assert press(api, name, incident) == []
    response = post(submitted(api.views[-1], **given))
    assert response.status_code == 200
    incident.refresh_from_db()
    return response.json() if response.content else None


def test_from_the_message_to_its_edit(api: Slack, channel: Channel, anna: User) -> None:
    incident = burn(channel, issues=[make_issue().pk])
    serve(channel.pk)
    (head,) = api.messages
    shown = buttons(head)
    assert list(shown) == ["acknowledge", "resolve", "archive", "assign"]
    assert shown["acknowledge"]["value"] == str(incident.pk)

    assert press(api, "acknowledge", incident) == []
    serve(channel.pk)

    assert (incident.state, incident.owner) == (State.ACKNOWLEDGED, anna)
    head, update = api.messages
    assert "acknowledge" not in buttons(head)
    assert "*State*\nacknowledged" in str(head["blocks"]).replace("\\n", "\n")
    assert update["thread_ts"] == head["ts"]
    assert "Acknowledged by anna over Slack" in update["text"]


def test_it_is_done_in_the_name_of_the_account(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = burn(channel)
    press(api, "acknowledge", incident)

    entry = incident.entries.get(kind="acknowledged")
    assert (entry.user, entry.actor) == (anna, "anna over Slack")
    audit = AuditEntry.objects.get(action="acknowledged")
    assert (audit.user, audit.actor) == (anna, "anna over Slack")


def test_pressed_again_it_says_what_is_so(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = burn(channel)
    press(api, "acknowledge", incident)

    (said,) = press(api, "acknowledge", incident)

    assert f"Incident #{incident.pk} Checkout is broken is acknowledged already" in said
    assert "by anna over Slack at" in said
    assert incident.entries.filter(kind="acknowledged").count() == 1
    assert api.replies[0]["response_type"] == "ephemeral"
    assert api.replies[0]["replace_original"] is False


def test_it_is_resolved_with_a_reason(api: Slack, channel: Channel, anna: User) -> None:
    incident = burn(channel)

    assert submit(api, "resolve", incident, reason=entered("Carrier is back.")) is None

    assert incident.state == State.RESOLVED
    assert incident.entries.get(kind="resolved").text == "Carrier is back."


def test_a_reason_is_not_asked_for(api: Slack, channel: Channel, anna: User) -> None:
    incident = burn(channel)

    empty = {"type": "plain_text_input", "value": None}
    assert submit(api, "resolve", incident, reason=empty) is None

    assert incident.state == State.RESOLVED


@pytest.mark.parametrize("name", ["acknowledge", "resolve", "assign", "archive"])
def test_of_a_closed_incident_it_says_that_it_is_closed(
    api: Slack, channel: Channel, anna: User, name: str
) -> None:
    incident = burn(channel)
    steps.resolve(incident, ANNA, timezone.now())

    (said,) = press(api, name, incident)

    assert "is resolved already by anna at" in said
    assert api.views == []


def test_a_dialog_of_an_incident_closed_meanwhile_says_so(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = burn(channel)
    press(api, "resolve", incident)
    steps.resolve(incident, ANNA, timezone.now())

    answer = post(submitted(api.views[-1], reason=entered("Mine."))).json()

    assert answer["response_action"] == "update"
    assert "is resolved already" in str(answer["view"]["blocks"])


def test_open_issues_are_put_aside_for_a_time(
    api: Slack, channel: Channel, anna: User
) -> None:
    issues = [make_issue(), make_issue(status=Issue.Status.RESOLVED)]
    incident = burn(channel, issues=[issue.pk for issue in issues])

    answer = submit(api, "archive", incident, hours=chosen("24"))

    assert "Archived 1 issue until" in str(answer["view"]["blocks"])
    statuses = [Issue.objects.get(pk=issue.pk).status for issue in issues]
    assert statuses == ["archived", "resolved"]
    archived = Issue.objects.get(pk=issues[0].pk)
    assert archived.archived_until is not None
    assert 23.9 < (archived.archived_until - timezone.now()).total_seconds() / 3600 < 24
    assert "Archived 1 issue" in incident.entries.get(kind="note").text


def test_a_time_that_was_not_offered_is_refused(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = burn(channel, issues=[make_issue().pk])

    answer = submit(api, "archive", incident, hours=chosen("9999"))

    assert (answer["response_action"], set(answer["errors"])) == ("errors", {"hours"})


def test_it_is_assigned_to_somebody(api: Slack, channel: Channel, anna: User) -> None:
    incident, bert = burn(channel), mapped("bert", "U0BERT0000")

    assert submit(api, "assign", incident, person=named("U0BERT0000")) is None

    assert incident.owner == bert
    (block,) = api.views[0]["blocks"]
    assert block["element"]["initial_user"] == ANNA_THERE


def test_only_people_with_an_account_can_be_assigned(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = burn(channel)

    answer = submit(api, "assign", incident, person=named("U0NOBODY00"))

    assert set(answer["errors"]) == {"person"}
    assert incident.owner is None


def degraded(channel: Channel) -> Incident:
    """An incident of a deploy that can go back."""
    before = make_release(make_deploy().project, "0.9")
    old = make_deploy(before, started_at=timezone.now() - timedelta(hours=2))
    make_watch(old, verdict="healthy", decided_at=timezone.now())
    deploy = make_deploy(make_release(before.project, "1.1"), old.environment)
    make_rollback_target(project=before.project)
    return burn(channel, deploy=deploy)


def test_a_deploy_is_rolled_back_by_the_same_order_as_in_the_admin(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = degraded(channel)
    serve(channel.pk)
    button = buttons(api.messages[0])["rollback"]
    assert "goes back to the release before" in button["confirm"]["text"]["text"]

    (said,) = press(api, "rollback", incident)

    order = Rollback.objects.get()
    assert (order.state, order.requested_by) == ("pending", "anna over Slack"), said
    assert AuditEntry.objects.get(action="ordered").user == anna
    (again,) = press(api, "rollback", incident)
    assert "was ordered back already" in again
    assert Rollback.objects.count() == 1


def test_an_interlock_holds_a_rollback_back(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = burn(channel, deploy=make_deploy(irreversible=True))

    (said,) = press(api, "rollback", incident)

    assert said.startswith("Held back:")
    assert "/admin/releases/rollback/order/" in said
    assert Rollback.objects.get().state == "refused"


def test_nothing_is_rolled_back_once_the_harm_has_ended(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = degraded(channel)
    steps.mitigate(incident, ANNA, timezone.now())

    (said,) = press(api, "rollback", incident)

    assert "is mitigated already" in said
    assert not Rollback.objects.exists()


@pytest.mark.parametrize(
    "name", ["acknowledge", "resolve", "assign", "archive", "rollback"]
)
def test_a_viewer_may_do_nothing(api: Slack, channel: Channel, name: str) -> None:
    mapped("vera", ANNA_THERE, "viewer")
    incident = degraded(channel)

    (said,) = press(api, name, incident)

    assert "Your role does not allow this: vera lacks" in said
    assert (incident.state, api.views) == (State.OPEN, [])
    assert not Rollback.objects.exists()


def test_a_responder_may_do_all(api: Slack, channel: Channel) -> None:
    mapped("rita", ANNA_THERE, "responder")
    incident = degraded(channel)

    for name in ("assign", "resolve", "archive"):
        assert press(api, name, incident) == []
    assert press(api, "acknowledge", incident) == []
    assert press(api, "rollback", incident)[0].startswith("Ordered")


def test_an_account_that_is_switched_off_may_do_nothing(
    api: Slack, channel: Channel, anna: User
) -> None:
    anna.is_active = False
    anna.save()
    incident = burn(channel)

    (said,) = press(api, "acknowledge", incident)

    assert "is switched off" in said
    assert incident.state == State.OPEN


def test_somebody_unknown_is_told_how_to_get_an_account(
    api: Slack, channel: Channel
) -> None:
    make_user("olga", role="owner")
    incident = burn(channel)

    (said,) = press(api, "acknowledge", incident, user="U0NOBODY00")

    assert "Ask olga to add you at" in said
    query = f"team={TEAM}&amp;slack_user=U0NOBODY00"
    assert f"/admin/tenants/slackaccount/add/?{query}" in said
    assert incident.state == State.OPEN


def test_in_a_dialog_somebody_unknown_is_told_the_same(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = burn(channel)
    press(api, "resolve", incident)

    request = submitted(api.views[-1], user="U0NOBODY00", reason=entered("Mine."))
    answer = post(request).json()

    incident.refresh_from_db()
    assert incident.state == State.OPEN
    assert "Nothing was done" in str(answer["view"]["blocks"])


def test_a_user_of_another_workspace_is_somebody_else(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = burn(channel)

    (said,) = press(api, "acknowledge", incident, team="T0OTHER000")

    assert "does not know whose account you are" in said


def test_a_confirmed_address_is_enough(api: Slack, channel: Channel) -> None:
    user = make_user("anna", role="responder", email="Anna@example.com")
    api.users[ANNA_THERE] = user_info()
    incident = burn(channel)

    assert press(api, "acknowledge", incident) == []

    assert incident.owner == user
    row = SlackAccount.objects.get()
    assert (row.user, row.by_email) == (user, True)
    assert AuditEntry.objects.get(action="mapped by e-mail").actor == "rush_monitor"
    press(api, "acknowledge", incident)
    assert api.methods.count("users.info") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"is_email_confirmed": False},
        {"is_restricted": True},
        {"is_stranger": True},
        {"deleted": True},
        {"is_bot": True},
        {"team_id": "T0OTHER000"},
        {"email": "other@example.com"},
        {"email": "anna@example.com\0"},
        {"email": None},
    ],
)
def test_less_than_a_members_confirmed_address_is_not_enough(
    api: Slack, channel: Channel, changes: dict[str, Any]
) -> None:
    make_user("anna", email="anna@example.com")
    api.users[ANNA_THERE] = user_info(**changes)
    incident = burn(channel)

    assert len(press(api, "acknowledge", incident)) == 1

    assert incident.state == State.OPEN
    assert not SlackAccount.objects.exists()


def test_an_address_of_two_accounts_is_not_enough(api: Slack, channel: Channel) -> None:
    for name in ("anna", "anna2"):
        make_user(name, email="anna@example.com")
    api.users[ANNA_THERE] = user_info()

    press(api, "acknowledge", burn(channel))

    assert not SlackAccount.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "another signing secret"},
        {"signed_at": time.time() - 4000},
        {"signed_at": time.time() + 4000},
        {"X-Slack-Signature": "v0=ab"},
        {"X-Slack-Signature": "v0=ä"},
        {"X-Slack-Signature": ""},
        {"X-Slack-Request-Timestamp": "now"},
        {"X-Slack-Request-Timestamp": ""},
    ],
)
def test_what_slack_did_not_sign_lately_is_refused(
    api: Slack, channel: Channel, anna: User, changes: dict[str, Any]
) -> None:
    incident = burn(channel)

    response = post(pressed(api, "acknowledge", incident.pk), **changes)

    incident.refresh_from_db()
    assert (response.status_code, incident.state) == (401, State.OPEN)
    assert response["Content-Type"] == "application/problem+json"


def test_nothing_is_taken_without_any_signing_secret(api: Slack, anna: User) -> None:
    incident = burn(slack_channel(api.api))

    response = post(pressed(api, "acknowledge", incident.pk), secret="")

    assert response.status_code == 401


def test_an_unreadable_signing_secret_is_no_secret(
    api: Slack, channel: Channel, settings: Settings
) -> None:
    settings.SECRET_KEY = "another"

    assert post(pressed(api, "acknowledge", 1)).status_code == 401


def test_a_channel_that_is_off_takes_nothing(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = burn(channel)
    Channel.objects.update(is_active=False)

    response = post(pressed(api, "acknowledge", incident.pk))

    assert response.status_code == 401


def test_a_repeated_request_does_nothing(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = burn(channel)
    press(api, "resolve", incident)
    request = submitted(api.views[-1], reason=entered("Done."))
    moment = time.time()
    post(request, signed_at=moment)
    steps.reopen(incident, ANNA, timezone.now())

    response = post(request, signed_at=moment)

    incident.refresh_from_db()
    assert (response.status_code, incident.state) == (200, State.OPEN)


def test_an_app_reaches_only_incidents_that_its_channels_are_told_of(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = burn()

    (said,) = press(api, "acknowledge", incident)

    assert "not known here" in said
    assert incident.state == State.OPEN


@pytest.mark.parametrize(
    ("name", "value"),
    [("acknowledge", "999"), ("acknowledge", "x"), ("acknowledge", "9" * 30)]
    + [("erase", "{pk}"), ("acknowledge", "{pk}x\0")],
)
def test_what_is_not_there_is_said_to_be_unknown(
    api: Slack, channel: Channel, anna: User, name: str, value: str
) -> None:
    value = value.format(pk=burn(channel).pk)

    response = post(pressed(api, name, value))

    assert response.status_code == 200
    assert ["not known" in reply["text"] for reply in api.replies] == [True]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "x",
        {"type": "view_closed"},
        {"type": "block_actions"},
        {"type": "block_actions", "actions": [{"action_id": "open", "type": "button"}]},
        {"type": "block_actions", "actions": [None]},
        {"type": "view_submission", "view": None},
    ],
)
def test_what_asks_nothing_is_taken_silently(
    api: Slack, channel: Channel, payload: Any
) -> None:
    response = post(payload)

    assert (response.status_code, response.content) == (200, b"")


def test_it_is_a_post(api: Slack) -> None:
    response = Client().get(URL)
    assert response.status_code == 405


@pytest.mark.parametrize("failure", [Reply(500), Reply(hang_up=True), "invalid_auth"])
def test_slack_is_down_while_it_is_answered(
    api: Slack, channel: Channel, anna: User, failure: str | Reply
) -> None:
    incident = burn(channel)
    press(api, "acknowledge", incident)
    api.failures = [failure]

    assert press(api, "acknowledge", incident) == []

    assert incident.state == State.ACKNOWLEDGED


def test_a_dialog_that_slack_does_not_open_has_a_page_instead(
    api: Slack, channel: Channel, anna: User
) -> None:
    incident = burn(channel)
    api.failures = ["expired_trigger_id"]

    (said,) = press(api, "resolve", incident)

    page = f"https://rush.example.com/admin/issues/incident/{incident.pk}/"
    assert said.endswith(page)


def test_a_slow_slack_does_not_hold_the_answer(
    api: Slack, channel: Channel, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.slack_app.line.SECONDS", 0.1)
    incident = burn(channel)
    press(api, "acknowledge", incident)
    api.failures = [Reply(delay=0.4)]
    began = timezone.now()

    press(api, "acknowledge", incident)

    assert (timezone.now() - began).total_seconds() < 0.35


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/actions/T/1/x",
        "http://hooks.slack.com/actions/T/1/x",
        "https://hooks.slack.com.evil.example.com/",
        "https://hooks.slack.com@evil.example.com/",
        "http://127.0.0.1:1/",
        "https://[::1",
        "",
    ],
)
def test_replies_go_to_slack_only(
    api: Slack, channel: Channel, anna: User, url: str, caplog: Any
) -> None:
    payload = pressed(api, "acknowledge", 999)
    payload["response_url"] = url

    response = post(payload)

    assert response.status_code == 200
    assert api.receiver.requests == []
    assert "no address of Slack's" in caplog.text


@pytest.mark.parametrize(("seconds", "taken"), [(299, True), (301, False)])
def test_a_signature_is_taken_for_five_minutes(
    channel: Channel, seconds: int, taken: bool
) -> None:
    now, body = timezone.now().replace(microsecond=0), b"payload=%7B%7D"
    for sign in (-1, 1):
        timestamp = str(int(now.timestamp()) + sign * seconds)
        signature = signature_of(SIGNING_SECRET, timestamp, body)
        if taken:
            found = channels_that_signed(timestamp, signature, body, now)
            assert found == [channel]
        else:
            with pytest.raises(NotFromSlack, match="older than five minutes"):
                channels_that_signed(timestamp, signature, body, now)


def test_a_signature_is_that_of_slacks_own_example() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA"
        b"&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F"
        b"397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    assert signature_of("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body) == (
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    )


def test_what_was_acted_on_is_forgotten_once_it_is_too_old(
    api: Slack, channel: Channel, anna: User
) -> None:
    old = timezone.now() - timedelta(minutes=11)
    SlackPress.objects.create(signature="v0=old", at=old)

    press(api, "acknowledge", burn(channel))

    assert SlackPress.objects.count() == 1
    assert not SlackPress.objects.filter(signature="v0=old").exists()
