"""What errors are counted per: sums of minute counters, and the source that serves.

Sources are never mixed in one comparison. Rates and shares are 0-1, None where nothing
is known.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from releases.baseline import EXPOSURE, PREFERENCE
from releases.models import Watch

Source = Watch.Source
# A source that was there in fewer of the minutes than this share of the fullest one is
# no denominator, such as traffic that a proxy began to post an hour ago.
COVERED = 0.5


@dataclass(slots=True)
class Counts:
    """Sums of minute counters, and the minutes in which each source told something."""

    events: int = 0
    errors: int = 0
    unhandled: int = 0
    sessions: int = 0
    crashed: int = 0
    requests: float = 0.0
    traffic: float = 0.0
    session_minutes: int = 0
    request_minutes: int = 0
    traffic_minutes: int = 0

    def add(self, other: "Counts") -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def crash_free(self) -> float | None:
        """Share of the sessions that did not crash."""
        return free_of(self.crashed, self.sessions)

    def exposure(self, source: str) -> float:
        """What the errors are counted per; 0.0 without a denominator."""
        if source == Source.NONE:
            return 0.0
        return float(getattr(self, EXPOSURE[Source(source)]))

    def error_rate(self, source: str) -> float | None:
        """Errors per unit of exposure."""
        exposure = self.exposure(source)
        return self.errors / exposure if exposure > 0 else None


MINUTES = {
    Source.TRAFFIC: "traffic_minutes",
    Source.SESSIONS: "session_minutes",
    Source.REQUESTS: "request_minutes",
}
SUMS = """
    sum(events)::bigint, sum(errors)::bigint, sum(unhandled)::bigint,
    sum(sessions)::bigint, sum(sessions_crashed + sessions_unhandled)::bigint,
    sum(requests)::float8, sum(traffic)::float8,
    count(*) FILTER (WHERE sessions > 0), count(*) FILTER (WHERE requests > 0),
    count(*) FILTER (WHERE traffic > 0)
"""


def source_of(counts: Iterable[Counts]) -> str:
    """The source that serves as denominator for all of these; see COVERED."""
    covered = dict.fromkeys(PREFERENCE, 1.0)
    known = False
    for one in counts:
        minutes = {source: getattr(one, name) for source, name in MINUTES.items()}
        fullest = max(minutes.values())
        if fullest:
            known = True
            for source in PREFERENCE:
                covered[source] = min(covered[source], minutes[source] / fullest)
    best = max(covered, key=lambda source: covered[source])
    if not known or not covered[best]:
        return Source.NONE
    return next((s for s in PREFERENCE if covered[s] >= COVERED), best)


def free_of(part: float, whole: float) -> float | None:
    """The share of the whole that is not the part."""
    return max(1 - part / whole, 0.0) if whole > 0 else None
