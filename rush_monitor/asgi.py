"""The front door: ingest paths to issues.ingest, all else to Django.

Requests that wait for a verdict do so in releases.gate. Neither that nor ingest needs
the ORM or the app registry, so Django is set up here only when it shares the process
(DJANGO_UPSTREAM is empty).
"""

import logging.config
import os
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.utils.module_loading import import_string

from issues.ingest.answers import send_body
from issues.ingest.commit import conninfo
from issues.ingest.doorbell import Doorbell
from issues.ingest.endpoint import Ingest
from issues.ingest.limits import AttachmentBounds
from issues.ingest.options import IngestOptions
from issues.ingest.remote import TrustedProxies
from issues.ingest.routes import Router
from releases.gate import VerdictGate, wait_of
from rush_monitor.celery import app as celery_app
from rush_monitor.stopping import hearing_stop
from rush_monitor.upstream import Upstream, forwarded_headers
from tenants.asgi_types import Receive, Scope, Send

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rush_monitor.settings")

BROKER_SECONDS = 1.0


def options() -> IngestOptions:
    """What the settings say of ingest."""
    return IngestOptions(
        conninfo=conninfo(settings.DATABASES["default"]),
        max_compressed_bytes=settings.INGEST_MAX_COMPRESSED_BYTES,
        max_bytes=settings.INGEST_MAX_BYTES,
        max_bytes_in_flight=settings.INGEST_MAX_BYTES_IN_FLIGHT,
        wait_seconds=settings.INGEST_WAIT_SECONDS,
        inbox_max_envelopes=settings.INBOX_MAX_ENVELOPES,
        inbox_max_bytes=settings.INBOX_MAX_BYTES,
        attachments=AttachmentBounds(
            settings.ATTACHMENT_MAX_BYTES, settings.ATTACHMENTS_MAX_BYTES_PER_EVENT
        ),
        trusted_proxies=tuple(settings.TRUSTED_PROXIES),
        data_dir=settings.DATA_DIR if settings.EMBEDDED_DATABASE else None,
    )


class DigestBell:
    """Sends the task that starts a digest, over a broker connection of its own."""

    def __init__(self) -> None:
        self._connection = celery_app.connection_for_write(
            connect_timeout=BROKER_SECONDS,
            transport_options={
                "socket_connect_timeout": BROKER_SECONDS,
                "socket_timeout": BROKER_SECONDS,
                "max_retries": 0,
            },
        )

    def __call__(self) -> None:
        """Raises what the broker's client raises, after some seconds at most."""
        try:
            celery_app.send_task(
                "issues.digest",
                queue="digest",
                connection=self._connection,
                expires=3,
                ignore_result=True,
                retry=False,
            )
        except Exception:
            self._connection.release()
            self._connection = self._connection.clone()
            raise


class InProcessDjango:
    """Django behind the front door, with the headers that it may believe."""

    def __init__(self, proxies: TrustedProxies) -> None:
        # By name: the split deployment need not load Django's handlers.
        self._django = import_string("django.core.asgi.get_asgi_application")()
        self._proxies = proxies
        self._prefix = settings.FORCE_SCRIPT_NAME or ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Under ASGI, unlike WSGI, Django wants the prefix in the path.
        path = self._prefix + scope["path"]
        headers = forwarded_headers(scope, self._proxies)
        await self._django({**scope, "path": path, "headers": headers}, receive, send)

    async def stop(self) -> None:
        """Nothing is open."""


class FrontDoor:
    """The ASGI application of rush_monitor."""

    def __init__(
        self,
        *,
        ingest: Ingest,
        doorbell: Doorbell,
        router: Router,
        django: Upstream | InProcessDjango,
        most_waiting: int,
    ) -> None:
        """``most_waiting``: requests that may wait for a verdict at a time."""
        self._ingest, self._doorbell = ingest, doorbell
        self._router, self._django = router, django
        self._gate = VerdictGate(django, ingest.pool, most_waiting)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._lifespan(receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1003})
        path: str = scope["path"]
        route = self._router.find(path)
        if route is not None:
            return await self._ingest(scope, receive, send, route)
        path = self._router.strip(path)
        if path == "/healthz":
            return await _send_json(send, 200, {"status": "ok"})
        if path == "/readyz":
            ready, state = self._ingest.readiness()
            return await _send_json(send, 200 if ready else 503, state)
        return await self._pass_on(self._without_prefix(scope), receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        wait = wait_of(scope)
        if wait is None:
            await self._django(scope, receive, send)
        else:
            await self._gate(scope, receive, send, wait)

    def _without_prefix(self, scope: Scope) -> Scope:
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        return {
            **scope,
            "path": self._router.strip(scope["path"]),
            "raw_path": self._router.strip(raw_path.decode("latin-1")).encode(
                "latin-1"
            ),
        }

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Start, serve, and on shutdown store what waits before the last answer."""
        message = await receive()
        while message["type"] != "lifespan.startup":
            message = await receive()
        await self._ingest.start()
        self._doorbell.start()
        await send({"type": "lifespan.startup.complete"})
        with hearing_stop(self._gate.release):
            while message["type"] != "lifespan.shutdown":
                message = await receive()
        await self._gate.stop()
        await self._ingest.stop()
        self._doorbell.stop()
        await self._django.stop()
        await send({"type": "lifespan.shutdown.complete"})


async def _send_json(send: Send, status: int, content: dict[str, Any]) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
    ]
    await send_body(send, status, headers, orjson.dumps(content))


def front_door() -> FrontDoor:
    """The application that the settings describe."""
    proxies = TrustedProxies(settings.TRUSTED_PROXIES)
    doorbell = Doorbell(DigestBell())
    router = Router(urlsplit(settings.BASE_URL).path, settings.TUNNEL_PATH)
    django: Upstream | InProcessDjango
    if settings.DJANGO_UPSTREAM:
        # Django's own defaults would load its mail and its views.
        logging.config.dictConfig(settings.LOGGING)
        django = Upstream(settings.DJANGO_UPSTREAM, proxies)
    else:
        django = InProcessDjango(proxies)
    return FrontDoor(
        ingest=Ingest(options(), stored=doorbell.ring),
        doorbell=doorbell,
        router=router,
        django=django,
        most_waiting=settings.GATE_MAX_WAITING,
    )


application = front_door()
