"""A shop's job with sentry-sdk and docs/sdk/rush_detail.py: fails once for each tenant.

python detail.py <DSN> <tenant>...
"""

import sys
from typing import Any, cast

import rush_detail
import sentry_sdk


def charge(shop: str) -> None:
    card = f"card of {shop}"
    raise ValueError(card[:4])


def main(dsn: str, tenants: list[str]) -> None:
    sentry_sdk.init(
        dsn=dsn,
        release="shop@1",
        environment="staging",
        before_send=cast(Any, rush_detail.RushDetail(dsn, wait=10.0)),
    )
    for tenant in tenants:
        with sentry_sdk.isolation_scope() as scope:
            scope.set_tag("shop", tenant)
            scope.set_user({"id": "7"})
            scope.set_extra("order", 1001)
            scope.add_attachment(bytes=b"a log", filename="log.txt")
            for number in range(30):
                sentry_sdk.add_breadcrumb(category="cart", message=f"step {number}")
            try:
                charge(tenant)
            except ValueError:
                sentry_sdk.capture_exception()
    sentry_sdk.flush(10)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
