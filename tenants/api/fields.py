"""Fields that several of the API's shapes share."""

from typing import Any

from rest_framework import serializers


class NameField(serializers.SlugRelatedField[Any]):
    """Another row by its name: a project's slug, a person's username, a plan's name."""

    def to_internal_value(self, data: Any) -> Any:
        # PostgreSQL refuses to compare a NUL.
        if not isinstance(data, str) or "\0" in data:
            self.fail("does_not_exist", slug_name=self.slug_field, value=repr(data))
        return super().to_internal_value(data)


def name_of(slug_field: str, *, allow_null: bool = True, help_text: str = "") -> Any:
    """The name of a row to read only; null where there is none."""
    return NameField(
        slug_field=slug_field,
        read_only=True,
        allow_null=allow_null,
        help_text=help_text or None,
    )
