"""``manage.py process``: one of the processes of ``up``, by itself."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rush_monitor.processes import PROCESSES


class Command(BaseCommand):
    help = "Run one of the processes of `up`; `up` starts it where it cannot fork."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=sorted(PROCESSES))
        parser.add_argument(
            "fd",
            type=int,
            nargs="?",
            default=-1,
            help="inherited file descriptor: a listening socket for front and django",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        PROCESSES[options["name"]](options["fd"])
