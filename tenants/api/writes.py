"""Changes over the API: checked against the model's constraints, and audited."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from rest_framework import serializers
from rest_framework.generics import GenericAPIView

from tenants.audit import Actor, difference, record, values_of

# Importing it registers how tokens stand in the API's description.
from tenants.openapi import TokenScheme
from tenants.refusals import Refusal

__all__ = [
    "AuditedWrites",
    "ConstrainedSerializer",
    "OnlyKnownFields",
    "TokenScheme",
    "WholeAudit",
]


class OnlyKnownFields(serializers.Serializer[Any]):
    """Refuses a field that there is none of: misspelt, a condition would be left out.

    Those that are only read may be sent back.
    """

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := sorted({*data} - {*self.fields})):
            known = ", ".join(n for n, f in self.fields.items() if not f.read_only)
            told = f"No such field; there are: {known}."
            raise serializers.ValidationError({str(name): told for name in unknown})
        return super().to_internal_value(data)


class ConstrainedSerializer(serializers.ModelSerializer[Any]):
    """Answers 400 where the database's constraints would raise.

    Uniqueness of the columns in ``free`` is not asked for.
    """

    free: tuple[str, ...] = ()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        model: type[models.Model] = self.Meta.model
        row = model() if self.instance is None else copy.copy(self.instance)
        for name, value in attrs.items():
            setattr(row, name, value)
        try:
            row.validate_constraints(exclude=set(self.free))
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error
        return attrs


class AuditedWrites(GenericAPIView[Any]):
    """The three writes of a model view set, each with its audit row."""

    def perform_create(self, serializer: serializers.BaseSerializer[Any]) -> None:
        with transaction.atomic():
            row = serializer.save()
            values = self.audited(row, serializer.validated_data)
            record(Actor.of(self.request), "added", row, difference({}, values))

    def perform_update(self, serializer: serializers.BaseSerializer[Any]) -> None:
        given = serializer.validated_data
        with transaction.atomic():
            before = self.audited(self.get_object(), given)
            row = serializer.save()
            changes = difference(before, self.audited(row, given))
            if changes:
                record(Actor.of(self.request), "changed", row, changes)

    def audited(self, row: models.Model, given: Iterable[str]) -> dict[str, Any]:
        """What the audit row tells of a row: the columns that were given."""
        return values_of(row, columns_of(row, given))

    def perform_destroy(self, instance: models.Model) -> None:
        try:
            with transaction.atomic():
                record(Actor.of(self.request), "deleted", instance, {})
                self.remove(instance)
        except models.ProtectedError as error:
            users = ", ".join(sorted({str(row) for row in error.protected_objects}))
            raise Refusal(
                f"{instance} is still named by {users}: change that first."
            ) from error

    def remove(self, row: Any) -> None:
        """Delete a row, with what goes with it."""
        row.delete()


class WholeAudit(AuditedWrites):
    """The audit row has all that the API shows of a row, such as the names of those it
    tells, which are no columns.
    """

    def audited(self, row: models.Model, given: Iterable[str]) -> dict[str, Any]:
        fresh = self.get_queryset().get(pk=row.pk)
        return dict(self.get_serializer(fresh).data)

    def perform_update(self, serializer: serializers.BaseSerializer[Any]) -> None:
        super().perform_update(serializer)
        # What was prefetched is of before.
        serializer.instance = self.get_object()


def columns_of(row: models.Model, names: Iterable[str]) -> list[str]:
    """Those of ``names`` that are columns of the row."""
    columns = {field.name for field in row._meta.concrete_fields}
    return [name for name in names if name in columns]
