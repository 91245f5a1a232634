"""Who sends: the public key in a header, in the query, or in the envelope's DSN.

Rule: Sentry's authentication specification. The secret half of old DSNs is ignored.
"""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

_IN_HEADER = re.compile(rb"sentry_key\s*=\s*\"?([^\s,\"]+)", re.IGNORECASE)
_IN_QUERY = re.compile(rb"(?:^|&)sentry_key=([^&]*)")
_SCHEME = re.compile(rb"\s*sentry\s", re.IGNORECASE)
_KEY = re.compile(r"[0-9a-z]{32}")
# Longer values are read each time: they would fill the caches of this process.
_CACHED_BYTES = 1024


class AuthError(ValueError):
    """No usable key, or keys that disagree; the text says what to send."""


class Dsn(NamedTuple):
    """The halves of a DSN that count here."""

    public_key: str
    project: str


def public_key(
    auth: bytes | None, authorization: bytes | None, query: bytes
) -> str | None:
    """The key of X-Sentry-Auth, ``Authorization: Sentry …`` or ``?sentry_key=``.

    None where none is given; raises AuthError where two differ or one is malformed.
    """
    found = None
    if auth is not None:
        found = _from_header(auth)
    if authorization is not None and _SCHEME.match(authorization):
        found = agreed(found, _from_header(authorization), "Authorization")
    if query and b"sentry_key=" in query:
        found = agreed(found, _from_query(query), "sentry_key in the query")
    return found


def agreed(known: str | None, other: str | None, source: str) -> str | None:
    """The one key that both name; raises AuthError where they differ."""
    if known is not None and other is not None and known != other:
        raise AuthError(
            f"{source} names another key than the rest of the request. Send one DSN's."
        )
    return known if other is None else other


@lru_cache(maxsize=1024)
def _parse_dsn(text: str) -> Dsn:
    try:
        url = urlsplit(text)
        key, project = url.username, url.path.rstrip("/").rpartition("/")[2]
    except ValueError:
        key, project = None, ""
    if not key or not project:
        raise AuthError(
            "The dsn in the envelope header is not a DSN such as "
            "https://<public key>@<host>/<project id>."
        )
    return Dsn(_normal(key), project)


def path_key(text: str) -> str:
    """The key that stands in a path; raises AuthError."""
    return _normal(text)


def parse_dsn(value: object) -> Dsn:
    """The parts of the envelope header's ``dsn``; raises AuthError."""
    if not isinstance(value, str) or len(value) > _CACHED_BYTES:
        raise AuthError("The dsn in the envelope header is not a text of usual length.")
    return _parse_dsn(value)


def _from_header(value: bytes) -> str | None:
    return _cached_header(value) if len(value) <= _CACHED_BYTES else _read_header(value)


def _from_query(value: bytes) -> str | None:
    return _cached_query(value) if len(value) <= _CACHED_BYTES else _read_query(value)


def _read_header(value: bytes) -> str | None:
    match = _IN_HEADER.search(value)
    return _normal(match[1].decode("latin-1")) if match else None


def _read_query(value: bytes) -> str | None:
    match = _IN_QUERY.search(value)
    return _normal(unquote_to_bytes(match[1]).decode("latin-1")) if match else None


_cached_header = lru_cache(maxsize=4096)(_read_header)
_cached_query = lru_cache(maxsize=4096)(_read_query)


def _normal(key: str) -> str:
    normal = key.replace("-", "").lower()
    if not _KEY.fullmatch(normal):
        raise AuthError(
            "sentry_key is not a public key of 32 characters. "
            "Copy the project's DSN again."
        )
    return normal
