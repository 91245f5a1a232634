"""Minute counters by occurred time: the numbers a deploy watch judges.

In every counter id 0 means "none named": an event may carry no release or tenant.
"""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models


class ReleaseMinute(models.Model):
    """release × environment × minute, kept 15 days.

    ``errors`` counts events of level error and fatal, ``events`` all levels.
    ``requests`` is transactions weighted by 1/sample rate; those of unknown rate
    stand in ``transactions`` only, which is no denominator.
    A session counts in ``sessions`` and, by its worst state, in at most one other.
    """

    pk = models.CompositePrimaryKey("release_id", "environment_id", "minute")
    project_id = models.BigIntegerField()
    release_id = models.BigIntegerField()
    environment_id = models.BigIntegerField()
    minute = models.DateTimeField()
    events = models.IntegerField(default=0)
    errors = models.IntegerField(default=0)
    unhandled = models.IntegerField(default=0)
    transactions = models.IntegerField(default=0)
    requests = models.FloatField(default=0.0)
    sessions = models.IntegerField(default=0)
    sessions_errored = models.IntegerField(default=0)
    sessions_abnormal = models.IntegerField(default=0)
    sessions_unhandled = models.IntegerField(default=0)
    sessions_crashed = models.IntegerField(default=0)

    class Meta:
        indexes = [
            # Error share of a project in the last hour (scores without tenants).
            models.Index(fields=["project_id", "minute"], name="releaseminute_project"),
            BrinIndex(fields=["minute"], name="releaseminute_retention"),
        ]

    def __str__(self) -> str:
        return f"release {self.release_id} at {self.minute:%Y-%m-%d %H:%M}"


class TenantMinute(models.Model):
    """release × environment × tenant × minute, kept 15 days."""

    pk = models.CompositePrimaryKey(
        "release_id", "environment_id", "minute", "tenant_id"
    )
    project_id = models.BigIntegerField()
    release_id = models.BigIntegerField()
    environment_id = models.BigIntegerField()
    tenant_id = models.BigIntegerField()
    minute = models.DateTimeField()
    errors = models.IntegerField(default=0)
    requests = models.FloatField(default=0.0)

    class Meta:
        indexes = [BrinIndex(fields=["minute"], name="tenantminute_retention")]

    def __str__(self) -> str:
        return f"tenant {self.tenant_id} at {self.minute:%Y-%m-%d %H:%M}"


class SessionState(models.Model):
    """A session that went wrong, so that a worse state later can move it; 48 h."""

    class State(models.IntegerChoices):
        """Ordered: a session moves only upwards."""

        ERRORED = 1
        ABNORMAL = 2
        UNHANDLED = 3
        CRASHED = 4

    pk = models.CompositePrimaryKey("project_id", "sid")
    project_id = models.BigIntegerField()
    sid = models.UUIDField()
    state = models.SmallIntegerField(choices=State.choices)
    release_id = models.BigIntegerField()
    environment_id = models.BigIntegerField()
    minute = models.DateTimeField()

    class Meta:
        indexes = [BrinIndex(fields=["minute"], name="sessionstate_retention")]

    def __str__(self) -> str:
        return f"session {self.sid}"
