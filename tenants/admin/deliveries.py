"""Messages on their way to channels, the answers, and "send again"."""

import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from tenants.audit import Actor
from tenants.audited import EndlessPaginator, ReadOnlyAdmin, may, row_id
from tenants.delivery import send_again
from tenants.message import Message
from tenants.models import Delivery
from tenants.refusals import Refusal

State = Delivery.State
COLOURS = {
    State.PENDING: "pending",
    State.SENDING: "watching",
    State.SENT: "resolved",
    State.SKIPPED: "info",
    State.FAILED: "fatal",
    State.UNKNOWN: "warning",
}
PRE = '<pre tabindex="0" style="white-space:pre-wrap;overflow-wrap:anywhere">{}</pre>'


def badge(state: str) -> SafeString:
    """A message's state in its colour."""
    found = State(state)
    return format_html(
        '<span class="rm-badge is-{}">{}</span>', COLOURS[found], found.label.lower()
    )


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    paginator = EndlessPaginator
    list_display = (
        "at",
        "channel",
        "subject",
        "state_key",
        "state_badge",
        "came_of_it",
    )
    list_display_links = ("at",)
    list_filter = ("state", "channel__kind", "channel")
    list_select_related = ("channel",)
    search_fields = ("subject",)
    search_help_text = "Subject, such as incident:7"
    ordering = ("-id",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "channel",
                    "subject",
                    "state_key",
                    "state_badge",
                    "told",
                    "attempts",
                )
            },
        ),
        ("Times", {"fields": ("created", "next_try_at", "finished_at")}),
        ("Answer", {"fields": ("response_status", "answer", "external_id")}),
        ("Message", {"fields": ("text", "key")}),
    )
    change_form_outer_before_template = "tenants/delivery_again.html"

    def get_urls(self) -> list[URLPattern]:
        again = path(
            "<int:delivery_id>/again/",
            self.admin_site.admin_view(require_POST(self.again_view)),
            name="tenants_delivery_again",
        )
        return [again, *super().get_urls()]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [name for _, part in self.fieldsets for name in part["fields"]]

    @admin.display(description="Caused", ordering="created")
    def at(self, delivery: Delivery) -> SafeString:
        text = f"{delivery.created:%Y-%m-%d %H:%M:%S}"
        return format_html('<span class="rm-num">{}</span>', text)

    @admin.display(description="State", ordering="state")
    def state_badge(self, delivery: Delivery) -> SafeString:
        return badge(delivery.state)

    @admin.display(description="What came of it")
    def came_of_it(self, delivery: Delivery) -> str:
        return delivery.told[:200]

    @admin.display(description="Body")
    def answer(self, delivery: Delivery) -> SafeString | str:
        return format_html(PRE, delivery.response) if delivery.response else "–"

    @admin.display(description="Message")
    def text(self, delivery: Delivery) -> SafeString:
        try:
            shown = Message.from_json(delivery.message).plain()
        except (KeyError, TypeError, ValueError):
            shown = json.dumps(delivery.message, indent=1)
        return format_html(PRE, shown)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        delivery = Delivery.objects.filter(
            pk=row_id(object_id), state__in=Delivery.TROUBLE
        ).first()
        allowed = may(request, "tenants.change_delivery")
        context = {
            **(extra_context or {}),
            "again": delivery if allowed else None,
            "in_doubt": delivery is not None and delivery.state == State.UNKNOWN,
        }
        return super().change_view(request, object_id, form_url, context)

    def again_view(self, request: HttpRequest, delivery_id: int) -> HttpResponse:
        """Send it again, and go back to its page."""
        if not may(request, "tenants.change_delivery"):
            raise PermissionDenied
        related = Delivery.objects.select_related("channel")
        delivery = get_object_or_404(related, pk=delivery_id)
        try:
            send_again(delivery, Actor.of(request), timezone.now())
        except Refusal as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, "It is on its way again.")
        page = reverse("admin:tenants_delivery_change", args=[delivery_id])
        return HttpResponseRedirect(page)
