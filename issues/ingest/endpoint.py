"""The ingest endpoints: authenticate, read, frame, store, answer.

A bare ASGI application, because this path is the product's hot loop. 200 is sent after
the envelope was committed; whatever goes wrong has an answer of the protocol.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import zstandard
from psycopg_pool import AsyncConnectionPool

from issues.failures import trace
from issues.ingest import answers
from issues.ingest.admit import Gate, Visit
from issues.ingest.body import ByteBudget, Hold, read
from issues.ingest.commit import copy_row, make_durable
from issues.ingest.decode import OverCap, UnknownEncoding, encodings
from issues.ingest.inbox import Inbox, RowRefused, Unavailable
from issues.ingest.keys import Key
from issues.ingest.outcomes import Outcomes
from issues.ingest.prepare import Prepared, prepare
from issues.ingest.pressure import Pressure
from issues.ingest.protocol import RETRY_SECONDS, ClientGone, Refusal, unavailable
from issues.ingest.remote import Network, TrustedProxies
from issues.ingest.routes import Route
from issues.sealed_envelopes import Sender, seal_envelope
from tenants.asgi_types import Receive, Scope, Send

log = logging.getLogger(__name__)

# What is larger, on the wire or decompressed, is handled in a thread.
INLINE_BYTES = 256 << 10
INLINE_DECODED_BYTES = 1 << 20
# Each may hold INGEST_MAX_BYTES while it decompresses.
LARGE_AT_ONCE = 2
FULL_RETRY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """The settings of ingest; bytes are decompressed bytes unless said.

    ``data_dir``: where an embedded database lies, None for one elsewhere.
    """

    conninfo: str
    max_compressed_bytes: int
    max_bytes: int
    max_bytes_in_flight: int
    wait_seconds: float
    inbox_max_envelopes: int
    inbox_max_bytes: int
    trusted_proxies: tuple[Network, ...] = ()
    data_dir: Path | None = None


class Ingest:
    """The endpoints and what runs behind them, between ``start`` and ``stop``.

    ``stored(n)`` is called after each commit of ``n`` envelopes. ``pool`` may be
    borrowed from for quick looks; it is open between ``start`` and ``stop``.
    """

    def __init__(self, options: IngestOptions, stored: Callable[[int], None]) -> None:
        self._options = options
        self.pool = AsyncConnectionPool(
            options.conninfo,
            min_size=1,
            max_size=3,
            open=False,
            kwargs={"autocommit": True},
            configure=make_durable,
            check=AsyncConnectionPool.check_connection,
            name="ingest",
        )
        self._gate = Gate(self.pool, options.wait_seconds)
        self._inbox = Inbox(options.conninfo, options.wait_seconds, stored)
        self._outcomes = Outcomes(self.pool)
        self._pressure = Pressure(
            self.pool,
            max_envelopes=options.inbox_max_envelopes,
            max_bytes=options.inbox_max_bytes,
            data_dir=options.data_dir,
        )
        self._budget = ByteBudget(options.max_bytes_in_flight)
        self._proxies = TrustedProxies(options.trusted_proxies)
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def start(self) -> None:
        """Start the writer; does not wait for the database."""
        await self.pool.open()
        await self._inbox.start()
        await self._pressure.start()
        await self._outcomes.start()

    async def stop(self) -> None:
        """Store what waits and write the counts, then close."""
        await self._inbox.stop()
        await self._pressure.stop()
        await self._outcomes.stop()
        await self._gate.stop()
        await self.pool.close()

    def readiness(self) -> tuple[bool, dict[str, object]]:
        """Whether the database answers, and how much waits for digest."""
        backlog = self._pressure.backlog
        ready = self._pressure.fresh
        return ready, {
            "status": "ready" if ready else "the database does not answer",
            "inbox": {
                "envelopes": backlog.envelopes,
                "bytes": backlog.bytes,
                "lag_seconds": round(backlog.lag(datetime.now(UTC)), 1),
                "full": self._pressure.full,
            },
            "waiting_requests": self._inbox.waiting,
        }

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, route: Route
    ) -> None:
        """Answer one request to an ingest path."""
        if scope["method"] == "OPTIONS":
            return await answers.send_preflight(send)
        visit = Visit(scope, route)
        try:
            prepared = await self._take(visit, receive)
        except Refusal as refusal:
            await self._refuse(visit, refusal, send)
        except ClientGone:
            # Who only stopped sending still listens; silence would become a 500.
            cut_off = Refusal(400, "The body ended before it was complete.")
            await self._refuse(visit, cut_off, send)
        except Exception as error:
            log.error("ingest failed\n%s", trace(error))
            fault = Refusal(
                503,
                "The envelope could not be taken because of a fault in rush_monitor; "
                "its log has the traceback.",
                reason="unavailable",
                retry_after=RETRY_SECONDS,
                kinds=visit.kinds,
            )
            await self._refuse(visit, fault, send)
        else:
            await answers.send_accepted(
                send, prepared.event_id, prepared.limits, visit.cors
            )
        return None

    async def _refuse(self, visit: Visit, refusal: Refusal, send: Send) -> None:
        if visit.key is not None and refusal.reason:
            kinds = refusal.kinds or visit.kinds
            self._outcomes.refused(visit.key, kinds, refusal.reason)
        await answers.send_refusal(send, refusal, visit.cors)

    async def _take(self, visit: Visit, receive: Receive) -> Prepared:
        """Store the request's envelope; returns once it is committed."""
        received = time.time()
        if visit.scope["method"] != "POST":
            raise Refusal(405, "Envelopes are sent with POST; SDKs do that by the DSN.")
        public_key = self._gate.declared_key(visit)
        if public_key is not None:
            await self._gate.admit(visit, public_key, visit.route.project)
        names = _encodings(visit)
        with self._budget.hold() as hold:
            raw = await self._read(visit, receive, names, hold)
            prepared = await self._prepare(visit, raw, names, hold)
            visit.kinds = prepared.kinds
            if prepared.dsn:
                await self._gate.admit_dsn(visit, prepared.dsn, public_key)
            if visit.key is None:
                raise Refusal(
                    403,
                    "No key. Send one in X-Sentry-Auth, as ?sentry_key= or as dsn in "
                    "the envelope header.",
                )
            if prepared.body:
                self._refuse_when_full()
                row = await self._row(visit, visit.key, prepared, received)
                del raw
                hold.set(len(row))
                await self._store(row)
        return prepared

    async def _read(
        self, visit: Visit, receive: Receive, names: list[str], hold: Hold
    ) -> bytes:
        chosen = self._options
        cap = chosen.max_compressed_bytes if names else chosen.max_bytes
        length = visit.headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > cap:
            raise Refusal(413, f"The body is over {cap} bytes.", reason="too_large")
        return await read(receive, cap, hold)

    async def _prepare(
        self, visit: Visit, raw: bytes, names: list[str], hold: Hold
    ) -> Prepared:
        kind = "envelope" if visit.route.kind == "tunnel" else visit.route.kind
        cap = self._options.max_bytes
        if len(raw) <= INLINE_BYTES:
            inline = min(cap, INLINE_DECODED_BYTES)
            try:
                return prepare(raw, names, kind, inline, self._compress)
            except OverCap as error:
                if inline == cap:
                    raise _bomb(error) from error
        hold.set(len(raw))
        # A compressor serves one thread at a time.
        compress = zstandard.ZstdCompressor(level=1).compress
        async with self._large:
            try:
                return await asyncio.to_thread(prepare, raw, names, kind, cap, compress)
            except OverCap as error:
                raise _bomb(error) from error

    def _refuse_when_full(self) -> None:
        full = self._pressure.full
        if full:
            raise Refusal(
                429,
                "The inbox is full; digest cannot keep up."
                if full == "inbox_full"
                else "The disk is nearly full; free space or shorten the retention.",
                reason=full,
                retry_after=FULL_RETRY_SECONDS,
                limits=f"{FULL_RETRY_SECONDS}::organization:{full}",
            )

    async def _row(
        self, visit: Visit, key: Key, prepared: Prepared, received: float
    ) -> bytes:
        sender = self._sender(visit)
        if len(prepared.body) <= INLINE_DECODED_BYTES:
            body = seal_envelope(sender, prepared.body)
        else:
            body = await asyncio.to_thread(seal_envelope, sender, prepared.body)
        kind = visit.route.kind
        return copy_row(
            key.project_id,
            key.id,
            b"envelope" if kind == "tunnel" else kind.encode(),
            received,
            prepared.size,
            body,
        )

    def _sender(self, visit: Visit) -> Sender:
        headers, kind = visit.headers, visit.route.kind
        client = visit.scope.get("client")
        peer = client[0] if client else ""
        forwarded = visit.joined(b"x-forwarded-for") if self._proxies.any else ""
        query = ""
        if kind in {"store", "security"}:
            query = _text(visit.scope["query_string"], 2048)
        return Sender(
            self._proxies.client(peer, forwarded),
            _text(headers.get(b"user-agent", b""), 512),
            _text(visit.origin, 255),
            query,
        )

    async def _store(self, row: bytes) -> None:
        try:
            await self._inbox.put(row)
        except Unavailable as error:
            raise unavailable() from error
        except RowRefused as error:
            raise Refusal(
                400,
                "The database refused this envelope.",
                causes=(str(error),),
                reason="invalid",
            ) from error


def _encodings(visit: Visit) -> list[str]:
    if b"content-encoding" not in visit.headers:
        return []
    try:
        return encodings(visit.joined(b"content-encoding"))
    except UnknownEncoding as error:
        raise Refusal(415, str(error), reason="invalid") from error


def _bomb(error: OverCap) -> Refusal:
    return Refusal(
        413, "The envelope is too large.", causes=(str(error),), reason="too_large"
    )


def _text(value: bytes, limit: int) -> str:
    """At most ``limit`` characters of any bytes, without NUL."""
    return value.decode("utf-8", "replace")[:limit].replace("\0", "")
