"""A process that delivers and dies: serves one channel, and is killed at one point.

Run as ``python -m tests.tenants.dying POINT CHANNEL`` with DATABASE_URL of the tests'.
"""

import os
import signal
import sys
from importlib import import_module
from typing import Any

import django
from django.db import connection

from tenants.outbound import Answer, Request, send

POINTS = ("before_claim", "after_claim", "before_answer", "after_answer", "never")


def die(*_: Any) -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    return False


def main(point: str, channel_id: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "rush_monitor.settings"
    django.setup()
    # It imports models, so it comes after the set-up.
    serving = import_module("tenants.delivery.serving")
    if point == "before_claim":
        vars(serving)["_claim"] = die

    def lethal(request: Request) -> Answer:
        assert not connection.in_atomic_block
        if point == "after_claim":
            die()
        answer = send(request)
        if point == "after_answer":
            die()
        return answer

    serving.serve(channel_id, send=lethal)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
