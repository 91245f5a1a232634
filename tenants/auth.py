"""Who may call the API: bearer tokens with scopes, and people by their role."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request
from rest_framework.views import APIView

from tenants.models import ApiToken
from tenants.tokens import find_token


class TokenAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer <token>``; any other scheme is left to the next."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiToken] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in {"bearer", "token"}:
            return None
        row = find_token(token.strip())
        if row is None:
            raise exceptions.AuthenticationFailed(
                "This token is unknown, expired or revoked. Make one in the admin "
                "under Tokens."
            )
        return AnonymousUser(), row

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="rush_monitor"'


class ScopePermission(permissions.BasePermission):
    """A view's ``scope`` noun decides: ``<noun>:read`` or ``<noun>:write``.

    A token needs the scope. A person needs the model permission behind it, which
    the roles viewer, responder, maintainer and owner grant.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        noun: str = getattr(view, "scope", "")
        if not noun:
            return False
        writes = request.method not in permissions.SAFE_METHODS
        if isinstance(request.auth, ApiToken):
            return _token_allows(request.auth, noun, writes)
        user: Any = request.user
        if not (user and user.is_authenticated and user.is_active and user.is_staff):
            return False
        needed: str = view.write_permission if writes else view.read_permission  # type: ignore[attr-defined]
        return bool(user.has_perm(needed))


def _token_allows(token: ApiToken, noun: str, writes: bool) -> bool:
    granted = set(token.scopes)
    allowed = f"{noun}:write" in granted or (not writes and f"{noun}:read" in granted)
    if not allowed:
        verb = "write" if writes else "read"
        raise exceptions.PermissionDenied(f"This token lacks the scope {noun}:{verb}.")
    return True
