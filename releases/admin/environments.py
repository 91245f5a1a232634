"""Environments: made when something first names them."""

from django.contrib import admin

from releases.models import Environment
from tenants.audited import ReadOnlyAdmin


@admin.register(Environment)
class EnvironmentAdmin(ReadOnlyAdmin):
    list_display = ("name", "project")
    list_display_links = None
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("name",)
