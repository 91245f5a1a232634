"""Judges a look: pending, healthy, degraded or inconclusive, with every number."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, Sum

from releases import baseline as reading
from releases import verdict
from releases.baseline import MINUTE, PREFERENCE, Source
from releases.interval import anytime_lower, ratio_interval
from releases.look import SILENT, Look, minute_of
from releases.models import (
    Action,
    Calibration,
    Environment,
    ReleaseMinute,
    ReleaseNetwork,
    Watch,
)
from releases.verdict import Baseline, Evidence, Judgement, NewIssue
from tenants.models import Tenant

Verdict = Watch.Verdict

# A release that does not serve by then is judged without data.
NEVER_SERVED = timedelta(hours=1)
KNOWN_TENANT_AGE = timedelta(hours=24)
OUTSIDE_HISTORY = timedelta(hours=4)
OUTSIDE_MIN_EXPECTED = 5.0
MIN_NETWORKS = 3
# The part of the traffic from which one tenant is worth a rollback.
TENANT_WORTH = 0.01
# The part of the minutes that may be incomplete in a healthy verdict.
INCOMPLETE_SHARE = 0.1
DROPPED = -1  # the tenant that errors dropped by clients are counted under
MOST_DROPPED = 1_000_000  # in a minute


@dataclass(frozen=True, slots=True)
class Told:
    """What issues add to a look.

    ``drops`` are errors that clients say they dropped, or that were refused, by minute
    since ``Look.start``: those minutes are incomplete.
    """

    new_issues: Sequence[NewIssue] = ()
    drops: Mapping[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What one look came to; ``verdict`` pending leaves the watch open."""

    verdict: str
    reason: str
    action: str
    judgement: Judgement | None
    numbers: dict[str, Any]


def conclude(found: Look, told: Told, now: datetime) -> Conclusion:
    """Judge a look; final once the rule fires or the window is over."""
    if not found.served or found.baseline is None:
        return _without_numbers(found, now)
    evidence = _evidence(found, told)
    base = _with_history(found, evidence)
    judgement = verdict.judge(found.rule, base, evidence)
    if judgement.rule == "global" and found.watch.settings["outside_control"]:
        outside = _outside(found, judgement.overall.since)
        evidence = replace(evidence, outside_ratio=outside)
        judgement = verdict.judge(found.rule, base, evidence)
    numbers = _numbers(found, base, evidence, judgement, told)
    if judgement.rule:
        action, why = _action(found, judgement, numbers)
        numbers["action_reason"] = why
        return Conclusion(Verdict.DEGRADED, judgement.rule, action, judgement, numbers)
    if found.over or now > found.start + MINUTE * found.rule.window + SILENT:
        return _at_the_end(found, judgement, numbers)
    return Conclusion(Verdict.PENDING, "", "", judgement, numbers)


def _without_numbers(found: Look, now: datetime) -> Conclusion:
    """The release was not heard of yet, or there is nothing to compare it with."""
    window = MINUTE * (found.rule.window + 2)
    if not found.served:
        over = now - found.watch.deploy.started_at > max(NEVER_SERVED, window)
    else:
        over = now - found.start > window
    if not over:
        return Conclusion(Verdict.PENDING, "", "", None, {})
    reason = "no_baseline" if found.served else "no_data"
    return Conclusion(Verdict.INCONCLUSIVE, reason, "", None, {})


def _evidence(found: Look, told: Told) -> Evidence:
    minutes = list(found.minutes)
    for i, dropped in (told.drops or {}).items():
        if 0 <= i < len(minutes):
            # What clients tell is public input, and may be any number.
            errors = {**minutes[i].errors, DROPPED: min(dropped, MOST_DROPPED)}
            minutes[i] = replace(minutes[i], errors=errors)
    named = {tenant for minute in minutes for tenant in minute.errors if tenant > 0}
    for issue in told.new_issues:
        for by_tenant in issue.minutes.values():
            named.update(t for t in by_tenant if t > 0)
    known = known_tenants(named, found.watch.deploy.started_at)
    issues = [
        NewIssue(
            issue.issue_id,
            {
                minute: {t: n for t, n in cells.items() if t == 0 or t in known}
                for minute, cells in issue.minutes.items()
            },
        )
        for issue in told.new_issues
    ]
    return Evidence(
        minutes=minutes,
        new_issues=issues,
        known_tenants=known,
        share=found.watch.deploy.traffic_share or 1.0,
        concurrent=found.concurrent,
    )


def known_tenants(ids: Collection[int], started_at: datetime) -> frozenset[int]:
    """Those imported, or seen a day before the deploy: others may be forged."""
    rows = Tenant.objects.filter(pk__in=ids).filter(
        Q(source=Tenant.Source.IMPORT) | Q(first_seen__lt=started_at - KNOWN_TENANT_AGE)
    )
    return frozenset(rows.values_list("pk", flat=True))


def _with_history(found: Look, evidence: Evidence) -> Baseline:
    """The baseline with the history of the tenants that a guard may judge."""
    base = found.baseline or Baseline(0.0, 0.0)
    tenants = {
        tenant
        for issue in evidence.new_issues
        for cells in issue.minutes.values()
        for tenant in cells
        if tenant > 0
    }
    if not tenants:
        return base
    before = minute_of(found.watch.deploy.started_at)
    errors = reading.tenant_history(
        [found.baseline_release], found.watch.deploy.environment_id, before, tenants
    )
    # Where tenants' traffic is not known each is taken for an average one.
    rest = 1 - sum(base.tenant_share.values())
    others = max(base.tenants - len(base.tenant_share), 1)
    average = max(rest, 0.0) / others if base.tenant_share else 1 / max(base.tenants, 1)
    shares = {t: base.tenant_share.get(t) or average for t in tenants}
    return replace(base, tenant_errors=errors, tenant_share=shares)


def _outside(found: Look, since: int) -> dict[int, float]:
    """How much projects of the environment's name that did not deploy rose together.

    Their errors are capped per tenant, too: one noisy tenant of theirs excuses nobody.
    """
    deploy = found.watch.deploy
    start = found.start + MINUTE * since
    quiet = (
        Environment.objects.filter(name=deploy.environment.name)
        .exclude(project=deploy.project_id)
        .exclude(
            deploys__started_at__gte=found.start - timedelta(hours=1),
        )
    )
    seen, expected = 0.0, 0.0
    for environment in quiet.distinct():
        before = _errors_and_exposure(
            environment, found.start - OUTSIDE_HISTORY, found.start
        )
        now = _errors_and_exposure(environment, start, found.end)
        for source in PREFERENCE:
            if now[source] and before[source]:
                seen += now["errors"]
                expected += now[source] * before["errors"] / before[source]
                break
    if expected < OUTSIDE_MIN_EXPECTED:
        return {}
    return {since: seen / expected}


def _errors_and_exposure(
    environment: Environment, start: datetime, end: datetime
) -> dict[str, float]:
    ran = reading.releases_that_ran(environment, start, end)
    sums: dict[str, float] = {
        name: sum(had[name] for had in ran.values()) for name in PREFERENCE
    }
    span = reading.Span(list(ran), environment.pk, start, end)
    calibrated = Calibration.objects.filter(environment=environment).first()
    cap = calibrated.cap if calibrated else verdict.cap_of(0)
    over = sum(raw - capped for _, raw, capped in reading.capped_by_tenant(span, cap))
    return {**sums, "errors": sum(had["errors"] for had in ran.values()) - over}


def _numbers(
    found: Look,
    base: Baseline,
    evidence: Evidence,
    judgement: Judgement,
    told: Told,
) -> dict[str, Any]:
    """What pages, the API and the sentence show; see Watch.numbers."""
    grace = found.rule.grace
    after = evidence.minutes[grace:]
    cap = verdict.arm_cap(base.cap, evidence.share)
    errors = sum(sum(m.errors.values()) for m in after)
    capped = sum(verdict.capped_total(m.errors, cap) for m in after)
    exposure = sum(m.exposure for m in after)
    against = (base.errors, base.exposure)
    if found.concurrent:
        against = (
            sum(m.control_errors for m in after),
            max(sum(m.control_exposure for m in after), 1.0),
        )
    base_rate = (against[0] + 0.5) / against[1]
    overall = judgement.overall
    low, high, surely = _bounds(capped, exposure, against, base.dispersion)
    high_without = high
    if found.added_exposure:
        left = exposure - found.added_exposure
        _, high_without, _ = _bounds(capped, left, against, base.dispersion)
    return {
        "minutes": len(found.minutes),
        "errors": errors,
        "errors_capped": capped,
        "exposure": exposure,
        "rate": errors / exposure if exposure else None,
        # Not capped, as the rate; the ratio is that of capped counts.
        "baseline_rate": base_rate
        if found.concurrent
        else base.raw_errors / base.exposure,
        "ratio": capped / exposure / base_rate if exposure else None,
        "ratio_low": low,
        "ratio_high": high,
        "surely_above": surely,
        "log_evidence": overall.log_evidence,
        "log_needed": verdict.needed_evidence(found.rule),
        "since": overall.since,
        "tenants": overall.tenants,
        "wide": overall.wide,
        "lasting": overall.lasting,
        "held_back": overall.held_back,
        "guard_issue": judgement.issue and judgement.issue.subject,
        "guard_tenant": judgement.tenant and judgement.tenant.subject,
        "incomplete_minutes": len(told.drops or {}),
        "silent_sources": list(found.silent_sources),
        "added_sources": list(found.added_sources),
        "ratio_high_without_added": high_without,
        "concurrent": found.concurrent,
        "source": found.source,
    }


def _bounds(
    errors: float, exposure: float, against: tuple[float, float], dispersion: float
) -> tuple[float | None, float | None, float | None]:
    """The ratio's interval and what it is surely above; Nones without exposure."""
    if exposure <= 0:
        return None, None, None
    low, high = ratio_interval(errors, exposure, *against, dispersion)
    return low, high, anytime_lower(errors, exposure, *against, dispersion)


def _action(
    found: Look, judgement: Judgement, numbers: dict[str, Any]
) -> tuple[str, str]:
    """What the verdict does, and why it does less than the threshold asks for."""
    wanted: str = found.watch.settings["action"]
    if wanted != Action.ROLLBACK:
        return wanted, ""
    if found.silent_sources:
        return Action.ALERT, "silent_source"
    if judgement.tenant is not None and judgement.tenant.share < TENANT_WORTH:
        return Action.ALERT, "small_tenant"
    if _from_few_networks(found):
        numbers["few_networks"] = True
        return Action.ALERT, "few_networks"
    return wanted, ""


def _from_few_networks(found: Look) -> bool:
    """Whether all the evidence came with public keys from next to no networks."""
    deploy = found.watch.deploy
    sums = ReleaseMinute.objects.filter(
        release_id=deploy.release_id,
        environment_id=deploy.environment_id,
        minute__gte=found.start + MINUTE * found.rule.grace,
        minute__lt=found.end,
    ).aggregate(all=Sum("errors", default=0), public=Sum("errors_public", default=0))
    if sums["all"] - sums["public"] >= found.rule.min_events:
        return False
    networks = ReleaseNetwork.objects.filter(
        release_id=deploy.release_id, environment_id=deploy.environment_id
    )
    return networks.count() < MIN_NETWORKS


def _at_the_end(
    found: Look, judgement: Judgement, numbers: dict[str, Any]
) -> Conclusion:
    """The window is over and the rule did not fire."""
    # Traffic of a source that the baseline did not have makes the rate look lower than
    # it is; more processes of a service that grows leave the ratio below as well.
    high, whole = numbers["ratio_high_without_added"], numbers["ratio_high"]
    incomplete = numbers["incomplete_minutes"] + len(found.silent_sources)
    if not found.over:
        reason = "incomplete"  # digest or the traffic's source stayed behind
    elif not numbers["exposure"]:
        reason = "no_data"
    elif judgement.reason:
        reason = judgement.reason
    elif incomplete > INCOMPLETE_SHARE * max(len(found.minutes), 1):
        reason = "incomplete"
    elif found.source != Source.NONE and high is not None and high < found.rule.ratio:
        return Conclusion(Verdict.HEALTHY, "window_over", "", judgement, numbers)
    elif found.added_sources and whole is not None and whole < found.rule.ratio:
        reason = "added_sources"
    else:
        reason = "window_over"
    return Conclusion(Verdict.INCONCLUSIVE, reason, "", judgement, numbers)
