"""The repositories that stack traces link to."""

from django.contrib import admin

from tenants.audited import AuditedModelAdmin
from tenants.models import SourceRepository


@admin.register(SourceRepository)
class SourceRepositoryAdmin(AuditedModelAdmin):
    list_display = ("url", "kind", "prefix", "folder", "project", "position")
    list_filter = ("kind", "project")
    list_select_related = ("project",)
    search_fields = ("url", "prefix")
    fields = (
        ("project", "position"),
        ("url", "kind"),
        "template",
        ("prefix", "folder"),
    )
