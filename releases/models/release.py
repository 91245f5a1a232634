"""What shipped: releases, and the environments they ship to."""

from django.db import models
from django.db.models.functions import Now

from tenants.models import Project


class Environment(models.Model):
    """Where a release runs, such as production; made when first seen."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="environments")
    name = models.CharField(max_length=64)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint("project", "name", name="environment_unique")
        ]

    def __str__(self) -> str:
        return self.name


class Release(models.Model):
    """A version of a project; made by CI, or when an event first names it."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="releases")
    version = models.CharField(max_length=250)
    first_seen = models.DateTimeField(db_default=Now())
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-first_seen", "-id"]
        constraints = [
            models.UniqueConstraint("project", "version", name="release_unique")
        ]
        # "Resolved in the next release" asks for a project's newest one.
        indexes = [
            models.Index(fields=["project", "-first_seen"], name="release_newest")
        ]

    def __str__(self) -> str:
        return self.version
