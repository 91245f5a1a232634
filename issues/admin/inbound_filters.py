"""Inbound filters in the admin: what each project drops, and how much of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST

from issues.inbound_counts import FilterCount, counts_of, filtered_by_project
from issues.inbound_preview import preview
from tenants.admin.lines import BrowsersField, GlobsField, NetworksField
from tenants.audited import AuditedModelAdmin, row_id
from tenants.charts import Sparkline, sparkline
from tenants.models import Filter, InboundFilters, Project

LINES = {
    "legacy_versions": BrowsersField,
    "message_patterns": GlobsField,
    "release_patterns": GlobsField,
    "address_patterns": NetworksField,
}


@dataclass(frozen=True, slots=True)
class FilterRow:
    """A filter with its state; counts are of the last 24 hours and of 14 days.

    ``is_empty`` tells that it is on and has no pattern to look for.
    """

    label: str
    is_on: bool
    is_empty: bool
    count: FilterCount
    spark: Sparkline

    @property
    def errors_day(self) -> int:
        return self.count.errors[-1]

    @property
    def errors(self) -> int:
        return sum(self.count.errors)

    @property
    def requests_day(self) -> int:
        return self.count.requests[-1]

    @property
    def requests(self) -> int:
        return sum(self.count.requests)


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project in the list; ``filtered`` in the last 24 hours."""

    project: Project
    on: list[str]
    filtered: int


def rows_of(filters: InboundFilters, now: datetime) -> list[FilterRow]:
    """Every filter of a project, in the order in which they are asked."""
    on = filters.on
    return [
        FilterRow(
            count.name.label,
            count.name.value in on,
            bool(getattr(filters, count.name.value)) and count.name.value not in on,
            count,
            sparkline(count.days, slot_name="day"),
        )
        for count in counts_of(filters.project_id, now)
    ]


def project_rows(now: datetime) -> list[ProjectRow]:
    """Every project, by name."""
    filtered = filtered_by_project(now)
    projects = Project.objects.select_related("inbound_filters")
    rows = []
    for project in projects:
        on = InboundFilters.of(project).on
        labels = [str(name.label) for name in Filter if name.value in on]
        rows.append(ProjectRow(project, labels, filtered.get(project.pk, 0)))
    return rows


@admin.register(InboundFilters)
class InboundFiltersAdmin(AuditedModelAdmin):
    """One page a project, which exists from the project's first day."""

    fieldsets = (
        (
            "Filters",
            {
                "fields": (
                    ("browser_extensions", "crawlers"),
                    ("health_checks", "localhost"),
                    ("chunk_load_errors", "hydration_errors"),
                )
            },
        ),
        ("Legacy browsers", {"fields": ("legacy_browsers", "legacy_versions")}),
        (
            "Own patterns, one to a line",
            {
                "fields": (
                    ("messages", "message_patterns"),
                    ("releases", "release_patterns"),
                    ("addresses", "address_patterns"),
                )
            },
        ),
    )
    change_form_outer_before_template = "issues/inbound_counts.html"
    change_form_after_template = "issues/inbound_try.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> InboundFilters | None:
        """A project without a row is shown the defaults, and gets one when saved."""
        projects = Project.objects.select_related("inbound_filters")
        project = projects.filter(pk=row_id(object_id)).first()
        return InboundFilters.of(project) if project else None

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.preview_view))
        page = path(
            "<int:project_id>/preview/", view, name="tenants_inboundfilters_preview"
        )
        return [page, *super().get_urls()]

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name in LINES:
            kwargs["form_class"] = LINES[db_field.name]
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def changelist_view(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        self.must_view(request)
        rows = project_rows(timezone.now())
        context = {
            "rows": rows,
            "peak": max((row.filtered for row in rows), default=0),
            "title": "Inbound filters",
            "content_title": "Inbound filters",
        }
        return self.own_page(request, "issues/inbound_projects.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        filters = self.get_object(request, object_id)
        if filters and self.has_view_permission(request, filters):
            extra_context = {
                **(extra_context or {}),
                "filter_rows": rows_of(filters, timezone.now()),
                "project": filters.project,
                "may_try": self.has_change_permission(request, filters),
            }
        return super().change_view(request, object_id, form_url, extra_context)

    def preview_view(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """What the filters as typed would have dropped; nothing is saved."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        before = self.get_object(request, str(project_id))
        if before is None:
            raise Http404(f"No project has the number {project_id}.")
        form = self.get_form(request, before, change=True)(
            request.POST, instance=before
        )
        found = preview(form.instance, timezone.now()) if form.is_valid() else None
        context = {
            "form": form,
            "preview": found,
            "title": "What they would have dropped",
            "content_title": "What they would have dropped",
        }
        return self.own_page(request, "issues/inbound_preview.html", context)
