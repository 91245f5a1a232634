"""Minute counters by occurred time: the numbers a deploy watch judges.

In every counter id 0 means "none named": an event may carry no release or tenant.
"""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from releases.models.release import Environment


class ReleaseMinute(models.Model):
    """release × environment × minute, kept 15 days.

    ``errors`` counts events of level error and fatal, ``events`` all levels.
    ``errors_public`` are those sent with keys that stand in web pages.
    ``requests`` is transactions weighted by 1/sample rate; those of unknown rate
    stand in ``transactions`` only, which is no denominator. ``traffic`` is requests
    as posted by web servers and proxies.
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
    errors_public = models.IntegerField(default=0)
    transactions = models.IntegerField(default=0)
    requests = models.FloatField(default=0.0)
    traffic = models.FloatField(db_default=0.0)
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
    traffic = models.FloatField(db_default=0.0)

    class Meta:
        indexes = [
            BrinIndex(fields=["minute"], name="tenantminute_retention"),
            # A watch reads errors only; rows of requests are fifty times as many.
            models.Index(
                fields=["release_id", "environment_id", "minute"],
                include=["tenant_id", "errors"],
                name="tenantminute_errors",
                condition=models.Q(errors__gt=0),
            ),
        ]

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


class TrafficMinute(models.Model):
    """What one source said of a minute so far; a repeated post replaces it, 48 h.

    ``tenant_id`` 0 is the whole minute of the source. The sums over the sources stand
    in ReleaseMinute and TenantMinute.
    """

    pk = models.CompositePrimaryKey(
        "release_id", "environment_id", "minute", "source", "tenant_id"
    )
    project_id = models.BigIntegerField()
    release_id = models.BigIntegerField()
    environment_id = models.BigIntegerField()
    minute = models.DateTimeField()
    source = models.CharField(max_length=100)
    tenant_id = models.BigIntegerField(default=0)
    requests = models.FloatField()
    posted_at = models.DateTimeField()

    class Meta:
        indexes = [
            # Which sources of an environment still post.
            models.Index(
                fields=["environment_id", "minute"], name="trafficminute_sources"
            ),
            BrinIndex(fields=["minute"], name="trafficminute_retention"),
        ]

    def __str__(self) -> str:
        return f"{self.source} at {self.minute:%Y-%m-%d %H:%M}"


class ReleaseNetwork(models.Model):
    """A client network (/24, IPv6 /48) that sent errors of a release with a public key.

    At most CAP are kept for a release and environment: enough to tell several from one.
    """

    CAP = 50

    pk = models.CompositePrimaryKey("release_id", "environment_id", "network")
    release_id = models.BigIntegerField()
    environment_id = models.BigIntegerField()
    network = models.CharField(max_length=45)
    first_seen = models.DateTimeField()

    class Meta:
        indexes = [BrinIndex(fields=["first_seen"], name="releasenetwork_retention")]

    def __str__(self) -> str:
        return self.network


class ReleaseUser(models.Model):
    """A user (``did`` of sessions) who had a session of a release on a day, 15 days.

    ``user`` is a 64-bit hash; ``crashed`` tells whether any session of the day did.
    """

    pk = models.CompositePrimaryKey("release_id", "environment_id", "day", "user")
    release_id = models.BigIntegerField()
    environment_id = models.BigIntegerField()
    day = models.DateField()
    user = models.BigIntegerField()
    crashed = models.BooleanField()

    class Meta:
        indexes = [BrinIndex(fields=["day"], name="releaseuser_retention")]

    def __str__(self) -> str:
        return f"user {self.user:x} on {self.day}"


class Calibration(models.Model):
    """How an environment's errors usually behave, measured nightly over 14 days.

    ``cap`` is the most errors that one tenant may count in a minute, ``dispersion``
    the variance of half-hour counts over that of chance. ``episodes`` are
    [ISO date, minutes]: how long new issues hit one tenant and went by themselves.
    ``profile`` maps, for each hour of the week (168, Monday 0:00 UTC first), ISO weeks
    to the mean capped errors per minute.
    """

    environment = models.OneToOneField(
        Environment, models.CASCADE, primary_key=True, related_name="calibration"
    )
    at = models.DateTimeField()
    hours = models.FloatField()  # of history that it rests on
    errors_per_minute = models.FloatField()
    cap = models.IntegerField()
    dispersion = models.FloatField()
    episodes = models.JSONField(default=list)
    profile = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.environment}: cap {self.cap}, dispersion {self.dispersion:.2f}"

    @property
    def longest_episode(self) -> int:
        """Minutes of the longest episode of one tenant that went by itself."""
        return max((minutes for _, minutes in self.episodes), default=0)
