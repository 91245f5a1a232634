"""Filters of the API's lists; a parameter that a list does not know is an error."""

from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from tenants.models import Project

# Parameters that are not filters.
PAGING = ("cursor", "per_page", "ordering")


class StrictFilterBackend(filters.DjangoFilterBackend):  # type: ignore[misc]
    """A misspelt filter must not answer with everything."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        if view.detail:
            return queryset
        chosen = self.get_filterset_class(view, queryset)
        known = list(chosen.base_filters) if chosen else []
        unknown = sorted(set(request.query_params) - {*known, *PAGING})
        if unknown:
            offered = ", ".join(known) or "none"
            message = f"No filter of this list; there are: {offered}."
            raise ValidationError(dict.fromkeys(unknown, message))
        found: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return found


class UTCField(filters.IsoDateTimeFilter.field_class):  # type: ignore[misc]
    def to_python(self, value: Any) -> datetime | None:
        # PostgreSQL knows no offset beyond ±15:59, which Python does.
        moment: datetime | None = super().to_python(value)
        try:
            return moment.astimezone(UTC) if moment else None
        except OverflowError as error:
            raise DjangoValidationError("This time is out of range.") from error


class TimeFilter(filters.IsoDateTimeFilter):  # type: ignore[misc]
    """A moment in ISO 8601; UTC where no offset is given."""

    field_class = UTCField


class ProjectFilter(filters.CharFilter):  # type: ignore[misc]
    """A project by slug or by id."""

    def __init__(self, field_name: str = "project", **kwargs: Any) -> None:
        super().__init__(field_name, help_text="Slug or id of a project.", **kwargs)

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return queryset
        return queryset.filter(**{self.field_name: project_named(value).pk})


def project_named(name: str) -> Project:
    """The project of this slug, else of this id; raises ValidationError."""
    project = None
    if "\0" not in name:
        project = Project.objects.filter(slug=name).first()
    if project is None and name.isascii() and name.isdigit() and len(name) < 19:
        project = Project.objects.filter(pk=int(name)).first()
    if project is None:
        raise ValidationError({"project": f"There is no project {name!r}."})
    return project
