"""Monitors: how each periodic job fares, its runs, and its settings."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone

from issues.models import CheckInStatus, Monitor, MonitorEnvironment
from issues.monitors import recent
from issues.monitors.change import check_schedule, switch
from issues.monitors.runs import reschedule
from tenants.audit import Actor
from tenants.audited import AuditedModelAdmin, BaseChangeList, may, row_id
from tenants.models import ProjectKey

if TYPE_CHECKING:
    from django.forms import ModelForm

    BaseForm = ModelForm[Monitor]
else:
    from django.forms import ModelForm as BaseForm

RUNS_SHOWN = 50
STATES = [
    ("failing", "Failing"),
    ("late", "Late"),
    *((status.value, str(status.label).capitalize()) for status in CheckInStatus),
    ("waiting", "Waiting for the first run"),
    ("muted", "Muted"),
    ("disabled", "Disabled"),
]


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return STATES

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Monitor]
    ) -> QuerySet[Monitor]:
        state = self.value()
        if state in {"muted", "disabled"}:
            return queryset.filter(**{f"is_{state}": True})
        if not state:
            return queryset
        places = MonitorEnvironment.objects.filter(monitor=OuterRef("pk"))
        return queryset.filter(Exists(recent.in_state(places, state, timezone.now())))


class EnvironmentFilter(admin.SimpleListFilter):
    title = "environment"
    parameter_name = "environment"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        names = MonitorEnvironment.objects.order_by("environment__name")
        found = names.values_list("environment__name", flat=True).distinct()
        return [(name, name) for name in found[:50]]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Monitor]
    ) -> QuerySet[Monitor]:
        if not self.value():
            return queryset
        places = MonitorEnvironment.objects.filter(
            monitor=OuterRef("pk"), environment__name=self.value()
        )
        return queryset.filter(Exists(places))


class MonitorChangeList(BaseChangeList):
    """Adds the places of the page's monitors, with their runs: two queries."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        monitors = list(self.result_list)
        found = places_of([monitor.pk for monitor in monitors])
        for monitor in monitors:
            monitor.place_states = found.get(monitor.pk, [])
        self.result_list = monitors


def places_of(monitor_ids: list[int]) -> dict[int, list[recent.PlaceState]]:
    rows = MonitorEnvironment.objects.filter(monitor__in=monitor_ids)
    by_monitor: dict[int, list[recent.PlaceState]] = {}
    for state in recent.states(
        rows.select_related("environment", "issue__project").order_by(
            "environment__name"
        ),
        timezone.now(),
    ):
        by_monitor.setdefault(state.place.monitor_id, []).append(state)
    return by_monitor


class MonitorForm(BaseForm):
    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        monitor = Monitor(
            crontab=cleaned.get("crontab") or "",
            interval_value=cleaned.get("interval_value"),
            interval_unit=cleaned.get("interval_unit") or "",
            timezone=cleaned.get("timezone") or "UTC",
        )
        check_schedule(monitor)
        if "crontab" in cleaned:
            cleaned["crontab"] = monitor.crontab
        return cleaned


@admin.register(Monitor)
class MonitorAdmin(AuditedModelAdmin):
    """The list shows what fails first; a page has the runs and the settings."""

    form = MonitorForm
    list_display = ("monitor", "project", "when", "places")
    list_filter = (StateFilter, EnvironmentFilter, "project")
    list_select_related = ("project",)
    search_fields = ("slug", "name")
    actions = ("mute", "unmute", "disable", "enable")
    fieldsets = (
        ("The job", {"fields": ("project", ("name", "slug"))}),
        (
            "Its schedule",
            {
                "fields": (
                    ("crontab", "timezone"),
                    ("interval_value", "interval_unit"),
                    "takes_config",
                )
            },
        ),
        (
            "Its limits",
            {
                "fields": (
                    ("margin_minutes", "max_runtime_minutes"),
                    ("failure_threshold", "recovery_threshold"),
                )
            },
        ),
        ("Switches", {"fields": (("is_muted", "is_disabled"),)}),
    )
    change_form_outer_before_template = "issues/monitor.html"

    def get_ordering(self, request: HttpRequest) -> Any:
        failing = MonitorEnvironment.objects.filter(monitor=OuterRef("pk")).exclude(
            failing_since=None
        )
        return ("is_disabled", Exists(failing).desc(), "slug", "pk")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return MonitorChangeList

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # SDKs name it so.
        return ("project", "slug") if obj else ()

    def save_model(
        self, request: HttpRequest, obj: Monitor, form: Any, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        reschedule(obj, timezone.now())

    @admin.display(description="Monitor", ordering="slug")
    def monitor(self, monitor: Monitor) -> str:
        return render_to_string("issues/_monitor_name.html", {"monitor": monitor})

    @admin.display(description="Schedule")
    def when(self, monitor: Monitor) -> str:
        return str(monitor.schedule)

    @admin.display(description="Runs")
    def places(self, monitor: Any) -> str:
        context = {"states": monitor.place_states, "monitor": monitor}
        return render_to_string("issues/_monitor_places.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        monitor_id = row_id(object_id)
        context = {
            **(extra_context or {}),
            "states": places_of([monitor_id]).get(monitor_id, []),
            "runs": recent.newest_runs(monitor_id, RUNS_SHOWN),
            "base_url": settings.BASE_URL,
            "key": ProjectKey.objects.filter(
                project__monitors=monitor_id, is_active=True
            )
            .order_by("pk")
            .first(),
        }
        return super().change_view(request, object_id, form_url, context)

    def has_switch_permission(self, request: HttpRequest) -> bool:
        return may(request, "issues.change_monitor")

    @admin.action(description="Mute: make no issue", permissions=["switch"])
    def mute(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> None:
        self._switch(request, queryset, "Muted", is_muted=True)

    @admin.action(description="Unmute", permissions=["switch"])
    def unmute(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> None:
        self._switch(request, queryset, "Unmuted", is_muted=False)

    @admin.action(description="Disable: drop check-ins", permissions=["switch"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> None:
        self._switch(request, queryset, "Disabled", is_disabled=True)

    @admin.action(description="Enable", permissions=["switch"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> None:
        self._switch(request, queryset, "Enabled", is_disabled=False)

    def _switch(
        self, request: HttpRequest, queryset: Any, word: str, **flags: bool
    ) -> None:
        changed = switch(queryset, Actor.of(request), timezone.now(), **flags)
        self.message_user(request, f"{word} {changed}.", messages.SUCCESS)
