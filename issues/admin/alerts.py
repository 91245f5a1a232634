"""Alerts in the admin: every cause that a rule found, and the message that told it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from issues.models import Alert
from tenants.audited import EndlessPaginator, ReadOnlyAdmin

State = Alert.State
COLOURS = {
    State.PENDING: "pending",
    State.HELD: "info",
    State.TOLD: "resolved",
    State.FOLDED: "resolved",
    State.SUPPRESSED: "archived",
}


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    paginator = EndlessPaginator
    list_display = ("found_at", "what", "rule", "state_badge", "told_by")
    list_display_links = ("found_at",)
    list_filter = ("state", "rule", "project")
    list_select_related = ("rule", "project")
    search_fields = ("message__exact", "cause__exact", "title")
    search_help_text = "Words of the title, a cause, or a message such as alert:3:17"
    ordering = ("-id",)
    fields = (
        *("rule", "title", "text", "cause", "found_at", "what", "state_badge"),
        *("told_at", "told_by", "data"),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    @admin.display(description="Found", ordering="at")
    def found_at(self, alert: Alert) -> SafeString:
        text = f"{alert.at:%Y-%m-%d %H:%M:%S}"
        return format_html('<span class="rm-num">{}</span>', text)

    @admin.display(description="What")
    def what(self, alert: Alert) -> SafeString | str:
        if not alert.url:
            return alert.title
        return format_html(
            '<a class="rm-link" href="{}">{}</a>', alert.url, alert.title
        )

    @admin.display(description="State", ordering="state")
    def state_badge(self, alert: Alert) -> SafeString:
        state = State(alert.state)
        return format_html(
            '<span class="rm-badge is-{}">{}</span>', COLOURS[state], state.label
        )

    @admin.display(description="Told by")
    def told_by(self, alert: Alert) -> SafeString | str:
        if not alert.message:
            return "–"
        page = reverse("admin:tenants_delivery_changelist")
        query = urlencode({"q": alert.message})
        return format_html(
            '<a class="rm-link" href="{}?{}">{}</a>', page, query, alert.message
        )
