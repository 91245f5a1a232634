"""Rollback targets with their test, rollbacks with their logs, and "roll back now"."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from releases.admin.deploy_state import UNDER_WAY
from releases.admin.words import ROLLBACKS, tone, web_link
from releases.models import Deploy, Rollback, RollbackTarget
from releases.rollbacks import ordering
from releases.rollbacks.interlocks import plan_of
from releases.rollbacks.probing import probe
from releases.rollbacks.target_checks import problems_of
from tenants.admin.secret_form import SecretForm, secret_field
from tenants.audit import Actor
from tenants.audited import AuditedModelAdmin, ReadOnlyAdmin, may, row_id
from tenants.refusals import Refusal
from tenants.talks import Fate

if TYPE_CHECKING:
    from django.forms import Textarea, TextInput
else:
    from unfold.widgets import UnfoldAdminTextareaWidget as Textarea
    from unfold.widgets import UnfoldAdminTextInputWidget as TextInput

State = Rollback.State

OPTIONS = (
    'Webhook: {}. GitHub: {"repository": "owner/name", "workflow": "rollback.yml"} and '
    'perhaps "ref", "inputs". GitLab: {"project": "group/name"} and perhaps "ref", '
    '"variables". Argo CD: {"application": "name"} and perhaps "project", '
    '"app_namespace", "prune".'
)
URLS = (
    "The webhook's own; else the server: https://api.github.com, "
    "https://gitlab.example.com, https://argocd.example.com."
)


def badge(state: str) -> SafeString:
    """A rollback's state in its colour."""
    label = Rollback.State(state).label.lower()
    kind, _ = ROLLBACKS[Rollback.State(state)]
    return format_html('<span class="rm-badge is-{}">{}</span>', kind, label)


class TargetForm(SecretForm):
    url = forms.URLField(
        label="URL",
        max_length=500,
        assume_scheme="https",
        widget=TextInput(attrs={"inputmode": "url"}),
        help_text=URLS,
    )
    new_secret = secret_field()
    secrets = {"secret": "The signing key of a webhook, or the token of an API."}

    class Meta:
        model = RollbackTarget
        fields = [
            "name",
            "project",
            "environment",
            "kind",
            "url",
            "options",
            "honours_idempotency_key",
            "is_active",
            "dry_run",
            "cool_down_minutes",
            "max_per_day",
        ]
        help_texts = {"options": OPTIONS}
        widgets = {"options": Textarea(attrs={"rows": 4})}

    def clean_options(self) -> Any:
        return self.cleaned_data["options"] or {}

    def problems(
        self, before: RollbackTarget | None, given: Mapping[str, Any], new_secret: str
    ) -> Mapping[str, str]:
        return problems_of(before, given, new_secret)


@admin.register(RollbackTarget)
class RollbackTargetAdmin(AuditedModelAdmin):
    form = TargetForm
    list_display = ("name", "place", "kind", "url", "state")
    list_filter = ("kind", "is_active", "project")
    list_select_related = ("project",)
    search_fields = ("name", "url")
    fieldsets = (
        (None, {"fields": ("name", ("project", "environment"))}),
        (
            "Call",
            {
                "fields": (
                    "kind",
                    "url",
                    "new_secret",
                    "options",
                    "honours_idempotency_key",
                )
            },
        ),
        (
            "Care",
            {
                "fields": (
                    ("is_active", "dry_run"),
                    ("cool_down_minutes", "max_per_day"),
                )
            },
        ),
    )
    change_form_outer_before_template = "releases/target_test_card.html"

    def get_urls(self) -> list[URLPattern]:
        test = path(
            "<int:target_id>/test/",
            self.admin_site.admin_view(require_POST(self.test_view)),
            name="releases_rollbacktarget_test",
        )
        return [test, *super().get_urls()]

    @admin.display(description="For", ordering="project__name")
    def place(self, target: RollbackTarget) -> str:
        project = target.project or "every project"
        return f"{project}, {target.environment or 'every environment'}"

    @admin.display(description="State")
    def state(self, target: RollbackTarget) -> SafeString:
        kind, label = "resolved", "active"
        if not target.is_active:
            kind, label = "warning", "switched off"
        elif target.dry_run:
            kind, label = "info", "dry run"
        return format_html('<span class="rm-badge is-{}">{}</span>', kind, label)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        allowed = may(request, "releases.change_rollbacktarget")
        test = row_id(object_id) if allowed else 0
        context = {**(extra_context or {}), "test_of": test}
        return super().change_view(request, object_id, form_url, context)

    def test_view(self, request: HttpRequest, target_id: int) -> HttpResponse:
        """Make the test call and show its answer."""
        if not may(request, "releases.change_rollbacktarget"):
            raise PermissionDenied
        target = get_object_or_404(RollbackTarget, pk=target_id)
        outcome = probe(target, Actor.of(request), timezone.now())
        context = {
            "target": target,
            "outcome": outcome,
            "works": outcome.fate == Fate.CALLED,
            "title": f"Test of {target}",
            "content_title": f"Test of {target}",
        }
        return self.own_page(request, "releases/target_test.html", context)


@admin.register(Rollback)
class RollbackAdmin(ReadOnlyAdmin):
    list_display = (
        "at",
        "project",
        "environment",
        "back",
        "state_badge",
        "what_happened",
        "by",
    )
    list_display_links = ("at",)
    list_filter = ("state", "deploy__project")
    list_select_related = (
        "deploy__project",
        "deploy__environment",
        "deploy__release",
        "to_release",
    )
    search_fields = ("deploy__release__version", "to_release__version", "requested_by")
    search_help_text = "Release or person"
    ordering = ("-id",)

    def get_urls(self) -> list[URLPattern]:
        order = path(
            "order/<int:deploy_id>/",
            self.admin_site.admin_view(self.order_view),
            name="releases_rollback_order",
        )
        return [order, *super().get_urls()]

    @admin.display(description="Ordered", ordering="created")
    def at(self, rollback: Rollback) -> SafeString:
        text = f"{rollback.created:%Y-%m-%d %H:%M}"
        return format_html('<span class="rm-num">{}</span>', text)

    @admin.display(description="Project", ordering="deploy__project__name")
    def project(self, rollback: Rollback) -> str:
        return str(rollback.deploy.project)

    @admin.display(description="Environment", ordering="deploy__environment__name")
    def environment(self, rollback: Rollback) -> str:
        return str(rollback.deploy.environment)

    @admin.display(description="Releases")
    def back(self, rollback: Rollback) -> str:
        return f"{rollback.deploy.release} → {rollback.to_release or 'none'}"

    @admin.display(description="State", ordering="state")
    def state_badge(self, rollback: Rollback) -> SafeString:
        return badge(rollback.state)

    @admin.display(description="What happened")
    def what_happened(self, rollback: Rollback) -> SafeString:
        return format_html(
            '<span class="rm-rollback-told">{}</span>', rollback.explanation
        )

    @admin.display(description="By", ordering="requested_by")
    def by(self, rollback: Rollback) -> str:
        return rollback.requested_by or "verdict"

    def change_view(
        self, request: HttpRequest, object_id: str, *_: Any, **__: Any
    ) -> HttpResponse:
        self.must_view(request)
        rollback = found(object_id)
        again = rollback.state in (State.UNKNOWN, State.FAILED, State.REFUSED)
        context = {
            "rollback": rollback,
            "badge": badge(rollback.state),
            "is_loud": ROLLBACKS[State(rollback.state)][0] == "fatal",
            "moving": rollback.state in UNDER_WAY,
            "steps": [(entry, tone(entry.what)) for entry in rollback.log.all()],
            "watch": getattr(rollback.deploy, "watch", None),
            "run": web_link(rollback.run_url),
            "may_order": again and may(request, "releases.add_rollback"),
            "title": f"Rollback {rollback.pk}",
            "content_title": f"Rollback {rollback.pk}",
        }
        return self.own_page(request, "releases/rollback.html", context)

    def order_view(self, request: HttpRequest, deploy_id: int) -> HttpResponse:
        """What a rollback of a deploy would do, and the button that orders it."""
        if not may(request, "releases.add_rollback"):
            raise PermissionDenied
        related = ("project", "environment", "release")
        deploy = get_object_or_404(
            Deploy.objects.select_related(*related), pk=deploy_id
        )
        if request.method == "POST":
            return order(request, deploy)
        plan = plan_of(deploy, timezone.now())
        held = [lock for lock in plan.interlocks if not lock.overridable]
        context = {
            "deploy": deploy,
            "plan": plan,
            "held": held,
            "passable": [lock for lock in plan.interlocks if lock.overridable],
            "title": "Roll back now",
            "content_title": "Roll back now",
        }
        return self.own_page(request, "releases/rollback_order.html", context)


def order(request: HttpRequest, deploy: Deploy) -> HttpResponse:
    """Order the rollback that the page showed, and go to its page."""
    override = request.POST.getlist("override")
    try:
        row = ordering.order(deploy, Actor.of(request), timezone.now(), override)
    except Refusal as refusal:
        messages.error(request, str(refusal))
        page = reverse("admin:releases_rollback_order", args=[deploy.pk])
        return HttpResponseRedirect(page)
    level = messages.ERROR if row.state == State.REFUSED else messages.SUCCESS
    messages.add_message(request, level, row.explanation)
    return HttpResponseRedirect(
        reverse("admin:releases_rollback_change", args=[row.pk])
    )


def found(object_id: str) -> Rollback:
    """The rollback of this id with all that its page shows; raises Http404."""
    rows: QuerySet[Rollback] = Rollback.objects.select_related(
        "deploy__project",
        "deploy__environment",
        "deploy__release",
        "deploy__watch",
        "to_release",
        "target",
    )
    rollback = rows.filter(pk=row_id(object_id)).first()
    if rollback is None:
        raise Http404(f"No rollback has the number {object_id}.")
    return rollback
