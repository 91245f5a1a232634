"""What every call of sentry-cli shares: who may call, and how errors look."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from releases.models import Release
from tenants.api.filters import project_named
from tenants.auth import TokenAuthentication
from tenants.models import Project
from tenants.names import one_line
from tenants.problems import problem_response

MOST_PROJECTS = 100


class Conflict(APIException):
    """What is there stands against it."""

    status_code = 409


def detail_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """An error as ``{"detail": …}``; None for one that is our own."""
    response = problem_response(error, context)
    if response is not None:
        problem = response.data
        named = "; ".join(_flat(problem.get("errors", {})))
        response.data = {"detail": named or problem["detail"]}
        response.content_type = None
    return response


def _flat(errors: Any, path: str = "") -> Iterable[str]:
    if isinstance(errors, Mapping):
        for name, inner in errors.items():
            yield from _flat(inner, f"{path}.{name}".strip("."))
    elif isinstance(errors, list):
        for inner in errors:
            yield from _flat(inner, path)
    else:
        yield f"{path}: {errors}"


@csrf_exempt
def no_such_path(request: HttpRequest) -> JsonResponse:
    """The answer to a path of Sentry's API that is not here."""
    return JsonResponse({"detail": f"There is no {request.path} here."}, status=404)


class ProjectsSerializer(serializers.Serializer[Any]):
    projects = serializers.ListField(
        child=serializers.CharField(), max_length=MOST_PROJECTS, default=list
    )


class SentryView(APIView):
    """The base of each call: a token with the scope release, our organization."""

    authentication_classes = [TokenAuthentication]
    scope = "release"
    schema = None

    def get_exception_handler(self) -> Any:
        return detail_response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        organization = kwargs.get("organization", settings.ORGANIZATION_SLUG)
        if organization != settings.ORGANIZATION_SLUG:
            raise Http404(f"There is no organization {organization!r}.")

    def given(self, serializer_class: type[serializers.Serializer[Any]]) -> Any:
        """The body of the request, checked."""
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def rows(self, projects: Sequence[Project] = ()) -> list[Release]:
        """The releases of the version in the path, of these or all projects."""
        version = one_line(self.kwargs["version"]).strip()
        rows = rows_of(version, projects)
        if not rows:
            raise Http404(f"There is no release {version!r}.")
        return rows


def named_projects(given: Mapping[str, Any]) -> list[Project]:
    """Those that the body names; raises ValidationError."""
    return [project_named(name) for name in dict.fromkeys(given["projects"])]


def rows_of(version: str, projects: Sequence[Project] = ()) -> list[Release]:
    rows = Release.objects.filter(version=version).select_related("project")
    if projects:
        rows = rows.filter(project__in=projects)
    return list(rows.order_by("project__slug"))
