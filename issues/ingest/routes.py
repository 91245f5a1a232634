"""Which paths are ingest: with or without the last slash, never a redirect."""

import re
from typing import NamedTuple

_KINDS = frozenset({"envelope", "store", "security"})
_WRITE = frozenset({"POST"})
_READ_OR_WRITE = frozenset({"GET", "POST"})
_SLASHES = re.compile("/{2,}")


class Route(NamedTuple):
    """An ingest path: ``kind`` is envelope, store, security, tunnel or cron.

    ``project`` is what stands in the path, "" for a tunnel; ``slug`` and ``key`` are
    those of a cron's.
    """

    kind: str
    project: str
    slug: str = ""
    key: str = ""

    @property
    def stored_as(self) -> str:
        """The kind of the body that goes into the inbox."""
        return "envelope" if self.kind in {"tunnel", "cron"} else self.kind

    @property
    def methods(self) -> frozenset[str]:
        return _READ_OR_WRITE if self.kind == "cron" else _WRITE


class Router:
    """Knows the URL prefix of the installation ("" or ``/rush``) and the tunnel."""

    def __init__(self, prefix: str, tunnel_path: str) -> None:
        self._prefix = prefix.rstrip("/")
        self._tunnel = "/" + tunnel_path.strip("/")

    def find(self, path: str) -> Route | None:
        """The route of a path, with or without the prefix; None for Django's."""
        parts = path.split("/")
        if (
            len(parts) == 5
            and parts[1] == "api"
            and parts[3] in _KINDS
            and not parts[4]
        ):
            return _route(parts)
        # The less usual spellings: prefix, no last slash, slashes of a DSN doubled.
        path = self.strip(_SLASHES.sub("/", path)).rstrip("/")
        if path == self._tunnel:
            return Route("tunnel", "")
        parts = path.split("/")
        if len(parts) == 4 and parts[1] == "api" and parts[3] in _KINDS:
            return _route(parts)
        if len(parts) == 6 and parts[1] == "api" and parts[3] == "cron":
            return _route(parts)
        return None

    def strip(self, path: str) -> str:
        """The path without the installation's prefix."""
        prefix = self._prefix
        if prefix and (path == prefix or path.startswith(prefix + "/")):
            return path[len(prefix) :] or "/"
        return path


def _route(parts: list[str]) -> Route | None:
    # /api/0 and /api/v1 are management, though they may end alike.
    if parts[2] in {"", "0", "v1"}:
        return None
    return Route(parts[3], parts[2], *parts[4:6] if parts[3] == "cron" else ())
