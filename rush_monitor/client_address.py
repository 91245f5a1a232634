"""The address of the person or client behind a request that the front door passed on.

The front door always writes ``X-Real-IP`` itself (upstream.py) and drops what came
under that name, so it is believed when the peer is the front door: a unix socket, or
this machine.
"""

from collections.abc import Callable
from ipaddress import ip_address

from django.http import HttpRequest, HttpResponse


def is_local(peer: str) -> bool:
    """Whether the peer is a unix socket (no address) or this machine."""
    if not peer:
        return True
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False


class ClientAddressMiddleware:
    """Sets ``REMOTE_ADDR`` to the client's address, for audit and log-in limits."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        real = request.headers.get("X-Real-IP", "")
        if real and is_local(str(request.META.get("REMOTE_ADDR") or "")):
            request.META["REMOTE_ADDR"] = real
        return self._get_response(request)
