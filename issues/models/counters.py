"""Counters of an issue. Ids of a merged issue stay its own; readers add them up.

Id 0 means "none named" for release, environment and tenant.
"""

from datetime import timedelta

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from tenants.levels import Level


class IssueMinute(models.Model):
    """issue × environment × release × tenant by minute of receipt, for as long as KEPT.

    ``level`` is the worst of the minute, ``unhandled`` the events that escaped.
    """

    pk = models.CompositePrimaryKey(
        "issue_id", "minute", "environment_id", "release_id", "tenant_id"
    )
    # A preview of alert rules replays seven days, with up to a day before them.
    KEPT = timedelta(days=8)

    issue_id = models.BigIntegerField()
    minute = models.DateTimeField()
    environment_id = models.BigIntegerField()
    release_id = models.BigIntegerField()
    tenant_id = models.BigIntegerField()
    events = models.IntegerField()
    unhandled = models.IntegerField()
    level = models.SmallIntegerField(choices=Level.choices)
    path_weight = models.FloatField()  # the heaviest path rule that matched

    class Meta:
        indexes = [BrinIndex(fields=["minute"], name="issueminute_retention")]

    def __str__(self) -> str:
        return f"issue {self.issue_id} at {self.minute:%Y-%m-%d %H:%M}"


class IssueHour(models.Model):
    """Events of an issue by hour of receipt, kept 13 months."""

    pk = models.CompositePrimaryKey("issue_id", "hour")
    issue_id = models.BigIntegerField()
    hour = models.DateTimeField()
    events = models.IntegerField()

    class Meta:
        indexes = [BrinIndex(fields=["hour"], name="issuehour_retention")]

    def __str__(self) -> str:
        return f"issue {self.issue_id} at {self.hour:%Y-%m-%d %H}h"


class ScoreHour(models.Model):
    """The highest score of an issue in an hour, kept 8 days: see scoring.py.

    ``at`` is when it was reached. Hours in which the score was 0 have no row.
    """

    pk = models.CompositePrimaryKey("issue_id", "hour")
    issue_id = models.BigIntegerField()
    hour = models.DateTimeField()
    score = models.FloatField()
    at = models.DateTimeField()

    class Meta:
        indexes = [BrinIndex(fields=["hour"], name="scorehour_retention")]

    def __str__(self) -> str:
        return f"issue {self.issue_id} at {self.hour:%Y-%m-%d %H}h"


class IssueTenant(models.Model):
    """A tenant that an issue hit."""

    pk = models.CompositePrimaryKey("issue_id", "tenant_id")
    issue_id = models.BigIntegerField()
    tenant_id = models.BigIntegerField()
    events = models.BigIntegerField()
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:
        # "What hurts this tenant": its issues.
        indexes = [models.Index(fields=["tenant_id"], name="issuetenant_tenant")]

    def __str__(self) -> str:
        return f"issue {self.issue_id} hit tenant {self.tenant_id}"


class IssueUser(models.Model):
    """A distinct user that an issue hit, up to IssueStats.USER_CAP.

    ``last_seen`` moves at most every ten minutes.
    """

    pk = models.CompositePrimaryKey("issue_id", "user")
    issue_id = models.BigIntegerField()
    user = models.CharField(max_length=200)
    last_seen = models.DateTimeField()

    class Meta:
        # "What hit this user": the search term user:id:42.
        indexes = [models.Index(fields=["user"], name="issueuser_user")]

    def __str__(self) -> str:
        return self.user


class IssueTag(models.Model):
    """That an issue has had a tag value; ``key:value`` search reads it."""

    pk = models.CompositePrimaryKey("issue_id", "key", "value")
    issue_id = models.BigIntegerField()
    key = models.CharField(max_length=200)
    value = models.CharField(max_length=200)
    first_seen = models.DateTimeField(db_default=Now())

    # Values kept per issue and key: enough to search by, bounded when a tag is an id.
    VALUE_CAP = 200

    class Meta:
        indexes = [
            models.Index(fields=["key", "value", "issue_id"], name="issuetag_search")
        ]

    def __str__(self) -> str:
        return f"{self.key}:{self.value}"


class DetailMinute(models.Model):
    """Events of an issue under a detail rule with a cap, by minute of receipt; the
    first ``cap`` of them keep their bodies. Kept 48 h.
    """

    pk = models.CompositePrimaryKey("issue_id", "rule_id", "minute")
    issue_id = models.BigIntegerField()
    rule_id = models.BigIntegerField()
    minute = models.DateTimeField()
    events = models.IntegerField()

    class Meta:
        indexes = [BrinIndex(fields=["minute"], name="detailminute_retention")]

    def __str__(self) -> str:
        return f"issue {self.issue_id} at {self.minute:%Y-%m-%d %H:%M}"
