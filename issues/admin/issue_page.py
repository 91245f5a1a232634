"""One issue: what it costs, what broke, who is hit, and what was done about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils import timezone

from issues import event_queries, feedback, queries
from issues.admin.event_page import event_context
from issues.admin.impact_parts import explained
from issues.admin.issue_forms import (
    ArchiveForm,
    AssignForm,
    CommentForm,
    ListForm,
    MergeIntoForm,
    ResolveForm,
    UnlistForm,
    offer,
    people,
)
from issues.models import Fingerprint, HitListEntry, Issue, IssueActivity
from issues.suspects import release_to_blame
from releases.models import Release
from tenants.audited import may, row_id
from tenants.charts import BarChart, bar_chart

HISTORY_LIMIT = 100
FINGERPRINTS_LIMIT = 50
RELEASES_OFFERED = 30


def find(object_id: str) -> Issue:
    """The issue of this id; raises Http404."""
    issues: QuerySet[Issue] = Issue.objects.select_related(
        "project", "stats", "assignee", "first_release", "resolution_release"
    )
    issue = issues.filter(pk=row_id(object_id)).first()
    if issue is None:
        raise Http404(f"No issue has the number {object_id}.")
    return issue


def page_context(request: HttpRequest, issue: Issue) -> dict[str, Any]:
    """All that the issue's template needs."""
    family, children = queries.family_of(issue)
    now = timezone.now()
    order = request.GET.get("tenants", "")
    order = order if order in queries.TENANT_ORDERS else "weight"
    chosen = request.GET.get("event", "")
    newest = event_queries.newest_events(family)
    oldest = chosen == "oldest"
    event_id = event_queries.oldest_event(family) if oldest else row_id(chosen)
    event = event_queries.shown_event(family, newest, event_id)
    return {
        "issue": issue,
        "stats": issue.stats,
        "impact": explained(issue.stats),
        "charts": charts(family, now),
        "children": children,
        "fingerprints": fingerprints(family),
        "event": event,
        "feedback": feedback.of_family(family),
        "neighbours": event and event_queries.neighbours(family, newest, event),
        "distributions": event_queries.tag_distributions(newest),
        "hits": queries.tenants_hit(family, order),
        "hits_order": order,
        "activities": activities(issue),
        "entry": entry_of(issue),
        "last_release": Release.objects.filter(pk=issue.stats.last_release_id).first(),
        **(
            event_context(request, event, release_to_blame(issue, event))
            if event
            else {}
        ),
        **action_context(request, issue),
    }


def charts(family: Sequence[int], now: Any) -> list[BarChart]:
    """Events over 14 days, 48 hours and the last hour, from two counters."""
    hours = queries.events_by_hour(family, now, 14 * 24)
    quarters = [
        (hours[i][0], sum(count for _, count in hours[i : i + 6]))
        for i in range(0, len(hours), 6)
    ]
    minutes = queries.events_by_minute(family, now, 60)
    return [
        bar_chart("14 days", quarters, time_format="%d %b", ticks=7),
        bar_chart("48 hours", hours[-48:], time_format="%d %b %H:00", ticks=6),
        bar_chart("60 minutes", minutes, time_format="%H:%M", ticks=6),
    ]


def fingerprints(family: Sequence[int]) -> list[Fingerprint]:
    rows = Fingerprint.objects.filter(issue__in=family).order_by("first_seen", "pk")
    return list(rows[:FINGERPRINTS_LIMIT])


def activities(issue: Issue) -> list[IssueActivity]:
    return list(issue.activities.order_by("-pk")[:HISTORY_LIMIT])


def entry_of(issue: Issue) -> HitListEntry | None:
    entries = HitListEntry.objects.filter(issue=issue, removed_at=None)
    return entries.select_related("owner", "rule").first()


@dataclass(frozen=True, slots=True)
class Dialog:
    """An action with its form, as the page offers it."""

    name: str
    title: str
    submit: str
    form: Any
    explanation: str = ""


def action_context(request: HttpRequest, issue: Issue) -> Mapping[str, Any]:
    """Buttons and dialogs, by what the person may do; nothing for viewers."""
    may_change = may(request, "issues.change_issue")
    may_list = may(request, "issues.add_hitlistentry")
    context: dict[str, Any] = {
        "may_change": may_change,
        "may_list": may_list,
        "may_unlist": may(request, "issues.delete_hitlistentry"),
        "dialogs": [],
    }
    if not may_change and not may_list:
        return context
    persons = list(people())
    if may_change:
        context["dialogs"] += _change_dialogs(issue, persons)
        context["comment_form"] = CommentForm()
        context["releases"] = _releases(issue)
    if may_list:
        form = ListForm(initial={"hours": "72", "owner": issue.assignee_id})
        offer(form, "owner", persons)
        context["dialogs"].append(
            Dialog(
                "list",
                "Put on the hit list",
                "Put on the list",
                form,
                "The hit list is what the team has agreed to fix, worst impact first.",
            )
        )
        context["dialogs"].append(
            Dialog("unlist", "Take off the hit list", "Take off", UnlistForm())
        )
    return context


def _change_dialogs(issue: Issue, persons: Sequence[User]) -> list[Dialog]:
    assign = AssignForm(initial={"user": issue.assignee_id})
    offer(assign, "user", persons)
    return [
        Dialog("resolve", "Resolve", "Resolve", ResolveForm()),
        Dialog(
            "archive",
            "Archive",
            "Archive",
            ArchiveForm(),
            "Put aside until any of these is reached; leave all empty for good.",
        ),
        Dialog("assign", "Assign", "Assign", assign),
        Dialog(
            "merge-into",
            "Merge into another issue",
            "Merge",
            MergeIntoForm(),
            "Later events of this issue will follow; merging can be undone.",
        ),
    ]


def _releases(issue: Issue) -> list[str]:
    newest = Release.objects.filter(project=issue.project_id).order_by(
        "-first_seen", "-pk"
    )
    return list(newest.values_list("version", flat=True)[:RELEASES_OFFERED])
