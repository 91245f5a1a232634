"""Price plans: their weight says how much one tenant counts in every score."""

from typing import Any

from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest

from tenants.audited import AuditedModelAdmin
from tenants.models import Plan


@admin.register(Plan)
class PlanAdmin(AuditedModelAdmin):
    list_display = ("name", "weight", "tenants")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(tenants=Count("tenant"))

    @admin.display(description="Tenants", ordering="tenants")
    def tenants(self, plan: Any) -> int:
        return int(plan.tenants)
