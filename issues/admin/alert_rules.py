"""Alert rules in the admin: each as a sentence, and what it would have told."""

import json
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from issues.admin.incidents import OffersChannels, TellsPeople
from issues.alerts.asking import if_text, then_text, when_text
from issues.alerts.preview import preview
from issues.models import Alert, AlertRule
from issues.models.alert_rule import (
    COMPARES,
    OF_ISSUES,
    OF_PLACES,
    OF_RELEASES,
    SPANS,
)
from tenants.audited import AuditedModelAdmin, row_id

if TYPE_CHECKING:
    from django.forms import ModelForm

    BaseForm = ModelForm[AlertRule]
else:
    from django.forms import ModelForm as BaseForm

SHOWN = 200


# Fields that only some kinds of rules have; all others stand in every form.
ASKED = {
    "threshold": (*COMPARES, "hit_list"),
    "minutes": SPANS,
    "project": OF_PLACES,
    "environment": OF_PLACES,
    "release": OF_RELEASES,
    **dict.fromkeys(
        ("min_level", "tag_key", "tag_value", "tenant", "plan", "path"),
        OF_ISSUES,
    ),
}


class AlertRuleForm(TellsPeople, BaseForm):
    """What the chosen kind does not have is not shown, and counts as left empty."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        empty = AlertRule()
        for name, whens in ASKED.items():
            if name in cleaned and cleaned.get("when") not in whens:
                cleaned[name] = getattr(empty, name)
        return cleaned


@admin.register(AlertRule)
class AlertRuleAdmin(OffersChannels, AuditedModelAdmin):
    form = AlertRuleForm
    goes_along = (Alert,)
    # Expressions over the form's fields, for unfold.
    conditional_fields = {
        name: f"{json.dumps(whens)}.includes(when)" for name, whens in ASKED.items()
    }
    list_display = ("name", "when_told", "if_told", "then_told", "is_active", "try_it")
    list_filter = ("is_active", "when", "project")
    list_select_related = ("project", "plan")
    search_fields = ("name",)
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": (("name", "is_active"),)}),
        ("When", {"fields": ("when", "threshold", "minutes")}),
        (
            "If",
            {
                "fields": (
                    *("project", "environment", "release", "min_level"),
                    *("tag_key", "tag_value", "tenant", "plan", "path"),
                )
            },
        ),
        (
            "Then",
            {"fields": ("channels", "people", "severity", "opens_incident")},
        ),
        (
            "How often, and when not",
            {
                "fields": (
                    ("repeat_minutes", "digest_minutes"),
                    ("quiet_from", "quiet_until"),
                    ("quiet_timezone", "ignores_quiet_hours"),
                )
            },
        ),
    )
    list_before_template = "issues/alert_rules.html"
    change_form_outer_before_template = "issues/alert_rule_link.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("channels", "people")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.preview_view)
        page = path("<int:rule_id>/preview/", view, name="issues_alertrule_preview")
        return [page, *super().get_urls()]

    def preview_view(self, request: HttpRequest, rule_id: int) -> HttpResponse:
        """What the saved rule would have told in the last seven days."""
        self.must_view(request)
        rule = get_object_or_404(self.get_queryset(request), pk=rule_id)
        found = preview(rule, timezone.now())
        context = {
            "rule": rule,
            "preview": found,
            "shown": found.messages[:SHOWN],
            "title": f"What {rule} would have told",
            "content_title": f"What {rule} would have told",
        }
        return self.own_page(request, "issues/alert_preview.html", context)

    @admin.display(description="When", ordering="when")
    def when_told(self, rule: AlertRule) -> str:
        return when_text(rule)

    @admin.display(description="If")
    def if_told(self, rule: AlertRule) -> str:
        return if_text(rule) or "always"

    @admin.display(description="Then")
    def then_told(self, rule: AlertRule) -> str:
        return then_text(rule)

    @admin.display(description="Last 7 days")
    def try_it(self, rule: AlertRule) -> SafeString:
        url = reverse("admin:issues_alertrule_preview", args=[rule.pk])
        return format_html('<a class="rm-link" href="{}">Preview</a>', url)

    def form_context(self, request: HttpRequest, object_id: str) -> dict[str, Any]:
        rule = AlertRule.objects.filter(pk=row_id(object_id)).first()
        return {"rule": rule}
