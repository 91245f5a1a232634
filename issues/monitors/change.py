"""What people change on monitors, and what follows from it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from issues.models import Monitor
from issues.monitors.runs import reschedule
from issues.schedules import ScheduleError, checked
from tenants.audit import Actor, difference, record, values_of


def check_schedule(monitor: Monitor) -> None:
    """Raise ValidationError, by field, for a schedule that cannot be kept."""
    try:
        monitor.crontab = checked(monitor.schedule).crontab
    except ScheduleError as error:
        told = str(error)
        field = "crontab" if monitor.crontab else "interval_value"
        if "time zone" in told:
            field = "timezone"
        raise ValidationError({field: told[:1].upper() + told[1:] + "."}) from error


@transaction.atomic
def switch(
    monitors: Iterable[Monitor], actor: Actor, now: datetime, **flags: bool
) -> int:
    """Set ``is_muted`` or ``is_disabled``; returns how many changed."""
    ids = [monitor.pk for monitor in monitors]
    changed = 0
    for monitor in (
        Monitor.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    ):
        before = values_of(monitor, flags)
        for name, value in flags.items():
            setattr(monitor, name, value)
        changes: dict[str, Any] = difference(before, values_of(monitor, flags))
        if changes:
            monitor.save(update_fields=list(flags))
            record(actor, "changed", monitor, changes)
            reschedule(monitor, now)
            changed += 1
    return changed
