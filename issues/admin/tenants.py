"""Tenants with what hurts them now."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from issues import queries
from issues.admin.issue_list import rows_of
from tenants.admin.tenants import TenantAdmin
from tenants.audited import BaseChangeList, row_id
from tenants.models import Tenant

# "Now" on the pages of tenants.
NOW = timedelta(hours=24)


class HurtChangeList(BaseChangeList):
    """Counts the issues of the page's tenants, in one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        tenants = list(self.result_list)
        counts = queries.open_issues_hitting(
            [tenant.pk for tenant in tenants], timezone.now() - NOW
        )
        for tenant in tenants:
            tenant.hurting = counts.get(tenant.pk, 0)
        self.result_list = tenants


@admin.register(Tenant)
class HurtTenantAdmin(TenantAdmin):
    """The tenant pages, with the open issues that hit each one within 24 hours."""

    list_display = (*TenantAdmin.list_display, "hurting")
    change_form_outer_before_template = "issues/hurting.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return HurtChangeList

    @admin.display(description="Issues in 24 h")
    def hurting(self, tenant: Any) -> str:
        return str(tenant.hurting or "–")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        tenant_id = row_id(object_id)
        hits = queries.issues_of_tenant(tenant_id) if tenant_id else []
        rows = rows_of(hit.issue for hit in hits)
        context = {
            **(extra_context or {}),
            "hurting": list(zip(rows, hits, strict=True)),
            "tenant_id": object_id,
        }
        return super().change_view(request, object_id, form_url, context)
