"""The issue list: filters in, one page of rows out, and the bulk bar."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from issues import queries
from issues.admin.issue_actions import BULK, perform
from issues.admin.issue_filters import IssueFilterForm, narrow
from issues.admin.issue_forms import ListForm, offer
from issues.models import Issue
from tenants.audited import may, row_id
from tenants.charts import Sparkline, sparkline
from tenants.pages import COUNT_CAP, capped_count

TICKED = 100  # most issues that one bulk action changes
COLUMNS = {
    "impact": "Impact",
    "title": "Issue",
    "trend": "24 hours",
    "events": "Events",
    "tenants": "Tenants",
    "users": "Users",
    "last_seen": "Last seen",
    "first_seen": "First seen",
}


@dataclass(frozen=True, slots=True)
class IssueRow:
    """An issue with what the page adds to it."""

    issue: Issue
    spark: Sparkline


def rows_of(issues: Iterable[Issue]) -> list[IssueRow]:
    """The issues with their trends: two queries for all of them."""
    shown = list(issues)
    if not shown:
        return []
    now = timezone.now()
    families = queries.families_of([issue.pk for issue in shown])
    trends = queries.trends(families, now)
    return [IssueRow(issue, sparkline(trends[issue.pk])) for issue in shown]


def list_context(request: HttpRequest) -> dict[str, Any]:
    """All that the template needs; complaints about filters become messages."""
    assert isinstance(request.user, User)
    form = IssueFilterForm(request.GET)
    found = narrow(form, request.user, timezone.now())
    for complaint in found.complaints:
        messages.error(request, complaint)
    list_form = ListForm()
    # A required field in a closed dialog would block the other buttons of the bar.
    list_form.use_required_attribute = False
    offer(list_form, "owner", form.people)
    page = queries.page_of(found.issues, found.page)
    return {
        "form": form,
        "rows": rows_of(page.rows),
        "page": page,
        "count": capped_count(found.issues),
        "count_cap": COUNT_CAP,
        "order": found.order,
        "orders": queries.ORDERS,
        "columns": COLUMNS,
        "status": form.cleaned_data.get("status") or Issue.Status.OPEN.value,
        "chips": chips(form),
        "list_form": list_form,
        "may_change": may(request, "issues.change_issue"),
        "may_list": may(request, "issues.add_hitlistentry"),
    }


def chips(form: IssueFilterForm) -> list[tuple[str, str, str]]:
    """The filters that are set: parameter, label, value as shown."""
    set_filters = []
    for bound in form:
        value = form.cleaned_data.get(bound.name)
        if bound.name in {"q", "order", "page", "status"} or value in (None, ""):
            continue
        choices = dict(getattr(bound.field, "choices", ()))
        shown = str(choices.get(str(value), value))
        set_filters.append((bound.name, str(bound.label), shown))
    return set_filters


def do_bulk(request: HttpRequest) -> HttpResponse:
    """Do the chosen action to the ticked issues, then show the same list again."""
    name = request.POST.get("action", "")
    if name not in BULK:
        raise Http404("There is no such action.")
    ids = [row_id(pk) for pk in request.POST.getlist("ids")]
    chosen = list(
        queries.listed_issues("impact")
        .select_related("project", "stats")
        .filter(pk__in=ids[:TICKED])
    )
    if chosen:
        perform(request, name, chosen)
    else:
        messages.warning(request, "Tick at least one issue first.")
    return HttpResponseRedirect(request.get_full_path())
