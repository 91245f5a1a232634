"""Gathers what rules ask of issues: only what is asked is read."""

from collections import defaultdict
from collections.abc import Sequence

from django.db import connection

from issues.alerts.conditions import Asked, Facts
from issues.models import Issue, IssueTag, IssueTenant
from issues.queries import families_of
from tenants.models import Tenant

# The newest event of each issue tells where it happens.
TRANSACTIONS = """
SELECT wanted.id, newest.transaction FROM unnest(%s::bigint[]) AS wanted (id)
CROSS JOIN LATERAL (SELECT transaction FROM issues_event
    WHERE issue_id = wanted.id ORDER BY id DESC LIMIT 1) AS newest
"""


def facts_of(issues: Sequence[Issue], asked: Asked) -> dict[int, Facts]:
    """By issue id; what is merged into an issue counts for it."""
    facts = {
        issue.pk: Facts(project_id=issue.project_id, level=issue.level)
        for issue in issues
    }
    keys = {
        key
        for key, is_asked in (
            ("environment", asked.environment),
            ("release", asked.release),
            (asked.tag_key, asked.tag_key),
            ("url", asked.path),
        )
        if is_asked
    }
    hit = bool(asked.tenant) or asked.plan_id is not None
    if not facts or not (keys or hit):
        return facts
    families = families_of(list(facts))
    root_of = families.root_of()
    if keys:
        _add_tags(facts, root_of, keys)
    if asked.path:
        _add_paths(facts, root_of, {issue.pk: issue.culprit for issue in issues})
    if hit:
        _add_tenants(facts, root_of)
    return facts


def _add_tags(facts: dict[int, Facts], root_of: dict[int, int], keys: set[str]) -> None:
    found: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    rows = IssueTag.objects.filter(issue_id__in=list(root_of), key__in=keys)
    for issue_id, key, value in rows.values_list("issue_id", "key", "value"):
        found[root_of[issue_id]][key].add(value)
    for root, tags in found.items():
        facts[root].tags = tags
        facts[root].environments = tags.get("environment", ())
        facts[root].releases = tags.get("release", ())


def _add_paths(
    facts: dict[int, Facts], root_of: dict[int, int], culprits: dict[int, str]
) -> None:
    paths = {root: {culprit} for root, culprit in culprits.items()}
    with connection.cursor() as cursor:
        cursor.execute(TRANSACTIONS, [list(root_of)])
        for issue_id, transaction in cursor.fetchall():
            paths[root_of[issue_id]].add(transaction)
    for root, told in paths.items():
        facts[root].paths = told | set(facts[root].tags.get("url", ()))


def _add_tenants(facts: dict[int, Facts], root_of: dict[int, int]) -> None:
    hits: dict[int, set[int]] = defaultdict(set)
    rows = IssueTenant.objects.filter(issue_id__in=list(root_of))
    for issue_id, tenant_id in rows.values_list("issue_id", "tenant_id"):
        hits[root_of[issue_id]].add(tenant_id)
    ids = {tenant_id for found in hits.values() for tenant_id in found}
    known = {
        pk: (key, plan_id)
        for pk, key, plan_id in Tenant.objects.filter(pk__in=ids).values_list(
            "pk", "key", "plan_id"
        )
    }
    for root, found in hits.items():
        tenants = [known[pk] for pk in found if pk in known]
        facts[root].tenants = {key for key, _ in tenants}
        facts[root].plans = {plan for _, plan in tenants}
