"""One stored event. The table is partitioned by day of ``received``: see 0002."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

from issues import bodies
from issues.models.issue import Issue
from releases.models import Environment, Release
from tenants.levels import Level
from tenants.models import Project, Tenant


class Event(models.Model):
    """Columns to find and count an event by; ``body`` holds the rest (zstd JSON).

    ``tags`` are ``key=value`` texts, with browser, os, url and sdk among them.
    ``user`` is ``id:…``, ``email:…``, ``username:…`` or ``ip:…``.
    ``issue`` is the issue of the event's own fingerprint; where that was merged,
    the event is shown under ``issue.merged_into``.
    """

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField()
    project = models.ForeignKey(Project, models.DO_NOTHING, db_constraint=False)
    issue = models.ForeignKey(
        Issue, models.DO_NOTHING, db_constraint=False, related_name="event_set"
    )
    received = models.DateTimeField()
    occurred = models.DateTimeField()
    level = models.SmallIntegerField(choices=Level.choices)
    unhandled = models.BooleanField()
    environment = models.ForeignKey(
        Environment, models.DO_NOTHING, db_constraint=False, null=True
    )
    release = models.ForeignKey(
        Release, models.DO_NOTHING, db_constraint=False, null=True
    )
    tenant = models.ForeignKey(
        Tenant, models.DO_NOTHING, db_constraint=False, null=True
    )
    user = models.CharField(max_length=200)
    transaction = models.CharField(max_length=200)
    title = models.CharField(max_length=200)
    tags = ArrayField(models.TextField())
    body = models.BinaryField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.event_id.hex

    @property
    def payload(self) -> dict[str, Any]:
        """The event as cleaned and stored; empty where the body was not kept."""
        return bodies.unpack(bytes(self.body)) if self.body is not None else {}
