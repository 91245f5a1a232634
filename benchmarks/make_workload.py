"""Write a load of error envelopes shaped as real SDKs send them.

40 % are events captured by the Python SDK from generated fault sites, about 20 kB; 60 %
follow the browser SDK's payload, about 6.5 kB. Tenants (1,500 shops) and fault sites
(120 Python, 180 browser) are drawn from Zipf laws, as a few shops and a few faults make
most of the noise. Each body keeps the token @@EVENT_ID@@ where the event id stands, so
that the sender can make every request unique.

usage: make_workload.py OUT_DIR [--bodies 2000] [--seed 7]
"""

import argparse
import importlib.util
import json
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

EVENT_ID = "@@EVENT_ID@@"
TENANTS = 1500
PYTHON_SITES = 120
BROWSER_SITES = 180
LEVELS = ["error"] * 8 + ["warning", "fatal"]
PLANS = ["basic", "shopify", "plus"]
KINDS = [
    *("KeyError", "ValueError", "TypeError", "ZeroDivisionError"),
    *("AttributeError", "TimeoutError", "LookupError", "RuntimeError"),
]
BROWSER_KINDS = [
    *("TypeError", "ReferenceError", "Error", "SyntaxError", "UnhandledRejection"),
]
AREAS = [
    *("orders", "shipping", "webhooks", "billing", "themes"),
    *("carriers", "email", "checkout", "tracking", "upsell"),
]
USER_AGENTS = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 "
    "Version/19.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
    "Chrome/156.0.0.0 Safari/537.36",
]
INTEGRATIONS = [
    *("InboundFilters", "FunctionToString", "BrowserApiErrors", "Breadcrumbs"),
    *("GlobalHandlers", "LinkedErrors", "Dedupe", "HttpContext", "BrowserSession"),
]

Payload = dict[str, Any]
Site = Callable[[Payload, Payload, Payload], None]


def zipf(rng: random.Random, count: int, exponent: float = 1.1) -> Callable[[], int]:
    """Draws from 0 to ``count`` - 1, the first most often."""
    weights = [1 / (i + 1) ** exponent for i in range(count)]
    return lambda: rng.choices(range(count), weights)[0]


class Capture(Transport):
    """Keeps the last envelope instead of sending it."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.last: Envelope | None = None

    def capture_envelope(self, envelope: Envelope) -> None:
        """Called by the SDK for each envelope."""
        self.last = envelope


def python_sites(folder: Path, count: int) -> list[Site]:
    """Write ``count`` modules that fail at different depths and import them."""
    sites = []
    for i in range(count):
        area, kind = AREAS[i % len(AREAS)], KINDS[(i // len(AREAS)) % len(KINDS)]
        depth = 3 + i % 6
        lines = [
            f"# {area} service, part {i}",
            "import json",
            "",
            f"def level_{i}_0(order, shop, payload):",
            f"    carrier = shop['carrier'] + '-{i}'",
            "    totals = {'sum': order['total'], 'items': len(payload)}",
            f"    raise {kind}('{area} step {i} failed for order %s of %s'"
            " % (order['id'], shop['domain']))",
            "",
        ]
        for d in range(1, depth):
            lines += [
                f"def level_{i}_{d}(order, shop, payload):",
                f"    attempt = {d}",
                f"    headers = {{'x-shop': shop['domain'], 'x-step': '{d}',"
                f" 'x-area': '{area}'}}",
                "    rows = [dict(payload, n=n) for n in range(4)]",
                f"    return level_{i}_{d - 1}(order, shop, payload)",
                "",
            ]
        path = folder / f"{area}_{i}.py"
        path.write_text("\n".join(lines))
        spec = importlib.util.spec_from_file_location(f"rush.{area}_{i}", path)
        if spec is None or spec.loader is None:
            raise RuntimeError(f"cannot import {path}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        sites.append(getattr(module, f"level_{i}_{depth - 1}"))
    return sites


def python_body(
    rng: random.Random, transport: Capture, site: Site, tenant: int
) -> Payload:
    """What the Python SDK sends when ``site`` fails for an order of the tenant."""
    shop = {
        "domain": f"shop-{tenant}.example.com",
        "carrier": rng.choice(["dhl", "ups", "dpd", "gls"]),
        "plan": PLANS[tenant % 3],
    }
    order = {
        "id": rng.randrange(10**6, 10**7),
        "total": rng.randrange(10, 900),
        "lines": [
            {"sku": f"SKU-{rng.randrange(9999)}", "qty": rng.randrange(1, 5)}
            for _ in range(6)
        ],
    }
    address = f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}"
    with sentry_sdk.isolation_scope() as scope:
        scope.set_tag("tenant", shop["domain"])
        scope.set_tag("plan", shop["plan"])
        scope.set_user({"id": str(rng.randrange(10**5)), "ip_address": address})
        for n in range(20):
            scope.add_breadcrumb(
                category="query",
                message=f"SELECT * FROM orders WHERE shop_id = {tenant} AND page = {n}",
                level="info",
                data={"db": "orders"},
            )
        payload = {
            "tracking": str(rng.randrange(10**12)),
            "events": [{"at": n, "status": "in_transit"} for n in range(8)],
        }
        try:
            site(order, shop, payload)
        except Exception as error:
            sentry_sdk.capture_exception(error)
    if transport.last is None:
        raise RuntimeError("the SDK captured nothing")
    items = transport.last.items
    event = next(i.payload.json for i in items if i.headers.get("type") == "event")
    event = json.loads(json.dumps(event, default=str))
    event["event_id"] = EVENT_ID
    return dict(event)


def browser_body(rng: random.Random, site: int, tenant: int) -> Payload:
    """What the browser SDK sends from a page of the tenant."""
    area = AREAS[site % len(AREAS)]
    domain = f"shop-{tenant}.example.com"
    frames = [
        {
            "filename": f"https://{domain}/apps/track/assets/"
            f"{AREAS[(site + n) % len(AREAS)]}.js",
            "function": short_name(site, n),
            "in_app": True,
            "lineno": 1,
            "colno": 1000 * n + site,
        }
        for n in range(5 + site % 12)
    ]
    return {
        "event_id": EVENT_ID,
        "platform": "javascript",
        "timestamp": 1790000000 + rng.random() * 1000,
        "level": rng.choice(LEVELS),
        "environment": "production",
        "release": f"rush-web@2026.11.{rng.randrange(1, 4)}",
        "transaction": "/apps/track/:order",
        "sdk": {
            "name": "sentry.javascript.browser",
            "version": "11.12.0",
            "integrations": INTEGRATIONS,
        },
        "exception": {
            "values": [
                {
                    "type": BROWSER_KINDS[site % 5],
                    "value": "Cannot read properties of undefined "
                    f"(reading '{area}{site}')",
                    "stacktrace": {"frames": frames},
                    "mechanism": {
                        "type": "auto.browser.global_handlers.onerror",
                        "handled": False,
                    },
                }
            ]
        },
        "request": {
            "url": f"https://{domain}/apps/track/{rng.randrange(10**7)}?utm=mail",
            "headers": {
                "Referer": f"https://{domain}/account",
                "User-Agent": rng.choice(USER_AGENTS),
            },
        },
        "tags": {
            "tenant": domain,
            "template": f"theme-{tenant % 12}",
            "plan": PLANS[tenant % 3],
        },
        "user": {"id": str(rng.randrange(10**5)), "ip_address": "{{auto}}"},
        "breadcrumbs": [
            {
                "timestamp": 1790000000 + n,
                "category": rng.choice(["ui.click", "fetch", "console", "navigation"]),
                "message": f"div#track > button.{area}-{n}",
                "data": {
                    "url": f"/apps/track/api/{area}/{n}",
                    "status_code": 200,
                    "method": "GET",
                },
            }
            for n in range(24)
        ],
        "contexts": {
            "trace": {
                "trace_id": f"{rng.getrandbits(128):032x}",
                "span_id": f"{rng.getrandbits(64):016x}",
            },
            "culture": {
                "locale": "en-US",
                "timezone": "Europe/Sofia",
                "calendar": "gregory",
            },
        },
        "debug_meta": {"images": []},
    }


def short_name(site: int, n: int) -> str:
    """A name as a bundler gives it: one to three letters."""
    return "".join(chr(97 + (site * 7 + n * 13 + k * 5) % 26) for k in range(1 + n % 3))


def envelope(event: Payload) -> str:
    """The event in an envelope whose lengths fit once the event id is filled in."""
    payload = json.dumps(event, separators=(",", ":"))
    token_growth = (32 - len(EVENT_ID)) * payload.count(EVENT_ID)
    sdk = event.get("sdk", {})
    header = {
        "event_id": EVENT_ID,
        "sent_at": "2026-11-23T09:00:00.000Z",
        "sdk": sdk.get("name") and {"name": sdk["name"], "version": sdk["version"]},
    }
    item = {
        "type": "event",
        "length": len(payload.encode()) + token_growth,
        "content_type": "application/json",
    }
    head, item_head = (json.dumps(h, separators=(",", ":")) for h in (header, item))
    return f"{head}\n{item_head}\n{payload}\n"


def make_workload(count: int, seed: int) -> list[str]:
    """``count`` envelopes; the same for the same seed, but for object addresses."""
    rng = random.Random(seed)
    transport = Capture()
    sentry_sdk.init(
        "http://key@127.0.0.1:1/1",
        transport=transport,
        release="rush-api@2026.11.2",
        environment="production",
        server_name="web-1",
        default_integrations=True,
        send_default_pii=True,
    )
    with tempfile.TemporaryDirectory(prefix="rush-sample-app-") as folder:
        sites = python_sites(Path(folder), PYTHON_SITES)
        tenant = zipf(rng, TENANTS)
        python_site = zipf(rng, PYTHON_SITES)
        browser_site = zipf(rng, BROWSER_SITES)
        bodies = []
        for _ in range(count):
            shop = tenant()
            if rng.random() < 0.4:
                event = python_body(rng, transport, sites[python_site()], shop)
            else:
                event = browser_body(rng, browser_site(), shop)
            bodies.append(envelope(event))
    return bodies


def main() -> None:
    """Write the load and say how large its bodies are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--bodies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    bodies = make_workload(args.bodies, args.seed)
    for i, body in enumerate(bodies):
        (args.out / f"{i:05}.envelope").write_text(body)
    sizes = sorted(len(body.encode()) for body in bodies)
    middle, most = sizes[len(sizes) // 2], sizes[len(sizes) * 9 // 10]
    print(
        f"{len(bodies)} bodies, bytes p50 {middle}, p90 {most}, "
        f"mean {sum(sizes) // len(sizes)}"
    )


if __name__ == "__main__":
    main()
