"""What ``sentry-cli monitors list`` calls."""

from rest_framework.request import Request
from rest_framework.response import Response

from issues.models import Monitor
from releases.sentry_api.base import SentryView

MOST_MONITORS = 100


class MonitorsView(SentryView):
    def get(self, request: Request, organization: str) -> Response:
        """Those that are not disabled, by slug."""
        rows = Monitor.objects.filter(is_disabled=False).order_by("slug", "pk")
        return Response(
            [
                {
                    "id": str(row.pk),
                    "slug": row.slug,
                    "name": row.name or row.slug,
                    "status": "active",
                }
                for row in rows[:MOST_MONITORS]
            ]
        )
