"""What broke: issues, their moving numbers, and the fingerprints that find them."""

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Now, Upper

from releases.models import Release
from tenants.levels import Level
from tenants.models import Project


class IssueQuerySet(models.QuerySet["Issue"]):
    def shown(self) -> "IssueQuerySet":
        """Issues that stand for themselves: not merged into another."""
        return self.filter(merged_into=None)

    def open(self) -> "IssueQuerySet":
        """Shown issues that wait for someone."""
        return self.shown().filter(status=Issue.Status.OPEN)

    def by_impact(self) -> "IssueQuerySet":
        """Worst first."""
        return self.order_by("-stats__exponent", "-id")


class Issue(models.Model):
    """Events with one cause, as far as grouping and merging can tell.

    A merged issue keeps its own events and counters and points to the issue that
    shows them (``merged_into``, never itself merged); unmerging clears the pointer.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        RESOLVED = "resolved"
        ARCHIVED = "archived"

    class Resolution(models.TextChoices):
        """From when on an event reopens a resolved issue."""

        NOW = "now", "now"
        IN_RELEASE = "in_release", "in a release"
        IN_NEXT_RELEASE = "in_next_release", "in the next release"

    project = models.ForeignKey(Project, models.CASCADE, related_name="issues")
    title = models.CharField(max_length=200)
    type = models.CharField(max_length=200, blank=True)
    value = models.TextField(blank=True)
    culprit = models.CharField(max_length=200, blank=True)
    platform = models.CharField(max_length=64, blank=True)
    logger = models.CharField(max_length=200, blank=True)
    level = models.SmallIntegerField(choices=Level.choices, default=Level.ERROR)
    first_seen = models.DateTimeField(db_default=Now())
    first_release = models.ForeignKey(
        Release, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    merged_into = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="merged_issues"
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="assigned_issues",
    )

    status = models.CharField(
        max_length=10, choices=Status.choices, default=Status.OPEN
    )
    status_changed = models.DateTimeField(db_default=Now())
    regressed_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(
        max_length=20, choices=Resolution.choices, blank=True, default=""
    )
    # in_release: the release with the fix; in_next_release: the newest one then.
    resolution_release = models.ForeignKey(
        Release, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # Archived until any of these is reached; all empty: for good.
    archived_until = models.DateTimeField(null=True, blank=True)
    archived_until_events = models.BigIntegerField(null=True, blank=True)
    archived_until_tenants = models.IntegerField(null=True, blank=True)

    objects = IssueQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["project", "status"], name="issue_project_status"),
            # The admin's and the API's search box.
            GinIndex(
                OpClass(Upper("title"), name="gin_trgm_ops"), name="issue_title_search"
            ),
            GinIndex(
                OpClass(Upper("culprit"), name="gin_trgm_ops"),
                name="issue_culprit_search",
            ),
            GinIndex(
                OpClass(Upper("value"), name="gin_trgm_ops"), name="issue_value_search"
            ),
            # The tick that reopens archived issues when their time is over.
            models.Index(
                fields=["archived_until"],
                name="issue_archived_until",
                condition=models.Q(status="archived"),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def short_id(self) -> str:
        """What people call it, such as CHECKOUT-42."""
        return f"{self.project.slug.upper()}-{self.pk}"


class IssueStats(models.Model):
    """The numbers that every batch moves, off the text-indexed issue row.

    ``events``, ``tenants`` and ``users`` include merged issues. ``exponent`` orders
    by impact, ``score`` (0-100) shows it, ``parts`` explains it: see impact.py.
    ``changed_at`` is when counters moved after the last scoring, else null.
    """

    issue = models.OneToOneField(
        Issue, models.CASCADE, primary_key=True, related_name="stats"
    )
    events = models.BigIntegerField(default=0)
    tenants = models.IntegerField(default=0)
    users = models.IntegerField(default=0)  # exact up to USER_CAP
    last_seen = models.DateTimeField(null=True)
    last_release_id = models.BigIntegerField(default=0)
    score = models.FloatField(default=0.0)
    exponent = models.FloatField(default=0.0)
    parts = models.JSONField(default=dict)
    scored_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(null=True)

    USER_CAP = 10_000

    class Meta:
        verbose_name_plural = "issue stats"
        # The four orders of the issue list, and what is due for scoring.
        indexes = [
            models.Index(fields=["-exponent", "-issue"], name="stats_impact"),
            models.Index(fields=["-events", "-issue"], name="stats_events"),
            models.Index(fields=["-tenants", "-issue"], name="stats_tenants"),
            models.Index(fields=["-last_seen", "-issue"], name="stats_last_seen"),
            models.Index(
                fields=["scored_at"],
                name="stats_due",
                condition=models.Q(changed_at__isnull=False) | models.Q(exponent__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.events} events, score {self.score:.0f}"


class Fingerprint(models.Model):
    """A grouping hash and the issue that its events belong to."""

    project = models.ForeignKey(Project, models.CASCADE)
    hash = models.UUIDField()
    version = models.CharField(max_length=10)
    issue = models.ForeignKey(Issue, models.CASCADE, related_name="fingerprints")
    reason = models.CharField(max_length=300)
    parts = models.JSONField(default=list)
    first_seen = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "hash", name="fingerprint_unique")
        ]

    def __str__(self) -> str:
        return self.hash.hex
