"""Who may call the API: bearer tokens with scopes, and people by their role."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request

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
    """A token needs the view's ``scope`` noun: ``<noun>:read`` or ``<noun>:write``.

    A person of the staff needs ``read_permission`` or ``write_permission`` of the
    view, which the roles viewer, responder, maintainer and owner grant.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        writes = request.method not in permissions.SAFE_METHODS
        if isinstance(request.auth, ApiToken):
            return self.token_allows(request.auth, view, writes)
        user: Any = request.user
        if not (user and user.is_authenticated and user.is_active and user.is_staff):
            return False
        name = "write_permission" if writes else "read_permission"
        needed: str | None = getattr(view, name, None)
        if needed is None:
            raise exceptions.MethodNotAllowed(request.method or "")
        if not user.has_perm(needed):
            raise exceptions.PermissionDenied(f"Your role lacks {needed}.")
        return True

    def token_allows(self, token: ApiToken, view: Any, writes: bool) -> bool:
        noun: str = view.scope
        granted = set(token.scopes)
        if f"{noun}:write" in granted or (not writes and f"{noun}:read" in granted):
            return True
        verb = "write" if writes else "read"
        raise exceptions.PermissionDenied(f"This token lacks the scope {noun}:{verb}.")


class PeoplePermission(ScopePermission):
    """For what no token may do, such as making tokens."""

    def token_allows(self, token: ApiToken, view: Any, writes: bool) -> bool:
        raise exceptions.PermissionDenied("Tokens may not do this: log in as a person.")
