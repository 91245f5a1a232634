"""Reading a request body, capped by the bytes read, within a budget of this process."""

import asyncio
from types import TracebackType

from issues.ingest.protocol import RETRY_SECONDS, ClientGone, Refusal
from tenants.asgi_types import Message, Receive

READ_SECONDS = 60.0


class ByteBudget:
    """Bytes that requests in flight may hold together while they read or wait."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def hold(self) -> "Hold":
        """A request's share: ``with budget.hold() as hold: hold.set(n)``."""
        return Hold(self)


class Hold:
    """What one request holds; given back when its block ends."""

    __slots__ = ("_budget", "size")

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.size = 0

    def __enter__(self) -> "Hold":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._budget.used -= self.size

    def set(self, size: int) -> None:
        """Hold ``size`` bytes from now on; raises Refusal (503) past the budget."""
        budget = self._budget
        grown = size - self.size
        if grown > 0 and budget.used + grown > budget.limit:
            raise Refusal(
                503,
                "Too many bytes are waiting to be stored; send again later.",
                reason="unavailable",
                retry_after=RETRY_SECONDS,
            )
        budget.used += grown
        self.size = size


async def read(receive: Receive, cap: int, hold: Hold) -> bytes:
    """The whole body; raises Refusal (413, 408, 503) or ClientGone."""
    message = await receive()
    body = _part(message)
    if not message.get("more_body"):
        _check(len(body), cap)
        return body
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await _read_on(body, receive, cap, hold)
    except TimeoutError:
        raise Refusal(
            408, f"The body did not arrive within {READ_SECONDS:.0f} seconds."
        ) from None


async def _read_on(body: bytes, receive: Receive, cap: int, hold: Hold) -> bytes:
    parts, size, more = [body], len(body), True
    while more:
        _check(size, cap)
        hold.set(size)
        message = await receive()
        part = _part(message)
        parts.append(part)
        size += len(part)
        more = bool(message.get("more_body"))
    _check(size, cap)
    hold.set(size)
    return b"".join(parts)


def _part(message: Message) -> bytes:
    if message["type"] != "http.request":
        raise ClientGone
    body: bytes = message.get("body", b"")
    return body


def _check(size: int, cap: int) -> None:
    if size > cap:
        raise Refusal(
            413,
            f"The body is over {cap} bytes. Compress it or send fewer items.",
            reason="too_large",
        )
