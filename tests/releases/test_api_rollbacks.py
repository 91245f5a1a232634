from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from releases.models import Deploy, Rollback, RollbackTarget
from releases.rollbacks.orders import Step, note
from tenants.models import AuditEntry
from tenants.secrets import decrypt
from tests.factories import make_project, role_client, token_client
from tests.receiver import Receiver, Reply, receiving
from tests.releases.rolling import NOON, SECRET, degraded, make_target

pytestmark = pytest.mark.django_db

TARGETS = "/api/v1/rollback-targets/"
ROLLBACKS = "/api/v1/rollbacks/"
State = Rollback.State

WEBHOOK = {
    "name": "deployer",
    "kind": "webhook",
    "url": "https://cd.example.com/hook",
    "secret": SECRET,
}


@pytest.fixture
def client() -> APIClient:
    return token_client("rollback:write")


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with receiving() as running:
        yield running


def recent() -> Deploy:
    """A bad deploy of some minutes ago."""
    return degraded(timezone.now()).deploy


# Targets


def test_a_target_is_made(client: APIClient) -> None:
    make_project(slug="shop")

    response = client.post(
        TARGETS, {**WEBHOOK, "project": "shop", "environment": "production"}
    )

    assert response.status_code == 201, response.json()
    row = RollbackTarget.objects.get()
    assert response.json() == {
        "id": row.pk,
        "name": "deployer",
        "project": "shop",
        "environment": "production",
        "kind": "webhook",
        "url": "https://cd.example.com/hook",
        "has_secret": True,
        "options": {},
        "honours_idempotency_key": False,
        "is_active": True,
        "dry_run": False,
        "cool_down_minutes": 30,
        "max_per_day": 3,
    }
    assert decrypt(row.secret) == SECRET


def test_the_secret_is_nowhere_to_be_read(client: APIClient) -> None:
    made = client.post(TARGETS, WEBHOOK).json()
    client.patch(f"{TARGETS}{made['id']}/", {"secret": "another key of some length"})

    shown = client.get(f"{TARGETS}{made['id']}/").content.decode()
    listed = client.get(TARGETS).content.decode()
    audited = str(list(AuditEntry.objects.values()))

    stored = RollbackTarget.objects.get().secret
    for secret in (SECRET, "another key of some length", stored):
        assert secret not in shown + listed + audited
    assert "(secret" in audited


def test_that_the_secret_changed_is_audited(client: APIClient) -> None:
    target = make_target()

    client.patch(f"{TARGETS}{target.pk}/", {"secret": "another key of some length"})

    before, after = AuditEntry.objects.get().changes["secret"]
    assert before != after


def test_other_changes_keep_the_secret(client: APIClient) -> None:
    target = make_target()

    response = client.patch(f"{TARGETS}{target.pk}/", {"dry_run": True})

    assert response.status_code == 200
    target.refresh_from_db()
    assert (target.dry_run, decrypt(target.secret)) == (True, SECRET)


def test_the_secret_does_not_follow_the_url_to_another_host(client: APIClient) -> None:
    target = make_target()
    url = f"{TARGETS}{target.pk}/"

    moved = client.patch(url, {"url": "https://evil.example.com/hook"})
    kept = client.patch(url, {"url": "https://cd.example.com/other"})
    entered = client.patch(
        url, {"url": "https://other.example.com/hook", "secret": SECRET}
    )

    assert moved.status_code == 400
    assert "another host" in str(moved.json()["errors"]["secret"])
    assert (kept.status_code, entered.status_code) == (200, 200)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"secret": "short"}, "secret"),
        ({"url": "cd.example.com"}, "url"),
        ({"url": "ftp://cd.example.com/x"}, "url"),
        ({"kind": "jenkins"}, "kind"),
        ({"kind": "github"}, "options"),
        ({"options": {"ref": "main"}}, "options"),
        ({"options": [1]}, "options"),
        ({"max_per_day": 0}, "max_per_day"),
        ({"project": "nope"}, "project"),
    ],
)
def test_what_cannot_work_is_refused(
    client: APIClient, change: dict[str, Any], field: str
) -> None:
    response = client.post(TARGETS, {**WEBHOOK, **change}, format="json")

    assert response.status_code == 400
    assert field in response.json()["errors"]


def test_one_target_for_a_project_and_environment(client: APIClient) -> None:
    make_target(name="first", environment="production")

    response = client.post(TARGETS, {**WEBHOOK, "environment": "production"})

    assert response.status_code == 400
    assert "have a rollback target already" in str(response.json())


def test_a_target_that_is_deleted_leaves_its_rollbacks(client: APIClient) -> None:
    target = make_target()
    row = rolled_back(degraded().deploy, target=target)

    assert client.delete(f"{TARGETS}{target.pk}/").status_code == 204
    row.refresh_from_db()
    assert row.target is None


def test_a_target_is_tested(client: APIClient, receiver: Receiver) -> None:
    receiver.reply = Reply(200, b'{"hello": 1}')
    target = make_target(url=f"{receiver.url}/hook")

    response = client.post(f"{TARGETS}{target.pk}/test/")

    assert response.json() == {
        "ok": True,
        "told": 'HTTP 200: {"hello": 1}',
        "status": 200,
        "response": '{"hello": 1}',
    }
    (request,) = receiver.requests
    assert (request.json["event"], request.json["test"]) == ("test", True)
    assert AuditEntry.objects.get().action == "tested"
    assert not Rollback.objects.exists()


def test_a_test_names_the_newest_release_of_its_place(
    client: APIClient, receiver: Receiver
) -> None:
    degraded()
    target = make_target(url=receiver.url, environment="production")

    client.post(f"{TARGETS}{target.pk}/test/")

    assert receiver.requests[0].json["to_release"]["version"] == "shop@1.1"


def test_a_test_of_an_address_that_must_not_be_called_says_so(
    client: APIClient,
) -> None:
    target = make_target(url="http://169.254.169.254/latest/")

    body = client.post(f"{TARGETS}{target.pk}/test/").json()

    assert (body["ok"], body["status"]) == (False, None)
    assert "metadata service" in body["told"]


def test_a_secret_that_cannot_be_read_is_told(client: APIClient) -> None:
    target = make_target()
    RollbackTarget.objects.update(secret="gAAAAABnonsense")

    tested = client.post(f"{TARGETS}{target.pk}/test/").json()
    changed = client.patch(f"{TARGETS}{target.pk}/", {"dry_run": True})

    assert "SECRET_KEY" in tested["told"]
    assert "SECRET_KEY" in str(changed.json()["errors"]["secret"])


def test_targets_are_filtered(client: APIClient) -> None:
    make_target(name="a", environment="production")
    make_target(name="b", environment="staging", is_active=False)

    def names(**query: str) -> list[str]:
        rows = client.get(TARGETS, query).json()["results"]
        return [row["name"] for row in rows]

    assert names(environment="production") == ["a"]
    assert names(is_active="false") == ["b"]


# Rollbacks


def rolled_back(deploy: Deploy, state: str = State.CALLED, **fields: Any) -> Rollback:
    row = Rollback.objects.create(
        deploy=deploy, state=state, idempotency_key=uuid4(), **fields
    )
    note(row, Step.ORDERED, "Ordered.", NOON)
    return row


def test_a_rollback_is_shown_with_its_log(client: APIClient) -> None:
    watch = degraded()
    row = rolled_back(
        watch.deploy,
        to_release=watch.baseline,
        explanation="cd was called.",
        response="{}",
        response_status=200,
    )

    body = client.get(f"{ROLLBACKS}{row.pk}/").json()

    assert body["log"] == [
        {"at": "2026-11-25T12:00:00Z", "what": "ordered", "detail": "Ordered."}
    ]
    assert (body["project"], body["environment"]) == ("shop", "production")
    assert (body["release"], body["to_release"]) == ("shop@1.1", "shop@1.0")
    assert (body["state"], body["response_status"]) == ("called", 200)
    assert body["deploy"] == watch.pk


def test_rollbacks_are_filtered(client: APIClient) -> None:
    deploy = degraded().deploy
    called = rolled_back(deploy)
    refused = rolled_back(deploy, State.REFUSED)

    def ids(**query: Any) -> list[int]:
        return [row["id"] for row in client.get(ROLLBACKS, query).json()["results"]]

    assert ids() == [refused.pk, called.pk]
    assert ids(state="called") == [called.pk]
    assert ids(state=["called", "refused"]) == [refused.pk, called.pk]
    assert ids(project="shop", environment="production", deploy=deploy.pk) != []
    assert ids(environment="staging") == []
    assert ids(after="2999-01-01T00:00:00Z") == []


def test_a_list_takes_the_same_queries_however_long(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    deploy = degraded().deploy
    for _ in range(5):
        rolled_back(deploy, State.REFUSED)

    with django_assert_num_queries(3):
        client.get(ROLLBACKS)


def test_rollbacks_are_not_written(client: APIClient) -> None:
    row = rolled_back(degraded().deploy)

    assert client.post(ROLLBACKS, {}).status_code == 405
    assert client.delete(f"{ROLLBACKS}{row.pk}/").status_code == 405


# Roll back now


def order_url(deploy: Deploy) -> str:
    return f"/api/v1/deploys/{deploy.pk}/rollback/"


def test_the_plan_is_shown_first(client: APIClient) -> None:
    deploy = recent()
    make_target()
    rolled_back(deploy, State.UNKNOWN)

    body = client.get(order_url(deploy)).json()

    assert (body["to_release"], body["target"], body["dry_run"]) == (
        "shop@1.0",
        "cd",
        False,
    )
    assert [lock["reason"] for lock in body["interlocks"]] == ["cool_down"]
    assert body["interlocks"][0]["overridable"]


def test_a_rollback_is_ordered(client: APIClient) -> None:
    deploy = recent()
    make_target()

    response = client.post(order_url(deploy), {})

    assert response.status_code == 201
    body = response.json()
    assert (body["state"], body["requested_by"]) == ("pending", "token ci")
    assert body["log"][0]["what"] == "ordered"
    assert AuditEntry.objects.get().action == "ordered"


def test_a_rollback_that_is_held_back_is_409_and_recorded(client: APIClient) -> None:
    deploy = recent()

    response = client.post(order_url(deploy), {})

    assert response.status_code == 409
    assert "No rollback target is set up" in response.json()["detail"]
    assert Rollback.objects.get().state == State.REFUSED


def test_the_cool_down_may_be_passed_over(client: APIClient) -> None:
    deploy = recent()
    make_target()
    rolled_back(deploy, State.UNKNOWN)

    held = client.post(order_url(deploy), {})
    passed = client.post(order_url(deploy), {"override": ["cool_down"]}, format="json")

    assert (held.status_code, passed.status_code) == (409, 201)


def test_no_other_interlock_may_be_passed_over(client: APIClient) -> None:
    deploy = recent()

    response = client.post(
        order_url(deploy), {"override": ["no_target"]}, format="json"
    )

    assert response.status_code == 400
    assert not Rollback.objects.exists()


def test_a_second_order_is_refused(client: APIClient) -> None:
    deploy = recent()
    make_target()
    client.post(order_url(deploy), {})

    response = client.post(order_url(deploy), {})

    assert response.status_code == 400
    assert "ordered back already" in response.json()["detail"]


def test_a_deploy_that_is_not_there_is_404(client: APIClient) -> None:
    assert client.get("/api/v1/deploys/99999/rollback/").status_code == 404
    assert client.post("/api/v1/deploys/99999/rollback/").status_code == 404


# Who may


@pytest.mark.parametrize(
    ("scope", "read", "write"),
    [
        ("rollback:read", 200, 403),
        ("rollback:write", 200, 201),
        ("release:write", 403, 403),
    ],
)
def test_a_token_needs_the_scope(scope: str, read: int, write: int) -> None:
    client = token_client(scope)
    deploy = recent()
    make_target()

    assert client.get(ROLLBACKS).status_code == read
    assert client.get(order_url(deploy)).status_code == read
    assert client.post(order_url(deploy), {}).status_code == write
    assert client.post(TARGETS, {**WEBHOOK, "environment": "x"}).status_code == write


@pytest.mark.parametrize(
    ("role", "ordering", "setting_up"),
    [
        ("viewer", 403, 403),
        ("responder", 201, 403),
        ("maintainer", 201, 201),
        ("owner", 201, 201),
    ],
)
def test_a_person_needs_the_role(role: str, ordering: int, setting_up: int) -> None:
    client = role_client(role)
    deploy = recent()
    make_target()

    assert client.get(ROLLBACKS).status_code == 200
    assert client.post(order_url(deploy), {}).status_code == ordering
    made = client.post(TARGETS, {**WEBHOOK, "environment": "x"})
    assert made.status_code == setting_up
