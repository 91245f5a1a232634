"""The audit log: who changed what, never edited."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from tenants.audited import EndlessPaginator, ReadOnlyAdmin
from tenants.models import AuditEntry

ROW = '<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>'


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    paginator = EndlessPaginator
    list_display = ("at", "actor", "action", "object_type", "object_label", "summary")
    list_filter = ("action", "object_type")
    search_fields = ("actor", "object_label")
    search_help_text = "Person, token or object"
    ordering = ("-id",)
    fields = ("at", "actor", "user", "remote_addr", "action", "object", "differences")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    @admin.display(description="Changed")
    def summary(self, entry: AuditEntry) -> str:
        return ", ".join(entry.changes)[:120]

    @admin.display(description="Object")
    def object(self, entry: AuditEntry) -> str:
        return f"{entry.object_type} {entry.object_id}: {entry.object_label}"

    @admin.display(description="Changes")
    def differences(self, entry: AuditEntry) -> SafeString | str:
        rows = format_html_join("", ROW, map(_row, entry.changes.items()))
        return format_html('<table class="rm-kv">{}</table>', rows) if rows else "–"


def _row(change: tuple[str, Any]) -> tuple[str, str, str]:
    name, values = change
    if isinstance(values, list) and len(values) == 2:
        return name, str(values[0]), f"→ {values[1]}"
    return name, str(values), ""
