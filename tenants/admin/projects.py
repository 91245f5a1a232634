"""Projects and their keys; how to set up an SDK with them has a page of its own."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.postgres.fields import ArrayField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tenants.admin.lines import LinesField, OriginsField
from tenants.audited import AuditedModelAdmin, BaseStackedInline, row_id
from tenants.models import Project, ProjectKey

KEY_FIELDS = (
    ("label", "is_active"),
    "dsn",
    "is_public",
    "allowed_origins",
    ("rate_limit_count", "rate_limit_seconds"),
    "new_tenants_per_hour",
)


class ShowsDsn:
    """The DSN as a read-only field of a key."""

    @admin.display(description="DSN")
    def dsn(self, key: ProjectKey) -> str:
        if not key.pk:
            return "after saving"
        text = '<span class="rm-mono rm-break">{}</span>'
        return format_html(text, key.dsn(settings.BASE_URL))


class ProjectKeyInline(ShowsDsn, BaseStackedInline):
    model = ProjectKey
    extra = 0
    fields = KEY_FIELDS
    readonly_fields = ("dsn",)
    formfield_overrides = {ArrayField: {"form_class": OriginsField}}


@admin.register(Project)
class ProjectAdmin(AuditedModelAdmin):
    """A project is never deleted here: its issues and events would go with it."""

    list_display = ("name", "slug", "number", "active_keys", "created", "set_up")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    fields = (
        ("name", "slug"),
        "tenant_tags",
        "repositories",
        ("ip_addresses", "scrub_personal_data"),
        "grouping_version",
    )
    readonly_fields = ("grouping_version",)
    inlines = (ProjectKeyInline,)
    formfield_overrides = {ArrayField: {"form_class": LinesField}}
    change_form_outer_before_template = "tenants/dsn_card.html"
    change_form_outer_after_template = "tenants/filters_link.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("keys")

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.inlines if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        if not change:
            ProjectKey.objects.create(project=form.instance)

    @admin.display(description="Number in the DSN", ordering="pk")
    def number(self, project: Project) -> int:
        return int(project.pk)

    @admin.display(description="Keys")
    def active_keys(self, project: Project) -> str:
        keys = project.keys.all()
        active = sum(key.is_active for key in keys)
        return f"{active} of {len(keys)} active" if active < len(keys) else f"{active}"

    @admin.display(description="Set-up")
    def set_up(self, project: Project) -> SafeString:
        link = '<a class="text-link underline" href="{}">SDK and CI</a>'
        return format_html(link, setup_page(project))

    def response_add(
        self, request: HttpRequest, obj: Project, post_url_continue: Any = None
    ) -> HttpResponse:
        """A new project is of use once something sends to it."""
        response = super().response_add(request, obj, post_url_continue)
        if {"_continue", "_addanother", "_popup"} & request.POST.keys():
            return response
        return HttpResponseRedirect(setup_page(obj))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        keys = ProjectKey.objects.filter(project_id=row_id(object_id), is_active=True)
        key = keys.order_by("pk").first()
        dsn = key.dsn(settings.BASE_URL) if key else ""
        context = {**(extra_context or {}), "dsn": dsn}
        return super().change_view(request, object_id, form_url, context)


def setup_page(project: Project) -> str:
    """Where the snippets for a project are."""
    return reverse("admin:tenants_project_setup", args=[project.pk])


@admin.register(ProjectKey)
class ProjectKeyAdmin(ShowsDsn, AuditedModelAdmin):
    list_display = ("label", "project", "dsn", "is_active", "rate_limit", "created")
    list_filter = ("is_active", "project")
    list_select_related = ("project",)
    search_fields = ("label", "public_key", "project__name")
    fields = ("project", *KEY_FIELDS)
    readonly_fields = ("dsn",)
    formfield_overrides = {ArrayField: {"form_class": OriginsField}}

    @admin.display(description="Rate limit")
    def rate_limit(self, key: ProjectKey) -> str:
        if not key.rate_limit_count or not key.rate_limit_seconds:
            return "none"
        return f"{key.rate_limit_count:,} in {key.rate_limit_seconds:,} s"
