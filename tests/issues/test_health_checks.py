import pytest

from issues.digest.health_checks import is_health_check


@pytest.mark.parametrize(
    "name",
    [
        "/healthz",
        "GET /healthz",
        "GET /healthz/",
        "/health",
        "/health/",
        "HEAD /health",
        "/healthy",
        "/-/healthy",
        "/_health",
        "/health/live",
        "/health/ready",
        "/actuator/health",
        "/actuator/health/liveness",
        "/api/health",
        "/api/v1/health/",
        "/v2/healthz",
        "/status/health",
        "/internal/_ping",
        "/_ah/health",
        "/healthcheck",
        "/shop/healthcheck",
        "GET /health-check/",
        "/health_check",
        "orders.views.health_check",
        "/live",
        "/livez",
        "/liveness",
        "/ready",
        "/readyz",
        "GET /readyz",
        "/-/ready",
        "/ping",
        "GET /ping",
        "/api/ping",
        "ping",
        "healthz",
        "/up",
        "Rails::HealthController#show",
        "/heartbeat",
        "/__heartbeat__",
        "/__lbheartbeat__",
        "GET /HEALTHZ",
        "^healthz/$",
    ],
)
def test_a_probe_is_known(name: str) -> None:
    assert is_health_check(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/checkout",
        "GET /orders/:id",
        # Shops sell health, live shows and table tennis.
        "/collections/health",
        "GET /collections/health",
        "/products/ping-pong-table",
        "/products/heartbeat-bracelet",
        "/pages/live",
        "/pages/ready",
        "/blogs/news/stay-healthy",
        "/health/articles/{slug}",
        "/healthy-snacks",
        "/live-chat",
        "/delivery",
        "/upsell",
        "/signup",
        "/follow-up",
        "/ready-to-ship",
        "/shipping",
        "tracking.tasks.ping_carrier",
        "/pingback",
        "/api/orders/ready",
        "/status",
        "/metrics",
    ],
)
def test_a_page_of_a_shop_is_no_probe(name: str) -> None:
    assert not is_health_check(name)
