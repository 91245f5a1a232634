"""Tenants that events name: found, or made when first seen, within the key's cap."""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q, Sum

from tenants.models import KeyMinute, ProjectKey, Tenant
from tenants.models.tenant import UNKNOWN_TENANT

SEEN_GRAIN = timedelta(minutes=1)


def resolve_tenants(wanted: Mapping[str, int], now: datetime) -> dict[str, int]:
    """Ids of tenant keys; the values of ``wanted`` name the project key of each.

    A DSN is public: past ``new_tenants_per_hour`` of its key a new tenant is not
    made, and its events count to the tenant ``(unknown)``.
    """
    if not wanted:
        return {}
    found = _ids(list(wanted))
    missing = sorted(set(wanted) - set(found))
    if missing:
        allowed = _within_cap({key: wanted[key] for key in missing}, now)
        refused = [key for key in missing if key not in allowed]
        names = [*allowed, UNKNOWN_TENANT] if refused else list(allowed)
        Tenant.objects.bulk_create(
            [Tenant(key=name, first_seen=now) for name in sorted(names)],
            ignore_conflicts=True,
        )
        found |= _ids(names)
        found |= dict.fromkeys(refused, found.get(UNKNOWN_TENANT, 0))
    return found


def _ids(keys: list[str]) -> dict[str, int]:
    return dict(Tenant.objects.filter(key__in=keys).values_list("key", "pk"))


def _within_cap(missing: Mapping[str, int], now: datetime) -> list[str]:
    """The new tenants that their keys may still make this hour, sorted."""
    hour_ago = now - timedelta(hours=1)
    key_ids = set(missing.values())
    made = dict(
        KeyMinute.objects.filter(key_id__in=key_ids, minute__gt=hour_ago)
        .values_list("key_id")
        .annotate(Sum("new_tenants"))
    )
    caps = dict(
        ProjectKey.objects.filter(pk__in=key_ids).values_list(
            "pk", "new_tenants_per_hour"
        )
    )
    allowed, taken = [], Counter[int]()
    for key, key_id in sorted(missing.items()):
        if made.get(key_id, 0) + taken[key_id] < caps.get(key_id, 0):
            taken[key_id] += 1
            allowed.append(key)
    add_key_minutes({key_id: (0, n) for key_id, n in taken.items()}, now)
    return allowed


def add_key_minutes(rows: Mapping[int, tuple[int, int]], now: datetime) -> None:
    """Add ``(events, new tenants)`` to the minute of each project key."""
    minute = now.replace(second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO tenants_keyminute AS old (key_id, minute, events, new_tenants)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (key_id, minute) DO UPDATE SET"
            " events = old.events + excluded.events,"
            " new_tenants = old.new_tenants + excluded.new_tenants",
            [(key_id, minute, *rows[key_id]) for key_id in sorted(rows)],
        )


def events_since(key_id: int, since: datetime) -> int:
    """Events that the key sent since ``since``, by whole minutes."""
    total = KeyMinute.objects.filter(key_id=key_id, minute__gte=since).aggregate(
        total=Sum("events")
    )["total"]
    return total or 0


def mark_public(key_ids: Collection[int]) -> None:
    """Note that browsers send with these keys: they stand in web pages."""
    hidden = ProjectKey.objects.filter(pk__in=key_ids, is_public=False)
    # Locked in id order: two workers may find out at once.
    ids = list(hidden.order_by("pk").select_for_update().values_list("pk", flat=True))
    if ids:
        ProjectKey.objects.filter(pk__in=ids).update(is_public=True)


def mark_seen(tenant_ids: set[int], now: datetime) -> None:
    """Move ``last_seen``, at most once a minute and tenant."""
    stale = Tenant.objects.filter(
        Q(last_seen=None) | Q(last_seen__lt=now - SEEN_GRAIN), pk__in=tenant_ids
    )
    # Locked in id order: two workers may mark the same tenants.
    ids = list(stale.order_by("pk").select_for_update().values_list("pk", flat=True))
    if ids:
        Tenant.objects.filter(pk__in=ids).update(last_seen=now)
