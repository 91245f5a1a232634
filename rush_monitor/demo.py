"""``up --demo``: 60 shops on 3 plans meet ten faults in two releases.

Events go through the real Python SDK to a project's DSN, as those of any app do.
Plans and revenue are imported first, so that the scores show what the faults cost.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import sentry_sdk
from sentry_sdk.utils import event_from_exception

from rush_monitor.demo_shop import FAULTS, Fault, Order
from tenants.audit import SYSTEM
from tenants.importing import upsert
from tenants.models import Plan

SHOPS = 60
PLANS = {"basic": 1.0, "pro": 3.0, "plus": 10.0}
RELEASES = ["shop-app@1.8.0", "shop-app@1.9.0"]
SECONDS_PER_RELEASE = 45.0
CALLS_PER_SECOND = 8


def shop_name(number: int) -> str:
    return f"shop-{number:02}.example.com"


def plan_of(number: int) -> str:
    """Every tenth shop is on plus, every third of the others on pro."""
    if number % 10 == 0:
        return "plus"
    return "pro" if number % 3 == 0 else "basic"


def import_shops() -> None:
    """Plans with their weights, and 60 shops with plan and monthly revenue."""
    for name, weight in PLANS.items():
        Plan.objects.update_or_create(name=name, defaults={"weight": weight})
    revenue = {"basic": Decimal(19), "pro": Decimal(79), "plus": Decimal(499)}
    upsert(
        [
            {
                "key": shop_name(number),
                "name": f"Shop {number:02}",
                "plan": plan_of(number),
                "monthly_revenue": revenue[plan_of(number)],
            }
            for number in range(SHOPS)
        ],
        SYSTEM,
    )


def new_order(chance: random.Random) -> Order:
    """An order on which the faults of demo_shop trip."""
    number = chance.randrange(10_000, 99_999)
    return {
        "id": number,
        "carrier": chance.choice(["dpd", "ups"]),
        "country": "FR",
        "parcel": f"JJD{chance.randrange(10**12):012}",
        "address": "Main Street 1, Springfield",
        "email": f"customer {number}",
        "lines": [
            {
                "sku": f"SKU-{n}",
                "price": chance.randrange(5, 90),
                "quantity": 1,
                "related": [],
            }
            for n in range(3)
        ],
    }


@contextmanager
def request_of(shop: int, fault: Fault, chance: random.Random) -> Iterator[None]:
    """What the SDK of a web app knows while it serves one page."""
    with sentry_sdk.isolation_scope() as scope:
        name = shop_name(shop)
        scope.set_tag("tenant", name)
        scope.set_tag("plan", plan_of(shop))
        scope.set_tag("template", f"theme-{shop % 5}")
        scope.set_user({"id": f"{shop}-{chance.randrange(40)}"})
        scope.set_transaction_name(fault.transaction)
        path = fault.transaction.replace("{order}", str(chance.randrange(10**5)))
        scope.add_breadcrumb(category="http", message=f"GET https://{name}{path}")
        scope.add_breadcrumb(category="query", message="SELECT * FROM orders LIMIT 1")
        scope.add_event_processor(
            lambda event, hint: {**event, "request": {"url": f"https://{name}{path}"}}
        )
        yield


def call(shop: int, fault: Fault, chance: random.Random) -> None:
    """Serve one page, and report the error that comes of it."""
    with request_of(shop, fault, chance):
        try:
            fault.call(new_order(chance))
        except Exception as error:
            event, hint = event_from_exception(
                error,
                client_options=sentry_sdk.get_client().options,
                mechanism={"type": "shop", "handled": fault.handled},
            )
            sentry_sdk.capture_event(event, hint=hint)


def play(dsn: str, release: int, seconds: float, chance: random.Random) -> int:
    """Send the traffic of one release in real time; returns the calls made."""
    client = sentry_sdk.init(
        dsn,
        release=RELEASES[release],
        environment="production",
        server_name="web-1",
        traces_sample_rate=1.0,
        include_local_variables=True,
    )
    faults = [fault for fault in FAULTS if fault.since <= release]
    weights = [fault.weight for fault in faults]
    deadline, calls = time.monotonic() + seconds, 0
    with client:
        while time.monotonic() < deadline:
            fault = chance.choices(faults, weights)[0]
            shop = chance.randrange(max(1, int(SHOPS * fault.share)))
            with sentry_sdk.start_transaction(name=fault.transaction, op="http.server"):
                sentry_sdk.get_current_scope().set_tag("tenant", shop_name(shop))
                call(shop, fault, chance)
            calls += 1
            time.sleep(chance.expovariate(CALLS_PER_SECOND))
    return calls
