"""How severe an event is: one word for it in every app."""

from django.db import models


class Level(models.IntegerChoices):
    """Severity, ordered; the numbers are those of Python's logging."""

    DEBUG = 10, "debug"
    INFO = 20, "info"
    WARNING = 30, "warning"
    ERROR = 40, "error"
    FATAL = 50, "fatal"
