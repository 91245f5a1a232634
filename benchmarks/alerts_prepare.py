"""Makes the channel and the rules of alerts.py."""

import json
import sys
from typing import Any

import django

django.setup()

from issues.models import AlertRule  # noqa: E402
from tenants.models import Channel  # noqa: E402
from tenants.secrets import encrypt  # noqa: E402


def main() -> None:
    """One rule a lane, and one for the storm."""
    told: dict[str, Any] = json.loads(sys.argv[1])
    channel = Channel.objects.create(
        name="slack",
        kind=Channel.Kind.SLACK,
        config={"channel": told["channel"], "api": told["api"]},
        secret=encrypt(told["token"]),
    )
    names = [(f"lane {i}", "lane", str(i)) for i in range(told["lanes"])]
    for name, key, value in [*names, ("storm", "storm", "")]:
        rule = AlertRule.objects.create(
            name=name, when=AlertRule.When.NEW_ISSUE, tag_key=key, tag_value=value
        )
        rule.channels.set([channel])


if __name__ == "__main__":
    main()
