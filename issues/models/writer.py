"""The ingest processes that write the inbox."""

from django.db import models


class InboxWriter(models.Model):
    """A process's last committed batch, written in the batch's own transaction.

    After a lost connection it tells whether the batch was committed. The row's lock
    makes the question wait for a connection that is still committing.
    """

    id = models.UUIDField(primary_key=True)
    batch = models.BigIntegerField()
    seen = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.id} at batch {self.batch}"
