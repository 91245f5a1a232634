"""Makes API tokens and finds them again by digest."""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

import orjson
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from tenants.models import ApiToken

LAST_USED_GRAIN = timedelta(minutes=1)


def digest(token: str) -> str:
    """SHA-256 of the token, 64 hex digits: tokens are random, so no salt is due."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token(*, base_url: str, organization: str, now: datetime) -> str:
    """A token in the form of an organization token, which sentry-cli reads.

    ``sntrys_<base64 JSON {iat, url, region_url, org}>_<32 bytes in base64, without
    padding>``; the JSON spares sentry-cli its URL and organization settings, the rest
    is the secret. In any other alphabet sentry-cli does not see the JSON.
    """
    claims = {
        "iat": now.timestamp(),
        "url": base_url,
        "region_url": base_url,
        "org": organization,
    }
    payload = base64.b64encode(orjson.dumps(claims)).decode()
    secret = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return f"sntrys_{payload}_{secret}"


def issue_token(
    name: str,
    scopes: Sequence[str],
    *,
    base_url: str,
    organization: str,
    created_by: User | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Store a new token; the text beside it is shown once and kept nowhere."""
    token = new_token(base_url=base_url, organization=organization, now=timezone.now())
    row = ApiToken.objects.create(
        name=name,
        digest=digest(token),
        hint=token[-4:],
        scopes=list(scopes),
        created_by=created_by,
        expires_at=expires_at,
    )
    return row, token


def find_token(token: str) -> ApiToken | None:
    """The live token of this text, or None; notes its use once a minute."""
    now = timezone.now()
    row = (
        ApiToken.objects.filter(digest=digest(token), revoked_at=None)
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .first()
    )
    if row and (row.last_used is None or now - row.last_used > LAST_USED_GRAIN):
        ApiToken.objects.filter(pk=row.pk).update(last_used=now)
    return row
