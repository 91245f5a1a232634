"""An audit row for every change by a person or a token."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.contrib.auth.models import AbstractUser, User
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.http import HttpRequest
from rest_framework.request import Request

from tenants.models import ApiToken, AuditEntry
from tenants.secrets import SecretField

JSON_ENCODER = DjangoJSONEncoder()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a person, a token (``user`` is None), or the system."""

    name: str
    user: User | None = None
    remote_addr: str = ""

    @classmethod
    def of(cls, request: HttpRequest | Request) -> "Actor":
        """The person or token behind a request."""
        address = str(request.META.get("REMOTE_ADDR") or "")
        token = getattr(request, "auth", None)
        if isinstance(token, ApiToken):
            return cls(f"token {token.name}", None, address)
        user = request.user
        if isinstance(user, AbstractUser):
            return cls(user.get_username(), user, address)
        return cls("anonymous", None, address)


SYSTEM = Actor("rush_monitor")


def record(
    actor: Actor, action: str, target: models.Model, changes: Mapping[str, Any]
) -> AuditEntry:
    """Write that ``actor`` did ``action``; call it in the change's transaction."""
    row = entry(actor, action, target, changes)
    row.save(force_insert=True)
    return row


def record_all(rows: Iterable[AuditEntry]) -> None:
    """Write the rows that ``entry`` made, in one statement."""
    AuditEntry.objects.bulk_create(rows)


def entry(
    actor: Actor, action: str, target: models.Model, changes: Mapping[str, Any]
) -> AuditEntry:
    """The audit row of a change to one object, not yet written."""
    return AuditEntry(
        user=actor.user,
        actor=actor.name[:200],
        action=action,
        object_type=target._meta.label_lower,
        object_id=str(target.pk),
        object_label=str(target)[:200],
        changes=_storable(changes),
        remote_addr=actor.remote_addr,
    )


def record_import(
    actor: Actor, model: type[models.Model], label: str, changes: Mapping[str, Any]
) -> AuditEntry:
    """Write that ``actor`` changed many objects of ``model`` at once."""
    return AuditEntry.objects.create(
        user=actor.user,
        actor=actor.name[:200],
        action="import",
        object_type=model._meta.label_lower,
        object_id="",
        object_label=label[:200],
        changes=_storable(changes),
        remote_addr=actor.remote_addr,
    )


def values_of(target: models.Model, fields: Iterable[str]) -> dict[str, Any]:
    """The named fields' present values, for ``difference`` after the change.

    Of a secret there is only a mark that changes with it.
    """
    columns = target._meta.concrete_fields
    secrets = {column.name for column in columns if isinstance(column, SecretField)}
    values = {name: target.serializable_value(name) for name in fields}
    for name in secrets & values.keys():
        # Of what is stored, which is encrypted with chance.
        digest = sha256(values[name].encode()).hexdigest()
        values[name] = f"(secret {digest[:8]})" if values[name] else ""
    return values


def difference(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """The fields that changed, each with ``[before, after]``."""
    return {
        name: [before.get(name), value]
        for name, value in after.items()
        if before.get(name) != value
    }


def _storable(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in changes.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return _storable(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, models.Model):
        return str(value)
    try:
        return JSON_ENCODER.default(value)
    except TypeError:
        return str(value)
