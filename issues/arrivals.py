"""Whether a project's programs report already: what its set-up page waits for."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from issues.event_queries import newest_events, shown_event
from issues.models import DeadLetter, Event, Issue, Outcome
from issues.queries import family_of, listed_issues
from issues.trial_event import LOGGER
from releases.models import ReleaseMinute
from tenants.models import Project, ProjectKey

RECENT = timedelta(hours=1)
# So long a page may stay open behind its test event.
TEST_DAYS = timedelta(days=1)
MOST_REASONS = 5
LIVE = Q(sessions__gt=0) | Q(transactions__gt=0)


@dataclass(frozen=True, slots=True)
class Unstored:
    """How many of a category a key sent in vain within the hour, for one reason."""

    category: str
    reason: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a project has heard of its programs.

    ``issue`` is the one with the newest event and ``event`` that event, None where
    its row has gone; test events are neither. ``test`` is the one test event that was
    asked for, once it is stored. While there is no issue, ``connected`` tells of
    sessions or requests within the hour, ``unstored`` and ``dead_letters`` of what
    came in vain.
    """

    issue: Issue | None = None
    event: Event | None = None
    test: Event | None = None
    connected: bool = False
    unstored: list[Unstored] = field(default_factory=list)
    dead_letters: int = 0

    @property
    def mark(self) -> str:
        """Changes with what there is to tell."""
        ids = [row.pk if row else 0 for row in (self.issue, self.event, self.test)]
        vain = sum(row.quantity for row in self.unstored) + self.dead_letters
        return ".".join(map(str, (*ids, int(self.connected), vain)))


def arrival_at(key: ProjectKey, test_id: UUID | None = None) -> Arrival:
    """What has arrived at the project of this key, and the test event of this id."""
    test = _test_event(key.project_id, test_id) if test_id else None
    issue = (
        listed_issues("last_seen")
        .filter(project_id=key.project_id)
        .exclude(logger=LOGGER)
        .select_related("project", "stats")
        .first()
    )
    if issue:
        family, _ = family_of(issue)
        event = shown_event(family, newest_events(family, 1))
        return Arrival(issue, event, test)
    since = timezone.now() - RECENT
    return Arrival(
        test=test,
        connected=_minutes(since, key.project_id).exists(),
        unstored=_unstored(since, key),
        dead_letters=DeadLetter.objects.filter(
            project_id=key.project_id, failed_at__gte=since
        ).count(),
    )


def _test_event(project_id: int, event_id: UUID) -> Event | None:
    since = timezone.now() - TEST_DAYS
    found = Event.objects.filter(
        event_id=event_id, project_id=project_id, received__gte=since
    )
    return found.select_related("issue").defer("body").first()


def _minutes(since: datetime, project_id: int) -> QuerySet[ReleaseMinute]:
    return ReleaseMinute.objects.filter(LIVE, project_id=project_id, minute__gte=since)


def _unstored(since: datetime, key: ProjectKey) -> list[Unstored]:
    sums = (
        Outcome.objects.filter(
            project_id=key.project_id, key_id=key.pk, minute__gte=since
        )
        .values_list("category", "reason")
        .annotate(total=Sum("quantity"))
        .order_by("-total", "category", "reason")
    )
    return [Unstored(*row) for row in sums[:MOST_REASONS]]


def silent_projects(most: int) -> list[Project]:
    """Projects whose keys nobody uses yet: no event, session or request so far."""
    own = {"project_id": OuterRef("pk")}
    silent = Project.objects.filter(
        Exists(ProjectKey.objects.filter(is_active=True, **own)),
        ~Exists(Issue.objects.filter(**own).exclude(logger=LOGGER)),
        ~Exists(ReleaseMinute.objects.filter(LIVE, **own)),
    )
    return list(silent.order_by("-pk")[:most])
