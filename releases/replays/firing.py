"""When a watch would have been decided, had it been looked at after every minute."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from releases.baseline import MINUTE
from releases.conclude import Told, conclude
from releases.look import Look
from releases.models import Watch
from releases.verdict import Evidence, global_test


@dataclass(frozen=True, slots=True)
class Firing:
    """When the threshold fires: ``minute`` of the release, 1 for its first."""

    minute: int
    rule: str
    ratio: float | None


def first_firing(look: Look, candidates: Iterable[int]) -> Firing | None:
    """The first of these minutes at whose end the watch would have been decided."""
    assert look.baseline is not None
    share = look.watch.deploy.traffic_share or 1.0
    for minute in candidates:
        minutes = look.minutes[:minute]
        evidence = Evidence(minutes, share=share, concurrent=look.concurrent)
        # Which tenants are known, and the rise outside, only ever hold back.
        if not global_test(look.rule, look.baseline, evidence).hit:
            continue
        end = look.start + MINUTE * minute
        decided = conclude(replace(look, minutes=minutes, end=end), Told(), end)
        if decided.verdict == Watch.Verdict.DEGRADED:
            return Firing(minute, decided.reason, decided.numbers["ratio"])
    return None
