"""Scrub rules in the admin, with what one would take out of a stored event."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from issues.scrub_preview import tried
from tenants.audited import AuditedModelAdmin, may
from tenants.models import ScrubRule
from tenants.refusals import Refusal

VIEW_EVENTS = "issues.view_event"


@admin.register(ScrubRule)
class ScrubRuleAdmin(AuditedModelAdmin):
    """What a team scrubs, or keeps, besides what is always scrubbed."""

    list_display = ("value", "kind", "project", "note", "is_active")
    list_filter = ("kind", "is_active", "project")
    list_select_related = ("project",)
    search_fields = ("value", "note")
    fields = (("kind", "value"), ("project", "is_active"), "note")
    radio_fields = {"kind": admin.VERTICAL}
    change_form_after_template = "issues/scrub_try.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.preview_view))
        page = path("preview/", view, name="tenants_scrubrule_preview")
        return [page, *super().get_urls()]

    def form_context(self, request: HttpRequest, object_id: str) -> dict[str, Any]:
        return {
            "of": object_id,
            "event_id": request.GET.get("event", ""),
            "may_try": self._may_try(request),
        }

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the rule as typed would take out of an event; nothing is saved."""
        if not self._may_try(request):
            raise PermissionDenied
        form = self.typed_form(request)
        context = {
            "form": form,
            "title": "What it would scrub",
            "content_title": "What it would scrub",
        }
        if form.is_valid():
            try:
                context["preview"] = tried(request.POST.get("event", ""), form.instance)
            except Refusal as refusal:
                context["problem"] = str(refusal)
        return self.own_page(request, "issues/scrub_preview.html", context)

    def _may_try(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request) and may(request, VIEW_EVENTS)
