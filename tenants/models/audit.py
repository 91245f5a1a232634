"""Who changed what."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class AuditEntry(models.Model):
    """One change by a person or a token.

    ``changes`` maps each field to ``[before, after]``; secrets never stand in it.
    """

    at = models.DateTimeField(db_default=Now())
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=50)
    object_type = models.CharField(max_length=50)
    object_id = models.CharField(max_length=50)
    object_label = models.CharField(max_length=200)
    changes = models.JSONField(default=dict)
    remote_addr = models.CharField(max_length=45, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        # The history of one object, newest first.
        indexes = [
            models.Index(
                fields=["object_type", "object_id", "-id"], name="audit_object"
            )
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.object_label}"
