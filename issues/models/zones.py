"""Names of time zones, as rules and reports have them."""

from django.core.exceptions import ValidationError

from issues.schedules import ScheduleError, zone_named


def validate_time_zone(name: str) -> None:
    """Raises ValidationError for what is no IANA time zone."""
    try:
        zone_named(name)
    except ScheduleError as error:
        raise ValidationError(f"{error}.") from error
