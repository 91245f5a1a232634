"""Fields and shapes that several of the release calls share."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tenants.api.fields import NameField
from tenants.models import Project
from tenants.names import one_line


class LineField(serializers.CharField):
    """A name in one printable line, as digest writes those that events tell."""

    def to_internal_value(self, data: Any) -> str:
        text = one_line(super().to_internal_value(data)).strip()
        if not text and not self.allow_blank:
            self.fail("blank")
        return text


def project_field() -> Any:
    """A project, told by its slug."""
    return NameField(
        slug_field="slug", queryset=Project.objects.all(), help_text="Slug."
    )


def version_field(**options: Any) -> LineField:
    """The version of a release, such as shop@2.4.0."""
    return LineField(max_length=250, **options)


def environment_field() -> LineField:
    """The name of an environment; production where it is left out."""
    return LineField(max_length=64, default="production")


def _path(told: Any) -> str:
    path = told.get("path") if isinstance(told, dict) else told
    if not isinstance(path, str):
        raise serializers.ValidationError(f"{str(path)[:80]!r} is no path.")
    return path


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class PathsField(serializers.Field[Any, Any, Any, Any]):
    """Paths of files, each as text or, as sentry-cli writes them, ``{path, type}``."""

    def to_internal_value(self, data: Any) -> list[str]:
        if not isinstance(data, list):
            raise serializers.ValidationError("Give a list of paths.")
        return [_path(one) for one in data]

    def to_representation(self, value: Any) -> list[str]:
        return list(value)
