"""Two guards beside the global test: one new issue, and one tenant."""

import math

from releases.verdict.likelihood import capped_total, log_evidence
from releases.verdict.values import Baseline, Evidence, GuardHit, Rule

# Their parts of the accepted chance of a false alarm.
ISSUE_SHARE, TENANT_SHARE = 0.1, 0.1
ISSUES_TRACKED = 20
ISSUE_NULL_SHARE = 0.05  # of the base rate: what a new issue may have for nothing
ISSUE_SHARE_OF_BASE = 0.25
ISSUE_MIN_TENANTS, ISSUE_MIN_EVENTS = 5, 5

TENANT_RATIO = 3.0
TENANT_GRID = [1.3 * (300 / 1.3) ** (j / 9) for j in range(10)]
PERSIST_MIN, PERSIST_MAX = 3, 15


def guard_issue(rule: Rule, baseline: Baseline, evidence: Evidence) -> GuardHit | None:
    """A new issue that several tenants meet, at a rate that matters by itself."""
    exposure = _exposure_since(evidence, rule.grace)
    if not exposure or not baseline.exposure:
        return None
    needed = math.log(ISSUES_TRACKED / (ISSUE_SHARE * rule.alpha))
    base_rate = baseline.rate
    hits = []
    for issue in evidence.new_issues:
        errors, tenants = 0.0, set[int]()
        for minute, by_tenant in issue.minutes.items():
            if minute >= rule.grace:
                errors += capped_total(by_tenant, baseline.cap)
                tenants.update(by_tenant)
        tenants.discard(0)
        if len(tenants) < ISSUE_MIN_TENANTS or errors < ISSUE_MIN_EVENTS:
            continue
        if errors / exposure < ISSUE_SHARE_OF_BASE * base_rate:
            continue
        found = log_evidence(
            errors,
            exposure,
            ISSUE_NULL_SHARE * baseline.errors,
            baseline.exposure,
            1.0,
        )
        if found >= needed:
            hits.append(GuardHit(issue.issue_id, found, errors, len(tenants)))
    return max(hits, key=lambda hit: hit.log_evidence, default=None)


def guard_tenant(rule: Rule, baseline: Baseline, evidence: Evidence) -> GuardHit | None:
    """New issues that keep hitting one tenant, against its own whole history."""
    exposure = _exposure_since(evidence, rule.grace)
    if not exposure or not baseline.history_exposure:
        return None
    base_rate = (baseline.history_errors + 0.5) / baseline.history_exposure
    persist = min(
        PERSIST_MAX, max(PERSIST_MIN, math.ceil(1.25 * baseline.longest_episode) + 1)
    )
    hits = []
    for tenant, (errors, minutes) in _by_tenant(rule, evidence).items():
        share = baseline.tenant_share.get(tenant, 0.0)
        if minutes < persist or share <= 0:
            continue
        base_errors = baseline.tenant_errors.get(tenant, 0.0) + 0.5
        base_exposure = baseline.history_exposure * share + 1 / base_rate
        own = exposure * share
        if errors / own < TENANT_RATIO * (base_errors + 0.5) / base_exposure:
            continue
        found = log_evidence(
            errors, own, base_errors, base_exposure, 1.0, grid=TENANT_GRID
        )
        if found >= math.log(1 / (TENANT_SHARE * rule.alpha * share)):
            hits.append(GuardHit(tenant, found, errors, 1, share))
    return max(hits, key=lambda hit: hit.log_evidence, default=None)


def _by_tenant(rule: Rule, evidence: Evidence) -> dict[int, tuple[int, int]]:
    """Raw errors of new issues since grace, and in how many minutes, by tenant."""
    seen: dict[int, dict[int, int]] = {}
    for issue in evidence.new_issues:
        for minute, by_tenant in issue.minutes.items():
            if minute < rule.grace:
                continue
            for tenant, count in by_tenant.items():
                if tenant:
                    cells = seen.setdefault(tenant, {})
                    cells[minute] = cells.get(minute, 0) + count
    return {tenant: (sum(c.values()), len(c)) for tenant, c in seen.items()}


def _exposure_since(evidence: Evidence, start: int) -> float:
    return sum(minute.exposure for minute in evidence.minutes[start:])
