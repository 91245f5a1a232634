"""Who gets the figures of each week."""

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models.functions import Now

from issues.models.zones import validate_time_zone
from tenants.models import Channel, Project


class WeeklyReport(models.Model):
    """The figures of the week before, sent once a week to some channels.

    ``last_week`` is the newest week that was sent, such as 2026-W47.
    """

    class Weekday(models.IntegerChoices):
        MONDAY = 0
        TUESDAY = 1
        WEDNESDAY = 2
        THURSDAY = 3
        FRIDAY = 4
        SATURDAY = 5
        SUNDAY = 6

    name = models.CharField(max_length=100, unique=True)
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, help_text="Empty: every project"
    )
    needs_channels = True
    channels = models.ManyToManyField(Channel)
    weekday = models.PositiveSmallIntegerField(
        choices=Weekday.choices, default=Weekday.MONDAY
    )
    hour = models.PositiveSmallIntegerField(
        default=8, validators=[MaxValueValidator(23)], help_text="0-23, of that zone."
    )
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="Such as Europe/Berlin; its weeks begin there, too.",
    )
    is_active = models.BooleanField(default=True)
    last_week = models.CharField(max_length=8, blank=True, editable=False)
    created = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
