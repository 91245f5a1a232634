"""Filtered events and requests on the real database: counted once, and nowhere else."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issues.digest.batch import Digest
from issues.models import Event, Issue, IssueStats, Outcome, SeenEvent
from releases import health
from releases.models import Environment, Release, ReleaseMinute, TenantMinute
from tenants.models import InboundFilters, KeyMinute, Project, ProjectKey, Tenant
from tests.envelopes import envelope, event, item, put, put_event

pytestmark = pytest.mark.django_db(transaction=True)

GOOGLEBOT = {"headers": {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}}


@pytest.fixture
def key() -> ProjectKey:
    project = Project.objects.create(name="Shop", slug="shop")
    return ProjectKey.objects.create(project=project)


def drain(digest: Digest) -> None:
    while digest.batch().envelopes:
        continue


def outcomes() -> dict[tuple[str, str], int]:
    """Quantities by category and reason."""
    rows = Outcome.objects.values_list("category", "reason")
    return {(c, r): n for c, r, n in rows.annotate(Sum("quantity"))}


def test_a_filtered_event_is_counted_and_leaves_nothing_else(
    key: ProjectKey, digest: Digest
) -> None:
    put_event(key, request=GOOGLEBOT)
    result = digest.batch()
    assert (result.envelopes, result.events, result.filtered) == (1, 0, 1)
    assert outcomes() == {("error", "filtered:crawlers"): 1}
    for model in (Event, Issue, Release, Environment, Tenant, ReleaseMinute):
        assert not model.objects.exists()
    row = Outcome.objects.get()
    assert (row.project_id, row.key_id) == (key.project_id, key.pk)
    assert row.minute.second == row.minute.microsecond == 0


def test_a_storm_of_robots_is_no_rise_of_errors(
    key: ProjectKey, digest: Digest
) -> None:
    put_event(key)
    for _ in range(50):
        put_event(key, request=GOOGLEBOT)
    drain(digest)
    assert ReleaseMinute.objects.aggregate(n=Sum("errors"))["n"] == 1
    assert TenantMinute.objects.aggregate(n=Sum("errors"))["n"] == 1
    assert IssueStats.objects.get().events == 1
    assert outcomes() == {("error", "filtered:crawlers"): 50}


def test_filtered_events_do_not_use_up_the_keys_limit(
    key: ProjectKey, digest: Digest
) -> None:
    key.rate_limit_count, key.rate_limit_seconds = 2, 60
    key.save()
    for _ in range(5):
        put_event(key, request=GOOGLEBOT)
    put_event(key)
    put_event(key)
    drain(digest)
    assert Event.objects.count() == 2
    assert KeyMinute.objects.aggregate(n=Sum("events"))["n"] == 2


def test_a_repeated_filtered_event_is_a_duplicate(
    key: ProjectKey, digest: Digest
) -> None:
    body = envelope(item("event", event(request=GOOGLEBOT)))
    put(key, body)
    put(key, body)
    digest.batch()
    put(key, body)
    digest.batch()
    assert outcomes() == {
        ("error", "filtered:crawlers"): 1,
        ("error", "duplicate"): 2,
    }
    assert SeenEvent.objects.count() == 1


def test_an_event_counts_once_also_when_the_filter_changes_between(
    key: ProjectKey, digest: Digest
) -> None:
    dropped = envelope(item("event", event(request=GOOGLEBOT)))
    kept = envelope(item("event", event()))
    put(key, dropped)
    put(key, kept)
    digest.batch()
    InboundFilters.objects.create(
        project=key.project, crawlers=False, message_patterns=["KeyError*"]
    )
    digest.context.forget()
    put(key, dropped)
    put(key, kept)
    digest.batch()
    assert Event.objects.count() == 1
    assert outcomes() == {
        ("error", "filtered:crawlers"): 1,
        ("error", "duplicate"): 2,
    }


def test_a_batch_that_rolled_back_counted_nothing(
    key: ProjectKey, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_event(key, request=GOOGLEBOT)

    def fails(*_: object) -> None:
        raise OperationalError("deadlock detected")

    with monkeypatch.context() as patch:
        patch.setattr(health, "add_release_minutes", fails)
        with pytest.raises(OperationalError):
            digest.batch()
    assert outcomes() == {}
    drain(digest)
    assert outcomes() == {("error", "filtered:crawlers"): 1}


def test_a_project_has_its_own_filters(key: ProjectKey, digest: Digest) -> None:
    other = ProjectKey.objects.create(
        project=Project.objects.create(name="Web", slug="web")
    )
    InboundFilters.objects.create(project=other.project, crawlers=False)
    put_event(key, request=GOOGLEBOT)
    put_event(other, request=GOOGLEBOT)
    drain(digest)
    assert Event.objects.get().project_id == other.project_id


def test_a_pattern_that_cannot_be_read_leaves_the_project_unfiltered(
    key: ProjectKey, digest: Digest, caplog: pytest.LogCaptureFixture
) -> None:
    InboundFilters.objects.create(project=key.project, message_patterns=["*"])
    put_event(key, request=GOOGLEBOT)
    drain(digest)
    assert Event.objects.count() == 1
    assert f"project {key.project_id} is not filtered" in caplog.text


def test_the_store_and_security_endpoints_are_filtered_too(
    key: ProjectKey, digest: Digest
) -> None:
    put(key, b'{"platform":"javascript","message":"gCrWeb"}', kind="store")
    for blocked in ("moz-extension", "https://x.example"):
        told = {"blocked-uri": blocked, "effective-directive": "img-src"}
        put(key, json.dumps({"csp-report": told}).encode(), kind="security")
    drain(digest)
    assert outcomes() == {("error", "filtered:browser_extensions"): 2}
    assert Issue.objects.get().title == "Blocked 'img-src' from 'x.example'"


def transaction(name: str, **fields: Any) -> bytes:
    payload = {
        "type": "transaction",
        "transaction": name,
        "timestamp": timezone.now().timestamp(),
        "release": "api@1",
        "contexts": {"trace": {"op": "http.server"}},
        **fields,
    }
    return envelope(item("transaction", payload), trace={"sample_rate": "1"})


def test_probes_and_robots_are_in_no_denominator(
    key: ProjectKey, digest: Digest
) -> None:
    put(key, transaction("GET /healthz"))
    put(key, transaction("/orders/{id}", request=GOOGLEBOT))
    put(key, transaction("/orders/{id}"))
    drain(digest)
    counts = ReleaseMinute.objects.get()
    assert (counts.transactions, counts.requests) == (1, 1.0)
    assert outcomes() == {
        ("transaction", "filtered:health_checks"): 1,
        ("transaction", "filtered:crawlers"): 1,
    }


def test_health_checks_count_as_requests_where_the_filter_is_off(
    key: ProjectKey, digest: Digest
) -> None:
    InboundFilters.objects.create(project=key.project, health_checks=False)
    put(key, transaction("GET /healthz"))
    drain(digest)
    assert ReleaseMinute.objects.get().requests == 1.0
    assert outcomes() == {}


def test_an_error_of_a_health_check_is_an_issue(
    key: ProjectKey, digest: Digest
) -> None:
    put_event(key, transaction="/healthz")
    drain(digest)
    assert Issue.objects.get().culprit == "/healthz"


def test_segment_spans_of_probes_are_counted_apart_from_their_members(
    key: ProjectKey, digest: Digest
) -> None:
    segment = {"is_segment": True, "name": "/ping", "attributes": {}}
    spans = {"version": 2, "items": [segment, {"is_segment": False}]}
    put(key, envelope(item("span", spans), trace={"sample_rate": "1"}))
    drain(digest)
    assert not ReleaseMinute.objects.exists()
    assert outcomes() == {
        ("span", "filtered:health_checks"): 1,
        ("span", "unsupported"): 1,
    }


def test_a_page_without_a_user_agent_of_its_own_has_that_of_its_request(
    key: ProjectKey, digest: Digest
) -> None:
    robot = GOOGLEBOT["headers"]["User-Agent"]
    put(key, transaction("/"), origin="https://shop.example", user_agent=robot)
    drain(digest)
    assert outcomes() == {("transaction", "filtered:crawlers"): 1}


def test_sessions_are_never_filtered(key: ProjectKey, digest: Digest) -> None:
    InboundFilters.objects.create(
        project=key.project,
        release_patterns=["web@*"],
        address_patterns=["203.0.113.0/24"],
    )
    told = {
        "sid": str(uuid4()),
        "init": True,
        "status": "ok",
        "started": timezone.now().isoformat(),
        "attrs": {"release": "web@1", "environment": "production", **GOOGLEBOT},
    }
    put(key, envelope(item("session", told), item("event", event(release="web@1"))))
    drain(digest)
    counts = ReleaseMinute.objects.get()
    assert (counts.sessions, counts.errors) == (1, 0)
    assert outcomes() == {("error", "filtered:addresses"): 1}


@dataclass
class Sent:
    """What was sent and what must become of it, whatever the batches are."""

    seen: set[str] = field(default_factory=set)
    expected: Counter[str] = field(default_factory=Counter)

    def add(self, event_id: str, filtered_by: str) -> None:
        again = event_id in self.seen
        self.seen.add(event_id)
        outcome = f"filtered:{filtered_by}" if filtered_by else "kept"
        self.expected["duplicate" if again else outcome] += 1


KINDS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "crawler": ("crawlers", {"request": GOOGLEBOT}),
    "own": ("messages", {"message": "ResizeObserver loop limit exceeded"}),
    "release": ("releases", {"release": "shop@0.3"}),
    "local": ("localhost", {"request": {"url": "http://localhost/"}}),
    "plain": ("", {}),
}


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    on=st.sets(st.sampled_from(["crawlers", "messages", "releases", "localhost"])),
    sent=st.lists(
        st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 9)), max_size=25
    ),
    batch_size=st.integers(1, 7),
)
def test_every_event_counts_exactly_once_under_every_choice_of_filters(
    digest: Digest, on: set[str], sent: list[tuple[str, int]], batch_size: int
) -> None:
    project = Project.objects.create(name="p", slug=uuid4().hex)
    key = ProjectKey.objects.create(project=project)
    names = ("crawlers", "messages", "releases", "localhost")
    InboundFilters.objects.create(
        project=project,
        message_patterns=["*ResizeObserver*"],
        release_patterns=["shop@0.*"],
        **{name: name in on for name in names},
    )
    digest.context.forget()
    digest.batch_size = batch_size
    ids = [uuid4().hex for _ in range(10)]
    told = Sent()
    for kind, number in sent:
        name, fields = KINDS[kind]
        put(key, envelope(item("event", event(event_id=ids[number], **fields))))
        told.add(ids[number], name if name in on else "")
    drain(digest)
    mine = Outcome.objects.filter(project_id=project.pk)
    found = Counter(dict(mine.values_list("reason").annotate(Sum("quantity"))))
    found["kept"] = Event.objects.filter(project=project).count()
    minutes = ReleaseMinute.objects.filter(project_id=project.pk)
    errors = minutes.aggregate(n=Sum("errors"))["n"] or 0
    assert +found == told.expected
    assert errors == told.expected["kept"]
    assert sum(told.expected.values()) == len(sent)
