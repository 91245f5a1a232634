import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from rush_monitor.client_address import ClientAddressMiddleware


@pytest.mark.parametrize(
    ("peer", "real", "seen"),
    [
        ("", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("198.51.100.4", "203.0.113.9", "198.51.100.4"),
        ("a host name", "203.0.113.9", "a host name"),
    ],
)
def test_the_front_door_tells_who_asks(peer: str, real: str, seen: str) -> None:
    told: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        told.append(request.META["REMOTE_ADDR"])
        return HttpResponse()

    request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_REAL_IP=real)
    ClientAddressMiddleware(view)(request)
    assert told == [seen]
