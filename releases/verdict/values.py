"""What a judgement is made from, and what it says: plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace


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

    ``errors`` (capped per tenant and minute), ``raw_errors`` (not capped) and
    ``exposure`` over the same minutes;
    ``cap`` errors per tenant and minute; ``dispersion`` >= 1; ``tenants`` is how many
    are usually active. ``tenant_errors`` (raw) and ``tenant_exposure`` are over
    ``history_exposure`` and hold at least the tenants of the evidence.
    ``tenant_errors_capped`` are those among ``errors``.
    """

    errors: float
    exposure: float
    raw_errors: float = 0.0
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
