"""The hit list: what the team has agreed to fix, the head being next."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from issues.admin.issue_actions import named_issue, perform
from issues.admin.issue_forms import ListForm, UnlistForm
from issues.admin.issue_list import rows_of
from issues.models import HitListEntry, HitRule
from tenants.audited import AuditedModelAdmin, may

SHOWN = 100
PAST = 20

# Listed issues with all that their rows tell.
RELATED = ("issue__project", "issue__stats", "issue__assignee", "owner", "rule")


def current_entries(limit: int) -> list[HitListEntry]:
    """The entries that stand, worst impact first."""
    return list(HitListEntry.objects.current().select_related(*RELATED)[:limit])


class AddForm(ListForm):
    """Puts an issue on the list by its name."""

    issue = forms.CharField(
        max_length=100,
        widget=forms.TextInput(attrs={"class": "rm-input"}),
        help_text="Its number or short id, such as CHECKOUT-42.",
    )
    field_order = ("issue", "reason", "owner", "hours")


@admin.register(HitListEntry)
class HitListAdmin(AuditedModelAdmin):
    """Entries end with a reason and stay as history: they are never deleted."""

    fields = ("issue", "owner", "reason", "expires_at", "added_at", "added_by", "rule")
    readonly_fields = ("issue", "added_at", "added_by", "rule")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        views = (
            ("add/", self.add_entry, "issues_hitlistentry_add"),
            ("<int:entry_id>/remove/", self.remove_entry, "issues_hitlistentry_remove"),
        )
        posts = [
            path(where, self.admin_site.admin_view(require_POST(view)), name=name)
            for where, view, name in views
        ]
        return [*posts, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        self.must_view(request)
        entries = current_entries(SHOWN)
        rows = rows_of(entry.issue for entry in entries)
        past = HitListEntry.objects.exclude(removed_at=None).select_related(*RELATED)
        context = {
            "listed": list(zip(entries, rows, strict=True)),
            "past": past.order_by("-removed_at")[:PAST],
            "add_form": AddForm(initial={"hours": "72", "owner": request.user.pk}),
            "unlist_form": UnlistForm(),
            "may_list": may(request, "issues.add_hitlistentry"),
            "may_change": may(request, "issues.change_hitlistentry"),
            "may_unlist": may(request, "issues.delete_hitlistentry"),
            "title": "Hit list",
            "content_title": "Hit list",
        }
        return self.own_page(request, "issues/hit_list.html", context)

    def add_entry(self, request: HttpRequest) -> HttpResponse:
        """Put the named issue on the list."""
        name = request.POST.get("issue", "")
        issue = named_issue(name)
        if issue is None:
            messages.error(request, f"No issue is called {name or 'nothing'}.")
        else:
            perform(request, "list", [issue])
        return _back()

    def remove_entry(self, request: HttpRequest, entry_id: int) -> HttpResponse:
        """Take one entry off the list."""
        entries = HitListEntry.objects.select_related("issue__project", "issue__stats")
        entry = get_object_or_404(entries, pk=entry_id)
        perform(request, "unlist", [entry.issue])
        return _back()


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:issues_hitlistentry_changelist"))


@admin.register(HitRule)
class HitRuleAdmin(AuditedModelAdmin):
    list_display = ("name", "conditions", "project", "owner", "expiry", "is_active")
    list_filter = ("is_active", "project")
    list_select_related = ("project", "owner")
    search_fields = ("name", "pattern")
    fields = (
        ("name", "is_active"),
        "project",
        ("min_score", "min_tenants"),
        "pattern",
        ("owner", "expires_after_hours"),
    )

    @admin.display(description="Lists open issues with")
    def conditions(self, rule: HitRule) -> str:
        found = []
        if rule.min_score is not None:
            found.append(f"score ≥ {rule.min_score:g}")
        if rule.min_tenants is not None:
            found.append(f"≥ {rule.min_tenants:,} tenants in 60 min")
        if rule.pattern:
            found.append(f"title or culprit like {rule.pattern}")
        return " and ".join(found)

    @admin.display(description="For", ordering="expires_after_hours")
    def expiry(self, rule: HitRule) -> str:
        return f"{rule.expires_after_hours} h"
