"""Who calls: API tokens of people, CI and scripts."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class Scope(models.TextChoices):
    """What a token may do; ``write`` includes ``read`` of the same noun."""

    PROJECT_READ = "project:read"
    PROJECT_WRITE = "project:write"
    TENANT_READ = "tenant:read"
    TENANT_WRITE = "tenant:write"
    ISSUE_READ = "issue:read"
    ISSUE_WRITE = "issue:write"
    EVENT_READ = "event:read"
    RELEASE_READ = "release:read"
    RELEASE_WRITE = "release:write"
    TRAFFIC_WRITE = "traffic:write"
    ROLLBACK_READ = "rollback:read"
    ROLLBACK_WRITE = "rollback:write"
    CHANNEL_READ = "channel:read"
    CHANNEL_WRITE = "channel:write"


class ApiToken(models.Model):
    """A bearer token, stored as a digest: the token itself is shown once."""

    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False)
    scopes = ArrayField(models.CharField(max_length=30, choices=Scope.choices))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False
    )
    created = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.name} (…{self.hint})"
