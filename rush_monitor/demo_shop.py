"""A small shop app with ten faults, for ``up --demo``. Its bugs are its purpose."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Order = dict[str, Any]

RATES = {"dhl": {"CH": 7.5, "DE": 4.9}, "ups": {"CH": 9.0}, "dpd": {"DE": 4.2}}
TEMPLATES = {"classic": "Order {id} is on its way", "stream": "{headline}: {id}"}


class CarrierTimeoutError(Exception):
    """A carrier did not answer in time."""


class SignatureError(Exception):
    """A webhook's signature does not fit its body."""


def shipping_rate(order: Order) -> float:
    return RATES[order["carrier"]][order["country"]]


def checkout(order: Order) -> float:
    total = sum(line["price"] * line["quantity"] for line in order["lines"])
    return float(total + shipping_rate(order))


def average_line(order: Order) -> float:
    paid = [line for line in order["lines"] if line["price"] > 100_000]
    return float(sum(line["price"] for line in paid) / len(paid))


def tracking_page(order: Order) -> str:
    return render("stream", order)


def render(template: str, order: Order) -> str:
    return TEMPLATES[template].format(**order)


def poll_carrier(order: Order) -> None:
    raise CarrierTimeoutError(
        f"{order['carrier']} did not answer for parcel {order['parcel']} in 8.0 s"
    )


def refresh_status(order: Order) -> None:
    try:
        poll_carrier(order)
    except CarrierTimeoutError as error:
        raise RuntimeError(f"status of order {order['id']} is unknown") from error


def verify_webhook(order: Order) -> None:
    raise SignatureError(f"webhook for order {order['id']} is not signed by the shop")


def parse_address(order: Order) -> str:
    street, city, country = order["address"].split(",")
    return f"{street.strip()}, {city.strip()} {country.strip()}"


def send_mail(order: Order) -> None:
    if "@" not in order["email"]:
        raise ValueError(f"{order['email']!r} is no mail address")


def upsell(order: Order) -> str:
    best = max(order["lines"], key=lambda line: line["price"])
    return str(best["related"][0]["title"])


def sync_inventory(order: Order, depth: int = 0) -> None:
    stock = {line["sku"]: line["quantity"] for line in order["lines"]}
    if stock:
        sync_inventory(order, depth + 1)


def estimate(order: Order) -> int:
    return int(order["eta"]["days"])


@dataclass(frozen=True)
class Fault:
    """A page that fails.

    ``share`` of the shops meets it (0-1, the first shops by number); ``weight`` is
    how often it is called; ``since`` is the release that brought it.
    """

    transaction: str
    call: Callable[[Order], object]
    share: float
    weight: int
    since: int = 0
    handled: bool = False


FAULTS = [
    Fault("/checkout", checkout, 0.30, 6),
    Fault("/apps/track/{order}", tracking_page, 0.75, 14, since=2),
    Fault("/apps/track/{order}/eta", estimate, 0.45, 5, since=2),
    Fault("/webhooks/orders", verify_webhook, 0.02, 4, handled=True),
    Fault("/jobs/refresh-status", refresh_status, 0.50, 4, handled=True),
    Fault("/orders/{order}/address", parse_address, 0.15, 2),
    Fault("/jobs/mail", send_mail, 0.20, 2, handled=True),
    Fault("/widgets/upsell", upsell, 0.35, 3),
    Fault("/reports/average", average_line, 0.05, 1),
    Fault("/jobs/inventory", sync_inventory, 0.03, 1),
]
