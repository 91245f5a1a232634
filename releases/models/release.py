"""What shipped: releases with their commits, and the environments they ship to."""

from django.contrib.postgres.fields import ArrayField
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
    """A version of a project; made by CI, or when an event first names it.

    ``commit`` is the id of its last commit, ``released_at`` when it was finalized.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="releases")
    version = models.CharField(max_length=250)
    first_seen = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    url = models.URLField(max_length=500, blank=True)
    authors = ArrayField(models.CharField(max_length=200), default=list, blank=True)

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


class Commit(models.Model):
    """A commit that a release brought; ``position`` 0 is the newest."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="commits")
    position = models.PositiveIntegerField()
    sha = models.CharField(max_length=64)
    repository = models.CharField(max_length=200, blank=True)
    message = models.TextField(blank=True)
    author_name = models.CharField(max_length=200, blank=True)
    author_email = models.CharField(max_length=254, blank=True)
    committed_at = models.DateTimeField(null=True, blank=True)
    files = ArrayField(models.CharField(max_length=500), default=list, blank=True)

    class Meta:
        ordering = ["release_id", "position"]
        constraints = [
            models.UniqueConstraint(
                "release", "repository", "sha", name="commit_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.sha[:12]} {self.subject}"

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0][:120]
