"""The kinds of CD that can be told to roll back, one module each.

A new kind is a module that offers what ``order.Kind`` lists, and a line here and in
``RollbackTarget.Kind``.
"""

from releases.rollbacks.targets import argocd, github, gitlab, webhook
from releases.rollbacks.targets.order import (
    Access,
    Fate,
    Kind,
    Order,
    Outcome,
    Sighting,
    Talk,
    Version,
)

__all__ = [
    "KINDS",
    "Access",
    "Fate",
    "Kind",
    "Order",
    "Outcome",
    "Sighting",
    "Talk",
    "Version",
]

KINDS: dict[str, Kind] = {
    "webhook": webhook,
    "github": github,
    "gitlab": gitlab,
    "argocd": argocd,
}
