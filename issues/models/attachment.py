"""Files that clients sent with their events."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from tenants.models import Project


class Attachment(models.Model):
    """A file beside an event, by the event's id: it may come before or after it.

    ``name``, ``content_type`` and ``kind`` (such as ``event.minidump``) are what the
    client says, and are believed by nobody. ``size`` is in bytes. ``blob`` names the
    file: in the database as long as ``staged``, else in the configured storage. It is
    made of the event and the contents, so that the same file comes once.
    """

    project = models.ForeignKey(Project, models.CASCADE)
    event_id = models.UUIDField()
    received = models.DateTimeField()
    name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=50)
    size = models.BigIntegerField()
    blob = models.CharField(max_length=200, unique=True)
    staged = models.BooleanField(default=True)

    class Meta:
        ordering = ["-id"]
        # Apart from seeing that there is one: attachments are not scrubbed.
        permissions = [("download_attachment", "Can download attachment")]
        indexes = [
            models.Index(fields=["project", "event_id"], name="attachment_event"),
            # How much a project kept in an hour.
            models.Index(fields=["project", "received"], name="attachment_hour"),
            BrinIndex(fields=["received"], name="attachment_retention"),
            # What waits to be moved into the configured storage.
            models.Index(
                fields=["id"],
                name="attachment_staged",
                condition=models.Q(staged=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name
