"""How fast incidents are dealt with, and how many deploys fail. Pure.

Seconds, by incident: *detect* from began to detected, *acknowledge* and *resolve* from
detected; *mitigate* is what the clock spent until the harm ended (the calm before a
reopening does not count); *restore*, of a deploy's incident, from began to mitigated.
Percentiles are nearest-rank: a time that some incident really took. Of few incidents no
percentile is told, but what they took.

The change failure rate is deploys degraded or rolled back ÷ deploys judged, as in
dora.dev/guides/dora-metrics.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

ENOUGH = 5  # incidents or deploys for a median or a share
ENOUGH_FOR_P90 = 10
TEN_MINUTES = 600.0
NO_PROJECT = "(none)"


@dataclass(frozen=True, slots=True)
class Course:
    """One incident, in seconds; None: not yet, or not known.

    ``week`` is the Monday of the week of its detection, ``spent`` the clock's.
    """

    week: date
    project: str
    severity: str
    source: str
    spent: float
    target: float
    running: bool
    detect: float | None = None
    acknowledge: float | None = None
    resolve: float | None = None
    restore: float | None = None

    @property
    def mitigate(self) -> float | None:
        return None if self.running else self.spent

    def within(self, seconds: float) -> bool | None:
        """Whether the harm ended within them; None while nobody can know."""
        if self.spent > seconds:
            return False
        return None if self.running else True


@dataclass(frozen=True, slots=True)
class Change:
    """One deploy; ``failed`` counts only where it was ``judged``."""

    week: date
    project: str
    judged: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took in several incidents: ``values`` in order, seconds."""

    values: tuple[float, ...] = ()

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Spread":
        return cls(tuple(sorted(value for value in values if value is not None)))

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def middle(self) -> float | None:
        """The median, however few there are."""
        return self._rank(50) if self.values else None

    @property
    def p50(self) -> float | None:
        return self._rank(50) if self.count >= ENOUGH else None

    @property
    def p90(self) -> float | None:
        return self._rank(90) if self.count >= ENOUGH_FOR_P90 else None

    def _rank(self, percent: int) -> float:
        return self.values[-(-percent * self.count // 100) - 1]


@dataclass(frozen=True, slots=True)
class Share:
    """``part`` of ``whole``; the share is None where these are few."""

    part: int = 0
    whole: int = 0

    @classmethod
    def of(cls, answers: Iterable[bool | None]) -> "Share":
        known = [answer for answer in answers if answer is not None]
        return cls(sum(known), len(known))

    @property
    def share(self) -> float | None:
        return self.part / self.whole if self.whole >= ENOUGH else None


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of a week, a project, a severity, a source, or of all.

    ``deploys`` is None, and ``failures`` empty, where deploys are of no such group.
    """

    name: str
    incidents: int
    detect: Spread
    acknowledge: Spread
    mitigate: Spread
    resolve: Spread
    restore: Spread
    in_target: Share
    in_ten_minutes: Share
    deploys: int | None
    failures: Share


@dataclass(frozen=True, slots=True)
class Figures:
    """All, and each kind of group; weeks in order, also those without anything.

    ``deploys_a_week`` is over the time that has passed.
    """

    weeks: Sequence[date]
    all: Group
    by_week: list[Group]
    by_project: list[Group]
    by_severity: list[Group]
    by_source: list[Group]
    deploys_a_week: float

    @property
    def groups(self) -> list[tuple[str, list[Group]]]:
        return [
            ("all", [self.all]),
            ("week", self.by_week),
            ("project", self.by_project),
            ("severity", self.by_severity),
            ("source", self.by_source),
        ]


def figures_of(
    courses: Sequence[Course],
    changes: Sequence[Change],
    *,
    weeks: Sequence[date],
    severities: Sequence[str],
    sources: Sequence[str],
    elapsed_weeks: float,
) -> Figures:
    """The figures of what was detected, and deployed, in these ``weeks`` (Mondays)."""

    def grouped(
        names: Iterable[str],
        of_course: Callable[[Course], str],
        of_change: Callable[[Change], str] | None = None,
    ) -> list[Group]:
        found = []
        for name in names:
            mine = [course for course in courses if of_course(course) == name]
            deploys = of_change and [c for c in changes if of_change(c) == name]
            found.append(_group(name, mine, deploys))
        return found

    projects = {course.project for course in courses}
    projects |= {change.project for change in changes}
    return Figures(
        weeks=weeks,
        all=_group("all", courses, changes),
        by_week=grouped(
            map(week_name, weeks),
            lambda course: week_name(course.week),
            lambda change: week_name(change.week),
        ),
        by_project=grouped(
            sorted(projects),
            lambda course: course.project,
            lambda change: change.project,
        ),
        by_severity=grouped(severities, lambda row: row.severity),
        by_source=grouped(sources, lambda row: row.source),
        deploys_a_week=len(changes) / elapsed_weeks if elapsed_weeks > 0 else 0.0,
    )


def _group(
    name: str, courses: Sequence[Course], changes: Sequence[Change] | None
) -> Group:
    return Group(
        name=name,
        incidents=len(courses),
        detect=Spread.of(course.detect for course in courses),
        acknowledge=Spread.of(course.acknowledge for course in courses),
        mitigate=Spread.of(course.mitigate for course in courses),
        resolve=Spread.of(course.resolve for course in courses),
        restore=Spread.of(course.restore for course in courses),
        in_target=Share.of(course.within(course.target) for course in courses),
        in_ten_minutes=Share.of(course.within(TEN_MINUTES) for course in courses),
        deploys=None if changes is None else len(changes),
        failures=Share.of(row.failed for row in changes or () if row.judged),
    )


def week_name(monday: date) -> str:
    """The ISO week, such as 2026-W47."""
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02}"
