"""Tenants: who uses the product, on which plan, and what they pay."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from tenants.admin.csv_import import import_view
from tenants.audited import AuditedModelAdmin
from tenants.models import Tenant


class TenantAdmin(AuditedModelAdmin):
    """Registered by ``issues.admin.tenants``. Tenants are never deleted by hand: the
    next event would make them again, with their history gone.
    """

    list_display: tuple[str, ...] = (
        "shop",
        "plan",
        "weighs",
        "monthly_revenue",
        "last_seen",
        "uninstalled_at",
    )
    list_before_template = "tenants/import_link.html"
    list_filter = ("plan", "source")
    list_select_related = ("plan",)
    search_fields = ("key", "name")
    search_help_text = "Key or name"
    ordering = ("-last_seen",)
    fields = (
        ("key", "name"),
        ("plan", "weight_factor"),
        "monthly_revenue",
        "installed_at",
        "uninstalled_at",
        ("source", "first_seen", "last_seen"),
    )

    def get_urls(self) -> list[URLPattern]:
        page = path("import/", self.import_view, name="tenants_tenant_import")
        return [page, *super().get_urls()]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        return self.admin_site.admin_view(
            lambda asked: import_view(asked, self.admin_site.each_context(asked))
        )(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        seen = ("source", "first_seen", "last_seen")
        return ("key", *seen) if obj else seen

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Tenant, form: Any, change: bool
    ) -> None:
        if not change:
            obj.source = Tenant.Source.IMPORT
        super().save_model(request, obj, form, change)

    @admin.display(description="Tenant", ordering="key")
    def shop(self, tenant: Tenant) -> str:
        return f"{tenant.name} ({tenant.key})" if tenant.name else tenant.key

    @admin.display(description="Weight")
    def weighs(self, tenant: Tenant) -> str:
        return f"{tenant.weight:g}"
