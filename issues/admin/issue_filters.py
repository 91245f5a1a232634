"""The issue list's filters: from the query string to a queryset."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import QueryDict

from issues import queries
from issues.models import Issue, Level
from issues.models.issue import IssueQuerySet
from issues.search import search
from issues.terms import SearchError, hit, tagged
from releases.models import Environment, Release
from tenants.models import Project, Tenant
from tenants.pages import LAST_PAGE

ANY = ("", "Any")
PERIODS = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}
STATUSES = [*Issue.Status.choices, ("all", "All")]
RELEASES_OFFERED = 50

Choices = list[tuple[str, str]]


class LocalDateTime(forms.DateTimeInput):
    """The browser's own picker; times are UTC like everything on the pages."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class IssueFilterForm(forms.Form):
    """Every filter may be missing; a wrong one is told and left out."""

    q = forms.CharField(required=False, max_length=1000, strip=True)
    status = forms.ChoiceField(choices=STATUSES, required=False)
    project = forms.ChoiceField(required=False)
    environment = forms.ChoiceField(required=False)
    release = forms.CharField(required=False, max_length=250)
    level = forms.TypedChoiceField(
        choices=[ANY, *((str(value), label) for value, label in Level.choices)],
        coerce=int,
        empty_value=None,
        required=False,
    )
    tenant = forms.CharField(required=False, max_length=200)
    assignee = forms.ChoiceField(required=False)
    period = forms.ChoiceField(
        label="Last seen",
        choices=[
            ("", "Any time"),
            *((key, name) for key, (name, _) in PERIODS.items()),
            ("custom", "Custom…"),
        ],
        required=False,
    )
    start = forms.DateTimeField(label="From", required=False, widget=LocalDateTime())
    end = forms.DateTimeField(label="Until", required=False, widget=LocalDateTime())
    order = forms.ChoiceField(
        choices=[(order, order) for order in queries.ORDERS], required=False
    )
    page = forms.IntegerField(
        min_value=1,
        max_value=LAST_PAGE,
        required=False,
        error_messages={
            "max_value": "Only the first %(limit_value)s pages are shown: narrow the "
            "list by a filter or a search."
        },
    )

    def __init__(self, query: QueryDict) -> None:
        super().__init__(query, label_suffix="")
        self.projects = list(Project.objects.only("pk", "slug", "name"))
        self._offer("project", [(p.slug, p.name) for p in self.projects])
        environments = Environment.objects.order_by("name").values_list("name")
        self._offer("environment", [(n, n) for (n,) in environments.distinct()])
        people = User.objects.filter(is_active=True, is_staff=True).order_by("username")
        self.people = list(people.only("pk", "username"))
        names = [(person.username, person.username) for person in self.people]
        self._offer("assignee", [("me", "Me"), ("nobody", "Nobody"), *names])
        for filter_field in self.fields.values():
            filter_field.widget.attrs["class"] = "rm-input"
        self.fields["release"].widget.attrs |= {
            "list": "releases",
            "placeholder": "Any",
        }
        self.fields["tenant"].widget.attrs["placeholder"] = "Any"

    def _offer(self, name: str, choices: Choices) -> None:
        choice = self.fields[name]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [ANY, *choices]

    def releases(self) -> list[str]:
        """The newest releases, for the field's suggestions."""
        newest = Release.objects.order_by("-first_seen", "-id")
        return list(newest.values_list("version", flat=True)[:RELEASES_OFFERED])


@dataclass(slots=True)
class Narrowed:
    """The issues that the filters leave, and what to tell about the filters."""

    issues: IssueQuerySet
    order: str
    page: int
    complaints: list[str] = field(default_factory=list)


def narrow(form: IssueFilterForm, user: User, now: datetime) -> Narrowed:
    """Apply all filters that can be understood; the others become complaints."""
    form.is_valid()
    given = form.cleaned_data
    order = given.get("order") or "impact"
    found = Narrowed(queries.listed_issues(order), order, given.get("page") or 1)
    for name, errors in form.errors.items():
        label = form.fields[name].label or name
        found.complaints += [f"{label}: {error}" for error in errors]
    found.issues = found.issues.filter(_columns(given, form, user))
    _narrow_by_detail(found, given)
    _narrow_by_time(found, given, now)
    if given.get("q"):
        try:
            found.issues = search(found.issues, given["q"], user=user, now=now)
        except SearchError as error:
            found.complaints.append(str(error))
            found.issues = found.issues.none()
    return found


def _columns(given: dict[str, Any], form: IssueFilterForm, user: User) -> Q:
    condition = Q()
    status = given.get("status") or _default_status(given)
    if status != "all":
        condition &= Q(status=status)
    if given.get("project"):
        chosen = [p.pk for p in form.projects if p.slug == given["project"]]
        condition &= Q(project_id__in=chosen)
    if given.get("level") is not None:
        condition &= Q(level=given["level"])
    assignee = given.get("assignee")
    if assignee == "nobody":
        condition &= Q(assignee=None)
    elif assignee:
        name = user.get_username() if assignee == "me" else assignee
        condition &= Q(assignee__username=name)
    return condition


def _default_status(given: dict[str, Any]) -> str:
    """Open, unless the search itself asks for a status or names one issue."""
    text = str(given.get("q") or "")
    asks = any(f"is:{status}" in text for status in Issue.Status.values)
    return "all" if asks else Issue.Status.OPEN.value


def _narrow_by_detail(found: Narrowed, given: dict[str, Any]) -> None:
    for key in ("environment", "release"):
        if given.get(key):
            found.issues = found.issues.filter(tagged(key, given[key]))
    if given.get("tenant"):
        tenants = Tenant.objects.filter(key=given["tenant"].strip().lower())
        if not tenants.exists():
            found.complaints.append(
                f"Tenant: no tenant has the key {given['tenant']}. Look it up under "
                "Tenants, or search for tenant:begin*."
            )
        found.issues = found.issues.filter(hit(tenants))


def _narrow_by_time(found: Narrowed, given: dict[str, Any], now: datetime) -> None:
    period = given.get("period")
    if period == "custom":
        start, end = given.get("start"), given.get("end")
        if start and end and start >= end:
            found.complaints.append("The time to start from lies after the end.")
        found.issues = queries.seen_between(found.issues, start, end)
    elif period:
        found.issues = queries.seen_between(
            found.issues, now - PERIODS[period][1], None
        )
