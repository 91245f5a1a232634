"""``manage.py backup FILE``."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from rush_monitor.archive import ArchiveError, backup
from rush_monitor.unprivileged import EngineError


class Command(BaseCommand):
    help = (
        "Write the whole database to a new file, while `up` runs or not. What else "
        "DATA_DIR holds (secret_key, which signs log-ins) is not in it."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="must not exist yet")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            archive = backup(options["file"])
        except (ArchiveError, EngineError) as error:
            raise CommandError(str(error)) from error
        size = filesizeformat(archive.size).replace("\xa0", " ")
        self.stdout.write(f"Wrote {archive.path}: {archive.tables} tables, {size}.")
