"""Files that live in the database, where no other storage is configured."""

from django.db import models
from django.db.models.functions import Now


class Blob(models.Model):
    """A file by its content-addressed name; ``data`` is zstd, ``size`` the bytes of
    the file before that.
    """

    name = models.CharField(max_length=200, primary_key=True)
    size = models.BigIntegerField()
    data = models.BinaryField()
    created = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name
