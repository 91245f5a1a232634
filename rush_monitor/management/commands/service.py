"""``manage.py service``: one of the processes of ``up``, by itself."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rush_monitor.services import SERVICES


class Command(BaseCommand):
    help = "Run one of the processes of `up`; `up` starts it where it cannot fork."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=sorted(SERVICES))
        parser.add_argument(
            "fd",
            type=int,
            nargs="?",
            default=-1,
            help="inherited file descriptor: a listening socket for front and django",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        SERVICES[options["name"]](options["fd"])
