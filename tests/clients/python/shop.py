"""The order service of some shops: Django with sentry-sdk, as its manual sets it up.

Serves itself, is asked four times, fails once, and prints the ids of the events that
it sent.  python shop.py <DSN>
"""

import json
import sys
import threading
from http.client import HTTPConnection
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
import sentry_sdk
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

RATES = {"EUR": 1.0, "USD": 0.9}
sent: list[str] = []


def price(line: dict[str, Any]) -> float:
    rate = RATES[line["currency"]]
    return float(line["amount"]) * rate


def total(order: dict[str, Any]) -> float:
    return sum(price(line) for line in order["lines"])


def checkout(request: HttpRequest) -> HttpResponse:
    order = json.loads(request.body)
    sentry_sdk.set_tag("shop", request.headers["X-Shop"])
    sentry_sdk.set_tag("template", "minimal")
    sentry_sdk.set_user({"id": "merchant-7", "email": "mia@shop.example"})
    sentry_sdk.add_breadcrumb(category="cart", message=f"order {order['id']}")
    return JsonResponse({"total": total(order)})


urlpatterns = [path("checkout/", checkout)]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Only the ids go to the output."""


def note(event: Any, _hint: Any) -> Any:
    sent.append(event["event_id"])
    return event


def ask(port: int, currency: str) -> int:
    line = {"currency": currency, "amount": 3}
    order = json.dumps({"id": 1001, "lines": [line]})
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(
        "POST", "/checkout/?utm=mail", order, {"X-Shop": "Bella.example"}
    )
    return connection.getresponse().status


def main(dsn: str) -> None:
    sentry_sdk.init(
        dsn=dsn,
        release="shop-python@1.0.0",
        environment="staging",
        traces_sample_rate=1.0,
        before_send=note,
    )
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="x",
        LOGGING_CONFIG=None,
    )
    django.setup()
    with make_server("127.0.0.1", 0, WSGIHandler(), handler_class=Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answers = [ask(server.server_port, c) for c in ("EUR", "USD", "EUR", "CHF")]
        server.shutdown()
    sentry_sdk.flush(10)
    sys.stdout.write(json.dumps({"sent": sent, "answers": answers}))


if __name__ == "__main__":
    main(sys.argv[1])
