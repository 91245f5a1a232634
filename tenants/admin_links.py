"""Addresses of the admin's pages, for messages and answers that leave rush_monitor."""

from urllib.parse import urlencode

from django.conf import settings


def admin_link(path: str, **query: object) -> str:
    """Such as ``…/admin/issues/alert/?message=…``, of "issues/alert"."""
    asked = f"?{urlencode(query)}" if query else ""
    return f"{settings.BASE_URL}/admin/{path}/{asked}"
