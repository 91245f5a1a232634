"""The set-up page of a project: what to paste, and whether anything has arrived."""

from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    QueryDict,
)
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST, require_safe

from issues.arrivals import Arrival, arrival_at
from issues.outcome_words import explained
from issues.search import as_event_id
from issues.trial_event import send_test_event
from tenants.audit import Actor
from tenants.audited import may, row_id
from tenants.instructions import active_keys, instructions_for
from tenants.models import Project, ProjectKey
from tenants.refusals import Refusal

PAGE = "tenants_project_setup"
# Seconds until the page asks again: while it waits, and once an event is there.
WAITING, ARRIVED = 2, 10


def setup_urls(site: AdminSite) -> list[URLPattern]:
    """Django's admin has no place for pages that show another app's rows."""
    place = "tenants/project/<int:project_id>/setup/"
    asked = site.admin_view(require_safe(arrival_view))
    sends = site.admin_view(require_POST(test_event_view))
    return [
        path(place, site.admin_view(partial(setup_view, site)), name=PAGE),
        path(f"{place}arrival/", asked, name="tenants_project_arrival"),
        path(f"{place}test-event/", sends, name="tenants_project_test_event"),
    ]


def setup_view(site: AdminSite, request: HttpRequest, project_id: int) -> HttpResponse:
    """The snippets of one platform, those of CI, and the state of the way."""
    project = _project(request, project_id)
    keys = active_keys(project)
    context: dict[str, Any] = {
        **site.each_context(request),
        "project": project,
        "title": f"Set up {project}",
        "content_title": f"Set up {project}",
    }
    if keys:
        context |= _context(request, keys)
    return TemplateResponse(request, "issues/setup.html", context)


def arrival_view(request: HttpRequest, project_id: int) -> HttpResponse:
    """What the open page asks: has anything changed, and when to ask again."""
    keys = active_keys(_project(request, project_id))
    if not keys:
        raise Http404("This project has no active key.")
    arrival = arrival_at(_key(keys, request.GET), _test_id(request.GET))
    told: dict[str, Any] = {"mark": arrival.mark, "arrived": False, "again": WAITING}
    if arrival.issue:
        told |= {"arrived": True, "again": ARRIVED}
        if may(request, "issues.view_issue"):
            told |= {"title": arrival.issue.title, "issue": _link(arrival.issue.pk)}
    return JsonResponse(told)


def test_event_view(request: HttpRequest, project_id: int) -> HttpResponse:
    """Send a test event, and go back to the page, which waits for it."""
    project = _project(request, project_id)
    if not may(request, "tenants.change_project"):
        raise PermissionDenied
    keys = active_keys(project)
    query = {"platform": request.POST.get("platform", "")}
    if keys:
        key = _key(keys, request.POST)
        query["key"] = str(key.pk)
        try:
            query["test"] = send_test_event(key, Actor.of(request))
        except Refusal as refusal:
            messages.error(request, str(refusal))
    page = reverse(f"admin:{PAGE}", args=[project.pk])
    return HttpResponseRedirect(f"{page}?{urlencode(query)}")


def _project(request: HttpRequest, project_id: int) -> Project:
    if not may(request, "tenants.view_project"):
        raise PermissionDenied
    return get_object_or_404(Project, pk=project_id)


def _context(request: HttpRequest, keys: list[ProjectKey]) -> dict[str, Any]:
    key = _key(keys, request.GET)
    found = instructions_for(key)
    chosen = request.GET.get("platform", "")
    platform = next(
        (each for each in found.platforms if each.slug == chosen), found.platforms[0]
    )
    test_id = _test_id(request.GET)
    arrival = arrival_at(key, test_id)
    return {
        "facts": found.facts,
        "platforms": found.platforms,
        "platform": platform,
        "ci": found.ci,
        "key": key,
        "keys": keys,
        "arrival": arrival,
        "again": ARRIVED if arrival.issue else WAITING,
        "test_id": test_id.hex if test_id else "",
        "in_vain": _in_vain(arrival),
        "sees_issues": may(request, "issues.view_issue"),
        "may_send": may(request, "tenants.change_project"),
        "may_make_tokens": may(request, "tenants.add_apitoken"),
    }


def _in_vain(arrival: Arrival) -> list[tuple[int, str, str]]:
    """How many of what came without being stored, and why."""
    return [
        (row.quantity, row.category, explained(row.reason) or row.reason)
        for row in arrival.unstored
    ]


def _key(keys: list[ProjectKey], given: QueryDict) -> ProjectKey:
    """The key that the request names, else the oldest."""
    wanted = row_id(given.get("key", ""))
    return next((key for key in keys if key.pk == wanted), keys[0])


def _test_id(given: QueryDict) -> UUID | None:
    return as_event_id(given.get("test", ""))


def _link(issue_id: int) -> str:
    return reverse("admin:issues_issue_change", args=[issue_id])
