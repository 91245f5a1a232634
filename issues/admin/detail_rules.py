"""Detail rules in the admin: their order, and what they would leave of stored events.

Registered here, as the preview reads events: ``tenants`` knows of none.
"""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from issues.detail_preview import preview
from releases.admin.thresholds import PercentField
from releases.models import Environment
from tenants.audit import Actor
from tenants.audited import AuditedModelAdmin
from tenants.detail_order import move
from tenants.models import DetailRule

STEPS = {"up": -1, "down": 1}
ARROWS = (("up", "↑"), ("down", "↓"))


@admin.register(DetailRule)
class DetailRuleAdmin(AuditedModelAdmin):
    """The first rule in this order that matches an event decides what stays of it."""

    list_display = ("order", "name", "holds_for", "detail", "bodies", "is_active")
    list_display_links = ("name",)
    list_filter = ("is_active", "detail", "project")
    list_select_related = ("project", "plan")
    search_fields = ("name", "tenant", "environment")
    ordering = ("position", "pk")
    sortable_by = ()
    fieldsets = (
        (None, {"fields": (("name", "position"), "is_active")}),
        (
            "Which events",
            {
                "fields": (
                    ("project", "environment"),
                    ("min_level", "max_level"),
                    ("tenant", "plan"),
                    ("tag_key", "tag_value"),
                    ("younger_hours", "older_hours"),
                )
            },
        ),
        ("What stays", {"fields": ("detail", ("share", "cap"))}),
    )
    list_before_template = "issues/detail_rules.html"
    change_form_after_template = "issues/detail_rule_try.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path(
                "preview/", wrap(self.preview_view), name="tenants_detailrule_preview"
            ),
            path(
                "<int:rule_id>/move/<str:step>/",
                wrap(require_POST(self.move_view)),
                name="tenants_detailrule_move",
            ),
            *super().get_urls(),
        ]

    def move_view(self, request: HttpRequest, rule_id: int, step: str) -> HttpResponse:
        """One place up or down."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        if not move(rule_id, STEPS.get(step, 0), Actor.of(request)):
            messages.warning(request, "The rule is at the end of the list already.")
        return HttpResponseRedirect(reverse("admin:tenants_detailrule_changelist"))

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """GET: what the saved rules would do; POST: with the rule as typed."""
        typed, form = None, None
        if request.method == "POST":
            if not self.has_change_permission(request):
                raise PermissionDenied
            form = self.typed_form(request)
            typed = form.instance if form.is_valid() else None
        elif not self.has_view_permission(request):
            raise PermissionDenied
        wrong = form is not None and typed is None
        context = {
            "form": form,
            "preview": None if wrong else preview(timezone.now(), typed),
            "title": "What the rules would leave",
            "content_title": "What the rules would leave",
        }
        return self.own_page(request, "issues/detail_preview.html", context)

    def form_context(self, request: HttpRequest, object_id: str) -> dict[str, Any]:
        names = Environment.objects.order_by("name").values_list("name", flat=True)
        return {
            "environments": names.distinct(),
            "of": object_id,
            "may_try": self.has_change_permission(request),
        }

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name == "share":
            return PercentField(
                initial=1.0,
                label="Bodies kept, %",
                help_text="Every event is counted; the event's id decides.",
            )
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "environment" and field is not None:
            field.widget.attrs["list"] = "environments"
        return field

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = super().get_list_display(request)
        return (
            ("place", *shown[1:]) if not self.has_change_permission(request) else shown
        )

    @admin.display(description="Order")
    def place(self, rule: DetailRule) -> int:
        return rule.position

    @admin.display(description="Order")
    def order(self, rule: DetailRule) -> SafeString:
        """Buttons inside the list's own form, which has the token."""
        buttons = (
            (reverse("admin:tenants_detailrule_move", args=[rule.pk, s]), s, s, arrow)
            for s, arrow in ARROWS
        )
        return format_html_join(
            " ",
            '<button class="rm-btn is-small" formmethod="post" formaction="{}" '
            'title="Move {}" aria-label="Move {}">{}</button>',
            buttons,
        )

    @admin.display(description="Which events")
    def holds_for(self, rule: DetailRule) -> str:
        return rule.conditions

    @admin.display(description="Bodies")
    def bodies(self, rule: DetailRule) -> str:
        share = "all" if rule.share >= 1 else f"{rule.share * 100:g} %"
        cap = f", at most {rule.cap} a minute and issue" if rule.cap is not None else ""
        return share + cap
