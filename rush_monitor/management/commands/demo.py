"""``manage.py demo``: plays the demo scenario against the running system."""

import random
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from rush_monitor import demo
from tenants.models import ProjectKey


class Command(BaseCommand):
    help = "Send 60 shops' events of two releases through the real Python SDK."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--seconds",
            type=float,
            default=demo.SECONDS_PER_RELEASE,
            help="how long each of the two releases runs (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        key = ProjectKey.objects.filter(is_active=True).order_by("pk").first()
        if key is None:
            raise CommandError("no active project key: make one in the admin")
        demo.import_shops()
        chance = random.Random(60)
        for release, version in enumerate(demo.RELEASES):
            seconds = options["seconds"]
            self.stdout.write(f"{version} runs for {seconds:.0f} s")
            self.stdout.flush()
            calls = demo.play(key.dsn(settings.BASE_URL), release, seconds, chance)
            self.stdout.write(f"{version} made {calls} calls")
        self.stdout.write("done: the issue list shows what the faults cost")
