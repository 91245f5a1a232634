"""Source maps and scripts that CI uploads: bundles, their files, and what is stored."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from releases.models.release import Release
from tenants.models import Project


class StoredFile(models.Model):
    """A file of the storage ``blobs``, by its content-addressed name.

    ``written`` says that the storage has it whole. One that no artifact names and that
    nobody ``touched`` for a day is deleted; so are the parts of uploads, which none
    ever names.
    """

    name = models.CharField(max_length=100, unique=True)
    size = models.BigIntegerField()
    written = models.BooleanField(default=False)
    touched = models.DateTimeField(db_default=Now())

    class Meta:
        # Upkeep looks for what was not touched for long.
        indexes = [models.Index(fields=["touched"], name="stored_file_touched")]

    def __str__(self) -> str:
        return self.name


class ArtifactBundle(models.Model):
    """An upload of source maps and scripts for a project, one release or none.

    ``checksum`` is the SHA-1 of the bundle and ``chunks`` those of its parts, in order.
    ``size`` is that of its files, unpacked, in bytes. ``events_due`` says that events
    which came before it have not been looked at again yet.
    """

    class State(models.TextChoices):
        CREATED = "created", "waiting"
        ASSEMBLING = "assembling", "assembling"
        OK = "ok", "ready"
        ERROR = "error", "failed"

    project = models.ForeignKey(
        Project, models.CASCADE, related_name="artifact_bundles"
    )
    release = models.ForeignKey(
        Release, models.CASCADE, null=True, related_name="artifact_bundles"
    )
    dist = models.CharField(max_length=64, blank=True)
    checksum = models.CharField(max_length=40)
    chunks = ArrayField(models.CharField(max_length=40), default=list)
    state = models.CharField(
        max_length=10, choices=State.choices, default=State.CREATED
    )
    state_since = models.DateTimeField(db_default=Now())
    detail = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    file_count = models.PositiveIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    uploaded = models.DateTimeField(db_default=Now())
    last_used = models.DateTimeField(db_default=Now())
    events_due = models.BooleanField(default=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                "project",
                "checksum",
                "release",
                "dist",
                nulls_distinct=False,
                name="artifact_bundle_unique",
            )
        ]
        indexes = [
            # What the two tasks that work through them have yet to do.
            models.Index(
                fields=["id"],
                name="artifact_bundle_waiting",
                condition=models.Q(state__in=["created", "assembling"]),
            ),
            models.Index(
                fields=["id"],
                name="artifact_bundle_events_due",
                condition=models.Q(events_due=True),
            ),
            # The same bundle in another project need not be uploaded again.
            models.Index(fields=["checksum"], name="artifact_bundle_checksum"),
            models.Index(fields=["last_used"], name="artifact_bundle_last_used"),
        ]

    def __str__(self) -> str:
        return self.checksum[:12]


class Artifact(models.Model):
    """A file of a bundle; there as soon as its bundle is ready.

    ``url`` is what CI calls it, with ``~`` for any scheme and host. ``source_map_url``
    is that of the map which a script names, "" where it names none.
    """

    class Kind(models.TextChoices):
        MINIFIED = "minified_source", "script"
        SOURCE_MAP = "source_map", "source map"
        SOURCE = "source", "source"
        OTHER = "other", "other"

    bundle = models.ForeignKey(
        ArtifactBundle, models.CASCADE, related_name="artifacts", db_index=False
    )
    # That of the bundle: the index of debug ids needs it.
    project = models.ForeignKey(Project, models.CASCADE, "+", db_index=False)
    stored = models.ForeignKey(StoredFile, models.PROTECT, related_name="artifacts")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    url = models.CharField(max_length=500)
    debug_id = models.UUIDField(null=True)
    source_map_url = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["bundle_id", "url", "id"]
        indexes = [
            models.Index(fields=["bundle", "url"], name="artifact_url"),
            # Events name files by debug id; the newest bundle wins.
            models.Index(
                fields=["project", "debug_id", "-bundle"],
                name="artifact_debug_id",
                condition=models.Q(debug_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.url
