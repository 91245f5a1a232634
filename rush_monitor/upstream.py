"""Everything but ingest: passed on to the process that runs Django."""

import asyncio
import logging
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
from django.core.exceptions import ImproperlyConfigured

from issues.ingest.remote import TrustedProxies
from tenants.asgi_types import Headers, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

# A body of unknown length is read whole: WSGI hands Django none without a length.
MAX_CHUNKED_BYTES = 32 << 20
# Reading outlasts the longest wait that the API offers.
TIMEOUTS = {"connect": 5.0, "read": 660.0, "write": 60.0, "pool": 30.0}
STARTING_RETRY_SECONDS = 3

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_FORWARDED = frozenset(
    {
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-real-ip",
    }
)
_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta http-equiv="refresh" content="%d"><title>rush_monitor</title>
<p>%s</p><p>This page tries again by itself. Events are taken meanwhile.</p></html>
"""


class BodyTooLong(Exception):
    """A body of unknown length passed MAX_CHUNKED_BYTES."""


def forwarded_headers(scope: Scope, proxies: TrustedProxies) -> Headers:
    """The request's headers as Django may believe them.

    What tells of proxies is dropped unless the peer is one that is trusted, and then
    written anew; X-Real-IP is the client's address. Names with an underscore are
    dropped: WSGI cannot tell them from those with a dash.
    """
    client = scope.get("client")
    peer = client[0] if client else ""
    told: dict[bytes, bytes] = {}
    headers: Headers = []
    connection = b""
    for name, value in scope["headers"]:
        if name in _FORWARDED:
            told[name] = told[name] + b"," + value if name in told else value
        elif name == b"connection":
            connection += b"," + value
        elif name not in _HOP_BY_HOP and b"_" not in name:
            headers.append((name, value))
    if connection:
        dropped = {name.strip().lower() for name in connection.split(b",")}
        headers = [(name, value) for name, value in headers if name not in dropped]
    if not proxies.trusts(peer):
        told = {}
    chain = told.get(b"x-forwarded-for", b"")
    host = next((value for name, value in headers if name == b"host"), b"")
    headers += [
        (b"x-forwarded-for", b", ".join(filter(None, (chain, peer.encode())))),
        (b"x-forwarded-host", told.get(b"x-forwarded-host", host)),
        (
            b"x-forwarded-proto",
            told.get(b"x-forwarded-proto", scope["scheme"].encode()),
        ),
        (b"x-real-ip", proxies.client(peer, chain.decode("latin-1")).encode()),
    ]
    return headers


class RequestBody:
    """The request's body as a stream, and the news that its client has left."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._complete = asyncio.Event()

    async def stream(self) -> AsyncIterator[bytes]:
        more = not self._complete.is_set()
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                raise httpx.ReadError("the client left")
            more = bool(message.get("more_body"))
            if not more:
                self._complete.set()
            yield message.get("body", b"")

    async def whole(self) -> bytes:
        """All of it; raises BodyTooLong."""
        parts, size = [], 0
        async for part in self.stream():
            size += len(part)
            if size > MAX_CHUNKED_BYTES:
                raise BodyTooLong
            parts.append(part)
        return b"".join(parts)

    async def left(self) -> None:
        """Return when the client has closed the connection."""
        await self._complete.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


class Upstream:
    """An ASGI application that asks Django; ``stop`` closes its connections."""

    def __init__(self, url: str, proxies: TrustedProxies) -> None:
        """``url``: ``http://host:port`` or ``unix:/path``."""
        parts = urlsplit(url)
        self._proxies = proxies
        limits = httpx.Limits(
            max_connections=256, max_keepalive_connections=32, keepalive_expiry=4.0
        )
        if parts.scheme == "unix" and parts.path:
            self._url = httpx.URL("http://django")
            self._transport = httpx.AsyncHTTPTransport(uds=parts.path, limits=limits)
        elif parts.scheme in {"http", "https"} and parts.hostname:
            self._url = httpx.URL(f"{parts.scheme}://{parts.netloc}")
            self._transport = httpx.AsyncHTTPTransport(limits=limits)
        else:
            raise ImproperlyConfigured(
                f"DJANGO_UPSTREAM={url}: write http://host:port or unix:/path, or "
                "leave it empty to run Django in the same process"
            )

    async def stop(self) -> None:
        await self._transport.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = RequestBody(receive)
        exchange = asyncio.create_task(self._exchange(scope, body, send))
        left = asyncio.create_task(body.left())
        try:
            await asyncio.wait((exchange, left), return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            if not exchange.done():
                exchange.cancel()
        await asyncio.wait((exchange, left))
        if not exchange.cancelled():
            exchange.result()

    async def _exchange(self, scope: Scope, body: RequestBody, send: Send) -> None:
        try:
            response = await self._ask(scope, body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            await _send_page(scope, send, 503, "rush_monitor is starting.")
        except httpx.TimeoutException:
            await _send_page(scope, send, 504, "The page took too long.")
        except BodyTooLong:
            await _send_page(
                scope, send, 411, "Send a body of this size with Content-Length."
            )
        except (httpx.LocalProtocolError, httpx.InvalidURL) as error:
            await _send_page(scope, send, 400, f"The request is malformed: {error}")
        except httpx.TransportError as error:
            log.warning("Django did not answer %s: %r", scope["path"], error)
            await _send_page(scope, send, 502, "Django did not answer.")
        else:
            try:
                await _send_response(response, send)
            finally:
                await response.aclose()

    async def _ask(self, scope: Scope, body: RequestBody) -> httpx.Response:
        request = await self._request(scope, body)
        try:
            return await self._transport.handle_async_request(request)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # Django closed a kept connection just as it was used again.
            if scope["method"] not in {"GET", "HEAD"}:
                raise
        return await self._transport.handle_async_request(request)

    async def _request(self, scope: Scope, body: RequestBody) -> httpx.Request:
        headers = forwarded_headers(scope, self._proxies)
        names = {name for name, _ in scope["headers"]}
        content: bytes | AsyncIterator[bytes] = b""
        if b"content-length" in names and scope["method"] not in {"GET", "HEAD"}:
            content = body.stream()
        else:
            content = await body.whole()
            headers = [pair for pair in headers if pair[0] != b"content-length"]
        target: bytes = scope["raw_path"]
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        url = self._url.copy_with(raw_path=target)
        return httpx.Request(
            scope["method"],
            url,
            headers=headers,
            content=content,
            extensions={"timeout": TIMEOUTS},
        )


async def _send_response(response: httpx.Response, send: Send) -> None:
    headers = [
        (name.lower(), value)
        for name, value in response.headers.raw
        if name.lower() not in _HOP_BY_HOP
    ]
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": headers,
        }
    )
    held = b""
    async for part in response.aiter_raw():
        if held:
            await send(_part(held, more=True))
        held = part
    await send(_part(held, more=False))


def _part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def _send_page(scope: Scope, send: Send, status: int, text: str) -> None:
    """A line of text, or a page that tries again where a browser asks."""
    accept = dict(scope["headers"]).get(b"accept", b"")
    kind, body = b"text/plain; charset=utf-8", f"{text}\n".encode()
    if b"text/html" in accept and status >= 500:
        kind = b"text/html; charset=utf-8"
        body = _PAGE % (STARTING_RETRY_SECONDS, text.encode())
    headers = [(b"content-type", kind), (b"cache-control", b"no-store")]
    if status == 503:
        headers.append((b"retry-after", b"%d" % STARTING_RETRY_SECONDS))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send(_part(body, more=False))
