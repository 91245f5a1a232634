"""The release list: filters in, one page of rows with their last 24 hours out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from issues.admin.rate_chart import UNITS
from issues.models import Issue
from releases.deploy_order import Place
from releases.figures import LastDay, last_day
from releases.models import Commit, Deploy, Environment, Release, ReleaseMinute
from tenants.models import Project
from tenants.pages import LAST_PAGE, PER_PAGE, Page

STATUSES = {"current": "Current", "archived": "Archived", "all": "All"}


class ReleaseFilterForm(forms.Form):
    """Every filter may be missing; a wrong one is told and left out."""

    q = forms.CharField(required=False, max_length=250)
    status = forms.ChoiceField(choices=list(STATUSES.items()), required=False)
    project = forms.ChoiceField(required=False)
    environment = forms.ChoiceField(required=False)
    page = forms.IntegerField(min_value=1, max_value=LAST_PAGE, required=False)

    def __init__(self, query: QueryDict) -> None:
        super().__init__(query, label_suffix="")
        projects = Project.objects.values_list("slug", "name")
        names = Environment.objects.order_by("name").values_list("name", flat=True)
        self._offer("project", list(projects))
        self._offer("environment", [(name, name) for name in names.distinct()])
        for filter_field in self.fields.values():
            filter_field.widget.attrs["class"] = "rm-input"

    def _offer(self, name: str, choices: Sequence[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "Any"), *choices]


def narrow(given: Mapping[str, Any]) -> QuerySet[Release]:
    """The releases that the filters leave, newest first."""
    found = Release.objects.order_by("-first_seen", "-pk")
    status = given.get("status") or "current"
    if status != "all":
        found = found.filter(archived_at__isnull=status == "current")
    if given.get("project"):
        found = found.filter(project__slug=given["project"])
    if given.get("q"):
        found = found.filter(version__icontains=given["q"])
    if given.get("environment"):
        places = Environment.objects.filter(name=given["environment"])
        here = {"release_id": OuterRef("pk"), "environment_id__in": places.values("pk")}
        found = found.filter(
            Q(Exists(ReleaseMinute.objects.filter(**here)))
            | Q(Exists(Deploy.objects.filter(**here)))
        )
    return found


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release with what the page adds; ``day`` None: quiet for 24 hours.

    ``environment`` is where its figures are from: the one that was asked for, else
    the busiest.
    """

    release: Release
    environment: Environment | None
    day: LastDay | None
    commits: int
    new_issues: int
    deploy: Deploy | None

    @property
    def unit(self) -> str | None:
        """What its errors are counted per."""
        return UNITS.get(self.day.source) if self.day else None


def list_context(request: HttpRequest) -> dict[str, Any]:
    """All that the template needs; complaints about filters become messages."""
    form = ReleaseFilterForm(request.GET)
    form.is_valid()
    for name, errors in form.errors.items():
        for error in errors:
            messages.error(request, f"{form[name].label}: {error}")
    given = form.cleaned_data
    number = given.get("page") or 1
    start = (number - 1) * PER_PAGE
    wanted = narrow(given).select_related("project")[start : start + PER_PAGE + 1]
    releases = list(wanted)
    more = len(releases) > PER_PAGE and number < LAST_PAGE
    rows = rows_of(releases[:PER_PAGE], given.get("environment") or "")
    return {
        "form": form,
        "page": Page(rows, number, PER_PAGE, more),
        "status": given.get("status") or "current",
        "statuses": STATUSES,
        "narrowed": any(given.get(name) for name in ("q", "project", "environment")),
    }


def rows_of(releases: Sequence[Release], environment: str = "") -> list[ReleaseRow]:
    """The releases with their figures, in five queries."""
    if not releases:
        return []
    ids = [release.pk for release in releases]
    projects = {release.project_id for release in releases}
    days = last_day(projects, timezone.now())
    places = {
        place.pk: place
        for place in Environment.objects.filter(project__in=projects)
        if environment in ("", place.name)
    }
    commits = _counts(Commit.objects.filter(release__in=ids), "release")
    fresh = Issue.objects.shown().filter(first_release__in=ids)
    new_issues = _counts(fresh, "first_release")
    deploys = last_deploys(ids, list(places))
    rows = []
    for release in releases:
        deploy = deploys.get(release.pk)
        here = _busiest(release.pk, days, places)
        place = here or (deploy.environment_id if deploy else None)
        rows.append(
            ReleaseRow(
                release=release,
                environment=places.get(place) if place else None,
                day=days.get((release.pk, place)) if place else None,
                commits=commits.get(release.pk, 0),
                new_issues=new_issues.get(release.pk, 0),
                deploy=deploy,
            )
        )
    return rows


def _busiest(
    release_id: int, days: Mapping[Place, LastDay], places: Mapping[int, Environment]
) -> int | None:
    here = [place for pk, place in days if pk == release_id and place in places]
    if not here:
        return None

    def size(place: int) -> tuple[float, int]:
        day = days[release_id, place]
        return day.exposure, day.counts.events

    return max(here, key=size)


def _counts(rows: QuerySet[Any], column: str) -> dict[int, int]:
    return dict(rows.order_by().values_list(column).annotate(Count("pk")))


def last_deploys(
    release_ids: Sequence[int], places: Sequence[int]
) -> dict[int, Deploy]:
    """The last deploy of each release to one of these environments."""
    rows = (
        Deploy.objects.filter(release__in=release_ids, environment__in=places)
        .select_related("environment", "watch")
        .order_by("release_id", "-started_at", "-pk")
        .distinct("release_id")
    )
    return {row.release_id: row for row in rows}
