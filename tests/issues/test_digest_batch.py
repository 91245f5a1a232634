"""Batches on the real database: exactly once, halves, dead letters, dead processes."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.db.models import Sum
from django.utils import timezone

from issues import deadletters
from issues.digest import claim, write
from issues.digest.batch import BatchResult, Digest
from issues.models import (
    DeadLetter,
    DigestRun,
    Event,
    InboxEnvelope,
    Issue,
    IssueHour,
    IssueMinute,
    IssueStats,
    IssueTag,
    IssueTenant,
    IssueUser,
    Outcome,
    SeenEvent,
)
from releases import health
from releases.models import (
    Release,
    ReleaseMinute,
    ReleaseNetwork,
    ReleaseUser,
    TenantMinute,
)
from tenants.audit import SYSTEM
from tenants.models import Project, ProjectKey, Tenant
from tests.envelopes import envelope, event, frame, item, put, put_event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key() -> ProjectKey:
    project = Project.objects.create(name="Shop", slug="shop")
    return ProjectKey.objects.create(project=project)


def drain(digest: Digest) -> BatchResult:
    total = BatchResult()
    while True:
        result = digest.batch()
        if not result.envelopes:
            return total
        total.add(result)


def test_an_event_becomes_an_issue_with_its_counters(
    key: ProjectKey, digest: Digest
) -> None:
    put_event(key)
    digest.batch()
    issue = Issue.objects.get()
    stored = Event.objects.get()
    assert (issue.title, issue.culprit) == ("KeyError: 'CHF'", "/checkout")
    assert (stored.issue_id, stored.unhandled) == (issue.pk, True)
    assert stored.payload["exception"]["values"][0]["type"] == "KeyError"
    assert (issue.stats.events, issue.stats.tenants, issue.stats.users) == (1, 1, 1)
    assert InboxEnvelope.objects.count() == DigestRun.objects.count() == 0


def test_every_counter_equals_the_rows(key: ProjectKey, digest: Digest) -> None:
    for number in range(30):
        put_event(
            key,
            tags={"tenant": f"shop-{number % 5}", "template": f"t{number % 2}"},
            user={"id": str(number % 7)},
            level="fatal" if number % 10 == 0 else "error",
        )
    drain(digest)
    rows = Event.objects.count()
    assert rows == 30
    assert IssueMinute.objects.aggregate(n=Sum("events"))["n"] == rows
    assert IssueHour.objects.aggregate(n=Sum("events"))["n"] == rows
    assert IssueTenant.objects.aggregate(n=Sum("events"))["n"] == rows
    assert ReleaseMinute.objects.aggregate(n=Sum("errors"))["n"] == rows
    assert TenantMinute.objects.aggregate(n=Sum("errors"))["n"] == rows
    stats = IssueStats.objects.get()
    assert (stats.events, stats.tenants, stats.users) == (30, 5, 7)
    assert IssueUser.objects.count() == 7
    assert IssueTag.objects.filter(key="template").count() == 2
    assert Issue.objects.get().level == 50


def test_handled_and_unhandled_events_of_an_issue_share_a_batch(
    key: ProjectKey, digest: Digest
) -> None:
    handled = event()
    handled["exception"]["values"][0]["mechanism"]["handled"] = True
    put(key, envelope(item("event", handled)))
    put_event(key)
    put_event(key, tags={"tenant": "shop-2"})
    digest.batch()
    unhandled = IssueMinute.objects.order_by("unhandled").values_list("unhandled")
    assert list(unhandled) == [(1,), (1,)]


def test_a_repeated_event_id_counts_once(key: ProjectKey, digest: Digest) -> None:
    body = envelope(item("event", event()))
    put(key, body)
    put(key, body)
    first = digest.batch()
    put(key, body)
    second = digest.batch()
    assert (first.events, second.events) == (1, 0)
    assert Event.objects.count() == SeenEvent.objects.count() == 1
    assert Outcome.objects.get(reason="duplicate").quantity == 2


def test_the_same_event_id_in_another_project_is_another_event(
    key: ProjectKey, digest: Digest
) -> None:
    other = ProjectKey.objects.create(
        project=Project.objects.create(name="Web", slug="web")
    )
    same = uuid4().hex
    put_event(key, event_id=same)
    put_event(other, event_id=same)
    assert drain(digest).events == 2


def test_an_unreadable_envelope_becomes_a_dead_letter_and_the_rest_goes_through(
    key: ProjectKey, digest: Digest
) -> None:
    put_event(key)
    put(key, b'{}\n{"type":"event","length":5}\nnope!\n')
    put_event(key)
    result = digest.batch()
    assert (result.events, result.dead) == (2, 1)
    letter = DeadLetter.objects.get()
    assert "NotAnEvent" in letter.error
    assert letter.attempts == 1


def test_a_data_error_of_the_database_is_halved_down_to_the_poison(
    key: ProjectKey, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        put_event(key, release="poison" if number == 4 else "good")
    real = write.write

    def fails(parcels, *rest):  # type: ignore[no-untyped-def]
        if any(e.event.release == "poison" for p in parcels for e in p.events):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1/0")
        return real(parcels, *rest)

    monkeypatch.setattr(write, "write", fails)
    result = drain(digest)
    assert (result.events, result.dead) == (8, 1)
    assert "DataError" in DeadLetter.objects.get().error
    assert DigestRun.objects.count() == 0


def test_an_operational_error_loses_nothing_and_makes_no_dead_letter(
    key: ProjectKey, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_event(key)

    def fails(*_: object) -> None:
        raise OperationalError("deadlock detected")

    with monkeypatch.context() as patch:
        patch.setattr(write, "write", fails)
        with pytest.raises(OperationalError):
            digest.batch()
    assert (InboxEnvelope.objects.count(), DeadLetter.objects.count()) == (1, 0)
    assert drain(digest).events == 1
    assert DigestRun.objects.count() == 0


def test_digest_again_puts_a_dead_letter_back(key: ProjectKey, digest: Digest) -> None:
    broken = put(key, envelope(item("event", event())))
    InboxEnvelope.objects.filter(pk=broken.pk).update(body=b"not zstd")
    digest.batch()
    letter = DeadLetter.objects.get()
    DeadLetter.objects.update(body=put_event(key).body)
    InboxEnvelope.objects.all().delete()
    assert deadletters.digest_again([letter.pk], SYSTEM) == 1
    assert drain(digest).events == 1
    assert DeadLetter.objects.count() == 0


def dead_run(ids: list[int], *, deaths: int = 0) -> DigestRun:
    """The note that a process leaves when it dies in a batch."""
    return DigestRun.objects.create(
        envelope_ids=ids, started=timezone.now(), worker="gone", deaths=deaths
    )


def test_what_a_dead_process_had_claimed_is_digested_in_halves(
    key: ProjectKey, digest: Digest
) -> None:
    ids = [put_event(key).pk for _ in range(4)]
    dead_run(ids)
    digest.batch()
    assert [len(run.envelope_ids) for run in claim.noted_runs()] == [2, 2]
    assert drain(digest).events == 4
    assert DigestRun.objects.count() == 0


def test_an_envelope_that_killed_alone_twice_becomes_a_dead_letter(
    key: ProjectKey, digest: Digest
) -> None:
    dead_run([put_event(key).pk], deaths=1)
    assert digest.batch().dead == 1
    assert DeadLetter.objects.get().error == "ended the digest process 2 times"
    assert DigestRun.objects.count() == 0


def test_an_envelope_that_killed_alone_once_is_tried_again(
    key: ProjectKey, digest: Digest
) -> None:
    dead_run([put_event(key).pk])
    assert drain(digest).events == 1


def test_the_note_of_a_live_run_is_left_alone(
    key: ProjectKey, digest: Digest, django_db_blocker: object
) -> None:
    ids = [put_event(key).pk for _ in range(2)]
    run = dead_run(ids)
    put_event(key)
    other = claim.Journal()
    with other._cursor().connection.transaction():
        other._cursor().execute(
            "SELECT id FROM issues_inboxenvelope WHERE id = ANY(%s) FOR UPDATE", [ids]
        )
        assert digest.batch().events == 1
        assert DigestRun.objects.filter(pk=run.pk).exists()
    other.close()


def test_two_events_of_one_fault_share_an_issue_and_other_places_do_not(
    key: ProjectKey, digest: Digest
) -> None:
    put_event(key)
    put_event(key, release="shop@2.0.0", tags={"tenant": "shop-2"})
    elsewhere = event()
    elsewhere["exception"]["values"][0]["stacktrace"]["frames"] = [
        frame("mail", "send", context_line="    return server[host]")
    ]
    put(key, envelope(item("event", elsewhere)))
    drain(digest)
    assert sorted(IssueStats.objects.values_list("events", flat=True)) == [1, 2]


def test_events_of_a_merged_issue_count_at_both_and_show_at_the_root(
    key: ProjectKey, digest: Digest
) -> None:
    put_event(key)
    digest.batch()
    child = Issue.objects.get()
    root = Issue.objects.create(project=key.project, title="root")
    IssueStats.objects.create(issue=root, events=0)
    Issue.objects.filter(pk=child.pk).update(merged_into=root)
    put_event(key)
    result = digest.batch()
    assert result.issue_ids == {root.pk}
    assert IssueStats.objects.get(issue=child).events == 2
    assert IssueStats.objects.get(issue=root).events == 1


def test_an_event_of_a_deleted_project_is_kept_as_a_dead_letter(
    key: ProjectKey, digest: Digest
) -> None:
    envelope_row = put_event(key)
    InboxEnvelope.objects.filter(pk=envelope_row.pk).update(project_id=999_999)
    assert digest.batch().dead == 1
    assert "no longer exists" in DeadLetter.objects.get().error


def test_past_the_keys_rate_limit_events_are_counted_without_bodies(
    key: ProjectKey, digest: Digest
) -> None:
    key.rate_limit_count, key.rate_limit_seconds = 3, 60
    key.save()
    for _ in range(5):
        put_event(key)
    drain(digest)
    assert Event.objects.count() == 3
    assert IssueStats.objects.get().events == 5
    assert Outcome.objects.get(reason="rate_limit").quantity == 2


def test_past_the_cap_new_tenants_count_as_unknown(
    key: ProjectKey, digest: Digest
) -> None:
    key.new_tenants_per_hour = 2
    key.save()
    for number in range(5):
        put_event(key, tags={"tenant": f"forged-{number}"})
    drain(digest)
    keys = set(Tenant.objects.values_list("key", flat=True))
    assert keys == {"forged-0", "forged-1", "(unknown)"}
    assert Event.objects.filter(tenant__key="(unknown)").count() == 3


def test_an_unsupported_kind_is_counted_by_its_category(
    key: ProjectKey, digest: Digest
) -> None:
    put(
        key,
        envelope(
            item("hologram", b"x"),
            item("log", b"{}", item_count=7),
            item("event", event()),
        ),
    )
    assert digest.batch().events == 1
    counted = set(Outcome.objects.values_list("category", "reason", "quantity"))
    assert counted == {("default", "unsupported", 1), ("log_item", "unsupported", 7)}


def test_a_client_report_counts_what_the_sdk_dropped(
    key: ProjectKey, digest: Digest
) -> None:
    dropped = {"reason": "ratelimit_backoff", "category": "error", "quantity": 12}
    put(key, envelope(item("client_report", {"discarded_events": [dropped, "x"]})))
    digest.batch()
    counted = set(Outcome.objects.values_list("category", "reason", "quantity"))
    assert counted == {
        ("error", "client:ratelimit_backoff", 12),
        ("internal", "invalid", 1),
    }


def test_sessions_count_in_their_started_minute_and_move_to_a_worse_state(
    key: ProjectKey, digest: Digest
) -> None:
    now = timezone.now()
    attrs = {"release": "web@1", "environment": "production"}
    sid = str(uuid4())
    base = {"sid": sid, "started": now.isoformat(), "attrs": attrs}
    put(key, envelope(item("session", {**base, "init": True, "status": "ok"})))
    digest.batch()
    put(key, envelope(item("session", {**base, "status": "ok", "errors": 1})))
    digest.batch()
    put(key, envelope(item("session", {**base, "status": "crashed", "errors": 1})))
    digest.batch()
    counts = ReleaseMinute.objects.get()
    assert (counts.sessions, counts.sessions_errored, counts.sessions_crashed) == (
        1,
        0,
        1,
    )


def test_session_buckets_add_up(key: ProjectKey, digest: Digest) -> None:
    started = timezone.now().isoformat()
    payload = {
        "attrs": {"release": "api@1"},
        "aggregates": [{"started": started, "exited": 12, "errored": 2, "crashed": 3}],
    }
    put(key, envelope(item("sessions", payload)))
    put(key, envelope(item("sessions", payload)))
    digest.batch()
    counts = ReleaseMinute.objects.get()
    assert (counts.sessions, counts.sessions_crashed) == (34, 6)


def test_a_transaction_weighs_one_over_its_sample_rate(
    key: ProjectKey, digest: Digest
) -> None:
    payload = {
        "type": "transaction",
        "transaction": "/checkout",
        "timestamp": timezone.now().timestamp(),
        "release": "api@1",
        "tags": {"tenant": "shop-9"},
    }
    trace = {"sample_rate": "0.25", "environment": "production"}
    put(key, envelope(item("transaction", payload), trace=trace))
    put(key, envelope(item("transaction", payload)))
    drain(digest)
    counts = ReleaseMinute.objects.get()
    assert (counts.transactions, counts.requests) == (2, 4.0)
    assert TenantMinute.objects.get().requests == 4.0


def put_from_page(key: ProjectKey, remote_addr: str, **fields: Any) -> None:
    body = envelope(item("event", event(**fields)))
    put(key, body, origin="https://shop.example", remote_addr=remote_addr)


def test_a_key_that_a_browser_sends_with_becomes_public(
    key: ProjectKey, digest: Digest
) -> None:
    other = ProjectKey.objects.create(project=key.project)
    put_from_page(key, "203.0.113.9")
    put_event(other)
    drain(digest)
    public = ProjectKey.objects.order_by("pk").values_list("is_public", flat=True)
    assert list(public) == [True, False]
    assert digest.context.public_keys == {key.pk}


def test_a_key_is_marked_public_again_when_its_batch_was_rolled_back(
    key: ProjectKey, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_from_page(key, "203.0.113.9")

    def fails(*_: object) -> None:
        raise OperationalError("deadlock detected")

    with monkeypatch.context() as patch:
        patch.setattr(health, "add_release_minutes", fails)
        with pytest.raises(OperationalError):
            digest.batch()
    assert ProjectKey.objects.get().is_public is False
    drain(digest)
    assert ProjectKey.objects.get().is_public is True
    assert ReleaseNetwork.objects.count() == 1


def test_errors_of_public_keys_are_counted_apart(
    key: ProjectKey, digest: Digest
) -> None:
    other = ProjectKey.objects.create(project=key.project)
    put_from_page(key, "203.0.113.9")
    put_from_page(key, "203.0.113.9", level="fatal")
    put_from_page(key, "203.0.113.9", level="info")
    put_event(key)  # a server may use the key of the pages
    put_event(other)
    drain(digest)
    counts = ReleaseMinute.objects.aggregate(Sum("errors"), Sum("errors_public"))
    assert counts == {"errors__sum": 4, "errors_public__sum": 3}


def test_networks_are_kept_of_errors_from_pages(
    key: ProjectKey, digest: Digest
) -> None:
    other = ProjectKey.objects.create(project=key.project)
    put_from_page(key, "203.0.113.9")
    put_from_page(key, "203.0.113.200")
    put_from_page(key, "2001:db8:1:2::3")
    put_from_page(key, "198.51.100.1", level="info")
    put_from_page(key, "198.51.100.1", release=None)
    put_from_page(key, "")
    put(other, envelope(item("event", event())), remote_addr="192.0.2.1")
    drain(digest)
    networks = ReleaseNetwork.objects.order_by("network")
    assert [row.network for row in networks] == ["2001:db8:1::/48", "203.0.113.0/24"]
    assert networks[0].release_id == Release.objects.get().pk


def test_networks_of_a_release_are_kept_up_to_the_cap(
    key: ProjectKey, digest: Digest
) -> None:
    digest.batch_size = 40
    for number in range(ReleaseNetwork.CAP + 20):
        put_from_page(key, f"203.0.{number}.9")
    drain(digest)
    assert ReleaseNetwork.objects.count() == ReleaseNetwork.CAP


def test_users_of_sessions_are_kept_by_day(key: ProjectKey, digest: Digest) -> None:
    now = timezone.now()

    def session(user: str | None, **fields: Any) -> bytes:
        attrs = {"release": "web@1", "environment": "production"}
        started = {"started": now.isoformat(), "attrs": attrs}
        return item("session", {"sid": str(uuid4()), "did": user, **started, **fields})

    put(key, envelope(session("ann", init=True, status="ok")))
    put(key, envelope(session("ben", init=True, status="crashed")))
    put(key, envelope(session("cid", init=True, status="exited", errors=2)))
    put(key, envelope(session(None, init=True, status="crashed")))
    drain(digest)
    put(key, envelope(session("ann", status="unhandled")))
    put(key, envelope(session("ben", init=True, status="ok")))
    drain(digest)
    rows = ReleaseUser.objects.values_list("crashed", "day")
    assert sorted(rows) == [(False, now.date()), (True, now.date()), (True, now.date())]


def test_segment_spans_are_requests_and_their_members_are_not(
    key: ProjectKey, digest: Digest
) -> None:
    segment = {
        "is_segment": True,
        "end_timestamp": timezone.now().timestamp(),
        "attributes": {
            "sentry.release": {"value": "web@2", "type": "string"},
            "shop": {"value": "Shop-3", "type": "string"},
        },
    }
    spans = {"version": 2, "items": [segment, {"is_segment": False}]}
    put(key, envelope(item("span", spans), trace={"sample_rate": "1"}))
    digest.batch()
    assert ReleaseMinute.objects.get().requests == 1.0
    assert Tenant.objects.get().key == "shop-3"


def test_occurred_keys_the_release_minute_and_received_the_issue_minute(
    key: ProjectKey, digest: Digest
) -> None:
    received = timezone.now().replace(second=30, microsecond=0)
    earlier = received - timedelta(minutes=10)
    body = envelope(item("event", event(timestamp=earlier.isoformat())))
    put(key, body, received=received)
    digest.batch()
    assert ReleaseMinute.objects.get().minute == earlier.replace(second=0)
    assert IssueMinute.objects.get().minute == received.replace(second=0)


def test_a_batch_costs_a_fixed_number_of_queries(
    key: ProjectKey, digest: Digest
) -> None:
    put_event(key)
    digest.batch()
    for number in range(40):
        put_event(key, tags={"tenant": "shop-1.example"}, user={"id": str(number)})
        put_from_page(key, f"203.0.{number}.9")
    with pytest.MonkeyPatch.context():
        from_django = connection.queries_log
        from_django.clear()
        connection.force_debug_cursor = True
        digest.batch()
        connection.force_debug_cursor = False
    assert len(connection.queries_log) < 30
