"""User feedback: the list, what one says, and the way to be rid of it."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from issues import attachments, feedback, queries
from issues.admin.payload import web_address
from issues.models import Feedback, Issue
from tenants.audited import EndlessPaginator, ReadOnlyAdmin, may, row_id

CLIPPED = 120


class LinkedFilter(admin.SimpleListFilter):
    title = "issue"
    parameter_name = "linked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [
            ("yes", "Linked to an issue"),
            ("waiting", "Its event is not stored"),
            ("none", "About no event"),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Feedback]
    ) -> QuerySet[Feedback]:
        chosen = LINKED.get(self.value() or "")
        return queryset.filter(**chosen) if chosen else queryset


LINKED: dict[str, dict[str, Any]] = {
    "yes": {"issue__isnull": False},
    "waiting": {"issue": None, "event_id__isnull": False},
    "none": {"issue": None, "event_id": None},
}


class FamilyFilter(admin.SimpleListFilter):
    """``?issue=`` of the issue page: with what is merged into it; offers nothing."""

    title = "one issue"
    parameter_name = "issue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(self.value(), f"Issue {self.value()}")] if self.value() else []

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Feedback]
    ) -> QuerySet[Feedback]:
        if not self.value():
            return queryset
        issue = Issue.objects.filter(pk=row_id(self.value() or "")).first()
        return queryset.filter(issue__in=queries.family_of(issue)[0] if issue else [])


@admin.register(Feedback)
class FeedbackAdmin(ReadOnlyAdmin):
    """Texts of strangers: shown as text, linked to their event and issue."""

    paginator = EndlessPaginator
    list_display = ("said", "who", "project", "issue_link", "tenant", "received")
    list_filter = ("project", LinkedFilter, FamilyFilter)
    search_fields = ("message", "name", "email")
    search_help_text = "Part of the message, the name or the e-mail address."
    ordering = ("-id",)
    fields = (
        *("message", "who", "user", "project", "received", "issue_link", "event_link"),
        *("page", "environment", "release", "tenant", "source", "replay_id"),
        *("files", "cleaned"),
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feedback]:
        return feedback.rows()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, "issues.delete_feedback")

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        feedback.delete([obj.pk])

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[Feedback]
    ) -> None:
        feedback.delete(list(queryset.order_by().values_list("pk", flat=True)))

    @admin.display(description="Message")
    def said(self, row: Feedback) -> str:
        text = " ".join(row.message[: 4 * CLIPPED].split())
        return text if len(text) <= CLIPPED else f"{text[:CLIPPED]}…"

    @admin.display(description="From")
    def who(self, row: Feedback) -> str:
        return " · ".join(filter(None, (row.name, row.email))) or "–"

    @admin.display(description="Issue")
    def issue_link(self, row: Feedback) -> SafeString | str:
        if row.issue is None:
            return "its event is not stored" if row.event_id else "–"
        shown = row.issue.merged_into or row.issue
        return _link("issues_issue_change", shown.pk, shown.short_id)

    @admin.display(description="Event")
    def event_link(self, row: Feedback) -> SafeString | str:
        if row.event_id is None:
            return "–"
        if row.issue is None:
            return row.event_id.hex
        return _link("issues_event_change", row.event_id.hex, row.event_id.hex)

    @admin.display(description="Page")
    def page(self, row: Feedback) -> SafeString | str:
        if not web_address(row.url):
            return row.url or "–"
        return format_html(
            '<span class="rm"><a class="rm-link rm-break" href="{0}" target="_blank"'
            ' rel="noopener noreferrer nofollow">{0}</a></span>',
            row.url,
        )

    @admin.display(description="Files")
    def files(self, row: Feedback) -> SafeString | str:
        found = attachments.of_event(row.project_id, row.feedback_id)
        links = (
            (_link("issues_attachment_change", file.pk, file.name),) for file in found
        )
        return format_html_join(", ", "{}", links) or "–"

    @admin.display(description="Cleaned")
    def cleaned(self, row: Feedback) -> SafeString | str:
        return format_html_join("\n", "{}", ((note,) for note in row.notes)) or "–"


def _link(page: str, key: object, text: str) -> SafeString:
    url = reverse(f"admin:{page}", args=[key])
    link = '<span class="rm"><a class="rm-link" href="{}">{}</a></span>'
    return format_html(link, url, text)
