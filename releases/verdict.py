"""Is a release worse than its baseline? Pure: plain values in, plain values out.

An always-valid sequential test ("surely worse than the baseline") and an effect gate
("at least the threshold's ratio"), on counts that are capped per tenant and deflated by
the environment's usual burstiness, with two guards of the same form (one new issue; one
tenant). Every minute may be looked at. docs/verdict.md explains and measures it.

A global hit must also be *wide* or *lasting*: its effect must remain when the most-hit
tenants are left out, or when its worst minutes are. A burst that hits ten tenants for
three minutes is neither. Where half of all requests fail neither is asked for.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

# Shares of the accepted chance of a false alarm: global test, new issue, one tenant.
GLOBAL_SHARE, ISSUE_SHARE, TENANT_SHARE = 0.8, 0.1, 0.1
ALTERNATIVES = 8
LARGEST_RATIO = 30.0
SMALLEST_STEP = 1.3
START_EVERY = 5  # minutes between the starts of late regressions

ISSUES_TRACKED = 20
ISSUE_NULL_SHARE = 0.05  # of the base rate: what a new issue may have for nothing
ISSUE_SHARE_OF_BASE = 0.25
ISSUE_MIN_TENANTS, ISSUE_MIN_EVENTS = 5, 5

TENANT_RATIO = 3.0
TENANT_GRID = [1.3 * (300 / 1.3) ** (j / 9) for j in range(10)]
PERSIST_MIN, PERSIST_MAX = 3, 15

# Wide or lasting: how many tenants, or minutes, are left out, and what must remain.
MOST_HIT_TENANTS = 10
WORST_MINUTES = 4
REMAINING_RATIO = 1.25
REMAINING_CHANCE = 0.35
# From this error rate on nearly all is broken, however few tenants there are to see it.
MOST_FAIL = 0.5


@dataclass(frozen=True, slots=True)
class Rule:
    """A threshold as plain values: see ``releases.models.Threshold``."""

    ratio: float = 1.5
    tolerated_drift: float = 1.1
    floor: float = 0.0005
    confidence: float = 0.99
    min_events: int = 5
    min_tenants: int = 3
    grace: int = 2
    window: int = 60
    guard_new_issue: bool = True
    guard_tenant: bool = True
    late_starts: bool = True  # also look for regressions that begin later

    @property
    def alpha(self) -> float:
        """The accepted chance of a false alarm, 0-1."""
        return 1 - self.confidence


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was usual before the deploy.

    ``errors`` (capped per tenant and minute) and ``exposure`` over the same minutes;
    ``cap`` errors per tenant and minute; ``dispersion`` >= 1; ``tenants`` is how many
    are usually active. ``tenant_errors`` (raw) and ``tenant_exposure`` are over
    ``history_exposure`` and hold at least the tenants of the evidence.
    ``tenant_errors_capped`` are those among ``errors``.
    """

    errors: float
    exposure: float
    cap: int = 2
    dispersion: float = 1.0
    longest_episode: int = 0
    tenants: int = 0
    history_errors: float = 0.0
    history_exposure: float = 0.0
    tenant_errors: Mapping[int, float] = field(default_factory=dict)
    tenant_share: Mapping[int, float] = field(default_factory=dict)
    tenant_errors_capped: Mapping[int, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Capped errors per unit of exposure."""
        return (self.errors + 0.5) / self.exposure if self.exposure else 0.0


@dataclass(frozen=True, slots=True)
class Minute:
    """One closed minute of the release: exposure, and errors by tenant (0: unnamed).

    ``control_errors`` (capped) and ``control_exposure`` are what other releases did in
    the same minute, where that is a fair comparison.
    """

    exposure: float
    errors: Mapping[int, int] = field(default_factory=dict)
    control_errors: float = 0.0
    control_exposure: float = 0.0


@dataclass(frozen=True, slots=True)
class NewIssue:
    """An issue first seen after the deploy: errors since grace, by minute and tenant.

    Only tenants known from before the deploy are in it.
    """

    issue_id: int
    minutes: Mapping[int, Mapping[int, int]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a release since it serves, minute 0 first.

    ``known_tenants`` are those imported or seen long before the deploy; None: all.
    ``share`` is the canary's part of the traffic, ``concurrent`` says that the minutes'
    control replaces the baseline's history. ``outside_ratio`` is how much projects
    that did not deploy rose since the same minute, by minute of the start.
    """

    minutes: Sequence[Minute]
    new_issues: Sequence[NewIssue] = ()
    known_tenants: frozenset[int] | None = None
    share: float = 1.0
    concurrent: bool = False
    outside_ratio: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GlobalTest:
    """The global test's numbers; ``since`` is the start with the most evidence."""

    hit: bool = False
    log_evidence: float = 0.0
    ratio: float | None = None
    since: int = 0
    errors: float = 0.0
    exposure: float = 0.0
    tenants: int = 0
    wide: bool = False
    lasting: bool = False
    held_back: str = ""  # what alone kept it from a hit


@dataclass(frozen=True, slots=True)
class GuardHit:
    """A guard that fired, and for which issue or tenant."""

    subject: int
    log_evidence: float
    errors: float
    tenants: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one look says: ``rule`` is global, new_issue, tenant, or "" for no hit.

    ``reason`` names what held a global hit back, such as ``outside``.
    """

    rule: str
    overall: GlobalTest
    issue: GuardHit | None = None
    tenant: GuardHit | None = None
    reason: str = ""


def log_evidence(
    errors: float,
    exposure: float,
    base_errors: float,
    base_exposure: float,
    drift: float,
    dispersion: float = 1.0,
    grid: Sequence[float] | None = None,
) -> float:
    """The log e-value of "the rate is above ``drift`` × the base rate".

    A mixture over alternatives of the conditional binomial test with a Gamma prior on
    the base rate (Lindon and Malek, NeurIPS 2022); P(ever >= log 1/alpha) <= alpha.
    """
    a, b = base_errors + 0.5, base_exposure
    below = b + drift * exposure
    terms = [
        (
            errors * math.log(ratio / drift)
            - (a + errors) * math.log((b + ratio * exposure) / below)
        )
        / dispersion
        for ratio in (grid or _grid(drift))
    ]
    return _log_mean(terms)


def _grid(drift: float) -> list[float]:
    step = (LARGEST_RATIO / SMALLEST_STEP) ** (1 / (ALTERNATIVES - 1))
    return [drift * SMALLEST_STEP * step**j for j in range(ALTERNATIVES)]


def _log_mean(values: Sequence[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(v - top) for v in values) / len(values))


def _log_sum(values: Sequence[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(v - top) for v in values))


def cap_of(errors_per_minute: float) -> int:
    """The most errors that one tenant may count in a minute."""
    return max(2, math.ceil(0.2 * errors_per_minute))


def dispersion_of(blocks: Sequence[tuple[float, float]]) -> float:
    """How bursty counts are beyond chance: 1 for Poisson, larger for bursts.

    ``blocks``: capped errors and exposure of equal spans. Pearson's dispersion, shrunk
    to 1 with the weight of ten blocks, its excess enlarged by 30 %.
    """
    errors = sum(x for x, _ in blocks)
    exposure = sum(n for _, n in blocks)
    if not errors or not exposure:
        return 1.0
    rate = errors / exposure
    chi2 = sum((x - rate * n) ** 2 / (rate * n) for x, n in blocks if n)
    used = sum(1 for _, n in blocks if n)
    return 1 + 1.3 * max(0.0, (chi2 + 10) / (used - 1 + 10) - 1)


def block_minutes(errors_per_minute: float) -> int:
    """How long the blocks for ``dispersion_of`` must be, in minutes (30-120)."""
    if errors_per_minute <= 0:
        return 120
    return min(120, max(30, math.ceil(5 / errors_per_minute)))


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


def arm_cap(cap: int, share: float) -> int:
    """The cap of an arm that has ``share`` of the traffic."""
    return cap if share >= 1 else max(1, round(cap * share))


@dataclass(slots=True)
class _Sums:
    """Suffix sums of the minutes: index s holds the sum from minute s to the end."""

    capped: list[float]
    raw: list[float]
    exposure: list[float]
    control_errors: list[float]
    control_exposure: list[float]


def _sums(minutes: Sequence[Minute], cap: int) -> _Sums:
    size = len(minutes) + 1
    sums = _Sums([0.0] * size, [0.0] * size, [0.0] * size, [0.0] * size, [0.0] * size)
    for i in range(size - 2, -1, -1):
        minute = minutes[i]
        sums.capped[i] = sums.capped[i + 1] + capped_total(minute.errors, cap)
        sums.raw[i] = sums.raw[i + 1] + sum(minute.errors.values())
        sums.exposure[i] = sums.exposure[i + 1] + minute.exposure
        sums.control_errors[i] = sums.control_errors[i + 1] + minute.control_errors
        sums.control_exposure[i] = (
            sums.control_exposure[i + 1] + minute.control_exposure
        )
    return sums


def capped_total(errors: Mapping[int, int], cap: int) -> float:
    """Errors of one minute, at most ``cap`` of each tenant; unnamed ones all count."""
    return sum(
        count if tenant == 0 or count < cap else cap for tenant, count in errors.items()
    )


def global_test(rule: Rule, baseline: Baseline, evidence: Evidence) -> GlobalTest:
    """Is the whole release worse, whenever since the deploy that began?"""
    minutes = evidence.minutes
    last = len(minutes)
    if last <= rule.grace or not baseline.exposure:
        return GlobalTest()
    cap = arm_cap(baseline.cap, evidence.share)
    dispersion = 1 + (baseline.dispersion - 1) * evidence.share
    sums = _sums(minutes, cap)
    late = starts_after(rule)
    starts = [rule.grace, *late]
    grid = _grid(rule.tolerated_drift)
    parts: list[float] = []
    best: tuple[float, int] | None = None
    for i, start in enumerate(starts):
        weight = (1.0 if not late else 0.5) if i == 0 else 0.5 / len(late)
        log_weight = math.log(weight)
        if start >= last:
            parts.append(log_weight)
            continue
        base_errors, base_exposure = _base(baseline, evidence, sums, start)
        found = log_evidence(
            sums.capped[start],
            sums.exposure[start],
            base_errors,
            base_exposure,
            rule.tolerated_drift,
            dispersion,
            grid,
        )
        parts.append(log_weight + found)
        if best is None or found > best[0]:
            best = (found, start)
    if best is None:
        return GlobalTest()
    return _gated(rule, baseline, evidence, sums, cap, _log_sum(parts), best[1])


def needed_evidence(rule: Rule) -> float:
    """The log e-value from which the global test may fire."""
    return math.log(1 / (GLOBAL_SHARE * rule.alpha))


def starts_after(rule: Rule) -> list[int]:
    """The minutes, later than grace, from which the rule looks for a rise."""
    if not rule.late_starts:
        return []
    return list(range(rule.grace + START_EVERY, rule.window - 2, START_EVERY))


def without_denominator(rule: Rule) -> Rule:
    """The rule where counts are compared with a seasonal profile: far more cautious,
    because counts alone cannot tell errors from traffic.
    """
    return replace(
        rule,
        ratio=max(3.0, rule.ratio),
        tolerated_drift=2.0,
        floor=0.0,
        min_events=max(10, rule.min_events),
        late_starts=False,
    )


def _base(
    baseline: Baseline, evidence: Evidence, sums: _Sums, start: int
) -> tuple[float, float]:
    """Errors and exposure to compare with: the control since ``start``, or history."""
    if evidence.concurrent:
        return sums.control_errors[start], max(sums.control_exposure[start], 1.0)
    return baseline.errors, baseline.exposure


def _gated(
    rule: Rule,
    baseline: Baseline,
    evidence: Evidence,
    sums: _Sums,
    cap: int,
    total: float,
    since: int,
) -> GlobalTest:
    errors, exposure = sums.capped[since], sums.exposure[since]
    base_errors, base_exposure = _base(baseline, evidence, sums, since)
    base_rate = (base_errors + 0.5) / base_exposure
    ratio = errors / exposure / base_rate if exposure else 0.0
    tenants = _known_tenants_hit(evidence, rule.grace)
    sure = (
        total >= needed_evidence(rule)
        and ratio >= rule.ratio
        and errors >= rule.min_events
        and exposure > 0
        and sums.raw[since] / exposure >= rule.floor
    )
    wide = lasting = False
    held_back = ""
    if sure:
        outside = max(1.0, evidence.outside_ratio.get(since, 1.0))
        wide = _is_wide(baseline, evidence, cap, since, base_rate)
        lasting = _is_lasting(evidence, cap, since, base_rate, rule.ratio)
        if tenants is not None and tenants < rule.min_tenants:
            held_back = "few_tenants"
        elif not (wide or lasting or errors / exposure >= MOST_FAIL):
            held_back = "burst"
        elif ratio / outside < rule.ratio:
            held_back = "outside"
    return GlobalTest(
        hit=sure and not held_back,
        log_evidence=total,
        ratio=ratio,
        since=since,
        errors=errors,
        exposure=exposure,
        tenants=tenants or 0,
        wide=wide,
        lasting=lasting,
        held_back=held_back,
    )


def _known_tenants_hit(evidence: Evidence, start: int) -> int | None:
    """Distinct tenants with errors since ``start``; None where none is named at all."""
    named: set[int] = set()
    for minute in evidence.minutes[start:]:
        named.update(minute.errors)
    named.discard(0)
    if not named:
        return None
    if evidence.known_tenants is not None:
        named &= evidence.known_tenants
    return len(named)


def _is_wide(
    baseline: Baseline, evidence: Evidence, cap: int, since: int, base_rate: float
) -> bool:
    """Whether the effect remains without the tenants that are hit the most.

    Their usual share of the errors is left out of the baseline as well.
    """
    totals: dict[int, float] = {}
    exposure = 0.0
    for minute in evidence.minutes[since:]:
        exposure += minute.exposure
        for tenant, count in minute.errors.items():
            counted = count if tenant == 0 or count < cap else cap
            totals[tenant] = totals.get(tenant, 0.0) + counted
    unnamed = totals.pop(0, 0.0)
    if not totals:
        return True  # nobody is named: width cannot be asked for
    expected = base_rate * exposure
    usual = baseline.tenant_errors_capped
    scale = expected / (baseline.errors + 0.5)
    excess = sorted(
        (
            (count - usual.get(tenant, 0.0) * scale, tenant)
            for tenant, count in totals.items()
        ),
        reverse=True,
    )
    left_out = [tenant for _, tenant in excess[: _most_hit(baseline.tenants)]]
    remaining = unnamed + sum(totals.values()) - sum(totals[t] for t in left_out)
    expected -= sum(usual.get(t, 0.0) for t in left_out) * scale
    return remaining >= 2 and remaining >= REMAINING_RATIO * max(expected, 0.0)


def _most_hit(tenants: int) -> int:
    """How many tenants are left out: ten, fewer where there are not a hundred."""
    return min(MOST_HIT_TENANTS, max(1, math.ceil(tenants / 10)))


def _is_lasting(
    evidence: Evidence, cap: int, since: int, base_rate: float, ratio: float
) -> bool:
    """Whether the effect remains without the minutes in which it was worst."""
    minutes = [
        (capped_total(minute.errors, cap) - base_rate * minute.exposure, minute)
        for minute in evidence.minutes[since:]
    ]
    minutes.sort(key=lambda pair: -pair[0])
    rest = [minute for _, minute in minutes[WORST_MINUTES:]]
    exposure = sum(minute.exposure for minute in rest)
    errors = sum(capped_total(minute.errors, cap) for minute in rest)
    expected = base_rate * exposure
    return errors >= ratio * expected and _chance(errors, expected) <= REMAINING_CHANCE


def _chance(errors: float, expected: float) -> float:
    """How probable that many errors, or more, are by Poisson's law."""
    term = below = math.exp(-expected)
    if errors < 1:
        return 1.0
    for k in range(1, math.ceil(errors)):
        term *= expected / k
        below += term
    return 1 - below


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
