import base64
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from tenants.models import ApiToken
from tenants.tokens import digest, find_token, new_token
from tests.factories import make_token

pytestmark = pytest.mark.django_db


def test_a_token_tells_sentry_cli_where_to_call() -> None:
    now = timezone.now()

    token = new_token(base_url="https://rush.example", organization="acme", now=now)

    prefix, claims, secret = token.split("_", 2)
    assert prefix == "sntrys"
    assert json.loads(base64.b64decode(claims)) == {
        "iat": now.timestamp(),
        "url": "https://rush.example",
        "region_url": "https://rush.example",
        "org": "acme",
    }
    assert len(secret) == 43


def test_sentry_cli_can_read_every_secret() -> None:
    now = timezone.now()
    for _ in range(20):
        token = new_token(base_url="https://rush.example", organization="a", now=now)

        secret = token.split("_", 2)[2]
        assert len(base64.b64decode(f"{secret}=", validate=True)) == 32


def test_only_the_digest_of_a_token_is_stored() -> None:
    row, token = make_token("issue:read")

    row.refresh_from_db()
    assert row.digest == digest(token)
    assert token.endswith(row.hint)
    assert token not in str(row.__dict__)


def test_a_token_is_found_by_its_text() -> None:
    row, token = make_token("issue:read")

    assert find_token(token) == row
    assert find_token(token + "x") is None
    assert find_token("") is None


def test_the_use_of_a_token_is_noted_once_a_minute() -> None:
    row, token = make_token("issue:read")
    find_token(token)
    first = ApiToken.objects.get().last_used

    find_token(token)

    assert first is not None
    assert ApiToken.objects.get().last_used == first
    ApiToken.objects.update(last_used=first - timedelta(minutes=2))
    find_token(token)
    assert ApiToken.objects.get().last_used != first - timedelta(minutes=2)


@pytest.mark.parametrize("field", ["revoked_at", "expires_at"])
def test_a_token_that_is_over_is_not_found(field: str) -> None:
    row, token = make_token("issue:read")
    ApiToken.objects.update(**{field: timezone.now()})

    assert find_token(token) is None
