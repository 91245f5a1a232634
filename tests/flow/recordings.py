"""What recorded clients sent, written down by hand from the recordings."""

from dataclasses import dataclass, field
from typing import NamedTuple

BELLA = "bella-boutique.example"
NORDIC = "nordic-gear.example"
TINY = "tiny-toys.example"
API, NODE, WEB = "orders-api@1.4.2", "orders-node@2.0.0", "orders-web@1.4.2"
SLICE = "TypeError: Cannot read properties of undefined (reading 'slice')"
AMOUNT = "TypeError: Cannot read properties of undefined (reading 'amount')"
PAGE = "http://track.%s/assets/index-ok-s_Bct.js"
APP = "/srv/orders-node/app.mjs"


class Place(NamedTuple):
    """Where an exception was raised: its last frame, and how many frames it has."""

    file: str
    function: str
    line: int
    frames: int


@dataclass(frozen=True)
class Recorded:
    """An event as its reader should see it.

    ``raised``: the exceptions, oldest cause first, each with the place of its last
    frame, None where it has no frames. ``threads``: frames of the only thread.
    """

    name: str
    title: str
    level: str = "error"
    release: str = API
    tenant: str = BELLA
    user: str = ""
    transaction: str = ""
    unhandled: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    raised: tuple[tuple[str, Place | None], ...] = ()
    threads: int = 0

    def __str__(self) -> str:
        return self.name


PYTHON = [
    Recorded(
        "python/001-django-unhandled",
        "PricingError: no price for order 1001",
        user="id:merchant-4711",
        transaction="/api/checkout/",
        unhandled=True,
        tags={"component": "orders-api", "plan": "pro", "template": "order-status-v3"},
        raised=(
            ("KeyError", Place("orders/pricing.py", "convert", 20, 4)),
            ("PricingError", Place("orders/pricing.py", "quote", 42, 5)),
        ),
    ),
    Recorded(
        "python/003-django-chained-three",
        "CarrierError: carrier dhl answered 422",
        tenant=NORDIC,
        user="id:merchant-4711",
        transaction="/api/shipping/",
        unhandled=True,
        tags={"plan": "enterprise", "url": "http://api.orders.example/api/shipping/"},
        raised=(
            ("KeyError", Place("orders/pricing.py", "convert", 20, 4)),
            ("PricingError", Place("orders/pricing.py", "quote", 42, 2)),
            ("CarrierError", Place("orders/pricing.py", "ship", 50, 5)),
        ),
    ),
    Recorded(
        "python/010-django-template-error",
        "TemplateSyntaxError: Invalid filter: 'nosuchfilter'",
        user="id:merchant-4711",
        transaction="/template/",
        unhandled=True,
        raised=(
            (
                "TemplateSyntaxError",
                Place("django/template/base.py", "find_filter", 616, 21),
            ),
        ),
    ),
    Recorded(
        "python/011-django-handled-logger",
        "PricingError: no price for order 9",
        user="id:merchant-4711",
        transaction="/handled/",
        raised=(
            ("KeyError", Place("orders/pricing.py", "convert", 20, 4)),
            ("PricingError", Place("orders/pricing.py", "quote", 42, 2)),
        ),
    ),
    Recorded(
        "python/013-logger-error",
        "queue is gone",
        level="fatal",
        tags={"server_name": "web-1"},
        threads=6,
    ),
    Recorded(
        "python/018-messages",
        "message at fatal",
        level="fatal",
        tenant=NORDIC,
        tags={"plan": "enterprise"},
    ),
    Recorded("python/014-messages", "message at debug", level="debug", tenant=NORDIC),
    Recorded("python/019-message-stacktrace", "with a stack", level="info", threads=2),
    Recorded(
        "python/020-scope-data",
        "KeyError: 'JPY'",
        level="warning",
        tenant=TINY,
        user="id:42",
        transaction="nightly.sync",
        tags={"template": "gift-note", "plan": "free"},
        raised=(("KeyError", Place("orders/pricing.py", "convert", 20, 2)),),
    ),
    Recorded(
        "python/021-exception-group",
        "ExceptionGroup: batch of 3 failed",
        raised=(
            ("FileNotFoundError", None),
            ("TimeoutError", None),
            ("ExceptionGroup", None),
            ("KeyError", None),
            ("ValueError", None),
            ("ExceptionGroup", Place("scenarios.py", "exception_group", 212, 1)),
        ),
    ),
    Recorded(
        "python/024-unicode-null",
        "ValueError: naïve 🧨 NUL:\ufffd: surrogate:\ufffd: rtl:\u202eabc\u202c end",
        tenant="bücher-café.example",
        tags={
            "template": "größe-✓",
            "nul": "a\ufffdb",
            "newline": "a\nb\tc",
            "number": "5",
            "bool": "true",
            "key with spaces & <html>": "<script>alert(1)</script>",
        },
        raised=(("ValueError", Place("scenarios.py", "unicode_null", 268, 1)),),
    ),
    Recorded(
        "python/028-thread-crash",
        "ConnectionResetError: worker lost its connection",
        unhandled=True,
        raised=(("ConnectionResetError", Place("scenarios.py", "work", 315, 2)),),
    ),
    Recorded(
        "python/030-minimal-init",
        "ZeroDivisionError: division by zero",
        release="",
        tenant="",
        tags={"sdk": "sentry.python.django 2.75.0"},
        raised=(("ZeroDivisionError", Place("scenarios.py", "minimal_init", 335, 1)),),
    ),
    Recorded(
        "python/049-session-application",
        "ValueError: invalid literal for int() with base 10: 'x'",
        tenant="",
        user="id:merchant-2",
        raised=(("ValueError", Place("scenarios.py", "session_application", 423, 1)),),
    ),
    Recorded(
        "python/067-celery-error",
        "PricingError: no price for order 4711",
        tenant=NORDIC,
        transaction="orders.tasks.sync_order",
        unhandled=True,
        tags={"celery_task_id": "4dbd79f7-a928-405e-b946-5feb8f2649da"},
        raised=(
            ("KeyError", Place("orders/pricing.py", "convert", 20, 4)),
            ("PricingError", Place("orders/pricing.py", "quote", 42, 2)),
        ),
    ),
]
NODE_JS = [
    Recorded(
        "node/003-express-error",
        AMOUNT,
        release=NODE,
        user="id:merchant-4711",
        transaction="POST /checkout",
        unhandled=True,
        tags={"component": "orders-node", "server_name": "web-1"},
        raised=(("TypeError", Place(APP, "priceOf", 27, 10)),),
    ),
    Recorded(
        "node/007-express-async-and-cause",
        "Error: could not read carrier answer",
        release=NODE,
        user="id:merchant-4711",
        transaction="GET /cause",
        unhandled=True,
        raised=(
            ("SyntaxError", Place("<anonymous>", "JSON.parse", 0, 10)),
            ("Error", Place(APP, "?", 56, 10)),
        ),
    ),
    Recorded(
        "node/025-messages",
        "node message debug",
        level="debug",
        release=NODE,
        tenant="",
        raised=(("", Place(APP, "Object.messages", 90, 2)),),
    ),
    Recorded(
        "node/037-big-gzip",
        "Error: big one",
        release=NODE,
        tenant="",
        raised=(("Error", Place(APP, "big-gzip", 104, 2)),),
    ),
    Recorded(
        "node/043-uncaught",
        "Error: process dies",
        level="fatal",
        release=NODE,
        tenant="",
        unhandled=True,
        raised=(("Error", Place(APP, "Timeout._onTimeout", 112, 3)),),
    ),
]
BROWSER = [
    Recorded(
        "browser/013-typeerror-click",
        SLICE,
        release=WEB,
        user="id:visitor-22",
        transaction="/order/1001",
        unhandled=True,
        tags={
            "template": "order-status-v3",
            "browser": "Headless Chrome 156",
            "os": "Linux",
            "url": f"http://track.{BELLA}/order/1001",
        },
        raised=(("TypeError", Place(PAGE % BELLA, "x", 3, 7)),),
    ),
    Recorded(
        "browser/018-typeerror-click-other-tenant",
        SLICE,
        release=WEB,
        tenant=NORDIC,
        user="id:visitor-19",
        transaction="/order/1001",
        unhandled=True,
        tags={"template": "nordic-dark", "plan": "enterprise"},
        raised=(("TypeError", Place(PAGE % NORDIC, "x", 3, 7)),),
    ),
    Recorded(
        "browser/031-unhandledrejection-odd",
        "UnhandledRejection: Non-Error promise rejection captured with value: "
        "undefined",
        release=WEB,
        tenant=TINY,
        user="id:visitor-17",
        transaction="/order/1001",
        unhandled=True,
        raised=(("UnhandledRejection", None),),
    ),
    Recorded(
        "browser/042-thirdparty-timer",
        "TypeError: Cannot read properties of undefined (reading 'open')",
        release=WEB,
        tenant=NORDIC,
        user="id:visitor-19",
        transaction="/order/1001",
        unhandled=True,
        raised=(
            ("TypeError", Place("http://cdn.chat-widget.example/chat.js", "?", 2, 2)),
        ),
    ),
    Recorded(
        "browser/064-http-500",
        "Error: HTTP Client Error with status code: 500",
        release=WEB,
        user="id:visitor-22",
        transaction="/order/1001",
        unhandled=True,
        tags={"url": f"http://track.{BELLA}/api/fail500"},
        raised=(("Error", Place(PAGE % BELLA, "HTMLButtonElement.<anonymous>", 3, 2)),),
    ),
    Recorded(
        "browser/082-error-cause",
        "CarrierError: return label for order 1003 failed",
        release=WEB,
        tenant=NORDIC,
        user="id:visitor-19",
        transaction="/order/1001",
        unhandled=True,
        raised=(
            ("SyntaxError", Place("<anonymous>", "JSON.parse", 0, 4)),
            ("CarrierError", Place(PAGE % NORDIC, "N", 3, 3)),
        ),
    ),
    Recorded(
        "browser/102-handled-attachment",
        "Error: address service says nö 🧦",
        level="warning",
        release=WEB,
        user="id:visitor-22",
        transaction="/order/1001",
        tags={"form": "address"},
        raised=(("Error", Place(PAGE % BELLA, "?", 3, 6)),),
    ),
    Recorded(
        "browser/143-tunnel",
        SLICE,
        release=WEB,
        user="id:visitor-22",
        transaction="/order/1001",
        unhandled=True,
        raised=(("TypeError", Place(PAGE % BELLA, "x", 3, 7)),),
    ),
]
CLI = [
    Recorded(
        "cli/072-send-event",
        "cli says hello",
        level="warning",
        release=WEB,
        user="id:42",
        tags={"plan": "pro", "server_name": "web-1"},
    ),
    Recorded(
        "cli/073-send-event-logfile",
        "with a log",
        release="",
        tenant="",
        user="username:root",
    ),
    Recorded(
        "cli/074-send-event-file",
        "ValueError: stored",
        release=WEB,
        tenant=TINY,
        raised=(("ValueError", Place("a.py", "f", 3, 1)),),
    ),
]
RECORDED = [*PYTHON, *NODE_JS, *BROWSER, *CLI]
