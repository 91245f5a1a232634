"""Bodies that digest keeps and drops, on the real database; counters stay exact."""

import secrets
import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from issues.digest.batch import Digest
from issues.digest.limit_bodies import USUAL_BODY
from issues.digest.store import KnownTags
from issues.models import DetailMinute, Event, IssueStats, Outcome
from tenants.detail import keeps_body
from tenants.models import Plan, ProjectKey
from tests.envelopes import envelope, event, frame, item, put, put_event
from tests.factories import (
    make_detail_rule,
    make_plan,
    make_project,
    make_release,
    make_tenant,
)

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)
# Both minutes lie in a day that has a partition.
NOON = timezone.now().replace(hour=12, minute=0, second=5, microsecond=0)


def drain(digest: Digest) -> None:
    while digest.batch().envelopes:
        pass


def outcomes() -> dict[str, int]:
    sums = Outcome.objects.values_list("reason").annotate(Sum("quantity"))
    return dict(sums)


def levels() -> set[str]:
    """The detail of the stored events."""
    return {
        event.payload.get("_rush", {}).get("detail", {}).get("level", "none")
        for event in Event.objects.all()
    }


def raised_in(function: str) -> dict[str, Any]:
    frames = [frame("pricing", function, context_line=f"    {function}()")]
    trace = {"stacktrace": {"frames": frames}}
    return {"values": [{"type": "KeyError", "value": "x", **trace}]}


def test_a_share_keeps_the_bodies_that_the_ids_choose(
    key: ProjectKey, digest: Digest
) -> None:
    put_event(key)
    drain(digest)
    make_detail_rule(share=0.5)
    digest.context.forget()
    ids = [f"{number:032x}" for number in range(1, 41)]
    for event_id in ids:
        put_event(key, event_id=event_id)
    drain(digest)
    kept = {event_id for event_id in ids if keeps_body(event_id, 0.5)}
    stored = {event.event_id.hex for event in Event.objects.all()}
    assert stored & set(ids) == kept
    assert outcomes() == {"detail_rule": 40 - len(kept)}
    assert IssueStats.objects.get().events == 41


def put_many(key: ProjectKey, count: int, received: datetime, **fields: Any) -> None:
    for _ in range(count):
        put(key, envelope(item("event", event(**fields))), received=received)


def test_a_cap_keeps_the_first_bodies_of_each_minute(
    key: ProjectKey, digest: Digest
) -> None:
    make_detail_rule(cap=3)
    put_many(key, 5, NOON)
    put_many(key, 2, NOON + MINUTE)
    drain(digest)
    put_many(key, 4, NOON + MINUTE)
    drain(digest)
    bodies = Counter(Event.objects.values_list("received", flat=True))
    assert bodies == {NOON: 3, NOON + MINUTE: 3}
    assert outcomes() == {"detail_cap": 5}
    assert IssueStats.objects.get().events == 11


def test_a_cap_counts_each_issue_apart(key: ProjectKey, digest: Digest) -> None:
    make_detail_rule(cap=2)
    put_many(key, 3, NOON)
    put_many(key, 3, NOON, exception=raised_in("other"))
    drain(digest)
    assert Counter(Event.objects.values_list("issue_id")).most_common(2)[-1][1] == 2


def test_two_digests_at_once_keep_no_more_than_the_cap(key: ProjectKey) -> None:
    make_detail_rule(cap=7)
    put_many(key, 60, NOON)

    def work() -> None:
        digest = Digest(5)
        try:
            drain(digest)
        finally:
            digest.close()
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert IssueStats.objects.get().events == 60
    assert Event.objects.count() == 7
    assert DetailMinute.objects.get().events == 60


def test_the_first_event_of_an_issue_keeps_its_body(
    key: ProjectKey, digest: Digest
) -> None:
    make_detail_rule(share=0.0)
    for function in ("one", "one", "two"):
        put_event(key, release=None, exception=raised_in(function))
    drain(digest)
    assert Event.objects.count() == 2
    assert Event.objects.values("issue_id").distinct().count() == 2
    assert outcomes() == {"detail_rule": 1}


def test_the_first_event_of_each_release_keeps_its_body(
    key: ProjectKey, digest: Digest
) -> None:
    make_detail_rule(cap=0)
    for release in ("shop@1", "shop@1", "shop@2"):
        put_event(key, release=release)
    drain(digest)
    put_event(key, release="shop@2")
    put_event(key, release="shop@3")
    drain(digest)
    versions = Event.objects.order_by("pk").values_list("release__version", flat=True)
    assert list(versions) == ["shop@1", "shop@2", "shop@3"]
    assert outcomes() == {"detail_cap": 2}


def test_another_process_knows_which_releases_have_a_body(
    key: ProjectKey, digest: Digest
) -> None:
    make_detail_rule(share=0.0)
    put_event(key)
    drain(digest)
    put_event(key)
    other = Digest(500)
    drain(other)
    other.close()
    assert Event.objects.count() == 1


def limited(key: ProjectKey) -> None:
    key.rate_limit_count, key.rate_limit_seconds = 1, 60
    key.save()


def test_a_new_issue_keeps_a_body_past_the_limit_of_its_key(
    key: ProjectKey, digest: Digest
) -> None:
    limited(key)
    for function in ("one", "one", "two"):
        put_event(key, exception=raised_in(function))
    drain(digest)
    assert Counter(Event.objects.values_list("issue_id")).total() == 2
    assert outcomes() == {"rate_limit": 1}


def test_a_forged_flood_of_new_issues_keeps_no_large_body_past_the_limit(
    key: ProjectKey, digest: Digest
) -> None:
    limited(key)
    put_event(key)
    noise = {f"k{n}": secrets.token_urlsafe(1000) for n in range(USUAL_BODY // 500)}
    put_event(key, exception=raised_in("other"), extra=noise)
    drain(digest)
    assert Event.objects.count() == 1
    assert outcomes() == {"rate_limit": 1}


def test_an_event_past_the_limit_of_its_key_has_one_reason(
    key: ProjectKey, digest: Digest
) -> None:
    limited(key)
    make_detail_rule(share=0.0, cap=1)
    for _ in range(4):
        put_event(key)
    drain(digest)
    assert outcomes() == {"rate_limit": 3}


def test_the_first_rule_in_the_order_decides(key: ProjectKey, digest: Digest) -> None:
    make_detail_rule(position=2, detail="full")
    make_detail_rule(position=1, detail="minimal")
    make_detail_rule(position=0, detail="standard", is_active=False)
    put_event(key)
    drain(digest)
    assert levels() == {"minimal"}


def test_a_rule_of_another_project_does_not_hold(
    key: ProjectKey, digest: Digest
) -> None:
    make_detail_rule(project=make_project(), detail="minimal")
    make_detail_rule(project=key.project, detail="standard")
    put_event(key)
    drain(digest)
    assert levels() == {"standard"}


def test_a_rule_holds_for_the_tenants_of_a_plan(
    key: ProjectKey, digest: Digest
) -> None:
    make_detail_rule(plan=make_plan(), detail="minimal")
    make_tenant("free.example")
    make_tenant("paid.example", plan=make_plan("Plus"))
    make_tenant("pro.example", plan=Plan.objects.get(name="Pro"))
    for tenant in ("free.example", "paid.example", "pro.example", "new.example"):
        put_event(key, tags={"tenant": tenant})
    drain(digest)
    minimal = [e for e in Event.objects.all() if "_rush" in e.payload]
    assert [e.tenant.key for e in minimal if e.tenant] == ["pro.example"]


def test_a_rule_holds_for_releases_by_their_age(
    key: ProjectKey, digest: Digest
) -> None:
    make_detail_rule(older_hours=48, detail="minimal")
    now = timezone.now()
    make_release(key.project, "shop@1", first_seen=now - timedelta(hours=49))
    make_release(key.project, "shop@2", first_seen=now - timedelta(hours=47))
    for release in ("shop@1", "shop@2", "shop@3"):
        put_event(key, release=release)
    drain(digest)
    minimal = [e for e in Event.objects.all() if "_rush" in e.payload]
    assert [e.release.version for e in minimal if e.release] == ["shop@1"]


def queries_of(digest: Digest) -> int:
    with CaptureQueriesContext(connection) as context:
        digest.batch()
    return len(context)


def test_caps_and_samples_cost_one_query_each(key: ProjectKey, digest: Digest) -> None:
    put_event(key)
    drain(digest)
    put_many(key, 9, NOON)
    plain = queries_of(digest)
    make_detail_rule(cap=1)
    digest.context.forget()
    digest.context.refresh()
    put_many(key, 9, NOON)
    # The cap, and the outcome.
    assert queries_of(digest) == plain + 2
    digest.known.tags = KnownTags()
    put_many(key, 9, NOON)
    # Besides: the samples, and the tags that this process does not know any more; but
    # no body is left to copy.
    assert queries_of(digest) == plain + 2 + 2 - 1
