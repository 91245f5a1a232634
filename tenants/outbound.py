"""The one module that speaks outwards: HTTP to addresses that were checked first.

The URLs that it is given come from people, so they must not lead into our own network.
A name is resolved once, every address is checked, and the connection goes to a checked
address, so that a name cannot change its mind in between. Redirects are answers and are
never followed, proxies of the environment are not used, and the time and the size of an
answer are bounded.
"""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import certifi
import httpcore
from django.conf import settings

from tenants.addresses import refusal_of
from tenants.refusals import Refusal

SECONDS = 15.0  # for a whole request, from the look-up of the name to the last byte
CONNECT_SECONDS = 5.0  # for each address
MOST_ADDRESSES = 4
MOST_BYTES = 64 << 10
USER_AGENT = "rush_monitor"

Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Request:
    """What to send; ``headers`` need neither Host nor Content-Length."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status. Names of headers are in lower case.

    ``cut`` says that the body was longer than the bound and holds its beginning only.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class OutboundError(Refusal):
    """No answer came.

    ``permanent``: the same request will fail again. ``reached``: the other side may
    have received the request and acted on it, so that its outcome is unknown.
    """

    def __init__(self, text: str, *, permanent: bool, reached: bool) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.reached = reached


class AddressRefused(OutboundError):
    """The URL cannot be used, or it leads where requests must not go."""

    def __init__(self, text: str) -> None:
        super().__init__(text, permanent=True, reached=False)


def resolve_name(host: str, port: int) -> list[str]:
    """The addresses of a name; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def send(
    request: Request,
    *,
    resolve: Resolve = resolve_name,
    allowed: Collection[Network] | None = None,
    seconds: float = SECONDS,
    most_bytes: int = MOST_BYTES,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Send ``request`` and return the answer, of any status; raises OutboundError.

    ``allowed`` are networks that may be called although they are not public (None:
    those of OUTBOUND_ALLOWED_NETWORKS); ``context`` is for TLS.
    """
    deadline = time.monotonic() + seconds
    place = _Place.of(request.url)
    networks = settings.OUTBOUND_ALLOWED_NETWORKS if allowed is None else allowed
    addresses = _resolved(resolve, place, deadline)
    _check(place, addresses, networks)
    wire = _Wire(addresses[:MOST_ADDRESSES], deadline)
    try:
        return _exchange(request, place, wire, context or _tls(), most_bytes)
    except httpcore.TimeoutException as error:
        raise _failed(wire, f"{place.host} did not answer in time") from error
    except httpcore.LocalProtocolError as error:
        raise AddressRefused(f"This is no valid request: {error}.") from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise _explained(wire, place, error) from error


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a URL leads."""

    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def of(cls, url: str) -> "_Place":
        """Raises AddressRefused."""
        if not url.isprintable() or any(char in url for char in "\\ "):
            raise AddressRefused("The URL holds a space or another odd character.")
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
            host = (parts.hostname or "").rstrip(".")
            if ":" not in host:
                host = host.encode("idna").decode()
        except ValueError as error:
            raise AddressRefused(f"{url} is not a URL: {error}.") from error
        if parts.scheme not in {"http", "https"}:
            raise AddressRefused(f"{url} does not begin with https:// or http://.")
        if parts.username is not None or parts.password is not None:
            raise AddressRefused("The URL holds a user name: give secrets apart.")
        if not host or "%" in host:
            raise AddressRefused(f"{url} names no host that can be called.")
        path = parts.path or "/"
        target = f"{path}?{parts.query}" if parts.query else path
        return cls(parts.scheme, host, port, target)

    @property
    def header(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"


def _resolved(resolve: Resolve, place: _Place, deadline: float) -> list[str]:
    """The addresses of the host, in time: the system's resolver may take minutes."""
    found: list[str] = []
    failed: list[OSError | UnicodeError] = []

    def look_up() -> None:
        try:
            found.extend(resolve(place.host, place.port))
        except (OSError, UnicodeError) as error:
            failed.append(error)

    thread = threading.Thread(target=look_up, name="resolve", daemon=True)
    thread.start()
    thread.join(max(deadline - time.monotonic(), 0))
    if found:
        return list(found)
    reason = f": {failed[0]}" if failed else ""
    raise OutboundError(
        f"The name {place.host} was not found{reason}.", permanent=False, reached=False
    )


def _check(
    place: _Place, addresses: Iterable[str], allowed: Collection[Network]
) -> None:
    """Refuse a host of which any address must not be called."""
    for text in addresses:
        address = _parsed(text)
        reason = refusal_of(address, allowed)
        if reason:
            name = "" if place.host == str(address) else f"{place.host} leads to "
            raise AddressRefused(
                f"{name}{address}, {reason}: requests do not go there. If it is yours, "
                "add its network to OUTBOUND_ALLOWED_NETWORKS."
            )


def _parsed(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text.partition("%")[0])
    except ValueError as error:
        raise AddressRefused(f"{text} is not an address.") from error


def _exchange(
    request: Request,
    place: _Place,
    wire: "_Wire",
    context: ssl.SSLContext,
    most_bytes: int,
) -> Answer:
    headers = {
        "Host": place.header,
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "identity",
        "Connection": "close",
        **request.headers,
    }
    if request.body or request.method not in {"GET", "HEAD"}:
        headers["Content-Length"] = str(len(request.body))
    url = httpcore.URL(
        scheme=place.scheme.encode(),
        host=place.host.encode(),
        port=place.port,
        target=_encoded(place.target),
    )
    encoded = [(name.encode(), _encoded(value)) for name, value in headers.items()]
    with (
        httpcore.ConnectionPool(ssl_context=context, network_backend=wire) as pool,
        pool.stream(
            request.method, url, headers=encoded, content=request.body
        ) as response,
    ):
        body, cut = _bounded(response.iter_stream(), most_bytes)
    return Answer(
        response.status,
        {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in response.headers
        },
        body,
        cut,
    )


def _encoded(text: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError as error:
        raise AddressRefused(f"{text} holds letters that are not ASCII.") from error


def _bounded(chunks: Iterable[bytes], most_bytes: int) -> tuple[bytes, bool]:
    body = b""
    for chunk in chunks:
        body += chunk
        if len(body) > most_bytes:
            return body[:most_bytes], True
    return body, False


class _Wire(httpcore.NetworkBackend):
    """Connects to the checked addresses only, and ends everything at the deadline."""

    def __init__(self, addresses: Sequence[str], deadline: float) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self.sent = False  # whether a byte of the request may have left

    def left(self, timeout: float | None, error: type[Exception]) -> float:
        """Seconds that an operation may take; raises ``error`` past the deadline."""
        rest = self._deadline - time.monotonic()
        if rest <= 0:
            raise error("The time is over.")
        return rest if timeout is None else min(timeout, rest)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("There is no address.")
        for address in self._addresses:
            seconds = self.left(CONNECT_SECONDS, httpcore.ConnectTimeout)
            try:
                stream = httpcore.SyncBackend().connect_tcp(
                    address, port, seconds, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self)
        raise failure


class _Stream(httpcore.NetworkStream):
    """A connection that ends at the deadline of its wire."""

    def __init__(self, stream: httpcore.NetworkStream, wire: _Wire) -> None:
        self._stream = stream
        self._wire = wire

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(
            max_bytes, self._wire.left(timeout, httpcore.ReadTimeout)
        )

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        seconds = self._wire.left(timeout, httpcore.WriteTimeout)
        self._wire.sent = True
        self._stream.write(buffer, seconds)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        seconds = self._wire.left(CONNECT_SECONDS, httpcore.ConnectTimeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, seconds)
        return _Stream(stream, self._wire)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _failed(wire: _Wire, text: str, *, permanent: bool = False) -> OutboundError:
    if wire.sent:
        text += "; it may have received the request"
    return OutboundError(f"{text}.", permanent=permanent, reached=wire.sent)


def _explained(wire: _Wire, place: _Place, error: Exception) -> OutboundError:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = f"{place.host} has no valid certificate: {cause.verify_message}"
        return _failed(wire, reason, permanent=True)
    reason = str(error) or type(error).__name__
    return _failed(wire, f"{place.host} cannot be called: {reason}")


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Trusts the usual authorities, those of the system, and those of SSL_CERT_FILE."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context
