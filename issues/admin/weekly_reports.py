"""Who gets the figures of each week."""

from django.contrib import admin

from issues.admin.incidents import OffersChannels
from issues.models import WeeklyReport
from tenants.audited import AuditedModelAdmin


@admin.register(WeeklyReport)
class WeeklyReportAdmin(OffersChannels, AuditedModelAdmin):
    list_display = ("name", "project", "weekday", "hour", "time_zone", "last_week")
    list_filter = ("is_active", "project")
    list_select_related = ("project",)
    search_fields = ("name",)
    fields = (
        ("name", "project"),
        "channels",
        ("weekday", "hour", "time_zone"),
        "is_active",
    )
