"""The admin pages of projects, tokens, people, channels and the audit log.

Tenants themselves are registered by ``issues.admin.tenants``, which adds what hurts
them: this app knows nothing of issues.
"""

from tenants.admin import (
    audit,
    channels,
    deliveries,
    people,
    plans,
    projects,
    slack_accounts,
    sources,
    tokens,
)

__all__ = [
    "audit",
    "channels",
    "deliveries",
    "people",
    "plans",
    "projects",
    "slack_accounts",
    "sources",
    "tokens",
]
