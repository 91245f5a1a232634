"""Answers of the ingest endpoints. CORS headers stand on each, errors included."""

from collections.abc import Sequence

import orjson

from issues.ingest.protocol import Refusal
from tenants.asgi_types import Headers, Send

# Without the exposed headers a browser SDK cannot see why it was refused.
_EXPOSE = b"x-sentry-error, x-sentry-rate-limits, retry-after"
_ALLOW_HEADERS = (
    b"x-sentry-auth, x-requested-with, x-forwarded-for, origin, referer, accept, "
    b"content-type, authentication, authorization, content-encoding, "
    b"transfer-encoding, sentry-trace, baggage"
)
_COMMON: Headers = [
    (b"content-type", b"application/json"),
    (b"access-control-expose-headers", _EXPOSE),
    (b"cross-origin-resource-policy", b"cross-origin"),
]
_ANY: Headers = [*_COMMON, (b"access-control-allow-origin", b"*")]


def cors(echo: bytes | None) -> Headers:
    """The headers of an answer: any origin, or just ``echo``, the allowed one."""
    if echo is None:
        return _ANY
    return [*_COMMON, (b"access-control-allow-origin", echo), (b"vary", b"origin")]


async def send_body(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """One whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_accepted(
    send: Send, event_id: str, limits: str, headers: Headers
) -> None:
    """200 with the event id, if the envelope has one."""
    if limits:
        headers = [*headers, (b"x-sentry-rate-limits", limits.encode())]
    body = b'{"id":"%s"}' % event_id.encode() if event_id else b"{}"
    await send_body(send, 200, headers, body)


async def send_refusal(send: Send, refusal: Refusal, headers: Headers) -> None:
    """``{"detail", "causes"?}`` and X-Sentry-Error, as SDKs log them."""
    content: dict[str, str | Sequence[str]] = {"detail": refusal.detail}
    if refusal.causes:
        content["causes"] = refusal.causes
    text = " ".join((refusal.detail, *refusal.causes))
    headers = [*headers, (b"x-sentry-error", _header_text(text))]
    if refusal.retry_after:
        headers.append((b"retry-after", b"%d" % refusal.retry_after))
    if refusal.limits:
        headers.append((b"x-sentry-rate-limits", refusal.limits.encode()))
    if refusal.status == 405:
        headers.append((b"allow", b"POST, OPTIONS"))
    await send_body(send, refusal.status, headers, orjson.dumps(content))


async def send_preflight(send: Send) -> None:
    """The answer to a browser that asks whether it may post."""
    headers = [
        *_ANY,
        (b"access-control-allow-methods", b"POST"),
        (b"access-control-allow-headers", _ALLOW_HEADERS),
        (b"access-control-max-age", b"3600"),
        (b"allow", b"POST, OPTIONS"),
    ]
    await send_body(send, 200, headers, b"")


def _header_text(text: str) -> bytes:
    printable = "".join(c if " " <= c <= "~" else "?" for c in text)
    return printable[:500].encode()
