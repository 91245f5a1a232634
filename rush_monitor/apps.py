from django.apps import AppConfig
from django.core.checks import Tags, register

from rush_monitor.checks import database_is_durable


class RushMonitorConfig(AppConfig):
    name = "rush_monitor"
    verbose_name = "rush_monitor"

    def ready(self) -> None:
        register(database_is_durable, Tags.security, deploy=True)
