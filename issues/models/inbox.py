"""Between ingest and digest: what was accepted, is in work, or could not be read."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now


class EnvelopeKind(models.TextChoices):
    """The endpoint that took the body."""

    ENVELOPE = "envelope"
    STORE = "store"
    SECURITY = "security"


class StoredEnvelope(models.Model):
    """A request body, zstd, and what the connection told, sealed: not scrubbed yet."""

    project_id = models.BigIntegerField()
    key_id = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=EnvelopeKind.choices)
    received = models.DateTimeField()
    size = models.IntegerField()  # bytes before compression
    body = models.BinaryField()  # see sealed_envelopes
    attempts = models.SmallIntegerField(db_default=0)  # times it was a dead letter

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} of project {self.project_id}"


@dataclass(slots=True)
class ClaimedEnvelope:
    """A row of the inbox; ``body`` is still sealed."""

    id: int
    project_id: int
    key_id: int
    kind: str
    received: datetime
    size: int
    body: bytes
    attempts: int


class InboxEnvelope(StoredEnvelope):
    """An accepted envelope that waits for digest; claimed by DELETE … SKIP LOCKED."""


class DeadLetter(StoredEnvelope):
    """An envelope that digest could not read; a person can have it digested again."""

    failed_at = models.DateTimeField(db_default=Now())
    error = models.CharField(max_length=500)
    traceback = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["failed_at"], name="deadletter_retention")]


class DigestRun(models.Model):
    """The envelopes a digest is about to claim, noted on a second connection.

    The row goes with the batch's commit. A started row whose envelopes are not
    locked by anyone belongs to a process that died: ``deaths`` counts how often.
    ``started`` is null while the row waits to be tried again.
    """

    envelope_ids = ArrayField(models.BigIntegerField())
    started = models.DateTimeField(null=True)
    worker = models.CharField(max_length=100)
    deaths = models.SmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"{len(self.envelope_ids)} envelopes by {self.worker}"


class SeenEvent(models.Model):
    """The event ids of the last 7 days: a repeated one is not counted again."""

    pk = models.CompositePrimaryKey("project_id", "event_id")
    project_id = models.BigIntegerField()
    event_id = models.UUIDField()
    received = models.DateTimeField()

    class Meta:
        indexes = [BrinIndex(fields=["received"], name="seenevent_retention")]

    def __str__(self) -> str:
        return str(self.event_id)


class IngestLagMinute(models.Model):
    """How long the oldest envelope had waited for digest, the worst of each minute.

    Looked at every 10 seconds, kept 8 days; minutes without a lag have no row.
    """

    minute = models.DateTimeField(primary_key=True)
    seconds = models.FloatField()

    def __str__(self) -> str:
        return f"{self.seconds:,.1f} s at {self.minute:%Y-%m-%d %H:%M}"


class Outcome(models.Model):
    """What was not stored, by minute: refused, discarded, or dropped by the client.

    ``reason`` is ``unsupported`` (a kind that is not kept), ``duplicate``,
    ``rate_limit``, ``detail_rule`` or ``detail_cap`` (counted, body dropped),
    ``inbox_full`` (refused with 429), ``invalid``, ``too_large``, ``hourly_limit``,
    ``switched_off``, ``too_many``, ``filtered:<name>`` by a project's inbound filter,
    or ``client:<reason>`` from a client report.
    """

    pk = models.CompositePrimaryKey(
        "project_id", "key_id", "minute", "category", "reason"
    )
    project_id = models.BigIntegerField()
    key_id = models.BigIntegerField()
    minute = models.DateTimeField()
    category = models.CharField(max_length=40)
    reason = models.CharField(max_length=60)
    quantity = models.BigIntegerField()

    class Meta:
        indexes = [BrinIndex(fields=["minute"], name="outcome_retention")]

    def __str__(self) -> str:
        return f"{self.quantity} {self.category}: {self.reason}"
