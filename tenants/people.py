"""How a person is told: by mail to the address of the account."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone

from tenants.models import Channel


def channels_of(people: "QuerySet[User]") -> list[Channel]:
    """The mail channels of those whose accounts are active."""
    return [channel_of(person) for person in people.filter(is_active=True)]


def unreachable(people: Iterable[User]) -> str:
    """Why some of them cannot be told, "" when all can."""
    names = sorted(one.get_username() for one in people if not one.email.strip())
    if not names:
        return ""
    return f"No e-mail address in the account of {', '.join(names)}: enter it first."


def channel_of(person: User) -> Channel:
    """The mail channel of a person, made the first time; its address is the account's.

    Of an account without an address it is switched off, and pages warn of it.
    """
    address = person.email.strip()
    state: dict[str, Any] = {
        "config": {"to": [address] if address else []},
        "is_active": bool(address),
        "disabled_reason": "" if address else "The account has no e-mail address.",
        "disabled_at": None if address else timezone.now(),
    }
    channel, made = Channel.objects.get_or_create(
        person=person,
        defaults={
            "name": f"mail to {person.get_username()}"[:100],
            "kind": Channel.Kind.EMAIL,
            **state,
        },
    )
    if not made and channel.config.get("to") != state["config"]["to"]:
        for name, value in state.items():
            setattr(channel, name, value)
        channel.save(update_fields=list(state))
    return channel
