"""A process that sends what is due and dies: it is killed at one point of it.

Run as ``python -m tests.dying POINT calls`` (rollbacks) or ``… POINT messages CHANNEL``
with DATABASE_URL of the test database.
"""

import os
import signal
import sys
from importlib import import_module
from typing import Any

import django
from django.db import connection

from tenants.outbound import Answer, Request, send

PATIENCE = 60  # seconds for a process to come to its end, on a busy machine
POINTS = ("before_claim", "after_claim", "before_answer", "after_answer", "never")
# What is sent: the module that claims and sends, and the function that does it.
SENDERS = {
    "calls": ("releases.rollbacks.calling", "call_due"),
    "messages": ("tenants.delivery.serving", "serve"),
}


def die(*_: Any) -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    return False


def main(point: str, what: str, *ids: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "rush_monitor.settings"
    django.setup()
    module_name, function = SENDERS[what]
    # It imports models, so it comes after the set-up.
    module = import_module(module_name)
    if point == "before_claim":
        vars(module)["_claim"] = die

    def lethal(request: Request) -> Answer:
        assert not connection.in_atomic_block
        if point == "after_claim":
            die()
        answer = send(request)
        if point == "after_answer":
            die()
        return answer

    getattr(module, function)(*ids, send=lethal)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
