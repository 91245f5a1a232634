"""Who may send: the key that a request names, and the page it comes from."""

import asyncio
import time

from psycopg import Error as PostgresError
from psycopg_pool import AsyncConnectionPool

from issues.ingest import answers, auth
from issues.ingest.keys import SELECT_KEYS, Key, KeyDirectory, KeyRow, page_origin
from issues.ingest.protocol import Refusal, unavailable
from issues.ingest.routes import Route
from tenants.asgi_types import Headers, Scope

KEY_RETRY_SECONDS = 0.25


class Visit:
    """One request as far as it is known, for its answer and for the counts."""

    __slots__ = ("cors", "headers", "key", "kinds", "origin", "route", "scope")

    def __init__(self, scope: Scope, route: Route) -> None:
        self.scope, self.route = scope, route
        # Header names are lower-case; of repeated ones the last counts here.
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.key: Key | None = None
        self.kinds: tuple[str, ...] = ()
        self.origin = self.headers.get(b"origin", b"")
        self.cors: Headers = answers.cors(None)

    def joined(self, name: bytes) -> str:
        """All headers of this name as one."""
        values = [value for header, value in self.scope["headers"] if header == name]
        return b",".join(values).decode("latin-1")


class Gate:
    """Admits requests by the keys in the database."""

    def __init__(self, pool: AsyncConnectionPool, wait_seconds: float) -> None:
        self._pool, self._wait_seconds = pool, wait_seconds
        self._keys = KeyDirectory(self._fetch_keys)

    async def stop(self) -> None:
        await self._keys.stop()

    def declared_key(self, visit: Visit) -> str | None:
        """The key in headers, query or path; a tunnel knows the envelope's DSN only."""
        if visit.route.kind == "tunnel":
            return None
        headers = visit.headers
        try:
            if visit.route.kind == "cron":
                return auth.path_key(visit.route.key)
            return auth.public_key(
                headers.get(b"x-sentry-auth"),
                headers.get(b"authorization"),
                visit.scope["query_string"],
            )
        except auth.AuthError as error:
            raise Refusal(403, str(error)) from error

    async def admit_dsn(self, visit: Visit, value: object, known: str | None) -> None:
        try:
            dsn = auth.parse_dsn(value)
            auth.agreed(known, dsn.public_key, "The dsn in the envelope header")
        except auth.AuthError as error:
            raise Refusal(403, str(error)) from error
        if visit.route.kind != "tunnel" and dsn.project != visit.route.project:
            raise Refusal(
                403,
                f"The dsn in the envelope header is of project {dsn.project}, the path "
                f"of project {visit.route.project}. Send one DSN's.",
            )
        await self.admit(visit, dsn.public_key, dsn.project)

    async def admit(self, visit: Visit, public_key: str, project: str) -> None:
        """Note the key; raises Refusal (403) where it may not send."""
        key = self._keys.known(public_key) or await self._find_key(public_key)
        if key is None or project != str(key.project_id):
            raise Refusal(
                403,
                f"No project {project[:50]} with this key. Copy the DSN from the "
                "project's page in rush_monitor.",
            )
        if not key.is_active:
            raise Refusal(
                403,
                "This key is switched off. Switch it on in the project's page in "
                "rush_monitor, or send with another DSN.",
            )
        visit.key = key
        if not key.origins.any:
            self._check_origin(visit, key)

    def _check_origin(self, visit: Visit, key: Key) -> None:
        referer = visit.headers.get(b"referer", b"").decode("latin-1")
        origin = page_origin(visit.origin.decode("latin-1"), referer)
        if not key.origins.allow(origin):
            raise Refusal(
                403,
                f"{origin[:255] or 'A client without Origin'} may not send with this "
                "key. Add the page to the key's allowed origins, or give servers a "
                "key of their own.",
                reason="origin",
            )
        if visit.origin:
            visit.cors = answers.cors(visit.origin)

    async def _find_key(self, public_key: str) -> Key | None:
        """Look the key up, for as long as a request may wait for the database."""
        deadline = time.monotonic() + self._wait_seconds
        while True:
            try:
                return await self._keys.find(public_key)
            except (PostgresError, OSError) as error:
                if time.monotonic() > deadline:
                    raise unavailable() from error
            await asyncio.sleep(KEY_RETRY_SECONDS)

    async def _fetch_keys(self) -> list[KeyRow]:
        async with self._pool.connection(timeout=2) as connection:
            cursor = await connection.execute(SELECT_KEYS)
            return await cursor.fetchall()
