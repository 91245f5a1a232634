"""Events that came before the source map of one of their scripts."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models


class WaitingEvent(models.Model):
    """A stored event with frames of a script whose map was not there yet.

    ``file`` stands for the script: its debug id, else a hash of release, dist and
    ``url`` (``~/path``, for any scheme and host; "" for any script, where the project
    had no uploads). Written by digest within bounds, see waiting.py; deleted when the
    event was symbolicated again, or after seven days.
    """

    project_id = models.BigIntegerField()
    file = models.UUIDField()
    debug_id = models.UUIDField(null=True)
    release = models.CharField(max_length=250)
    dist = models.CharField(max_length=64)
    url = models.CharField(max_length=500)
    event_id = models.UUIDField()
    received = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["project_id", "file"], name="waiting_file"),
            # What a bundle of a release may bring.
            models.Index(fields=["project_id", "release"], name="waiting_release"),
            BrinIndex(fields=["received"], name="waiting_retention"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id.hex} waits for {self.debug_id or self.url}"
