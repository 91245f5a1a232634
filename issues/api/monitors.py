"""Monitors of periodic jobs, and their runs."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Prefetch, Q
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request

from issues.models import CheckIn, CheckInStatus, Monitor, MonitorEnvironment
from issues.monitors.change import check_schedule
from issues.monitors.recent import in_state
from issues.monitors.runs import reschedule
from issues.monitors.streak import state_of
from tenants.api.fields import NameField, name_of
from tenants.api.filters import ProjectFilter, TimeFilter
from tenants.api.writes import AuditedWrites, ConstrainedSerializer
from tenants.models import Project

STATES = ("failing", "late", "waiting", *CheckInStatus.values)


class MonitorEnvironmentSerializer(serializers.ModelSerializer[MonitorEnvironment]):
    environment = name_of("name", allow_null=False)
    state = serializers.SerializerMethodField(
        help_text="waiting, in_progress, late, or how the last run ended: ok, error, "
        "missed, timeout, unknown."
    )
    next_expected = serializers.DateTimeField(source="expected_at")
    issue = serializers.SerializerMethodField(
        help_text="Id of the issue that its failures are; null where there is none."
    )

    class Meta:
        model = MonitorEnvironment
        fields = [
            "environment",
            "state",
            "last_check_in",
            "next_expected",
            "failing_since",
            "failures",
            "issue",
        ]

    def get_issue(self, place: MonitorEnvironment) -> int | None:
        issue = place.issue
        return (issue.merged_into_id or issue.pk) if issue else None

    def get_state(self, place: MonitorEnvironment) -> str:
        return state_of(
            place.last_status, place.running_since, place.expected_at, timezone.now()
        )


class MonitorSerializer(ConstrainedSerializer):
    project = NameField(slug_field="slug", queryset=Project.objects.all())
    schedule = serializers.CharField(read_only=True, help_text="In words.")
    interval_value = serializers.IntegerField(
        min_value=1,
        required=False,
        allow_null=True,
        default=None,
        help_text="With its unit, in place of a crontab.",
    )
    environments = MonitorEnvironmentSerializer(many=True, read_only=True)

    class Meta:
        model = Monitor
        fields = [
            "id",
            "project",
            "slug",
            "name",
            "schedule",
            "crontab",
            "interval_value",
            "interval_unit",
            "timezone",
            "margin_minutes",
            "max_runtime_minutes",
            "failure_threshold",
            "recovery_threshold",
            "takes_config",
            "is_muted",
            "is_disabled",
            "config_problem",
            "created",
            "environments",
        ]
        read_only_fields = ["config_problem", "created"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.partial:
            attrs = {k: v for k, v in attrs.items() if k in self.initial_data}
        before = self.instance
        for name in ("project", "slug"):
            if before and attrs.get(name, getattr(before, name)) != getattr(
                before, name
            ):
                raise serializers.ValidationError(
                    {name: "A monitor keeps it: SDKs name the monitor so."}
                )
        told = {
            name: attrs.get(name, getattr(before, name) if before else default)
            for name, default in (
                ("crontab", ""),
                ("interval_value", None),
                ("interval_unit", ""),
                ("timezone", "UTC"),
            )
        }
        monitor = Monitor(**told)
        try:
            check_schedule(monitor)
        except ValidationError as error:
            raise serializers.ValidationError(error.message_dict) from error
        if "crontab" in attrs:
            attrs["crontab"] = monitor.crontab
        return super().validate(attrs)


class MonitorFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()
    search = filters.CharFilter(
        method="by_search", help_text="Part of the slug or the name."
    )
    environment = filters.CharFilter(method="by_environment", help_text="Name.")
    state = filters.ChoiceFilter(
        choices=[(state, state) for state in STATES],
        method="by_state",
        help_text="In any environment.",
    )
    is_muted = filters.BooleanFilter()
    is_disabled = filters.BooleanFilter()

    def by_search(self, monitors: Any, name: str, value: str) -> Any:
        return monitors.filter(Q(slug__icontains=value) | Q(name__icontains=value))

    def by_environment(self, monitors: Any, name: str, value: str) -> Any:
        places = MonitorEnvironment.objects.filter(
            monitor=OuterRef("pk"), environment__name=value
        )
        return monitors.filter(Exists(places))

    def by_state(self, monitors: Any, name: str, value: str) -> Any:
        places = MonitorEnvironment.objects.filter(monitor=OuterRef("pk"))
        return monitors.filter(Exists(in_state(places, value, timezone.now())))


@extend_schema_view(
    create=extend_schema(
        examples=[
            OpenApiExample(
                "A job of every night",
                {
                    "project": "tracking",
                    "slug": "nightly-sync",
                    "name": "Nightly sync",
                    "crontab": "0 3 * * *",
                    "timezone": "Europe/Vienna",
                    "margin_minutes": 5,
                },
                request_only=True,
            )
        ]
    ),
    partial_update=extend_schema(
        examples=[OpenApiExample("Mute it", {"is_muted": True}, request_only=True)]
    ),
)
class MonitorViewSet(AuditedWrites, viewsets.ModelViewSet[Monitor]):
    """Periodic jobs. SDKs make a monitor with its first check-in."""

    queryset = Monitor.objects.select_related("project").prefetch_related(
        Prefetch(
            "environments",
            MonitorEnvironment.objects.select_related("environment", "issue"),
        )
    )
    serializer_class = MonitorSerializer
    filterset_class = MonitorFilters
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    scope = "project"
    read_permission = "issues.view_monitor"

    @property
    def write_permission(self) -> str:
        verb = {"POST": "add", "DELETE": "delete"}.get(self.request.method or "")
        return f"issues.{verb or 'change'}_monitor"

    def perform_update(self, serializer: serializers.BaseSerializer[Any]) -> None:
        super().perform_update(serializer)
        monitor = serializer.instance
        assert isinstance(monitor, Monitor)
        reschedule(monitor, timezone.now())
        # The places were read before.
        serializer.instance = self.get_object()


class CheckInSerializer(serializers.ModelSerializer[CheckIn]):
    check_in_id = serializers.CharField(
        source="check_in_id.hex", help_text="32 hex digits, as the client made it."
    )
    environment = serializers.CharField(source="monitor_environment.environment.name")
    started = serializers.DateTimeField(
        help_text="By the server's clock; of a missed run, when it was due."
    )
    duration = serializers.FloatField(help_text="Seconds.", allow_null=True)

    class Meta:
        model = CheckIn
        fields = [
            "id",
            "check_in_id",
            "environment",
            "status",
            "started",
            "finished",
            "duration",
            "expected_at",
            "release",
        ]


class CheckInFilters(filters.FilterSet):  # type: ignore[misc]
    environment = filters.CharFilter("monitor_environment__environment__name")
    status = filters.MultipleChoiceFilter(choices=CheckInStatus.choices)
    started_after = TimeFilter("started", lookup_expr="gte")
    started_before = TimeFilter("started", lookup_expr="lt")


class CheckInViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[CheckIn]):
    """The runs of a monitor, newest first; kept for 30 days."""

    queryset = CheckIn.objects.none()
    serializer_class = CheckInSerializer
    filterset_class = CheckInFilters
    scope = "project"
    read_permission = "issues.view_monitor"

    def get_queryset(self) -> Any:
        rows = CheckIn.objects.select_related("monitor_environment__environment")
        return rows.filter(
            monitor_environment__monitor=self.kwargs.get("monitor_id", 0)
        )

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        get_object_or_404(Monitor.objects.only("pk"), pk=self.kwargs["monitor_id"])
        return super().list(request, *args, **kwargs)
