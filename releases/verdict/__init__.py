"""Is a release worse than its baseline? Pure: plain values in, plain values out.

An always-valid sequential test ("surely worse than the baseline") and an effect gate
("at least the threshold's ratio"), on counts that are capped per tenant and deflated by
the environment's usual burstiness, with two guards of the same form (one new issue; one
tenant). Every minute may be looked at. docs/verdict.md explains and measures it.

A global hit must also be *wide* or *lasting*: its effect must remain when the most-hit
tenants are left out, or when its worst minutes are. A burst that hits ten tenants for
three minutes is neither. Where half of all requests fail neither is asked for.
"""

from releases.verdict.guards import ISSUES_TRACKED, guard_issue, guard_tenant
from releases.verdict.likelihood import (
    arm_cap,
    block_minutes,
    cap_of,
    capped_total,
    dispersion_of,
    log_evidence,
)
from releases.verdict.overall import global_test, needed_evidence, starts_after
from releases.verdict.values import (
    Baseline,
    Evidence,
    GlobalTest,
    GuardHit,
    Judgement,
    Minute,
    NewIssue,
    Rule,
    without_denominator,
)

__all__ = [
    "Baseline",
    "Evidence",
    "GlobalTest",
    "GuardHit",
    "ISSUES_TRACKED",
    "Judgement",
    "Minute",
    "NewIssue",
    "Rule",
    "arm_cap",
    "block_minutes",
    "cap_of",
    "capped_total",
    "dispersion_of",
    "global_test",
    "guard_issue",
    "guard_tenant",
    "judge",
    "log_evidence",
    "needed_evidence",
    "starts_after",
    "without_denominator",
]


def judge(rule: Rule, baseline: Baseline, evidence: Evidence) -> Judgement:
    """Judge a release by its closed minutes; any number of looks is allowed."""
    overall = global_test(rule, baseline, evidence)
    if overall.hit:
        return Judgement("global", overall)
    issue = guard_issue(rule, baseline, evidence) if rule.guard_new_issue else None
    if issue:
        return Judgement("new_issue", overall, issue=issue)
    tenant = guard_tenant(rule, baseline, evidence) if rule.guard_tenant else None
    if tenant:
        return Judgement("tenant", overall, tenant=tenant)
    return Judgement("", overall, reason=overall.held_back)
