"""Tenants with what hurts them now."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from issues import queries
from issues.admin.issue_list import rows_of
from tenants.admin.tenants import TenantAdmin
from tenants.models import Tenant

# "Now" on the pages of tenants.
NOW = timedelta(hours=24)


@admin.register(Tenant)
class HurtTenantAdmin(TenantAdmin):
    """The tenant pages, with the open issues that hit each one within 24 hours."""

    list_display = (*TenantAdmin.list_display, "hurting")
    change_form_outer_before_template = "issues/hurting.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        since = timezone.now() - NOW
        tenants = super().get_queryset(request)
        return tenants.annotate(hurting=queries.open_issues_hitting(since))

    @admin.display(description="Issues in 24 h", ordering="hurting")
    def hurting(self, tenant: Any) -> str:
        return str(tenant.hurting or "–")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        hits = queries.issues_of_tenant(object_id) if object_id.isdecimal() else []
        rows = rows_of(hit.issue for hit in hits)
        context = {
            **(extra_context or {}),
            "hurting": list(zip(rows, hits, strict=True)),
            "tenant_id": object_id,
        }
        return super().change_view(request, object_id, form_url, context)
