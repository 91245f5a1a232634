"""``manage.py restore FILE``."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rush_monitor.archive import ArchiveError, restore
from rush_monitor.unprivileged import EngineError


class Command(BaseCommand):
    help = (
        "Fill the database from a file that `backup` wrote, wholly or not at all. Stop "
        "`up` first; the next `up` migrates what an older version wrote."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--replace",
            action="store_true",
            help="drop what is in the database now, and everything in it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            archive = restore(options["file"], replace=options["replace"])
        except (ArchiveError, EngineError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Restored {archive.tables} tables from {archive.path}.")
