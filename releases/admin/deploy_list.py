"""The deploy list: filters in, one page of rows out."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from releases.admin.deploy_state import full_rows, row_of
from releases.models import Deploy, Environment, Watch
from tenants.models import Project
from tenants.pages import COUNT_CAP, LAST_PAGE, capped_count, page_of

ANY = ("", "Any")
NOT_WATCHED = "none"
PERIODS = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}
VERDICTS = [
    ANY,
    *((value, label.capitalize()) for value, label in Watch.Verdict.choices),
    (NOT_WATCHED, "Not watched"),
]


class DeployFilterForm(forms.Form):
    """Every filter may be missing; a wrong one is told and left out."""

    q = forms.CharField(required=False, max_length=250, strip=True)
    project = forms.ChoiceField(required=False)
    environment = forms.ChoiceField(required=False)
    verdict = forms.ChoiceField(choices=VERDICTS, required=False)
    period = forms.ChoiceField(
        label="Started",
        choices=[
            ("", "Any time"),
            *((key, name) for key, (name, _) in PERIODS.items()),
        ],
        required=False,
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
        projects = Project.objects.values_list("slug", "name")
        self._offer("project", list(projects))
        names = Environment.objects.order_by("name").values_list("name").distinct()
        self._offer("environment", [(name, name) for (name,) in names])
        for field in self.fields.values():
            field.widget.attrs["class"] = "rm-input"

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        choice = self.fields[name]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [ANY, *choices]


def narrow(form: DeployFilterForm, now: datetime) -> QuerySet[Deploy]:
    """The deploys that the filters leave, newest first."""
    form.is_valid()
    given = form.cleaned_data
    found = Deploy.objects.order_by("-started_at", "-pk")
    if given.get("q"):
        found = found.filter(release__version__icontains=given["q"])
    if given.get("project"):
        found = found.filter(project__slug=given["project"])
    if given.get("environment"):
        found = found.filter(environment__name=given["environment"])
    if given.get("verdict") == NOT_WATCHED:
        found = found.filter(watch=None)
    elif given.get("verdict"):
        found = found.filter(watch__verdict=given["verdict"])
    if given.get("period"):
        found = found.filter(started_at__gte=now - PERIODS[given["period"]][1])
    return found


def list_context(request: HttpRequest) -> dict[str, Any]:
    """All that the template needs; complaints about filters become messages."""
    now = timezone.now()
    form = DeployFilterForm(request.GET)
    found = narrow(form, now)
    for name, errors in form.errors.items():
        for error in errors:
            messages.error(request, f"{form.fields[name].label or name}: {error}")
    page = page_of(found, full_rows(), form.cleaned_data.get("page") or 1)
    rows = [row_of(deploy, now) for deploy in page.rows]
    return {
        "form": form,
        "rows": rows,
        "page": page,
        "count": capped_count(found),
        "count_cap": COUNT_CAP,
        "chips": chips(form),
        "moving": any(row.state.left for row in rows),
    }


def chips(form: DeployFilterForm) -> list[tuple[str, str, str]]:
    """The filters that are set: parameter, label, value as shown."""
    found = []
    for bound in form:
        value = form.cleaned_data.get(bound.name)
        if bound.name in {"q", "page"} or not value:
            continue
        choices = dict(getattr(bound.field, "choices", ()))
        found.append((bound.name, str(bound.label), str(choices.get(value, value))))
    return found
