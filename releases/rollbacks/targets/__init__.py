"""The kinds of CD that can be told to roll back, one module each.

A new kind is a module that offers what ``order.Kind`` lists, and a line here and in
``RollbackTarget.Kind``.
"""

from releases.rollbacks.targets import argocd, github, gitlab, webhook
from releases.rollbacks.targets.order import Access, Kind, Order, Version

__all__ = ["KINDS", "Access", "Kind", "Order", "Version"]

KINDS: dict[str, Kind] = {
    "webhook": webhook,
    "github": github,
    "gitlab": gitlab,
    "argocd": argocd,
}
