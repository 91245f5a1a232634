"""Thresholds in the admin: the limits, in percent where people think in percent."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST

from releases.admin.words import short, times
from releases.models import Environment, Threshold
from releases.replays.preview import preview
from tenants.audited import AuditedModelAdmin
from tenants.models import AuditEntry

if TYPE_CHECKING:
    from django.forms import NumberInput
else:
    from unfold.widgets import UnfoldAdminDecimalFieldWidget as NumberInput


class PercentField(forms.FloatField):
    """A fraction, shown and typed in percent. ``least`` and ``most`` are percent."""

    least, most = 0.0, 100.0

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=NumberInput(attrs={"step": "any"}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        # What was typed wrongly comes back as it is.
        return round(value * 100, 8) if isinstance(value, float) else value

    def to_python(self, value: Any) -> Any:
        percent = super().to_python(value)
        return None if percent is None else round(percent / 100, 10)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value is not None and not self.least <= value * 100 <= self.most:
            raise forms.ValidationError(
                f"Give {self.least:g} to {self.most:g} percent."
            )


class ConfidenceField(PercentField):
    least, most = 50.0, 99.999


PERCENTS: dict[str, tuple[type[PercentField], str, str]] = {
    "floor": (
        PercentField,
        "Floor, %",
        "Never degraded below this error rate, whatever the ratio.",
    ),
    "confidence": (
        ConfidenceField,
        "Confidence, %",
        "The rest to 100 is the chance of a false alarm that you accept.",
    ),
}
HELP = {
    "min_events": "Fewer errors since the grace are too few to judge by.",
    "min_tenants": "Fewer tenants with an error are too few; where none is named it "
    "does not count.",
    "window_minutes": "How long a deploy is watched, grace included.",
}

CHANGES = 10


@admin.register(Threshold)
class ThresholdAdmin(AuditedModelAdmin):
    """How much worse a release may be; the most specific threshold holds."""

    list_display = (
        "place",
        "limit",
        "least_rate",
        "sure",
        "window",
        "guards",
        "action",
    )
    list_filter = ("action", "project")
    list_select_related = ("project",)
    search_fields = ("environment", "project__name")
    fieldsets = (
        ("Where it holds", {"fields": (("project", "environment"),)}),
        (
            "What is too bad",
            {
                "fields": (
                    ("ratio", "floor"),
                    ("confidence", "tolerated_drift"),
                    ("min_events", "min_tenants"),
                )
            },
        ),
        ("When it is judged", {"fields": (("grace_minutes", "window_minutes"),)}),
        (
            "Guards and controls",
            {"fields": (("guard_new_issue", "guard_tenant"), "outside_control")},
        ),
        ("What follows", {"fields": ("action",)}),
    )
    change_form_after_template = "releases/threshold_try.html"
    change_form_outer_after_template = "releases/threshold_changes.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.preview_view))
        page = path("preview/", view, name="releases_threshold_preview")
        return [page, *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the threshold as typed would have done; nothing is saved."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        form = self.typed_form(request)
        found = preview(form.instance, timezone.now()) if form.is_valid() else None
        context = {
            "form": form,
            "preview": found,
            "title": "What it would have done",
            "content_title": "What it would have done",
        }
        return self.own_page(request, "releases/threshold_preview.html", context)

    def form_context(self, request: HttpRequest, object_id: str) -> dict[str, Any]:
        names = Environment.objects.order_by("name").values_list("name", flat=True)
        return {
            "environments": names.distinct(),
            "changes": _changes(object_id) if object_id else [],
            "of": object_id,
            "may_try": self.has_change_permission(request),
        }

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name in PERCENTS:
            field_class, label, text = PERCENTS[db_field.name]
            return field_class(initial=db_field.default, label=label, help_text=text)
        if db_field.name in HELP:
            kwargs["help_text"] = HELP[db_field.name]
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "environment" and field is not None:
            field.widget.attrs["list"] = "environments"
        return field

    @admin.display(description="Where", ordering="project__name")
    def place(self, threshold: Threshold) -> str:
        return str(threshold)

    @admin.display(description="Ratio", ordering="ratio")
    def limit(self, threshold: Threshold) -> str:
        return times(threshold.ratio)

    @admin.display(description="Floor", ordering="floor")
    def least_rate(self, threshold: Threshold) -> str:
        return f"{short(threshold.floor * 100)} %"

    @admin.display(description="Confidence", ordering="confidence")
    def sure(self, threshold: Threshold) -> str:
        return f"{threshold.confidence * 100:g} %"

    @admin.display(description="Grace + window")
    def window(self, threshold: Threshold) -> str:
        return f"{threshold.grace_minutes} + {threshold.window_minutes} min"

    @admin.display(description="Guards")
    def guards(self, threshold: Threshold) -> str:
        names = {
            "new issue": threshold.guard_new_issue,
            "tenant": threshold.guard_tenant,
        }
        return ", ".join(name for name, is_on in names.items() if is_on) or "–"


def _changes(object_id: str) -> list[AuditEntry]:
    """Who changed the threshold lately."""
    entries = AuditEntry.objects.filter(
        object_type=Threshold._meta.label_lower, object_id=object_id
    )
    return list(entries.order_by("-pk")[:CHANGES])
