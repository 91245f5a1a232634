"""``manage.py demo``: plays the demo scenario against the running system."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from rush_monitor.demo import Scenario
from tenants.models import ProjectKey


class Command(BaseCommand):
    help = "Play 60 shops, a healthy deploy, a bad one and its rollback in real time."

    def handle(self, *args: Any, **options: Any) -> None:
        key = (
            ProjectKey.objects.filter(is_active=True)
            .select_related("project")
            .order_by("pk")
            .first()
        )
        if key is None:
            raise CommandError("no active project key: make one in the admin")
        try:
            Scenario(key, self._say).play()
        except RuntimeError as error:
            raise CommandError(str(error)) from error
        self._say("done: the deploy list shows what happened")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
