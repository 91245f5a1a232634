"""Environments: made by CI or by the first event that names them."""

from django.contrib import admin

from releases import admin_rollbacks
from releases.models import Environment
from tenants.audited import ReadOnlyAdmin

__all__ = ["EnvironmentAdmin", "admin_rollbacks"]


@admin.register(Environment)
class EnvironmentAdmin(ReadOnlyAdmin):
    list_display = ("name", "project")
    list_display_links = None
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("name",)
