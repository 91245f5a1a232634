"""Stored events: what one tells, the list of them, and the raw JSON."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import zstandard
from django import forms
from django.contrib import admin, messages
from django.db import OperationalError, connection, transaction
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    QueryDict,
)
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from issues import attachments, event_queries, feedback, queries
from issues.admin import payload, stacktrace
from issues.admin.attachments import may_download
from issues.admin.issue_filters import ANY, PERIODS, LocalDateTime
from issues.digest.detail import read_note
from issues.event_queries import EventFilter
from issues.models import Event, Issue
from issues.search import as_event_id
from issues.source_links import links_of
from issues.suspects import commits_behind
from releases.models import Release
from tenants.audited import ReadOnlyAdmin, may, row_id
from tenants.models import Project, Tenant

PER_PAGE = 50
# Longer than any page should take, shorter than people wait.
PATIENCE_MS = 5000


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of the event, with the search that finds issues which share it."""

    key: str
    value: str


def event_context(
    request: HttpRequest, event: Event, blamed_id: int | None = None
) -> dict[str, Any]:
    """An event's body arranged for the template, and its attachments.

    The suspect commits are those of the release ``blamed_id``, else of the event's.
    """
    body, readable = _body(event)
    links = links_of(event.project_id, event.release)
    tags = [Tag(*tag.partition("=")[::2]) for tag in sorted(event.tags)]
    return {
        "body_kept": event.body is not None,
        "body_readable": readable,
        "message": payload.message_of(body),
        "traces": stacktrace.exceptions(body, links)
        or stacktrace.bare_trace(body, links),
        "threads": stacktrace.threads(body, links),
        "suspect_commits": commits_behind(blamed_id or event.release_id, body, links),
        "crumbs": payload.breadcrumbs(body),
        "request_data": payload.request_of(body),
        "user_rows": payload.user_rows(body),
        "tags": tags,
        "contexts": payload.contexts(body),
        "further": payload.further_sections(body),
        "notes": payload.notes(body),
        "detail": read_note(body, event.level) if body else None,
        "scrubbed": payload.scrubbed(body),
        "attachments": attachments.of_event(event.project_id, event.event_id),
        "may_download": may_download(request),
    }


def _body(event: Event) -> tuple[dict[str, Any], bool]:
    """The body, and whether it can be read: one bad row must not hide its issue."""
    try:
        return event.payload, True
    except (ValueError, LookupError, zstandard.ZstdError):
        return {}, False


class EventFilterForm(forms.Form):
    """What the event list may be narrowed to."""

    project = forms.ChoiceField(required=False)
    issue = forms.IntegerField(label="Issue number", required=False, min_value=1)
    tenant = forms.CharField(required=False, max_length=200)
    release = forms.CharField(required=False, max_length=250)
    event_id = forms.CharField(label="Event id", required=False, max_length=36)
    period = forms.ChoiceField(
        label="Received",
        choices=[
            *((key, name) for key, (name, _) in PERIODS.items()),
            ("any", "Any time"),
            ("custom", "Custom…"),
        ],
    )
    start = forms.DateTimeField(label="From", required=False, widget=LocalDateTime())
    end = forms.DateTimeField(label="Until", required=False, widget=LocalDateTime())
    before = forms.IntegerField(required=False, min_value=1)

    def __init__(self, query: QueryDict) -> None:
        given = query.copy()
        # These two have an index of their own: no need to stay within few partitions.
        narrow = query.get("issue") or query.get("event_id")
        given.setdefault("period", "any" if narrow else "24h")
        super().__init__(given, label_suffix="")
        projects = Project.objects.values_list("pk", "name")
        choice = self.fields["project"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [ANY, *((str(pk), name) for pk, name in projects)]
        for field in self.fields.values():
            field.widget.attrs["class"] = "rm-input"

    def clean_tenant(self) -> int | None:
        key = self.cleaned_data["tenant"].strip().lower()
        return _known(Tenant.objects.filter(key=key), key, "tenant has the key")

    def clean_release(self) -> list[int]:
        version = self.cleaned_data["release"].strip()
        releases = Release.objects.filter(version=version)
        _known(releases, version, "release is called")
        return list(releases.values_list("pk", flat=True)) if version else []

    def clean_issue(self) -> list[int] | None:
        """The ids of the issue's family."""
        number = self.cleaned_data["issue"]
        if number is None:
            return None
        issue = Issue.objects.filter(pk=number).first()
        if issue is None:
            raise forms.ValidationError(f"No issue has the number {number}.")
        return queries.family_of(issue)[0]

    def clean_event_id(self) -> UUID | None:
        text = self.cleaned_data["event_id"].strip()
        found = as_event_id(text)
        if text and found is None:
            raise forms.ValidationError("An event id has 32 hex digits.")
        return found

    def chosen(self, now: datetime) -> EventFilter:
        """The filter that the fields tell."""
        given = self.cleaned_data
        start, end = given.get("start"), given.get("end")
        if given["period"] != "custom":
            known = PERIODS.get(given["period"])
            start, end = (now - known[1] if known else None), None
        return EventFilter(
            project_id=int(given["project"]) if given.get("project") else None,
            issue_ids=given.get("issue"),
            tenant_id=given.get("tenant"),
            release_ids=given.get("release") or None,
            start=start,
            end=end,
            event_id=given.get("event_id"),
        )


def _known(rows: Any, text: str, verb: str) -> int | None:
    if not text:
        return None
    found = rows.values_list("pk", flat=True).first()
    if found is None:
        raise forms.ValidationError(f"No {verb} {text}.")
    return int(found)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Events are read only; the list walks backwards by id and never counts."""

    def get_urls(self) -> list[URLPattern]:
        raw = path(
            "<int:event_id>/json/",
            self.admin_site.admin_view(self.json_view),
            name="issues_event_json",
        )
        return [raw, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        self.must_view(request)
        form = EventFilterForm(request.GET)
        form.is_valid()
        for name, errors in form.errors.items():
            messages.error(request, f"{form.fields[name].label or name}: {errors[0]}")
        events, more = ([], False) if form.errors else self._page(request, form)
        context = {
            "form": form,
            "events": events,
            "more": more,
            "last_id": events[-1].pk if events else None,
            "paged": bool(form.cleaned_data.get("before")),
            "title": "Events",
            "content_title": "Events",
        }
        return self.own_page(request, "issues/events.html", context)

    def _page(
        self, request: HttpRequest, form: EventFilterForm
    ) -> tuple[list[Event], bool]:
        """A rare tenant in a wide time makes PostgreSQL read much: it gets a limit."""
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {PATIENCE_MS}")
                return event_queries.events_before(
                    form.chosen(timezone.now()),
                    form.cleaned_data.get("before"),
                    PER_PAGE,
                )
        except OperationalError:
            messages.error(
                request,
                "That took too long. Choose an issue, or a shorter time of receipt.",
            )
            return [], False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        try:
            event = self._event(request, object_id)
        except Http404:
            # Files of a feedback name it as they would an event.
            event_id = as_event_id(object_id)
            written = feedback.named(event_id) if event_id else None
            if written is None:
                raise
            page = reverse("admin:issues_feedback_change", args=[written.pk])
            return HttpResponseRedirect(page)
        context = {
            **event_context(request, event),
            "event": event,
            "feedback": feedback.of_event(event.project_id, event.event_id),
            "issue": event.issue.merged_into or event.issue,
            "may_scrub": may(request, "tenants.add_scrubrule"),
            "title": event.title,
            "content_title": f"Event {event.event_id.hex[:8]}",
        }
        return self.own_page(request, "issues/event.html", context)

    def json_view(self, request: HttpRequest, event_id: int) -> HttpResponse:
        """The event as stored; a download, so that no browser renders it."""
        event = self._event(request, str(event_id))
        body, _ = _body(event)
        if not body:
            raise Http404("The body of this event was not kept, or cannot be read.")
        text = orjson.dumps(body, option=orjson.OPT_INDENT_2)
        answer = HttpResponse(text, content_type="application/json")
        answer["Content-Disposition"] = (
            f'attachment; filename="event-{event.event_id.hex}.json"'
        )
        answer["X-Content-Type-Options"] = "nosniff"
        return answer

    def _event(self, request: HttpRequest, object_id: str) -> Event:
        """By row id, or by event id as alerts and logs write it."""
        self.must_view(request)
        events = Event.objects.select_related(
            "project", "issue__project", "issue__merged_into__project"
        ).select_related("release", "environment", "tenant")
        event_id = as_event_id(object_id)
        if event_id:
            event = events.filter(event_id=event_id).first()
        else:
            event = events.filter(pk=row_id(object_id)).first()
        if event is None:
            raise Http404("No such event is stored; bodies are kept for some days.")
        return event
