"""Moves a detail rule up or down: the order is what decides."""

from django.db import transaction

from tenants.audit import Actor, entry, record_all
from tenants.models import DetailRule


def move(rule_id: int, places: int, actor: Actor) -> bool:
    """Move the rule by ``places`` (negative: up); False where it cannot go there.

    Rules are numbered from 1 on; each whose number changed gets an audit row.
    """
    with transaction.atomic():
        rules = list(DetailRule.objects.select_for_update().order_by("position", "pk"))
        at = next((n for n, rule in enumerate(rules) if rule.pk == rule_id), None)
        if at is None or not 0 <= at + places < len(rules):
            return False
        rules.insert(at + places, rules.pop(at))
        rows = []
        for position, rule in enumerate(rules, 1):
            if rule.position != position:
                changes = {"position": [rule.position, position]}
                rows.append(entry(actor, "moved", rule, changes))
                rule.position = position
        DetailRule.objects.bulk_update(rules, ["position"])
        record_all(rows)
    return True
