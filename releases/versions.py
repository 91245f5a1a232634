"""Records releases that CI names, the same post as the same row, and deletes them."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import SET_NULL
from django.db.models.fields.reverse_related import ForeignObjectRel

from releases.models import Release, ReleaseMinute
from tenants.audit import Actor, difference, record, values_of
from tenants.models import Project
from tenants.refusals import Refusal


def record_release(
    project: Project, version: str, told: Mapping[str, Any], actor: Actor
) -> tuple[Release, bool]:
    """The row of a release, and whether it is new.

    ``told`` holds columns, such as ``released_at``. A row that is there already, such
    as one that an event made, takes them on; when it was started stays once known.
    """
    with transaction.atomic():
        release, is_new = Release.objects.get_or_create(
            project=project, version=version, defaults=dict(told)
        )
        if is_new:
            values = {"project": project.slug, "version": version, **told}
            record(actor, "added", release, difference({}, values))
            return release, True
        if release.started_at is not None:
            told = {name: told[name] for name in told if name != "started_at"}
        return change_release(release, told, actor), False


def change_release(release: Release, told: Mapping[str, Any], actor: Actor) -> Release:
    """Set columns of a release; what stays as it was is no change."""
    before = values_of(release, told)
    for name, value in told.items():
        setattr(release, name, value)
    changes = difference(before, values_of(release, told))
    if changes:
        with transaction.atomic():
            release.save(update_fields=list(changes))
            record(actor, "changed", release, changes)
    return release


class ReleaseInUse(Refusal):
    """A release that something else stands on."""


def delete_release(release: Release, actor: Actor) -> None:
    """Delete a release with its commits; raises ReleaseInUse."""
    reason = _in_use(release)
    if reason:
        raise ReleaseInUse(
            f"{release.version} of {release.project.slug} stays, for {reason}. Archive "
            "it instead: that takes it off the list."
        )
    with transaction.atomic():
        record(actor, "deleted", release, {})
        release.delete()


def _in_use(release: Release) -> str:
    """What a deletion would leave without its release, "" for nothing."""
    if release.deploys.exists():
        return "it was deployed"
    if ReleaseMinute.objects.filter(release_id=release.pk).exists():
        return "it sent events, sessions or traffic"
    for relation in Release._meta.get_fields(include_hidden=True):
        if isinstance(relation, ForeignObjectRel) and relation.on_delete is SET_NULL:
            rows = relation.related_model._base_manager
            if rows.filter(**{relation.field.name: release}).exists():
                return f"{relation.related_model._meta.verbose_name_plural} name it"
    return ""
