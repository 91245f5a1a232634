"""An app with the real Python SDK: serves, deploys, and gets worse; see deploys.py."""

import json
import random
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import sentry_sdk
from sentry_sdk.sessions import track_session

from benchmarks.worlds import TENANTS, ZIPF

PER_SECOND = 20.0
ERROR_RATE = 0.004
BEFORE_SECONDS = 45.0


class CheckoutError(Exception):
    """What fails in this app."""


class App:
    """Serves 20 requests a second, ``rate`` of which fail."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.rate = ERROR_RATE
        self.release = "shop@1.0"
        self.served: dict[tuple[datetime, str], int] = {}
        self.chance = random.Random(told["project"])
        self.api = httpx.Client(
            base_url=told["base_url"],
            headers={"Authorization": f"Bearer {told['token']}"},
            timeout=20,
        )

    def init(self) -> None:
        """Start the SDK for the release that serves."""
        sentry_sdk.init(
            self.told["dsn"],
            release=self.release,
            environment="production",
            auto_session_tracking=self.told["source"] == "sessions",
        )

    def serve(self, until: float) -> None:
        """Serve at an even pace until that Unix time."""
        while time.time() < until:
            with sentry_sdk.isolation_scope() as scope:
                if self.told["source"] == "sessions":
                    with track_session(scope, session_mode="request"):
                        self.request(scope)
                else:
                    self.request(scope)
            time.sleep(1 / PER_SECOND)

    def request(self, scope: sentry_sdk.Scope) -> None:
        """One request of some shop."""
        minute = datetime.now(UTC).replace(second=0, microsecond=0)
        cell = (minute, self.release)
        self.served[cell] = self.served.get(cell, 0) + 1
        if self.chance.random() >= self.rate:
            return
        [shop] = self.chance.choices(range(TENANTS), ZIPF.tolist())
        scope.set_tag("tenant", f"shop-{shop}.example")
        try:
            raise CheckoutError(f"order {self.chance.randrange(9999)} has no price")
        except CheckoutError as error:
            sentry_sdk.capture_exception(error)

    def post_traffic(self) -> None:
        """Every ten seconds, what the last minutes have had so far."""
        while True:
            time.sleep(10)
            newest = sorted(self.served)[-3:]
            minutes = [
                {
                    "minute": minute.isoformat(),
                    "environment": "production",
                    "release": release,
                    "requests": self.served[minute, release],
                }
                for minute, release in newest
            ]
            told = {
                "project": self.told["project"],
                "source": "web",
                "minutes": minutes,
            }
            self.api.post("/api/v1/traffic/", json=told).raise_for_status()

    def deploy(self) -> None:
        """Switch to the bad release and post the deploy; says when."""
        answer = self.api.post(
            "/api/v1/deploys/",
            json={
                "project": self.told["project"],
                "release": "shop@1.1",
                "environment": "production",
            },
        )
        answer.raise_for_status()
        print(
            json.dumps({"deployed": time.time(), "deploy": answer.json()["id"]}),
            flush=True,
        )
        self.release, self.rate = "shop@1.1", ERROR_RATE * self.told["worse"]
        self.init()


def main() -> None:
    """Serve the old release, deploy at the wanted second, serve the bad one."""
    app = App(json.loads(sys.argv[1]))
    app.init()
    if app.told["source"] == "traffic":
        threading.Thread(target=app.post_traffic, daemon=True).start()
    earliest = time.time() + BEFORE_SECONDS
    at = earliest + (app.told["second"] - earliest) % 60
    app.serve(at)
    app.deploy()
    app.serve(at + app.told["seconds"])


if __name__ == "__main__":
    main()
