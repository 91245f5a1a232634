"""Wakes a task by its name once the transaction is committed.

The ring carries no data: the task asks the tables, and beat rings too. So a broker that
is away costs seconds, never work, and never makes a change fail.
"""

import logging

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)

BROKER_SECONDS = 2.0
EXPIRES = 30  # seconds; beat has rung since


def ring_on_commit(task: str, queue: str) -> None:
    """Send the task once the present transaction is committed, without one at once."""
    transaction.on_commit(lambda: ring(task, queue))


def ring(task: str, queue: str) -> None:
    """Send the task; a broker that does not take it is logged."""
    try:
        with current_app.connection_for_write(
            connect_timeout=BROKER_SECONDS,
            transport_options={
                "socket_connect_timeout": BROKER_SECONDS,
                "socket_timeout": BROKER_SECONDS,
                "max_retries": 0,
            },
        ) as connection:
            current_app.send_task(
                task,
                queue=queue,
                connection=connection,
                expires=EXPIRES,
                ignore_result=True,
                retry=False,
            )
    except Exception as error:  # the broker's client raises its own kinds
        log.warning("%s not rung, beat will: %s", task, error)
