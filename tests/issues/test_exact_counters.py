"""Whatever rules, caps and limits drop: counters equal what was sent.

Each example digests events of a project of its own on the real database.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import QuerySet, Sum
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issues.digest.batch import Digest
from issues.models import (
    Event,
    Issue,
    IssueHour,
    IssueMinute,
    IssueTenant,
    IssueUser,
    Outcome,
)
from releases.models import ReleaseMinute, TenantMinute
from tenants.models import DetailRule, Plan, ProjectKey, Tenant
from tests.envelopes import envelope, event, frame, item, put
from tests.factories import make_detail_rule, make_key, make_project

pytestmark = pytest.mark.django_db(transaction=True)

NOON = timezone.now().replace(hour=12, minute=0, second=5, microsecond=0)
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "fatal": 50}
TENANTS = ("", "acme.example", "beta.example", "shop.test")
RELEASES = ("", "shop@1", "shop@2")
ENVIRONMENTS = ("production", "staging")
TEMPLATES = ("minimal", "bold")
DROPPED = ("detail_rule", "detail_cap", "rate_limit")


@dataclass(frozen=True, slots=True)
class Sent:
    """One event of an example; ``fault`` makes its issue."""

    fault: str
    level: str
    tenant: str
    release: str
    environment: str
    template: str
    user: str
    minute: int

    def put(self, key: ProjectKey) -> None:
        line = frame("pricing", self.fault, context_line=f"    {self.fault}()")
        error = {"type": "KeyError", "value": "x", "stacktrace": {"frames": [line]}}
        body = event(
            level=self.level,
            release=self.release or None,
            environment=self.environment,
            tags={"template": self.template, "tenant": self.tenant},
            user={"id": self.user},
            exception={"values": [error]},
            timestamp=None,
        )
        received = NOON + timedelta(minutes=self.minute)
        put(key, envelope(item("event", body)), received=received)

    @property
    def is_error(self) -> bool:
        return LEVELS[self.level] >= 40


sent_events = st.builds(
    Sent,
    fault=st.sampled_from(["quote", "pay", "ship"]),
    level=st.sampled_from(list(LEVELS)),
    tenant=st.sampled_from(TENANTS),
    release=st.sampled_from(RELEASES),
    environment=st.sampled_from(ENVIRONMENTS),
    template=st.sampled_from(TEMPLATES),
    user=st.sampled_from("abc"),
    minute=st.integers(0, 1),
)


def perhaps(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(["", *values])


def hours() -> st.SearchStrategy[int | None]:
    return st.sampled_from([None, 1])


detail_rules = st.fixed_dictionaries(
    {
        "environment": perhaps(*ENVIRONMENTS),
        "min_level": st.sampled_from([10, 40]),
        "tenant": perhaps("acme.example", "*.test"),
        "tag_key": perhaps("template"),
        "on_plan": st.booleans(),
        "younger_hours": hours(),
        "detail": st.sampled_from(["minimal", "standard", "full"]),
        "share": st.sampled_from([0.0, 0.5, 1.0]),
        "cap": st.sampled_from([None, 0, 1, 3]),
    }
)


def make_rules(chosen: Iterable[dict[str, Any]]) -> None:
    DetailRule.objects.all().delete()
    plan, _ = Plan.objects.get_or_create(name="Pro")
    Tenant.objects.get_or_create(key="beta.example", defaults={"plan": plan})
    for fields in chosen:
        on_plan = fields.pop("on_plan")
        make_detail_rule(plan=plan if on_plan else None, **fields)


def digest_all(batch_size: int) -> None:
    digest = Digest(batch_size)
    try:
        while digest.batch().envelopes:
            pass
    finally:
        digest.close()


def sums(rows: QuerySet[Any], counted: str, *names: str) -> Counter[Any]:
    """The sums of ``counted`` by names, without zeros."""
    found = rows.values_list(*names).annotate(total=Sum(counted)).order_by()
    return Counter({tuple(row[:-1]): row[-1] for row in found if row[-1]})


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(sent_events, min_size=1, max_size=25),
    st.lists(detail_rules, max_size=4),
    st.sampled_from([None, 0, 2, 10]),
    st.sampled_from([1, 7, 500]),
)
def test_counters_equal_what_was_sent(
    sent: list[Sent], rules: list[dict[str, Any]], limit: int | None, batch: int
) -> None:
    make_rules(rules)
    key = make_key(
        make_project(),
        rate_limit_count=limit,
        rate_limit_seconds=None if limit is None else 60,
    )
    for one in sent:
        one.put(key)
    digest_all(batch)

    check_issues(key, sent)
    check_releases(key, sent)
    check_bodies(key, sent, limit)


def check_issues(key: ProjectKey, sent: list[Sent]) -> None:
    of_project = Issue.objects.filter(project=key.project)
    ids = list(of_project.values_list("pk", flat=True))
    events = sums(of_project, "stats__events", "pk")
    assert sorted(events.values()) == sorted(Counter(s.fault for s in sent).values())
    by_minute = sums(IssueMinute.objects.filter(issue_id__in=ids), "events", "minute")
    assert by_minute == Counter((minute_of(s),) for s in sent)
    by_hour = sums(IssueHour.objects.filter(issue_id__in=ids), "events", "issue_id")
    assert by_hour == events
    tenants = IssueTenant.objects.filter(issue_id__in=ids)
    hit = {(s.fault, s.tenant) for s in sent if s.tenant}
    assert tenants.count() == len(hit)
    assert sums(tenants, "events").total() == sum(bool(s.tenant) for s in sent)
    users = IssueUser.objects.filter(issue_id__in=ids)
    assert users.count() == len({(s.fault, s.user) for s in sent})


def minute_of(sent: Sent) -> datetime:
    return NOON.replace(second=0) + timedelta(minutes=sent.minute)


def check_releases(key: ProjectKey, sent: list[Sent]) -> None:
    minutes = ReleaseMinute.objects.filter(project_id=key.project_id)
    assert sums(minutes, "events", "minute") == Counter((minute_of(s),) for s in sent)
    errors = Counter((minute_of(s),) for s in sent if s.is_error)
    assert sums(minutes, "errors", "minute") == errors
    named = minutes.filter(release_id__gt=0)
    assert sums(named, "events").total() == sum(bool(s.release) for s in sent)
    by_tenant = TenantMinute.objects.filter(project_id=key.project_id)
    hit = sum(bool(s.tenant) and s.is_error for s in sent)
    assert sums(by_tenant, "errors").total() == hit


def check_bodies(key: ProjectKey, sent: list[Sent], limit: int | None) -> None:
    """Each event has a body or an outcome; issues, and their releases, have bodies."""
    stored = Event.objects.filter(project=key.project)
    dropped = Outcome.objects.filter(key_id=key.pk, reason__in=DROPPED)
    total = sums(dropped, "quantity").total()
    assert stored.count() + total == len(sent)
    issues = stored.values("issue_id").distinct().count()
    assert issues == len({s.fault for s in sent})
    if limit is None:
        pairs = stored.exclude(release=None).values("issue_id", "release_id")
        wanted = {(s.fault, s.release) for s in sent if s.release}
        assert pairs.distinct().count() == len(wanted)
        assert not dropped.filter(reason="rate_limit").exists()
