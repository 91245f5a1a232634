from django.apps import AppConfig


class RushMonitorConfig(AppConfig):
    name = "rush_monitor"
    verbose_name = "rush_monitor"
