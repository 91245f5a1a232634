"""Runs ingest on the tests' database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
from django.db import connection

from issues.ingest.commit import conninfo
from issues.ingest.endpoint import Ingest
from issues.ingest.limits import AttachmentBounds
from issues.ingest.options import IngestOptions
from issues.ingest.routes import Router
from tenants.asgi_types import Receive, Scope, Send
from tenants.models import Project, ProjectKey

T = TypeVar("T")
KEY = "a" * 32
ENVELOPE_TYPE = {"content-type": "application/x-sentry-envelope"}
EVENT_ID = "9ec79c33ec9942ab8353589fcb2e04dc"
EVENT = b'{"event_id":"%s"}\n{"type":"event"}\n{"message":"x"}\n' % EVENT_ID.encode()


def make_key(project_id: int = 7, public_key: str = KEY, **fields: Any) -> ProjectKey:
    """A key, and its project with this id unless it is there."""
    project, _ = Project.objects.get_or_create(
        pk=project_id, defaults={"name": "Shop", "slug": f"shop-{project_id}"}
    )
    return ProjectKey.objects.create(project=project, public_key=public_key, **fields)


def options(**changes: Any) -> IngestOptions:
    """Ingest on the tests' database, with small caps and short waits."""
    defaults: dict[str, Any] = {
        "conninfo": conninfo(connection.settings_dict),
        "max_compressed_bytes": 1 << 20,
        "max_bytes": 8 << 20,
        "max_bytes_in_flight": 32 << 20,
        "wait_seconds": 5.0,
        "inbox_max_envelopes": 1_000_000,
        "inbox_max_bytes": 1 << 30,
        "attachments": AttachmentBounds(1 << 20, 2 << 20),
    }
    return IngestOptions(**{**defaults, **changes})


class Door:
    """A running ingest and a client of it; ``stored`` counts committed envelopes."""

    def __init__(self, chosen: IngestOptions) -> None:
        self.stored = 0
        self.ingest = Ingest(chosen, self._count)
        self._router = Router("", "/tunnel/")
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self._app, client=("203.0.113.9", 4711)),
            base_url="http://rush.example.com",
        )

    def _count(self, rows: int) -> None:
        self.stored += rows

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._router.find(scope["path"])
        assert route is not None
        await self.ingest(scope, receive, send, route)

    async def post(
        self,
        body: bytes = EVENT,
        path: str = f"/api/7/envelope/?sentry_key={KEY}",
        **headers: str,
    ) -> httpx.Response:
        """POST a body; header names are written with ``_`` for ``-``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, content=body, headers=named)


def through(scenario: Callable[[Door], Awaitable[T]], **changes: Any) -> T:
    """Run a scenario against a running ingest; returns what it returns."""

    async def run() -> T:
        door = Door(options(**changes))
        await door.ingest.start()
        try:
            return await scenario(door)
        finally:
            await door.client.aclose()
            await door.ingest.stop()

    return asyncio.run(run())
