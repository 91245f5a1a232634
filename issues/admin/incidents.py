"""Incidents in the admin: the list, the page, the posts; and their policies."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from issues.admin import incident_page
from issues.admin.incident_actions import ACTIONS, open_posted, perform
from issues.models import EscalationStep, Incident, IncidentPolicy
from tenants.audited import AuditedModelAdmin, BaseStackedInline
from tenants.models import Channel
from tenants.people import unreachable

if TYPE_CHECKING:
    from django.forms import ModelForm

    BaseForm = ModelForm[EscalationStep]
else:
    from django.forms import ModelForm as BaseForm


@admin.register(Incident)
class IncidentAdmin(AuditedModelAdmin):
    """Read here and changed by steps; incidents are history and never deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        posts = [
            path(where, self.admin_site.admin_view(require_POST(view)), name=name)
            for where, view, name in (
                ("add/", self.open_view, "issues_incident_add"),
                (
                    "<int:incident_id>/act/<slug:name>/",
                    self.act_view,
                    "issues_incident_act",
                ),
            )
        ]
        return [*posts, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        self.must_view(request)
        context = {
            **incident_page.list_context(request),
            "title": "Incidents",
            "content_title": "Incidents",
        }
        return self.own_page(request, "issues/incidents.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, *_: Any, **__: Any
    ) -> HttpResponse:
        self.must_view(request)
        incident = incident_page.find(object_id)
        context = {
            **incident_page.page_context(request, incident),
            "title": incident.title,
            "content_title": f"Incident {incident.pk}",
        }
        return self.own_page(request, "issues/incident.html", context)

    def open_view(self, request: HttpRequest) -> HttpResponse:
        """Open one by hand."""
        incident = open_posted(request)
        if incident is None:
            return HttpResponseRedirect(reverse("admin:issues_incident_changelist"))
        return HttpResponseRedirect(page_url(incident.pk))

    def act_view(
        self, request: HttpRequest, incident_id: int, name: str
    ) -> HttpResponse:
        """Do one step and return to the page."""
        if name not in ACTIONS:
            raise Http404("There is no such action.")
        perform(request, name, incident_page.find(str(incident_id)))
        return HttpResponseRedirect(page_url(incident_id))


def page_url(incident_id: int) -> str:
    return reverse("admin:issues_incident_change", args=[incident_id])


class OffersChannels:
    """Shared channels only: a person is named as a person."""

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "channels":
            kwargs["queryset"] = Channel.objects.filter(person=None)
        return super().formfield_for_manytomany(  # type: ignore[misc]
            db_field, request, **kwargs
        )


class TellsPeople:
    """Of a form: the people that it names can be told, by mail."""

    cleaned_data: dict[str, Any]

    def clean_people(self) -> Any:
        people = self.cleaned_data["people"]
        if complaint := unreachable(people):
            raise ValidationError(complaint)
        return people


class StepForm(TellsPeople, BaseForm):
    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not (self.errors or cleaned.get("channels") or cleaned.get("people")):
            self.add_error("channels", "Name channels or people to tell.")
        return cleaned


class StepInline(OffersChannels, BaseStackedInline):
    model = EscalationStep
    form = StepForm
    extra = 0
    fields = ("after_seconds", "channels", "people")


@admin.register(IncidentPolicy)
class IncidentPolicyAdmin(OffersChannels, AuditedModelAdmin):
    list_display = ("severity", "project", "target_seconds", "resolve_after_minutes")
    list_filter = ("severity", "project")
    list_select_related = ("project",)
    fields = (
        ("project", "severity"),
        ("target_seconds", "resolve_after_minutes"),
        "channels",
    )
    inlines = (StepInline,)
