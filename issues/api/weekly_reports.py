"""Who gets the figures of each week."""

from typing import Any

from issues.api.incident_shapes import channels_named
from issues.api.rules import OfProjectSerializer, RuleViewSet, example
from issues.models import WeeklyReport
from tenants.api.writes import WholeAudit


class WeeklyReportSerializer(OfProjectSerializer):
    channels = channels_named()

    class Meta:
        model = WeeklyReport
        fields = [
            "id",
            "name",
            "project",
            "channels",
            "weekday",
            "hour",
            "time_zone",
            "is_active",
            "last_week",
        ]
        read_only_fields = ["last_week"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        columns = {name: attrs[name] for name in attrs if name != "channels"}
        super().validate(columns)
        return attrs


@example(
    "Monday at nine in Berlin",
    {
        "name": "team",
        "channels": ["on call"],
        "weekday": 0,
        "hour": 9,
        "time_zone": "Europe/Berlin",
    },
)
class WeeklyReportViewSet(WholeAudit, RuleViewSet):
    """Once a week, from that hour on, the figures of the week before are sent."""

    queryset = WeeklyReport.objects.select_related("project").prefetch_related(
        "channels"
    )
    serializer_class = WeeklyReportSerializer
    scope = "issue"
    read_permission = "issues.view_weeklyreport"
    write_permission = "issues.change_weeklyreport"
    orders = {"name": "name"}
