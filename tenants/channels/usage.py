"""Who tells through a channel: it must not go from under them.

The apps above name channels; those whose rows would go on without theirs, and tell
nobody, say so with ``needs_channels`` in their model. History does not.
"""

from django.db.models import Model

from tenants.models import Channel


def users_of(channel: Channel) -> list[Model]:
    """The rows that would lose ``channel``, such as alert rules."""
    found: list[Model] = []
    for relation in Channel._meta.related_objects:
        if getattr(relation.related_model, "needs_channels", False):
            name = f"{relation.field.name}__pk"
            found += relation.related_model._default_manager.filter(
                **{name: channel.pk}
            )
    return found
