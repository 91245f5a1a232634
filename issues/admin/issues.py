"""Issues in the admin: the list, the page, and the posts that change them."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from issues.admin import issue_list, issue_page
from issues.admin.issue_actions import ACTIONS, perform
from issues.models import Issue
from tenants.audited import AuditedModelAdmin


@admin.register(Issue)
class IssueAdmin(AuditedModelAdmin):
    """Issues are read here and changed by actions, never by a form of columns."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        act = path(
            "<int:issue_id>/act/<slug:name>/",
            self.admin_site.admin_view(require_POST(self.act_view)),
            name="issues_issue_act",
        )
        return [act, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        self.must_view(request)
        if request.method == "POST":
            return issue_list.do_bulk(request)
        context = {
            **issue_list.list_context(request),
            "content_title": "Issues",
            "title": "Issues",
        }
        return self.own_page(request, "issues/list.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, *_: Any, **__: Any
    ) -> HttpResponse:
        self.must_view(request)
        issue = issue_page.find(object_id)
        if issue.merged_into_id:
            return HttpResponseRedirect(page_url(issue.merged_into_id))
        context = {
            **issue_page.page_context(request, issue),
            "title": issue.title,
            "content_title": issue.short_id,
        }
        return self.own_page(request, "issues/issue.html", context)

    def act_view(self, request: HttpRequest, issue_id: int, name: str) -> HttpResponse:
        """Do one action to one issue and return to its page."""
        if name not in ACTIONS:
            raise Http404("There is no such action.")
        issues = Issue.objects.select_related("project", "stats")
        issue = get_object_or_404(issues, pk=issue_id)
        perform(request, name, [issue])
        return HttpResponseRedirect(page_url(issue_id))


def page_url(issue_id: int) -> str:
    return reverse("admin:issues_issue_change", args=[issue_id])
