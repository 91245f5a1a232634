"""File names without what changes with each build, release or shop."""

import random
import string

import pytest

from issues.grouping.bundles import stable_file, stable_name


@pytest.mark.parametrize(
    ("name", "stable"),
    [
        # Vite and Rollup
        ("index-ok-s_Bct.js", "index.js"),
        ("sentry-C-jc_N-7.js", "sentry.js"),
        ("eta-Cb9Xjzjg.js", "eta.js"),
        ("cart-B-laGHvr.js", "cart.js"),
        ("polyfills-legacy-BX3xFmjs.js", "polyfills-legacy.js"),
        ("OrderTimeline-DxYz3bCd.mjs", "ordertimeline.mjs"),
        ("order-tracking-Dk3xP_0a.js", "order-tracking.js"),
        # webpack, Parcel, Create React App, Django and Rails
        ("main.3f2a9c1b.js", "main.js"),
        ("main.3f2a9c1b.chunk.js", "main.chunk.js"),
        ("2.3f2a9c1b.chunk.js", "chunk.js"),
        ("77.6be4c17a.chunk.js", "chunk.js"),
        ("vendors~main.abcdef12.js", "vendors~main.js"),
        ("runtime-main.3f2a9c1b.js", "runtime-main.js"),
        ("app.55e7cbb9ba48.js", "app.js"),
        ("application-" + "3f2a9c1b" * 8 + ".js", "application.js"),
        # Next.js
        ("page-0123456789abcdef.js", "page.js"),
        ("117-0d1f2e3a4b5c6d7e.js", "*.js"),
        ("fd9d1056-abc123def0123456.js", "*.js"),
        ("3f2a9c1b4d5e6f70.js", "*.js"),
        ("src_app_page_tsx_3f2a9c1b._.js", "src_app_page_tsx._.js"),
        # esbuild and Angular
        ("chunk-ABCDEFGH.js", "chunk.js"),
        ("main-7QZK2MNB.js", "main.js"),
        # versions and builds
        ("app.min.js", "app.js"),
        ("app.min.js?v=1732", "app.js"),
        ("theme.js?v=1732#x", "theme.js"),
        ("jquery-3.7.1.min.js", "jquery.js"),
        ("app-2026.11.2.js", "app.js"),
        ("widget@2.0.0-beta.3.js", "widget.js"),
        ("app-1732352400.js", "app.js"),
    ],
)
def test_hashes_and_versions_are_dropped(name: str, stable: str) -> None:
    assert stable_name(name) == stable


WORDS = [
    *("order-tracking", "checkout-payments", "checkout-discount"),
    *("analytics-events", "my-Checkout", "use-cartItem", "CartDrawer"),
    *("OrderTimeline", "theme-editor1", "order-status-v3", "checkout-v2-main"),
    *("shop-v2-cards", "main-es2015", "theme-12", "cafe24-sync", "go-there"),
    *("my-go-there", "order-to-door", "product-carousel", "newsletter-signup"),
    *("address-validation", "shipping-calculator", "app-bridge", "web-pixel"),
    *("quick-add-bulk", "predictive-search", "media-gallery", "section-header"),
    *("facets", "variant-picker", "cart-notification", "customer-accounts"),
    *("localization-form", "password-modal"),
]


@pytest.mark.parametrize("word", WORDS)
def test_words_stay(word: str) -> None:
    assert stable_name(f"{word}.js") == f"{word}.js".lower()


@pytest.mark.parametrize("word", WORDS)
def test_words_stay_beside_a_hash(word: str) -> None:
    for hashed in (f"{word}-Dk3xP_0a.js", f"{word}.3f2a9c1b.js"):
        assert stable_name(hashed) == f"{word}.js".lower()


@pytest.mark.parametrize(
    ("alphabet", "allowed"),
    [
        # One in 200 of Vite's hashes looks like a word.
        (string.ascii_letters + string.digits + "-_", 0.006),
        (string.hexdigits[:16], 0.001),
        (string.ascii_uppercase + "234567", 0.0),
    ],
)
def test_nearly_every_random_hash_is_found(alphabet: str, allowed: float) -> None:
    rng = random.Random(20261123)
    hashes = ["".join(rng.choices(alphabet, k=8)) for _ in range(20_000)]
    missed = sum(stable_name(f"orders-{text}.js") != "orders.js" for text in hashes)
    assert missed <= allowed * len(hashes)


@pytest.mark.parametrize(
    "name", ["webhooks_12.py", "Order.java", "deadbee1.rb", "a.go"]
)
def test_names_of_other_languages_are_left_alone(name: str) -> None:
    assert stable_name(name) == name.lower()


@pytest.mark.parametrize(
    ("path", "stable"),
    [
        ("https://a.myshopify.com/apps/track/assets/orders.js", "orders.js"),
        ("https://shop-7.example.com/v2026.11.2/index-ok-s_Bct.js", "index.js"),
        ("https://cdn.example/shop-12/index.js", "index.js"),
        (
            "https://x.example/_next/static/chunks/app/checkout/page-0123456789abcdef.js",
            "app/checkout/page.js",
        ),
        (
            "https://x.example/_next/static/Bu1ldId_x/_buildManifest.js",
            "_buildmanifest.js",
        ),
        ("webpack://_N_E/./src/components/Cart/index.tsx?3f2a", "cart/index.tsx"),
        ("../../src/timeline.js", "timeline.js"),
        ("/srv/app/releases/20261123090000/index.js", "index.js"),
        ("/srv/app/releases/20261123090000/cart/index.js", "cart/index.js"),
        ("/srv/app/current/cart/index.js", "cart/index.js"),
        ("C:\\app\\src\\Cart\\index.js", "cart/index.js"),
        (
            "/usr/lib/python3.11/site-packages/orders-1.4.2/orders/pricing.py",
            "pricing.py",
        ),
        ("app:///main.jsbundle", "main.jsbundle"),
        ("", ""),
    ],
)
def test_hosts_and_releases_do_not_count(path: str, stable: str) -> None:
    assert stable_file(path) == stable
