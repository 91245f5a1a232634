"""``up --demo``: 60 shops, 14 days of history, a healthy deploy and a bad one.

Events go through the real Python SDK to a project's DSN, traffic and deploys over the
REST API, as those of any app and its CI do. A small server stands for the CD: when it
is told to roll back, the release before serves again.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import sentry_sdk
from django.conf import settings
from sentry_sdk.utils import event_from_exception

from releases.models import Action, Environment, Release, RollbackTarget, Threshold
from rush_monitor.demo_history import load_history
from rush_monitor.demo_shop import FAULTS, Fault, Order
from tenants.audit import SYSTEM
from tenants.importing import upsert
from tenants.models import Plan, Project, ProjectKey, Tenant
from tenants.secrets import encrypt
from tenants.tokens import issue_token

SHOPS = 60
PLANS = {"basic": 1.0, "pro": 3.0, "plus": 10.0}
RELEASES = ["shop-app@1.8.0", "shop-app@1.9.0", "shop-app@1.10.0"]
BEFORE, HEALTHY, BAD = range(3)
ENVIRONMENT = "production"
REQUESTS_PER_MINUTE = 12_000.0
ERRORS_PER_MINUTE = 48.0
TIMES_WORSE = 10
# Short, so that the healthy deploy is judged while one watches.
GRACE_MINUTES, WINDOW_MINUTES = 1, 3
# So long the release before serves, so that its faults are known before a deploy.
KNOWN_SECONDS = 75.0
POST_SECONDS = 10.0
LONGEST = 480.0  # seconds until a verdict, else something is wrong
SECRET = "the demo's signing key"


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


def draw(
    release: int, times: int, chance: random.Random
) -> Sequence[tuple[Fault, int]]:
    """Which faults of a release fail how often, and at which shops."""
    faults = [fault for fault in FAULTS if fault.since <= release]
    found = chance.choices(faults, [fault.weight for fault in faults], k=times)
    return [
        (fault, chance.randrange(max(1, int(SHOPS * fault.share)))) for fault in found
    ]


@dataclass
class Shop:
    """The app in production: it fails as its release does, and counts its traffic."""

    dsn: str
    api: httpx.Client
    project: str
    chance: random.Random = field(default_factory=lambda: random.Random(60))
    serving: int = BEFORE
    stopped: threading.Event = field(default_factory=threading.Event)

    def serve(self) -> None:
        """Send the errors of the release that serves, until stopped."""
        started: int | None = None
        while not self.stopped.is_set():
            if started != self.serving:
                started = self.serving
                sentry_sdk.init(
                    self.dsn,
                    release=RELEASES[started],
                    environment=ENVIRONMENT,
                    server_name="web-1",
                    include_local_variables=True,
                    auto_session_tracking=False,
                )
            worse = TIMES_WORSE if started == BAD else 1
            [(fault, shop)] = draw(started, 1, self.chance)
            call(shop, fault, self.chance)
            pause = self.chance.expovariate(ERRORS_PER_MINUTE * worse / 60)
            self.stopped.wait(pause)

    def post_traffic(self) -> None:
        """Tell every ten seconds how many requests the minute has had so far."""
        counted: dict[str, float] = {}
        minute, since = _this_minute(), time.monotonic()
        while not self.stopped.wait(POST_SECONDS):
            now = time.monotonic()
            requests = REQUESTS_PER_MINUTE * (now - since) / 60
            since = now
            release = RELEASES[self.serving]
            counted[release] = counted.get(release, 0.0) + requests
            self._post(minute, counted)
            if _this_minute() != minute:
                minute, counted = _this_minute(), {}

    def _post(self, minute: datetime, counted: dict[str, float]) -> None:
        told = {
            "project": self.project,
            "source": "proxy-1",
            "minutes": [
                {
                    "minute": minute.isoformat(),
                    "environment": ENVIRONMENT,
                    "release": release,
                    "requests": round(requests),
                }
                for release, requests in counted.items()
            ],
        }
        self.api.post("/api/v1/traffic/", json=told).raise_for_status()


def _this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


class ContinuousDelivery:
    """Takes the rollback call; ``called`` is set when it came."""

    def __init__(self) -> None:
        self.called = threading.Event()
        delivery = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                delivery.called.set()
                self.send_response(202)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """The demo says itself what happened."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/rollback"


@dataclass
class Scenario:
    """What happens, in order; ``say`` tells the person who watches."""

    key: ProjectKey
    say: Callable[[str], None]

    def play(self) -> None:
        """From a quiet release to a rollback; RuntimeError when it gets stuck."""
        import_shops()
        delivery = ContinuousDelivery()
        threading.Thread(target=delivery.server.serve_forever, daemon=True).start()
        self._prepare(delivery.url)
        shop = Shop(self.key.dsn(settings.BASE_URL), self._api(), self._slug)
        for work in (shop.serve, shop.post_traffic):
            threading.Thread(target=work, daemon=True).start()
        try:
            self._deploys(shop, delivery)
        finally:
            shop.stopped.set()
            sentry_sdk.flush(5)
            delivery.server.shutdown()

    def _deploys(self, shop: Shop, delivery: ContinuousDelivery) -> None:
        self.say(f"{RELEASES[BEFORE]} serves for {KNOWN_SECONDS:.0f} s")
        shop.stopped.wait(KNOWN_SECONDS)
        self.say(f"{RELEASES[HEALTHY]} is deployed")
        shop.serving = HEALTHY
        self._await_verdict(shop.api, self._deploy(shop.api, HEALTHY))
        self.say(f"{RELEASES[BAD]} is deployed; its tracking page is broken")
        shop.serving = BAD
        self._await_verdict(shop.api, self._deploy(shop.api, BAD))
        if not delivery.called.wait(60):
            raise RuntimeError("no rollback call came within a minute of the verdict")
        self.say(f"the rollback call came; {RELEASES[HEALTHY]} serves again")
        shop.serving = HEALTHY
        self._deploy(shop.api, HEALTHY)
        self.say("the shop stays open until the rollback is verified")
        self._await_proof(shop.api)

    @property
    def _slug(self) -> str:
        return self.key.project.slug

    def _prepare(self, rollback_url: str) -> None:
        """History, threshold and rollback target of the demo's project."""
        project: Project = self.key.project
        release, _ = Release.objects.get_or_create(
            project=project, version=RELEASES[BEFORE]
        )
        environment, _ = Environment.objects.get_or_create(
            project=project, name=ENVIRONMENT
        )
        self.say("loading 14 days of minute counters")
        chance = random.Random(14)
        shops = dict(Tenant.objects.values_list("key", "pk"))
        load_history(
            release,
            environment,
            datetime.now(UTC),
            requests_per_minute=REQUESTS_PER_MINUTE,
            errors_per_minute=ERRORS_PER_MINUTE,
            hit=lambda times: [
                shops[shop_name(shop)] for _, shop in draw(BEFORE, times, chance)
            ],
            chance=chance,
        )
        Threshold.objects.update_or_create(
            project=project,
            environment=ENVIRONMENT,
            defaults={
                "action": Action.ROLLBACK,
                "grace_minutes": GRACE_MINUTES,
                "window_minutes": WINDOW_MINUTES,
            },
        )
        RollbackTarget.objects.update_or_create(
            name="demo CD",
            defaults={
                "project": project,
                "environment": ENVIRONMENT,
                "kind": RollbackTarget.Kind.WEBHOOK,
                "url": rollback_url,
                "secret": encrypt(SECRET),
                "cool_down_minutes": 0,
                "max_per_day": 20,
            },
        )

    def _api(self) -> httpx.Client:
        """A client that calls the API as CI would."""
        _, token = issue_token(
            "demo CI",
            ["release:write", "traffic:write", "rollback:read"],
            base_url=settings.BASE_URL,
            organization=settings.ORGANIZATION_SLUG,
        )
        return httpx.Client(
            base_url=settings.BASE_URL,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )

    def _deploy(self, api: httpx.Client, release: int) -> int:
        told = {
            "project": self._slug,
            "release": RELEASES[release],
            "environment": ENVIRONMENT,
            "name": f"demo {datetime.now(UTC):%H:%M:%S}",
        }
        answer = api.post("/api/v1/deploys/", json=told)
        answer.raise_for_status()
        return int(answer.json()["id"])

    def _await_verdict(self, api: httpx.Client, deploy: int) -> None:
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            path = f"/api/v1/deploys/{deploy}/verdict/"
            answer = api.get(path, params={"wait": 20})
            if answer.status_code == 200 and answer.json()["final"]:
                return self.say(answer.json()["sentence"])
        raise RuntimeError(f"deploy {deploy} has no verdict after {LONGEST:.0f} s")

    def _await_proof(self, api: httpx.Client) -> None:
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            answer = api.get("/api/v1/rollbacks/", params={"per_page": 1})
            answer.raise_for_status()
            row = answer.json()["results"][0]
            if row["state"] in {"verified", "not_verified", "failed", "unknown"}:
                return self.say(row["explanation"])
            time.sleep(POST_SECONDS)
        raise RuntimeError("the rollback was not verified in time")
